"""Markdown and LaTeX of a sheet: shape, escapes, what is bold."""

from __future__ import annotations

import csv
import re

import pandas as pd
import pytest

from sensor2sensor.report import sheets

ODD = r"a_b/50%&#{x}$y^2~\z|<b>*"


def sheet(columns: int = 2, rows: int = 2) -> sheets.Sheet:
    names = [f"M{column} ↑\n(dB)" for column in range(columns)]
    index = [ODD, *(f"run{row}" for row in range(1, rows))]
    table = pd.DataFrame("-0.25 ✓\n-0.3 to 0.1", index=index, columns=names)
    best = pd.DataFrame(False, index=index, columns=names)
    best.iloc[0, 0] = True
    numbers = pd.DataFrame({"entry": [ODD, "b"], "mean": [0.1 + 0.2, float("nan")]})
    return sheets.Sheet("a b.C", "Title_1", table, "5 % of 3 tiles", numbers, best)


def test_latex_escapes_every_sign_once() -> None:
    assert sheets.escaped(ODD) == (
        r"a\_b/50\%\&\#\{x\}\$y\textasciicircum{}2\textasciitilde{}\textbackslash{}z"
        r"\textbar{}$<$b$>$*"
    )
    assert sheets.escaped("-0.1 to -2, 1e-5, a-1, ↑±") == (
        r"$-$0.1 to $-$2, 1e-5, a-1, $\uparrow\pm$"
    )


@pytest.mark.parametrize("columns", [1, 2, 7, 9])
def test_latex_is_a_float_whose_rows_have_as_many_cells_as_it_has_columns(columns: int) -> None:
    text = sheets.latex(sheet(columns, rows=12))
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    assert begun == ["table", "tabular"] and ended == begun[::-1]
    assert re.search(r"\\begin{tabular}{l(r+)}", text)[1] == "r" * columns
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 13
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {columns}
    assert [rule for rule in ("toprule", "midrule", "bottomrule") if rule in text] == [
        "toprule", "midrule", "bottomrule",
    ]  # fmt: skip
    assert text.count(r"\textbf{") == 1 and r"\textbf{$-$0.25 $\checkmark$" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    # However few columns: cells with intervals are wide.
    assert r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%" in text
    assert r"\label{tab:a-b-c}" in text and r"Title\_1. 5 \% of 3 tiles" in text


def test_markdown_has_one_row_for_each_and_names_that_do_no_harm() -> None:
    lines = sheets.markdown(sheet()).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4 and {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {4}
    assert "**-0.25 ✓ (-0.3 to 0.1)**" in table[2] and r"\|\<b\>\*" in table[2]
    assert lines[0] == r"## Title\_1" and lines[-1] == "5 % of 3 tiles"


def test_a_wide_sheet_stands_upright() -> None:
    turned = sheet(columns=9, rows=2).upright()
    assert turned.table.shape == turned.best.shape == (9, 2)
    assert turned.best.to_numpy().sum() == 1 and bool(turned.best.iloc[0, 0])


def test_the_csv_keeps_every_digit_and_leaves_missing_numbers_empty(tmp_path) -> None:
    made = sheets.write(sheet(), tmp_path)
    assert [path.name for path in made] == ["a b.C.csv", "a b.C.md", "a b.C.tex"]
    with made[0].open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [["entry", "mean"], [ODD, repr(0.1 + 0.2)], ["b", ""]]
