"""Between grids, inside a network: bicubic steps, a sensor's blur, bands of a coarser pixel.

The kernels are those of ``pipeline.bicubic`` and ``pipeline.psf``. There they are matrices over a
whole axis; here they are convolutions with the same fixed weights, which look no farther than they
reach, stay as they are for every size of image, and can be exported. None has a variable: published
parameter counts stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from models.parts.resnet import reflected
from sensor2sensor.config.vocabulary import NATIVE_LAYER
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.upsampling import OWN_GRID, keys_kernel
from sensor2sensor.pipeline import bicubic, psf

if TYPE_CHECKING:
    from experiment import Experiment


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class Resampled(tf.keras.layers.Layer):
    """An image on a grid ``up / down`` times as fine: ``[B, H, W, C]``, H and W times up by down.

    Pixels are aligned by their outer edges and the outermost goes on beyond the border, as in
    ``bicubic.resize``. A strided convolution makes the ``up`` x ``up`` pixels that stand in the
    place of every ``down`` x ``down``; H and W are multiples of ``down``.

    Args:
        up: Fine pixels along a side.
        down: In the place of so many.
        coefficient: Of Keys' kernel; None: bilinear.
    """

    def __init__(
        self, up: int, down: int = 1, coefficient: float | None = bicubic.KEYS, **options: Any
    ) -> None:
        super().__init__(**options)
        self.up, self.down, self.coefficient = up, down, coefficient

    def call(self, inputs):
        """The image on the other grid."""
        return resampled(inputs, self.up, self.down, self.coefficient)

    def compute_output_shape(self, input_shape):
        """Sides times up by down; an unknown side stays unknown."""
        count, *sides, channels = input_shape
        sides = [None if side is None else side // self.down * self.up for side in sides]
        return (count, *sides, channels)

    def get_config(self):
        """What is needed to make the layer again."""
        own = {"up": self.up, "down": self.down, "coefficient": self.coefficient}
        return {**super().get_config(), **own}


def resampled(image: tf.Tensor, up: int, down: int, coefficient: float | None) -> tf.Tensor:
    """What :class:`Resampled` does: fill the border, convolve, lay each pixel out as a square."""
    ops = tf.keras.ops
    line, before, after = _line(up, down, coefficient)  # [K, up]
    x = _continued(_continued(image, before, after, 1), before, after, 2)
    kernel = np.einsum("ap,bq->abpq", line, line).reshape(len(line), len(line), 1, up * up)
    channels = image.shape[-1]
    kernel = ops.cast(np.repeat(kernel, channels, axis=2), image.dtype)
    x = ops.depthwise_conv(x, kernel, strides=down)
    rows, columns = ops.shape(x)[1:3]
    x = ops.reshape(x, (-1, rows, columns, channels, up, up))
    x = ops.transpose(x, (0, 1, 4, 2, 5, 3))
    return ops.reshape(x, (-1, rows * up, columns * up, channels))


def _line(up: int, down: int, coefficient: float | None) -> tuple[np.ndarray, int, int]:
    """Weights of one axis, and the pixels they reach beyond its first and last block."""
    centre = (np.arange(up) + 0.5) * down / up - 0.5
    first, last = int(np.floor(centre[0])) - 1, int(np.floor(centre[-1])) + 2
    distance = np.arange(first, last + 1)[:, np.newaxis] - centre
    if coefficient is None:
        line = np.maximum(1.0 - np.abs(distance), 0.0)
    else:
        line = keys_kernel(distance, coefficient)
    used = np.flatnonzero(np.abs(line).max(axis=1) > 0)  # what weighs nothing would only cost
    first, last = first + used[0], first + used[-1]
    line = line[used[0] : used[-1] + 1]
    # A block begins where the kernel does, so the border grows even by what is not read.
    return line.astype(np.float32), max(-first, 0), max(last - down + 1, 0)


def _continued(x: tf.Tensor, before: int, after: int, axis: int) -> tf.Tensor:
    """An axis with its outermost pixels repeated; ONNX and TensorFlow pad by no such rule."""
    first, last = (x[:, :1], x[:, -1:]) if axis == 1 else (x[:, :, :1], x[:, :, -1:])
    parts = [*[first] * before, x, *[last] * after]
    return tf.keras.ops.concatenate(parts, axis=axis) if len(parts) > 1 else x


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class Blurred(tf.keras.layers.Layer):
    """An image as coarser pixels of a Gaussian point spread see it: ``psf.degrade``.

    Args:
        mtf: Of every band, at the Nyquist frequency of the coarse pixels.
        factor: Fine pixels along a side of a coarse one.
        stride: Fine pixels from one value to the next: ``factor``, or 1 for the blur alone.
    """

    def __init__(self, mtf: Sequence[float], factor: float, stride: int, **options: Any) -> None:
        super().__init__(**options)
        self.mtf, self.factor, self.stride = [float(one) for one in mtf], factor, stride

    def call(self, inputs):
        """``[B, H, W, C] -> [B, H // stride, W // stride, C]``; reflection at the borders."""
        sigma = np.asarray(psf.sigma_px(np.array(self.mtf), self.factor))
        reach, middle = psf.reach_px(sigma), (self.stride - 1) / 2
        index = np.arange(int(np.ceil(middle - reach)), int(middle + reach) + 1)
        line = np.exp(-0.5 * np.square((index[:, np.newaxis] - middle) / sigma))  # [K, C]
        line /= line.sum(axis=0)
        kernel = np.einsum("ac,bc->abc", line, line)[..., np.newaxis]
        kernel = tf.keras.ops.cast(kernel.astype(np.float32), inputs.dtype)
        before = -int(index[0])
        # As far behind the last pixel: what reaches beyond the last whole block is cut by "valid".
        return tf.keras.ops.depthwise_conv(reflected(inputs, before), kernel, strides=self.stride)

    def get_config(self):
        """What is needed to make the layer again."""
        own = {"mtf": self.mtf, "factor": self.factor, "stride": self.stride}
        return {**super().get_config(), **own}


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class NativeGrid(tf.keras.layers.Layer):
    """Bands that are stored repeated, taken back to their own pixels and enlarged bicubically.

    The 20 m bands beside 10 m ones have one value for 2 x 2 stored pixels. Every second pixel is
    the 20 m image exactly, as long as the image begins with a whole pixel of it. The order of the
    bands stays.

    Args:
        native_px: Stored pixels along a side of a band's own, for every band.
        coefficient: Of Keys' kernel.
    """

    def __init__(
        self, native_px: Sequence[int], coefficient: float = bicubic.KEYS, **options: Any
    ) -> None:
        super().__init__(**options)
        self.native_px, self.coefficient = list(native_px), coefficient

    def call(self, inputs):
        """``[B, H, W, C]``, any H and W."""
        ops = tf.keras.ops
        rows, columns = ops.shape(inputs)[1:3]
        parts, order = [], []
        for px in sorted({*self.native_px}):
            bands = [number for number, own in enumerate(self.native_px) if own == px]
            image = ops.take(inputs, np.array(bands), axis=-1)
            if px > 1:
                # Of a side that is no multiple the last pixel is cut.
                image = resampled(image[:, ::px, ::px], px, 1, self.coefficient)
                image = image[:, :rows, :columns]
            parts.append(image)
            order += bands
        return ops.take(ops.concatenate(parts, axis=-1), np.argsort(order), axis=-1)

    def compute_output_shape(self, input_shape):
        """That of the input."""
        return input_shape

    def get_config(self):
        """What is needed to make the layer again."""
        own = {"native_px": self.native_px, "coefficient": self.coefficient}
        return {**super().get_config(), **own}


def factor_of(experiment: Experiment) -> int:
    """Target pixels along a side of a pixel that the network is given: 1, 2, 4, ..."""
    return experiment.IMG_HEIGHT // experiment.INPUT_HEIGHT


def coefficient_of(experiment: Experiment) -> float:
    """Of all bicubic steps of an experiment."""
    return bicubic.coefficient_of(experiment.config.compat)


def native(experiment: Experiment, inputs: tf.Tensor) -> tf.Tensor:
    """The input with every band on the finest input grid; itself where all are stored there.

    Raises:
        ConfigError: Bands of a coarser pixel were enlarged by repetition along with the others.
    """
    sizes, given = [band.native_px for band in experiment.contract.input.bands], experiment
    # Enlarged bicubically every band was already interpolated between its own pixels.
    if max(sizes) == 1 or given.INPUT_UPSAMPLING == "bicubic":
        return inputs
    if given.INPUT_UPSAMPLING != OWN_GRID:
        coarse = given.INPUT_BANDS[int(np.argmax(sizes))]
        raise ConfigError(
            f"'{given.INPUT_UPSAMPLING}' repeats bands of different pixels, of which the coarser"
            f" ({coarse}) cannot be taken back to their own",
            where="input_upsampling",
            hint='write "input_upsampling": "none"',
        )
    made = NativeGrid(sizes, coefficient_of(experiment), name=NATIVE_LAYER, dtype="float32")
    return made(inputs)


def shrunk(experiment: Experiment, image: tf.Tensor, reached: int) -> tf.Tensor:
    """An image ``reached`` times finer than the input on the target's grid, bicubically."""
    factor = factor_of(experiment)
    if reached == factor:
        return image
    return Resampled(factor, reached, coefficient_of(experiment), dtype="float32")(image)


def enlarged(experiment: Experiment, image: tf.Tensor) -> tf.Tensor:
    """An image of the input's grid on the target's, bicubically; itself where they are one."""
    factor = factor_of(experiment)
    if factor == 1:
        return image
    return Resampled(factor, 1, coefficient_of(experiment), dtype="float32")(image)
