"""The ground truth both sensors look at: a function of position, wavelength and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from tests.fakes import cover, ice, spectra
from tests.fakes.landscape import Mixture, View, inside, shading, terrain
from tests.fakes.noise import F32, rng
from tests.fakes.sky import Sky, day_of_year, hours, sky_for, sun
from tests.fakes.spectra import INDEX

STRIP_ROWS = 256
DRIFT_EPOCH = datetime(2022, 1, 1, tzinfo=UTC)
CLOUD_BOX_M = 20000.0
GROUND_SHIFT_M = (7380.0, -3900.0)  # brings a coast into the default tile


@lru_cache(maxsize=32)
def transformer(source: int, target: int):
    """Return a pyproj transformer with x, y (lon, lat) order."""
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


@dataclass(frozen=True)
class Scene:
    """What a sensor sees of a view: material weights [materials, H, W] and the masks."""

    weights: F32
    cloud: F32
    shadow: F32
    land: F32


@dataclass(frozen=True)
class World:
    """A generated piece of the Earth, equal for every sensor that looks at it.

    Attributes:
        seed: everything derives from it.
        centre_lonlat: where OLCI passes are centred unless told otherwise.
        epsg: the UTM zone in which the ground is defined, continued past its borders.
        ice_drift_m_per_h: velocity of the sea ice, east and north.
        moved_m: how far everything but the clouds lies from where it should, east and north: for
            the look of one sensor at ground that moved since that of the other.
    """

    seed: int = 0
    centre_lonlat: tuple[float, float] = (-80.82, 72.93)
    epsg: int = 32617
    ice_drift_m_per_h: tuple[float, float] = (150.0, -90.0)
    moved_m: tuple[float, float] = (0.0, 0.0)

    @property
    def centre_m(self) -> tuple[float, float]:
        """The centre in the world's plane, metres east and north."""
        return transformer(4326, self.epsg).transform(*self.centre_lonlat)

    def drifting(self, east_m: float, north_m: float, hours_between: float) -> World:
        """Return this world with the ice moving by a vector in a number of hours."""
        rate = (east_m / hours_between, north_m / hours_between)
        return replace(self, ice_drift_m_per_h=rate)

    def drift_m(self, time: datetime) -> tuple[float, float]:
        """Return how far the ice has moved since the start of 2022, metres east and north."""
        elapsed = hours(time) - hours(DRIFT_EPOCH)
        return self.ice_drift_m_per_h[0] * elapsed, self.ice_drift_m_per_h[1] * elapsed

    def sky(self, time: datetime, cloud: float, view: View | None = None) -> Sky:
        """Return the sky with a cloud cover at a time, over a view or a 20 km box."""
        x, y = self.centre_m
        axis = np.arange(-CLOUD_BOX_M / 2, CLOUD_BOX_M / 2, 200.0)
        box = view if view is not None else View(x + axis, y - axis, 200.0)
        return sky_for(int(rng(self.seed, "sky").integers(1 << 31)), cloud, time, box)

    def sun(self, time: datetime, x_m: float, y_m: float) -> tuple[float, float]:
        """Return the sun's zenith and azimuth at a place of the plane, degrees."""
        lon, lat = transformer(self.epsg, 4326).transform(x_m, y_m)
        zenith, azimuth = sun(time, np.array(lon), np.array(lat))
        return float(zenith), float(azimuth)

    def scene(self, view: View, time: datetime, sky: Sky) -> Scene:
        """Return what is seen of a view."""
        height, width = view.shape
        out = Scene(
            np.empty((len(INDEX), height, width), np.float32),
            *(np.empty((height, width), np.float32) for _ in range(3)),
        )
        for rows, part in self.strips(view, time, sky):
            out.weights[:, rows] = part.weights
            out.cloud[rows], out.shadow[rows] = part.cloud, part.shadow
            out.land[rows] = part.land
        return out

    def strips(self, view: View, time: datetime, sky: Sky) -> Iterator[tuple[slice, Scene]]:
        """Yield (rows, what is seen of them) from the top, to keep memory low."""
        for top in range(0, view.shape[0], STRIP_ROWS):
            rows = slice(top, min(top + STRIP_ROWS, view.shape[0]))
            strip = View(view.x_m, view.y_m[rows], view.pixel_m)
            yield rows, self._strip(strip, time, sky)

    def _strip(self, view: View, time: datetime, sky: Sky) -> Scene:
        season = cover.Season(day_of_year(time))
        place = view.shifted(*(s - m for s, m in zip(GROUND_SHIFT_M, self.moved_m, strict=True)))
        ground = terrain(self.seed, place)
        zenith, azimuth = self.sun(time, *self.centre_m)
        zenith = min(zenith, 75.0)
        land_part = inside(ground.coast_m, view)
        mixture = Mixture(view.shape)
        cover.water(self.seed, place, ground, mixture)
        cover.fields(self.seed, place, ground, season, mixture)
        cover.wild_land(self.seed, place, ground, season, mixture)
        sea = ice.sea(self.seed, place, self.drift_m(time), season, 1.0 - land_part)
        light = shading(ground, zenith, azimuth) * land_part
        weights = mixture.weights
        for material, layer in enumerate(weights):
            flat = material in (INDEX["water"], INDEX["turbid"])
            layer *= land_part if flat else light
        weights += sea.weights * (1.0 - land_part)
        cloud = sky.opacity(view, time)
        shadow = sky.shadow(view, time, zenith, azimuth)
        weights *= (1.0 - np.float32(0.62) * shadow) * (1.0 - cloud)
        weights[INDEX["cloud"]] += cloud * (0.88 + 0.12 * cloud)
        return Scene(weights, cloud, shadow, land_part)

    def reflectance(
        self, view: View, wavelength_nm: float, time: datetime, *, sky: Sky | None = None,
        top_of_atmosphere: bool = True,
    ) -> F32:  # fmt: skip
        """Return the true reflectance [H, W] of a view at a wavelength and time."""
        clear = sky if sky is not None else Sky(self.seed, float("inf"))
        seen = self.scene(view, time, clear)
        return spectra.mix(seen.weights, wavelength_nm, top_of_atmosphere=top_of_atmosphere)
