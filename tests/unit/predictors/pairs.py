"""Contracts and tiles of pairs of images, without files."""

from __future__ import annotations

import numpy as np

from sensor2sensor.dataset.records import TileRecord
from tests.unit.evaluation import toys

BANDS = ("B02", "B03", "B04")


def contract(**changes):
    """A pair on one grid whose input holds every target band; ``input`` takes its own changes."""
    known = toys.dataset()[1]
    dense = {"layout": "dense", "grid": None, "max_pixels": 64 * 64, **changes.pop("input", {})}
    spec = known.input.model_copy(update=dense)
    given = {"kind": "paired", "factor": 1.0, "degradation": None, "input": spec, **changes}
    return known.model_copy(update=given)


def tile(image, target, *, dense=True, index=None):
    """A record; an image that is not dense stands on the pixels that ``index`` names."""
    count = 0 if dense else image.shape[0] * image.shape[1]
    pixels = image.reshape(-1, image.shape[-1])[:count]
    index = np.zeros(target.shape[:2], np.int32) if index is None else index
    held = image if dense else None
    return TileRecord("t", target, pixels, np.zeros((count, 2)), index, {}, held)
