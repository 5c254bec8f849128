"""The part of an OLCI swath that lies over a grid, read once and searched per tile or window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.times import utc_from
from sensor2sensor.geo.collocation import (
    SwathIndex,
    SwathWindow,
    beside_itself,
    find_window,
    geocentric_m,
    grid_geocentric_m,
    local_grid,
    pixel_table,
    search_radius_m,
    spacing_m,
    unproject_points,
)
from sensor2sensor.geo.footprints import unproject
from sensor2sensor.geo.grids import Grid
from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.s3_pass import S3Pass
from sensor2sensor.products.s3_reader import S3Reader
from sensor2sensor.products.sentinel3 import S3Product

SURROUNDINGS_M = 2_000.0  # a few pixels around the scene


@dataclass(frozen=True)
class OlciTable:
    """The OLCI pixels of a tile: those it uses, then the usable ones next to them.

    Both parts are in ascending (row, column) order, ``K`` rows in all. The neighbours carry no
    number of the collocation; interpolation up to the tile's edge needs them.

    Attributes:
        xy_m: eastings and northings in the tile's UTM zone ``[K, 2]``.
        rowcol: row and column in the product's image ``[K, 2]``; rows of joined frames count on.
        radiance: mW m-2 sr-1 nm-1 ``[K, 21]``, NaN at fill.
        sun_zenith_deg: ``[K]``.
        solar_flux: mW m-2 nm-1 of the pixel's detector ``[K, 21]``.
        flags: the product's flag word ``[K]``.
        quality: our quality word, OLCI bits ``[K]``.
    """

    xy_m: NDArray[np.float64]
    rowcol: NDArray[np.int32]
    radiance: NDArray[np.float32]
    sun_zenith_deg: NDArray[np.float32]
    solar_flux: NDArray[np.float32]
    flags: NDArray[np.uint32]
    quality: NDArray[np.uint32]


@dataclass(frozen=True)
class OlciTile:
    """OLCI on the grid of one tile.

    Attributes:
        collocation: 0 for no pixel within the radius, else 1 + row of the table ``[h, w]``.
        quality: OLCI bits of the quality word ``[h, w]``.
        radiance: ``[h, w, 21]``, NaN where there is no usable pixel.
        table: the pixels.
        used: how many of them the collocation uses; they come first.
        radius_m: search radius.
        time: mean sensing time of the pixels it uses.
    """

    collocation: NDArray[np.int32]
    quality: NDArray[np.uint32]
    radiance: NDArray[np.float32]
    table: OlciTable
    used: int
    radius_m: float
    time: datetime

    @property
    def valid_fraction(self) -> float:
        """Share of the tile's pixels whose OLCI pixel has all radiances and is not invalid."""
        bad = np.uint32(Quality.OLCI_NONE | Quality.OLCI_INVALID)
        return float((((self.quality & bad) == 0) & self.measured).mean())

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """Whether a pixel's OLCI pixel has all radiances ``[h, w]``."""
        return np.append(False, np.isfinite(self.table.radiance).all(axis=1))[self.collocation]


