"""Receptive field and total stride of networks whose answer is known on paper."""

from __future__ import annotations

import keras
import numpy as np
import pytest

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
    "attention": (attention, Reach(24, 24, True)),
    "more than the image": (lambda: network(conv(23), conv(23)), Reach(24, 24, True)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_known_answers(name):
    make, expected = CASES[name]
    assert reach(make()) == expected


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


def test_a_network_that_is_no_graph_is_measured_as_it_is():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = conv(5)

        def call(self, image):
            return self.inner(image)

    made = Own()
    made(np.zeros([1, 24, 24, 2], np.float32))
    assert reach(made, (24, 24, 2)) == Reach(5, 1, False)
