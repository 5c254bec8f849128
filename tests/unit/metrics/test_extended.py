"""Profile ``extended``: MS-SSIM, errors by gradient and NDVI, recomputed from their papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from sensor2sensor.config.vocabulary import EXTENDED_METRICS, METRICS
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.dataset.bands import BandStatistics, float_band, reflectance_band
from sensor2sensor.dataset.vegetation import red_and_nir
from sensor2sensor.evaluation.scoring import Scorer
from sensor2sensor.metrics import compute, profile_metrics, windows_within
from sensor2sensor.metrics.compute import _choose
from tests import fakes_dataset
from tests.unit.metrics import oracles

RANGES = np.array([[0.02, 0.5], [0.0, 0.7]])
RED, NIR = 0, 1
THIRDS = ("rmse_smooth", "rmse_middle", "rmse_edges")
ODD = (161, 178)  # as small as may be, and odd at every scale


def score(target, prediction, names, **options):
    asked = {"value_ranges": RANGES, "factor": 2.0, "profile": "extended", **options}
    values = compute(target[None], prediction[None], names=names, **asked)
    return {name: float(value[0]) for name, value in values.items()}


@pytest.fixture(scope="module")
def pair():
    truth = oracles.texture(3, (*ODD, 2))
    noise = np.random.default_rng(4).normal(0, 0.03, truth.shape)
    return truth, (0.9 * truth + 0.02 + noise).astype(np.float32)


def scaled(image):
    return (image.astype(np.float64) - RANGES[:, 0]) / (RANGES[:, 1] - RANGES[:, 0])


def multi_scale(x, y):
    """MS-SSIM of one band with L = 1, by full-size Gaussian filters cut to where they fit."""
    weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    places = np.arange(-5, 6)
    kernel = np.exp(-(places[:, None] ** 2 + places**2) / (2 * 1.5**2))
    kernel /= kernel.sum()

    def filtered(image):
        return ndimage.correlate(image, kernel)[5:-5, 5:-5]

    found = []
    for scale in range(5):
        mu_x, mu_y = filtered(x), filtered(y)
        sxx, syy, sxy = (filtered(a * b) - c for a, b, c in
                         ((x, x, mu_x**2), (y, y, mu_y**2), (x, y, mu_x * mu_y)))  # fmt: skip
        structure = (2 * sxy + 0.03**2) / (sxx + syy + 0.03**2)
        luminance = (2 * mu_x * mu_y + 0.01**2) / (mu_x**2 + mu_y**2 + 0.01**2)
        found.append((luminance * structure if scale == 4 else structure).mean())
        x, y = (np.pad(i, [(0, i.shape[0] % 2), (0, i.shape[1] % 2)], "edge") for i in (x, y))
        x, y = (i.reshape(i.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3)) for i in (x, y))
    return math.prod(
        max(value, 0.0) ** weight for value, weight in zip(found, weights, strict=True)
    )


def test_ms_ssim_equals_the_papers_formula_also_at_odd_sizes(pair):
    bands = [multi_scale(*(scaled(i)[..., band] for i in pair)) for band in (0, 1)]
    found = score(*pair, ["ms_ssim"])["ms_ssim"]
    assert 0.5 < found < 0.99
    assert found == pytest.approx(np.mean(bands), abs=1e-9)
    assert score(pair[0], pair[0], ["ms_ssim"])["ms_ssim"] == pytest.approx(1.0, abs=1e-12)


def test_ms_ssim_equals_tensorflow(pair):
    images = [tf.constant(scaled(i)[None], tf.float32) for i in pair]
    expected = float(tf.image.ssim_multiscale(*images, max_val=1.0)[0])
    assert score(*pair, ["ms_ssim"])["ms_ssim"] == pytest.approx(expected, abs=1e-4)


def test_contrast_that_is_reversed_counts_zero_and_not_nan(pair):
    reversed_band = pair[0].copy()
    reversed_band[..., 0] = 0.6 - reversed_band[..., 0]
    expected = multi_scale(*(scaled(i)[..., 0] for i in (pair[0], reversed_band)))
    assert expected == 0.0
    # The other band is perfect: the mean over bands is that of 0 and 1.
    found = score(pair[0], reversed_band, ["ms_ssim"])["ms_ssim"]
    assert found == pytest.approx(0.5, abs=1e-12)


def test_ms_ssim_needs_161_pixels(pair):
    with pytest.raises(InputError, match=r"ms_ssim needs images of at least 161 x 161 pixels"):
        score(*(image[:160] for image in pair), ["ms_ssim"])


def test_ms_ssim_looks_at_windows_without_holes_and_is_undefined_without_any(pair):
    truth, guess = (image.copy() for image in pair)
    truth[4:6, 4:6] = np.nan
    reference = score(truth, guess, ["ms_ssim"])["ms_ssim"]
    guess[4:6, 4:6] = 50.0  # nobody knows what is there
    assert score(truth, guess, ["ms_ssim"])["ms_ssim"] == reference
    thin = np.where(np.arange(ODD[1])[None, :, None] < 150, truth, np.nan)
    assert math.isnan(score(thin, guess, ["ms_ssim"])["ms_ssim"])
    mask = np.ones((1, *ODD), bool)
    assert windows_within(["ms_ssim", "rmse_edges"], mask) == {
        "ms_ssim": 2, "rmse_edges": 159 * 176
    }  # fmt: skip


def thirds(truth, guess):
    """RMSE by tercile of the truth's gradient; the definition, by ranks in NumPy."""
    image = scaled(truth)
    known = np.isfinite(truth).all(axis=-1)
    image[~known] = 0.0
    slopes = [ndimage.sobel(image[..., b], axis) / 8 for b in (0, 1) for axis in (0, 1)]
    gradient = np.sqrt(sum(slope**2 for slope in slopes)).astype(np.float32)
    inner = ndimage.minimum_filter(known, 3)[1:-1, 1:-1]
    gradient = gradient[1:-1, 1:-1]
    ordered = np.sort(gradient[inner])
    ends = [ordered[math.ceil(part * len(ordered) / 3) - 1] for part in (1, 2)]
    part = np.digitize(gradient, ends, right=True)
    error = (guess.astype(np.float64) - truth)[1:-1, 1:-1] ** 2
    return [np.sqrt(error[inner & (part == i)].mean()) for i in range(3)], inner


