"""``runs diff``, ``note``, ``prune`` and ``timelapse``: what they print and ask."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import cli
from sensor2sensor.core.errors import InputError
from sensor2sensor.report.runs.command import LOG_WIDTH, add_experiments, all_runs

if TYPE_CHECKING:
    from rich.console import Console

    from sensor2sensor.report.runs.prune import Prunable

DIFF_DOC = """Hold two runs against each other: what differs in settings, data set, code and versions,
and the scores of their evaluations with the interval of their paired difference.

  s2s runs diff a/b/c/0715-0930 a/b/c/0716-1000
  s2s runs diff a/b/c 0715-0930 0716-1000
  s2s runs diff a/b/c d/e/f                           # the latest run of each
"""
NOTE_DOC = """Note something of a run: notes.json beside its logs, shown in the table and the page.

  s2s runs note a/b/c/0715-0930 "diverged behind step 4000"
  s2s runs note 0715-0930 "diverged behind step 4000"    # where one experiment has such a run
"""
PRUNE_DOC = """Delete runs that failed: checkpoints, logs, samples and pictures of the networks.
Without --yes nothing is deleted. Kept are runs that others began with, that an experiment.json
names, that were evaluated, and that a process still holds.

  s2s runs prune --failed
  s2s runs prune 'sweep/*' --failed --dead --yes
"""
TIMELAPSE_DOC = """Show the fixed tiles of a run step by step: one HTML file with a slider, made of
its sample sheets and put beside them (samples/MMDD-hhmm/timelapse.html).

  s2s runs timelapse a/b/c/0715-0930
  s2s runs timelapse a/b/c --page lapse.html          # of the latest run
