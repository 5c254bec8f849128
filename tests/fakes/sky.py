"""Sun and clouds: where the sun stands, where clouds are, where their shadows fall."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from tests.fakes.landscape import View
from tests.fakes.noise import F32, octaves

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
RAMP = 0.2  # how far the cloud field rises from clear to opaque, in standard deviations


def hours(time: datetime) -> float:
    """Return hours since 2000-01-01."""
    return (time - EPOCH).total_seconds() / 3600.0


def day_of_year(time: datetime) -> float:
    """Return the day of the year with its fraction."""
    start = datetime(time.year, 1, 1, tzinfo=UTC)
    return (time - start).total_seconds() / 86400.0 + 1.0


def sun(time: datetime, lon_deg: NDArray, lat_deg: NDArray) -> tuple[NDArray, NDArray]:
    """Return the sun's zenith and azimuth (clockwise from north) in degrees, good to 0.5 degree."""
    day = day_of_year(time)
    g = np.deg2rad(360.0 / 365.24 * (day - 1.0))
    declination = (
        0.006918 - 0.399912 * np.cos(g) + 0.070257 * np.sin(g)
        - 0.006758 * np.cos(2 * g) + 0.000907 * np.sin(2 * g)
    )  # fmt: skip
    minutes = 229.18 * (0.000075 + 0.001868 * np.cos(g) - 0.032077 * np.sin(g)
                        - 0.014615 * np.cos(2 * g) - 0.040849 * np.sin(2 * g))  # fmt: skip
    solar_hour = (day % 1.0) * 24.0 + np.asarray(lon_deg) / 15.0 + minutes / 60.0
    angle = np.deg2rad(15.0 * (solar_hour - 12.0))
    lat = np.deg2rad(np.asarray(lat_deg))
    up = np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.sin(declination) * np.cos(lat) - np.cos(declination) * np.sin(lat) * np.cos(angle)
    zenith = np.rad2deg(np.arccos(np.clip(up, -1.0, 1.0)))
    return zenith, np.rad2deg(np.arctan2(east, north)) % 360.0


@dataclass(frozen=True)
class Sky:
    """Clouds over the world; `level` is the threshold of the cloud field (inf: a clear sky)."""

    seed: int
    level: float
    wind_m_per_h: tuple[float, float] = (21000.0, 9000.0)
    height_m: float = 1400.0

    def _field(self, view: View, time: datetime) -> F32:
        elapsed = hours(time)
        moved = view.shifted(-self.wind_m_per_h[0] * elapsed, -self.wind_m_per_h[1] * elapsed)
        return octaves(self.seed, "cloud", moved.x_m, moved.y_m, 9000.0, 6, 0.55)

    def opacity(self, view: View, time: datetime) -> F32:
        """Return the optical opacity of the clouds, 0 to 0.97."""
        if np.isinf(self.level):
            return np.zeros(view.shape, np.float32)
        t = np.clip((self._field(view, time) - np.float32(self.level)) / RAMP, 0.0, 1.0)
        return np.float32(0.97) * t * t * (3.0 - 2.0 * t)

    def shadow(self, view: View, time: datetime, zenith_deg: float, azimuth_deg: float) -> F32:
        """Return the opacity of the cloud between each place and the sun."""
        reach = self.height_m * np.tan(np.deg2rad(min(zenith_deg, 75.0)))
        east, north = np.sin(np.deg2rad(azimuth_deg)), np.cos(np.deg2rad(azimuth_deg))
        return self.opacity(view.shifted(reach * east, reach * north), time)


def sky_for(seed: int, cloud: float, time: datetime, view: View) -> Sky:
    """Return the sky whose clouds cover the fraction `cloud` of a view at a time."""
    if cloud <= 0.0:
        return Sky(seed, float("inf"))
    field = Sky(seed, 0.0)._field(view, time)
    # The masks count a pixel as cloud from an opacity of 0.08 on: 0.174 of the way up the ramp.
    return Sky(seed, float(np.quantile(field, 1.0 - min(cloud, 1.0))) - 0.174 * RAMP)