def test_errors_by_gradient_equal_their_definition(pair):
    truth, guess = pair[0].copy(), pair[1]
    truth[20:30, 40:70] = np.nan
    expected, inner = thirds(truth, guess)
    found = score(truth, guess, THIRDS)
    assert [found[name] for name in THIRDS] == pytest.approx(expected, rel=1e-6)
    # Thirds of the pixels that have a gradient: together they are the error over those.
    whole = np.sqrt(((guess.astype(np.float64) - truth)[1:-1, 1:-1][inner] ** 2).mean())
    together = math.sqrt(np.mean([found[name] ** 2 for name in THIRDS]))
    assert together == pytest.approx(whole, rel=1e-4)


def test_blur_shows_at_edges_and_noise_everywhere():
    truth = fakes_dataset.scene(np.random.default_rng(0), 64)[..., :2]
    blurred = ndimage.gaussian_filter(truth, (1, 1, 0))
    found = score(truth, blurred, THIRDS)
    assert found["rmse_edges"] > 5 * found["rmse_smooth"]
    noise = np.random.default_rng(5).normal(0, 0.02, truth.shape).astype(np.float32)
    found = score(truth, truth + noise, THIRDS)
    assert list(found.values()) == pytest.approx([0.02] * 3, rel=0.05)


def test_a_truth_without_gradient_is_smooth_throughout():
    flat = np.full((16, 16, 2), 0.3, np.float32)
    found = score(flat, flat + np.float32(0.01), THIRDS)
    assert found["rmse_smooth"] == pytest.approx(0.01, rel=1e-5)
    assert math.isnan(found["rmse_middle"]) and math.isnan(found["rmse_edges"])
    stairs = np.repeat(np.repeat(np.eye(2, dtype=np.float32), 8, 0), 8, 1)[..., None] * [0.2, 0.2]
    found = score(stairs, stairs, THIRDS)
    assert math.isfinite(found["rmse_edges"]) and math.isnan(found["rmse_middle"])
    # Equal ones stay together, steep as they are: of a ramp all is smooth and no edges are left.
    ramp = np.tile(np.arange(16, dtype=np.float32)[:, None] / 64, (16, 1, 2))
    assert [math.isfinite(value) for value in score(ramp, ramp, THIRDS).values()] == [1, 0, 0]


