"""From serialised records to tensors, as the reader's graph does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec
from sensor2sensor.dataset.upsampling import bicubic_matrix, by_native_px

Tensors = dict[str, tf.Tensor]
EXTRA = "extra/"  # before the name of an extra in a record


def parse(data: tf.Tensor, contract: DatasetContract, extras: Sequence[ExtraSpec] = ()) -> Tensors:
    """A serialised record as stored arrays.

    Args:
        data: The record.
        contract: Says which arrays it holds.
        extras: Those of its extras to take out as well.

    Returns:
        Target and pixel table, index, or dense input; extras as ``extra/<name>``.
    """
    spec, tile = contract.input, contract.tile_px
    arrays: dict[str, tuple[str, Sequence[int]]] = {
        "target": (contract.target.dtype, [tile, tile, len(contract.target.bands)]),
        **{EXTRA + extra.name: (extra.dtype, extra.shape) for extra in extras},
    }
    if spec.layout == "dense":
        arrays["input"] = (spec.dtype, [*_input_px(contract), len(spec.bands)])
    else:
        arrays["input_pixels"] = (spec.dtype, [-1, len(spec.bands)])
        arrays["input_index"] = (spec.index_dtype, [tile, tile])
    features = {key: tf.io.FixedLenFeature([], tf.string) for key in arrays}
    raw = tf.io.parse_single_example(data, features)
    return {key: _array(raw[key], *form) for key, form in arrays.items()}


def _array(raw: tf.Tensor, dtype: str, shape: Sequence[int]) -> tf.Tensor:
    if dtype == "string":
        return raw
    # Little-endian, decode_raw's default, is how records are written on every machine.
    return tf.reshape(tf.io.decode_raw(raw, tf.as_dtype(dtype)), shape)


def _input_px(contract: DatasetContract) -> tuple[int, int]:
    """Rows and columns of an input that is known to have a grid."""
    return contract.input_px or (contract.tile_px, contract.tile_px)


def physical(stored: tf.Tensor, bands: tuple[BandSpec, ...]) -> tf.Tensor:
    """Stored numbers as physical float32 values, bit for bit as ``records.to_physical``."""
    # As Sentinel-2 says, (DN + RADIO_ADD_OFFSET) / QUANTIFICATION_VALUE; * 0.0001 rounds otherwise.
    values = tf.cast(stored, tf.float32)
    shift, divisor = (
        _common(np.array(part, dtype=np.float32))
        for part in ([b.shift for b in bands], [b.divisor for b in bands])
    )
    values = values + shift if shift.any() else values
    return values / divisor if (divisor != 1).any() else values


def _common(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One number where all bands agree: a scalar is broadcast ten times faster than a vector."""
    return values[0] if (values == values[0]).all() else values


def gather_pixels(table: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Each target pixel's input: tables ``[B, K, C]``, indices ``[B, H, W]`` from 1 on.

    One gather from the joined tables; TensorFlow's batched gather takes twice as long.
    """
    (size, rows), columns = tf.unstack(tf.shape(table)[:2]), table.shape[2]
    # The rows of a tile come after those of the tiles before it.
    first = tf.range(size)[:, tf.newaxis, tf.newaxis] * rows - 1
    return tf.gather(tf.reshape(table, [-1, columns]), tf.cast(index, tf.int32) + first)


def on_own_grid(tensors: Tensors, contract: DatasetContract) -> tf.Tensor:
    """The input on its own regular grid ``[h, w, Ci]``, in physical values."""
    spec = contract.input
    if spec.layout == "dense":
        return physical(tensors["input"], spec.bands)
    # The table of a regular grid holds its pixels row by row.
    table = physical(tensors["input_pixels"], spec.bands)
    return tf.reshape(table, [*_input_px(contract), len(spec.bands)])


def expand(tensors: Tensors, contract: DatasetContract, *, bicubic: bool) -> tf.Tensor:
    """The input on the target's grid ``[H, W, Ci]``, in physical values."""
    spec = contract.input
    if spec.layout == "pixels" and not bicubic:
        table = physical(tensors["input_pixels"], spec.bands)
        return tf.gather(table, tf.cast(tensors["input_index"], tf.int32) - 1)
    image = on_own_grid(tensors, contract)
    native_px = [band.native_px for band in spec.bands]
    if bicubic and max(native_px) > 1:
        return _from_own_pixels(image, contract, native_px)
    if spec.grid is None:
        return image
    return enlarge(image, contract, bicubic=bicubic)


def _from_own_pixels(
    image: tf.Tensor, contract: DatasetContract, native_px: Sequence[int]
) -> tf.Tensor:
    """As ``dataset.upsampling.upsample``: what is stored repeated is interpolated but once."""
    groups = by_native_px(native_px)
    parts = [
        _bicubic(tf.gather(image[::px, ::px], bands, axis=-1), contract, px)
        for px, bands in groups.items()
    ]
    order = np.argsort([band for bands in groups.values() for band in bands])
    return tf.gather(tf.concat(parts, axis=-1), order, axis=-1)


def enlarge(image: tf.Tensor, contract: DatasetContract, *, bicubic: bool) -> tf.Tensor:
    """A picture on the input's grid ``[h, w, C]`` on the target's: ``[H, W, C]``."""
    tile, (rows, columns) = contract.tile_px, _input_px(contract)
    if not bicubic:
        for axis, count in enumerate((rows, columns)):
            # A pixel's centre lies half a pixel in, so ends meet where the factor is no integer.
            nearest = np.floor((np.arange(tile) + 0.5) / contract.factor).astype(np.int32)
            image = tf.gather(image, np.minimum(nearest, count - 1), axis=axis)
        return image
    return _bicubic(image, contract)


def _bicubic(image: tf.Tensor, contract: DatasetContract, px: int = 1) -> tf.Tensor:
    """Pixels of ``px`` input pixels a side on the target's grid."""
    # Stored on the target's grid, an input lies there, however coarse its sensor.
    tile, factor = contract.tile_px, px * (contract.factor if contract.input.grid else 1.0)
    rows, columns = -(-_input_px(contract)[0] // px), -(-_input_px(contract)[1] // px)
    # Keys' kernel is a product of one along rows and one along columns. tensordot puts the axis
    # that it makes first, which the transposition undoes.
    down = tf.tensordot(bicubic_matrix(tile, rows, factor), image, axes=[[1], [0]])
    across = tf.tensordot(bicubic_matrix(tile, columns, factor), down, axes=[[1], [1]])
    return tf.transpose(across, [1, 0, 2])
