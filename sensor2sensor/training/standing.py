"""How far a training that is asked for has come: nothing yet, a part of it, all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sensor2sensor.config.layers import Kept, kept_by_run
from sensor2sensor.config.vocabulary import STANDARD
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.core.runs import Run, list_runs, new_timestamp, options_of, read_run_json
from sensor2sensor.dataset.ancestry import BEGAN_FROM, FORKED, RESTORED
from sensor2sensor.training.run_file import MAY_CHANGE, changed_settings, refuse_changed, settings

# Given the timestamp of a run and what it keeps of --set: the experiment as it is asked for.
View = Callable[[str | None, Kept | None], Any]
# Whether a run has the settings that are asked for, once the model's own defaults are known.
Alike = Callable[[str], bool]
BASELINE = "baseline"
FACTS = frozenset({"status", "step", "steps", "dataset"})  # what lacks them is no training's


@dataclass(frozen=True)
class Standing:
    """What there is of a training.

    Attributes:
        run: The run that has its settings; None: it has not begun.
        finished: Whether that is trained to its last step and evaluated.
        step: Steps done.
    """

    run: Run | None = None
    finished: bool = False
    step: int = 0

    def __str__(self) -> str:
        if self.run is None:
            return "not begun"
        if self.finished:
            return f"finished ({self.run.timestamp})"
        return f"unfinished ({self.run.timestamp}, step {self.step})"


def silent(line: str) -> None:
    """Takes a line that was told when the run began."""


def standing(
    view: View, alike: Alike, evaluations: Path, split: str, exact: Collection[str] = (),
    say: Callable[[str], None] = silent,
) -> Standing:  # fmt: skip
    """The newest run that has the settings which are asked for, a finished one before others.

    A run that began with another's weights is none: nobody who asks again would get the same.

    Args:
        view: The experiment as it is asked for.
        alike: Asked where a run differs in what no file says, which may be the model's default.
        evaluations: The folder of all evaluations.
        split: The split that a finished run is evaluated on.
        exact: Keys whose value must be the same, though a run may be resumed with another.
        say: Takes a line for each run that is passed over because its files are damaged.

    Raises:
        ConfigError: The experiment cannot be used.
    """
    asked = view(None, None)
    known: list[Standing] = []
    for run in reversed(list_runs(asked.exp_dir, passed_over=say)):
        record = read_run_json(run)
        if not record.keys() >= FACTS or _begun_elsewhere(run, record):
            continue
        if (damage := _damage(run)) is not None:
            say(damage)
            continue
        if not _has_its_settings(run, view, alike) or not _equal(run, asked.config, exact):
            continue
        done = BASELINE in record or record["steps"] >= asked.STEPS
        done = done and record["status"] == "done"
        usual = STANDARD if BASELINE in record else asked.config.usual_profile
        finished = done and evaluated(run, asked.name, evaluations, split, usual)
        known.append(Standing(run, finished, record["step"]))
    return next((one for one in known if one.finished), known[0] if known else Standing())


def _damage(run: Run) -> str | None:
    """What is wrong with a run's own copy of its settings, where there is one."""
    if not run.resolved.is_file():
        return None
    try:
        kept = files.read_json(run.resolved)
    except (InputError, OSError) as error:
        return f"passed over: {error}"
    return None if isinstance(kept, dict) else f"passed over: {run.resolved}: is no JSON object"


def _begun_elsewhere(run: Run, record: Mapping[str, Any]) -> bool:
    """Whether ``--fork`` or ``--restore`` gave a run the state of another one."""
    taken = (record.get(key) for key in (RESTORED, BEGAN_FROM))
    others = any(kept is not None and kept.get("timestamp") != run.timestamp for kept in taken)
    return others or record.get(FORKED) is not None


def _equal(run: Run, config: Any, keys: Collection[str]) -> bool:
    """Whether a run's own copy has the same value under each of the keys that may change."""
    free = [key.split(".") for key in keys if key.split(".")[0] in MAY_CHANGE]
    then, now = (files.read_json(run.resolved), settings(config)) if free else ({}, {})
    return all(_under(then, key) == _under(now, key) for key in free)


def _under(found: Any, key: Sequence[str]) -> Any:
    for part in key:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _has_its_settings(run: Run, view: View, alike: Alike) -> bool:
    """Whether resuming a run with what is asked for would train nothing else than that."""
    if not run.resolved.is_file():
        return False
    try:
        asked = view(run.timestamp, None)
        kept = kept_by_run(run.resolved, options_of(run))
        # What --set said of it then and nobody says now would hold on, were it resumed.
        if kept and settings(view(run.timestamp, kept).config) != settings(asked.config):
            return False
    except ConfigError:
        return False
    if unchanged(asked):
        return True
    changes = changed_settings(run, asked.config, asked.document)
    names = [tuple(text.split(":")[0].split(".")) for text in changes]
    stated = any(asked.document.names(name) for name in names)
    return alike(run.timestamp) if names and not stated else False


def unchanged(experiment: Any) -> bool:
    """Whether a run could be resumed with an experiment as it is asked for."""
    try:
        refuse_changed(experiment)
    except ConfigError:
        return False
    return True


class Aside:
    """A process that functions are called in: what they import is gone when it is closed."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __call__(self, fn: Callable[..., bool], *given: Any) -> bool:
        """``fn(*given)`` there; the process begins with the first call."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return self._pool.submit(fn, *given).result()

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = None


def evaluated(run: Run, name: str, folder: Path, split: str, profile: str) -> bool:
    """Whether the last state of a run was scored on a split of its own data, whatever else was."""
    step = read_run_json(run)["step"]
    wanted = {"experiment": name, "timestamp": run.timestamp, "split": split, "step": step}
    wanted |= {"profile": profile, "scored_on": None}
    stem = f"{name.replace('/', '__')}_{run.timestamp}"
    near = [path for path in sorted(folder.glob("*.json")) if path.name.startswith(stem)]
    return any(wanted.items() <= _facts(path).items() for path in near)


def _facts(path: Path) -> dict[str, Any]:
    """What an evaluation's JSON says of itself at its top; nothing where it cannot be read."""
    try:
        content = files.read_json(path)
    except InputError:
        return {}  # a damaged one proves nothing: the run is scored again
    plain = (str, int, float, type(None))
    return {k: v for k, v in content.items() if isinstance(v, plain)}


@contextmanager
def claimed(exp_dir: Path, options: Sequence[str]) -> Iterator[None]:
    """Keep other calls from a training until it is done: they would begin the same anew.

    Args:
        exp_dir: The experiment's folder.
        options: What ``--set`` says of this training.

    Raises:
        InUseError: Another call has it.
        OSError: Nothing can be written there.
    """
    name = hashlib.sha256(json.dumps(list(options)).encode()).hexdigest()[:12]
    with files.lock(exp_dir / f".training-{name}.lock"):
        yield


def reserved(exp_dir: Path, now: datetime) -> str:
    """A name for a new run that no other process takes meanwhile: two of one minute differ.

    Its folder of checkpoints is made, and :func:`released` where nothing came of it.
    """
    while True:
        stamp = new_timestamp(exp_dir, now)
        folder = Run(exp_dir, stamp).ckpt_dir
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return stamp


def released(run: Run) -> None:
    """Remove what :func:`reserved` made, where no run has begun there."""
    folder = run.ckpt_dir
    if not run.logs_dir.exists() and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
