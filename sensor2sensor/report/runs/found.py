"""Every run below a folder, told without trusting what lies there: cut, foreign or old files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.locks import holder
from sensor2sensor.core.runs import Run
from sensor2sensor.core.times import parse_utc
from sensor2sensor.report.runs.logs import JSONL, MOST_STEPS, Log, Score, number, read_log
from sensor2sensor.report.runs.notes import Note, notes_of

# What a run has beside others of its kind; an experiment may be called so elsewhere.
KINDS = frozenset({"ckpt", "logs", "samples", "model"})
RUNNING, DONE, INTERRUPTED, FAILED = "running", "done", "interrupted", "failed"
DEAD = "dead"  # it says that it runs, and its process is gone
UNREADABLE = "unreadable"
STATES = (RUNNING, DONE, INTERRUPTED, FAILED, DEAD, UNREADABLE)
Kind = TypeVar("Kind", bound=BaseModel)
Count = Annotated[int, Field(ge=0, lt=MOST_STEPS)]


class _Best(BaseModel):
    step: int
    metric: str
    value: float


class _Warning(BaseModel):
    """What training found wrong with itself, and the heading of the docs to read."""

    step: int
    text: str
    see: str = ""

    def __str__(self) -> str:
        return f"step {self.step}: {self.text}{self.see and f'; see {self.see}'}"


def _is_warning(value: object) -> bool:
    try:
        _Warning.model_validate(value)
    except ValidationError:
        return False
    return True


class _Facts(BaseModel):
    """What the table needs of ``run.json``; old runs lack some of it, later ones have more."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    started: str
    status: str
    step: Count = 0
    steps: Count = 0
    reason: str | None = None
    tag: str | None = None
    best: _Best | None = None
    warnings: tuple[_Warning, ...] = ()

    @field_validator("warnings", mode="before")
    @classmethod
    def _readable(cls, value: object) -> list[object]:
        """Those that can be told: what else stands there makes no run unreadable."""
        return [one for one in value if _is_warning(one)] if isinstance(value, list) else []


