"""Step 50: make data sets of records, split by ground, out of the tiles of an inventory.

Read the tiles' table here; splits, samples and the finishing are ``sources.writer.run.write``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli
from sensor2sensor.preprocess.records.inputs import read_tiles
from sensor2sensor.preprocess.records.options import add_arguments, from_arguments
from sensor2sensor.preprocess.records.source import TileSource
from sensor2sensor.sources.writer.options import write_options
from sensor2sensor.sources.writer.run import write


def main(argv: Sequence[str] | None = None, *, doc: str = __doc__) -> int:
    """Run step 50 from the command line; returns the exit code."""
    parser = cli.parser(doc, prog="50_create_tfrecords.py", steps=True)
    add_arguments(parser)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Read tiles, plan splits, write samples, finish.

    Returns:
        0, or 1 where a tile had to be refused.
    """
    env = load_environment(args.environment)
    options = from_arguments(args)
    tiles = read_tiles(env, options.inventory, options.tile_px)
    return write(TileSource(tiles, options), Path(env.data_root), write_options(args))
