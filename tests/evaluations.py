"""Tables of scores in a folder of evaluations."""

from __future__ import annotations

from pathlib import Path

from sensor2sensor.config.evaluations import TILES_SUFFIX


def score_tables(folder: Path, pattern: str = "*.csv") -> list[Path]:
    """The tables of scores of that pattern, without those of facts per tile beside them."""
    found = sorted(folder.glob(pattern))
    return [path for path in found if not path.name.endswith(TILES_SUFFIX)]
