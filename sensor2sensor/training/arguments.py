"""The command line of ``train.py``; free of TensorFlow."""

from __future__ import annotations

import argparse

from sensor2sensor.core.cli import add_set, add_split, parser


def arguments(description: str = "") -> argparse.ArgumentParser:
    """The options of ``train.py``, whose own text is the description."""
    made = parser(description, prog="train.py")
    made.add_argument("--exp", required=True, help="experiment below experiment_root: a/b/c")
    made.add_argument("--timestamp", metavar="MMDD-hhmm", help="name of the run (default: now)")
    made.add_argument("--restore", metavar="TIMESTAMP", help="new run from the state of that one")
    made.add_argument("--resume", action="store_true", help="continue the latest run in its folder")
    made.add_argument("--check", action="store_true", help="validate everything, train nothing")
    made.add_argument(
        "--smoke", action="store_true", help="two steps and all that follows; kept nowhere"
    )
    add_set(made, "a setting above those of experiment.json", "gen_loss.gen_l1=50")
    add_split(made)
    return made
