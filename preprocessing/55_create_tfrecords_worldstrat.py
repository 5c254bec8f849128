"""Step 55: make a data set of Sentinel-2 and SPOT 6/7 from WorldStrat, raw or wsx2 and wsx4.

python preprocessing/55_create_tfrecords_worldstrat.py --data WorldStrat --factor 4
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.sources.worldstrat.run import main

if __name__ == "__main__":
    sys.exit(main())
