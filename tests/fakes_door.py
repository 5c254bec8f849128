"""The door of the toy source, as docs/sources.md shows it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli
from sensor2sensor.sources.writer.options import add_arguments, write_options
from sensor2sensor.sources.writer.run import write
from tests.fakes_source import ToySource

DOC = """
Make a data set out of photos of cities.

    python preprocessing/59_toy.py --album album --shard 100
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 59; returns the exit code."""
    parser = cli.parser(DOC, prog="59_toy.py", steps=True)
    parser.add_argument("--album", required=True, help="name of the folder of photos")
    add_arguments(parser, ratios=(0.7, 0.4))
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Write the data set; 1 where a sample had to be refused."""
    env = load_environment(args.environment)
    ratios = (args.train_ratio, args.val_ratio)
    source = ToySource(name=args.album, seed=args.seed, ratios=ratios)
    return write(source, Path(env.data_root), write_options(args))
