"""Two judges of an image alone, of any size: a small encoder, and the U-Net of Real-ESRGAN.

Neither looks at the input, which may have another grid; they are given it as all judges are. With
``discriminator.highpass`` they see only what a sensor of pixels twice as coarse would lose, so that
an adversary has no say in reflectances.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from models.parts.grids import Resampled
from models.parts.judges import refuse_patch_keys
from models.parts.norms import chosen_norm
from models.parts.primitives import conv, lrelu, scaled
from models.parts.seeds import glorot, he_normal, seeded
from sensor2sensor.pipeline import bicubic, psf

if TYPE_CHECKING:
    from experiment import Experiment

CHOICES = (False, "encoder", "unet")  # of a model's parameter `discriminator`
ENCODER = ((32, 1), (32, 2), (64, 2), (128, 2))  # filters, stride
HEAD = 512
SLOPE = 0.2


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class HighPass(tf.keras.layers.Layer):
    """What ``psf.highpass`` leaves of an image ``[B, H, W, C]``; its arguments are of that."""

    detail_alone = True  # what training.recipe asks for where an experiment has the key

    def __init__(
        self,
        mtf: float,
        factor: int = 2,
        half_width: psf.HalfWidth = "auto",
        coefficient: float = bicubic.KEYS,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.mtf, self.factor = mtf, factor
        self.way: dict[str, Any] = {"half_width": half_width, "coefficient": coefficient}

    def call(self, inputs):
        """The detail alone."""
        return psf.highpass(inputs, self.mtf, self.factor, **self.way)

    def compute_output_shape(self, input_shape):
        """That of the input."""
        return input_shape

    def get_config(self):
        """What is needed to make the layer again."""
        return {**super().get_config(), "mtf": self.mtf, "factor": self.factor, **self.way}


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class QuarterMeans(tf.keras.layers.Layer):
    """The means of the four quarters of any map: ``[B, H, W, C] -> [B, 2, 2, C]``.

    PyTorch's adaptive average pooling: of an odd side both halves hold the pixel in the middle.
    """

    def call(self, inputs):
        """Halve the rows, then the columns."""
        ops, x = tf.keras.ops, inputs
        rows, columns = ops.shape(x)[1:3]
        halves = [x[:, : (rows + 1) // 2], x[:, rows // 2 :]]
        x = ops.stack([ops.mean(half, axis=1) for half in halves], axis=1)
        halves = [x[:, :, : (columns + 1) // 2], x[:, :, columns // 2 :]]
        return ops.stack([ops.mean(half, axis=2) for half in halves], axis=2)

    def compute_output_shape(self, input_shape):
        """Two rows and two columns."""
        return (input_shape[0], 2, 2, input_shape[-1])


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class CutTo(tf.keras.layers.Layer):
    """A map cut to the sides of another: halving an odd side and doubling it gives one more."""

    def call(self, inputs):
        """``[x, other]``: the upper left part of x."""
        x, other = inputs
        rows, columns = tf.keras.ops.shape(other)[1:3]
        return x[:, :rows, :columns]

    def compute_output_shape(self, input_shape):
        """Sides of the second, channels of the first."""
        return (*input_shape[1][:3], input_shape[0][-1])


def detail_judge(experiment: Experiment, kind: str | bool, width: float) -> tf.keras.Model | None:
    """An experiment's judge of one of the :data:`CHOICES`: ``[input, target]`` to logits.

    Args:
        experiment: Gives channels, the discriminator's settings and the seed.
        kind: ``encoder`` (``[B, 1, 1, 1]`` logits), ``unet`` (``[B, H, W, 1]``) or False.
        width: Multiplies the filters.

    Returns:
        None where the model or the experiment asks for none.

    Raises:
        ConfigError: The experiment sets a key of PatchGANs.
    """
    asked = experiment.DISCRIMINATOR
    if not kind or asked is None:
        return None
    refuse_patch_keys(experiment)
    with seeded(experiment.SEED, "discriminator"):
        image = tf.keras.layers.Input([None, None, experiment.INPUT_CHANNELS], name="input_image")
        target = tf.keras.layers.Input(
            [None, None, experiment.OUTPUT_CHANNELS], name="target_image"
        )
        x = target if asked.highpass is None else _highpass(experiment)(target)
        make = encoder if kind == "encoder" else unet
        return tf.keras.Model([image, target], make(x, width, asked.norm), name="discriminator")


def _highpass(experiment: Experiment) -> HighPass:
    compat = experiment.config.compat
    return HighPass(
        experiment.DISCRIMINATOR.highpass,
        half_width=psf.half_width_of(compat),
        coefficient=bicubic.coefficient_of(compat),
        dtype="float32",
    )


def encoder(x: tf.Tensor, width: float = 1.0, norm: str = "published") -> tf.Tensor:
    """Convolutions with leaky ReLU, the means of the quarters, two connected layers.

    Args:
        x: ``[B, H, W, C]``.
        width: Multiplies filters and units (at least 4 each).
        norm: ``models.parts.norms.KINDS``; published: batch in all layers but the first.

    Returns:
        ``[B, 1, 1, 1]`` logits.
    """
    outer = chosen_norm(norm, published=False, inner=False)
    inner = chosen_norm(norm, published=True)
    activation = partial(lrelu, SLOPE)
    for number, (filters, stride) in enumerate(ENCODER):
        options = {"stride": stride, "norm": inner if number else outer, "activation": activation}
        x = conv(3, scaled(filters, width), kernel_initializer=he_normal(), **options)(x)
    # In float32: the mean over a quarter of an image loses too much in bfloat16.
    x = QuarterMeans(dtype="float32")(x)
    dense = {"padding": "valid", "norm": outer, "use_bias": True}
    start = {"kernel_initializer": glorot()}
    x = conv(2, scaled(HEAD, width), activation=activation, **start, **dense)(x)
    return conv(1, 1, kernel_initializer=glorot(), dtype="float32", **dense)(x)


def unet(x: tf.Tensor, width: float = 1.0, norm: str = "published") -> tf.Tensor:
    """The judge of Real-ESRGAN (Wang et al. 2021, arXiv 2107.10833): one answer a pixel.

    Args:
        x: ``[B, H, W, C]``.
        width: Multiplies its 64 filters (at least 4).
        norm: ``models.parts.norms.KINDS``; published: spectral in all layers but first and last.

    Returns:
        ``[B, H, W, 1]`` logits.
    """
    kind = "spectral" if norm == "published" else chosen_norm(norm, published=True)
    outer = "none" if norm == "published" else chosen_norm(norm, published=False, inner=False)
    filters, activation = scaled(64, width), partial(lrelu, SLOPE)

    def inner(kernel_size: int, times: int, stride: int = 1) -> tf.keras.layers.Layer:
        options = {"stride": stride, "norm": kind, "activation": activation}
        return conv(kernel_size, times * filters, kernel_initializer=he_normal(), **options)

    first = {"norm": outer, "use_bias": True, "kernel_initializer": he_normal()}
    x = conv(3, filters, activation=activation, **first)(x)
    skips = []
    for times in (2, 4, 8):
        skips.append(x)
        x = inner(4, times, stride=2)(x)
    for times, skip in zip((4, 2, 1), reversed(skips), strict=True):
        # Bilinear by a convolution: TensorFlow's own has no second derivative, which a gradient
        # penalty asks for.
        x = CutTo()([Resampled(2, 1, None)(x), skip])
        x = tf.keras.layers.Add()([inner(3, times)(x), skip])
    x = inner(3, 1)(inner(3, 1)(x))
    last = {"use_bias": True, "kernel_initializer": glorot(), "dtype": "float32"}
    return conv(3, 1, norm=outer, **last)(x)
