"""Which runs may be deleted, what that frees, and their deletion."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.core.locks import holder
from sensor2sensor.core.runs import TIMESTAMP, Run
from sensor2sensor.report.runs.found import Seen, evaluations_of
from sensor2sensor.report.runs.needed import Needed


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
    needed = Needed(found, root)
    made = []
    for seen in asked:
        count, size = _size(seen.run)
        made.append(Prunable(seen, count, size, _kept(seen, needed, root, tables)))
    return made


def _kept(seen: Seen, needed: Needed, root: Path, tables: Mapping[str, Path]) -> str:
    run = seen.run
    if not TIMESTAMP.fullmatch(run.timestamp):
        return "its folder is named by no timestamp, so it may be another program's"
    if (process := holder(run.lock)) is not None:
        return f"in use by {process}"
    if outside := [path for path in run.folders if not _inside(path, root)]:
        return f"{outside[0]} leads outside of {root}"
    if own := evaluations_of(seen.experiment, run, tables):
        return f"it was evaluated ({own[0].name})"
    return needed.why(seen)


def _inside(path: Path, root: Path) -> bool:
    return not path.is_symlink() and path.resolve().is_relative_to(root.resolve())


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
