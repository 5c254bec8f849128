"""Tiles to look at: best, median and worst of every run, and the worst ones to tick."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.config.exclusion import exclusion_text
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.page.section import folded, note
from sensor2sensor.core.page.svg import text
from sensor2sensor.core.page.tables import table
from sensor2sensor.report import compare
from sensor2sensor.report.file import Picture
from sensor2sensor.report.load import Group, Result
from sensor2sensor.report.page.pictures import Album
from sensor2sensor.report.page.view import View

if TYPE_CHECKING:
    import pandas as pd

WORST = 20  # tiles of a group that are listed, at most, and a share: of few tiles all are no worst
WORST_SHARE = 0.2
OPEN = 3  # runs whose pictures are open; those of more would be a page of their own
SPECTRA = "spectra-"
ABOUT = (
    "Colours show each band's fixed value range; errors end at a quarter of it. A picture opens "
    "larger by a click: wheel, fingers or + and − zoom, dragging and arrows move, Esc closes."
)
CARE = (
    "Ticked tiles go into a file that an experiment names as exclude_tiles. Tick what is faulty "
    "(a cloud nobody masked, a broken truth), never what is merely hard: leaving out hard tiles "
    "makes every score better and says nothing. Results with and without a list share no table."
)


def tick(tile: str, place: str) -> str:
    """A box to tick a tile with, which all of one tile share; none where no list can hold it."""
    try:
        exclusion_text([tile])
    except InputError:
        return text(tile)
    return (
        f'<label class="tick"><input type="checkbox" data-tile="{text(tile)}" '
        f'data-set="{text(place)}"> {text(tile)}</label>'
    )


def galleries(group: Group, album: Album, place: str) -> str:
    """Pictures of every run, its best, median and worst tile or those that were named."""
    parts = []
    for number, result in enumerate(group.results):
        sheets = [e for e in result.facts.gallery if not e.rank.startswith(SPECTRA)]
        body = "".join(_sheet(result, entry, album, place) for entry in sheets)
        parts.append(folded(group.label(result), body, shown=number < OPEN))
    told = "".join(parts)
    return told + note(ABOUT) if told else ""


def _sheet(result: Result, entry: Picture, album: Album, place: str) -> str:
    alt = f"input, prediction, baseline, truth and errors of {entry.tile}: {entry.caption}"
    picture = album.image(result, entry, alt)
    ticked = tick(entry.tile, place) if entry.tile else ""
    told = entry.caption.removesuffix(f", tile {entry.tile}")
    rank = f'<b class="rank {text(entry.rank)}">{text(entry.rank)}</b> '
    said = told.removeprefix(entry.rank).lstrip()
    return f"<figure>{picture}<figcaption>{rank}{text(said)} {ticked}</figcaption></figure>"


def worst(view: View) -> str:
    """The tiles that are hard for every run of a group, each to be ticked."""
    group, place = view.group, view.key
    name, definition = next(iter(group.metrics.items()))
    frame = worst_tiles(group, view.found, name)
    if frame.empty:
        return ""
    head = compare.heading(definition, unit=False)
    columns = {
        "scene": frame["scene"],
        f"{head}\nbest run": [compare.number(v) for v in frame["best"]],
        "mean of the runs": [compare.number(v) for v in frame["mean"]],
    }
    if "baseline" in frame:
        columns[str(group.reference)] = [compare.number(v) for v in frame["baseline"]]
    if frame["failed"].any():
        columns["runs without a value"] = [str(v) for v in frame["failed"]]
    import pandas as pd

    told = pd.DataFrame(columns, index=frame.index)
    many = len(group.results) > 1
    title = f"The {len(told)} worst tiles by {head}" + (" of the best run there" if many else "")
    return table(told, title, corner="tile", label=lambda t: tick(t, place)) + note(CARE)


def worst_tiles(group: Group, found: Sequence[compare.Entrant], name: str) -> pd.DataFrame:
    """Tiles from the worst on, by the run that does best there; first those that all failed on.

    What one run fails on and another does not is that run's fault and none of the tile's. A tile on
    which no entrant has a value is left out: its truth leaves the metric undefined.

    Returns:
        ``scene, best, mean, failed`` and, with a reference, ``baseline``, by tile.
    """
    import pandas as pd

    runs = [e.table[name] for e in found if not e.baseline and e.has(name)]
    if not runs:
        return pd.DataFrame()
    values = pd.concat(runs, axis=1)
    higher = group.metrics[name].better == "higher"
    # A perfect run has no finite PSNR, and fails least of all.
    perfect = (values == np.inf) & higher
    finite, held = values.where(np.isfinite(values)), values.where(np.isfinite(values) | perfect)
    frame = pd.DataFrame({
        "scene": found[-1].table["scene"].reindex(values.index),
        "best": held.max(axis=1) if higher else held.min(axis=1),
        "mean": finite.mean(axis=1),
        "failed": held.isna().sum(axis=1),
    })  # fmt: skip
    base = next((e for e in found if e.label == group.reference and e.has(name)), None)
    if base is not None:
        frame["baseline"] = base.table[name].reindex(values.index)
    every = pd.concat([e.table[name] for e in found if e.has(name)], axis=1)
    known = frame.loc[np.isfinite(every.reindex(frame.index).to_numpy()).any(axis=1).tolist()]
    order: pd.DataFrame = known.sort_values(
        "best", ascending=higher, kind="stable", na_position="first"
    )
    return order.head(min(WORST, math.ceil(WORST_SHARE * len(order))))
