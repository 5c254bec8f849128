"""Runs by data sets: how each run does where it was trained, and elsewhere."""

from __future__ import annotations

from sensor2sensor.core.page.section import Section, folded, note
from sensor2sensor.core.page.svg import text
from sensor2sensor.core.page.tables import table
from sensor2sensor.report.load import Results
from sensor2sensor.report.matrix import Matrix, matrix


def crossed(results: Results) -> Section:
    """A table for each metric, those of equal conditions together; the first is open."""
    found: dict[str, list[Matrix]] = {}
    for one in matrix(results):
        found.setdefault(one.title, []).append(one)
    body = "".join(_board(title, own, named=len(found) > 1) for title, own in found.items())
    return Section("matrix", "Across data sets", body)


def _board(title: str, own: list[Matrix], *, named: bool) -> str:
    first, *others = own
    head = f"<h3>{text(title)}</h3>" if named else note(title)
    rest = "".join(_drawn(one) for one in others)
    notes = "".join(note(line) for line in first.notes)
    return head + _drawn(first) + notes + folded("Further metrics", rest)


def _drawn(one: Matrix) -> str:
    frame = one.table()
    runs = {row for (row, _), cell in one.cells.items() if cell.home is not None}
    grey = set(one.rows) - runs
    overs = "; ".join(f"{column}: {over}" for column, over in one.references.items() if over)
    told = f"Small: mean gain over the reference of the column ({overs})." if overs else ""
    caption = f"{frame.index.name}, runs by data sets".replace("\n", " ")
    return table(frame, caption, baselines=grey, corner="model", note=told)
