"""srgan, srs3, dsen2w and tarsgan: sizes, training steps and parameters."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import tensorflow as tf

from models import base, layers
from models.loading import load_gan_class
from sensor2sensor.core.errors import ConfigError
from tests.models.standin import batch, counts, experiment, noise

NAMES = ("srgan", "srs3", "dsen2w", "tarsgan")
SMALL = {
    "srgan": {"width": 0.1, "blocks": 1},
    "srs3": {"width": 0.1},
    "dsen2w": {"width": 0.1, "layers": 2},
    "tarsgan": {"width": 0.1, "layers": 1},
}
PER_AWRRDB = 11 * 32  # three λ in each of three rounds, two at the end, of 32 channels
ATTENTION = 192 * 64 + 64 * 192


def unbuilt(name, **settings):
    """A GAN without networks, so that one test builds one."""
    tf.keras.backend.clear_session(free_memory=False)
    module, cls = importlib.import_module(f"models.{name}"), load_gan_class(name)
    gan = cls.__new__(cls)
    gan.exp = experiment(**settings)
    gan.params = base.read_params(gan.exp, module.DEFAULTS)
    return gan


def small(name, params=None, **settings):
    return load_gan_class(name)(experiment(params=SMALL[name] | (params or {}), **settings))


# Counts measured on the original, plus what its repaired parts have more or less; those without
# parameters are in test_counts.py.
@pytest.mark.parametrize(
    ("name", "sentinel3", "params", "trainable", "fixed"),
    [
        ("dsen2w", True, {"layers": 6}, 689_079, 6 * 128),
        ("dsen2w", True, {"layers": 32}, 3_567_799, 32 * 128),
        ("tarsgan", True, {"layers": 1}, 431_415 + PER_AWRRDB, 0),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_generators_have_the_published_size(name, sentinel3, params, trainable, fixed):
    gan = unbuilt(name, size=256, sentinel3=sentinel3, params=params)
    network = gan.Generator()
    assert network.output_shape == (None, 256, 256, 3)
    assert counts(network) == (trainable, fixed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sentinel3", "params", "trainable"),
    [
        (True, {"concat": False}, 6_651_648),
        (True, {"experimental_stride": 2}, 7_094_583),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_sixteen_blocks_of_tarsgan_have_the_published_size(sentinel3, params, trainable):
    gan = unbuilt("tarsgan", size=256, sentinel3=sentinel3, params=params)
    assert counts(gan.Generator())[0] == trainable + 16 * PER_AWRRDB


@pytest.mark.usefixtures("undrawn")
def test_the_serial_field_of_srs3_has_the_size_of_the_authors():
    kernels = 64 * (25 * 3 + 81 * 64 + 169 * 64)  # each fed by the 64 channels before it
    gan = unbuilt("srs3", size=256, params={"serial": True})
    assert counts(gan.Generator())[0] == kernels + ATTENTION + 192 * 32 + 25 * 32 * 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("step_by_step")
def test_without_a_judge_none_is_built(name):
    gan = small(name, discriminator=None, gen_loss={"gen_l1": 1.0})
    assert gan.discriminator is None and gan.discriminator_optimizer is None
    logged = gan.train_step(*map(tf.constant, batch(gan.exp)), tf.constant(0, tf.int64))
    assert np.isfinite(float(logged["gen_l1"]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("step_by_step")
def test_two_steps_reach_every_weight(name):
    gan = small(name, learning_rate=1e-3)
    before = [weight.numpy() for weight in gan.generator.trainable_weights]
    for number in range(2):
        pair = map(tf.constant, batch(gan.exp, seed=number))
        logged = gan.train_step(*pair, tf.constant(number, tf.int64))
        assert all(np.isfinite(float(value)) for value in logged.values())
    for old, weight in zip(before, gan.generator.trainable_weights, strict=True):
        assert not np.array_equal(old, weight.numpy()), weight.path


def test_parameters_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="1 or 2"):
        small("tarsgan", {"experimental_stride": 4})
    with pytest.raises(ConfigError, match="int"):
        small("dsen2w", {"layers": 1.5})


def test_residual_blocks_add_nothing_by_themselves():
    image = noise(2, 8, 8, 64)
    for made in (layers.residual_block_srgan(), layers.residual_block_dsen2()):
        branch = made(image)
        np.testing.assert_allclose(layers.residual(image, made), branch + image, rtol=1e-5)
