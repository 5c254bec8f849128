"""From serialised records to tensors, as the reader's graph does it."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.upsampling import bicubic_matrix

Tensors = dict[str, tf.Tensor]


def parse(data: tf.Tensor, contract: DatasetContract) -> Tensors:
    """A serialised record as stored arrays: target and pixel table, index, or dense input."""
    spec, tile = contract.input, contract.tile_px
    arrays = {"target": (contract.target.dtype, [tile, tile, len(contract.target.bands)])}
    if spec.layout == "dense":
        arrays["input"] = (spec.dtype, [tile, tile, len(spec.bands)])
    else:
        arrays["input_pixels"] = (spec.dtype, [-1, len(spec.bands)])
        arrays["input_index"] = (spec.index_dtype, [tile, tile])
    features = {key: tf.io.FixedLenFeature([], tf.string) for key in arrays}
    raw = tf.io.parse_single_example(data, features)
    return {
        key: tf.reshape(tf.io.decode_raw(raw[key], tf.as_dtype(dtype)), shape)
        for key, (dtype, shape) in arrays.items()
    }


def physical(stored: tf.Tensor, bands: tuple[BandSpec, ...]) -> tf.Tensor:
    """Stored numbers as physical float32 values, bit for bit as ``records.to_physical``."""
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
    size, rows, columns = tf.shape(table)[0], table.shape[1], table.shape[2]
    first = tf.range(size)[:, tf.newaxis, tf.newaxis] * rows - 1
    return tf.gather(tf.reshape(table, [-1, columns]), tf.cast(index, tf.int32) + first)


def pad_table(table: tf.Tensor, rows: int) -> tf.Tensor:
    """Fill a pixel table ``[K, C]`` with zeros to a fixed number of rows."""
    columns = table.shape[-1]
    padded = tf.pad(table, [[0, rows - tf.shape(table)[0]], [0, 0]])
    return tf.ensure_shape(padded, [rows, columns])


def expand(tensors: Tensors, contract: DatasetContract, *, bicubic: bool) -> tf.Tensor:
    """The input on the target's grid ``[H, W, Ci]``, in physical values."""
    spec, tile = contract.input, contract.tile_px
    if spec.layout == "dense":
        return physical(tensors["input"], spec.bands)
    table = physical(tensors["input_pixels"], spec.bands)
    if not bicubic:
        return tf.gather(table, tf.cast(tensors["input_index"], tf.int32) - 1)
    rows, columns = spec.grid or (1, 1)
    grid = tf.reshape(table, [rows, columns, len(spec.bands)])
    down = tf.tensordot(bicubic_matrix(tile, rows, contract.factor), grid, axes=[[1], [0]])
    across = tf.tensordot(bicubic_matrix(tile, columns, contract.factor), down, axes=[[1], [1]])
    return tf.transpose(across, [1, 0, 2])
