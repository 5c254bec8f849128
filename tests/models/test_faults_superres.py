"""Faults of the published ports of srgan, srs3 and tarsgan, shown to be gone.

Every test of a fault builds the faulty form too and shows that the assertion would catch it.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models import base, layers
from models.parts import superres
from sensor2sensor.core.errors import ModelContractError
from tests.models.standin import batch
from tests.models.test_models_superres import counts, noise, small

# Fault 1: the pixel shuffle scrambles the image.


def port_shuffle(self, inputs):
    """The port's order of axes: a pixel's values end up side by side."""
    r, (_, height, width, channels) = self.scale_factor, inputs.shape
    x = tf.reshape(inputs, [-1, height, width, r, r, channels // r**2])
    x = tf.transpose(x, [0, 1, 2, 5, 3, 4])
    return tf.reshape(x, [-1, height * r, width * r, channels // r**2])


EXAMPLE = np.arange(16, dtype=np.float32).reshape(1, 2, 2, 4)
SQUARES = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_pixel_shuffle_lays_every_pixel_out_as_a_square(monkeypatch):
    made = layers.pixelshuffler(2)(EXAMPLE).numpy()
    np.testing.assert_array_equal(made[0, ..., 0], SQUARES)
    many = noise(2, 3, 5, 18)
    np.testing.assert_array_equal(layers.pixelshuffler(3)(many), tf.nn.depth_to_space(many, 3))
    monkeypatch.setattr(superres.PixelShuffler, "call", port_shuffle)
    scrambled = layers.pixelshuffler(2)(EXAMPLE).numpy()
    np.testing.assert_array_equal(scrambled[0, ..., 0], np.arange(16).reshape(4, 4))
    assert not np.array_equal(scrambled[0, ..., 0], SQUARES)


def test_pixel_shuffle_takes_any_size_and_keeps_the_type():
    inputs = tf.keras.Input([None, None, 8])
    network = tf.keras.Model(inputs, layers.pixelshuffler(2)(inputs))
    assert network.output_shape == (None, None, None, 2)
    assert network(noise(1, 3, 5, 8)).shape == (1, 6, 10, 2)
    half = superres.PixelShuffler(2, dtype="bfloat16")
    assert half(tf.cast(EXAMPLE, tf.bfloat16)).dtype == tf.bfloat16
    again = superres.PixelShuffler.from_config(half.get_config())
    assert again.scale_factor == 2
    with pytest.raises(ModelContractError, match="multiple of 4"):
        layers.pixelshuffler(2)(noise(1, 4, 4, 6))


def outside_a_bright_square(generator):
    """Share of the answer's energy away from a square that is bright on the coarse grid."""
    added = [layer for layer in generator.layers if isinstance(layer, tf.keras.layers.Add)][-1]
    head = tf.keras.Model(added.output, generator.output)
    coarse = np.zeros((1, *added.output.shape[1:]), np.float32)
    coarse[0, 2:4, 9:11] = 1.0
    answer = head(coarse, training=False).numpy()[0] ** 2
    reach = 4 + 2 + 4  # of a 3 x 3 convolution at a quarter, one at a half, and the 9 x 9
    inside = answer[max(0, 8 - reach) : 16 + reach, 36 - reach : 44 + reach]
    return 1 - inside.sum() / answer.sum()


def test_srgan_keeps_a_bright_square_in_its_place(monkeypatch):
    assert outside_a_bright_square(small("srgan").generator) == pytest.approx(0, abs=1e-6)
    monkeypatch.setattr(superres.PixelShuffler, "call", port_shuffle)
    assert outside_a_bright_square(small("srgan").generator) > 0.01


# Fault 2: SRS3's attention is zero at three of four pixels.


def port_attention(input_tensor, reduced):
    """Pooled by 2 x 2 and brought back by a 1 x 1 transposed convolution of stride 2."""
    channels = input_tensor.shape[-1]
    x = tf.keras.layers.AveragePooling2D(2)(input_tensor)
    x = layers.relu()(layers.conv(1, reduced, 1, False, False)(x))
    x = tf.keras.layers.Softmax()(layers.conv(1, channels, 1, False, False)(x))
    return layers.deconv(1, channels, 2, False, False, None)(x)


