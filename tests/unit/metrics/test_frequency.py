"""The error of the spectrum beyond the input's Nyquist frequency, in closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from sensor2sensor.dataset.degradation import degrade
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.dataset.upsampling import upsample
from sensor2sensor.metrics import compute
from sensor2sensor.metrics.frequency import POWER_FLOOR
from tests.unit.metrics import oracles

SIDE, FACTOR = 64, 6.0
RANGES = [[0.0, 0.5], [0.1, 0.6], [0.0, 0.7]]


def score(truth, guess, **options):
    asked = {"value_ranges": RANGES, "factor": FACTOR, "names": ["lsd_hf"], **options}
    return float(compute(truth[None], guess[None], **asked)["lsd_hf"][0])


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(0, 0.05, (SIDE, SIDE, 3))


@pytest.fixture(scope="module")
def truth():
    return oracles.texture(1)


def wave(cycles):
    """A wave along x of so many cycles per image, in three bands."""
    x = np.arange(SIDE) / SIDE
    return np.broadcast_to(0.1 * np.sin(2 * np.pi * cycles * x)[:, None], (SIDE, SIDE, 3))


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0, 3.0])
def test_noise_scaled_by_g_is_twenty_log_g_away(noise, gain):
    expected = abs(20 * math.log10(gain))
    assert score(0.3 + noise, 0.3 + gain * noise) == pytest.approx(expected, abs=1e-4)


def test_the_mean_of_an_image_is_no_detail(noise):
    assert score(0.3 + noise, 0.4 + noise) == pytest.approx(0.0, abs=1e-9)


def test_other_noise_of_the_same_power_is_near(noise):
    other = np.random.default_rng(1).normal(0, 0.05, noise.shape)
    assert score(0.3 + noise, 0.3 + other) < 1.5  # amounts are compared and not places


def test_only_frequencies_beyond_the_inputs_nyquist_count(noise):
    # 64 / (2 * 6) = 5.33 cycles per image; the window spreads a wave over one more on either side.
    assert score(noise, noise + wave(3)) == pytest.approx(0.0, abs=1e-9)
    assert score(noise, noise + wave(8)) > 0.2
    assert score(noise, noise + wave(3), factor=16.0) > 0.2


def test_a_prediction_without_detail_is_the_floor_below_white_noise(noise):
    sigma = np.std(noise, axis=(0, 1)) / np.diff(RANGES)[:, 0]
    expected = np.mean(10 * np.log10(sigma**2 / POWER_FLOOR))
    assert score(0.3 + noise, np.full_like(noise, 0.3)) == pytest.approx(expected, abs=0.5)


def test_blurred_and_upsampled_images_lack_detail(truth):
    blurred = ndimage.gaussian_filter(truth, (2, 2, 0))
    low = degrade(truth, 6, resolution_m=10.0)
    upsampled = upsample(TileRecord("tile", truth, low.pixels, low.xy, low.index), "bicubic")
    assert score(truth, blurred) > 10.0
    assert score(truth, upsampled) > 10.0
    assert score(truth, truth) == 0.0


def test_equals_numpy_ring_by_ring(truth):
    guess = ndimage.gaussian_filter(truth, (1, 1, 0))
    for factor in (2.0, 6.0, 30.0):
        expected = oracles.lsd_hf(truth, guess, RANGES, factor)
        assert score(truth, guess, factor=factor) == pytest.approx(expected, rel=1e-9)


def test_undefined_without_a_band_beyond_nyquist_or_without_detail(truth, noise):
    assert math.isnan(score(truth, truth, factor=1.0))
    flat = truth.copy()
    flat[..., 1] = 0.2
    assert math.isnan(score(flat, truth))
    assert not math.isnan(score(truth, flat))


def test_wide_images_and_a_batch_of_unknown_size_inside_a_graph(noise):
    wide = (0.3 + noise)[:32].astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, 32, SIDE, 3])] * 2)
    def scores(first, second):
        asked = {"value_ranges": RANGES, "factor": FACTOR, "names": ["lsd_hf"]}
        return compute(first, second, **asked)["lsd_hf"]

    halved = 0.3 + (wide - np.float32(0.3)) / 2
    values = scores(np.stack([wide] * 3), np.stack([halved, wide, halved]))
    far = 20 * math.log10(2)
    np.testing.assert_allclose(values, [far, 0, far], atol=1e-3)
