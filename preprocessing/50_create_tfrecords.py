"""Step 50: make data sets of records, split by ground, out of the tiles of an inventory.

python preprocessing/50_create_tfrecords.py --inventory inv_T17XNA_10h --dataset arctic
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.preprocess.records.run import main

if __name__ == "__main__":
    sys.exit(main())
