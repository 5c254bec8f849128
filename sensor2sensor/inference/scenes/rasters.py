"""What stacks and pictures share: where a file lies, how large its pixels are, what is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.form import Form
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.gridded import GriddedScene
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.reading import Read
from sensor2sensor.inference.scenes.scene import Frame, Image, Shift
from sensor2sensor.sources.resampling import part_weights

# Beyond the first the model sees another scale; between the two it hardly matters, and is said.
_OTHER, _SAME = 1.25, 1.02
_DEGREE_M = 111_320.0
_ROUNDING = 1e-9  # of a sum of areas
_AT_ONCE_PX = 2**22  # of the image, 100 MB and more for each of three bands while it is weighed


@dataclass(frozen=True)
class KnownScene(GriddedScene):
    """A scene beside which another file shows what a model is to make of it.

    Attributes:
        known: ``[h, w, C]`` of a window of the frame, the target's bands; None: nobody knows.
    """

    known: Read | None = None

    def truth(self, place: PixelWindow) -> Image | None:
        """As :meth:`~.scene.Scene.truth`."""
        return super().truth(place) if self.known is None else self.known(place)


def frame_of_raster(source: Any) -> Frame:
    """The grid of an open file, north-up or turned; without a reference system it lies nowhere."""
    if source.crs is None or source.transform.is_identity:
        return Frame(source.width, source.height)
    transform = tuple(float(one) for one in source.transform[:6])
    code = source.crs.to_epsg()
    crs = f"EPSG:{code}" if code else source.crs.to_wkt()
    return Frame(source.width, source.height, transform, crs)  # type: ignore[arg-type]


def pixel_m(frame: Frame) -> float | None:
    """Edge of a pixel, metres: of a square of its area, at the middle of the image in degrees."""
    from rasterio.crs import CRS

    if frame.transform is None or frame.crs is None:
        return None
    a, b, _, d, e, f = frame.transform
    crs = CRS.from_user_input(frame.crs)
    area = abs(a * e - b * d)
    if crs.is_projected:
        return float(math.sqrt(area) * crs.linear_units_factor[1])
    latitude = f + d * frame.width_px / 2 + e * frame.height_px / 2
    return math.sqrt(area * math.cos(math.radians(latitude))) * _DEGREE_M


def refined_frame(frame: Frame, form: Form, where: object) -> Frame:
    """The grid of the prediction over that of the input.

    Raises:
        InputError: The factor is no whole number.
    """
    factor = round(form.factor)
    if abs(factor - form.factor) > 1e-6:
        raise InputError(
            f"'{form.name}' has a factor of {form.factor:g}, no whole one", where=where
        )
    width, height = frame.width_px * factor, frame.height_px * factor
    if frame.transform is None:
        return Frame(width, height)
    a, b, c, d, e, f = frame.transform
    finer = (a / factor, b / factor, c, d / factor, e / factor, f)
    return replace(frame, width_px=width, height_px=height, transform=finer)


def same_place(one: Frame, other: Frame) -> bool:
    """Whether two files have the same pixels; without ground, as many."""
    if one.shape != other.shape:
        return False
    if one.transform is None or other.transform is None:
        return True
    pixel = abs(other.transform[0]) + abs(other.transform[1])
    apart = max(abs(a - b) for a, b in zip(one.transform, other.transform, strict=True))
    return one.crs == other.crs and apart <= 0.01 * pixel


def scale_notices(
    has_m: float | None,
    wanted_m: float | None,
    options: SceneOptions,
    where: object,
    *,
    resamples: bool = False,
) -> list[str]:
    """What is to be said of pixels of another size than the model was trained on.

    Args:
        has_m: Their size; None: nobody knows.
        wanted_m: What it was trained on.
        options: Whether another size is meant.
        where: For the message.
        resamples: Whether ``--input-m`` makes others of them.

    Raises:
        InputError: They are much larger or smaller, and nobody said that this is meant.
    """
    if has_m is None or wanted_m is None:
        return []
    ratio = max(has_m / wanted_m, wanted_m / has_m)
    what = f"has pixels of {has_m:.4g} m, and the model was trained on {wanted_m:.4g} m"
    if ratio > _OTHER and not options.other_scale:
        way = (
            f"--input-m {wanted_m:.6g} resamples" if resamples else f"resample to {wanted_m:.4g} m"
        )
        hint = f"{way}, --other-scale takes it as it is"
        raise InputError(what, where=where, hint=hint)
    return [Shift(what)] if ratio > _SAME else []


@dataclass(frozen=True)
class Resampled:
    """Reads an image at another size: antialiased; a mask is 1 where half of the area is.

    Steps 51 and 52 store theirs so. What is partly made of no data has none.

    Attributes:
        read: Reads a window of the image.
        source: Rows and columns of it.
        target: Rows and columns wanted.
        mask: Whether it is one.
    """

    read: Read
    source: tuple[int, int]
    target: tuple[int, int]
    mask: bool = False

    def __call__(self, window: PixelWindow) -> Image:
        """``[h, w, C]`` of a window at the size wanted."""
        shrink = math.prod(self.source) / math.prod(self.target)
        if window.height > 1 and window.width * window.height * shrink > _AT_ONCE_PX:
            # A preview asks for the whole scene, which is small only once it is resampled.
            upper = window.height // 2
            lower = replace(window, y=window.y + upper, height=window.height - upper)
            return np.concatenate([self(replace(window, height=upper)), self(lower)])
        top, down = self._weights(0, window.y, window.height)
        left, across = self._weights(1, window.x, window.width)
        image = self.read(PixelWindow(left, top, across.shape[1], down.shape[1]))
        lacking = np.isnan(image)
        values = np.where(lacking, 0.0, image).astype(np.float64)
        made = _weighed(down, across, values)
        # Sums of areas round: exactly a half is a half.
        made = made >= 0.5 - _ROUNDING if self.mask else np.rint(made)
        image = np.asarray(made, np.float32)
        if lacking.any():
            image[_weighed(down, across, lacking.astype(np.float64)) > _ROUNDING] = np.nan
        return image

    def _weights(self, axis: int, start: int, count: int) -> Any:
        sides = self.source[axis], self.target[axis]
        return part_weights(*sides, start, count, area=self.mask)


def _weighed(down: Any, across: Any, values: Any) -> Any:
    return np.einsum("ij,jkc,lk->ilc", down, values, across, optimize=True)


def looked_at(frame: Frame, side_px: int = 64, count: int = 5) -> Iterator[PixelWindow]:
    """Windows spread over an image, to tell from a few values what all of them are."""
    rows, columns = (
        # At multiples of 12: no pixel of 20 or 60 m on a grid of 10 m is cut.
        (np.linspace(0, max(side - side_px, 0), count) // 12 * 12).astype(int).tolist()
        for side in frame.shape
    )
    for y in rows:
        for x in columns:
            yield PixelWindow(x, y, min(side_px, frame.width_px), min(side_px, frame.height_px))


def digests(*paths: Path) -> dict[str, str]:
    """SHA-256 of files by their names, with their folder's where two have one name."""
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = [f"{path.parent.name}/{path.name}" for path in paths]
    return {name: files.sha256(path) for name, path in zip(names, paths, strict=True)}
