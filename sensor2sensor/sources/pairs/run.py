"""``s2s records-pairs``: a data set of pairs, made of one for super-resolution."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.places import dataset_fault
from sensor2sensor.core import cli
from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.degradation import MTF_NYQUIST
from sensor2sensor.sources.pairs.source import PairsSource
from sensor2sensor.sources.writer import options as shared
from sensor2sensor.sources.writer.run import write

DOC = """
Make pairs of one band of two sensors, to train a registration on (model `registration`).

    s2s records-pairs --from s2v_x2 --from-size 256 --band B8 --dataset s2v_x2_pairs

Reads the data set <data_root>/<from>/<from size>, whose input is a whole number of times coarser
than its target; writes <dataset>/<side of its input>/. The input is the target's band as the
coarser sensor would see it, and the input's own band; the target is the latter. Splits are kept.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = cli.parser(DOC, prog="s2s records-pairs", steps=True)
    add = parser.add_argument_group("pairs").add_argument
    add("--from", dest="source", required=True, metavar="D", help="data set they are made of")
    add("--from-size", type=int, required=True, metavar="PX", help="its tile size")
    add("--dataset", metavar="D", help="name of the data set that is made (<from>_pairs)")
    add("--band", required=True, help="a band of both sensors")
    add(
        "--mtf",
        type=float,
        default=MTF_NYQUIST,
        metavar="M",
        help=f"transfer of the coarser sensor at its Nyquist frequency ({MTF_NYQUIST:g})",
    )
    shared.add_arguments(parser, ratios=None)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Read the data set, degrade, write; 1 where a tile had to be refused."""
    name = args.dataset or f"{args.source}_pairs"
    wrong = [*shared.wrong_values(args), *shared.dataset_name_fault(name)]
    if not 0 < args.mtf < 1:
        wrong.append(f"--mtf {args.mtf:g} is not in (0, 1)")
    if wrong:
        raise InputError("; ".join(wrong), hint="see --help")
    root = Path(load_environment(args.environment).data_root)
    if (fault := dataset_fault(root, args.source, args.from_size)) is not None:
        where = {"dataset": "--from", "tilesize": "--from-size"}[fault[0]]
        raise InputError(fault[1], where=where)
    source = PairsSource(root / args.source / str(args.from_size), name, args.band, args.mtf)
    return write(source, root, shared.write_options(args))
