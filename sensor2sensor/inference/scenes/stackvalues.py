"""Values of a stack: clipped to ranges that are fixed, coarser where they were stored so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.form import Form
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.reading import Read, grown
from sensor2sensor.inference.scenes.scene import Image
from sensor2sensor.sources.sen12mscr.radar import Unit

# Snow and glint reach 2; what lies beyond this is no reflectance, however bright the glint.
TOO_BRIGHT, _TOO_DARK = 20.0, 0.002
_BELOW_ZERO, _MANY = -0.02, 0.05  # as scenes.radiometry tells offsets that were applied
_OFFSET = 0.1
# Offsets and corrections of the atmosphere take off less; -9999 for no data is -0.9999 once scaled.
_NO_REFLECTANCE = -0.5


def limits(bands: Sequence[BandSpec]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The lowest and the highest value of each band; infinite where nothing fixes them."""
    ranges = [band.value_range or (-np.inf, np.inf) for band in bands]
    low, high = np.array(ranges, np.float32).T
    return low, high


def clipped(read: Read, ends: tuple[Any, Any]) -> Read:
    """Reads values clipped to what :func:`limits` gave."""
    # NaN stays: it is neither below nor above.
    return lambda window: read(window).clip(*ends).astype(np.float32)


def coarser(read: Read, step: int, shape: tuple[int, int], mean: Unit | None) -> Read:
    """Reads a band on its own pixels, of ``step`` pixels of the stack each.

    Args:
        read: Reads a window of the stack.
        step: 1: as it is.
        shape: Rows and columns of the stack.
        mean: Whether they are the mean of decibels or of power; None: each value stands repeated.
    """
    if step == 1:
        return read

    def coarse(window: PixelWindow) -> Image:
        inside = grown(window, step).clipped(shape[1], shape[0])
        assert inside is not None, "a block lies on the grid"
        image = read(inside)
        return image[::step, ::step] if mean is None else _block_mean(image, step, mean)

    return coarse


def _block_mean(radar_db: npt.NDArray[Any], step: int, mean: Unit) -> Image:
    """The mean of each block ``[h, w, C]`` of what it has, in dB: step 53's where it is whole."""
    rows, columns, bands = radar_db.shape
    lacking = [(0, -rows % step), (0, -columns % step), (0, 0)]
    padded = np.pad(radar_db.astype(np.float64), lacking, constant_values=np.nan)
    values = padded if mean == "db" else 10 ** (padded / 10)
    blocks = values.reshape(-(-rows // step), step, -(-columns // step), step, bands)
    means = blocks.mean(axis=(1, 3))
    if np.isnan(means).any():
        there = np.isfinite(blocks).sum(axis=(1, 3))
        total = np.nansum(blocks, axis=(1, 3))
        means = np.where(there > 0, total / np.maximum(there, 1), np.nan)
    return np.asarray(means if mean == "db" else 10 * np.log10(means))


def refuse_untold_nodata(known: npt.NDArray[np.float32], where: object) -> None:
    """Refuse a number for no data that no tag tells: a network smears it over its neighbours.

    Raises:
        InputError: Reflectances reach far below 0.
    """
    lowest = float(known.min(initial=0.0))
    if lowest < _NO_REFLECTANCE:
        what = f"holds values of {lowest:.4g}, which are no reflectance"
        hint = "if they stand for no data, say so in the file (gdal_edit.py -a_nodata)"
        raise InputError(what, where=where, hint=hint)


def of_level(lacking: Sequence[str], form: Form) -> str:
    """What to do about a stack of level 2A, which knows no B10, before a model of level 1C."""
    if form.level != "L1C" or list(lacking) != ["B10"]:
        return ""
    return "level 2A has no B10, and the model was trained on level 1C: give it that product"


def of_offset(known: npt.NDArray[np.float32], coding: BandSpec, published: bool) -> Sequence[str]:
    """What sampled reflectances say of the offset that was taken off them, or was not."""
    if float(np.percentile(np.abs(known), 99.9)) < _TOO_DARK:
        return [f"holds nothing above {_TOO_DARK:g}: was its scale applied already?"]
    if coding.offset < 0 and float((known < _BELOW_ZERO).mean()) > _MANY:
        share = f"more than {_MANY:.0%} of the values lie far below 0"
        return [f"{share}: was the offset of {coding.offset:g} applied already?"]
    if coding.offset == 0 and not published and float(known.min()) >= _OFFSET:
        what = f"is nowhere below {_OFFSET:g} in any band"
        return [f"{what}: does it hold the offset of baseline 04.00 (--offset -0.1)?"]
    return []


def of_no_band(images: Sequence[Image], bands: Sequence[BandSpec]) -> list[str]:
    """What sampled images say of bands that show nothing: filled up, as B10 of level 2A is."""

    def one_value(values: npt.NDArray[Any]) -> bool:
        known = values[np.isfinite(values)]
        return bool(known.size > 1 and (known == known[0]).all())

    seen = np.concatenate([image.reshape(-1, len(bands)) for image in images])
    same = [one_value(seen[:, place]) for place in range(len(bands))]
    # Where all are, the whole scene is blank, and the model is shown that.
    odd = [band.name for band, is_same in zip(bands, same, strict=True) if is_same]
    if not odd or all(same):
        return []
    what = f"{', '.join(odd)}: one value at all 25 places that were looked at, unlike in training"
    return [f"{what}; was it filled up for a band that is not there?"]


def of_larger_pixels(images: Sequence[Image], bands: Sequence[BandSpec]) -> list[str]:
    """What sampled images say of bands that were trained on as larger pixels, each repeated."""

    def repeated(image: npt.NDArray[Any], px: int) -> bool:
        again = image[::px, ::px].repeat(px, 0).repeat(px, 1)[: image.shape[0], : image.shape[1]]
        return np.array_equal(image, again, equal_nan=True)

    odd = [
        f"{band.name} ({band.native_px})"
        for place, band in enumerate(bands)
        if not all(repeated(image[..., place], band.native_px) for image in images)
    ]
    if not odd:
        return []
    what = f"{', '.join(odd)}: not repeated over so many pixels, as the model was trained on"
    return [f"{what}; one value of each block is taken"]
