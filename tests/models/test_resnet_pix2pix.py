"""The residual generator: published counts, sizes, skips, repeats, and its own default losses."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.loading import load_gan_class
from models.parts.resnet import residual_generator
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.config.model_defaults import suited_config
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.networks.reach import reach
from tests.models.standin import experiment
from tests.models.test_networks import _without_networks


def built(size=256, **params):
    tf.keras.backend.clear_session(free_memory=False)
    return _without_networks("resnet_pix2pix", experiment(size=size, params=params))


def values(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_weights)


def masked(**params):
    """Networks for a mask of one band and a photo of three."""
    gan = built(**params)
    one_band = type("Masked", (type(gan.exp),), {"INPUT_CHANNELS": 1})
    object.__setattr__(gan.exp, "__class__", one_band)
    return gan


@pytest.mark.parametrize(
    ("make", "params", "generator", "discriminator"),
    [
        (built, {}, 11_383_427, 2_768_705),
        (masked, {"input_repeat": 3}, 11_383_427, 2_768_705),
        (masked, {}, 11_377_155, 2_766_657),
        (built, {"norm": "instance"}, 11_378_179, 2_768_705),
    ],
    ids=["three bands", "mask thrice", "mask", "instance"],
)
@pytest.mark.usefixtures("undrawn")
def test_counts_are_the_published_ones(make, params, generator, discriminator):
    """V45."""
    gan = make(**params)
    network = gan.Generator()
    assert values(network) == generator
    assert network.output_shape == (None, 256, 256, 3)
    judge = gan.Discriminator()
    assert values(judge) == discriminator and judge.output_shape == (None, 30, 30, 1)


def test_a_repeated_mask_reaches_both_networks_as_one_band():
    gan = masked(size=64, width=0.1, input_repeat=3)
    assert gan.Generator().input_shape == (None, 64, 64, 1)
    assert gan.Discriminator().input_shape == [(None, 64, 64, 1), (None, 64, 64, 3)]


@pytest.mark.parametrize("side", [286, 30, 4])
def test_a_side_that_four_does_not_divide_is_refused(side):
    """V45: 286 pixels would come out as 288."""
    near = max(side // 4 * 4, 8)
    with pytest.raises(ConfigError, match=rf"{side} x {side} .* of 4, as {near} x {near}$"):
        built(side)
    assert built(36, width=0.1, blocks=1).Generator().output_shape == (None, 36, 36, 3)


def test_blocks_and_skips_change_the_network():
    plain, more, skips = (
        built(64, **{"width": 0.1, "blocks": 1, **params}).Generator()
        for params in ({}, {"blocks": 3}, {"skips": True})
    )
    kinds = [type(x).__name__ for x in more._flatten_layers()]
    assert kinds.count("Add") == 3
    joins = [x for x in skips.layers if isinstance(x, keras.layers.Concatenate)]
    assert [x.output.shape[1:] for x in joins] == [(32, 32, 26), (64, 64, 12)]
    assert values(skips) > values(plain)


def test_what_one_pixel_sees_at_the_bottleneck():
    """157 pixels before the decoder: 1 + 6 + 2 + 4 + 9 · 2 · 2 · 4."""
    inputs = keras.Input([256, 256, 1])
    made = residual_generator(inputs, width=0.05)
    network = keras.Model(inputs, made)
    deepest = [x for x in network.layers if isinstance(x, keras.layers.Add)][-1]
    found = reach(keras.Model(inputs, deepest.output))
    assert found.receptive_field_px == 157


def test_it_starts_from_the_published_initial_weights():
    network = built(64, width=0.5, blocks=2).Generator()
    kinds = keras.layers.Conv2D | keras.layers.Conv2DTranspose
    kernels = [np.ravel(x.kernel) for x in network._flatten_layers() if isinstance(x, kinds)]
    assert np.std(np.concatenate(kernels)) == pytest.approx(0.02, rel=0.02)


def config(tmp_path, **settings):
    path = tmp_path / "experiment.json"
    content = {"model_name": "resnet_pix2pix", "dataset": "aerial", **settings}
    path.write_text(json.dumps(content))
    return suited_config(*load_experiment_file(path), load_gan_class("resnet_pix2pix"))


def test_its_losses_are_least_squares_where_nothing_else_is_said(tmp_path):
    open_ = config(tmp_path)
    assert {n: w for n, w in open_.gen_loss if w} == {"gen_l1": 100.0, "gen_lsgan": 2.0}
    assert {n: w for n, w in open_.disc_loss if w} == {"disc_lsgan": 1.0}
    said = config(tmp_path, gen_loss={"gen_gan": 1.0, "gen_l1": 10.0}, disc_loss={"disc_bce": 1.0})
    assert said.gen_loss.gen_gan == 1.0 and said.gen_loss.gen_lsgan is None
    alone = config(tmp_path, discriminator=None)
    assert {n: w for n, w in alone.gen_loss if w} == {"gen_l1": 100.0}
