"""Extras of a record on their way into a batch: moved with the pictures, or as they are.

Pictures of role ``image`` arrive in float32, whatever moved them, and are not normalised: their
units are no band's of the contract. Masks and values keep the type they are stored in.
"""

from __future__ import annotations

from collections.abc import Collection

import tensorflow as tf

from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec
from sensor2sensor.pipeline.augmentation import Picture
from sensor2sensor.pipeline.tensors import enlarge

NAME = "name"  # of the record, which batches can carry like an extra
TEXT = "string"


def carried(
    contract: DatasetContract, names: Collection[str] | None, *, texts: bool
) -> tuple[ExtraSpec, ...]:
    """The extras that batches carry.

    Args:
        contract: Of the data set.
        names: Which are asked for; None: all.
        texts: Whether texts are among all.
    """
    if names is not None:
        return tuple(extra for extra in contract.extras if extra.name in names)
    return tuple(extra for extra in contract.extras if texts or extra.dtype != TEXT)


def as_picture(
    extra: ExtraSpec, values: tf.Tensor, contract: DatasetContract, *, own: bool, bicubic: bool
) -> Picture:
    """An extra of role ``image`` or ``mask`` as a picture to be moved.

    One on the input's grid stays with the input: on that grid, or enlarged to the target's.

    Args:
        extra: What it is.
        values: ``[h, w]`` or ``[h, w, C]`` as stored.
        contract: Of the data set.
        own: Whether the input stays on its own grid.
        bicubic: Whether images are enlarged by bicubic interpolation.
    """
    mask = extra.role == "mask"
    # Before it is moved: what lies between two integers would be cut off to an integer again.
    values = values if mask else tf.cast(values, tf.float32)
    values = values[..., tf.newaxis] if len(extra.shape) == 2 else values
    coarse = extra.grid == "input" and contract.input.grid is not None
    if coarse and not own:
        values = enlarge(values, contract, bicubic=bicubic and not mask)
    # Nearest has no middle pixel in an even number and takes the later one: a mask made from 64 to
    # 32 pixels lies half a stored pixel, a quarter of a new one, up and left of its image.
    return Picture(values, "nearest" if mask else "bilinear", coarse and own)


def from_picture(extra: ExtraSpec, values: tf.Tensor) -> tf.Tensor:
    """The moved picture ``[h, w, C]`` with as many axes as the extra has."""
    return values[..., 0] if len(extra.shape) == 2 else values
