"""GeoTIFFs of data sets that others published: opened by their content, and where they lie."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import Sensor2SensorError
from sensor2sensor.sources.pictures import said

# By content: some archives call their JPEGs .tif, and a VRT of that name could read any file or
# address of this machine.
_DRIVERS = {b"II*\0": "GTiff", b"MM\0*": "GTiff", b"II+\0": "GTiff", b"MM\0+": "GTiff"}
_JPEG = b"\xff\xd8\xff"
_CACHE_MB = 64
_SAME = 1e-6


@dataclass(frozen=True)
class Place:
    """Where a north-up raster with square pixels lies.

    Attributes:
        epsg: Its projection, in metres.
        ulx_m: Easting of its upper-left corner.
        uly_m: Northing of it.
        pixel_m: Edge of a pixel, in metres of the projection.
    """

    epsg: int
    ulx_m: float
    uly_m: float
    pixel_m: float

    def apart_m(self, other: Place) -> float:
        """How far the corners of two rasters of one projection lie apart, on either axis."""
        return max(abs(self.ulx_m - other.ulx_m), abs(self.uly_m - other.uly_m))


@contextmanager
def opened(path: Path | str) -> Iterator[Any]:
    """The file as rasterio opens it; a text is GDAL's name of a TIFF inside a zip.

    Raises:
        ValueError: It does not begin as a TIFF, or a JPEG, does.
        OSError: It cannot be opened.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    driver = "GTiff" if isinstance(path, str) else _driver_of(path)
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, driver=driver) as source:
            yield source


def _driver_of(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(4)
    driver = "JPEG" if start.startswith(_JPEG) else _DRIVERS.get(start)
    if driver is None:
        raise ValueError("it does not begin as a TIFF does")
    return driver


@contextmanager
def readable(path: Path | str, error: type[Sensor2SensorError], where: str | Path) -> Iterator[Any]:
    """The same; what cannot be opened or read through inside is told in one line.

    Args:
        path: The file.
        error: What is raised.
        where: How the line names the file.
    """
    from rasterio.errors import RasterioError

    try:
        with opened(path) as source:
            yield source
    except (RasterioError, OSError, ValueError) as failed:
        # What GDAL itself said stands behind the error of rasterio.
        cause = said(failed.__cause__ or failed, path)  # type: ignore[arg-type]
        what = f"cannot be read, or is cut short ({cause})"
        raise error(what, where=where, hint="fetch it again") from failed


def place_of(source: Any) -> Place | None:
    """Where it lies; None without a projection in metres, or on a grid that is turned."""
    crs, grid = source.crs, source.transform
    if crs is None or not crs.is_projected or crs.linear_units_factor[1] != 1.0:
        return None
    square = abs(grid.a + grid.e) <= _SAME * abs(grid.a)
    epsg = crs.to_epsg()
    if epsg is None or grid.b or grid.d or grid.a <= 0 or not square:
        return None
    return Place(epsg, grid.c, grid.f, grid.a)