def attended(gan):
    """The network up to ``attention * x`` with its factors ``attention`` and ``x``."""
    kind = tf.keras.layers.Multiply
    (product,) = [layer for layer in gan.generator.layers if isinstance(layer, kind)]
    return tf.keras.Model(gan.generator.input, [*product.input, product.output])


def share_of_pixels_attended(gan):
    image, _ = batch(gan.exp)
    _, features, product = attended(gan)(image)
    seen = features.numpy() != 0
    return np.count_nonzero(product.numpy()[seen]) / np.count_nonzero(seen)


def share_of_pixels_that_teach_attention(gan):
    """The attention's last kernel changed: at how many pixels does the product change?"""
    image, _ = batch(gan.exp)
    network = attended(gan)
    before = network(image)[2].numpy()
    kernels = [w for w in network.trainable_weights if tuple(w.shape[:2]) == (1, 1)]
    for number, kernel in enumerate(kernels):
        kernel.assign_add(noise(*kernel.shape, seed=number))
    return (network(image)[2].numpy() != before).any(axis=-1).mean()


def test_the_attention_of_srs3_reaches_every_pixel(monkeypatch):
    assert share_of_pixels_attended(small("srs3")) == 1.0
    assert share_of_pixels_that_teach_attention(small("srs3")) > 0.999  # all ReLUs may be off
    monkeypatch.setattr(superres, "channel_attention", port_attention)
    assert share_of_pixels_attended(small("srs3")) == pytest.approx(0.25, abs=0.02)
    assert share_of_pixels_that_teach_attention(small("srs3")) == pytest.approx(0.25, abs=0.02)


def test_channel_attention_shares_one_among_the_channels():
    inputs = tf.keras.Input([16, 16, 12])
    network = tf.keras.Model(inputs, layers.channel_attention(inputs, 4))
    one, shuffled = noise(2, 16, 16, 12), noise(2, 16, 16, 12)[:, ::-1, ::-1]
    weights = network(one).numpy()
    assert weights.shape == (2, 1, 1, 12)
    np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-6)
    # Global: the weights do not depend on where something is.
    np.testing.assert_allclose(weights, network(np.ascontiguousarray(shuffled)), rtol=1e-5)
    assert counts(network) == (2 * 12 * 4, 0)


# Fault 3: TARSGAN's weights are random in every call, in inference too.


def port_weights(self, inputs):
    return inputs * tf.random.normal([self.units])


def two_answers(gan):
    image, _ = batch(gan.exp)
    return [gan.generator(image, training=False).numpy() for _ in range(2)]


def test_tarsgan_answers_the_same_twice(monkeypatch):
    first, again = two_answers(small("tarsgan"))
    np.testing.assert_array_equal(first, again)
    monkeypatch.setattr(superres.ChannelWeights, "call", port_weights)
    first, again = two_answers(small("tarsgan"))
    assert not np.array_equal(first, again)


def lambda_gradients(gan):
    image, _ = batch(gan.exp)
    weights = [
        layer.factor for layer in gan.generator.layers if isinstance(layer, superres.ChannelWeights)
    ]
    with tf.GradientTape() as tape:
        answer = gan.generator(image, training=True)
        total = tf.reduce_sum(answer * noise(*answer.shape))
    return weights, tape.gradient(total, weights)


