"""Who needs a run: experiments that name it, runs that began with it. In doubt, it is needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.config.compose import compose
from sensor2sensor.config.jsonc import load_jsonc
from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError, Sensor2SensorError
from sensor2sensor.core.runs import TIMESTAMP, Run
from sensor2sensor.dataset.ancestry import BEGAN_FROM, FORKED, PRETRAINED, RESTORED
from sensor2sensor.report.runs.found import Seen

SOURCES = (PRETRAINED, FORKED, "registration", RESTORED, BEGAN_FROM)  # of run.json
NAMING = (PRETRAINED, "run")  # of experiment.json; under others only what ends in a timestamp
LOST = "lost+found"  # of a file system, and nobody's but its administrator's


class Needed:
    """What every run and every ``experiment.json`` below a folder says of other runs.

    Args:
        found: All runs.
        root: ``experiment_root``.
    """

    def __init__(self, found: Sequence[Seen], root: Path) -> None:
        self._root = root.resolve()
        self._begun: dict[Path, str] = {}
        self._gone: dict[str, str] = {}  # of sources that are not there, by timestamp
        self._named: list[tuple[str, str]] = []
        self._doubt = ""
        here = {seen.run.logs_dir.resolve() for seen in found}
        for seen in found:
            self._note_run(seen, here)
        own = {folder for seen in found for folder in seen.run.folders}
        for path in _experiments(root, own, self._note_folder):
            self._note_experiment(path, str(path.relative_to(root)))

    def why(self, seen: Seen) -> str:
        """Why a run is needed; empty where it is not."""
        run = seen.run
        if (other := self._begun.get(run.logs_dir.resolve())) is not None:
            return f"{other} began with it"
        if (other := self._gone.get(run.timestamp)) is not None:
            return other
        using = next((file for name, file in self._named if self._means(name, seen)), None)
        return f"{using} names it" if using else self._doubt

    def _note_run(self, seen: Seen, here: set[Path]) -> None:
        try:
            sources = _sources(seen.run)
        except (InputError, OSError):
            problem = f"{seen.name}/run.json cannot be read, so what it began with is not known"
            self._doubt = self._doubt or problem
            return
        for source in sources:
            folder = source.logs_dir.resolve()
            self._begun[folder] = seen.name
            if folder not in here:  # experiment_root was moved, or is mounted elsewhere
                began = f"{seen.name} began with a run of that name of {source.exp_dir}"
                self._gone[source.timestamp] = f"{began}, which is not here"

    def _note_folder(self, error: OSError) -> None:
        if Path(error.filename).name != LOST:
            problem = f"{error.filename} cannot be looked into, so what is named there is not known"
            self._doubt = self._doubt or problem

    def _note_experiment(self, path: Path, label: str) -> None:
        try:
            document = compose(path, load_jsonc)
        except (Sensor2SensorError, OSError):
            problem = f"{label} cannot be read, so what it names is not known"
            self._doubt = self._doubt or problem
            return
        self._named += [(name, label) for name in _names_in(document.data)]

    def _means(self, name: str, seen: Seen) -> bool:
        typed = name.strip("/")
        above, _, last = typed.rpartition("/")
        # Of an experiment that is named without a run the latest is taken, which it may be.
        readings = [typed, *([above] if last == seen.run.timestamp else [])]
        own, folder = seen.experiment, seen.run.exp_dir.resolve()
        return any(
            # Also a path of another machine, and a link.
            f"/{one}".endswith(f"/{own}") or (self._root / one).resolve() == folder
            for one in readings
            if one
        )


def _sources(run: Run) -> list[Run]:
    """The runs that a run took state, generator or registration of.

    Raises:
        InputError: Its ``run.json`` is damaged.
        OSError: It cannot be read.
    """
    content = files.read_json(run.run_json)
    found = []
    for key in SOURCES:
        kept = content.get(key) if isinstance(content, dict) else None
        if not isinstance(kept, dict) or not isinstance(kept.get("timestamp"), str):
            continue
        elsewhere = kept.get("experiment")
        folder = Path(elsewhere) if isinstance(elsewhere, str) else run.exp_dir
        source = Run(folder, kept["timestamp"])
        if source != run:  # a resumed run notes itself
            found.append(source)
    return found


def _experiments(
    root: Path, runs: set[Path], onerror: Callable[[OSError], None]
) -> Iterator[Path]:
    """Every ``experiment.json`` below a folder that is no run's copy, also behind links."""
    seen: set[tuple[int, int]] = set()
    for folder, names, leaves in os.walk(root, followlinks=True, onerror=onerror):
        here = Path(folder)
        stat = here.stat()
        if here in runs or (stat.st_dev, stat.st_ino) in seen:  # links may lead in circles
            names.clear()
            continue
        seen.add((stat.st_dev, stat.st_ino))
        if "experiment.json" in (*names, *leaves):
            yield here / "experiment.json"


def _names_in(value: Any, key: str = "") -> Iterator[str]:
    """What of the values of an ``experiment.json`` may be the name of a run."""
    if isinstance(value, str):
        if key in NAMING or TIMESTAMP.fullmatch(value.rstrip("/").rpartition("/")[2]):
            yield value
    elif isinstance(value, dict):
        for inner, one in value.items():
            yield from _names_in(one, inner)
    elif isinstance(value, list):
        for one in value:
            yield from _names_in(one, key)
