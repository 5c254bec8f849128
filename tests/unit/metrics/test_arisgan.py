"""Profile arisgan reproduces the published conventions, number by number of the fact sheet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.metrics import arisgan, compute, profile_metrics
from tests.unit.metrics import oracles

OPTIONS = {"value_ranges": [[0.0, 1.0]] * 3, "factor": 30.0, "profile": "arisgan"}


def raw(name, target, prediction):
    """A metric as coded, on the values as they are."""
    batch = (np.asarray(i, np.float64)[None] for i in (target, prediction))
    return float(arisgan.METRICS[name](*batch)[0])


@pytest.fixture(scope="module")
def pair():
    truth = oracles.texture(11, low=0.0, high=1.0).astype(np.float64)
    noise = np.random.default_rng(12).normal(0, 0.05, truth.shape)
    return truth, 0.8 * truth + 0.05 + noise


def test_rmse_forgets_the_bands():
    zeros = np.zeros((32, 32, 3))
    assert raw("rmse", zeros, zeros + 0.1) == pytest.approx(0.1732, abs=5e-5)


def test_ergas_takes_the_mean_of_the_prediction_and_a_quarter():
    truth = np.random.default_rng(0).normal(100, 10, (128, 128, 3))
    assert raw("ergas", truth, truth / 2) == pytest.approx(25.12, abs=0.02)


def test_uiqi_tops_out_at_three_quarters(pair):
    assert raw("uiqi", pair[0], pair[0]) == pytest.approx(0.75)


def test_uiqi_equals_numpy_covariances(pair):
    total = 0.0
    for b in range(3):
        y, x = (i[..., b].ravel() for i in pair)
        cov = np.cov(y, x)
        means = y.mean(), x.mean()
        bottom = (cov[0, 0] + cov[1, 1]) * (means[0] ** 2 + means[1] ** 2)
        total += 4 * cov[0, 1] * means[0] * means[1] / bottom
    assert raw("uiqi", *pair) == pytest.approx(total / 4)


def test_sam_of_identical_images_is_float32_noise(pair):
    assert 1e-6 < raw("sam", pair[0], pair[0]) < 1e-3


def test_a_dead_network_scores_as_published(pair):
    values = compute(pair[0][None], np.zeros_like(pair[0])[None], **OPTIONS)
    got = {name: float(value[0]) for name, value in values.items()}
    assert got["sam"] == 0.0 and got["uiqi"] == 0.0 and got["ergas"] == math.inf
    assert all(math.isnan(got[name]) for name in ("scc", "cc", "hpsi", "ssim", "psnr"))


def test_a_dead_network_at_256_pixels_has_exactly_one_over_256():
    truth = oracles.texture(13, shape=(256, 256, 3))
    values = compute(truth[None], np.zeros_like(truth)[None], names=["rmse"], **OPTIONS)
    assert float(values["rmse"][0]) == pytest.approx(1 / 256, rel=1e-6)


def test_the_sobel_runs_along_the_channels():
    image = np.full((8, 8, 3), [1.0, 3.0, 10.0])
    response = arisgan.channel_sobel(image[None]).numpy()[0]
    np.testing.assert_allclose(response[4, 4], [48, 144, -48])
    expected = ndimage.sobel(image, axis=-1, mode="constant")
    np.testing.assert_allclose(response[1:-1, 1:-1, 1], expected[1:-1, 1:-1, 1])


def test_scc_equals_scipy_sobel_with_zero_padding(pair):
    sobel = [ndimage.sobel(np.pad(i, 1), axis=-1, mode="constant")[1:-1, 1:-1, 1:-1] for i in pair]
    each = [np.corrcoef(sobel[0][..., b].ravel(), sobel[1][..., b].ravel())[0, 1] for b in range(3)]
    assert raw("scc", *pair) == pytest.approx(np.mean(each))


def test_stretched_metrics_are_blind_to_gain_and_offset(pair):
    assert raw("hpsi", pair[0], pair[0] / 2) == pytest.approx(1.0)
    assert raw("ssim", pair[0], pair[0] + 0.1) == pytest.approx(1.0)
    assert raw("psnr", pair[0], pair[0] + 0.1) > 250
    assert raw("scc", pair[0], pair[0] / 2) == pytest.approx(1.0)


def test_ssim_psnr_and_hpsi_equal_other_code_on_stretched_images(pair):
    y, x = ((i - i.min()) / (i.max() - i.min()) * 255 for i in pair)
    ssim = structural_similarity(y, x, data_range=255, channel_axis=-1)
    assert raw("ssim", *pair) == pytest.approx(ssim, abs=1e-6)
    assert raw("psnr", *pair) == pytest.approx(peak_signal_noise_ratio(y, x, data_range=255))
    assert raw("hpsi", *pair) == pytest.approx(oracles.haarpsi(y, x), abs=1e-9)


def test_compute_divides_both_images_by_their_own_norm(pair):
    got = compute(pair[0][None], pair[1][None], **OPTIONS)
    y, x = (i / np.sqrt(np.sum(i**2)) for i in pair)
    expected = math.sqrt(np.sum((y - x) ** 2) / (64 * 64))
    assert float(got["rmse"][0]) == pytest.approx(expected)
    already = compute(pair[0][None], x[None], prediction_is_normalised=True, **OPTIONS)
    assert float(already["rmse"][0]) == pytest.approx(expected)


def test_the_profile_has_no_metric_the_original_lacked(pair):
    assert set(profile_metrics("arisgan")) == set(arisgan.METRICS)
    assert not {"hp_l1", "l1"} & set(arisgan.METRICS)
    with pytest.raises(ConfigError, match="hp_l1"):
        compute(pair[0][None], pair[1][None], names=["hp_l1"], **OPTIONS)


def test_the_published_scc_praises_blocks_without_any_detail():
    # Twelve-fold nearest-neighbour blocks: 0.69 as coded against 0.002 by Zhou on the fact sheet.
    truth = oracles.texture(14, shape=(240, 240, 3))
    smooth = np.stack([ndimage.gaussian_filter(truth[..., b], 8) for b in range(3)], -1)
    truth = (truth + 4 * smooth * [1.0, 2.0, 4.0]).astype(np.float32)
    blocks = truth.reshape(20, 12, 20, 12, 3).mean((1, 3)).repeat(12, 0).repeat(12, 1)
    ranges = {"value_ranges": [[0.0, 20.0]] * 3, "factor": 12.0, "names": ["scc"]}
    published = compute(truth[None], blocks[None], profile="arisgan", **ranges)["scc"]
    standard = compute(truth[None], blocks[None], **ranges)["scc"]
    assert float(published[0]) > 0.5 and abs(float(standard[0])) < 0.05
