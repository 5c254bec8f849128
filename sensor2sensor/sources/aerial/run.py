"""Step 52: make a data set of aerial photos and masks of their buildings.

Pairs of files (`pairs`) become a source (`source`) of samples; splits, files and statistics are the
same for every source (`sensor2sensor.sources.writer`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli
from sensor2sensor.sources import pictures
from sensor2sensor.sources.aerial.options import RATIOS, add_arguments, from_arguments
from sensor2sensor.sources.aerial.pairs import find
from sensor2sensor.sources.aerial.source import AerialSource
from sensor2sensor.sources.writer import options as shared
from sensor2sensor.sources.writer.run import write

DOC = r"""
Make a data set of aerial photos and masks of their buildings, as the Inria data set has them.

    python preprocessing/52_create_tfrecords_aerial.py --data AerialImageDataset/train \
        --dataset aerial_2x2 --stored-size 286 --split 2 --split-by number --workers 4

Reads <data>/images/*.tif and <data>/gt/*.tif of the same names, of any size, depth and number of
bands; writes <dataset>/<stored size>/{train,val,test}/*.tfrecord, split.csv and dataset.json. The
mask, 0 or 1, is the input; the photo is the target.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 52; returns the exit code."""
    parser = cli.parser(DOC, prog="52_create_tfrecords_aerial.py", steps=True)
    add_arguments(parser)
    shared.add_arguments(parser, ratios=RATIOS)
    # What is given where nothing is drawn has to be told from what is not.
    parser.set_defaults(train_ratio=None, val_ratio=None)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Find the pairs, plan splits, write samples, finish.

    Returns:
        0, or 1 where a pair had to be refused.
    """
    folder = pictures.folder_of_data(args)
    options, writing = from_arguments(args, folder), shared.write_options(args)
    env = load_environment(args.environment)
    found = find(folder, options.bands)
    return write(AerialSource(folder, found, options), Path(env.data_root), writing)
