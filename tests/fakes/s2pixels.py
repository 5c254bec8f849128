"""Digital numbers and masks of a Sentinel-2 tile, made from the ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.fakes import spectra
from tests.fakes.landscape import View
from tests.fakes.noise import F32, rng
from tests.fakes.s2xml import BANDS, WAVELENGTH_NM, Identity
from tests.fakes.sky import Sky
from tests.fakes.world import Scene, World

QUANTIFICATION = 10000
SATURATED = 65535
SWATH_SLANT = 0.2126  # tangent of 12 degrees: how far the swath's edge leans
NOISE = 0.0007  # reflectance


@dataclass(frozen=True)
class Tile:
    """The grid of one tile and its nodata wedge."""

    epsg: int
    ulx_m: float
    uly_m: float
    size_px: int
    wedge: float

    def side(self, resolution_m: int) -> int:
        """Pixels per side."""
        return -(-self.size_px * 10 // resolution_m)

    def view(self, resolution_m: int) -> View:
        """The grid of pixel centres."""
        steps = (np.arange(self.side(resolution_m)) + 0.5) * resolution_m
        return View(self.ulx_m + steps, self.uly_m - steps, float(resolution_m))

    @property
    def extent_m(self) -> float:
        """Side of the tile in metres."""
        return self.size_px * 10.0

    def edge_m(self, down_m: NDArray) -> NDArray:
        """Return how far east of the tile's left border the swath begins, `down_m` from the top.

        The edge leans like the ground track; its place is set so that the wedge has the
        asked fraction of the tile (solved by bisection on the closed form's clipped mean).
        """
        if self.wedge <= 0.0:
            return np.full(np.shape(down_m), -1.0)
        s = self.extent_m
        rows = np.linspace(0.0, s, 513)
        low, high = -SWATH_SLANT * s, s * (1 + SWATH_SLANT)
        for _ in range(60):
            middle = 0.5 * (low + high)
            share = np.clip(middle + SWATH_SLANT * (s / 2 - rows), 0.0, s).mean() / s
            low, high = (middle, high) if share < self.wedge else (low, middle)
        return low + SWATH_SLANT * (s / 2 - np.asarray(down_m, float))

    def nodata(self, resolution_m: int) -> NDArray[np.bool_]:
        """Return where the swath does not reach."""
        steps = (np.arange(self.side(resolution_m)) + 0.5) * resolution_m
        return steps[None, :] < self.edge_m(steps)[:, None]

    def footprint_m(self) -> list[tuple[float, float]]:
        """Return the outline of the valid part, closed, clockwise, in metres."""
        s = self.extent_m
        down = np.linspace(0.0, s, 9) if self.wedge > 0 else np.array([0.0, s])
        left = np.clip(self.edge_m(down), 0.0, s)
        west = [(self.ulx_m + x, self.uly_m - y) for x, y in zip(left, down, strict=True)]
        east = [(self.ulx_m + s, self.uly_m), (self.ulx_m + s, self.uly_m - s)]
        ring = [west[0], *east, *west[:0:-1], west[0]]
        return [p for i, p in enumerate(ring) if i == 0 or p != ring[i - 1]]


class Exposure:
    """One look at the world through the tile's three grids (rendered once per grid)."""

    def __init__(self, world: World, tile: Tile, identity: Identity, sky: Sky, seed: int) -> None:
        self.world, self.tile, self.identity = world, tile, identity
        self.sky, self.seed = sky, seed
        self._scenes: dict[int, Scene] = {}

    def scene(self, resolution_m: int) -> Scene:
        """Return what is seen at a resolution (the last one is kept)."""
        if resolution_m not in self._scenes:
            view = self.tile.view(resolution_m)
            seen = self.world.scene(view, self.identity.sensing, self.sky)
            self._scenes = {resolution_m: seen}
        return self._scenes[resolution_m]

    def digital_numbers(self, band: str, resolution_m: int) -> NDArray[np.uint16]:
        """Return the stored values of a band: 0 without data, 65535 where saturated."""
        seen = self.scene(resolution_m)
        toa = self.identity.level == "L1C"
        value = spectra.mix(seen.weights, WAVELENGTH_NM[band], top_of_atmosphere=toa)
        noise = rng(self.seed, "noise", band, resolution_m)
        value += np.float32(NOISE) * noise.standard_normal(value.shape, np.float32)
        if not toa:
            value -= np.float32(0.011) * (value < 0.02)  # over-correction above dark water
        return self._stored(value, seen, band, resolution_m)

    def _stored(self, value: F32, seen: Scene, band: str, resolution_m: int) -> NDArray[np.uint16]:
        offset = 1000 if self.identity.new else 0
        dark = rng(self.seed, "dark", resolution_m).random(value.shape) < 2e-5
        value = np.where(dark & (seen.cloud < 0.1), np.float32(-0.004), value)
        stored = np.clip(np.rint(value * QUANTIFICATION) + offset, 1, 32767).astype(np.uint16)
        if band in ("B02", "B03", "B04", "B08"):
            self._saturate(stored, value)
        stored[self.tile.nodata(resolution_m)] = 0
        return stored

    def _saturate(self, stored: NDArray[np.uint16], value: F32) -> None:
        """Saturate a small spot around the brightest pixel, as sun glitter on ice does."""
        row, column = np.unravel_index(int(np.argmax(value)), value.shape)
        stored[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = SATURATED

    def classification(self) -> NDArray[np.uint8]:
        """Return MSK_CLASSI [3, H, W] at 60 m: opaque cloud, cirrus, snow."""
        seen = self.scene(60)
        layers = np.zeros((3, *seen.cloud.shape), np.uint8)
        layers[0] = seen.cloud > 0.3
        layers[1] = (seen.cloud > 0.08) & (seen.cloud <= 0.3)
        layers[2] = (self._part("snow", "ice") > 0.5) & (seen.cloud <= 0.3)
        layers[:, self.tile.nodata(60)] = 0
        return layers

    def _part(self, *materials: str, resolution_m: int = 60) -> F32:
        weights = self.scene(resolution_m).weights
        return sum(weights[spectra.INDEX[m]] for m in materials)  # type: ignore[return-value]

    def scene_classes(self, resolution_m: int) -> NDArray[np.uint8]:
        """Return the SCL [H, W] of a Level-2A product."""
        seen = self.scene(resolution_m)
        green = self._part("crop", "forest", resolution_m=resolution_m)
        wet = self._part("water", "turbid", resolution_m=resolution_m)
        white = self._part("snow", "ice", resolution_m=resolution_m)
        classes = np.full(seen.cloud.shape, 5, np.uint8)
        for index, where in (
            (4, green > 0.45), (6, wet > 0.5), (11, white > 0.5), (3, seen.shadow > 0.35),
            (10, seen.cloud > 0.08), (8, seen.cloud > 0.3), (9, seen.cloud > 0.6),
            (0, self.tile.nodata(resolution_m)),
        ):  # fmt: skip
            classes[where] = index
        return classes

    def true_colour(self, resolution_m: int) -> NDArray[np.uint8]:
        """Return TCI [3, H, W]: reflectance 0 to 0.35 stretched to 1 to 255."""
        toa = self.identity.level == "L1C"
        layers = []
        for band in ("B04", "B03", "B02"):
            weights = self.scene(resolution_m).weights
            value = spectra.mix(weights, WAVELENGTH_NM[band], top_of_atmosphere=toa)
            layers.append(np.clip(np.rint(value / 0.35 * 254) + 1, 1, 255).astype(np.uint8))
        image = np.stack(layers)
        image[:, self.tile.nodata(resolution_m)] = 0
        return image

    def atmosphere(self, kind: str, resolution_m: int) -> NDArray[np.uint16]:
        """Return AOT or WVP of a Level-2A product (smooth fields, quantification 1000)."""
        view = self.tile.view(resolution_m)
        wave = 1.0 + 0.1 * np.sin(view.x_m / 9000.0)[None, :] * np.cos(view.y_m / 7000.0)[:, None]
        level = {"AOT": 110.0, "WVP": 900.0}[kind]
        stored = np.rint(level * wave).astype(np.uint16)
        stored[self.tile.nodata(resolution_m)] = 0
        return stored

    def percentages(self) -> tuple[float, float, float]:
        """Return cloud, nodata and snow percentages (cloud and snow of the valid part)."""
        layers, missing = self.classification(), self.tile.nodata(60)
        valid = max(1, int((~missing).sum()))
        cloud = 100.0 * float(layers[:2].any(axis=0).sum()) / valid
        return cloud, 100.0 * float(missing.mean()), 100.0 * float(layers[2].sum()) / valid


def band_list(level: str, resolution_m: int) -> tuple[str, ...]:
    """Return the bands a product has at a resolution, in the order of its image list."""
    from tests.fakes.s2xml import RESOLUTION_M

    if level == "L1C":
        return tuple(b for b in BANDS if RESOLUTION_M[b] == resolution_m)
    finer = {10: ("B02", "B03", "B04", "B08"), 20: (*BANDS[:7], "B8A", "B11", "B12")}
    return finer.get(resolution_m, (*BANDS[:7], "B8A", "B09", "B11", "B12"))
