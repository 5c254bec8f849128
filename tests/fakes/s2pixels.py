"""Digital numbers and masks of a Sentinel-2 tile, made from the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tests.fakes import spectra
from tests.fakes.landscape import View
from tests.fakes.noise import F32, rng
from tests.fakes.s2xml import BANDS, RESOLUTION_M, WAVELENGTH_NM, Identity
from tests.fakes.sky import Sky
from tests.fakes.world import Scene, World

QUANTIFICATION = 10000
SATURATED = 65535
SWATH_SLANT = 0.2126  # tangent of 12 degrees: how far the swath's edge leans
NOISE = 0.0007  # reflectance


@dataclass(frozen=True)
class Tile:
    """The grid of one tile, its nodata wedge and the part of it from top to bottom it holds."""

    epsg: int
    ulx_m: float
    uly_m: float
    size_px: int
    wedge: float
    part: tuple[float, float] = (0.0, 1.0)

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
        """Return where the swath, or the part of it, does not reach."""
        steps = (np.arange(self.side(resolution_m)) + 0.5) * resolution_m
        top, bottom = (share * self.extent_m for share in self.part)
        other_part = (steps < top) | (steps >= bottom)
        return (steps[None, :] < self.edge_m(steps)[:, None]) | other_part[:, None]

    def footprint_m(self) -> list[tuple[float, float]]:
        """Return the outline of the valid part, closed, clockwise, in metres."""
        s = self.extent_m
        top, bottom = (share * s for share in self.part)
        down = np.linspace(top, bottom, 9) if self.wedge > 0 else np.array([top, bottom])
        left = np.clip(self.edge_m(down), 0.0, s)
        west = [(self.ulx_m + x, self.uly_m - y) for x, y in zip(left, down, strict=True)]
        east = [(self.ulx_m + s, self.uly_m - y) for y in (top, bottom)]
        ring = [west[0], *east, *west[:0:-1], west[0]]
        return [p for i, p in enumerate(ring) if i == 0 or p != ring[i - 1]]


class Exposure:
    """One look at the world through the tile's grids, rendered strip by strip."""

    def __init__(self, world: World, tile: Tile, identity: Identity, sky: Sky, seed: int) -> None:
        self.world, self.tile, self.identity = world, tile, identity
        self.sky, self.seed = sky, seed

    def images(self, resolution_m: int, wanted: Sequence[str]) -> dict[str, NDArray]:
        """Return the stored pixels of bands, TCI, SCL, AOT and WVP at one resolution."""
        if not wanted:
            return {}
        view, missing = self.tile.view(resolution_m), self.tile.nodata(resolution_m)
        out: dict[str, NDArray] = {}
        for what in wanted:
            shape = (3, *view.shape) if what == "TCI" else view.shape
            kind = np.uint8 if what in ("TCI", "SCL") else np.uint16
            out[what] = np.empty(shape, kind)
        brightest: dict[str, tuple[float, int, int]] = {}
        for rows, seen in self.world.strips(view, self.identity.sensing, self.sky):
            for what, image in out.items():
                image[..., rows, :] = self._pixels(what, seen, rows, resolution_m, brightest)
        for what, (_, row, column) in brightest.items():
            spot = slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2)
            out[what][spot] = SATURATED  # as sun glitter on ice does
        for image in out.values():
            image[..., missing] = 0
        return out

    def _pixels(
        self, what: str, seen: Scene, rows: slice, resolution_m: int, brightest: dict
    ) -> NDArray:
        if what == "TCI":
            return self._true_colour(seen)
        if what == "SCL":
            return scene_classes(seen)
        if what in ("AOT", "WVP"):
            return self._atmosphere(what, resolution_m)[rows]
        value = self._value(what, seen, rows.start, resolution_m)
        if what in ("B02", "B03", "B04", "B08"):
            row, column = np.unravel_index(int(np.argmax(value)), value.shape)
            found = (float(value[row, column]), rows.start + int(row), int(column))
            brightest[what] = max(brightest.get(what, (-1.0, 0, 0)), found)
        offset = 1000 if self.identity.new else 0
        return np.clip(np.rint(value * QUANTIFICATION) + offset, 1, 32767).astype(np.uint16)

    def _value(self, band: str, seen: Scene, top: int, resolution_m: int) -> F32:
        toa = self.identity.level == "L1C"
        value = spectra.mix(seen.weights, WAVELENGTH_NM[band], top_of_atmosphere=toa)
        noise = rng(self.seed, "noise", band, resolution_m, top)
        value += np.float32(NOISE) * noise.standard_normal(value.shape, np.float32)
        if not toa:
            value -= np.float32(0.011) * (value < 0.02)  # over-correction above dark water
        dark = rng(self.seed, "dark", resolution_m, top).random(value.shape, np.float32) < 2e-5
        return np.where(dark & (seen.cloud < 0.1), np.float32(-0.004), value)

    def _true_colour(self, seen: Scene) -> NDArray[np.uint8]:
        """Return reflectance 0 to 0.35 stretched to 1 to 255."""
        toa = self.identity.level == "L1C"
        layers = [
            spectra.mix(seen.weights, WAVELENGTH_NM[band], top_of_atmosphere=toa)
            for band in ("B04", "B03", "B02")
        ]
        return np.clip(np.rint(np.stack(layers) / 0.35 * 254) + 1, 1, 255).astype(np.uint8)

    def _atmosphere(self, kind: str, resolution_m: int) -> NDArray[np.uint16]:
        """Return AOT or WVP of a Level-2A product (smooth fields, quantification 1000)."""
        view = self.tile.view(resolution_m)
        wave = 1.0 + 0.1 * np.sin(view.x_m / 9000.0)[None, :] * np.cos(view.y_m / 7000.0)[:, None]
        return np.rint({"AOT": 110.0, "WVP": 900.0}[kind] * wave).astype(np.uint16)

    @cached_property
    def overview(self) -> Scene:
        """What is seen at 60 m."""
        return self.world.scene(self.tile.view(60), self.identity.sensing, self.sky)

    @cached_property
    def classification(self) -> NDArray[np.uint8]:
        """MSK_CLASSI [3, H, W] at 60 m: opaque cloud, cirrus, snow."""
        seen = self.overview
        layers = np.zeros((3, *seen.cloud.shape), np.uint8)
        layers[0] = seen.cloud > 0.3
        layers[1] = (seen.cloud > 0.08) & (seen.cloud <= 0.3)
        layers[2] = (_part(seen, "snow", "ice") > 0.5) & (seen.cloud <= 0.3)
        layers[:, self.tile.nodata(60)] = 0
        return layers

    def preview(self) -> NDArray[np.uint8]:
        """Return the true colour image at 60 m [3, H, W]."""
        image = self._true_colour(self.overview)
        image[:, self.tile.nodata(60)] = 0
        return image

    def percentages(self) -> tuple[float, float, float]:
        """Return cloud, nodata and snow percentages (cloud and snow of the valid part)."""
        layers, missing = self.classification, self.tile.nodata(60)
        valid = max(1, int((~missing).sum()))
        cloud = 100.0 * float(layers[:2].any(axis=0).sum()) / valid
        return cloud, 100.0 * float(missing.mean()), 100.0 * float(layers[2].sum()) / valid


