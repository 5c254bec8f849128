"""Normalisation of layers: batch, instance, group and spectral.

A discriminator's normalisation can be chosen (``discriminator.norm`` of an experiment), since
some objectives do not bear batch normalisation: a gradient penalty bounds the gradient of every
image by itself, and batch normalisation ties the images of a batch together. A generator's can be
chosen too (``params.norm``): instance and group normalisation have no statistics that could lag.
"""

from __future__ import annotations

import tensorflow as tf

from models.parts.seeds import normal

KINDS = ("published", "batch", "instance", "spectral", "none")
GENERATOR_KINDS = ("published", "batch", "instance", "group", "none")
PLAIN_INSTANCE = "instance, plain"  # without gain and offset; no setting's name
# Of batch normalisation. The published networks have Keras' 0.99, whose moving statistics are those
# of some hundred steps ago: weights that move fast are then judged with statistics of other ones.
MOMENTUM = 0.9
EPSILON = 1e-5  # of instance and group normalisation, as in their papers
GROUPS = 32
_TINY = 1e-12


def batchnorm() -> tf.keras.layers.Layer:
    """Batch normalisation (Ioffe, Szegedy 2015): momentum 0.9, Keras' epsilon 1e-3.

    The one place that makes this layer.
    """
    return tf.keras.layers.BatchNormalization(momentum=MOMENTUM)


def instancenorm(affine: bool = True) -> tf.keras.layers.Layer:
    """Instance normalisation (Ulyanov et al. 2016): per image and channel, with gain and offset."""
    given = {"epsilon": EPSILON, "center": affine, "scale": affine}
    return tf.keras.layers.GroupNormalization(groups=-1, **given)


def groupnorm(channels: int) -> tf.keras.layers.Layer:
    """Group normalisation (Wu, He 2018): per image and group of channels, 32 groups.

    Fewer where 32 do not divide the channels or would leave one channel a group, which is
    instance normalisation.
    """
    fitting = (g for g in range(min(GROUPS, channels // 2), 1, -1) if channels % g == 0)
    return tf.keras.layers.GroupNormalization(groups=next(fitting, 1), epsilon=EPSILON)


def normalisation(kind: str, channels: int) -> list[tf.keras.layers.Layer]:
    """The layers that normalise by statistics: one, or none for ``spectral`` and ``none``.

    Args:
        kind: ``batch``, ``instance``, :data:`PLAIN_INSTANCE`, ``group``, ``spectral`` or
            ``none``.
        channels: Channels of the tensor.
    """
    if kind == PLAIN_INSTANCE:
        return [instancenorm(affine=False)]
    if kind == "batch":
        return [batchnorm()]
    if kind == "group":
        return [groupnorm(channels)]
    return [instancenorm()] if kind == "instance" else []


def normalised(x: tf.Tensor, kind: str) -> tf.Tensor:
    """A tensor through :func:`normalisation`."""
    for layer in normalisation(kind, x.shape[-1]):
        x = layer(x)
    return x


def chosen_norm(kind: str, *, published: bool, inner: bool = True) -> str:
    """The normalisation of one layer.

    Args:
        kind: One of :data:`KINDS` or :data:`GENERATOR_KINDS`, for the whole network.
        published: Whether the paper normalises this layer by batch.
        inner: False for the first and the last layer, which are never normalised by
            statistics; spectral normalisation takes them all (Miyato et al. 2018).

    Returns:
        ``batch``, ``instance``, ``group``, ``spectral`` or ``none``.
    """
    if kind == "published":
        return "batch" if published else "none"
    return kind if inner or kind == "spectral" else "none"


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class SpectralConv2D(tf.keras.layers.Conv2D):
    """A convolution whose kernel is divided by its largest singular value (Miyato et al. 2018).

    The kernel is seen as a matrix ``[k·k·C_in, filters]``; one power iteration at each call in
    training mode follows its largest singular value σ. The gradient goes through σ as in the
    paper (equation 12); ``keras.layers.SpectralNormalization`` overwrites the kernel instead.
    """

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self._start = normal(1.0)  # now: within `seeded`, unlike the building at the first call

    def build(self, input_shape) -> None:
        """Make the kernel and the singular vector that is followed."""
        super().build(input_shape)
        self.singular = self.add_weight(
            name="singular", shape=(1, self.filters), initializer=self._start, trainable=False,
            dtype="float32", autocast=False,
        )  # fmt: skip

    def save_own_variables(self, store) -> None:
        """Into a ``.keras`` file; a convolution would leave the singular vector out."""
        super().save_own_variables(store)
        store["singular"] = self.singular

    def load_own_variables(self, store) -> None:
        """From a ``.keras`` file."""
        super().load_own_variables(store)
        self.singular.assign(store["singular"])

    def call(self, inputs, training: bool = False):
        """Convolve ``[B, H, W, C]`` with the normalised kernel."""
        outputs = self.convolution_op(inputs, self._normalised(training))
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def _normalised(self, training: bool):
        kernel = tf.convert_to_tensor(self.kernel)
        matrix = tf.reshape(tf.cast(kernel, tf.float32), [-1, self.filters])
        right = tf.convert_to_tensor(self.singular)
        # The vectors are constants for the gradient; σ = left · W · right is not.
        left = tf.stop_gradient(_unit(tf.matmul(right, matrix, transpose_b=True)))
        if training:
            right = tf.stop_gradient(_unit(tf.matmul(left, matrix)))
            self.singular.assign(right)
        sigma = tf.reduce_sum(tf.matmul(left, matrix) * right)
        return kernel / tf.cast(tf.maximum(sigma, _TINY), kernel.dtype)


def _unit(vector: tf.Tensor) -> tf.Tensor:
    return tf.math.l2_normalize(vector, axis=-1, epsilon=_TINY)
