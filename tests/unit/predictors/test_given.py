"""What a generator is given at once: whole tiles where it takes them and was trained on crops."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import keras
import pytest

from sensor2sensor.predictors.given import Given, given_at_once

CROPS = Given((32, 48), 16)


def experiment(
    tile=96, *, crops=True, statistics="train", factor=1, size=CROPS.size_px, elementwise=True
):
    config = SimpleNamespace(random_crop=crops, applied_statistics=statistics)
    return SimpleNamespace(
        config=config, TILESIZE=tile, IMG_HEIGHT=size[0], IMG_WIDTH=size[1],
        INPUT_HEIGHT=size[0] // factor, INPUT_CHANNELS=2, BATCH_SIZE=CROPS.batch_size,
        normaliser=SimpleNamespace(elementwise=elementwise),
    )  # fmt: skip


def network(rows=None, columns=None, *, halvings=0, enlarged=1):
    inputs = keras.Input((rows, columns, 2))
    x = skip = keras.layers.Conv2D(3, 3, padding="same")(inputs)
    for _ in range(halvings):
        x = keras.layers.MaxPool2D()(x)
    if halvings:
        x = keras.layers.UpSampling2D(2**halvings)(x)
        x = keras.layers.Concatenate()([x, skip])
    if enlarged > 1:
        x = keras.layers.UpSampling2D(enlarged)(x)
    return keras.Model(inputs, x)


def judge(side=None):
    pair = [keras.Input((side, side, channels)) for channels in (2, 3)]
    return keras.Model(pair, keras.layers.Conv2D(1, 3)(keras.layers.Concatenate()(pair)))


class Subclass(keras.Model):
    """It does not say what it takes."""

    def call(self, images, training=False):
        return images


def test_a_network_of_any_size_is_given_whole_tiles_in_as_many_pixels():
    assert given_at_once(experiment(), network()) == Given((96, 96), 16 * 32 * 48 // 96**2)
    assert given_at_once(experiment(), network(), judge()).size_px == (96, 96)
    assert given_at_once(experiment(tile=1024), network()) == Given((1024, 1024), 1)


def test_a_tile_of_its_own_grid_is_whole_too():
    enlarging = network(enlarged=4)
    assert given_at_once(experiment(factor=4), enlarging).size_px == (96, 96)
    assert given_at_once(experiment(), enlarging) == CROPS  # 96 pixels would become 384


@pytest.mark.parametrize(
    "generator",
    [network(32, 48), network(None, 48), Subclass(), lambda images, training: images],
)
def test_other_networks_are_given_what_they_were_trained_on(generator):
    assert given_at_once(experiment(), generator) == CROPS


def test_a_judge_of_one_size_keeps_both_to_crops():
    assert given_at_once(experiment(), network(), judge(32)) == CROPS


def test_without_crops_nothing_changes():
    assert given_at_once(experiment(crops=False), network()) == CROPS
    trained = given_at_once(experiment(tile=48, size=(48, 48)), network())
    assert trained == Given((48, 48), 16)


def test_a_norm_over_all_that_is_given_keeps_it_to_what_was_trained_on():
    assert given_at_once(experiment(elementwise=False), network()) == CROPS


def test_a_batch_that_is_normalised_together_keeps_its_size():
    assert given_at_once(experiment(statistics="batch"), network()) == Given((96, 96), 16)


def test_one_that_does_not_take_the_tile_is_said_to_be_given_windows(caplog):
    with caplog.at_level(logging.WARNING):
        # 143 is halved to 71 and comes back as 142, which meets no skip.
        assert given_at_once(experiment(tile=143), network(halvings=1)) == CROPS
    assert "given windows, not whole tiles of 143 pixels: " in caplog.text
    assert given_at_once(experiment(tile=144), network(halvings=1)).size_px == (144, 144)