def _part(seen: Scene, *materials: str) -> F32:
    return np.sum([seen.weights[spectra.INDEX[m]] for m in materials], axis=0, dtype=np.float32)


def scene_classes(seen: Scene) -> NDArray[np.uint8]:
    """Return the SCL [H, W] of what is seen."""
    classes = np.full(seen.cloud.shape, 5, np.uint8)
    for index, where in (
        (4, _part(seen, "crop", "forest") > 0.45),
        (6, _part(seen, "water", "turbid") > 0.5),
        (11, _part(seen, "snow", "ice") > 0.5),
        (3, seen.shadow > 0.35),
        (10, seen.cloud > 0.08),
        (8, seen.cloud > 0.3),
        (9, seen.cloud > 0.6),
    ):
        classes[where] = index
    return classes


def band_list(level: str, resolution_m: int, *, new: bool) -> tuple[str, ...]:
    """Return the bands a product has at a resolution, in the order of its image list."""
    if level == "L1C":
        return tuple(b for b in BANDS if RESOLUTION_M[b] == resolution_m)
    finer = {10: ("B02", "B03", "B04", "B08"), 20: (*BANDS[not new : 7], "B8A", "B11", "B12")}
    return finer.get(resolution_m, (*BANDS[:7], "B8A", "B09", "B11", "B12"))
