"""Step 20: pair Sentinel-2 scenes of a tile with Sentinel-3 products sensed near them in time.

python preprocessing/20_create_inventory.py --tile T17XNA --timediff 10
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.preprocess.inventory.run import main

if __name__ == "__main__":
    sys.exit(main())
