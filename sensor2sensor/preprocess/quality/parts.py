"""What the pages of tiles and of data sets have in common: facts, months, bands, regions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.page.bins import histogram_panel
from sensor2sensor.core.page.boxes import box, box_panel
from sensor2sensor.core.page.section import note
from sensor2sensor.core.page.svg import number, panels, rows_of, text

MOST_MONTHS = 18  # beyond that years are shown
REGION_M = 150_000.0  # tiles nearer to each other than this share a map
PIXEL_M = 300.0  # of OLCI


@dataclass(frozen=True)
class Counted:
    """What a histogram shows.

    Attributes:
        title: Above it.
        unit: Of the values.
        values: Counted.
        of: What is counted.
        marks: Places on the axis that mean something, by their name.
    """

    title: str
    unit: str
    values: Sequence[float]
    of: str = "tiles"
    marks: Mapping[str, float] | None = None

    @property
    def drawn(self) -> str:
        """The histogram; empty where no value is known, or all are one."""
        if len(set(self.values)) < 2:
            return ""
        return histogram_panel(self.title, self.unit, self.values, of=self.of, marks=self.marks)


def histograms(found: Sequence[Counted], told: str) -> str:
    """Histograms beside each other; what does not vary is said in words."""
    drawn = [one.drawn for one in found]
    same = [
        f"{one.title} {one.values[0]:.4g} {one.unit}" for one in found if len(set(one.values)) == 1
    ]
    shown = panels([svg for svg in drawn if svg]) if any(drawn) else ""
    equal = f"The same everywhere: {'; '.join(same)}." if same else ""
    return shown + note(f"{told if shown else ''} {equal}")


def facts(told: Sequence[tuple[str, str]]) -> str:
    """Numbers in a row, each above what it counts."""
    items = "".join(f"<li><b>{text(value)}</b>{text(what)}</li>" for value, what in told)
    return f'<ul class="facts">{items}</ul>'


def worth_a_look(lines: Sequence[str]) -> str:
    """What a reader should see first."""
    if not lines:
        body = "<p>Nothing stands out.</p>"
    else:
        body = f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>"
    return f'<div class="look"><h2>Worth a look</h2>{body}</div>'


def plural(count: int, what: str) -> str:
    """``1 tile``, ``12 tiles``."""
    return f"{count} {what if count == 1 else what + 's'}"


def share(part: int, whole: int) -> str:
    """``12 %``; of a part that is there never 0, of one that lacks some never 100."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 1:
        return "< 1 %"
    return "> 99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def months(dates: Iterable[str]) -> dict[str, int]:
    """Tiles by month of ISO dates, by year where there are too many months."""
    every = [date for date in dates if date]
    found = Counter(date[:7] for date in every)
    if len(found) > MOST_MONTHS:
        found = Counter(date[:4] for date in every)
    return dict(sorted(found.items()))


def regions(epsg: Sequence[int], corners: NDArray[np.float64]) -> list[list[int]]:
    """Places of tiles that lie near each other in one projection, the most tiles first.

    Args:
        epsg: Of each tile.
        corners: East and north of each ``[N, 2]`` in metres.
    """
    cells: dict[tuple[int, int, int], list[int]] = {}
    for place, (zone, corner) in enumerate(zip(epsg, corners, strict=True)):
        across, up = (int(np.floor(part / REGION_M)) for part in corner)
        cells.setdefault((zone, across, up), []).append(place)
    found = []
    while cells:
        near = [next(iter(cells))]
        members: list[int] = []
        while near:
            zone, across, up = near.pop()
            members += cells.pop((zone, across, up), [])
            beside = ((zone, across + i, up + j) for i in (-1, 0, 1) for j in (-1, 0, 1))
            near += [cell for cell in beside if cell in cells]
        found.append(sorted(members))
    return sorted(found, key=lambda members: (-len(members), members[0]))


def band_boxes(title: str, unit: str, means: Mapping[str, NDArray[np.float64]]) -> str:
    """A box of the tiles' means for each band; empty without a value."""
    boxes = [box(values[np.isfinite(values)]) for values in means.values()]
    if not any(boxes):
        return ""
    return box_panel(title, unit, rows_of(list(means), [False] * len(means)), boxes)


def band_row(name: str, nm: float | None, values: Sequence[float | None]) -> list[str]:
    """Cells of a band: name with wavelength, then numbers."""
    label = f"{name}\n{nm:.0f} nm" if nm is not None else name
    return [label, *map(number, values)]
