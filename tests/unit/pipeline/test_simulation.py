"""The three paths of a training pair: what each is made of, and that draws are keyed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.config.degradation import Degradation, Paths
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline import psf
from sensor2sensor.pipeline.simulation import mirrored
from sensor2sensor.training.batches import chain_of
from sensor2sensor.training.degrading import degradation_stage
from tests.models.sensors import two_sensors

RNG = np.random.default_rng(11)
STEP = tf.constant(7, tf.int64)


def made(share, *, size=16, count=3, **settings):
    """A stage of given shares, and a batch for it whose 20 m bands are repeated."""
    keys = settings.keys() & {"mtf", "noise", "half_width"}
    asked = {"paths": Paths(**share), **{key: settings.pop(key) for key in keys}}
    exp = two_sensors(size=size, degradation=Degradation(**asked), **settings)
    channels = len(exp.contract.input.bands)
    low = RNG.normal(0.2, 0.3, (count, size // 2, size // 2, channels)).astype(np.float32)
    for place, band in enumerate(exp.contract.input.bands):
        own = low[:, :: band.native_px, :: band.native_px, place]
        low[..., place] = own.repeat(band.native_px, 1).repeat(band.native_px, 2)
    target = RNG.normal(0.2, 0.3, (count, size, size, 4)).astype(np.float32)
    batch = {"input": low, "target": target, "index": np.arange(count)}
    return degradation_stage(exp), {name: tf.constant(value) for name, value in batch.items()}


def test_real_samples_are_the_readers_bit_for_bit():
    stage, batch = made({"real": 1.0})
    found = stage(batch, STEP)
    for name in batch:
        np.testing.assert_array_equal(found[name], batch[name])
    assert np.asarray(found["real"]).all() and "known" not in found


def test_simulated_inputs_are_the_target_through_the_sensor_found_by_name():
    fixed = {"B2": [0.3, 0.3], "B4": [0.25, 0.25], "B8": [0.2, 0.2], "B11": [0.15, 0.15]}
    stage, batch = made(
        {"simulated": 1.0}, mtf=fixed, native={"B08": 2}, unknown=["B11"],
        input_order=["B11", "B08", "B04", "B02"],
    )  # fmt: skip
    before = {name: np.array(value) for name, value in batch.items()}
    found = stage(batch, STEP)
    target, low = before["target"], np.asarray(found["input"])
    np.testing.assert_array_equal(low[..., 0], before["input"][..., 0])  # nobody measured B11
    wide = psf.degrade(target[..., 2:3], 4, 0.2)
    wanted = np.asarray(wide)[..., 0].repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(low[..., 1], wanted, atol=1e-6)
    for place, band, mtf in ((2, 1, 0.25), (3, 0, 0.3)):
        wanted = psf.degrade(target[..., band : band + 1], 2, mtf)
        np.testing.assert_allclose(low[..., place], wanted[..., 0], atol=2e-4)
    np.testing.assert_array_equal(found["target"], target)
    assert not np.asarray(found["real"]).any()
    for name in batch:  # what a stage is given stays as it is
        np.testing.assert_array_equal(batch[name], before[name])


def test_the_input_is_its_own_truth_one_scale_up_for_every_band():
    stage, batch = made({"wald": 1.0}, mtf=[0.3, 0.3], unknown=["B11"])
    found = stage(batch, STEP)
    low = np.asarray(batch["input"])
    assert found["input"].shape == low.shape and found["target"].shape == batch["target"].shape
    np.testing.assert_array_equal(found["target"][:, :8, :8], low)
    np.testing.assert_array_equal(found["target"][:, 8:, :8], low[:, ::-1])
    np.testing.assert_allclose(found["input"][:, :4, :4], psf.degrade(low, 2, 0.3), atol=1e-6)
    np.testing.assert_array_equal(found["input"][:, 4:, 4:], found["input"][:, 3::-1, 3::-1])
    assert np.asarray(found["known"]).all()


def test_one_scale_up_the_truth_has_the_pixels_of_the_coarsest_band():
    """10 m and 20 m to 5 m becomes 40 m and 80 m to 20 m."""
    stage, batch = made({"wald": 1.0}, mtf=[0.3, 0.3], native={"B11": 2}, size=32)
    found, low = stage(batch, STEP), np.asarray(batch["input"])
    fine, coarse = low[..., :3], low[:, ::2, ::2, 3:]
    np.testing.assert_array_equal(found["target"][:, :8, :8, 3:], coarse)
    np.testing.assert_allclose(found["target"][:, :8, :8, :3], psf.degrade(fine, 2, 0.3), atol=1e-6)
    np.testing.assert_allclose(found["input"][:, :4, :4, :3], psf.degrade(fine, 4, 0.3), atol=1e-6)
    small = np.asarray(psf.degrade(coarse, 4, 0.3)).repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(found["input"][:, :4, :4, 3:], small, atol=1e-6)


def test_draws_follow_seed_and_step_alone_and_shares_are_kept():
    share = {"real": 1.0, "simulated": 2.0, "wald": 1.0}
    noisy = {"noise": [0.0, 0.05], "unknown": ["B11"], "count": 64}
    stage, batch = made(share, **noisy)
    graph = tf.function(stage)
    first, again, other = graph(batch, STEP), stage(batch, STEP), stage(batch, STEP + 1)
    for name in first:
        np.testing.assert_allclose(first[name], again[name], atol=1e-6, err_msg=name)
    assert not np.array_equal(first["real"], other["real"])
    pairs = zip(first["target"], batch["target"], strict=True)
    same = np.array([np.array_equal(now, before) for now, before in pairs])
    real, wald = np.asarray(first["real"]), ~same
    assert np.array_equal(np.asarray(first["known"])[:, 3], wald)
    assert np.asarray(first["known"])[:, :3].all()
    # Binomial with 64 draws: 16 ± 3.5 and 32 ± 4; four deviations.
    assert abs(real.sum() - 16) < 14 and abs(wald.sum() - 16) < 14
    assert 0 < (same & ~real).sum() < 48


def test_noise_has_the_deviation_of_its_band():
    noise = {"B02": [0.02, 0.02], "B04": [0.0, 0.0], "B08": [0.1, 0.1]}
    settings = {"mtf": [0.3, 0.3], "size": 64}
    stage, batch = made({"simulated": 1.0}, noise=noise, **settings)
    clean = np.asarray(psf.degrade(batch["target"], 2, 0.3))
    off = np.asarray(stage(batch, STEP)["input"]) - clean
    np.testing.assert_allclose(off.std((0, 1, 2)), [0.02, 0.0, 0.1, 0.0], rtol=0.06, atol=1e-6)


def test_the_mtf_varies_by_image_and_band_within_its_range():
    stage, batch = made({"simulated": 1.0}, mtf=[0.1, 0.4], count=16, size=32)
    # A wave at the coarse Nyquist frequency is left with the drawn MTF.
    wave = np.cos(np.pi * (np.arange(32) - 0.5) / 2).astype(np.float32)
    target = np.broadcast_to(wave[:, None], batch["target"].shape)
    seen = stage({**batch, "target": tf.constant(target)}, STEP)["input"]
    found = np.abs(np.asarray(seen)[:, 6:10, 8]).mean(1)
    assert found.min() >= 0.099 and found.max() <= 0.401
    assert found.std(0).min() > 0.03 and found.std(1).min() > 0.01


def test_the_published_kernel_and_coefficient_are_those_of_compat():
    stage, batch = made({"simulated": 1.0}, mtf=[0.2, 0.2], compat="torchsisr")
    wanted = psf.degrade(batch["target"], 2, 0.2, half_width=3, coefficient=-0.75)
    np.testing.assert_allclose(stage(batch, STEP)["input"], wanted, atol=1e-6)
    assert made({"simulated": 1.0}, compat="torchsisr", half_width="auto")[0].half_width == "auto"


def test_mirror_images_meet_at_their_borders():
    row = np.arange(3.0)[None, None, :, None]
    found = np.asarray(mirrored(row, 3))
    assert found[0, 0, :, 0].tolist() == [0, 1, 2, 2, 1, 0, 0, 1, 2]
    assert found.shape == (1, 3, 9, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_upsampling": "nearest"}, "own, coarser grid"),
        ({"size": 12, "native": {"B11": 2}}, "a multiple of 8 pixels, not 6 x 6"),
        ({"input_order": ["B02", "B04", "B08"]}, "'B11' is no band of the input"),
        ({"noise": {"B3": [0.0, 1.0]}}, r"noise.B3: is no input band"),
    ],
)
def test_what_a_path_cannot_be_made_of_is_refused(settings, message):
    share = {"wald": 1.0, "simulated": 1.0}
    with pytest.raises(ConfigError, match=message):
        made(share, **settings)


def test_a_chain_of_the_key_prepares_normalised_batches():
    exp = two_sensors(degradation=Degradation(paths=Paths(wald=1.0)), unknown=["B11"])
    batch = made({"real": 1.0})[1]
    found = chain_of(exp)(batch, STEP)
    assert set(found) == {"input", "target", "index", "real", "known"}
