"""Runs chosen, put in order, and shown: as a table for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.cadence import better
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.progress import duration
from sensor2sensor.core.times import format_utc
from sensor2sensor.report.runs.found import RUNNING, STATES, Seen
from sensor2sensor.report.runs.logs import Score

if TYPE_CHECKING:
    from rich.table import Table

NOTHING = "–"
SILENT_S = 600.0  # a running one that has written nothing for so long may hang
LONGEST = 60  # letters of a note or a reason in a cell
STYLES = {"running": "cyan", "done": "green", "failed": "red", "dead": "red", "unreadable": "red"}


def _score(seen: Seen) -> float:
    if seen.best is None:
        return float("inf")
    return -seen.best.value if better(seen.best.metric) == "higher" else seen.best.value


def _age(seen: Seen) -> float:
    return -seen.started.timestamp() if seen.started else float("inf")


# The first of each order is what is looked for last: it stands beside the prompt.
ORDERS: dict[str, Callable[[Seen], Any]] = {
    "age": lambda seen: _age(seen),
    "experiment": lambda seen: (seen.experiment, seen.run.timestamp),
    "state": lambda seen: STATES.index(seen.state) if seen.state in STATES else len(STATES),
    "step": lambda seen: -seen.step,
    "speed": lambda seen: -(seen.images_per_s or 0.0),
    "best": _score,
}


def chosen(
    found: Sequence[Seen], experiments: Collection[str], tag: str | None,
    states: Collection[str], root: Path,
) -> list[Seen]:  # fmt: skip
    """The runs that all filters leave.

    Args:
        found: All runs.
        experiments: Patterns of a shell (``aris-*/land/*``), or folders of experiments; empty: all.
        tag: A pattern of their tag; None: any or none.
        states: Their states; empty: any.
        root: ``experiment_root``.

    Raises:
        InputError: A pattern fits no experiment.
    """
    known = {seen.experiment for seen in found}
    meant: set[str] = set()
    for pattern in experiments:
        fitting = {name for name in known if fits(name, pattern, root)}
        meant |= fitting
        if not fitting:
            hint = suggestion(pattern, known) if known else "there is no run at all"
            raise InputError(f"no run of an experiment '{pattern}'", hint=hint)
    return [
        seen
        for seen in found
        if (not experiments or seen.experiment in meant)
        and (tag is None or fnmatchcase(seen.tag or "", tag))
        and (not states or seen.state in states)
    ]


def fits(experiment: str, pattern: str, root: Path) -> bool:
    """Whether an experiment is named by a pattern, or lies in a folder of that name.

    As for ``train.py``: ``*`` stands for a part of one name, ``**`` for any number of folders, and
    a folder that is called ``run[1]`` is that one and not ``run1``.
    """
    typed = pattern.strip("/")
    if experiment == typed or experiment.startswith(f"{typed}/"):
        return True
    return not (root / typed).exists() and _matches(experiment.split("/"), typed.split("/"))


def _matches(names: Sequence[str], parts: Sequence[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_matches(names[count:], parts[1:]) for count in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], parts[0]) and _matches(names[1:], parts[1:])


def ordered(found: Sequence[Seen], by: str, *, reverse: bool = False) -> list[Seen]:
    """In the order of one of :data:`ORDERS`, the first last; ``reverse``: the first first."""
    return sorted(found, key=ORDERS[by], reverse=not reverse)


def table(found: Sequence[Seen], now: datetime) -> Table:
    """The runs as a table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = {
        "experiment": "left", "run": "left", "tag": "left", "state": "left", "step": "right",
        "img/s": "right", "best validation": "left", "evaluation": "left", "age": "right",
        "note": "left",
    }  # fmt: skip
    rows = [dict(zip(columns, cells(seen, now), strict=True)) for seen in found]
    shown = [name for name in columns if name not in ("tag", "note") or any(r[name] for r in rows)]
    for name in shown:
        made.add_column(name, justify=columns[name], no_wrap=name in ("run", "age", "img/s"))  # type: ignore[arg-type]
    for row in rows:
        style = STYLES.get(row["state"].split(" ")[0], "")
        # Text: [v1] in the name of an experiment is no style.
        made.add_row(*(Text(row[n], style=style if n == "state" else "") for n in shown))
    return made


def cells(seen: Seen, now: datetime) -> list[str]:
    """The cells of a run: experiment, run, tag, state, step, speed, best, test, age, note."""
    # What somebody wrote says more than what the run found itself: it knew of that.
    own = seen.notes[-1].text if seen.notes else ""
    note = seen.reason or own or (seen.warnings[-1] if seen.warnings else "")
    return [
        seen.experiment, seen.run.timestamp, seen.tag or "", state_in_words(seen, now),
        step_in_words(seen), speed_in_words(seen), score_in_words(seen.best),
        score_in_words(seen.test, at=False), age_in_words(seen.started, now), _cut(note),
    ]  # fmt: skip


def state_in_words(seen: Seen, now: datetime) -> str:
    """``running``, ``running (silent for 14 min)``, ``dead``."""
    silent = None if seen.updated is None else (now - seen.updated).total_seconds()
    if seen.state == RUNNING and silent is not None and silent > SILENT_S:
        return f"{seen.state} (silent for {in_words(silent)})"
    return seen.state


def step_in_words(seen: Seen) -> str:
    """``300/500``, of a running one with the time left, of one that broke off what is saved."""
    if not seen.steps:
        return NOTHING
    told = f"{seen.step}/{seen.steps}"
    if seen.left_s is not None:
        return f"{told}, {duration(seen.left_s)} left"
    return f"{told}, {seen.saved} saved" if seen.saved < seen.step else told


def speed_in_words(seen: Seen) -> str:
    """Images a second."""
    return NOTHING if seen.images_per_s is None else f"{seen.images_per_s:.3g}"


def score_in_words(score: Score | None, *, at: bool = True) -> str:
    """``ssim 0.8841 at 300``."""
    if score is None:
        return NOTHING
    step = f" at {score.step}" if at and score.step is not None else ""
    return f"{score.metric} {score.value:.4g}{step}"


def age_in_words(since: datetime | None, now: datetime) -> str:
    """How long ago: ``40 s``, ``14 min``, ``5 h``, ``3 d``."""
    return NOTHING if since is None else in_words((now - since).total_seconds())


def in_words(seconds: float) -> str:
    """A span of time with one unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length or (unit != "d" and seconds >= length):
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def as_json(seen: Seen) -> dict[str, Any]:
    """A run for programs: numbers as they are, times in UTC."""
    scores = {"best": seen.best, "evaluation": seen.test}
    return {
        "experiment": seen.experiment, "timestamp": seen.run.timestamp, "tag": seen.tag,
        "state": seen.state, "reason": seen.reason or None,
        "started": None if seen.started is None else format_utc(seen.started),
        "updated": None if seen.updated is None else format_utc(seen.updated),
        "step": seen.step, "saved": seen.saved, "steps": seen.steps,
        "steps_per_s": seen.steps_per_s, "images_per_s": seen.images_per_s, "model": seen.model,
        **{
            key: score and {"metric": score.metric, "value": score.value, "step": score.step}
            for key, score in scores.items()
        },
        "warnings": list(seen.warnings),
        "notes": [note.model_dump() for note in seen.notes],
        "folder": str(seen.run.logs_dir),
    }  # fmt: skip


def counted(found: Sequence[Seen]) -> str:
    """``12 runs: 1 running, 10 done, 1 failed``."""
    counts = {state: sum(seen.state == state for seen in found) for state in STATES}
    parts = [f"{count} {state}" for state, count in counts.items() if count]
    warned = sum(bool(seen.warnings) for seen in found)
    parts += [f"{warned} with warnings"] if warned else []
    return f"{len(found)} {'run' if len(found) == 1 else 'runs'}: {', '.join(parts)}"
