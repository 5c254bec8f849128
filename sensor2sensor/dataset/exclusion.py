"""What leaving tiles out by name means for a data set, in words."""

from __future__ import annotations

from typing import Any

from sensor2sensor.core.names import nearest
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.ledger import read_split

_SHOWN = 3


def left_out(experiment: Any, split: str | None = None) -> list[str]:
    """How many tiles ``exclude_tiles`` leaves out, and which of its names are none.

    Args:
        experiment: With ``excluded`` and ``dataset_dir``.
        split: Of this split alone; None: of all, with names that the data set does not know.
    """
    excluded = experiment.excluded
    if not excluded.file:
        return []
    rows = read_split(experiment.dataset_dir)
    asked = (split,) if split else SPLITS
    counts = {s: sum(r.split == s and r.name in excluded.names for r in rows) for s in asked}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    lines = [f"exclude_tiles leaves out {told} tiles"]
    known = {row.name for row in rows}
    unknown = sorted(excluded.names - known)
    if unknown and split is None:
        near = [f"'{name}' (nearest: {_near(name, known)})" for name in unknown[:_SHOWN]]
        more = ", …" if len(unknown) > _SHOWN else ""
        what = f"{len(unknown)} names of exclude_tiles are not in the data set"
        lines.append(f"{what}: {', '.join(near)}{more}")
    return lines


def _near(name: str, known: set[str]) -> str:
    found = nearest(name, known)
    return f"'{found}'" if found else "none"
