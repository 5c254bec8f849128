"""The options of pix2pix: published counts, sizes, norms of small maps, losses at known answers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import losses
from models.parts.blocks import largest_power_of_two
from sensor2sensor.core.errors import ConfigError
from tests.models.standin import experiment
from tests.models.test_networks import _without_networks

PUBLISHED = {"bias": True, "slope": 0.2}


def generator(size=256, **params):
    tf.keras.backend.clear_session(free_memory=False)
    gan = _without_networks("pix2pix", experiment(size=size, params=params))
    return gan.Generator()


@pytest.mark.parametrize(
    ("params", "values"),
    [
        ({**PUBLISHED, "bottleneck_norm": True}, 54_431_363),
        ({**PUBLISHED, "bottleneck_norm": False}, 54_429_315),
        ({}, 54_425_856),
    ],
)
def test_counts_under_the_published_settings(undrawn, params, values):
    assert generator(**params).count_params() == values


def test_bias_and_slope_reach_every_layer():
    network = generator(64, width=0.1, **PUBLISHED)
    layers = list(network._flatten_layers())
    slopes = {x.negative_slope for x in layers if isinstance(x, keras.layers.LeakyReLU)}
    kinds = keras.layers.Conv2D | keras.layers.Conv2DTranspose
    convolutions = [x for x in layers if isinstance(x, kinds)]
    assert slopes == {0.2} and len(convolutions) == 12
    assert all(x.use_bias and not np.any(x.bias) for x in convolutions)
    kernels = np.concatenate([np.ravel(x.kernel) for x in convolutions])
    assert np.std(kernels) == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize(
    ("height", "width_px", "stages"),
    [(64, 64, 6), (192, 192, 6), (320, 64, 6), (384, 128, 7), (256, 768, 8), (1024, 512, 8)],
)
def test_every_multiple_of_its_stride_will_do(height, width_px, stages):
    exp = experiment(size=height, img_width=width_px, params={"width": 0.02})
    network = _without_networks("pix2pix", exp).Generator()
    assert network.output_shape == (None, height, width_px, 3)
    downs = [x for x in network._flatten_layers() if type(x) is keras.layers.Conv2D]
    assert len(downs) == stages
    assert largest_power_of_two(height, width_px) >= 2**stages


def test_the_nearest_size_is_named():
    with pytest.raises(ConfigError, match=r"multiples of 64, as 256 x 64$"):
        _without_networks("pix2pix", experiment(size=286, img_width=33))


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_no_map_of_one_pixel_is_normalised_unless_asked_for(norm):
    network = generator(64, width=0.1, norm=norm)
    kinds = keras.layers.GroupNormalization | keras.layers.BatchNormalization
    maps = [x.output.shape[1:3] for x in network._flatten_layers() if isinstance(x, kinds)]
    assert (1, 1) not in maps and bool(maps) == (norm == "instance")
    maps = [
        x.output.shape[1:3]
        for x in generator(64, width=0.1, norm="batch", bottleneck_norm=True)._flatten_layers()
        if isinstance(x, kinds)
    ]
    assert (1, 1) in maps


def test_a_normalised_map_of_one_pixel_is_dead():
    """V36: in training mode the output is the offset, and no gradient reaches the input."""
    norm, image = (
        keras.layers.BatchNormalization(),
        tf.random.stateless_normal([1, 1, 1, 512], [1, 2]),
    )
    with tf.GradientTape() as tape:
        tape.watch(image)
        made = norm(image, training=True)
        total = tf.reduce_sum(made * tf.random.stateless_normal(made.shape, [3, 4]))
    np.testing.assert_array_equal(made, 0.0)
    np.testing.assert_array_equal(tape.gradient(total, image), 0.0)


def test_batch_normalisation_of_one_image_is_instance_normalisation():
    """V37."""
    image = tf.random.stateless_normal([1, 8, 8, 16], [1, 2], 3.0, 2.0)
    batch_norm = keras.layers.BatchNormalization(epsilon=1e-5)(image, training=True)
    instance = keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)(image)
    np.testing.assert_allclose(batch_norm, instance, atol=2e-6)


def of_answers(name, *, real=0.0, fake=0.0, logits=True):
    weights = {name: 1.0}
    bce = keras.losses.BinaryCrossentropy(from_logits=logits)
    real, fake = (tf.fill([1, 30, 30, 1], float(answer)) for answer in (real, fake))
    if name.startswith("gen_"):
        return float(losses.generator_loss(fake, fake, fake, weights, bce)[0])
    return float(losses.discriminator_loss(real, fake, weights, bce)[0])


def test_losses_at_known_answers():
    """V34 and V35."""
    assert of_answers("gen_gan") == pytest.approx(0.693147, abs=1e-6)
    assert of_answers("disc_bce") == pytest.approx(1.386294, abs=1e-6)
    # Half of the published mean squares, hence weights of 2 and 1 for "0.5 times D's loss".
    assert 2 * of_answers("gen_lsgan", fake=0.5) == pytest.approx(0.25, abs=1e-6)
    assert of_answers("disc_lsgan", real=0.5, fake=0.5) == pytest.approx(0.25, abs=1e-6)
    assert of_answers("gen_gan", fake=-20.0) == pytest.approx(20.0, abs=1e-5)
    clipped = of_answers("gen_gan", fake=0.0, logits=False)  # of a probability: Keras clips it
    assert clipped == pytest.approx(16.1181, abs=1e-3)
