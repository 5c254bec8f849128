"""LPIPS: how far two images are from each other in what a network for photos sees in them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import tensorflow as tf

from sensor2sensor.config.vocabulary import EXTENDED, LPIPS, LPIPS_PX
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.lpips_file import BACKBONES, LpipsFile, weights
from sensor2sensor.metrics.arrays import NAN
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.registry import register
from sensor2sensor.metrics.spatial import need

# The mean and deviation that the authors' code takes off red, green and blue in [-1, 1].
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
TINY = 1e-10


@register(
    LPIPS,
    label="LPIPS",
    unit="1",
    better="lower",
    paper="Zhang et al. 2018, CVPR, version 0.1 of its weights",
    profile=EXTENDED,
)
def lpips(inputs: MetricInputs) -> tf.Tensor:
    """LPIPS (Zhang, Isola, Efros, Shechtman, Wang 2018, CVPR, equation 1) in true colour.

    Σ_l mean over places of Σ_c w_lc (φ_lc(x) - φ_lc(y))², φ the ReLU outputs of five layers of
    AlexNet or VGG16 at unit length over channels, w the file's linear heads. Each band's value
    range is mapped to [-1, 1] and clipped, as photos are there. NaN where pixels without truth
    leave holes, whose edges a network would see. The networks know photos from the ground: a
    distance between satellite images is theirs, and no reflectance's.

    Raises:
        ConfigError: There is no file of weights, or no red, green and blue.
    """
    if inputs.lpips is None or inputs.colour is None:
        lacking = "a file of weights" if inputs.lpips is None else "red, green and blue bands"
        hint = "set lpips_weights in environment.json, or leave it out of names=..."
        raise ConfigError(f"{LPIPS} needs {lacking}", where="metrics", hint=hint)
    need(inputs, LPIPS_PX, LPIPS)  # 3 x 3 places in the last layers of AlexNet
    images = (
        tf.gather(image, inputs.colour, axis=-1)
        for image in (inputs.scaled_target, inputs.scaled_prediction)
    )
    x, y = (2.0 * tf.clip_by_value(tf.cast(i, tf.float32), 0.0, 1.0) - 1.0 for i in images)
    value = tf.cast(distance(x, y, inputs.lpips), tf.float64)
    whole = tf.reduce_all(inputs.valid, axis=[1, 2])
    return tf.where(whole, value, tf.constant(NAN, tf.float64))


def distance(x: tf.Tensor, y: tf.Tensor, file: LpipsFile) -> tf.Tensor:
    """LPIPS of two batches ``[B, H, W, 3]``, red, green, blue in [-1, 1]: ``[B]`` float32."""
    held = _constants(file)
    total = tf.zeros(tf.shape(x)[:1])
    layers = zip(features(x, file), features(y, file), strict=True)
    for place, (one, other) in enumerate(layers):
        gap = (_unit(one) - _unit(other)) ** 2
        total += tf.reduce_mean(tf.reduce_sum(gap * held[f"head_{place}"], axis=-1), axis=[1, 2])
    return total


def features(image: tf.Tensor, file: LpipsFile) -> Iterator[tf.Tensor]:
    """The layers that are looked at, from fine to coarse, of images in [-1, 1]."""
    held = _constants(file)
    x = (image - tf.constant(SHIFT)) / tf.constant(SCALE)
    for number, one in enumerate(BACKBONES[file.backbone]):
        if one.pool_px:
            x = tf.nn.max_pool2d(x, one.pool_px, 2, "VALID")
        sides = [[0, 0], [one.pad_px] * 2, [one.pad_px] * 2, [0, 0]]
        x = tf.nn.conv2d(tf.pad(x, sides), held[f"kernel_{number}"], one.stride, "VALID")
        x = tf.nn.relu(x + held[f"bias_{number}"])
        if one.looked_at:
            yield x


def _unit(layer: tf.Tensor) -> tf.Tensor:
    """At unit length over channels; 0 stays."""
    return layer / (tf.norm(layer, axis=-1, keepdims=True) + TINY)


@lru_cache(maxsize=1)
def _constants(file: LpipsFile) -> dict[str, tf.Tensor]:
    # Outside of any graph: constants of a graph would be copied into each that is built.
    with tf.init_scope():
        return {name: tf.constant(array) for name, array in weights(file).items()}
