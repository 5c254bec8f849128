"""Receptive field and total stride of networks whose answer is known on paper."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from sensor2sensor.networks.reach import Reach, reach


def network(*stack, size=24, channels=2):
    inputs = keras.Input([size, size, channels])
    x = inputs
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


def conv(size, stride=1, padding="same", **more):
    return keras.layers.Conv2D(2, size, stride, padding, **more)


def up(size, stride=2, **more):
    return keras.layers.Conv2DTranspose(2, size, stride, "same", **more)


def patchgan(stages):
    """Strided 4 x 4 convolutions, then two of stride 1 without padding (Isola et al. 2017)."""
    size = 16 * 2**stages
    layers = [conv(4, 2, activation="relu") for _ in range(stages)]
    return network(*layers, conv(4, padding="valid"), conv(4, padding="valid"), size=size * 2)


def bare(stages):
    """A graph with gates that hide: ReLUs that are off, weights of 0, a norm over the image."""
    return network(
        conv(3, bias_initializer=keras.initializers.Constant(-9.0)),
        keras.layers.ReLU(),
        keras.layers.GroupNormalization(groups=-1),
        conv(5, kernel_initializer="zeros"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Dropout(0.5),
        up(2),
        size=stages,
    )


def attention():
    inputs = keras.Input([24, 24, 2])
    weights = keras.layers.GlobalAveragePooling2D(keepdims=True)(inputs)
    return keras.Model(inputs, keras.layers.Multiply()([inputs, conv(1)(weights)]))


def graph(make, size=24):
    """What operations make of an image and of what a 3 x 3 convolution makes of it."""
    inputs = keras.Input([size, size, 2])
    return keras.Model(inputs, make(inputs, conv(3)(inputs)))


class Saturated(keras.layers.Layer):
    def call(self, image):
        return tf.nn.relu6(image - 100.0)


class Activated(keras.layers.Activation):
    pass


def inner_only(image):
    """A `valid` convolution and padding after it: nothing is seen at the output's border."""
    return keras.layers.ZeroPadding2D(1)(conv(3, padding="valid")(image))


def statistics():
    """Local contrast: operations that are no layers, beside a convolution within a chain."""
    inputs = keras.Input([24, 24, 2])
    mean = keras.layers.AveragePooling2D(5, 1, "same")(inputs)
    spread = keras.ops.sqrt(keras.ops.square(inputs - mean) + 0.1)
    chain = keras.Sequential([conv(3), keras.layers.LeakyReLU()])
    return keras.Model(inputs, chain((inputs - mean) / spread))


CASES = {
    "1 x 1": (lambda: network(conv(1)), Reach(1, 1, False)),
    "pixelgan": (lambda: network(conv(1), conv(1, activation="relu")), Reach(1, 1, False)),
    "dilated": (lambda: network(conv(3, dilation_rate=3), conv(3)), Reach(9, 1, False)),
    "patchgan 16": (lambda: patchgan(1), Reach(16, 2, False)),
    "patchgan 70": (lambda: patchgan(3), Reach(70, 8, False)),
    "patchgan 286": (lambda: patchgan(5), Reach(286, 32, False)),
    "down and up": (lambda: network(conv(4, 2), up(4)), Reach(6, 2, False)),
    "a chain": (lambda: keras.Sequential([keras.Input([24, 24, 2]), conv(3, 2), up(2)]),
                Reach(3, 2, False)),
    "from a coarse grid": (lambda: network(conv(3), up(4, 4)), Reach(3, 1, False)),
    "enlarged twice": (lambda: network(conv(3, 2), keras.layers.UpSampling2D(4)),
                       Reach(3, 2, False)),
    "gates": (lambda: bare(24), Reach(8, 2, False)),
    "statistics": (statistics, Reach(7, 1, False)),
    "attention": (attention, Reach(24, None, True)),
    "more than the image": (lambda: network(conv(23), conv(23)), Reach(24, None, True)),
    "clip": (lambda: graph(lambda x, y: ops.clip(x + y, 0, 1e-9)), Reach(3, 1, False)),
    "saturated": (lambda: graph(lambda _, y: ops.relu6(ops.tanh(ops.hard_sigmoid(1e3 * y)) + 9)),
                  Reach(3, 1, False)),
    "maximum": (lambda: graph(lambda x, y: ops.minimum(ops.maximum(conv(5)(y), x - 1e3), x)),
                Reach(7, 1, False)),
    "maximum of a number": (lambda: graph(lambda _, y: ops.maximum(-np.inf, ops.abs(y - 1e3))),
                            Reach(3, 1, False)),
    "where": (lambda: graph(lambda x, y: ops.where(y > 1e3, x, 0.0)), Reach(3, 1, False)),
    "what cancels": (lambda: graph(lambda _, y: ops.relu(y) + ops.relu(-y)), Reach(3, 1, False)),
    "a maximum over pixels": (lambda: graph(lambda _, y: ops.max_pool(y, 2)), Reach(4, 2, False)),
    "layers that saturate": (lambda: graph(lambda x, y: keras.layers.Maximum()([
        x, Activated("tanh")(keras.layers.Rescaling(1e3)(y)) ])), Reach(3, 1, False)),
    "functions of the user's": (lambda: network(conv(3), Saturated(), keras.layers.Lambda(
        lambda x: tf.nn.relu(-x)), keras.layers.Lambda(lambda x: tf.nn.avg_pool2d(
            x, 3, 1, "SAME"))), Reach(5, 1, False)),
    "padded after": (lambda: network(inner_only, size=12), Reach(3, 1, False)),
    "skips pixels at the border": (lambda: network(conv(1, 2), conv(3)), Reach(5, 2, False)),
    # Outside a graph TensorFlow 2.21 ended the process here, in a gradient nobody asked for.
    "a stride wider than its kernel": (lambda: network(
        conv(1, 5), conv(2, padding="valid"), size=150), Reach(6, 5, False)),
    "too small to see a stride": (lambda: network(conv(20, 4, "valid")), Reach(20, None, False)),
}  # fmt: skip


