"""Sentinel-1 backscatter beside Sentinel-2: its limits, its units and its mean over 40 m."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError

Floats = npt.NDArray[np.float64]
Unit = Literal["db", "linear"]
# Beyond them values are clipped (Meraner et al. 2020).
LIMITS_DB: Final = MappingProxyType({"VV": (-25.0, 0.0), "VH": (-32.5, 0.0)})
# One step of 16 bit power, -48.2 dB: below every limit, and finite in a mean of decibels.
LEAST_POWER: Final = 1 / 65535
# Real radar lies far within (of real samples -47 to 26 dB). What lies beyond marks no data, as -99
# and -9999 do, which no tag need declare: one such pixel would darken its whole block.
_MOST_DB: Final = 90.0
# A scene whose half is brighter is none: a town has -5 dB. Integers of 8 and 16 bits are brighter.
_BRIGHT_DB: Final = 10.0


def in_db(linear: npt.NDArray[Any]) -> Floats:
    """Backscatter in dB, of any shape; power of 0 is -48.2 dB, which clipping takes to the limit.

    Args:
        linear: Power, >= 0; NaN stays.
    """
    power = np.maximum(linear.astype(np.float64), LEAST_POWER)
    decibels: Floats = 10 * np.log10(power)
    return decibels


def block_mean(radar_db: npt.NDArray[Any], factor: int, *, domain: Unit = "db") -> Floats:
    """Radar as a coarser sensor has it: each pixel the mean of its block.

    Args:
        radar_db: Backscatter in dB ``[H, W, C]``, not cropped: blocks begin in its corner, so that
            a crop would have others.
        factor: Pixels along the side of a block, the simple mean over ``factor`` x ``factor``.
        domain: Whether the mean is that of decibels or of power, which is never below it.

    Returns:
        dB ``[H, W, C]`` on the same grid, each mean repeated over its block.

    Raises:
        DatasetError: A side is not a whole number of blocks.
    """
    rows, columns, bands = radar_db.shape
    if rows % factor or columns % factor:
        raise DatasetError(
            f"{rows} x {columns} pixels of radar are no whole blocks of {factor} x {factor}",
            hint="both sides have to be a multiple of the block",
        )
    values = radar_db.astype(np.float64)
    if domain == "linear":
        values = 10 ** (values / 10)
    blocks = values.reshape(rows // factor, factor, columns // factor, factor, bands)
    means: Floats = blocks.mean(axis=(1, 3))
    if domain == "linear":
        means = 10 * np.log10(means)
    return means.repeat(factor, axis=0).repeat(factor, axis=1)


def measured(radar: npt.NDArray[Any], unit: Unit) -> npt.NDArray[np.bool_]:
    """Where all bands hold a value that radar can have, ``[H, W]``.

    Power of 0 in all bands is none: products are padded with it beyond the swath. In one band it
    is a value, ground darker than the noise that was taken off. Negative power is none, unless most
    is: that file is in dB, which :func:`refuse_other_unit` tells.

    Args:
        radar: ``[H, W, C]`` as it is stored.
        unit: What it is said to be in.
    """
    seen = np.isfinite(radar) & (radar >= -_MOST_DB)
    if unit == "db":
        seen &= radar <= _MOST_DB
    elif 2 * np.count_nonzero(radar[seen] < 0) <= np.count_nonzero(seen):
        seen &= (radar >= 0) & (radar <= 10 ** (_MOST_DB / 10))
        seen &= (radar != 0).any(axis=-1, keepdims=True)
    valid: npt.NDArray[np.bool_] = seen.all(axis=-1)
    return valid


def refuse_other_unit(radar: npt.NDArray[Any], unit: Unit, where: object) -> None:
    """Refuse radar that cannot be in the unit that it is said to be in, or that is none.

    Args:
        radar: ``[H, W, C]`` as it is stored, before it is clipped or converted.
        unit: What it is said to be in.
        where: For the message.

    Raises:
        DatasetError: It is another unit, each band is one value throughout (or not a number), or
            its numbers are those of a scale that nobody knows.
    """
    known = radar[measured(radar, unit)]
    finite = radar[np.isfinite(radar) & (radar != 0)]
    one_value = known.size == 0 or bool((known == known[0]).all())
    # Of numbers of another scale a pixel by chance may pass.
    few = 2 * len(known) < np.count_nonzero(np.isfinite(radar).all(axis=-1))
    if one_value and few and finite.size and finite.min() < finite.max():
        raise _of_other_scale(finite, where)
    if one_value:
        raise DatasetError(
            "holds no radar: each band is one value throughout",
            where=where,
            hint="fetch the file again",
        )
    negative = bool((known < 0).any())
    if unit == "db" and not negative:
        raise DatasetError(
            "no value of its radar is negative, so it is linear power and no dB",
            where=where,
            hint="pass --s1-unit linear",
        )
    if unit == "linear" and negative:
        raise DatasetError(
            "its radar has negative values, so it is dB and no linear power",
            where=where,
            hint="pass --s1-unit db",
        )
    if unit == "linear" and float(np.median(known)) > 10 ** (_BRIGHT_DB / 10):
        raise _of_other_scale(known, where)


def _of_other_scale(numbers: npt.NDArray[Any], where: object) -> DatasetError:
    low, high = numbers.min(), numbers.max()
    return DatasetError(
        f"holds no radar in dB or power: its numbers are {low:g} to {high:g}",
        where=where,
        hint="undo what they were stored with: it takes dB (-50 to 30) or power (0 to 1000)",
    )
