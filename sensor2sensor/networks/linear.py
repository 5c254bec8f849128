"""A copy of a network in which nothing but places matters: what sees what, and not how strongly.

A network as it is would hide places: a ReLU that is off and a clip that is saturated pass no
gradient, weights of 0 hide what lies behind them, and after two hundred convolutions the outermost
gradient is below the smallest float. In the copy weights are positive, functions of single pixels
are left out, what joins tensors pixel by pixel is their sum (so that no gradient is cancelled by
another), and on its way back through every layer a gradient becomes 0 or 1. Normalisation is left
out, since the statistics that instance or group normalisation takes over an image would reach
everywhere: a mean over all pixels is no detail that is seen.
"""

from __future__ import annotations

import functools
import logging
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Layers that work on single pixels, or on nothing at inference.
_SAME_PIXEL = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
    keras.layers.Rescaling,
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
    keras.layers.UnitNormalization,
    keras.layers.ActivityRegularization,
    keras.layers.Dropout,
    keras.layers.AlphaDropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)
# A maximum passes its gradient to one pixel, and any of its window could have been it; a factor can
# be 0, and differences can cancel.
_INSTEAD = {
    keras.layers.MaxPooling2D: keras.layers.AveragePooling2D,
    keras.layers.GlobalMaxPooling2D: keras.layers.GlobalAveragePooling2D,
    keras.layers.Maximum: keras.layers.Add,
    keras.layers.Minimum: keras.layers.Add,
    keras.layers.Subtract: keras.layers.Add,
    keras.layers.Multiply: keras.layers.Add,
}
# The same for operations of a graph, by the public names of their functions in keras.ops. Softmax
# is in neither list: over rows and columns it sees them all.
_OF_A_PIXEL = frozenset({
    "absolute", "fabs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cast",
    "cbrt", "ceil", "celu", "clip", "cos", "cosh", "deg2rad", "elu", "erf", "erfc", "erfinv",
    "exp", "exp2", "expm1", "floor", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_tanh", "leaky_relu", "log", "log10", "log1p", "log2", "log_sigmoid", "logical_not",
    "nan_to_num", "negative", "rad2deg", "reciprocal", "relu", "relu6", "round", "rsqrt",
    "saturate_cast", "selu", "sigmoid", "sign", "silu", "sin", "sinc", "sinh", "soft_shrink",
    "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sqrt", "square", "squareplus",
    "stop_gradient", "tan", "tanh", "tanh_shrink", "threshold", "trunc",
})  # fmt: skip
_OF_SEVERAL = frozenset({
    "add", "subtract", "multiply", "divide", "true_divide", "divide_no_nan", "floor_divide",
    "power", "mod", "fmod", "maximum", "minimum", "fmax", "fmin", "where", "greater",
    "greater_equal", "less", "less_equal", "equal", "not_equal", "logical_and", "logical_or",
    "logical_xor", "arctan2", "hypot", "logaddexp", "logaddexp2", "heaviside",
})  # fmt: skip
_MEANS = {
    "max": keras.ops.mean,
    "min": keras.ops.mean,
    "amax": keras.ops.mean,
    "amin": keras.ops.mean,
    "max_pool": keras.ops.average_pool,
}
_CHANNELS = ("filters", "units")
_FEW = 8  # channels from which on they can be fewer without another reach
_PROBE_PX = 9

logger = logging.getLogger(__name__)


def is_graph(network: Any) -> bool:
    """Whether the operations of a network are known without running it."""
    return isinstance(network, keras.Sequential) or hasattr(network, "operations")


def fewer_by(network: keras.Model) -> list[int]:
    """By how much channels can be divided: reach is a matter of places, and they cost most.

    First what divides all counts, then the one that divides those of most layers, of equals the
    largest; the others are kept. A network may not bear either: bands that are picked stay as many.
    """
    counts = [
        int(config[key])
        for layer in _layers(network)
        for config in [layer.get_config()]
        for key in _CHANNELS
        if config.get(key) is not None and config[key] > _FEW
    ]
    # One that divides all keeps their proportions, and with them what slices and gates take.
    common = math.gcd(*counts)
    fits = {count: sum(other % count == 0 for other in counts) for count in counts}
    best = max(fits, key=lambda count: (fits[count], count), default=1)
    return [count for count in dict.fromkeys((common, best)) if count > 1]


def _layers(network: Any) -> list[Any]:
    """All layers, those of networks within it too."""
    found = []
    for layer in network.layers:
        found += _layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def linear_copy(network: keras.Model, divisor: int) -> keras.Model:
    """A network of the same places; see the head of this module.

    Raises:
        Exception: It is no graph of layers, or a layer does not bear fewer channels.
    """
    if isinstance(network, keras.Sequential):
        inputs = keras.Input(network.input_shape[1:])
        made = keras.Model(inputs, _plain(network, divisor)(inputs))
    else:
        made = keras.models.clone_model(
            network,
            clone_function=lambda layer: _plain(layer, divisor),
            call_function=_applied,
        )
    # Not all equal: the pixel less the mean about it would cancel, say.
    random = np.random.default_rng(0)
    for weight in made.weights:
        if keras.backend.is_float_dtype(weight.dtype):
            # Of the size of one over the values that are summed, so that no sum grows.
            terms = max(math.prod(weight.shape[:-1]), 1)
            weight.assign(random.uniform(0.5, 1.5, weight.shape) / terms)
    return made


