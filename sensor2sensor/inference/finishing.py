"""From predictions to the bands of a file: one, or mean and spread; then the ends of intervals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from sensor2sensor.inference.method import Method
from sensor2sensor.inference.output import Kind, OutputBand, output_bands
from sensor2sensor.inference.scenes.scene import Image
from sensor2sensor.predictors.intervals import percent

TAG = "S2S_INTERVALS"


def kinds_of(method: Method) -> tuple[Kind, ...]:
    """The kinds of bands: of several predictors their mean and their spread."""
    return ("prediction",) if len(method.predictors) == 1 else ("mean", "std")


def bands_of(method: Method) -> tuple[OutputBand, ...]:
    """The bands of a method's file, in order."""
    made = output_bands(method.form, kinds_of(method))
    if method.intervals is None:
        return made
    known = {band.name for band in method.intervals.bands}
    ends = output_bands(method.form, ("lower", "upper"))
    return (*made, *(band for band in ends if band.name in known))


def finished(method: Method, values: Image) -> Image:
    """The values of :func:`bands_of` ``[h, w, B]``, from ``[N, h, w, C]`` of N predictors."""
    made = np.array(values[0]) if len(values) == 1 else spread(values)
    if method.intervals is None:
        return made
    names = [band.name for band in method.form.target.bands]
    mean, std = made[..., : len(names)], made[..., len(names) :]
    ends = method.intervals.bounds(mean, std if std.shape[-1] else None, names)
    return np.concatenate([made, *ends], axis=-1)


def interval_tags(method: Method, shift: Sequence[str]) -> dict[str, str]:
    """Tags of a file that say what its intervals are; none where it has no such bands.

    Args:
        method: What predicts.
        shift: In what the prediction is of another kind than what was calibrated.
    """
    return {} if method.intervals is None else {TAG: json.dumps(method.intervals.told(shift))}


def interval_notices(method: Method, shift: Sequence[str]) -> list[str]:
    """What whoever reads the bounds has to know of them; arguments as of :func:`interval_tags`."""
    held = method.intervals
    if held is None:
        return []
    return [f"{percent(held.level)} intervals ({held.called}): {held.promised(shift)}"]


def told_shift(tags: Mapping[str, str]) -> list[str]:
    """What :func:`interval_tags` were told of another kind; none where a file has no such tags."""
    told: list[str] = json.loads(tags.get(TAG, "{}")).get("shift", [])
    return told


def spread(values: Image) -> Image:
    """Mean and standard deviation of N predictions ``[N, h, w, C] -> [h, w, 2 C]``.

    The deviation is the estimate from a sample (N - 1).
    """
    count, bands = len(values), values.shape[-1]
    made = np.empty((*values.shape[1:3], 2 * bands), np.float32)
    for band in range(bands):  # in float64 all of them would be many strips
        one = values[..., band].astype(np.float64)
        made[..., band] = mean = one.sum(axis=0) / count
        made[..., bands + band] = np.sqrt(((one - mean) ** 2).sum(axis=0) / (count - 1))
    return made
