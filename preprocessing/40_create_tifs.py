r"""Cut tiles out of the selected scenes: Sentinel-2 on its grid, Sentinel-3 collocated per window.

    python preprocessing/40_create_tifs.py --selection sel_T17XNA --masks seaice,land \
        --tilesize 256 --quantity 5 --overlap 0.5 --max-cloud 0.1 --workers 4 --seed 0

Writes _tif/<inventory>/<tilesize>/<scene>_<x>x<y>[_notinmask].tif with the table of OLCI pixels and
the margin beside it, tiles.csv, manifest.json, and an overlay picture per scene. Masks are KML
files in <data_root>/_masks: --masks seaice,land takes _masks/seaice.kml and _masks/land.kml.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.preprocess.tiles.run import main

if __name__ == "__main__":
    sys.exit(main(doc=__doc__))
