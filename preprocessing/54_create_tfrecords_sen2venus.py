"""Step 54: make a data set of Sentinel-2 patches and Venµs at 5 m, from SEN2VENµS.

python preprocessing/54_create_tfrecords_sen2venus.py --data SEN2VENUS --test-sites FR-LAM
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.sources.sen2venus.run import main

if __name__ == "__main__":
    sys.exit(main())
