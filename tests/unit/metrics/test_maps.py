"""Profile pix2pix-maps: published vectors, an independent recomputation, and no NaN."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import convolve

from sensor2sensor.config.vocabulary import MAPS_METRICS, MAPS_TABLE, METRICS
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.metrics import compute, profile_metrics, register
from sensor2sensor.metrics.maps import high_pass

CROSS = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], float)
SIDE = 256


def score(target, prediction, low=-1.0, **options):
    """Scores of two images ``[H, W, C]`` in [-1, 1], or of two numbers, as constant images."""
    pair = [np.broadcast_to(np.asarray(x, np.float64), _shape(x)) for x in (target, prediction)]
    ranges = [[low, 1.0]] * pair[0].shape[-1]
    asked = {"value_ranges": ranges, "factor": 1.0, "profile": "pix2pix-maps", **options}
    return {name: float(v[0]) for name, v in compute(*(x[None] for x in pair), **asked).items()}


def _shape(image):
    return np.shape(image) or (SIDE, SIDE, 3)


def pictures(seed, batch=3, side=48):
    """Two batches in [-1, 1]: noise on a gradient, and another of it."""
    draw = np.random.default_rng(seed)
    ground = np.linspace(-0.9, 0.5, side)[:, None, None] + 0.2 * np.sin(np.arange(side))[:, None]
    noise = draw.normal(0, 0.2, (2, batch, side, side, 3))
    return np.clip(ground + noise * [[[[1.0, 0.7, 0.4]]]], -1, 1)


def test_the_profile_begins_with_what_was_published_and_no_other_gains_a_metric():
    assert profile_metrics("pix2pix-maps") == MAPS_TABLE
    assert MAPS_TABLE[:4] == ("ssim_compat", "psnr", "l1_compat", "hp_l1_compat")
    assert set(MAPS_TABLE) == {*MAPS_METRICS, "ssim", "psnr"}
    assert not set(MAPS_METRICS) & {*METRICS, *profile_metrics("arisgan")}


@pytest.mark.parametrize(
    ("target", "prediction", "l1", "psnr", "ssim"),
    [
        (-1.0, 1.0, 2.0, 0.0, -0.9996),  # V21
        (0.0, 1.0, 1.0, 6.0206, 0.00040),  # V22
        (0.5, 0.6, 0.1, 26.0206, 0.98362),  # V23
        (0.1, 0.3, 0.2, 20.0, None),  # V24; peak 1 on [-1, 1] would be 13.979
    ],
)
def test_constants(target, prediction, l1, psnr, ssim):
    found = score(target, prediction)
    assert found["l1_compat"] == pytest.approx(l1, abs=1e-6)
    assert found["l1_scaled"] == pytest.approx(l1 / 2, abs=1e-6)
    assert found["psnr"] == pytest.approx(psnr, abs=5e-5)
    if ssim is not None:
        assert found["ssim_compat"] == pytest.approx(ssim, abs=1e-4)


def test_a_checkerboard_and_its_inverse():
    """V25."""
    board = np.where(np.indices((SIDE, SIDE)).sum(0) % 2, 1.0, -1.0)[..., None] * np.ones(3)
    found = score(board, -board)
    assert found["psnr"] == pytest.approx(0.0, abs=1e-6)
    # (C2 - 2) / (C2 + 2) with C2 = 0.0036; the published -0.99615 is that of float32.
    assert found["ssim_compat"] == pytest.approx(-1.9964 / 2.0036, abs=1e-5)
    assert found["ssim_compat"] == pytest.approx(-0.99615, abs=1e-3)
    assert found["hp_l1_compat"] == pytest.approx(1.99609, abs=1e-5)


def test_high_pass_l1_knows_no_contrast_and_sees_the_border():
    names = {"names": ["hp_l1_compat"]}
    assert score(0.2, 0.9, **names)["hp_l1_compat"] == pytest.approx(0, abs=1e-12)  # V26
    wide = np.full((32, 64, 3), 0.5)
    assert score(wide, -wide, **names)["hp_l1_compat"] == pytest.approx(2 * 96 / (32 * 64))
    assert score(0.5, -0.5, **names)["hp_l1_compat"] == pytest.approx(0.015625)  # V27
    one, _ = pictures(1)
    assert score(one[0], 0.3 * one[0], **names)["hp_l1_compat"] == pytest.approx(
        0, abs=1e-12
    )  # V29
    impulses = np.zeros((2, 5, 5, 3))
    impulses[0, 2, 2] = impulses[1, 2, 3] = 1.0
    assert score(*impulses, **names)["hp_l1_compat"] == pytest.approx(0.16)  # V31


def test_the_filter_sums_bands_and_pads_with_zeros():
    """V30."""
    response = high_pass(tf.ones([1, 4, 4, 3]))[0, ..., 0].numpy()
    assert response.tolist() == [[6, 3, 3, 6], [3, 0, 0, 3], [3, 0, 0, 3], [6, 3, 3, 6]]


def test_a_response_of_zero_stays_zero():
    """V28: published as NaN."""
    one, _ = pictures(2)
    names = {"names": ["hp_l1_compat"]}
    assert score(np.zeros_like(one[0]), np.zeros_like(one[0]), **names)["hp_l1_compat"] == 0.0
    response = np.abs(convolve(one[0].sum(-1), CROSS, mode="constant"))
    for pair in ((one[0], np.zeros_like(one[0])), (np.zeros_like(one[0]), one[0])):
        expected = np.mean(response) / np.max(response)
        assert score(*pair, **names)["hp_l1_compat"] == pytest.approx(expected)


def test_equal_to_tensorflow_and_to_scipy_on_random_images():
    """V32 and V33 among them."""
    target, prediction = pictures(3)
    sym, unit = ([x.astype(np.float32) for x in s] for s in (
        (target, prediction), ((target + 1) / 2, (prediction + 1) / 2)
    ))  # fmt: skip
    options = {"value_ranges": [[-1.0, 1.0]] * 3, "factor": 1.0, "profile": "pix2pix-maps"}
    found = {n: v.numpy() for n, v in compute(target, prediction, **options).items()}
    whole, halved = tf.image.ssim(*sym, max_val=2.0), tf.image.ssim(*unit, max_val=1.0)
    by_band = [tf.image.ssim(*(x[..., b : b + 1] for x in sym), max_val=2.0) for b in range(3)]
    np.testing.assert_allclose(whole, np.mean(by_band, axis=0), atol=1e-6)
    np.testing.assert_allclose(found["ssim_compat"], whole, atol=1e-4)
    np.testing.assert_allclose(found["ssim"], halved, atol=1e-4)
    assert np.all(np.abs(found["ssim"] - found["ssim_compat"]) > 1e-3)
    for images, peak in ((sym, 2.0), (unit, 1.0)):
        np.testing.assert_allclose(found["psnr"], tf.image.psnr(*images, max_val=peak), rtol=1e-5)
    error = np.abs(target - prediction).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(found["l1_compat"], error)
    np.testing.assert_allclose(found["l1_scaled"], error / 2)
    np.testing.assert_allclose(found["hp_l1_compat"], _hp_l1(target, prediction))
    standard = compute(target, prediction, **{**options, "profile": "standard"}, names=["hp_l1"])
    np.testing.assert_array_equal(found["laplacian_l1"], standard["hp_l1"])


def _hp_l1(target, prediction):
    """Image by image, with SciPy's convolution."""
    scores = []
    for pair in zip(target, prediction, strict=True):
        responses = [convolve(x.sum(-1), CROSS, mode="constant", cval=0.0) for x in pair]
        first, second = (x / np.abs(x).max() for x in responses)
        scores.append(np.abs(first - second).mean())
    return scores


