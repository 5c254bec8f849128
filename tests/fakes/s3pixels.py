"""What OLCI measures: the ground seen through a 300 m point spread on swath geometry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tests.fakes import olci, spectra
from tests.fakes.landscape import View
from tests.fakes.noise import F32, F64, rng
from tests.fakes.sky import Sky, sun
from tests.fakes.swath import HEADING_DEG, Swath
from tests.fakes.world import World, transformer

FWHM_M = 300.0  # of the point spread, at full resolution
FILL = 65535
_FINE_PIXELS = 400_000
_LAND = len(spectra.MATERIALS)
ROW_US = 44001  # from one row to the next, at full resolution


@dataclass(frozen=True)
class Frame:
    """One frame in memory: geolocation, angles and the ground under every pixel."""

    swath: Swath
    lon: F64
    lat: F64
    ground: F32  # [materials + land, rows, columns]
    tie_columns: NDArray[np.int64]
    sun_zenith_deg: F64  # at the tie points
    sun_azimuth_deg: F64
    view_zenith_deg: F64
    view_azimuth_deg: F64

    def across(self, tie_values: F64) -> F64:
        """Interpolate tie values linearly along the rows to every column."""
        step = self.swath.tie_step
        columns = np.arange(self.swath.columns)
        low = np.minimum(columns // step, len(self.tie_columns) - 2)
        part = columns / step - low
        return tie_values[:, low] * (1.0 - part) + tie_values[:, low + 1] * part


def _ground(world: World, x_m: F64, y_m: F64, cell_m: float, time: datetime, sky: Sky):
    """Return (material weights and land of a raster around the points, its corner)."""
    pad = 1200.0 + 3 * cell_m
    west = np.floor((x_m.min() - pad) / cell_m) * cell_m
    north = np.ceil((y_m.max() + pad) / cell_m) * cell_m
    columns = int((x_m.max() + pad - west) / cell_m)
    rows = int((north - y_m.min() + pad) / cell_m)
    view = View(
        west + (np.arange(columns) + 0.5) * cell_m, north - (np.arange(rows) + 0.5) * cell_m, cell_m
    )
    seen = world.scene(view, time, sky)
    return seen, view


def _sample(world: World, x_m: F64, y_m: F64, swath: Swath, time: datetime, sky: Sky) -> F32:
    """Average the ground over the point spread of every pixel [materials + land, rows, columns]."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    fine = swath.rows * swath.columns <= _FINE_PIXELS
    cell_m = (60.0 if fine else 300.0) * (swath.factor if fine else 1)
    seen, view = _ground(world, x_m, y_m, cell_m, time, sky)
    sigma = FWHM_M * swath.factor / 2.3548 / cell_m
    places = np.stack([(view.y_m[0] - y_m) / cell_m, (x_m - view.x_m[0]) / cell_m])
    out = np.empty((_LAND + 1, *x_m.shape), np.float32)
    for k in range(_LAND + 1):
        layer = seen.weights[k] if k < _LAND else seen.land
        blurred = gaussian_filter(layer, sigma, mode="nearest", truncate=3.5)
        map_coordinates(blurred, places, output=out[k], order=1, mode="nearest")
    return out


def _plane(world: World, lon: F64, lat: F64, swath: Swath) -> tuple[F64, F64]:
    to_plane = transformer(4326, world.epsg)
    if swath.rows * swath.columns <= _FINE_PIXELS:
        return to_plane.transform(lon, lat)
    from scipy.interpolate import RectBivariateSpline

    rows = np.unique(np.r_[0 : swath.rows : 16, swath.rows - 1])
    columns = np.unique(np.r_[0 : swath.columns : 16, swath.columns - 1])
    knots = to_plane.transform(lon[np.ix_(rows, columns)], lat[np.ix_(rows, columns)])
    everywhere = np.arange(swath.rows), np.arange(swath.columns)
    x, y = (RectBivariateSpline(rows, columns, v)(*everywhere) for v in knots)
    return x, y


def expose(world: World, swath: Swath, time: datetime, sky: Sky) -> Frame:
    """Return the frame a pass at a time sees."""
    lon, lat = swath.geolocation()
    x_m, y_m = _plane(world, lon, lat, swath)
    ground = _sample(world, x_m, y_m, swath, time, sky)
    ties = np.arange(0, swath.columns, swath.tie_step)
    zenith, azimuth = sun(time, lon[:, ties], lat[:, ties])
    offset = (ties - (swath.columns - 1) / 2) * swath.factor / 4864.0 - 0.11
    view_zenith = np.abs(offset) * 2 * 45.0 + 0.5
    view_azimuth = HEADING_DEG + np.where(offset > 0, 90.0, -90.0) - 360.0
    shape = (swath.rows, len(ties))
    return Frame(
        swath, lon, lat, ground, ties, zenith, (azimuth + 180.0) % 360.0 - 180.0,
        np.broadcast_to(view_zenith, shape), np.broadcast_to(view_azimuth, shape),
    )  # fmt: skip