class OlciSwath:
    """The swath over a grid: every variable read once, positions searchable.

    Args:
        product: the Sentinel-3 product, or frames of one pass joined.
        grid: the ground.

    Raises:
        ProductError: no pixel of the product lies over the grid, or a file is damaged.
    """

    def __init__(self, product: S3Product | S3Pass, grid: Grid) -> None:
        self.grid = grid
        # Once for all tiles: a variable may be one deflated chunk, inflated whole for any window.
        with product.open() as reader:
            self.window = _window_over(product, reader, grid)
            lat, lon = self._read(product, reader, self.window.rows, self.window.columns)
        self.index = SwathIndex(lat, lon)
        self.xy_m = np.stack(local_grid(grid.epsg, lon, lat), axis=-1)

    def _read(
        self, product: S3Product | S3Pass, reader: S3Reader, rows: slice, columns: slice
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Read what is kept of the pixels; returns their latitude and longitude."""
        lat, lon = reader.geolocation(rows, columns)
        self.radiance = reader.radiances(rows, columns)
        self.flags = reader.flags(rows, columns)
        self.quality = reader.quality(self.flags)
        self.row_times = product.row_times(reader, rows)
        return lat, lon

    def radius_m(self, points: NDArray[np.float64]) -> float:
        """How far a pixel may be from points ``[..., 3]``, geocentric metres."""
        # Pixels grow towards the swath's edge: the radius follows their spacing over this tile.
        radius_m = search_radius_m(spacing_m(self.index.near(points)))
        # Not a number with less than two rows or columns: nothing is near.
        return radius_m if math.isfinite(radius_m) else 0.0

    def numbered(
        self, nearest: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
        """The table of the pixels nearest to those of a grid.

        Args:
            nearest: flat window index ``[h, w]``, -1 for none.

        Returns:
            0 or 1 + row of the table ``[h, w]``; flat window index of each row ``[K]``: those in
            use, then the usable ones next to them; how many are in use.
        """
        used, number = pixel_table(nearest)
        return number, np.concatenate([used, self._around(used)]), len(used)

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """Pixels with all radiances ``[rows, columns]``."""
        return np.asarray(np.isfinite(self.radiance).all(axis=0), bool)

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """Those of them that are not flagged invalid."""
        not_invalid = (self.quality & np.uint32(Quality.OLCI_INVALID)) == 0
        return np.asarray(self.measured & not_invalid, bool)

    @cached_property
    def _displaced(self) -> NDArray[np.bool_]:
        """Copies of a neighbour's value at a position of their own.

        A quarter of real pixels are flagged `duplicated`. In native products such a pixel has the
        position of its original too; only with one of its own its value lies where it is not.
        """
        copied = (self.quality & np.uint32(Quality.OLCI_DUPLICATED)) != 0
        return np.asarray(copied & ~_twins_of(np.ones_like(copied), self._same))

    @cached_property
    def _same(self) -> NDArray[np.bool_]:
        return beside_itself(self.xy_m)

    def _around(self, used: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat indices of the usable pixels that touch the used ones, at other places."""
        from scipy.ndimage import binary_dilation

        if not used.size:
            return used
        # Ascending: a window uses few rows of a swath.
        width = self.window.shape[1]
        rows = slice(max(int(used[0]) // width - 1, 0), int(used[-1]) // width + 2)
        taken = np.zeros(self.valid[rows].shape, bool)
        taken.flat[used - rows.start * width] = True
        # A copy at a used place is no neighbour: it holds the same value again.
        taken |= _twins_of(taken, self._same[rows])
        touching = binary_dilation(taken, np.ones((3, 3), bool)) & ~taken
        # Usable: its value was measured where it lies.
        usable = self.valid[rows] & ~self._displaced[rows]
        return np.flatnonzero(touching & usable) + rows.start * width


class OlciWindow(OlciSwath):
    """The swath over a Sentinel-2 scene, with all that step 40 keeps of a pixel."""

    def _read(
        self, product: S3Product | S3Pass, reader: S3Reader, rows: slice, columns: slice
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        places = super()._read(product, reader, rows, columns)
        self.quality_given = reader.quality_given()
        self.sun_zenith_deg = reader.sun_zenith(rows, columns)
        self.solar_flux = reader.solar_flux(rows, columns)
        return places

    def tile(self, grid: Grid) -> OlciTile:
        """Nearest OLCI pixel of each pixel of a tile's grid."""
        points = grid_geocentric_m(grid)
        radius_m = self.radius_m(points)
        number, rows, count = self.numbered(self._nearest(grid, points, radius_m))
        table = self._table(rows)
        # Number 0 is no pixel: what it shows stands before the table's first row.
        quality = np.append(np.uint32(Quality.OLCI_NONE), table.quality)[number]
        empty = np.full((len(OLCI_BANDS), 1), np.nan, np.float32)
        # Band by band, as the tif has them: pixel by pixel both ways take several times as long.
        layers = np.take(np.concatenate([empty, table.radiance.T], axis=1), number, axis=1)
        radiance = np.moveaxis(layers, 0, -1)
        quality = quality.astype(np.uint32)
        time = self._mean_time(rows[:count])
        return OlciTile(number, quality, radiance, table, count, radius_m, time)

    def _nearest(
        self, grid: Grid, points: NDArray[np.float64], radius_m: float
    ) -> NDArray[np.int64]:
        """Flat window index of the pixel nearest to each point of a tile, -1 for none."""
        return self.index.nearest_on(points, radius_m)

    def _mean_time(self, used: NDArray[np.int64]) -> datetime:
        """Mean sensing time of pixels; of the whole window where there are none."""
        # Of its rows: a frame lasts three minutes, and a tile is seen within a second of them.
        rows = used // self.window.shape[1] if used.size else np.arange(self.window.shape[0])
        first = self.row_times[0]
        elapsed_us = (self.row_times[rows] - first).astype(np.int64).mean()
        return utc_from(first + np.timedelta64(round(float(elapsed_us)), "us"))

    def nearest_xy(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Flat window index of the pixel nearest to UTM positions (-1: none within 2 km)."""
        lonlat = unproject_points(self.grid.epsg, x, y)
        return self.index.nearest(geocentric_m(*lonlat), SURROUNDINGS_M)

    def red_radiance(self) -> NDArray[np.float32]:
        """Oa08 (665 nm) over the window ``[rows, columns]``, NaN where it is not usable.

        A copied value away from where it was measured displaces the picture by some 60 m: it is
        interpolated along the row instead. A copy in its place stays, or it would be displaced.
        """
        image = self.radiance[OLCI_BANDS.index("Oa08")]
        known = np.isfinite(image) & ((self.quality & np.uint32(Quality.OLCI_INVALID)) == 0)
        in_place = _along_rows(image, known & ~self._displaced)
        return np.where(known, in_place, np.float32(np.nan))

    def _table(self, used: NDArray[np.int64]) -> OlciTable:
        row, column = np.divmod(used, self.window.shape[1])
        place = np.stack([row + self.window.rows.start, column + self.window.columns.start], axis=1)
        return OlciTable(
            xy_m=self.xy_m[row, column],
            rowcol=place.astype(np.int32),
            radiance=np.ascontiguousarray(self.radiance[:, row, column].T),
            sun_zenith_deg=self.sun_zenith_deg[row, column],
            solar_flux=np.ascontiguousarray(self.solar_flux[:, row, column].T),
            flags=self.flags[row, column],
            quality=self.quality[row, column],
        )


def _window_over(product: S3Product | S3Pass, reader: S3Reader, grid: Grid) -> SwathWindow:
    """Rows and columns of the swath that can lie over a grid or its surroundings."""
    lat, lon, row_step, column_step = reader.tie_geolocation()
    west, south, east, north = grid.bounds
    centre = unproject(grid.polygon().centroid, grid.epsg)
    radius_m = 0.5 * math.hypot(east - west, north - south) + SURROUNDINGS_M
    window = find_window(
        (lon, lat),
        (row_step, column_step),
        reader.shape,
        (centre.x, centre.y),
        radius_m,
    )
    if window is None:
        raise ProductError("no pixel lies over the ground asked for", where=product.name)
    return window


def _twins_of(pixels: NDArray[np.bool_], same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels beside one of these and at its place.

    Args:
        pixels: ``[rows, columns]``.
        same: whether a pixel has the place of the next one ``[rows, columns - 1]``.
    """
    twins = np.zeros_like(pixels)
    twins[:, 1:] |= pixels[:, :-1] & same
    twins[:, :-1] |= pixels[:, 1:] & same
    return twins


def _along_rows(image: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Each row with its unknown pixels interpolated between the known ones beside them."""
    filled = np.full(image.shape, np.nan, np.float32)
    at = np.arange(image.shape[1])
    for row, good in enumerate(known):
        if good.any():
            filled[row] = np.interp(at, at[good], image[row, good])
    return filled
