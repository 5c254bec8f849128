"""Step 30: a picture of every scene of an inventory, and a page to select the good ones on.

python preprocessing/30_create_s2pngs.py --inventory inv_T17XNA_10h
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.preprocess.quicklooks.run import main

if __name__ == "__main__":
    sys.exit(main())
