"""That no two splits show the same ground under two names.

AOIs are known by their names; files that stand under a second name would be trained on and tested.
Where they lie tells it, by the header of the low image; of images without a place their pixels do.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.geo.projections import to_lonlat
from sensor2sensor.sources.worldstrat.images import Grid, grid_of, read_stored
from sensor2sensor.sources.worldstrat.layout import few

# Of the smaller image: neighbours in a grid are cut at pixels and may share a line of them.
SAME_SHARE, TOLD_SHARE = 0.5, 0.01
_HINT = (
    "train would show what is tested; name one of each in a file, one a line, and give it as"
    " --exclude"
)


@dataclass(frozen=True)
class Shown:
    """What one sample's low image shows: its unit, as a list for ``--exclude`` names it."""

    unit: str
    split: str
    low: Path


Pair = tuple[Shown, Shown]


def refuse_shared(shown: Iterable[Shown], where: Path, *, by_pixels: bool = False) -> Iterator[str]:
    """What is to be said of units of two splits that lie over each other.

    Files that cannot be read are left to those who read their pixels, which tell why.

    Args:
        shown: Of all that is taken.
        where: The data set or its table, for the message.
        by_pixels: Whether only equal pixels are refused, and places no more than told: nobody has
            checked those of wsx2 and wsx4. Else the pixels are asked where a file has no place.

    Raises:
        InputError: Units of two splits show the same ground.
    """
    placed: list[tuple[Shown, Any]] = []
    alike: defaultdict[str, list[Shown]] = defaultdict(list)
    for one in shown:
        with suppress(DatasetError):
            square = _square(grid_of(one.low))
            if square is not None:
                placed.append((one, square))
            if (by_pixels or square is None) and (digest := _digest(one.low)):
                alike[digest].append(one)
    same = [pair for found in alike.values() for pair in _split_apart(found)]
    near = list(_overlaps(placed))
    if not by_pixels:
        same += [pair for pair, share in near if share >= SAME_SHARE]
    if same:
        what = f"AOIs of two splits share ground: {_told(same)}"
        raise InputError(what, where=where, hint=_HINT)
    if near:
        most, told = max(share for _, share in near), _told(pair for pair, _ in near)
        yield f"warning: AOIs of two splits share up to {most:.0%} of their ground: {told}"


def _told(pairs: Iterable[Pair]) -> str:
    # Two AOIs of many crops are one pair.
    return few(dict.fromkeys(f"{a.unit} ({a.split}) and {b.unit} ({b.split})" for a, b in pairs))


def _split_apart(found: Sequence[Shown]) -> Iterator[Pair]:
    yield from ((found[0], other) for other in found[1:] if other.split != found[0].split)


def _digest(path: Path) -> str:
    """Of its pixels; empty where they are of one colour, as two images of nothing are."""
    pixels, first = read_stored(path), np.s_[:, :1, :1]
    # Not a number is not equal to itself.
    if ((pixels == pixels[first]) | ((pixels != pixels) & (pixels != pixels)[first])).all():
        return ""
    head = f"{pixels.shape} {pixels.dtype}".encode()
    return hashlib.sha256(head + pixels.tobytes()).hexdigest()


def _overlaps(placed: Sequence[tuple[Shown, Any]]) -> Iterator[tuple[Pair, float]]:
    """Pairs of two splits, and the share of the smaller one's ground that both show."""
    import shapely

    if not placed:
        return
    squares = [square for _, square in placed]
    # Thousands of AOIs: not each of them with each.
    for i, j in shapely.STRtree(squares).query(squares).T.tolist():
        one, other = placed[i][0], placed[j][0]
        if i < j and one.split != other.split:
            least = min(squares[i].area, squares[j].area)
            share = squares[i].intersection(squares[j]).area / least
            if share >= TOLD_SHARE:
                yield (one, other), share


def _square(grid: Grid) -> Any:
    """Its ground as a polygon in longitude and latitude: files may be of several zones.

    None where it says no place, or none on the globe (a local system, metres called degrees).
    """
    import shapely
    from pyproj.exceptions import ProjError

    if not grid.crs:
        return None
    rows, columns = grid.shape
    east, south = grid.left + columns * grid.step_x, grid.top - rows * grid.step_y
    corners = [grid.left, east, east, grid.left], [grid.top, grid.top, south, south]
    try:
        lon, lat = (np.asarray(side) for side in to_lonlat(grid.crs).transform(*corners))
    except ProjError:
        return None
    if not (np.abs(lon) <= 360).all() or not (np.abs(lat) <= 90).all():
        return None
    if np.ptp(lon) > 180:  # else it would reach around the globe
        lon = lon % 360
    square = shapely.Polygon(np.stack([lon, lat], axis=-1))
    return square if square.area > 0 else None