@pytest.mark.parametrize("stride", [1, 2])
def test_every_weight_of_tarsgan_is_learned(stride):
    gan = small("tarsgan", {"layers": 2, "experimental_stride": stride})
    weights, gradients = lambda_gradients(gan)
    assert len(weights) == 2 * 11
    learned = {id(weight) for weight in gan.generator.trainable_weights}
    assert all(id(weight) in learned for weight in weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, weight.path


def test_the_random_weights_of_the_port_learn_nothing(monkeypatch):
    monkeypatch.setattr(superres.ChannelWeights, "call", port_weights)
    assert lambda_gradients(small("tarsgan"))[1] == [None] * 11


def test_the_noise_of_a_block_falls_in_training_only_and_has_a_seed():
    def network():
        with layers.seeded(3, "generator"):
            inputs = tf.keras.Input([8, 8, 4])
            made = tf.keras.Model(inputs, layers.awrrdb_block(inputs, 8, 4))
        for layer in made.layers:
            if isinstance(layer, superres.ChannelWeights):
                layer.factor.assign(tf.ones([4]))
        return made

    image, one, other = noise(1, 8, 8, 4), network(), network()
    trained = one(image, training=True).numpy()
    np.testing.assert_array_equal(trained, other(image, training=True))
    assert not np.array_equal(trained, one(image, training=True))
    np.testing.assert_array_equal(one(image, training=False), other(image, training=False))
    states = [v for v in one.variables if "seed_generator_state" in v.path]
    assert len(states) == 3 and len({tuple(np.asarray(state)) for state in states}) == 3


def test_an_untrained_block_is_that_of_esrgan():
    """Its dense blocks silenced, it is x + 0.2 x (Wang et al. 2018, residual scaling 0.2)."""
    inputs = tf.keras.Input([8, 8, 4])
    network = tf.keras.Model(inputs, layers.awrrdb_block(inputs, 8, 4))
    for weight in network.trainable_weights:
        if len(weight.shape) == 4:
            weight.assign(tf.zeros_like(weight))
    image = noise(1, 8, 8, 4)
    np.testing.assert_allclose(network(image, training=True), 1.2 * image, rtol=1e-5)


def test_weights_for_other_channels_are_refused():
    with pytest.raises(ModelContractError, match="4 weights do not fit 3 channels"):
        layers.multiply_lambda(4)(noise(1, 2, 2, 3))
    again = superres.ChannelWeights.from_config(layers.multiply_lambda(4, initial=0.5).get_config())
    np.testing.assert_array_equal(again(np.ones((1, 1, 1, 4), np.float32)), 0.5)


def test_multiply_layer_multiplies_a_pair():
    one, two = noise(1, 2, 2, 3), noise(1, 2, 2, 3, seed=1)
    np.testing.assert_array_equal(layers.multiply_layer(3)([one, two]), one * two)


# Fault 4: TARSGAN's discriminator can call nothing fake.


def answers(network, exp):
    """Probabilities of "real" with the judge's last weights as they are, and negated."""
    made = []
    for _ in range(2):
        made.append(network([*batch(exp)], training=True).numpy())
        for weight in network.trainable_weights[-2:]:
            weight.assign(-weight)
    return np.concatenate(made)


def port_ending(network):
    """ReLU before the sigmoid."""
    bounded = tf.keras.layers.Activation("sigmoid")(layers.relu()(network.output))
    return tf.keras.Model(network.inputs, bounded)


def test_the_judge_of_tarsgan_can_call_an_image_real_and_fake():
    gan = small("tarsgan")
    logits = answers(gan.discriminator, gan.exp)
    assert logits.min() < 0 < logits.max()
    probabilities = answers(port_ending(gan.discriminator), gan.exp)
    assert not probabilities.min() < 0.5 < probabilities.max()
    assert probabilities.max() > 0.5  # so it is the ending that bounds, not a silent network


def test_the_judge_of_tarsgan_learns_to_tell_real_from_fake():
    gan = small("tarsgan", learning_rate=1e-2)
    image, real = batch(gan.exp)
    judge, optimizer = gan.discriminator, gan.discriminator_optimizer
    for _ in range(15):
        with tf.GradientTape() as tape:
            called_real, called_fake = (judge([image, x], training=True) for x in (real, -real))
            total = gan.loss_object(tf.ones_like(called_real), called_real)
            total += gan.loss_object(tf.zeros_like(called_fake), called_fake)
        base.update(optimizer, tape, total, judge)
    assert tf.reduce_max(called_fake) < 0 < tf.reduce_min(called_real)
