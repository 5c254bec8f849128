"""Pixels of WorldStrat's GeoTIFFs as reflectance, and the grid that they lie on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.sources.geotiffs import readable

BANDS = ("B2", "B3", "B4", "B8")
NODATA_DN, DIVISOR = -10_000, 10_000.0
L2A_BANDS, L2A_CHOSEN = 12, (1, 2, 3, 7)  # of B1 to B12 without B10
SPOT_BANDS, SPOT_CHOSEN = 4, (2, 1, 0, 3)  # red, green, blue, near infrared
DERIVED_BANDS, DERIVED_CHOSEN = 4, (0, 1, 2, 3)
_SAME_CORNER_PX = 0.5
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A north-up grid in the units of its projection; WorldStrat's own is in degrees.

    Attributes:
        crs: Its projection, empty where the file says none.
        left: Of its first column.
        top: Of its first row.
        step_x: Width of a pixel.
        step_y: Height of a pixel, positive.
        shape: Rows and columns.
    """

    crs: str
    left: float
    top: float
    step_x: float
    step_y: float
    shape: tuple[int, int]


@dataclass(frozen=True)
class Image:
    """Reflectance ``[H, W, 4]`` of B2, B3, B4, B8, where it is known, and on which grid."""

    path: Path
    values: Floats
    valid: npt.NDArray[np.bool_]
    grid: Grid


def grid_of(path: Path) -> Grid:
    """The grid of a file, by its header.

    Raises:
        DatasetError: It cannot be read, or is turned.
    """
    with _opened(path) as source:
        return _grid(source, path)


def read_stored(path: Path) -> npt.NDArray[Any]:
    """The numbers of a file as they are ``[bands, H, W]``.

    Raises:
        DatasetError: It cannot be read.
    """
    with _opened(path) as source:
        return np.asarray(source.read())


def read_image(path: Path, count: int, chosen: Sequence[int], divisor: float) -> Image:
    """An image of ``count`` bands as reflectance of the four ``chosen``.

    Raises:
        DatasetError: It is damaged, has other bands, or holds no measurements.
    """
    with _opened(path) as source:
        if source.count != count:
            raise DatasetError(f"has {source.count} bands, not {count}", where=path.name)
        kinds = {np.dtype(kind).kind + str(np.dtype(kind).itemsize) for kind in source.dtypes}
        if not kinds <= {"i2", "u2", "i4", "f4", "f8"}:
            what = f"is of {source.dtypes[0]}, which holds no reflectance"
            raise DatasetError(what, where=path.name)
        stored = np.moveaxis(source.read(), 0, -1)
        known = (source.read_masks() != 0).all(axis=0)
        grid = _grid(source, path)
    # All bands at 0 is what lies outside of an acquisition; one band may be 0 in deep shadow.
    known &= np.isfinite(stored).all(axis=-1) & (stored != 0).any(axis=-1)
    known &= (stored != NODATA_DN).all(axis=-1)
    values = stored[..., list(chosen)].astype(np.float64) / divisor
    return Image(path, np.where(known[..., None], values, 0.0), known, grid)


def read_mask(path: Path) -> npt.NDArray[Any] | None:
    """The classes of a mask ``[H, W]``, None where it was not fetched.

    Raises:
        DatasetError: It is damaged or has several bands.
    """
    if not path.is_file():
        return None
    with _opened(path) as source:
        if source.count != 1:
            raise DatasetError(f"has {source.count} bands, a mask has one", where=path.name)
        return np.asarray(source.read(1))


def stored_form(values: Floats) -> npt.NDArray[np.float32]:
    """Rounded to a ten-thousandth, as the records hold it."""
    return (np.rint(values * DIVISOR) / DIVISOR).astype(np.float32)


def beside(high: Image, low: Image) -> Image:
    """The high image on a grid that can be compared with the low one's.

    Where one of the two does not say where it lies both show the same area, as all that were
    published do.

    Raises:
        DatasetError: Both say it, and it is elsewhere.
    """
    one, other = high.grid, low.grid
    if not (one.crs and other.crs):
        step_y, step_x = (
            step * many / few
            for step, many, few in zip(
                (other.step_y, other.step_x), other.shape, one.shape, strict=True
            )
        )
        return replace(high, grid=Grid(other.crs, other.left, other.top, step_x, step_y, one.shape))
    if one.crs != other.crs:
        raise DatasetError(f"is in {one.crs}, the low image in {other.crs}", where=high.path.name)
    apart = max(abs(one.left - other.left) / other.step_x, abs(one.top - other.top) / other.step_y)
    if apart > _SAME_CORNER_PX:
        what = f"begins {apart:.2g} pixels of the low image from it"
        raise DatasetError(what, where=high.path.name)
    return high


def _grid(source: Any, path: Path) -> Grid:
    given = source.transform
    crs = source.crs.to_string() if source.crs else ""
    if given.b or given.d or given.a <= 0 or (crs and given.e >= 0):
        raise DatasetError("is not north-up", where=path.name)
    # Without georeference rows count downwards: the transform is the identity.
    top, step_y = (given.f, -given.e) if given.e < 0 else (0.0, given.e)
    return Grid(crs, given.c, top, given.a, step_y, (source.height, source.width))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise DatasetError("is not there", where=path.name)
    with readable(path, DatasetError, path.name) as source:
        yield source
