"""The standard profile against other libraries, published formulas and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sewar.full_ref
import tensorflow as tf
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sensor2sensor.config.vocabulary import METRICS, TABLES
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.metrics import REGISTRY, compute, profile_metrics, zero_truth
from tests.unit.metrics import oracles

COLOUR = (2, 1, 0)  # of B02, B03, B04
RANGES = np.array([[0.02, 0.5], [0.03, 0.62], [0.0, 0.7]], dtype=np.float32)


def score(target, prediction, **options):
    asked = {"value_ranges": RANGES, "factor": 6.0, "colour": COLOUR, **options}
    values = compute(target[None], prediction[None], **asked)
    return {name: float(value[0]) for name, value in values.items()}


@pytest.fixture(scope="module")
def pair():
    truth = oracles.texture(1)
    noise = np.random.default_rng(2).normal(0, 0.03, truth.shape)
    return truth, (0.9 * truth + 0.02 + noise).astype(np.float32)


def scaled(image):
    return (image.astype(np.float64) - RANGES[:, 0]) / (RANGES[:, 1] - RANGES[:, 0]).astype(float)


def test_a_profile_has_one_hpsi_and_every_other_metric_in_the_order_of_the_table():
    assert set(REGISTRY) == {name for table in TABLES.values() for name in table}
    assert profile_metrics("standard") == tuple(n for n in METRICS if n != "hpsi_bands")
    standard = profile_metrics("standard"), profile_metrics("standard", colour=False)
    assert [set(METRICS) - set(names) for names in standard] == [{"hpsi_bands"}, {"hpsi"}]


def test_ssim_equals_scikit_image(pair):
    expected = structural_similarity(
        scaled(pair[0]),
        scaled(pair[1]),
        data_range=1.0,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert score(*pair)["ssim"] == pytest.approx(expected, abs=1e-6)


def test_ssim_equals_tensorflow(pair):
    images = [tf.constant(scaled(i)[None], tf.float32) for i in pair]
    expected = float(tf.image.ssim(images[0], images[1], max_val=1.0)[0])
    assert score(*pair)["ssim"] == pytest.approx(expected, abs=1e-4)


def test_psnr_equals_scikit_image(pair):
    expected = peak_signal_noise_ratio(scaled(pair[0]), scaled(pair[1]), data_range=1.0)
    assert score(*pair)["psnr"] == pytest.approx(expected, abs=1e-5)


def test_hpsi_equals_the_published_recipe_in_the_colours_declared(pair):
    images = [255.0 * np.clip(scaled(i), 0, 1)[..., ::-1] for i in pair]
    expected = oracles.haarpsi(*images)
    assert 0.1 < expected < 0.95
    assert score(*pair)["hpsi"] == pytest.approx(expected, abs=1e-6)
    swapped = [i[..., [2, 0, 1]] for i in pair]
    options = {"colour": (0, 2, 1), "value_ranges": RANGES[[2, 0, 1]]}
    assert score(*swapped, **options)["hpsi"] == pytest.approx(expected, abs=1e-6)


def test_hpsi_is_grey_per_band_without_the_three_colours(pair):
    images = [255.0 * np.clip(scaled(i), 0, 1) for i in pair]
    expected = np.mean([oracles.haarpsi(images[0][..., b], images[1][..., b]) for b in range(3)])
    values = score(*pair, colour=None)
    assert values["hpsi_bands"] == pytest.approx(expected, abs=1e-6) and "hpsi" not in values
    with pytest.raises(ConfigError, match="hpsi needs"):
        score(*pair, colour=None, names=["hpsi"])


def test_uiqi_equals_the_definition_in_sliding_windows(pair):
    assert score(*pair)["uiqi"] == pytest.approx(oracles.uiqi(*pair), abs=1e-9)


def test_scc_equals_scipy_and_knows_structure_from_colour(pair):
    assert score(*pair)["scc"] == pytest.approx(oracles.scc(*pair), abs=1e-9)
    coarse = np.kron(pair[0][::8, ::8], np.ones((8, 8, 1), np.float32))
    assert abs(score(pair[0], coarse)["scc"]) < 0.2  # blocks hold no detail of the truth


def test_scc_equals_sewar_where_its_window_is_the_whole_image(pair):
    # sewar averages Pearson over windows of its filter response: here nine of nearly the whole
    # image.
    truth, guess = (i[..., :1] for i in pair)
    expected = sewar.full_ref.scc(truth, guess, ws=62)
    ours = score(truth, guess, value_ranges=RANGES[:1], colour=None)["scc"]
    assert ours == pytest.approx(expected, abs=0.03)


def test_hp_l1_equals_scipy(pair):
    assert score(*pair)["hp_l1"] == pytest.approx(oracles.hp_l1(*pair, RANGES), rel=1e-6)


def test_hp_l1_of_an_impulse_is_eight_times_its_height_over_the_pixels():
    truth = np.zeros((16, 16, 3), np.float32)
    guess = truth.copy()
    guess[8, 8] = RANGES[:, 1] - RANGES[:, 0]
    assert score(truth, guess, names=["hp_l1"])["hp_l1"] == pytest.approx(8 / 256, rel=1e-6)


def test_ergas_equals_sewar_with_the_real_ratio(pair):
    # sewar multiplies by r, so its r is fine pixel over coarse pixel.
    expected = sewar.full_ref.ergas(*(i.astype(np.float64) for i in pair), r=1 / 6)
    assert score(*pair)["ergas"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("factor", "expected"), [(4, 12.56), (12, 4.187), (30, 1.675)])
def test_ergas_of_the_halved_image_of_the_fact_sheet(factor, expected):
    truth = np.random.default_rng(0).normal(100, 10, (128, 128, 3))
    ranges = [[50, 150]] * 3
    value = score(truth, truth / 2, factor=factor, value_ranges=ranges)["ergas"]
    assert value == pytest.approx(expected, rel=2e-3)


def test_sam_equals_numpy_and_the_angle_of_a_turn(pair):
    x, y = (i.reshape(-1, 3).astype(float) for i in pair)
    cosine = np.sum(x * y, 1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    expected = np.degrees(np.mean(np.arccos(np.clip(cosine, -1, 1))))
    assert score(*pair)["sam"] == pytest.approx(expected, rel=1e-6)
    red = np.full((16, 16, 3), [1, 0, 0])
    diagonal = np.full((16, 16, 3), [1, 1, 0])
    assert score(red, diagonal, names=["sam"])["sam"] == pytest.approx(45.0)


def test_sam_leaves_out_zero_truth_alone():
    truth = np.full((16, 16, 3), [1.0, 0, 0])
    guess = np.full((16, 16, 3), [1.0, 1, 0])
    guess[:4] = 0.0  # predicting nothing must not pay: 90 degrees
    expected = (4 * 90 + 12 * 45) / 16
    assert score(truth, guess, names=["sam"])["sam"] == pytest.approx(expected)
    truth[12:] = [9e-7, 0, 0]
    expected = (4 * 90 + 8 * 45) / 12
    assert score(truth, guess, names=["sam"])["sam"] == pytest.approx(expected)
    truth[12:] = [0, 0, 1.1e-6]
    expected = (4 * 90 + 8 * 45 + 4 * 90) / 16
    assert score(truth, guess, names=["sam"])["sam"] == pytest.approx(expected)
    assert score(truth, 0 * truth, names=["sam"])["sam"] == pytest.approx(90.0)
    assert math.isnan(score(0 * truth, truth, names=["sam"])["sam"])


def test_the_pixels_sam_leaves_out_are_counted():
    truth = np.ones((2, 8, 8, 3))
    truth[0, :2] = 0.0
    truth[1, 0] = [0, 5e-7, 5e-7]
    truth[1, 7, 7] = np.nan
    assert zero_truth(truth) == (24, 127)


def test_sam_of_one_band_is_undefined(pair):
    truth, guess = (i[..., :1] for i in pair)
    got = score(truth, guess, value_ranges=RANGES[:1], colour=None)
    assert [name for name, value in got.items() if math.isnan(value)] == ["sam"]


def test_cc_rmse_and_l1_equal_numpy(pair):
    got = score(*pair)
    x, y = (i.astype(float) for i in pair)
    each = [np.corrcoef(x[..., b].ravel(), y[..., b].ravel())[0, 1] for b in range(3)]
    assert got["cc"] == pytest.approx(np.mean(each), abs=1e-9)
    assert got["rmse"] == pytest.approx(math.sqrt(np.mean((x - y) ** 2)), rel=1e-9)
    assert got["l1"] == pytest.approx(np.mean(np.abs(x - y)), rel=1e-9)


def test_standard_rmse_of_the_fact_sheet():
    zeros = np.zeros((16, 16, 3))
    assert score(zeros, zeros + 0.1)["rmse"] == pytest.approx(0.1)


def test_gain_and_offset_follow_closed_forms():
    truth = oracles.texture(3, low=0.1, high=0.5)
    unit = [[0.0, 1.0]] * 3
    brighter = score(truth, truth + np.float32(0.1), value_ranges=unit)
    assert brighter["psnr"] == pytest.approx(20.0, abs=1e-4)
    assert brighter["cc"] == pytest.approx(1.0)
    assert brighter["scc"] == pytest.approx(1.0, abs=1e-6)
    assert brighter["hp_l1"] == pytest.approx(0.0, abs=1e-6)
    darker = score(truth, truth / 2, value_ranges=unit)
    assert darker["sam"] == pytest.approx(0.0, abs=1e-6)
    assert darker["uiqi"] == pytest.approx(0.64, abs=1e-6)  # [2a / (1 + a²)]² at a = 1/2


def test_each_image_of_a_batch_is_scored_alone(pair):
    batch = np.stack([pair[0], pair[1], pair[0]])
    other = np.stack([pair[1], pair[0], pair[0]])
    together = compute(batch, other, value_ranges=RANGES, factor=6.0, colour=COLOUR)
    alone = score(*pair)
    for name, values in together.items():
        assert values.shape == (3,)
        assert float(values[0]) == pytest.approx(alone[name], rel=1e-9), name


def test_small_variances_survive():
    # Reflectance 0.8 with detail of 1e-4 (one digital number): float32 sums of squares would drown
    # it.
    rng = np.random.default_rng(5)
    truth = (0.8 + 1e-4 * rng.integers(0, 3, (64, 64, 3))).astype(np.float32)
    guess = (0.8 + 1e-4 * rng.integers(0, 3, (64, 64, 3))).astype(np.float32)
    got = score(truth, guess, value_ranges=[[0.79, 0.81]] * 3)
    assert got["uiqi"] == pytest.approx(oracles.uiqi(truth, guess), abs=1e-6)
    assert got["scc"] == pytest.approx(oracles.scc(truth, guess), abs=1e-9)


def test_wrong_shapes_ranges_and_names_are_refused(pair):
    truth = pair[0][None]
    with pytest.raises(InputError, match="one shape"):
        compute(truth, truth[:, :32], value_ranges=RANGES, factor=6.0)
    with pytest.raises(InputError, match="value ranges"):
        compute(truth, truth, value_ranges=RANGES[:, ::-1], factor=6.0)
    with pytest.raises(InputError, match="at least 11"):
        compute(truth[:, :8, :8], truth[:, :8, :8], value_ranges=RANGES, factor=6.0)
    with pytest.raises(ConfigError, match="ssim"):
        compute(truth, truth, value_ranges=RANGES, factor=6.0, names=["ssmi"])
    with pytest.raises(ConfigError, match="standard"):
        compute(truth, truth, value_ranges=RANGES, factor=6.0, profile="standrad")
