"""How generators and baselines are led over a scene."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import pytest

from sensor2sensor.predictors.tiling import (
    Tiling,
    baseline_tiling,
    known_window,
    scene_predictor,
    tiling_of,
)
from tests.fakes_dataset import toy_contract

L = keras.layers
TILE = 48


def experiment(
    upsampling="nearest", *, crops=False, size=(TILE, TILE), factor=6, elementwise=True,
    dropout=False, statistics="train", kind="degraded",
):  # fmt: skip
    inference = SimpleNamespace(dropout=dropout)
    config = SimpleNamespace(random_crop=crops, inference=inference, applied_statistics=statistics)
    own = factor if upsampling == "none" else 1
    return SimpleNamespace(
        config=config, contract=toy_contract("toy", kind, factor, TILE, 0), TILESIZE=TILE,
        IMG_HEIGHT=size[0], IMG_WIDTH=size[1], INPUT_HEIGHT=size[0] // own,
        INPUT_WIDTH=size[1] // own, BATCH_SIZE=2,
        INPUT_UPSAMPLING=upsampling,
        normaliser=SimpleNamespace(elementwise=elementwise, invertible=True),
    )  # fmt: skip


def network(side=None, *, enlarged=1, halved=False, whole=False):
    image = x = keras.Input((side, side, 3))
    x = L.Conv2D(3, 3, padding="same")(x)
    if halved:
        x = L.UpSampling2D(2)(L.MaxPool2D(2)(x))
    if whole:  # from its bottleneck, at an eighth, all of so small an image is seen
        x = L.UpSampling2D(8)(L.Conv2D(3, 13, padding="same")(L.MaxPool2D(8)(x)))
    if enlarged > 1:
        x = L.UpSampling2D(enlarged)(x)
    return keras.Model(image, x)


def test_a_halo_is_what_is_seen_in_whole_input_pixels_of_the_target():
    assert tiling_of(experiment(), network()) == Tiling(6, align_px=6)
    assert tiling_of(experiment("none"), network(enlarged=6)) == Tiling(6, align_px=6)
    # Two input pixels more are looked at by the interpolation.
    assert tiling_of(experiment("bicubic"), network()) == Tiling(18, align_px=6)
    assert tiling_of(experiment(), network(halved=True)) == Tiling(6, align_px=6)


def test_a_convolution_that_was_made_for_one_size_is_led_as_a_copy_for_any():
    predictor, tiling = scene_predictor(experiment(), network(TILE))
    assert tiling.halo_px == 6
    assert predictor.describe()["size_px"] is None


def test_a_u_net_that_was_made_for_one_size_is_given_that():
    assert tiling_of(experiment(), network(TILE, whole=True)) == Tiling(None, (48, 48), 6, 12)


def test_one_of_one_size_that_strides_and_sees_little_is_led_as_a_copy_for_any():
    predictor, tiling = scene_predictor(experiment(), network(TILE, halved=True))
    assert tiling == Tiling(6, align_px=6)
    assert predictor.describe()["size_px"] is None


@pytest.mark.parametrize(
    "why", [{"elementwise": False}, {"dropout": True}, {"statistics": "image"}]
)
def test_what_depends_on_all_that_is_given_is_led_by_windows(why):
    assert tiling_of(experiment(**why), network()).window_px == (TILE, TILE)


def test_windows_are_of_what_was_trained_on():
    made, size = network(24, whole=True), (24, 24)
    assert tiling_of(experiment(crops=True, size=size), made).window_px == size
    # Tiles were resized to 24 pixels, and so are windows of as many pixels as a tile.
    predictor, tiling = scene_predictor(experiment(size=size), made)
    assert tiling.window_px == (TILE, TILE)
    assert predictor.describe()["size_px"] == [24, 24]


@pytest.mark.parametrize(("settings", "window"), [
    ({"dropout": True}, (TILE, TILE)),
    ({"statistics": "image", "crops": True, "size": (24, 32)}, (24, 32)),
    ({"size": (24, 24)}, (TILE, TILE)),  # resized
    ({}, None),  # the network tells
    ({"elementwise": False}, None),  # a model may normalise otherwise
])  # fmt: skip
def test_settings_tell_windows_before_a_network_is_there(settings, window):
    assert known_window([experiment(), experiment(**settings)]) == window
    assert known_window([]) is None


def test_baselines_need_what_their_kernels_do():
    degraded = toy_contract("toy", "degraded", 6, TILE, 0)
    assert baseline_tiling("bicubic", degraded) == Tiling(12, align_px=6)
    assert baseline_tiling("nearest", degraded) == Tiling(0, align_px=6)
    swath = toy_contract("toy", "sentinel3", 30, TILE, 0)
    assert baseline_tiling("bilinear_fit", swath) == Tiling(90)
    assert baseline_tiling("mean_colour", swath) == Tiling(0)
