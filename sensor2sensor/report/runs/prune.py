"""Which runs may be deleted, what that frees, and their deletion."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.locks import holder
from sensor2sensor.core.runs import TIMESTAMP, Run
from sensor2sensor.dataset.ancestry import BEGAN_FROM, FORKED, PRETRAINED
from sensor2sensor.report.runs.found import Seen, evaluations_of

_NAMED = re.compile(r'"(?:pretrained_generator|run)"\s*:\s*"([^"]+)"')
LARGEST = 2**20  # bytes of an experiment.json; what is larger is none


@dataclass(frozen=True)
class Prunable:
    """A run that is asked to go.

    Attributes:
        seen: The run.
        files: Files it has.
        size: Their bytes.
        kept: Why it stays; empty: it goes.
    """

    seen: Seen
    files: int
    size: int
    kept: str = ""


def examined(
    asked: Iterable[Seen], found: Sequence[Seen], root: Path, tables: Mapping[str, Path]
) -> list[Prunable]:
    """What would go, and what stays and why.

    Args:
        asked: The runs that are asked to go.
        found: All runs.
        root: ``experiment_root``, outside of which nothing goes.
        tables: Every evaluation by its stem.
    """
    begun, settings = _begun(found), _settings(root)
    made = []
    for seen in asked:
        count, size = _size(seen.run)
        made.append(Prunable(seen, count, size, _kept(seen, begun, settings, root, tables)))
    return made


def _kept(
    seen: Seen, begun: Mapping[Path, str], settings: Mapping[str, str], root: Path,
    tables: Mapping[str, Path],
) -> str:  # fmt: skip
    run = seen.run
    if not TIMESTAMP.fullmatch(run.timestamp):
        return "its folder is named by no timestamp, so it may be another program's"
    if (process := holder(run.lock)) is not None:
        return f"in use by {process}"
    if outside := [path for path in run.folders if not _inside(path, root)]:
        return f"{outside[0]} leads outside of {root}"
    if (other := begun.get(run.logs_dir.resolve())) is not None:
        return f"{other} began with it"
    if own := evaluations_of(seen.experiment, run, tables):
        return f"it was evaluated ({own[0].name})"
    # Of an experiment that is named without a run the latest is taken, which it may be.
    using = settings.get(seen.name) or settings.get(seen.experiment)
    return f"{using} names it" if using else ""


def _inside(path: Path, root: Path) -> bool:
    return not path.is_symlink() and path.resolve().is_relative_to(root.resolve())


def _begun(found: Sequence[Seen]) -> dict[Path, str]:
    """Names of runs that began with others, by the folder of logs of those."""
    begun = {}
    for seen in found:
        for run in _sources(seen.run):
            begun[run.logs_dir.resolve()] = seen.name
    return begun


def _sources(run: Run) -> list[Run]:
    """The runs that a run took state, generator or registration of."""
    try:
        content = files.read_json(run.run_json)
    except (InputError, OSError):
        return []
    found = []
    for key in (PRETRAINED, FORKED, "registration", "restored_from", BEGAN_FROM):
        kept = content.get(key) if isinstance(content, dict) else None
        if not isinstance(kept, dict) or not isinstance(kept.get("timestamp"), str):
            continue
        elsewhere = kept.get("experiment")
        folder = Path(elsewhere) if isinstance(elsewhere, str) else run.exp_dir
        source = Run(folder, kept["timestamp"])
        if source != run:  # a resumed run notes itself
            found.append(source)
    return found


def _settings(root: Path) -> dict[str, str]:
    """What every ``experiment.json`` that is no run's copy begins with: the file, by that name."""
    found = {}
    for folder, names, leaves in os.walk(root):
        if "experiment.json" in leaves and "/logs/" not in f"{folder}/":
            path = Path(folder, "experiment.json")
            if path.stat().st_size <= LARGEST:
                text = path.read_text("utf-8", errors="replace")
                for name in _NAMED.findall(text):
                    found[name.strip("/")] = str(path.relative_to(root))
        names[:] = [name for name in names if name not in ("ckpt", "samples")]
    return found


def _size(run: Run) -> tuple[int, int]:
    """Files of a run and their bytes; links count as themselves."""
    every = [Path(f, name) for place in run.folders for f, _, ns in os.walk(place) for name in ns]
    return len(every), sum(path.lstat().st_size for path in every)


def delete(run: Run, root: Path) -> None:
    """Delete all folders of a run, its logs last, so that a kill leaves one that is found again.

    Raises:
        InUseError: A process trains in it by now.
        InputError: A folder of it leads outside of ``root``.
        OSError: Something cannot be deleted.
    """
    with files.lock(run.lock):
        for folder in run.folders:
            files.remove_folder(folder, root)


def freed(found: Collection[Prunable]) -> int:
    """Bytes that go."""
    return sum(one.size for one in found if not one.kept)
