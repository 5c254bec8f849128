"""Tables as they are printed in papers and pages: Markdown and LaTeX of one sheet, and its CSV."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.core import files

if TYPE_CHECKING:
    import pandas as pd

WIDEST = 7  # columns that fit a page of a paper; wider ones are shrunk to it
_MARKDOWN = re.compile(r"([\\`*_|<>\[\]#])")
_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "°": r"$^{\circ}$",
    "²": r"$^{2}$",
    "³": r"$^{3}$",
    "⁻": r"$^{-}$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "✓": r"$\checkmark$",
    "✗": r"$\times$",
    "“": "``",
    "”": "''",
}
_NEGATIVE = re.compile(r"(?<![\w.)}])-(?=\d)")


@dataclass(frozen=True)
class Sheet:
    """One table with what is behind it.

    Attributes:
        name: Stem of its files.
        title: One line, without a full stop.
        table: Text of every cell; what stands after a line break is detail (spread, interval).
        caption: What the numbers are of and how they were made, in sentences.
        numbers: The same in full precision, a row for each number, for the CSV.
        best: Cells in bold, in the shape of ``table``; None for none.
    """

    name: str
    title: str
    table: pd.DataFrame
    caption: str
    numbers: pd.DataFrame
    best: pd.DataFrame | None = field(default=None)

    def upright(self) -> Sheet:
        """Turned, so that what there is more of stands below each other."""
        if self.table.shape[1] <= self.table.shape[0] or self.table.shape[1] <= WIDEST:
            return self
        best = None if self.best is None else self.best.T
        return Sheet(self.name, self.title, self.table.T, self.caption, self.numbers, best)

    def cells(self) -> list[list[tuple[str, bool]]]:
        """Text of every cell in one line, and whether it is a best."""
        marks = self.best.to_numpy() if self.best is not None else None
        return [
            [
                (one_line(text), bool(marks is not None and marks[row, column]))
                for column, text in enumerate(line)
            ]
            for row, line in enumerate(self.table.to_numpy())
        ]


def one_line(text: object) -> str:
    """Detail behind its value: ``0.712 ± 0.040``, ``+0.2 ✓ (0.1 to 0.3)``."""
    value, _, detail = str(text).partition("\n")
    own = " ".join(detail.split())
    # A spread needs no brackets, and a unit has some.
    told = own if own[:1] in "±(" else f"({own})"
    return f"{value} {told}" if own else value


def markdown(sheet: Sheet, level: int = 2) -> str:
    """The sheet as Markdown with a heading, its table and its caption."""
    told = sheet.upright()
    head = ["", *(plain(one_line(name)) for name in told.table.columns)]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---|' * len(told.table.columns)}"]
    for label, row in zip(told.table.index, told.cells(), strict=True):
        shown = [f"**{plain(text)}**" if best else plain(text) for text, best in row]
        lines.append(f"| {' | '.join([plain(one_line(label)), *shown])} |")
    table = "\n".join(lines)
    return f"{'#' * level} {plain(told.title)}\n\n{table}\n\n{plain(told.caption)}\n"


def plain(text: str) -> str:
    """Text that Markdown shows as it is: names come from folders of other people."""
    return _MARKDOWN.sub(r"\\\1", text)


def latex(sheet: Sheet) -> str:
    """The sheet as a float for a paper; booktabs, and graphicx where it is wide."""
    told = sheet.upright()
    columns = len(told.table.columns)
    rows = [_row(["", *(escaped(one_line(name)) for name in told.table.columns)]), r"\midrule"]
    for label, row in zip(told.table.index, told.cells(), strict=True):
        shown = [f"\\textbf{{{escaped(t)}}}" if best else escaped(t) for t, best in row]
        rows.append(_row([escaped(one_line(label)), *shown]))
    inner = ["\\begin{tabular}{l" + "r" * columns + "}", r"\toprule", *rows]
    inner += [r"\bottomrule", r"\end{tabular}"]
    wide = columns > WIDEST
    needs = "booktabs, amssymb" + (" and graphicx" if wide else "")
    return "\n".join([
        f"% needs the packages {needs}",
        r"\begin{table}[tbp]",
        r"\centering\small",
        f"\\caption[{{{escaped(told.title)}}}]{{{escaped(f'{told.title}. {told.caption}')}}}",
        f"\\label{{tab:{re.sub('[^a-z0-9]+', '-', told.name.lower()).strip('-')}}}",
        *([r"\resizebox{\textwidth}{!}{%", *inner, "}"] if wide else inner),
        r"\end{table}",
        "",
    ])  # fmt: skip


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def escaped(text: str) -> str:
    """Text for LaTeX: special signs as themselves, numbers below zero with a minus."""
    # One pass: what a sign becomes holds signs that must not be replaced again.
    marked = "".join(_LATEX.get(sign, sign) for sign in _NEGATIVE.sub("−", text))
    # Two signs of mathematics beside each other, but for a sign that is meant.
    return re.sub(r"(?<!\\)\$\$", "", marked)


def write(sheet: Sheet, folder: Path) -> list[Path]:
    """``<name>.csv``, ``.md`` and ``.tex`` in a folder; returns their paths."""
    made = [folder / f"{sheet.name}.{kind}" for kind in ("csv", "md", "tex")]
    table = sheet.numbers
    # Missing numbers are empty: NaN would be a word to a spreadsheet.
    rows = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    files.write_csv(made[0], [str(name) for name in table.columns], rows)
    files.write_text(made[1], markdown(sheet))
    files.write_text(made[2], latex(sheet))
    return made
