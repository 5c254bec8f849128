"""Facts per tile of one evaluation: scene, date, season, clouds and what else its data set records.

An evaluation from before they were kept has none, and one whose table was changed since is not
believed: a report says so and goes on, since scores do not depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.core import files

if TYPE_CHECKING:
    import pandas as pd

    from sensor2sensor.report.file import EvaluationFile

AGAIN = "run evaluate.py again"


@dataclass(frozen=True)
class Facts:
    """What is known of the tiles of an evaluation.

    Attributes:
        table: A row for each tile, indexed by its name, in the order of the scores; numbers are
            floats with NaN where unknown, flags and texts are strings, empty where unknown. None
            where there are no facts.
        why: Why there are none, with a way out; empty where there are.
    """

    table: pd.DataFrame | None
    why: str = ""


def tile_facts(folder: Path, facts: EvaluationFile) -> Facts:
    """Read the table that an evaluation vouches for.

    Args:
        folder: ``_evaluation``.
        facts: Content of the JSON.
    """
    import pandas as pd

    told = facts.tile_facts
    if told is None:
        return Facts(None, f"no facts per tile; {AGAIN}")
    path = folder / told.file
    # A name with a folder in it would read a file from outside.
    if path.name != told.file or not path.is_file():
        return Facts(None, f"its facts per tile, {told.file}, are missing; {AGAIN}")
    if files.sha256(path) != told.sha256:
        return Facts(None, f"{told.file} is not the table written with it; {AGAIN}")
    # A scene may be called NA: only numbers become NaN.
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if len(table) != facts.tiles or not {"name", "block", "scene"} <= set(table.columns):
        return Facts(None, f"{told.file} is not of the tiles that were scored; {AGAIN}")
    numbers = [name for name, column in told.columns.items() if column.kind == "number"]
    table[numbers] = table[numbers].apply(pd.to_numeric, errors="coerce")
    return Facts(table.set_index("name"))
