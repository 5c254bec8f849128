"""One ground seen three times: by radar, on a clear day and through clouds some days later.

The same mixture of materials gives the radar's backscatter and both optical images, so what a
network finds out about the ground from the radar is true of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tests.fakes import cover, spectra
from tests.fakes.landscape import Mixture, Terrain, View, inside, shading, terrain
from tests.fakes.noise import F32, octaves, rng, smooth
from tests.fakes.s2pixels import NOISE, QUANTIFICATION
from tests.fakes.s2xml import BANDS, RESOLUTION_M, WAVELENGTH_NM
from tests.fakes.sky import EPOCH, sky_for
from tests.fakes.spectra import INDEX

COARSEST_PX = 6  # of 10 m in one pixel of the 60 m bands
LOOKS = 4.4  # equivalent number of a ground range detected image of the interferometric wide swath
INCIDENCE_DEG, LOOK_AZIMUTH_DEG = 38.0, 78.0
NOISE_FLOOR_DB = (-27.0, -33.0)  # noise equivalent backscatter, VV and VH
DAYS_BETWEEN = 8.0
SHADED = 0.62  # of the light of the ground is gone below an opaque cloud
SIZE_OF_CLOUDS = 0.25  # of those of Sky, which are made for whole tiles
BACKSCATTER_DB = {
    "water": (-22.5, -29.5), "turbid": (-20.5, -28.0), "sand": (-15.0, -23.0),
    "soil": (-13.5, -21.5), "crop": (-9.5, -15.5), "dry": (-11.5, -18.5),
    "forest": (-7.5, -13.0), "rock": (-9.0, -16.5), "snow": (-14.5, -21.0),
}  # fmt: skip
_SUN_DEG = {"spring": (38.0, 150.0), "summer": (30.0, 145.0), "fall": (44.0, 158.0)}


@dataclass(frozen=True)
class Look:
    """What one patch is seen under.

    Attributes:
        seed: Of the ground.
        view: The patch, a whole number of 60 m pixels wide.
        day: Of the year, of the clear image; the cloudy one is from DAYS_BETWEEN later.
        sun_deg: Zenith and azimuth of the sun.
        cover: Share of the patch that clouds lie over.
        sky_seed: Of the clouds and of all noise.
    """

    seed: int
    view: View
    day: float
    sun_deg: tuple[float, float]
    cover: float
    sky_seed: int


def look(seed: int, roi: str, view: View, cloud_cover: float, patch: int) -> Look:
    """Return the look at a patch; ``roi`` is ``fall_139``, its season sets day and sun."""
    season = roi.partition("_")[0]
    day = {"spring": 150.0, "summer": 200.0, "fall": 252.0, "winter": 128.0}[season]
    sun = _SUN_DEG.get(season, (55.0, 162.0))
    ground, sky = (int(rng(seed, roi, *more).integers(1 << 31)) for more in ((), ("sky", patch)))
    return Look(ground, view, day, sun, cloud_cover, sky)


def _inland(at: Look) -> Terrain:
    land = terrain(at.seed, at.view)
    return replace(land, coast_m=np.maximum(land.coast_m, np.float32(500.0)))


def _materials(at: Look, land: Terrain, day: float) -> F32:
    """Return the weights of the materials on the ground [materials, H, W], tones included."""
    mixture, season = Mixture(at.view.shape), cover.Season(day)
    cover.water(at.seed, at.view, land, mixture)
    cover.fields(at.seed, at.view, land, season, mixture)
    cover.wild_land(at.seed, at.view, land, season, mixture)
    return mixture.weights


def _lit(weights: F32, land: Terrain, at: Look) -> F32:
    light = shading(land, *at.sun_deg)
    flat = [INDEX["water"], INDEX["turbid"]]
    lit = weights * light
    lit[flat] = weights[flat]
    return lit


@dataclass(frozen=True)
class Clouds:
    """Opacities [H, W], 0 to 1: of the clouds, of cirrus, and of what is between ground and sun."""

    cloud: F32
    cirrus: F32
    shadow: F32


def clouds(at: Look) -> Clouds:
    """Return the clouds over a patch and their shadows on it."""
    draw = rng(at.sky_seed, "clouds")
    height_m = draw.uniform(350.0, 900.0)
    thin = draw.uniform(0.25, 0.85)
    high = draw.uniform(0.05, 0.25) * (draw.random() < 0.4)
    sky = sky_for(at.sky_seed, at.cover, EPOCH, _zoomed(at.view))

    def opacity(view: View) -> F32:
        depth = np.clip(0.75 + 0.35 * smooth(at.sky_seed, "depth", view.x_m, view.y_m, 900.0), 0, 1)
        return (sky.opacity(_zoomed(view), EPOCH) * (thin + (1.0 - thin) * depth)).astype(
            np.float32
        )

    zenith, azimuth = np.deg2rad(at.sun_deg)
    reach = height_m * np.tan(zenith)
    towards_sun = at.view.shifted(reach * np.sin(azimuth), reach * np.cos(azimuth))
    veil = octaves(at.sky_seed, "cirrus", at.view.x_m, 3.0 * at.view.y_m, 4000.0, 4)
    cirrus = high * np.clip(0.5 + 0.5 * veil, 0.0, 1.0)
    return Clouds(opacity(at.view), cirrus.astype(np.float32), opacity(towards_sun))


def _zoomed(view: View) -> View:
    return View(view.x_m / SIZE_OF_CLOUDS, view.y_m / SIZE_OF_CLOUDS, view.pixel_m / SIZE_OF_CLOUDS)


@dataclass(frozen=True)
class Patch:
    """Pixels as they are stored, and what hides them.

    Attributes:
        radar_db: VV and VH ``[2, H, W]``.
        clear: Digital numbers ``[13, H, W]``.
        cloudy: The same, eight days later.
        cloud: Opacity of the clouds ``[H, W]``.
        cirrus: Opacity of thin cloud high above them.
        shadow: Opacity of the cloud between ground and sun.
    """

    radar_db: F32
    clear: NDArray[np.uint16]
    cloudy: NDArray[np.uint16]
    cloud: F32
    cirrus: F32
    shadow: F32


def patch(at: Look) -> Patch:
    """Return what radar and both images see of a patch."""
    land, over = _inland(at), clouds(at)
    ground, later = (_materials(at, land, day) for day in (at.day, at.day + DAYS_BETWEEN))
    lit = _lit(ground, land, at)
    clear = [_numbers(_at_top(lit, band), band, at, "clear") for band in BANDS]
    return Patch(
        backscatter_db(ground, land, at),
        np.stack(clear),
        _cloudy(_lit(later, land, at), over, at),
        **vars(over),
    )


def _at_top(weights: F32, band: str) -> F32:
    return spectra.mix(weights, WAVELENGTH_NM[band], top_of_atmosphere=True)


def _cloudy(lit: F32, over: Clouds, at: Look) -> NDArray[np.uint16]:
    draw = rng(at.sky_seed, "weather")
    haze, gain = draw.uniform(0.0, 0.03), np.float32(draw.uniform(0.98, 1.02))
    relief = smooth(at.sky_seed, "tops", at.view.x_m, at.view.y_m, 350.0)
    tops = np.float32(draw.uniform(0.6, 0.95)) * (1.0 + np.float32(0.1) * relief)
    seen = lit * (1.0 - np.float32(SHADED) * over.shadow) * (1.0 - over.cloud)
    seen[INDEX["cloud"]] += over.cloud * tops
    images = []
    for band in BANDS:
        value = gain * _hazy(_at_top(seen, band), band, haze)
        value += over.cirrus * (_cirrus(band) - value)
        images.append(_numbers(value, band, at, "cloudy"))
    return np.stack(images)


def _hazy(value: F32, band: str, haze: float) -> F32:
    bright = np.float32(0.35 * (550.0 / WAVELENGTH_NM[band]) ** 1.3)
    return value + np.float32(haze) * (bright - value)


def _cirrus(band: str) -> np.float32:
    # Ice clouds lie above the water vapour: at 1375 nm they are all there is to see.
    return np.float32(0.3 if WAVELENGTH_NM[band] > 1300.0 else 0.5)


def _numbers(value: F32, band: str, at: Look, image: str) -> NDArray[np.uint16]:
    """Return digital numbers on the 10 m grid; coarser bands as the published files have them."""
    factor = RESOLUTION_M[band] // 10
    high, wide = (side // factor for side in at.view.shape)
    native = value.reshape(high, factor, wide, factor).mean(axis=(1, 3))
    native += np.float32(NOISE) * rng(at.sky_seed, "noise", image, band).standard_normal(
        native.shape, np.float32
    )
    if factor > 1 and image == "clear":
        native = ndimage.zoom(native, factor, order=1, mode="nearest", grid_mode=True)
    elif factor > 1:
        native = native.repeat(factor, axis=0).repeat(factor, axis=1)
    return np.clip(np.rint(native * QUANTIFICATION), 1, 32767).astype(np.uint16)


def backscatter_db(materials: F32, land: Terrain, at: Look) -> F32:
    """Return VV and VH [2, H, W] in dB: cover, slopes, a few walls, speckle and the noise floor."""
    share = materials / np.maximum(materials.sum(axis=0), 1e-6)
    azimuth = np.deg2rad(LOOK_AZIMUTH_DEG)
    # A slope that faces the radar has more ground in one cell of range.
    facing = land.slope_east * np.sin(azimuth) + land.slope_north * np.cos(azimuth)
    slope = np.clip(1.0 + facing / np.tan(np.deg2rad(INCIDENCE_DEG)), 0.3, 4.0)
    draw = rng(at.sky_seed, "radar")
    walls = (draw.random(at.view.shape) < 4e-4) * (inside(-land.lake_m, at.view) > 0.5)
    out = np.empty((2, *at.view.shape), np.float32)
    for polarisation in range(2):
        power = sum(
            share[INDEX[name]] * np.float32(10 ** (values[polarisation] / 10))
            for name, values in BACKSCATTER_DB.items()
        )
        power = power * slope + walls * np.float32(10 ** (-0.3 - 0.7 * polarisation))
        power = power + np.float32(10 ** (NOISE_FLOOR_DB[polarisation] / 10))
        speckle = draw.gamma(LOOKS, 1.0 / LOOKS, at.view.shape)
        out[polarisation] = np.minimum(10.0 * np.log10(np.maximum(power * speckle, 1e-6)), 0.0)
    return out
