"""The CSV files of WorldStrat: read whole, a slip answered by its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import nearest

Row = Mapping[str, str]
FIRST_LINE = 2  # of the rows: the header is line 1


def read_table(path: Path, columns: Sequence[str], delimiter: str = ",") -> list[Row]:
    """The rows of a table, those of its columns that are asked for.

    A first column without a name is the index that pandas wrote; where ``tile`` is asked for and no
    column is called so, that index holds the tile.

    Raises:
        InputError: It cannot be read, lacks a column, has a row of another length, or no row.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"cannot be read ({reason})", where=path) from error
    # Universal newlines came with read_text: an index that Windows wrote reads as any other.
    lines = [line for line in csv.reader(io.StringIO(text), delimiter=delimiter) if line]
    header, rows = (lines[0], lines[1:]) if lines else ([], [])
    named = ["tile" if not name and "tile" not in header else name.strip() for name in header]
    for name in (name for name in columns if name not in named):
        near = nearest(name, [one for one in named if one])
        kind = "tabs" if delimiter == "\t" else "commas"
        hint = f"nearest: '{near}'" if near else f"its columns stand between {kind}"
        raise InputError(f"has no column '{name}'", where=path, hint=hint)
    for number, row in enumerate(rows, start=FIRST_LINE):
        if len(row) != len(named):
            what = f"has {len(row)} columns, the header {len(named)}"
            raise InputError(what, where=f"{path.name}:{number}")
    if not rows:
        raise InputError("lists nothing", where=path)
    return [{name: row[named.index(name)].strip() for name in columns} for row in rows]
