"""Page of profile ``torchsisr``: bands, frequencies, flow and sites of every evaluation."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sensor2sensor.config.cross_tables import tables
from sensor2sensor.report.load import Group, Result, Results
from sensor2sensor.report.pages import NO_RESULTS, Page, note, picture, table_html

if TYPE_CHECKING:
    import pandas as pd

NONE = "No evaluation of profile torchsisr: evaluate.py --profile torchsisr writes them."
WARNING = (
    "FRR is a ratio of amounts of detail: white noise and scrambled phases raise it. Read it "
    "beside overshoot (FRO), noise and LR RMSE, the error against the input after degradation. No "
    "interval stands where the one of PRR includes 0. Modes are never compared with each other."
)


def superresolution(results: Results) -> Page:
    """Scores by band and site, spectra and restored frequencies, run by run."""
    if not results.groups:
        return Page(note(NO_RESULTS.format(folder=results.folder)))
    body = "".join(_group(group) for group in results.groups)
    return Page(body or note(NONE))


def _group(group: Group) -> str:
    parts = [_result(group, result) for result in group.results if result.facts.cross_sensor]
    return f"<h3>{html.escape(group.title)}</h3>{''.join(parts)}{note(WARNING)}" if parts else ""


def _result(group: Group, result: Result) -> str:
    drawn = "".join(
        f"<h5>{html.escape(title)}</h5>{table_html(frame)}"
        for title, frame in frames(result).items()
    )
    title = f"<h4>{html.escape(group.label(result))}</h4>"
    return title + "".join(_spectra(result)) + drawn


def frames(result: Result) -> dict[str, pd.DataFrame]:
    """Every table of one evaluation by its title; none of another profile."""
    found = result.facts.cross_sensor
    if found is None:
        return {}
    # Both modes, each in a table of its own: what is published is of the other one.
    modes = [found.mode, *(mode for mode in found.fda if mode != found.mode)]
    return {title: _frame(*table) for title, table in tables(found.model_dump(), modes).items()}


def _frame(headings: list[str], rows: list[list[str]]) -> pd.DataFrame:
    import pandas as pd

    first, *rest = headings
    frame = pd.DataFrame([row[1:] for row in rows], columns=rest, index=[row[0] for row in rows])
    return frame.rename_axis(first)


def _spectra(result: Result) -> Iterator[str]:
    for entry in result.facts.gallery:
        if entry.rank.startswith("spectra-"):
            yield picture(result, entry)
