"""Improvement, omission, hallucination and what they are made of, against formulas written anew."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.exposure import match_histograms

from sensor2sensor.config.trust import CLASSES, OPENSR_TEST, TRUST, VARIANTS
from sensor2sensor.config.vocabulary import metric_info
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.metrics import compute
from sensor2sensor.metrics.trust import (
    angle,
    judge,
    matched_histogram,
    moved_onto,
    resized,
    shift_px,
)

SIDE = 24


def images(seed: int = 0, side: int = SIDE, bands: int = 3):
    """Interpolation, prediction, truth: three fields that have most in common."""
    random = np.random.default_rng(seed)
    common = ndimage.gaussian_filter(random.normal(0.3, 0.3, (side, side, bands)), (2, 2, 0))
    others = random.normal(0, 0.02, (3, side, side, bands))
    return tuple(common + one for one in others)


def one_distance(kind: str, x, y, coded: bool) -> float:
    if kind == "l1":
        return sum(abs(p - q) for p, q in zip(x, y, strict=True)) / len(x)
    if kind == "l2":
        return sum((p - q) ** 2 for p, q in zip(x, y, strict=True)) / len(x)
    if kind == "sam":
        dot = sum(p * q for p, q in zip(x, y, strict=True))
        norms = math.sqrt(sum(p * p for p in x) * sum(q * q for q in y))
        return math.degrees(math.acos(min(1.0, dot / norms)))
    sizes = (abs(p + q) if coded else abs(p) + abs(q) for p, q in zip(x, y, strict=True))
    return sum(abs(p - q) / s for p, q, s in zip(x, y, sizes, strict=True)) / len(x)


def by_hand(large, image, truth, variant):
    """Pixel by pixel, as Aybar et al. 2024 have it."""
    pixels = range(large.shape[0] * large.shape[1])
    flat = [one.reshape(-1, one.shape[-1]).tolist() for one in (large, image, truth)]
    kind, coded = variant.distance, variant.as_coded
    r = [one_distance(kind, flat[0][i], flat[2][i], coded) for i in pixels]
    p = [one_distance(kind, flat[1][i], flat[2][i], coded) for i in pixels]
    q = [one_distance(kind, flat[1][i], flat[0][i], coded) for i in pixels]
    ordered = sorted(r)
    if coded:
        limit = ordered[int(0.75 * len(r)) - 1]
        judged = [i for i in pixels if max(r[i], p[i], q[i]) > limit]
    else:
        place = 0.75 * (len(r) - 1)
        low = math.floor(place)
        limit = ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])
        judged = [i for i in pixels if max(r[i], p[i], q[i]) >= limit]
    found = []
    for i in judged:
        a, b = p[i] / r[i], q[i] / r[i]
        h = a + b - 1
        scores = (
            a + b * (1 - math.exp(-0.05 * h)),
            b + a * (1 - math.exp(-0.05 * h)),
            math.exp(-0.05 * a * b),
        )
        if variant.temperature is None:
            found.append([float(score == min(scores)) for score in scores])
        else:
            weights = [math.exp(-score / variant.temperature) for score in scores]
            found.append([weight / sum(weights) for weight in weights])
    return [sum(column) / len(found) for column in zip(*found, strict=True)], len(found)


@pytest.mark.parametrize("profile", VARIANTS)
def test_shares_are_those_of_the_formulas_written_anew(profile):
    variant, given = VARIANTS[profile], images(3)
    everywhere = np.ones((SIDE, SIDE), bool)
    judged = judge(*given, everywhere, variant)
    expected, count = by_hand(*given, variant)
    assert judged.counted.sum() == count
    assert list(judged.shares()) == list(CLASSES)
    np.testing.assert_allclose(list(judged.shares().values()), expected, atol=1e-7)
    assert 0.02 < min(expected)  # all three occur, so that none can be mistaken for another


@pytest.mark.parametrize("profile", [TRUST, "trust-l1", "trust-l2", "trust-sam"])
def test_the_truth_is_improvement_and_interpolation_omission(profile):
    large, image, truth = images(1)
    everywhere, variant = np.ones((SIDE, SIDE), bool), VARIANTS[profile]
    for guess, corner in ((truth, 0), (large, 1)):
        judged = judge(large, guess, truth, everywhere, variant)
        assert list(judged.shares().values()) == [float(place == corner) for place in range(3)]
        a, b = ((0.0, 1.0), (1.0, 0.0))[corner]
        kept = judged.scores[judged.counted]
        np.testing.assert_allclose(kept, [[a + 0 * b, b + 0 * a, 1.0]] * len(kept))
    # A quarter of the pixels reach the quantile of r by itself; invented texture adds its own.
    plain = judge(large, large, truth, everywhere, variant)
    assert plain.counted.mean() == pytest.approx(0.25, abs=0.01)
    invented = image.copy()
    invented[4:12, 6:14] = large[4:12, 6:14] + np.random.default_rng(0).normal(0, 0.5, (8, 8, 3))
    invented[:4], invented[12:], invented[:, :6], invented[:, 14:] = (
        large[:4], large[12:], large[:, :6], large[:, 14:],
    )  # fmt: skip
    classes = judge(large, invented, truth, everywhere, variant).classes
    assert (classes[4:12, 6:14] == 2).mean() > 0.9
    outside = np.ones_like(everywhere)
    outside[4:12, 6:14] = False
    assert set(classes[outside]) == {-1, 1}


def test_a_pixel_on_which_input_and_truth_agree_is_made_up_or_not_judged():
    large, _, truth = images(2)
    large[5, 5] = truth[5, 5]
    guess = large.copy()
    guess[5, 5] += 0.5
    everywhere = np.ones((SIDE, SIDE), bool)
    for profile in (TRUST, OPENSR_TEST):
        assert judge(large, guess, truth, everywhere, VARIANTS[profile]).classes[5, 5] == 2
    assert judge(large, large, truth, everywhere, VARIANTS[TRUST]).classes[5, 5] == -1
    same = judge(truth, truth, truth, everywhere, VARIANTS[TRUST])
    assert not same.counted.any()
    assert all(math.isnan(share) for share in same.shares().values())


def test_a_hole_is_not_judged_and_does_not_move_the_quantile():
    large, image, truth = images(4)
    valid = np.ones((SIDE, SIDE), bool)
    valid[:, 20:] = False
    holed = truth.copy()
    holed[~valid] = np.nan
    whole = judge(large[:, :20], image[:, :20], truth[:, :20], valid[:, :20], VARIANTS[TRUST])
    found = judge(large, image, holed, valid, VARIANTS[TRUST])
    np.testing.assert_array_equal(found.classes[:, :20], whole.classes)
    assert (found.classes[:, 20:] == -1).all()
    assert found.shares(valid & (np.arange(SIDE) < 10)) != found.shares()


def test_negative_reflectance_has_a_bounded_distance_and_as_coded_has_none():
    one, two = np.full((1, 1, 1), -0.001), np.full((1, 1, 1), 0.001001)
    far = (np.ones((1, 1), bool), VARIANTS[TRUST])
    sound = judge(one, two, two, *far)
    assert sound.scores[0, 0, 0] == 0.0 and sound.scores[0, 0, 1] == 1.0
    from sensor2sensor.metrics.trust import distance

    assert distance(one, two, VARIANTS[TRUST])[0, 0] == pytest.approx(1.0)
    assert distance(one, two, VARIANTS[OPENSR_TEST])[0, 0] == pytest.approx(2001.0, rel=1e-6)


def test_a_spectrum_that_is_twice_as_bright_has_the_same_angle():
    x = np.array([[0.1, 0.2, 0.3]])
    np.testing.assert_allclose(angle(x, 2 * x), 0, atol=1e-6)
    assert angle(np.array([[1.0, 0.0]]), np.array([[0.0, 3.0]]))[0] == pytest.approx(90)
    assert np.isnan(angle(x, 0 * x)[0])


def test_histograms_are_matched_as_scikit_image_does():
    _, image, truth = images(5)
    image = np.round(image, 2)  # with ties
    expected = match_histograms(image, truth, channel_axis=-1)
    np.testing.assert_allclose(matched_histogram(image, truth), expected, atol=1e-12)


def test_bilinear_ways_are_those_of_pillow():
    _, image, _ = images(6, 32)
    for side in (8, 16, 64):
        bands = [Image.fromarray(band.astype(np.float32)) for band in np.moveaxis(image, -1, 0)]
        theirs = [band.resize((side, side), Image.Resampling.BILINEAR) for band in bands]
        np.testing.assert_allclose(resized(image, side, side), np.stack(theirs, -1), atol=1e-6)


def test_a_moved_image_is_measured_and_moved_back():
    still = ndimage.gaussian_filter(np.random.default_rng(1).normal(0, 1, (64, 64, 2)), (2, 2, 0))
    moved = ndimage.shift(still, (1.5, -2.0, 0), order=3, mode="nearest")
    assert shift_px(still, moved, 5) == pytest.approx(2.5, abs=0.1)
    back = moved_onto(moved, still, 5)[6:-6, 6:-6]
    assert np.abs(back - still[6:-6, 6:-6]).max() < 0.2 * np.abs(still).max()
    assert np.isnan(shift_px(still[:7, :7], still[:7, :7], 5))
    flat = np.ones((16, 16, 2))
    assert np.isnan(shift_px(flat, flat, 5))
    np.testing.assert_array_equal(moved_onto(flat, flat, 5), flat)


def test_every_column_is_declared_with_its_distance_and_compute_says_what_it_lacks():
    for profile, variant in VARIANTS.items():
        for name in variant.metrics:
            known = metric_info(name)
            assert known is not None
            if name.startswith(CLASSES):
                head = {"nd": "ND", "l1": "L1", "l2": "L2", "sam": "angle"}[variant.distance]
                assert known.label.endswith(f"({head})")
        with pytest.raises(ConfigError, match="needs the input"):
            compute(np.zeros((1, 8, 8, 1)), np.zeros((1, 8, 8, 1)), value_ranges=[(0, 1)],
                    factor=2.0, profile=profile)  # fmt: skip
    # A soft minimum is never sure; shares of pixels are.
    soft = replace(VARIANTS[TRUST], temperature=0.25)
    large, _, truth = images(7)
    found = judge(large, truth, truth, np.ones((SIDE, SIDE), bool), soft).shares()
    certain = 1 / (1 + 2 * math.exp(-1 / 0.25))
    assert found["improvement"] == pytest.approx(certain)
