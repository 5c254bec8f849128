"""``report``: every evaluation as one page, and its tables on a terminal or in a log file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.core import cli
from sensor2sensor.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from sensor2sensor.report.load import Group

DOC = """Compare every evaluation in _evaluation. Writes one self-contained HTML page, report.html
beside them, and its tables as CSV, Markdown and LaTeX; prints means and spread, ranks, and gains
over the strongest baselines. Results of other data sets, splits or profiles share no table.

  s2s report
  s2s report --evaluation experiments/_evaluation --page report.html
"""
TABLES = "report_tables"  # the folder of the tables, beside the page
LOG_WIDTH = 160  # of a log file, which has no width of its own
ABREAST = 6  # models that stand side by side


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report; returns 2 where there is nothing to compare."""
    parser = cli.parser(DOC, prog="s2s report")
    parser.add_argument(
        "--evaluation",
        metavar="DIR",
        help="folder of evaluations (default: experiment_root/_evaluation of environment.json)",
    )
    parser.add_argument(
        "--page",
        metavar="FILE",
        help="where the page is written (default: report.html in that folder)",
    )
    parser.add_argument(
        "--tables",
        metavar="DIR",
        help="where the tables are written as CSV, Markdown and LaTeX (default: report_tables "
        "beside the page)",
    )
    return cli.main_guard(_run, parser, argv)


def _run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.core.paths import expanded
    from sensor2sensor.report.exports import write_tables
    from sensor2sensor.report.load import load
    from sensor2sensor.report.page import write_page

    named = args.evaluation
    folder = expanded(named) if named else load_environment(args.environment).evaluation_dir
    page = expanded(args.page) if args.page else None
    if page is not None and not page.parent.is_dir():
        # A slip in a path would make folders that nobody looks into, with all tables in them.
        hint = f"make {page.parent} first, or name a file in a folder that is there"
        raise InputError("its folder is not there", where=f"--page {page}", hint=hint)
    results = load(folder)
    # [v1] in the name of an experiment is no style, and 0715-0930 no sum to be coloured.
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    for skipped in results.skipped:
        console.print(f"skipped {skipped.path.name}: {skipped.reason}", soft_wrap=True)
    if not results.groups:
        raise InputError("no evaluation to compare", where=folder, hint=_hint(folder))
    for group in results.groups:
        _show(group, console)
    path, size = write_page(results, page)
    console.print(f"page: {path} ({size / 1e6:.1f} MB)", soft_wrap=True)
    tables = write_tables(results, expanded(args.tables) if args.tables else path.parent / TABLES)
    console.print(f"tables: {tables[0].parent} ({len(tables)} files)", soft_wrap=True)
    return cli.EXIT_DONE


def _hint(folder: Path) -> str:
    if not folder.is_dir():
        return "there is no such folder; name one with --evaluation"
    return "evaluate.py and train.py write them"


def _show(group: Group, console: Console) -> None:
    from sensor2sensor.report import compare, cross_sensor, pages, published

    console.rule(group.title, align="left")
    console.print(compare.lacking(group) + pages.ground(group), soft_wrap=True)
    _tables(group, console)
    for part in group.strata:
        if compare.of_a_profile(part):
            console.rule(part.title, align="left", characters="·")
            _tables(part, console)
    for result in group.results:
        for title, frame in cross_sensor.frames(result).items():
            console.print(_rows(f"{group.label(result)}: {title}", frame))
    pooled = published.pooled_table(group)
    if pooled is not None:
        # Turned, since its few columns fit beside each other: a row for each model, as in papers.
        console.print(_drawn(published.title(group), pooled.T, set()))


def _tables(group: Group, console: Console) -> None:
    from sensor2sensor.report import baselines, compare

    known = {entrant.label for entrant in compare.entrants(group) if entrant.baseline}
    _table("Mean ± standard deviation over tiles", compare.summary_table(group), known, console)
    if compare.ranked(group):
        _table("Ranks of the means, 1 is best", compare.rank_table(group), known, console)
    for over in baselines.gained_over(group):
        gains = compare.gain_table(group, over)
        if gains is not None:
            title = f"Gain over {over}, positive is better; "
            _table(title + compare.independent_groups(group, over), gains, set(), console)
            told = f"{compare.correction(group, over)} {compare.uncompared(group, over)}"
            console.print(told.strip(), soft_wrap=True)


def _table(title: str, table: pd.DataFrame, grey: set[str], console: Console) -> None:
    """Metrics down, models across: thirteen metrics side by side fit no terminal."""
    for first in range(0, len(table.index), ABREAST):
        part = table.iloc[first : first + ABREAST]
        console.print(_drawn(title if not first else f"{title} (continued)", part, grey))


def _rows(title: str, frame: pd.DataFrame) -> Table:
    """Bands or sites down, scores across."""
    from rich.table import Table
    from rich.text import Text

    made = Table(title=Text(title), title_justify="left", title_style="bold")
    made.add_column(str(frame.index.name))
    for heading in frame.columns:
        made.add_column(Text(str(heading)), justify="left" if heading == "method" else "right")
    for row in frame.itertuples():
        made.add_row(*(Text(str(cell)) for cell in row))
    return made


def _drawn(title: str, table: pd.DataFrame, grey: set[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    made = Table(title=Text(title), title_justify="left", title_style="bold")
    made.add_column("")
    for label in table.index:
        # Text, since rich takes [v1] in a name for a style.
        made.add_column(Text(str(label)), justify="right", style="dim" if label in grey else None)
    for name in table.columns:
        cells = [Text(" ".join(str(cell).split("\n"))) for cell in table[name]]
        made.add_row(Text(str(name).replace("\n", " ")), *cells)
    return made
