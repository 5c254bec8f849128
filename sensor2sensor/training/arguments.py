"""The command line of ``train.py``; free of TensorFlow."""

from __future__ import annotations

import argparse

from sensor2sensor.core.cli import above_zero, add_set, add_split, parser, positive
from sensor2sensor.training.points import point


def natural(text: str) -> int:
    """A whole number of 0 or more, as a type of an option."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return value


def arguments(description: str = "") -> argparse.ArgumentParser:
    """The options of ``train.py``, whose own text is the description."""
    made = parser(description, prog="train.py")
    made.add_argument(
        "--exp", required=True,
        help="experiment below experiment_root: a/b/c, or several: 'a-*/*', finished ones skipped",
    )  # fmt: skip
    made.add_argument("--timestamp", metavar="MMDD-hhmm", help="name of the run (default: now)")
    made.add_argument("--restore", metavar="TIMESTAMP", help="new run from the state of that one")
    made.add_argument("--fork", metavar="TIMESTAMP", help="new run from the weights of that one")
    made.add_argument(
        "--at",
        metavar="N|epoch:N|best|last",
        type=point,
        help="with --restore or --fork: the checkpoint of that run to begin with (default: last)",
    )
    made.add_argument("--resume", action="store_true", help="continue the latest run in its folder")
    made.add_argument("--check", action="store_true", help="validate everything, train nothing")
    made.add_argument(
        "--smoke", action="store_true", help="two steps and all that follows; kept nowhere"
    )
    made.add_argument(
        "--overfit", type=positive, metavar="N",
        help="200 steps on N tiles, and whether that can learn; kept nowhere",
    )  # fmt: skip
    made.add_argument(
        "--max-minutes",
        metavar="N",
        type=above_zero,
        help="end in time to save within N minutes, with exit code 124; --resume goes on",
    )
    made.add_argument("--tag", metavar="NAME", help="a word by which `s2s runs` finds the run")
    made.add_argument(
        "--sweep", action="append", default=[], metavar="KEY=A,B",
        help="train with each value, compare on val: gen_loss.gen_l1=10,25; several: their product",
    )  # fmt: skip
    made.add_argument("--list", action="store_true", help="say which trainings these are, no more")
    made.add_argument(
        "--only", type=natural, metavar="N", help="of several the one with this number of --list"
    )
    add_set(made, "a setting above those of experiment.json", "gen_loss.gen_l1=50")
    add_split(made)
    return made
