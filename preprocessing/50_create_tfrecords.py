r"""Make data sets out of tiles: cur_D (Sentinel-3 input) and alt<f>_D (degraded Sentinel-2 input).

    python preprocessing/50_create_tfrecords.py --inventory inv_T17XNA_10h --dataset arctic \
        --tilesize 256 --train_ratio 0.95 --val_ratio 0.05 --factors 3,6,12,20,30 --workers 4

Writes <dataset>/<tilesize>/{train,val,test}/*.tfrecord, split.csv and dataset.json. Tiles go to
their splits by the ground they show; with --add another inventory joins and no ground moves.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.preprocess.records.run import main

if __name__ == "__main__":
    sys.exit(main(doc=__doc__))
