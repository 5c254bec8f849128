"""A loss term that compares images in what VGG19 sees in them (Johnson, Alahi, Fei-Fei 2016).

The network is frozen and no part of a model: nothing of it is trained or kept in a checkpoint. Its
weights are a file of the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.objectives.registry import IMAGES, LossInputs, register
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.names import suggestion
from sensor2sensor.pipeline.precision import computing_in

PREDICTIONS = "predictions"
CLASSIFIED_PX = 224  # what the fully connected layers take
HEAD = ("flatten", "fc1", "fc2", PREDICTIONS)
SOURCE = "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
WHOLE = "vgg19_weights_tf_dim_ordering_tf_kernels.h5"
CONVOLUTIONS = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
# ImageNet's means of blue, green and red, which Keras' VGG19 was trained without.
BGR_MEANS = (103.939, 116.779, 123.68)


@register(
    "gen_vgg",
    "generator",
    needs=IMAGES | {"value_range", "vgg"},
    paper="Johnson et al. 2016, in VGG19",
    about="Mean absolute difference in layers of VGG19 (vgg)",
)
def gen_vgg(inputs: LossInputs) -> tf.Tensor:
    """Weighted sum over layers f of VGG19 of mean |f(x) - f(x̃)|, in true colour.

    The truth's features are constants. Layers, weights and what the network is fed are those of
    ``vgg`` in ``experiment.json``.

    Raises:
        ConfigError: The target has no true colour, the file of weights is missing or another
            network's, or a layer does not exist.
    """
    settings = inputs.vgg
    if settings.bands is None:
        raise ConfigError(
            "gen_vgg needs red, green and blue among the target's bands",
            where="gen_loss.gen_vgg",
            hint="set it to null, or declare `display` in the data set's target",
        )
    network = vgg19(settings.path, tuple(settings.layers))
    real, fake = (
        network(fed(_colours(image, inputs), settings), training=False)
        for image in (inputs.target, inputs.output)
    )
    gaps = [
        weight * tf.reduce_mean(tf.abs(tf.stop_gradient(real[name]) - fake[name]))
        for name, weight in settings.layers.items()
    ]
    return tf.add_n(gaps)


def _colours(image: tf.Tensor, inputs: LossInputs) -> tf.Tensor:
    """Red, green and blue, each band's value range as [0, 1]."""
    low, width = (tf.constant(ends) for ends in (inputs.value_low, inputs.value_range))
    return tf.gather((image - low) / width, inputs.vgg.bands, axis=-1)


def fed(colours: tf.Tensor, settings: Any) -> tf.Tensor:
    """What the network is fed of ``[B, H, W, 3]`` in [0, 1]; 224 pixels for its predictions."""
    if PREDICTIONS in settings.layers:
        size = (CLASSIFIED_PX, CLASSIFIED_PX)
        colours = tf.image.resize(colours, size, antialias=True)
    if settings.preprocessing == "symmetric":
        return 2.0 * colours - 1.0
    return 255.0 * tf.reverse(colours, [-1]) - tf.constant(BGR_MEANS)


@lru_cache(maxsize=1)
def vgg19(path: Path, layers: tuple[str, ...]) -> tf.keras.Model:
    """The frozen network with a file's weights: ``[B, H, W, 3]`` to layers' outputs by name.

    Args:
        path: Keras' file, of the whole network or of its convolutions.
        layers: Names of the layers.

    Raises:
        ConfigError: The file is missing or of another network, or a layer does not exist.
    """
    headed = any(name in HEAD for name in layers)
    file = WHOLE if headed else CONVOLUTIONS
    if not path.is_file():
        raise ConfigError(
            f"no weights of VGG19 at {path}",
            where="vgg.weights",
            hint=f"get {file} from {SOURCE}",
        )
    # Within a traced step its variables would be those of the trace.
    with tf.init_scope(), computing_in("float32"):
        network = tf.keras.applications.VGG19(weights=None, include_top=headed)
        try:
            network.load_weights(path)
        except (ValueError, OSError, KeyError) as error:
            raise ConfigError(
                f"{path} does not hold the weights that {', '.join(layers)} need "
                f"({str(error).splitlines()[0]})",
                where="vgg.weights",
                hint=f"get {file} from {SOURCE}",
            ) from error
        network.trainable = False
        return features_of(network, layers)


def features_of(network: tf.keras.Model, layers: tuple[str, ...]) -> tf.keras.Model:
    """The same network with the outputs of these layers, by name.

    Raises:
        ConfigError: A layer does not exist; the nearest is named.
    """
    known: Mapping[str, Any] = {layer.name: layer for layer in network.layers}
    for name in layers:
        if name not in known:
            hint = suggestion(name, known)
            raise ConfigError(f"VGG19 has no layer '{name}'", where="vgg.layers", hint=hint)
    return tf.keras.Model(network.inputs[0], {name: known[name].output for name in layers})