def test_ndvi_error_equals_its_formula_pixel_by_pixel(pair):
    truth, guess = pair[0].copy(), pair[1].copy()
    truth[0, :5] = np.nan
    truth[1, :5] = 0.005  # deep water: left out
    guess[2, :5] = 0.0  # black where there is ground: the worst there is
    truth[3, 0], guess[3, 0] = (-0.01, 0.2), (0.2, -0.01)  # beyond [-1, 1]: clipped to its ends
    errors = []
    for t, g in zip(truth.reshape(-1, 2).astype(float), guess.reshape(-1, 2).astype(float),
                    strict=True):  # fmt: skip
        if not np.isfinite(t).all() or t.sum() < 0.02:
            continue
        index = [max(-1.0, min(1.0, (i[NIR] - i[RED]) / i.sum())) if i.sum() >= 0.02 else None
                 for i in (t, g)]  # fmt: skip
        errors.append(1 + abs(index[0]) if index[1] is None else abs(index[0] - index[1]))
    assert len(errors) == truth[..., 0].size - 10 and max(errors) == 2.0
    found = score(truth, guess, ["ndvi_error"], red_nir=(RED, NIR))["ndvi_error"]
    assert found == pytest.approx(np.mean(errors), abs=1e-12)
    swapped = score(truth, guess, ["ndvi_error"], red_nir=(NIR, RED))["ndvi_error"]
    assert swapped == pytest.approx(found, abs=1e-12)  # only its sign is another


def test_ndvi_error_is_undefined_on_dark_ground_alone_and_refused_without_its_bands(pair):
    dark = np.full((8, 8, 2), 0.004, np.float32)
    assert math.isnan(score(dark, dark + 0.1, ["ndvi_error"], red_nir=(0, 1))["ndvi_error"])
    with pytest.raises(ConfigError, match="which bands are red and near infrared"):
        score(*pair, ["ndvi_error"])
    has = {"colour": True, "red_nir": False, "lpips": False}
    assert "ndvi_error" not in _choose("extended", None, **has)


def test_red_and_near_infrared_are_told_by_wavelength_else_by_name():
    nm = {"B02": 492.7, "B04": 664.6, "B05": 704.1, "B07": 782.8, "B08": 832.8, "B8A": 864.7}
    bands = [reflectance_band(name, value) for name, value in nm.items()]
    assert red_and_nir(bands) == ((1, 4), "")
    assert red_and_nir([b for b in bands if b.name != "B08"])[0] == (1, 4)  # B8A
    olci = [float_band(f"Oa{i:02d}", "reflectance", value)
            for i, value in enumerate(fakes_dataset.OLCI_NM, start=1)]  # fmt: skip
    red, nir = red_and_nir(olci)[0]
    assert (olci[red].name, olci[nir].name) == ("Oa08", "Oa17")
    named = [float_band(name, "reflectance", None) for name in ("NIR", "green", "red")]
    assert red_and_nir(named)[0] == (2, 0)
    assert red_and_nir(bands[:3]) == (None, "undefined without a near-infrared band")
    assert red_and_nir(bands[:1])[1] == "undefined without a red and a near-infrared band"
    photo = [float_band(name, "DN", None) for name in ("red", "nir")]
    assert red_and_nir(photo) == (None, "undefined: the bands are not all reflectance")


def test_the_profile_has_what_standard_has_and_more_behind_it():
    for colour in (True, False):
        standard = profile_metrics("standard", colour=colour)
        names = profile_metrics("extended", colour=colour)
        assert names[: len(standard)] == standard
        assert (*names[len(standard) :], "lpips") == tuple(EXTENDED_METRICS)
        assert profile_metrics("extended", colour=colour, lpips=True) == (*names, "lpips")
    assert not set(EXTENDED_METRICS) & set(METRICS)


def test_an_evaluation_says_which_metrics_its_tiles_cannot_have():
    draft = fakes_dataset.toy_contract("toy", "degraded", 4, 32, 0)
    band = BandStatistics(low=0.0, high=0.7, minimum=0.0, maximum=0.8, mean=0.2, std=0.1, count=9)
    ranged = draft.model_copy(update={"statistics": {"target": (band,) * 3}})
    scorer = Scorer(ranged, "extended")
    assert scorer.undefined == {
        "ms_ssim": "undefined below 161 px",
        "ndvi_error": "undefined without a near-infrared band",
    }
    truth = oracles.texture(9, (32, 32, 3))[None]
    rows, _ = scorer({"truth": truth}, {"truth": truth + 0.01}, {}, normalised=False)
    assert list(rows[0]) == list(scorer.names)
    assert [n for n, value in rows[0].items() if math.isnan(value)] == ["ms_ssim", "ndvi_error"]
