"""Scenes of arrays, and predictors of plain arithmetic, to lead one over the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import ndimage

from sensor2sensor.dataset.bands import reflectance_band
from sensor2sensor.dataset.contract import InputSpec, TargetSpec
from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.scenes.scene import Frame, SceneWindow
from sensor2sensor.predictors.tiling import Tiling

NAMES = ("B02", "B03")


def form(factor: int = 1, tile_px: int = 32) -> Form:
    bands = tuple(reflectance_band(name, 500.0) for name in NAMES)
    grid = (tile_px // factor,) * 2 if factor > 1 else None
    given = InputSpec(
        layout="dense", bands=bands, dtype="float32", index_dtype="int32", max_pixels=1,
        grid=grid, pixel_m=10.0 * factor,
    )  # fmt: skip
    target = TargetSpec(bands=bands, dtype="float32")
    return Form(
        name="arrays", kind="paired", tile_px=tile_px, resolution_m=10.0, factor=float(factor),
        input=given, target=target,
    )  # fmt: skip


@dataclass
class ArrayScene:
    """An image ``[h, w, C]`` on a grid ``factor`` times coarser than the frame."""

    image: np.ndarray
    factor: int = 1
    height: int | None = None  # of the frame, where the last input pixel reaches beyond it
    name: str = "array"
    facts: dict[str, Any] = field(default_factory=dict)
    notices: Sequence[str] = ()
    asked: list[PixelWindow] = field(default_factory=list)

    @property
    def frame(self) -> Frame:
        rows, columns = (side * self.factor for side in self.image.shape[:2])
        place = (10.0, 0.0, 500000.0, 0.0, -10.0, 6000000.0)
        return Frame(columns, self.height or rows, place, "EPSG:32631")

    @property
    def align_px(self) -> int:
        return self.factor

    def window(self, place: PixelWindow, halo_px: int = 0) -> SceneWindow | None:
        assert not any(n % self.factor for n in (place.x, place.y, place.width, place.height))
        self.asked.append(place)
        here = tuple(
            _folded(start // self.factor, count // self.factor, length)
            for start, count, length in (
                (place.y, place.height, self.image.shape[0]),
                (place.x, place.width, self.image.shape[1]),
            )
        )
        missing = np.isnan(self.image).any(axis=-1)
        valid = ~missing[np.ix_(*here)].repeat(self.factor, 0).repeat(self.factor, 1)
        core = (slice(halo_px, place.height - halo_px), slice(halo_px, place.width - halo_px))
        if not valid[core].any():
            return None
        given = self._filled[np.ix_(*here)].astype(np.float32)
        blank = np.zeros((place.height, place.width, self.image.shape[-1]), np.float32)
        return SceneWindow(dense_record(f"{place.x} {place.y}", blank, given), valid)

    @cached_property
    def _filled(self) -> np.ndarray:
        missing = np.isnan(self.image).any(axis=-1)
        nearest = ndimage.distance_transform_edt(
            missing, return_distances=False, return_indices=True
        )
        return self.image[tuple(nearest)]

    def truth(self, place: PixelWindow) -> None:
        return None


def _folded(start: int, count: int, length: int) -> np.ndarray:
    period = max(2 * (length - 1), 1)
    place = np.arange(start, start + count) % period
    return np.minimum(place, period - place)


@dataclass
class Smoothing:
    """A mean over ``2 radius + 1`` pixels squared: a convolution, without TensorFlow."""

    radius: int
    normalised: bool = False
    calls: list[int] = field(default_factory=list)

    def __call__(self, tiles: Sequence[TileRecord], /) -> np.ndarray:
        self.calls.append(len(tiles))
        images = np.stack([enlarged(tile) for tile in tiles]).astype(np.float64)
        side = 2 * self.radius + 1
        made = ndimage.uniform_filter(images, (0, side, side, 0), mode="constant", cval=9.0)
        return made.astype(np.float32)

    def describe(self) -> dict[str, Any]:
        return {"method": "mean", "radius": self.radius}


def enlarged(tile: TileRecord) -> np.ndarray:
    given = tile.input_dense
    assert given is not None
    factor = len(tile.target) // len(given)
    return given.repeat(factor, 0).repeat(factor, 1)


@dataclass
class Standardising:
    """Takes some of a window's own mean away, as an instance norm would."""

    share: float = 0.3
    normalised: bool = False

    def __call__(self, tiles: Sequence[TileRecord], /) -> np.ndarray:
        images = np.stack([enlarged(tile) for tile in tiles])
        return (images - self.share * images.mean(axis=(1, 2), keepdims=True)).astype(np.float32)

    def describe(self) -> dict[str, Any]:
        return {"method": "less its mean", "share": self.share}


def method(*predictors: Any, tiling: Tiling, factor: int = 1, batch: int = 2) -> Method:
    return Method("arithmetic", predictors, form(factor), tiling, batch, {"step": 3})


def ground(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Fields and noise in two bands, reflectance."""
    random = np.random.default_rng(seed)
    rough = random.normal(0.2, 0.05, (height, width, 2))
    return (ndimage.gaussian_filter(rough, (3, 3, 0)) * 3 + 0.05 * rough).astype(np.float32)