"""


def diff(words: Sequence[str]) -> int:
    """``runs diff A B``."""
    made = cli.parser(DIFF_DOC, prog="s2s runs diff")
    made.add_argument("runs", nargs="+", metavar="RUN", help="two runs, as a/b/c/MMDD-hhmm")
    return cli.main_guard(_diff, made, words)


def _diff(args: argparse.Namespace) -> int:
    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.report.runs.diff import differing, refuse, scored
    from sensor2sensor.report.runs.named import take

    environment = load_environment(args.environment)
    found = all_runs(environment)
    first, rest = take(args.runs, found)
    second, left = take(rest, found, beside=first)
    if left:
        raise InputError(f"'{left[0]}' is one run too many", hint="name two")
    refuse(first, second)
    console = _console()
    console.print(f"A  {first.name}, {first.state} at step {first.step}", soft_wrap=True)
    console.print(f"B  {second.name}, {second.state} at step {second.step}", soft_wrap=True)
    parts = differing(first, second)
    for title, differences in parts.items():
        if differences:
            rows = [(one.key, one.first, one.second) for one in differences]
            console.print(_drawn(title, ("", "A", "B"), rows))
    if alike := [title for title, differences in parts.items() if not differences]:
        console.print(f"alike: {', '.join(alike)}", soft_wrap=True)
    scores = scored((first, second), environment.evaluation_dir)
    for title in dict.fromkeys(one.title for one in scores):
        own = [one for one in scores if one.title == title]
        rows4 = [(one.metric, one.first, one.second, one.gain) for one in own]
        heads = ("", "A", "B", "gain of B over A, positive is better")
        console.print(_drawn(title, heads, rows4))
    if not scores:
        told = "no evaluations of both on the same tiles; evaluate.py --exp E --timestamp T"
        console.print(told, soft_wrap=True)
    return cli.EXIT_DONE


def _console() -> Console:
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console


def _drawn(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        pad_edge=False,
    )  # fmt: skip
    for head in heads:
        made.add_column(head, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def note(words: Sequence[str]) -> int:
    """``runs note RUN TEXT``."""
    made = cli.parser(NOTE_DOC, prog="s2s runs note")
    made.add_argument("words", nargs="+", metavar="RUN TEXT", help="the run, then what to note")
    return cli.main_guard(_note, made, words)


def _note(args: argparse.Namespace) -> int:
    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.report.runs.named import take
    from sensor2sensor.report.runs.notes import add_note

    seen, rest = take(args.words, all_runs(load_environment(args.environment)))
    add_note(seen.run, " ".join(rest), datetime.now(UTC))
    print(f"noted of {seen.name}")
    return cli.EXIT_DONE


def prune(words: Sequence[str]) -> int:
    """``runs prune --failed``."""
    made = cli.parser(PRUNE_DOC, prog="s2s runs prune")
    add_experiments(made)
    made.add_argument("--failed", action="store_true", help="runs that ended by an error")
    made.add_argument("--dead", action="store_true", help="runs that were killed, too")
    made.add_argument("--yes", action="store_true", help="delete them; without it they are listed")
    return cli.main_guard(_prune, made, words)


def _prune(args: argparse.Namespace) -> int:
    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.report.runs.found import DEAD, FAILED, tables_of
    from sensor2sensor.report.runs.listing import chosen
    from sensor2sensor.report.runs.prune import examined

    states = [state for state, on in ((FAILED, args.failed), (DEAD, args.dead)) if on]
    if not states:
        raise InputError("says not which runs", hint="add --failed, or --dead, or both")
    environment = load_environment(args.environment)
    found = all_runs(environment)
    root = environment.experiment_root
    asked = chosen(found, args.experiments, None, states, root)
    listed = examined(asked, found, root, tables_of(environment.evaluation_dir))
    if not listed:
        print(f"no run in {root} is {' or '.join(states)}")
        return cli.EXIT_DONE
    return _listed(listed, root, yes=args.yes)


def _listed(listed: Sequence[Prunable], root: Path, *, yes: bool) -> int:
    from sensor2sensor.report.runs.prune import delete, freed

    going = [one for one in listed if not one.kept]
    for one in listed:
        told = f"kept: {one.kept}" if one.kept else f"{one.files} files, {_size(one.size)}"
        said = f" ({one.seen.notes[-1].text})" if one.seen.notes else ""
        print(f"{one.seen.name}, {one.seen.state} at step {one.seen.step}{said}: {told}")
    amount = f"{len(going)} of {len(listed)} runs, {_size(freed(listed))}"
    if not yes:
        print(f"would delete {amount}, ckpt, logs, samples and model of each; --yes deletes them")
        return cli.EXIT_DONE
    failed = 0
    for one in going:
        try:
            delete(one.seen.run, root)
        except (InputError, OSError) as error:
            failed += 1
            print(f"  failed: {one.seen.name}: {error}")
    print(f"deleted {amount}" if not failed else f"deleted {len(going) - failed} of {amount}")
    return cli.EXIT_SOME_FAILED if failed else cli.EXIT_DONE


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def timelapse(words: Sequence[str]) -> int:
    """``runs timelapse RUN``."""
    made = cli.parser(TIMELAPSE_DOC, prog="s2s runs timelapse")
    made.add_argument("run", nargs="+", metavar="RUN", help="as a/b/c/MMDD-hhmm")
    made.add_argument("--page", metavar="FILE", help="write the page there instead")
    return cli.main_guard(_timelapse, made, words)


def _timelapse(args: argparse.Namespace) -> int:
    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.core.paths import expanded
    from sensor2sensor.report.runs.named import take
    from sensor2sensor.report.runs.timelapse import NAME, write_timelapse

    seen, rest = take(args.run, all_runs(load_environment(args.environment)))
    if rest:
        raise InputError(f"'{rest[0]}' is one run too many", hint="name one")
    path = expanded(args.page) if args.page else seen.run.samples_dir / NAME
    frames, size = write_timelapse(seen, path)
    print(f"page: {path} ({frames} steps, {size / 1e6:.1f} MB)")
    return cli.EXIT_DONE
