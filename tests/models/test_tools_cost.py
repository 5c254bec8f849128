"""Costs against closed forms and the published table; receptive fields against gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from model_tools import cost
from model_tools.construct import construct
from model_tools.field import receptive_field
from model_tools.graph import read_graph
from models import layers
from models.loading import load_gan_class


def network(*stack, size=24, channels=2):
    inputs = keras.Input([size, size, channels])
    x = inputs
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


def test_macs_of_each_kind_of_layer_follow_their_definition():
    conv = keras.layers.Conv2D(5, 3, 2, "same")
    up = keras.layers.Conv2DTranspose(7, 4, 2, "same")
    dense = keras.layers.Dense(11)
    depthwise = keras.layers.DepthwiseConv2D(3, padding="same")
    made = network(conv, up, dense, depthwise)
    expected = 12 * 12 * 9 * 2 * 5 + 12 * 12 * 16 * 5 * 7 + 24 * 24 * 7 * 11 + 24 * 24 * 9 * 11
    assert cost.gmac(read_graph(made)) * 1e9 == pytest.approx(expected)


def test_a_layer_used_twice_is_counted_twice():
    shared = keras.layers.Conv2D(2, 3, padding="same")
    once, twice = (cost.gmac(read_graph(network(*[shared] * n))) for n in (1, 2))
    assert twice == pytest.approx(2 * once)


def test_parameters_leave_out_the_seeds_of_dropout():
    made = network(layers.deconv(3, 4, 2, True, True, 0.5))
    assert cost.parameters(made) == {"trainable": 9 * 2 * 4 + 8, "fixed": 8}
    assert cost.parameters(None) == {"trainable": 0, "fixed": 0}


def test_activations_are_the_input_and_every_output_also_inside_sequential():
    made = network(layers.conv(3, 4, 2, True, True))
    values = 24 * 24 * 2 + 3 * 12 * 12 * 4  # the input; convolution, normalisation, leaky ReLU
    assert cost.activation_mib(read_graph(made)) == pytest.approx(values * 4 / 2**20)


def test_a_network_that_is_no_graph_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(TypeError, match="Own"):
        read_graph(Own())


def _mixed():
    inputs = keras.Input([24, 24, 2])
    one = keras.layers.Conv2D(2, 3, 2, "same")(inputs)
    one = keras.layers.Conv2DTranspose(2, 4, 2, "same")(one)
    two = keras.layers.Conv2D(2, 5, padding="same")(inputs)
    joined = keras.layers.Concatenate()([one, two, inputs])
    return keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same")(joined))


def _attention():
    inputs = keras.Input([24, 24, 2])
    weights = keras.layers.GlobalAveragePooling2D(keepdims=True)(inputs)
    weights = keras.layers.Conv2D(2, 1)(weights)
    return keras.Model(inputs, keras.layers.Multiply()([inputs, weights]))


def conv(size, stride=1, padding="same", **more):
    return keras.layers.Conv2D(2, size, stride, padding, **more)


NETWORKS = {
    "1 x 1": lambda: network(conv(1)),
    "dilated": lambda: network(conv(3, dilation_rate=3), conv(3)),
    "strided, even": lambda: network(conv(4, 2), conv(4, 2), conv(3)),
    "valid and padded": lambda: network(
        conv(4, 2), keras.layers.ZeroPadding2D(), conv(4, padding="valid")
    ),
    "down and up": lambda: network(conv(4, 2), keras.layers.Conv2DTranspose(2, 4, 2, "same")),
    "up, odd kernel": lambda: network(keras.layers.Conv2DTranspose(2, 3, 2, "same"), conv(3)),
    "up, wide kernel": lambda: network(conv(2, 2), keras.layers.Conv2DTranspose(2, 9, 3, "same")),
    "up, valid": lambda: network(conv(3), keras.layers.Conv2DTranspose(2, 5, 2, "valid")),
    "pooled": lambda: network(keras.layers.AveragePooling2D(3, 2, "same"), conv(3)),
    "enlarged": lambda: network(conv(3, 2), keras.layers.UpSampling2D(4), conv(3)),
    "cropped": lambda: network(keras.layers.Cropping2D(((2, 1), (0, 3))), conv(5)),
    "U-Net": lambda: network(lambda x: layers.sis2_pix2pix(x, 32, 3, width=0.01), size=32),
    "branches": _mixed,
    "attention": _attention,
}


def measured_field(net):
    """Widest range of input rows or columns with a gradient, over all output pixels.

    With positive weights and without rectifiers nothing cancels.
    """
    for variable in net.trainable_variables:
        variable.assign(tf.fill(variable.shape, 0.05))
    image = tf.ones([1, *net.input_shape[1:]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        made = net(image, training=False)
        height, width = made.shape[1:3]
        rows = [tf.reduce_sum(made[:, row, width // 2]) for row in range(height)]
        columns = [tf.reduce_sum(made[:, height // 2, column]) for column in range(width)]
    widest = 0
    for axis, values in ((0, rows), (1, columns)):
        for value in values:
            seen = tf.reduce_sum(tape.gradient(value, image), [0, 3]).numpy()
            reached = np.flatnonzero(seen.sum(1 - axis) > 0)
            widest = max(widest, int(reached[-1] - reached[0]) + 1)
    return widest


@pytest.mark.parametrize("name", NETWORKS)
def test_the_receptive_field_is_where_the_gradient_reaches(name):
    net = NETWORKS[name]()
    assert receptive_field(read_graph(net)) == measured_field(net)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["psgan", "dmnet"])
def test_so_it_is_in_whole_models(name):
    gan, _ = construct(load_gan_class(name), width=0.1)
    found = receptive_field(read_graph(gan.generator))
    assert found == measured_field(gan.generator) < 64


def test_the_patchgan_sees_70_pixels():
    """As its paper says (Isola et al. 2017)."""
    assert receptive_field(read_graph(layers.patchgan(256, 256, 3, 3, width=0.1))) == 70


def test_a_resampling_of_unknown_reach_is_refused():
    smooth = keras.layers.UpSampling2D(2, interpolation="bilinear")
    with pytest.raises(TypeError, match="UpSampling2D"):
        receptive_field(read_graph(network(smooth)))
