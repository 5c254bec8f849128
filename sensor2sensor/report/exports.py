"""The tables of a report as files: CSV to compute with, Markdown and LaTeX to print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.report import sheets
from sensor2sensor.report.load import Group, Results
from sensor2sensor.report.printed import left_out
from sensor2sensor.report.printed import sheets as sheets_of

INDEX = "README.md"


def write_tables(results: Results, folder: Path) -> list[Path]:
    """Write every table of every group; strata have tables of their own.

    The names of files begin with the data set, and with the profile and split where they are not
    the rule. ``README.md`` lists those of the last report; others there are of earlier ones.

    Args:
        results: What was loaded.
        folder: Made where it is not there.

    Returns:
        The files, in the order of the report, the list first.
    """
    made: list[Path] = []
    lines = ["# Tables of the last report", ""]
    for group, base in _named(results):
        lines += [f"## {sheets.plain(group.title)}", ""]
        for sheet in sheets_of(group):
            own = replace(sheet, name=f"{base}_{sheet.name}")
            paths = sheets.write(own, folder)
            links = ", ".join(f"[{path.suffix[1:]}]({path.name})" for path in paths)
            lines.append(f"- {sheets.plain(sheet.title)}: {links}")
            made += paths
        if why := left_out(group):
            lines.append(f"- {sheets.plain(why)}")
        lines.append("")
    index = folder / INDEX
    files.write_text(index, "\n".join(lines))
    return [index, *made]


def _named(results: Results) -> Iterator[tuple[Group, str]]:
    """Every group and its strata, each with what its files begin with."""
    taken: dict[str, int] = {}
    for group in results.groups:
        base = _base(group)
        taken[base] = number = taken.get(base, 0) + 1
        base = base if number == 1 else f"{base}-{number}"
        yield group, base
        for part in group.strata:
            yield part, f"{base}_within-{_plain(str(part.stratum))}"


def _base(group: Group) -> str:
    facts = group.facts
    told = [part for part in (facts.profile, facts.split) if part not in ("standard", "test")]
    return "_".join(_plain(part) for part in (facts.dataset.name, *told))


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")
