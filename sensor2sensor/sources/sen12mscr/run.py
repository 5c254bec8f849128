"""Step 53: make a data set of cloudy and clear Sentinel-2 images with radar of the same ground.

Triplets become a source (`source`) of samples; splits, files and statistics are the same for every
source (`sensor2sensor.sources.writer`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli
from sensor2sensor.sources import pictures
from sensor2sensor.sources.sen12mscr.layout import find
from sensor2sensor.sources.sen12mscr.options import add_arguments, from_arguments
from sensor2sensor.sources.sen12mscr.source import Sen12Source
from sensor2sensor.sources.writer.options import write_options
from sensor2sensor.sources.writer.run import write

DOC = r"""
Make a data set of SEN12MS-CR: cloudy Sentinel-2 images and radar to clear Sentinel-2 images.

    python preprocessing/53_create_tfrecords_sen12mscr.py --data SEN12MSCR --bands 10m20m \
        --s1-resolution 40 --mask dsen2cr --split published --workers 4

Reads <data>/ROIs1158_spring_{s1,s2,s2_cloudy}/ and the other seasons, or <data>/{s1,s2_cloudFree,
s2_cloudy}/; writes <dataset>/256/{train,val,test}/*.tfrecord, split.csv and dataset.json. The input
is the cloudy image with VV and VH behind its bands, the target the clear image; a mask of clouds
and shadows is stored beside. A download that is not whole gives the triplets that are.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 53; returns the exit code."""
    parser = cli.parser(DOC, prog="53_create_tfrecords_sen12mscr.py", steps=True)
    add_arguments(parser)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Find the triplets, plan splits, write samples, finish.

    Returns:
        0, or 1 where a triplet had to be refused.
    """
    folder = pictures.folder_of_data(args)
    options, writing = from_arguments(args, folder), write_options(args)
    env = load_environment(args.environment)
    return write(Sen12Source(folder, find(folder), options), Path(env.data_root), writing)
