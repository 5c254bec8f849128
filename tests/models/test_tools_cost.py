"""Costs against closed forms; what one pixel of every model sees."""

from __future__ import annotations

import keras
import pytest

from model_tools import cost
from model_tools.graph import read_graph
from model_tools.measure import _field_px
from models import layers
from sensor2sensor.networks.reach import reach
from tests.models.family import NAMES, small_gan


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


def test_open_sides_are_those_that_are_asked_for():
    inputs = keras.Input([None, None, 2])
    conv = keras.layers.Conv2D(5, 3, padding="same")
    graph = read_graph(keras.Model(inputs, conv(inputs)), (24, 16))
    assert graph.shapes[graph.outputs[0]] == (None, 24, 16, 5)
    assert cost.gmac(graph) * 1e9 == pytest.approx(24 * 16 * 9 * 2 * 5)


def test_a_network_that_is_no_graph_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(TypeError, match="Own"):
        read_graph(Own())


@pytest.mark.parametrize(("kernel", "dilation"), [(5, 1), (3, 60)])
def test_the_field_of_a_network_with_open_sides_is_that_of_whole_tiles(kernel, dilation):
    inputs = keras.Input([None, None, 1])
    conv = keras.layers.Conv2D(1, kernel, padding="same", dilation_rate=dilation)
    assert _field_px(keras.Model(inputs, conv(inputs))) == (kernel - 1) * dilation + 1


# Pixels that one output pixel of generator and discriminator sees, both at 64 pixels.
FIELDS = {
    "aris-a": (64, 63), "aris-b": (64, 63), "aris-c": (64, 63), "sis3-b": (64, 63),
    "pix2pix": (64, 63), "srs3": (64, 63), "dmnet": (25, 63), "psgan": (34, 47),
    "srgan": (64, 64), "tarsgan": (37, 64), "dsen2w": (19, 64), "edsr": (15, 63),
    "resnet_pix2pix": (41, 63), "dsen2cr": (13, 63), "carn": (15, 64), "rrdb": (39, 64),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FIELDS)
def test_a_pixel_of_every_model_sees_its_field(name):
    gan = small_gan(name)
    found = [reach(network, (64, 64)) for network in (gan.generator, gan.discriminator)]
    assert tuple(one.receptive_field_px for one in found) == FIELDS[name]
    assert found[0].whole_image == (FIELDS[name][0] == 64)


def test_every_model_has_its_field_here():
    assert set(FIELDS) == set(NAMES)
