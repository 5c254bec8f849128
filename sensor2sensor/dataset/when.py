"""When and on which half of the Earth a tile was seen, from its line in ``split.csv``.

Seasons are the meteorological ones, whole months: winter is December to February north of the
equator and June to August south of it. Near the equator they are names of months, no weather.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from sensor2sensor.dataset.ledger import SplitRow
from sensor2sensor.geo.projections import to_lonlat

SEASONS = ("winter", "spring", "summer", "autumn")
_DAY = re.compile(r"(?<!\d)((?:19|20)\d{2})(-?)(\d{2})\2(\d{2})(?!\d)")
# SEN12MS-CR gives a region the season of the north in which it was seen, and no date.
_REGION = re.compile(r"(spring|summer|fall|winter)_\d+")
_HALF_A_YEAR = 2  # seasons


def date_of(row: SplitRow) -> date | None:
    """The day a tile was seen: that of its overpass, else the only day that its name holds.

    Of a name with two days nobody can tell which is which: one may be that of the processing.
    """
    for text in (row.overpass or row.seen_by, row.name):
        if len(found := set(_days(text))) == 1:
            return found.pop()
    return None


def _days(text: str) -> list[date]:
    days = []
    for year, _, month, day in _DAY.findall(text):
        try:
            days.append(date(int(year), int(month), int(day)))
        except ValueError:  # eight digits that are no day, as of a counter
            continue
    return days


def season_of(row: SplitRow, day: date | None, northern: bool | None) -> str:
    """``winter`` to ``autumn``; empty where the day or the hemisphere is not known.

    Args:
        row: The tile.
        day: Of :func:`date_of`.
        northern: Of :func:`hemispheres`.
    """
    if northern is None:
        return ""
    if day is not None:
        number = day.month % 12 // 3
    elif region := _REGION.fullmatch(row.overpass):
        number = SEASONS.index(region[1].replace("fall", "autumn"))
    else:
        return ""
    return SEASONS[number if northern else (number + _HALF_A_YEAR) % len(SEASONS)]


def hemispheres(rows: Sequence[SplitRow]) -> Mapping[str, bool | None]:
    """By name whether a tile lies north of the equator; None where nobody knows its place."""
    found: dict[str, bool | None] = {row.name: None for row in rows}
    for epsg in {row.epsg for row in rows if row.epsg is not None}:
        here = [r for r in rows if r.epsg == epsg and r.ulx_m is not None and r.uly_m is not None]
        x, y = (np.array([getattr(r, key) for r in here], float) for key in ("ulx_m", "uly_m"))
        latitudes = np.atleast_1d(to_lonlat(epsg).transform(x, y)[1])
        found |= {r.name: bool(lat >= 0) for r, lat in zip(here, latitudes, strict=True)}
    return found
