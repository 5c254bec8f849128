"""Step 51: make a data set of maps and photos that stand side by side in one picture.

python preprocessing/51_create_tfrecords_maps.py --data maps --dataset maps
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.sources.maps.run import main

if __name__ == "__main__":
    sys.exit(main())
