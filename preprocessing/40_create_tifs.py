"""Step 40: cut tiles of collocated Sentinel-2 and Sentinel-3 pixels out of the selected scenes.

python preprocessing/40_create_tifs.py --selection sel_T17XNA --masks none
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.preprocess.tiles.run import main

if __name__ == "__main__":
    sys.exit(main())