def _applied(layer: Any, *tensors: Any, **options: Any) -> Any:
    """What a layer makes, marked; one that does nothing is passed by: graphs of thousands exist."""
    if type(layer) is keras.layers.Identity:
        return tensors[0]
    made = layer(*tensors, **options)
    if _is_unknown(layer) and _of_a_pixel(layer, tensors, made):
        return tensors[0]
    # A difference or a product of tensors is an operation of the graph, which has no weights.
    sums = any(len(weight.shape) > 1 for weight in getattr(layer, "weights", ()))
    return _Mark()(made) if sums else made


def _plain(layer: Any, divisor: int) -> Any:
    """A layer's copy that is linear, draws nothing at random and has fewer channels."""
    if isinstance(layer, keras.Sequential):
        return functools.partial(_chain, [_plain(one, divisor) for one in layer.layers])
    if isinstance(layer, keras.Model):
        return linear_copy(layer, divisor)
    if not isinstance(layer, keras.layers.Layer):
        return _plain_operation(layer)
    if isinstance(layer, _SAME_PIXEL):
        return keras.layers.Identity(name=layer.name)
    if type(layer) is keras.layers.Lambda:
        # Keras makes none from its config: Python code is not run out of files.
        return keras.layers.Lambda(layer.function, arguments=layer.arguments, name=layer.name)
    config = layer.get_config()
    for key in config:
        if key == "activation":
            config[key] = "linear"
        elif key.endswith("_initializer"):
            config[key] = "zeros"
        elif key in _CHANNELS and config[key] is not None and config[key] % divisor == 0:
            config[key] = config[key] // divisor
    return _INSTEAD.get(type(layer), type(layer)).from_config(config)


def _chain(layers: list[Any], x: Any, **_: Any) -> Any:
    return functools.reduce(lambda made, layer: _applied(layer, made), layers, x)


def _plain_operation(operation: Any) -> Any:
    """What stands for an operation of the graph; one that moves pixels stays what it is."""
    known = {name.replace("_", ""): name for name in (*_OF_A_PIXEL, *_OF_SEVERAL, *_MEANS)}
    # LeakyRelu is what leaky_relu leaves in a graph.
    name = known.get(type(operation).__name__.lower())
    if name in _OF_A_PIXEL:
        return keras.layers.Identity()
    if name in _OF_SEVERAL:
        return _sum
    config = operation.get_config()
    if name in _MEANS:
        options = {key: config[key] for key in config if key not in ("name", "initial")}
        return functools.partial(_MEANS[name], **options)
    return type(operation).from_config(config)


def _sum(*parts: Any) -> Any:
    """The sum of tensors; numbers are left out, of which -inf is one that masks have."""
    return functools.reduce(keras.ops.add, [x for x in parts if not isinstance(x, int | float)])


def _is_unknown(layer: Any) -> bool:
    """Whether a layer is the user's own or runs the user's function, and has no variables."""
    if not isinstance(layer, keras.layers.Layer) or layer.variables:
        return False
    kind = type(layer)
    return kind is keras.layers.Lambda or getattr(keras.layers, kind.__name__, None) is not kind


def _of_a_pixel(layer: Any, tensors: tuple[Any, ...], made: Any) -> bool:
    """Whether each pixel that a layer makes depends on the pixel at its place alone, by trial."""
    images = [x for x in tensors if isinstance(x, keras.KerasTensor) and len(x.shape) == 4]
    shape = getattr(made, "shape", None)
    if len(tensors) != 1 or not images or images[0].shape != shape:
        return False
    random = np.random.default_rng(0)
    # Of either sign and many sizes, since what is saturated does not change.
    sizes = np.logspace(-2, 3, 24)[:, None, None, None]
    one = random.normal(size=(len(sizes), _PROBE_PX, _PROBE_PX, shape[-1])) * sizes
    other, middle = one.copy(), _PROBE_PX // 2
    other[:, middle, middle] = random.normal(size=(len(sizes), shape[-1])) * sizes[:, 0, 0]
    try:
        first, second = (np.asarray(layer(tf.constant(x, tf.float32))) for x in (one, other))
        same = (first == second) | ((first != first) & (second != second))  # NaN stays NaN
    # Whatever the user's code raises at an image of another size: it stays what it is.
    except Exception as error:
        logger.debug("%s is not tried on single pixels: %s", layer.name, error)
        return False
    changed = {(int(i), int(j)) for _, i, j, _ in np.argwhere(~same)}
    return changed == {(middle, middle)}


class _Mark(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Hands a tensor on; of a gradient that comes back only where it is not 0."""

    def call(self, inputs: Any) -> Any:
        """The input itself."""
        return tf.nest.map_structure(_mark, inputs)

    def compute_output_spec(self, inputs: Any) -> Any:
        """That of the input, without a graph of its own for each of hundreds of layers."""
        return tf.nest.map_structure(lambda x: keras.KerasTensor(x.shape, x.dtype), inputs)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _mark(tensor: tf.Tensor) -> Any:
    def back(slope: tf.Tensor) -> tf.Tensor:
        return tf.cast(slope != 0.0, slope.dtype)

    return tf.identity(tensor), back
