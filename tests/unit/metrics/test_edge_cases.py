"""Perfect, constant, empty and broken images have defined outcomes (fault 40)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensor2sensor.metrics import compute, states
from tests.unit.metrics import oracles

OPTIONS = {"value_ranges": [[0.0, 0.7]] * 3, "factor": 6.0, "colour": (2, 1, 0)}
PERFECT = {"hpsi": 1, "ergas": 0, "scc": 1, "ssim": 1, "psnr": math.inf, "hp_l1": 0, "sam": 0}
PERFECT |= {"cc": 1, "uiqi": 1, "rmse": 0, "l1": 0, "lsd_hf": 0}


def score(target, prediction):
    values = compute(target[None], prediction[None], **OPTIONS)
    return {name: float(value[0]) for name, value in values.items()}


@pytest.fixture(scope="module")
def truth():
    return oracles.texture(7, shape=(48, 48, 3))


def undefined(values):
    return {name for name, value in values.items() if math.isnan(value)}


def test_a_perfect_prediction(truth):
    got = score(truth, truth.copy())
    assert got == {name: pytest.approx(value, abs=1e-9) for name, value in PERFECT.items()}


def test_a_constant_prediction_has_no_correlation_but_an_error(truth):
    got = score(truth, np.full_like(truth, 0.3))
    assert undefined(got) == {"cc", "scc"}
    assert got["rmse"] > 0 and got["uiqi"] == pytest.approx(0.0, abs=0.01)


def test_two_constant_images():
    flat = np.full((32, 32, 3), 0.3, np.float32)
    assert undefined(score(flat, flat + np.float32(0.1))) == {"cc", "scc", "hpsi", "lsd_hf"}
    assert score(flat, flat + np.float32(0.1))["uiqi"] == pytest.approx(2 * 0.12 / 0.25, rel=1e-6)


def test_a_ramp_has_no_detail_to_correlate(truth):
    # Rounding to float32 leaves a Laplacian of noise; it must not pass for a correlation.
    ramp = np.broadcast_to(np.linspace(0.1, 0.5, 48, dtype=np.float32)[:, None, None], truth.shape)
    assert "scc" in undefined(score(truth, ramp))
    assert "scc" in undefined(score(ramp, ramp.copy()))


def test_a_black_target_has_no_relative_error(truth):
    got = score(np.zeros_like(truth), truth)
    assert {"ergas", "sam", "cc", "scc", "lsd_hf"} <= undefined(got)


def test_an_empty_target_scores_nothing(truth):
    got = score(np.full_like(truth, np.nan), truth)
    assert undefined(got) == set(got)


def test_a_prediction_that_is_not_finite_never_passes_for_no_data(truth):
    for bad in (np.nan, np.inf):
        guess = truth.copy()
        guess[3, 4, 1] = bad
        got = score(truth, guess)
        assert undefined(got) == set(got)


def test_pixels_without_truth_do_not_count(truth):
    guess = truth + np.float32(0.05) * np.random.default_rng(0).random(truth.shape, np.float32)
    holed, spoilt = truth.copy(), guess.copy()
    holed[:, 40:] = np.nan
    spoilt[:, 40:] = 99.0
    got, cropped = score(holed, spoilt), score(truth[:, :40], guess[:, :40])
    assert undefined(got) == {"lsd_hf"}  # the edges of a hole have power at every frequency
    # HPSI and HP-L1 pad at the border of a cut image.
    same_when_cut = set(got) - {"hpsi", "hp_l1", "lsd_hf"}
    for name in same_when_cut:
        assert got[name] == pytest.approx(cropped[name], rel=1e-9), name
    assert got["hpsi"] == pytest.approx(cropped["hpsi"], abs=0.05)
    assert got["hp_l1"] == pytest.approx(cropped["hp_l1"], rel=0.1)


def test_no_metric_looks_at_the_value_hidden_under_no_data(truth):
    holed = truth.copy()
    holed[10:20, 5:30] = np.nan
    first, second = truth * np.float32(0.9), truth * np.float32(0.9)
    second[10:20, 5:30] = -55.0
    assert score(holed, first) == pytest.approx(score(holed, second), rel=0, abs=0, nan_ok=True)


def test_states_say_why(truth):
    flat = np.full_like(truth, 0.2)
    empty = np.full_like(truth, np.nan)
    broken = truth.copy()
    broken[0, 0, 0] = np.nan
    targets = np.stack([truth, truth, flat, truth, empty, truth])
    guesses = np.stack([truth * 2, truth, truth, flat, truth, broken])
    assert states(targets, guesses) == [
        "ordinary",
        "perfect",
        "constant_target",
        "constant_prediction",
        "empty",
        "not_finite",
    ]
