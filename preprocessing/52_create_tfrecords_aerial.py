"""Step 52: make a data set of aerial photos and masks of their buildings.

python preprocessing/52_create_tfrecords_aerial.py --data AerialImageDataset/train --dataset aerial
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.sources.aerial.run import main

if __name__ == "__main__":
    sys.exit(main())
