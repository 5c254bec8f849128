"""Step 53: make a data set of cloudy and clear Sentinel-2 images with radar, from SEN12MS-CR.

python preprocessing/53_create_tfrecords_sen12mscr.py --data SEN12MSCR --bands 10m20m
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.sources.sen12mscr.run import main

if __name__ == "__main__":
    sys.exit(main())