class Measurement:
    """Stored radiances and flags of a frame."""

    def __init__(self, frame: Frame, day: float, collection: str, seed: int) -> None:
        self.frame, self.seed, self.collection = frame, seed, collection
        swath = frame.swath
        self.flux = olci.solar_flux(day)
        self.source = swath.source_columns()
        self.detectors = np.broadcast_to(swath.detectors(), frame.lon.shape).copy()
        self.invalid = self._invalid()
        self.detectors[self.invalid] = -1
        self._light = np.cos(np.deg2rad(frame.across(frame.sun_zenith_deg))).astype(np.float32)
        self._spot = self._brightest()

    def _invalid(self) -> NDArray[np.bool_]:
        swath = self.frame.swath
        edge = max(1, round(0.006 * swath.columns * swath.factor))
        columns = np.arange(swath.columns)
        outside = (columns < edge) | (columns >= swath.columns - edge)
        return np.broadcast_to(outside, self.frame.lon.shape).copy()

    def _brightest(self) -> tuple[int, int]:
        white = self.frame.ground[spectra.INDEX["cloud"]] + self.frame.ground[spectra.INDEX["snow"]]
        white = np.where(self.invalid, -1.0, white)
        row, column = np.unravel_index(int(np.argmax(white)), white.shape)
        return int(row), int(column)

    def radiance(self, band: str) -> NDArray[np.uint16]:
        """Return the stored radiance of a band: 65535 where there is none."""
        index = olci.BANDS.index(band)
        weights = self.frame.ground[:_LAND]
        value = spectra.mix(weights, olci.CENTRES_NM[index], top_of_atmosphere=True)
        flux = self.flux[index][np.maximum(self.detectors, 0)]
        value *= flux * self._light / np.float32(np.pi)
        noise = rng(self.seed, "noise", band).standard_normal(value.shape, np.float32)
        value += (0.02 + 0.0012 * value) * noise
        value = value[:, self.source]
        stored = np.clip(np.rint(value / np.float32(olci.SCALES[index])), 0, FILL - 1)
        if index == 20:
            stored[self._spot] = FILL - 1
        stored[self.invalid] = FILL
        return stored.astype(np.uint16)

    def flags(self) -> NDArray[np.uint32]:
        """Return the quality flags by the names of the collection."""
        ground, bits = self.frame.ground, olci.flag_bits(self.collection)
        land, index = ground[_LAND], spectra.INDEX
        white = ground[index["cloud"]] + ground[index["snow"]] + ground[index["ice"]]
        wet = ground[index["water"]] + ground[index["turbid"]]
        swath = self.frame.swath
        spot = np.zeros(land.shape, bool)
        spot[self._spot] = True
        duplicated = np.broadcast_to(self.source != np.arange(swath.columns), land.shape)
        saturated = "saturated@Oa21" if "saturated@Oa21" in bits else "saturated"
        glint = (wet > 0.6) & (self.frame.across(self._glint_deg()) < 20.0)
        where = {
            "land": land > 0.5, "coastline": (land > 0.1) & (land < 0.9),
            "fresh_inland_water": (land > 0.9) & (wet > 0.5),
            "tidal_region": (land > 0.02) & (land < 0.5), "bright": white > 0.45,
            "straylight_risk": (white > 0.15) & (white < 0.45),
            "cosmetic": rng(self.seed, "cosmetic").random(land.shape) < 2e-4,
            "dubious": rng(self.seed, "dubious").random(land.shape) < 2e-4,
            "duplicated": duplicated & ~self.invalid, "sun-glint_risk": glint, saturated: spot,
        }  # fmt: skip
        stored = np.zeros(land.shape, np.uint32)
        for name, mask in where.items():
            stored |= (mask & ~self.invalid).astype(np.uint32) << np.uint32(bits[name])
        stored |= self.invalid.astype(np.uint32) << np.uint32(bits["invalid"])
        return stored

    def _glint_deg(self) -> F64:
        f = self.frame
        s, v = np.deg2rad(f.sun_zenith_deg), np.deg2rad(f.view_zenith_deg)
        turn = np.deg2rad(f.sun_azimuth_deg - f.view_azimuth_deg - 180.0)
        cosine = np.cos(s) * np.cos(v) + np.sin(s) * np.sin(v) * np.cos(turn)
        return np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0)))

    def altitude(self) -> NDArray[np.int16]:
        """Return the altitude in metres: a smooth rise inland."""
        return np.rint(120.0 * np.clip(self.frame.ground[_LAND], 0, 1)).astype(np.int16)


class Cut(Measurement):
    """Some rows of a measurement: the same numbers."""

    def __init__(self, whole: Measurement, rows: slice) -> None:
        self._whole, self._rows = whole, rows
        self.collection, self.flux = whole.collection, whole.flux
        self.detectors, self.invalid = whole.detectors[rows], whole.invalid[rows]
        frame = whole.frame
        by_row = ("lon", "lat", "sun_zenith_deg", "sun_azimuth_deg", "view_zenith_deg")
        cut = {name: getattr(frame, name)[rows] for name in (*by_row, "view_azimuth_deg")}
        swath = replace(frame.swath, rows=rows.stop - rows.start)
        self.frame = replace(frame, swath=swath, ground=frame.ground[:, rows], **cut)

    def radiance(self, band: str) -> NDArray[np.uint16]:
        """Return the stored radiance of a band."""
        return self._whole.radiance(band)[self._rows]

    def flags(self) -> NDArray[np.uint32]:
        """Return the quality flags."""
        return self._whole.flags()[self._rows]


def row_times_us(swath: Swath, start: datetime) -> NDArray[np.int64]:
    """Return the time stamps of the rows in microseconds since 2000-01-01."""
    from tests.fakes.sky import EPOCH

    elapsed = start - EPOCH
    first = (elapsed.days * 86400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    return first + np.arange(swath.rows, dtype=np.int64) * ROW_US * swath.factor
