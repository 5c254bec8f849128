"""Tables of the page: numbers to the right, wide ones scroll inside themselves, heads sort."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from sensor2sensor.core.page.svg import text

if TYPE_CHECKING:
    import pandas as pd

# Digits or a dash for none, with what the report puts behind them: a spread, a mark, brackets.
TALL = 24  # rows beyond which a table scrolls within itself, its heads in sight
_NUMBER = re.compile(r"^[+\-−±]?(\d|\.\d|∞|–(\n|$)|n/a)")


def table(
    frame: pd.DataFrame,
    caption: str,
    *,
    best: pd.DataFrame | None = None,
    baselines: Collection[str] = (),
    corner: str = "",
    note: str = "",
    label: Callable[[str], str] | None = None,
) -> str:
    """A frame as a table that sorts by a click on its heads.

    Args:
        frame: Cells as text; what stands after the first line of a cell goes small beneath it.
        caption: What it shows; also its name for who cannot see it.
        best: True for cells in bold, in the frame's shape.
        baselines: Labels of rows, or of columns, in grey.
        corner: Head of the labels; the name of the index by default.
        note: Small print below.
        label: Makes the HTML of a row's label, where that is more than text.
    """
    if frame.empty:
        return ""
    marks = None if best is None else [best.iloc[row].tolist() for row in range(len(frame))]
    return listed(
        [corner or str(frame.index.name or ""), *map(str, frame.columns)],
        [[str(name), *map(str, frame.iloc[row].tolist())] for row, name in enumerate(frame.index)],
        caption,
        best=marks,
        baselines=baselines,
        note=note,
        label=label,
    )


def listed(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str,
    *,
    best: Sequence[Sequence[bool]] | None = None,
    baselines: Collection[str] = (),
    note: str = "",
    label: Callable[[str], str] | None = None,
) -> str:
    """Rows of cells as a table that sorts by a click on its heads; the first cell is its label.

    Args:
        heads: Of the labels, then of each column.
        rows: Cells as text.
        caption: As of :func:`table`, and so the others.
        best: True for cells in bold, without the labels.
        baselines: Labels of rows, or of columns, in grey.
        note: Small print below.
        label: Makes the HTML of a row's label.
    """
    if not rows:
        return ""
    numeric = [_is_numeric([row[c] for row in rows]) for c in range(1, len(heads))]
    head = "".join(_head(*pair) for pair in zip(heads, [False, *numeric], strict=True))
    dim = [name in baselines for name in heads[1:]]
    lines = []
    drawn = label or _label
    for position, (name, *cells) in enumerate(rows):
        marks = best[position] if best is not None else [False] * len(cells)
        body = "".join(
            f"<td{_kind(number, mark, grey)}>{_cell(cell)}</td>"
            for cell, number, mark, grey in zip(cells, numeric, marks, dim, strict=True)
        )
        grey = ' class="baseline"' if name in baselines else ""
        lines.append(f'<tr{grey}><th scope="row">{drawn(name)}</th>{body}</tr>')
    told = f'<p class="note">{text(note)}</p>' if note else ""
    tall = " tall" if len(rows) > TALL else ""
    return (
        f'<div class="scroll{tall}" role="region" tabindex="0" aria-label="{text(caption)}">'
        f'<table class="sort"><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{told}"
    )


def _is_numeric(cells: Sequence[object]) -> bool:
    told = [str(cell) for cell in cells if str(cell) not in ("", "–", "nan", "None")]
    return bool(told) and all(_NUMBER.match(cell) for cell in told)


def _kind(number: bool, best: bool, grey: bool) -> str:
    kinds = " ".join(["n"] * number + ["best"] * bool(best) + ["dim"] * grey)
    return f' class="{kinds}"' if kinds else ""


def _head(name: str, number: bool) -> str:
    kind = ' class="n"' if number else ""
    return f'<th scope="col"{kind}><span>{_cell(name)}</span></th>'


def _label(told: str) -> str:
    """A name that may break behind a folder or a word of its own; detail small beneath it."""
    value, _, detail = told.partition("\n")
    # The signs stand in no escaped letter.
    broken = text(value).replace("/", "/<wbr>").replace("_", "_<wbr>")
    return f"{broken}<small>{text(detail)}</small>" if detail else broken


def _cell(told: str) -> str:
    value, _, detail = text(told).partition("\n")
    return f"{value}<small>{detail}</small>" if detail else value