def test_values_come_from_the_contracts_range_and_neighbours_change_nothing():
    target, prediction = pictures(4)
    grey = [127.5 * (x + 1) for x in (target, prediction)]
    options = {"factor": 1.0, "profile": "pix2pix-maps"}
    by_range = compute(*grey, value_ranges=[[0.0, 255.0]] * 3, **options)
    for name, values in by_range.items():
        alone = [score(*pair)[name] for pair in zip(target, prediction, strict=True)]
        np.testing.assert_allclose(values, alone, rtol=1e-9, err_msg=name)


def test_nothing_is_nan_but_what_has_no_truth():
    target, _ = pictures(5)
    for pair in ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (target[0], 0 * target[0])):
        assert not any(np.isnan(value) for value in score(*pair).values()), pair
    holed = target[0].copy()
    holed[10:14, 20:24] = np.nan
    perfect = score(holed, target[0])
    assert perfect["hp_l1_compat"] == perfect["l1_compat"] == 0.0
    assert perfect["ssim_compat"] == pytest.approx(1.0)
    assert all(np.isnan(value) for value in score(np.nan * target[0], target[0]).values())


def test_a_metric_joins_a_profile_that_has_a_table():
    options = {"label": "own", "unit": "1", "better": "lower", "paper": "none"}
    with pytest.raises(ModelContractError, match="nothing can be entered in profile 'arisgan'"):
        register("own_error", **options, profile="arisgan")