def only_warning(caplog):
    """The one line at warning; a worker that ran other tests may let debug lines through."""
    (line,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    return line


@pytest.mark.parametrize("name", CASES)
def test_known_answers(name):
    make, expected = CASES[name]
    assert reach(make()) == expected


def test_of_several_inputs_all_count_in_pixels_of_the_finest():
    fine, coarse = keras.Input([24, 24, 2]), keras.Input([12, 12, 1])
    grown = keras.layers.UpSampling2D(4)(conv(5, 2)(coarse))
    made = keras.Model([fine, coarse], keras.layers.Concatenate()([conv(7)(fine), grown]))
    # 5 coarse pixels are 10 fine ones, and a stride of 2 of them is 4 fine ones, and of 1 fine one.
    assert reach(made) == Reach(10, 4, False)
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True)(coarse)
    made = keras.Model([fine, coarse], conv(7)(fine) + keras.layers.Dense(2)(pooled))
    assert reach(made) == Reach(24, None, whole_image=True)


def test_a_hundred_convolutions_do_not_fade():
    """(1/9)^100 is below the smallest float."""
    assert reach(network(*[conv(3) for _ in range(100)], size=240)).receptive_field_px == 201


def test_weights_and_random_state_stay():
    made = bare(24)
    before = [weight.numpy().copy() for weight in made.weights]
    keras.utils.set_random_seed(3)
    expected = keras.random.normal([3]).numpy(), np.random.rand()
    keras.utils.set_random_seed(3)
    reach(made)
    drawn = keras.random.normal([3]).numpy(), np.random.rand()
    np.testing.assert_array_equal(drawn[0], expected[0])
    assert drawn[1] == expected[1]
    for weight, old in zip(made.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_of_two_inputs_the_one_seen_most_of_counts():
    one, two = keras.Input([24, 24, 2]), keras.Input([24, 24, 1])
    joined = keras.layers.Concatenate()([conv(3)(one), conv(7)(two)])
    assert reach(keras.Model([one, two], joined)) == Reach(7, 1, False)


def test_open_sides_are_asked_for():
    inputs = keras.Input([None, None, 2])
    made = keras.Model(inputs, conv(5)(inputs))
    assert reach(made, (20, 24)) == Reach(5, 1, False)
    with pytest.raises(ValueError, match="say input_shape"):
        reach(made)


class Own(keras.Model):
    """A network that is no graph, its last convolution of weights as given."""

    def __init__(self, last="glorot_uniform"):
        super().__init__(name="own")
        self.inner = [conv(3), keras.layers.Dropout(0.5), conv(3, kernel_initializer=last)]

    def call(self, image, training=False):
        draw = self.inner[1]
        return self.inner[2](draw(self.inner[0](image), training=True) * 0.0 + self.inner[0](image))


def own(**options):
    made = Own(**options)
    made(np.zeros([1, 24, 24, 2], np.float32))
    return made


def test_a_network_that_is_no_graph_is_measured_as_it_is_and_that_is_said(caplog):
    made = own()
    before = [variable.numpy() for variable in made.variables]
    assert reach(made, (24, 24, 2)) == Reach(5, 1, False)
    line = only_warning(caplog)
    assert "of own may be too small" in line and "no graph of layers" in line
    for variable, old in zip(made.variables, before, strict=True):
        np.testing.assert_array_equal(variable, old)  # the seed of what it draws, too


def test_of_a_layer_that_cannot_be_copied_that_is_said(caplog):
    class Scaled(keras.layers.Layer):
        def __init__(self, how):
            super().__init__()
            self.how = how

        def call(self, image):
            return self.how(image)

    assert reach(network(conv(3), Scaled(lambda x: 2 * x))) == Reach(3, 1, False)
    line = only_warning(caplog)
    assert "may be too small" in line and "Scaled" in line


def test_where_nothing_is_seen_nothing_is_known(caplog):
    assert reach(own(last="zeros"), (24, 24, 2)) is None
    line = only_warning(caplog)
    assert "of own is not known" in line and "gradient" in line


def test_what_takes_too_long_is_given_up(caplog, monkeypatch):
    monkeypatch.setattr("sensor2sensor.networks.reach._LIMIT_S", -1.0)
    assert reach(own(), (24, 24, 2)) is None
    line = only_warning(caplog)
    assert "of own is not known: measuring it takes more than" in line


def test_an_input_that_is_not_used_is_left_out():
    one, two = keras.Input([24, 24, 2]), keras.Input([24, 24, 1])
    assert reach(keras.Model([one, two], conv(3)(one))) == Reach(3, 1, False)
