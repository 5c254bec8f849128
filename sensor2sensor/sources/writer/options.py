"""Options that every source of data sets has on its command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass

from sensor2sensor.core import cli
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.notices import require_tensorflow
from sensor2sensor.core.parts import Part

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(_[A-Za-z0-9.-]+)*")


@dataclass(frozen=True)
class WriteOptions:
    """What a run does with a source.

    Attributes:
        shard: Samples packed in a file.
        workers: Processes.
        add: Add its listing to data sets that are there.
        force: Replace data sets that are there.
        dry_run: Say what would be done, write nothing.
        limit: Take only so many items of the listing, the first; None for all.
        part: Write a share of the files, and leave what is of the whole data set.
        merge: Join so many parts.
        compact: Store inputs as scaled integers, with their error stated.
    """

    shard: int = 1
    workers: int = 1
    add: bool = False
    force: bool = False
    dry_run: bool = False
    limit: int | None = None
    part: Part | None = None
    merge: int | None = None
    compact: bool = False


def add_arguments(
    parser: argparse.ArgumentParser, *, ratios: tuple[float, float] | None = (0.95, 0.05)
) -> None:
    """The options all sources share, beside those of ``core.cli.parser(..., steps=True)``.

    Args:
        parser: The door's.
        ratios: Defaults of ``--train_ratio`` and ``--val_ratio``; None where splits are given, and
            nothing is drawn.
    """
    add = parser.add_argument_group("data sets").add_argument
    if ratios is not None:
        _add_ratios(add, *ratios)
    add("--shard", type=int, default=1, metavar="N", help="tiles packed in one file (1)")
    add(
        "--compact",
        action="store_true",
        help="inputs as 16-bit integers: half the bytes, each value within half a step, which"
        " dataset.json states",
    )
    add(
        "--add",
        action="store_true",
        help="add what this run lists to data sets that are there; no split of theirs changes",
    )
    add("--force", action="store_true", help="replace data sets of other options or tiles")
    cli.add_parts(parser)


def _add_ratios(add: Callable[..., object], train_ratio: float, val_ratio: float) -> None:
    add(
        "--train_ratio",
        type=float,
        default=train_ratio,
        metavar="R",
        help=f"share of the ground for training and validation, the rest is for testing"
        f" ({train_ratio:g})",
    )
    add(
        "--val_ratio",
        type=float,
        default=val_ratio,
        metavar="R",
        help=f"share of that share for validation ({val_ratio:g})",
    )


def given_ratios(args: argparse.Namespace) -> dict[str, float]:
    """The ratios by name, without those that are None, which a source fills in by itself."""
    known = {name: getattr(args, name, None) for name in ("train_ratio", "val_ratio")}
    return {name: ratio for name, ratio in known.items() if ratio is not None}


def wrong_values(args: argparse.Namespace) -> list[str]:
    """What is out of range among the options all sources share."""
    given = given_ratios(args)
    wrong = [f"--{name} {r} is not in (0, 1)" for name, r in given.items() if not 0 < r < 1]
    return [*wrong, *([f"--shard {args.shard} is less than 1"] if args.shard < 1 else [])]


def dataset_name_fault(name: str) -> list[str]:
    """What is wrong with the name of a data set, which is that of a folder."""
    if _NAME.fullmatch(name):
        return []
    return [
        f"--dataset '{name}' is no plain name (letters, digits, . and -, and single"
        " _ between them; a letter or digit first)"
    ]


def write_options(args: argparse.Namespace) -> WriteOptions:
    """The options of a run from the command line.

    Raises:
        InputError: Values out of their range; all of them at once.
        MissingExtraError: It is no dry run, and TensorFlow, which writes records, is not installed.
    """
    if wrong := wrong_values(args):
        raise InputError("; ".join(wrong), hint="see --help")
    if not args.dry_run:
        require_tensorflow()  # before a look around whose outcome could not be written
    return WriteOptions(
        args.shard,
        args.workers,
        args.add,
        args.force,
        args.dry_run,
        args.limit,
        args.part,
        args.merge,
        args.compact,
    )
