"""The tables of a report as files: CSV to compute with, Markdown and LaTeX to print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.report import sheets
from sensor2sensor.report.load import Group, Results
from sensor2sensor.report.printed import left_out
from sensor2sensor.report.printed import sheets as sheets_of

INDEX = "README.md"
LONGEST = 60  # letters of a data set's name in a file's: with all that follows it must be one


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
    taken: set[str] = set()
    for group in results.groups:
        base = _free(_base(group), taken)
        yield group, base
        for part in group.strata:
            yield part, _free(f"{base}_within-{_plain(str(part.stratum))}", taken)


def _free(base: str, taken: set[str]) -> str:
    """The name, or the first numbered one that no other has; file systems may ignore case."""
    numbered = (f"{base}-{number}" for number in count(2))
    free = next(name for name in chain([base], numbered) if name.lower() not in taken)
    taken.add(free.lower())
    return free


def _base(group: Group) -> str:
    facts = group.facts
    told = [part for part in (facts.profile, facts.split) if part not in ("standard", "test")]
    return "_".join(_plain(part) for part in (facts.dataset.name, *told))


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")[:LONGEST]
