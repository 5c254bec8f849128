"""Step 54: make a data set of Sentinel-2 patches and the same ground by Venµs at 5 m.

Patches become a source (`source`) of samples; splits, files and statistics are the same for every
source (`sensor2sensor.sources.writer`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli
from sensor2sensor.sources import pictures
from sensor2sensor.sources.sen2venus.options import add_arguments, from_arguments
from sensor2sensor.sources.sen2venus.source import VenusSource
from sensor2sensor.sources.writer.options import write_options
from sensor2sensor.sources.writer.run import write

DOC = r"""
Make a data set of SEN2VENµS: Sentinel-2 at 10 and 20 m to Venµs at 5 m.

    python preprocessing/54_create_tfrecords_sen2venus.py --data SEN2VENUS --bands 10m \
        --test-sites FR-LAM KUDALIAR --val-share 0.1 --exclude opensr_venus.csv --workers 4

Reads <data>/<SITE>/index.csv and the zips beside it (version 2; convert stacks of version 1 with
s2s convert-sen2venus); writes <dataset>/256/{train,val,test}/*.tfrecord, split.csv and
dataset.json. A site goes to one split whole, and two splits never share ground. Inputs are stored
on their own grid, reflectances as int16 x 10000, negative ones kept.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 54; returns the exit code."""
    parser = cli.parser(DOC, prog="54_create_tfrecords_sen2venus.py", steps=True)
    add_arguments(parser)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Find the patches, plan splits, write samples, finish.

    Returns:
        0, or 1 where a patch had to be refused.
    """
    folder = pictures.folder_of_data(args)
    options, writing = from_arguments(args, folder), write_options(args)
    env = load_environment(args.environment)
    return write(VenusSource(folder, options), Path(env.data_root), writing)