class _Settings(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    batch_size: Count | None = None
    model_name: str | None = None
    monitor: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Seen:
    """One run as it was found.

    Attributes:
        run: Its folders.
        experiment: ``a/b/c``, below the root.
        state: One of :data:`STATES`.
        reason: Why it failed, or why nothing can be read of it; empty otherwise.
        started: When; None where nobody can tell.
        updated: When something of it was last written.
        step: Steps done; of one that did not end well those that were logged.
        saved: Steps that a checkpoint is known of.
        steps: Steps in total.
        steps_per_s: Over its last reports.
        batch_size: Tiles in a step.
        model: Name of its model.
        tag: What ``train.py --tag`` called it.
        best: Its best validation.
        test: What its evaluation says of the same metric, or of its first.
        notes: What was noted of it, the earliest first.
        warnings: What it warned of itself, as it was told.
    """

    run: Run
    experiment: str
    state: str
    reason: str = ""
    started: datetime | None = None
    updated: datetime | None = None
    step: int = 0
    saved: int = 0
    steps: int = 0
    steps_per_s: float | None = None
    batch_size: int | None = None
    model: str | None = None
    tag: str | None = None
    best: Score | None = None
    test: Score | None = None
    notes: tuple[Note, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``a/b/c/0715-0930``."""
        return f"{self.experiment}/{self.run.timestamp}"

    @property
    def images_per_s(self) -> float | None:
        """Images a second; None where speed or batch size is not known."""
        if self.steps_per_s is None or self.batch_size is None:
            return None
        return self.steps_per_s * self.batch_size

    @property
    def left_s(self) -> float | None:
        """Seconds until a running one is done; None of any other."""
        if self.state != RUNNING or not self.steps_per_s:
            return None
        return max(self.steps - self.step, 0) / self.steps_per_s


def run_folders(root: Path) -> Iterator[Run]:
    """Every run below a folder that has a ``run.json``; its content may be anything."""
    seen: set[tuple[int, int]] = set()
    coming = [root]
    while coming:
        folder = coming.pop()
        names = _folders(folder, seen)
        holds_runs = "logs" in names
        for name in sorted(names, reverse=True):
            if not (holds_runs and name in KINDS) and name[0] not in "._":
                coming.append(folder / name)
        if holds_runs:
            for path in sorted(folder.glob("logs/*/run.json")):
                yield Run(folder, path.parent.name)


def _folders(folder: Path, seen: set[tuple[int, int]]) -> list[str]:
    """Folders in a folder; none where it was looked at before, as links may lead in circles."""
    try:
        stat = folder.stat()
        if (stat.st_dev, stat.st_ino) in seen:
            return []
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except OSError:  # another user's, or gone since
        return []


def find_runs(root: Path, evaluations: Path, metric: str | None = None) -> list[Seen]:
    """Every run below the experiment root, in the order of their beginnings.

    Args:
        root: ``experiment_root``.
        evaluations: ``_evaluation``.
        metric: The one to tell the best by; by default that of each run's ``monitor``, else the
            first of its validations.
    """
    tables = tables_of(evaluations)
    found = [look_at(run, root, tables, metric) for run in run_folders(root)]
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda seen: (seen.started or never, seen.name))


def look_at(run: Run, root: Path, tables: Mapping[str, Path], metric: str | None) -> Seen:
    """One run."""
    experiment = run.exp_dir.relative_to(root).as_posix()
    notes, updated = notes_of(run), _updated(run)
    try:
        facts = _checked(_Facts, run.run_json)
        started = parse_utc(facts.started)
    except InputError as error:
        problem = str(error.what)
        return Seen(run, experiment, UNREADABLE, problem, None, updated, notes=notes)
    settings, log = _settings(run), read_log(run.logs_dir / JSONL)
    state = facts.status
    if state == RUNNING and holder(run.lock) is None:
        state = DEAD
    monitor = None if settings.monitor is None else settings.monitor.get("metric")
    best = _best(facts, log, metric, monitor)
    asked = metric or (best.metric if best else None)
    return Seen(
        run, experiment, state, facts.reason or "" if state == FAILED else "", started, updated,
        step=max(facts.step, log.step) if state in (RUNNING, FAILED, DEAD) else facts.step,
        saved=facts.step, steps=facts.steps, steps_per_s=log.steps_per_s,
        batch_size=settings.batch_size, model=settings.model_name, tag=facts.tag, best=best,
        test=_tested(experiment, run, tables, asked), notes=notes,
        warnings=tuple(map(str, facts.warnings)),
    )  # fmt: skip


def _best(facts: _Facts, log: Log, metric: str | None, monitor: str | None) -> Score | None:
    kept = facts.best
    # A look may have been better than any that has a checkpoint, which is what counts.
    if kept is not None and metric in (None, kept.metric):
        return Score(kept.metric, kept.value, kept.step)
    return log.best(metric or monitor)


def _checked(kind: type[Kind], path: Path) -> Kind:
    try:
        content = files.read_json(path)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from None
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or path.name
        raise InputError(f"{place}: {first['msg']}", where=path) from None


def _settings(run: Run) -> _Settings:
    try:
        return _checked(_Settings, run.resolved)
    except InputError:  # a run is one without them too
        return _Settings()


def _updated(run: Run) -> datetime | None:
    times = []
    for path in (run.run_json, run.logs_dir / JSONL):
        with suppress(OSError):  # there is none, or it went just now
            times.append(datetime.fromtimestamp(path.stat().st_mtime, UTC))
    return max(times, default=None)


def tables_of(folder: Path) -> dict[str, Path]:
    """Evaluations by the stem of their file."""
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


def evaluations_of(experiment: str, run: Run, tables: Mapping[str, Path]) -> list[Path]:
    """Files of a run's evaluations, that of the standard profile on test first.

    Args:
        experiment: ``a/b/c``.
        run: The run.
        tables: Every evaluation by its stem.
    """
    stem = f"{experiment.replace('/', '__')}_{run.timestamp}"
    first = [tables[stem]] if stem in tables else []
    return [*first, *(path for name, path in tables.items() if name.startswith(f"{stem}_"))]


def _tested(
    experiment: str, run: Run, tables: Mapping[str, Path], metric: str | None
) -> Score | None:
    """The mean of a metric over the tiles, or of the evaluation's first one; None without any."""
    for path in evaluations_of(experiment, run, tables):
        try:
            content = files.read_json(path)
            own = (content["experiment"], content["timestamp"]) == (experiment, run.timestamp)
            summary = content["summary"][MODEL]
            name = metric if metric is not None and metric in summary else next(iter(summary))
            value, step = number(summary[name]["mean"]), int(content["step"])
        except (InputError, OSError, KeyError, TypeError, ValueError, StopIteration):
            continue  # the report says what is wrong with it
        if own and value is not None:
            return Score(name, value, step)
    return None
