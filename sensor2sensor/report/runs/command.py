"""``runs``: what became of every training, and what is done with it afterwards."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.core import cli
from sensor2sensor.core.errors import InputError

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment
    from sensor2sensor.report.runs.found import Seen

DOC = """List every run below experiment_root: state, step, speed, best validation, evaluation.

  s2s runs
  s2s runs 'aris-*/land/*' --state running,failed     # experiments by pattern or folder
  s2s runs --sort best --metric ssim --limit 10       # the best stands last, above the prompt
  s2s runs --html --every 30                          # runs.html: curves and sheets, kept fresh
  s2s runs diff a/b/c/0715-0930 a/b/c/0716-1000       # settings, data, code, versions, scores
  s2s runs note a/b/c/0715-0930 "diverged behind step 4000"
  s2s runs prune --failed                             # says what would go; --yes deletes it
  s2s runs timelapse a/b/c/0715-0930                  # its sample sheets, step by step
"""
VERBS = ("diff", "note", "prune", "timelapse")
LOG_WIDTH = 200  # of a log file, which has no width of its own


def main(argv: Sequence[str] | None = None) -> int:
    """List runs, or do what the first word says; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    made = _arguments()
    valued = {o for a in made._actions if a.nargs != 0 for o in a.option_strings}
    for place, word in enumerate(words):
        # What stands behind such an option is its value: a tag may be called as a command is.
        if word in VERBS and (not place or words[place - 1].replace("_", "-") not in valued):
            verbs = importlib.import_module("sensor2sensor.report.runs.verbs")
            rest = [*words[:place], *words[place + 1 :]]
            with cli.part_of("s2s runs", word):
                return int(getattr(verbs, word)(rest))
    return cli.main_guard(_run, made, words)


def _arguments() -> argparse.ArgumentParser:
    from sensor2sensor.report.runs.found import STATES
    from sensor2sensor.report.runs.listing import ORDERS

    made = cli.parser(DOC, prog="s2s runs")
    add_experiments(made)
    made.add_argument("--tag", metavar="PATTERN", help="runs of this tag (train.py --tag)")
    states = ", ".join(STATES)
    made.add_argument("--state", metavar="S[,S]", default="", help=f"runs that are {states}")
    made.add_argument("--metric", help="tell the best by this one (default: by each run's monitor)")
    made.add_argument(
        "--sort", choices=list(ORDERS), default="age",
        help="what stands last and is seen first: the newest, the best, ... (default: age)",
    )  # fmt: skip
    made.add_argument("--reverse", action="store_true", help="the other way round")
    made.add_argument("--limit", type=cli.positive, metavar="N", help="the last N of that order")
    made.add_argument("--json", action="store_true", help="print JSON, for programs")
    made.add_argument("--html", action="store_true", help="write runs.html in experiment_root")
    made.add_argument("--page", metavar="FILE", help="write the page there instead")
    made.add_argument(
        "--every", type=cli.positive, metavar="SECONDS",
        help="write the page anew so often, until Ctrl-C",
    )  # fmt: skip
    return made


def add_experiments(made: argparse.ArgumentParser) -> None:
    """The patterns of experiments."""
    told = "pattern (in quotes) or folder of experiments (default: all)"
    made.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=told)


def _run(args: argparse.Namespace) -> int:
    from sensor2sensor.config.environment import load_environment

    environment = load_environment(args.environment)
    if args.every and not (args.html or args.page):
        raise InputError("--every goes with --html", hint="add --html")
    if args.html or args.page:
        return _page(args, environment)
    runs = _chosen(args, environment)
    _print_json(runs) if args.json else _print_table(runs, environment)
    return cli.EXIT_DONE


def all_runs(environment: Environment, metric: str | None = None) -> list[Seen]:
    """Every run below ``experiment_root``; InputError where that is not there."""
    from sensor2sensor.report.runs.found import find_runs

    root = environment.require("experiment_root")
    return find_runs(root, environment.evaluation_dir, metric)


def _chosen(args: argparse.Namespace, environment: Environment) -> list[Seen]:
    from sensor2sensor.core.names import suggestion
    from sensor2sensor.report.runs.found import STATES
    from sensor2sensor.report.runs.listing import chosen, ordered

    states = cli.comma_list(args.state) if args.state else ()
    for state in states:
        if state not in STATES:
            raise InputError(f"--state: no state '{state}'", hint=suggestion(state, STATES))
    found = all_runs(environment, args.metric)
    _refuse_unknown_metric(args.metric, found)
    root = environment.experiment_root
    runs = ordered(chosen(found, args.experiments, args.tag, states, root), args.sort)
    if args.reverse:
        runs = runs[::-1]
    return runs[-args.limit :] if args.limit else runs


def _refuse_unknown_metric(name: str | None, found: Sequence[Seen]) -> None:
    """Refuse what is no metric or loss of ours and what no run has logged either."""
    from sensor2sensor.config.vocabulary import LOSSES, METRICS
    from sensor2sensor.core.names import suggestion

    known = {*METRICS, *LOSSES}
    if name is not None and name not in known and not any(seen.best for seen in found):
        raise InputError(f"--metric: no run has '{name}'", hint=suggestion(name, known))


def _print_json(runs: Sequence[Seen]) -> None:
    from sensor2sensor.report.runs.listing import as_json

    # In ASCII: JSON itself escapes a name that is no text, and whoever reads it has that name.
    print(json.dumps([as_json(seen) for seen in runs], indent=2))


def _print_table(runs: Sequence[Seen], environment: Environment) -> None:
    from rich.console import Console

    from sensor2sensor.report.runs.listing import counted, table

    if not runs:
        there = len(all_runs(environment))
        root = environment.experiment_root
        none = f"none of the {there} runs in {root} is so" if there else f"no run in {root}"
        print(none if there else f"{none}; train.py --exp begins one")
        return
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    console.print(table(runs, datetime.now(UTC)))
    console.print(counted(runs), soft_wrap=True)


def _page(args: argparse.Namespace, environment: Environment) -> int:
    from sensor2sensor.core.paths import expanded
    from sensor2sensor.report.runs.page import NAME, write_page

    path = expanded(args.page) if args.page else environment.experiment_root / NAME
    if not path.parent.is_dir():
        hint = f"make {path.parent} first, or name a file in a folder that is there"
        raise InputError("its folder is not there", where=f"--page {path}", hint=hint)
    while True:
        runs = _chosen(args, environment)
        size = write_page(runs, Path(path), datetime.now(UTC), args.every)
        if not args.every:
            print(f"page: {path} ({size / 1e6:.1f} MB, {len(runs)} runs); open it in a browser")
            return cli.EXIT_DONE
        print(f"page: {path} ({len(runs)} runs), again in {args.every} s", flush=True)
        time.sleep(args.every)
