"""Profile dsen2cr: its metrics on parts of images, by hand, by scikit-image and on a real patch."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from sensor2sensor.config.vocabulary import CLOUD_METRICS, CLOUD_TABLE, METRICS
from sensor2sensor.metrics import compute, profile_metrics, support
from sensor2sensor.sources.sen12mscr.cloudmask import cloud_mask
from tests.real_data import sen12_image

TEN = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12]  # of the 13 bands, without B01, B09 and B10


def score(reference, prediction, within=None, **options):
    """Scores of one image ``[H, W, C]`` of reflectance."""
    asked = {"value_ranges": [[0.0, 1.0]] * reference.shape[-1], "factor": 1.0, **options}
    mask = None if within is None else np.asarray(within, bool)[None]
    asked = {"profile": "dsen2cr", "within": mask, **asked}
    found = compute(reference[None], prediction[None], **asked)
    return {name: float(value[0]) for name, value in found.items()}


def images(seed, side=16, bands=3):
    """Truth, input and prediction of one image."""
    random = np.random.default_rng(seed)
    truth = random.uniform(0.05, 0.5, (side, side, bands))
    return truth, truth + random.normal(0, 0.2, truth.shape), truth * 0.9 + 0.03


def test_the_columns_are_the_published_names_and_no_other_profile_gains_one():
    assert profile_metrics("dsen2cr") == CLOUD_TABLE == ("mae", "rmse", "psnr", "ssim", "sam")
    assert list(CLOUD_METRICS) == ["mae"] and "mae" not in METRICS
    assert "mae" not in {*profile_metrics("standard"), *profile_metrics("arisgan")}


def test_whole_images_are_scored_as_in_profile_standard():
    truth, _, guess = images(1)
    found = score(truth, guess)
    standard = score(truth, guess, profile="standard", names=["l1", "rmse", "psnr", "ssim", "sam"])
    assert list(found.values()) == list(standard.values())


def test_parts_of_two_by_two_pixels_by_hand():
    """V5, whose values are digital numbers over 2000: a fifth in reflectance."""
    target, cloudy, guess = (
        np.array(image)[..., None] / 5
        for image in ([[1, 2], [3, 4]], [[1.2, 5], [3, 5]], [[1.5, 2.5], [3, 3]])
    )
    mask = np.array([[0, 1], [0, 1]], bool)
    names = {"names": ["mae", "rmse", "psnr"]}
    whole = score(target, guess, **names)
    assert whole["mae"] == pytest.approx(0.5 / 5) and whole["psnr"] == pytest.approx(18.239087)
    assert whole["rmse"] == pytest.approx(0.6123724 / 5)
    assert score(target, guess, mask, **names)["mae"] == pytest.approx(0.75 / 5)
    assert score(cloudy, guess, ~mask, **names)["mae"] == pytest.approx(0.15 / 5)
    assert score(target, guess, ~mask, **names)["mae"] == pytest.approx(0.25 / 5)


def test_angles_of_a_part_are_degrees_and_a_zero_reference_has_none():
    reference = np.array([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]])
    guess = np.array([[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]]])
    only = {"names": ["sam"]}
    upper, left = [[1, 1], [0, 0]], [[1, 0], [1, 0]]
    assert score(reference, guess, upper, **only)["sam"] == pytest.approx(45.0)  # V18
    assert score(reference, guess, left, **only)["sam"] == pytest.approx((45 + 90) / 2)
    assert np.isnan(score(reference, guess, [[0, 1], [0, 0]], **only)["sam"])


def test_a_window_counts_to_the_part_its_centre_lies_in():
    truth, _, guess = images(2)
    mask = np.zeros((16, 16), bool)
    mask[4:9, 6:8] = True  # no window lies wholly inside it
    options = {"win_size": 11, "gaussian_weights": True, "sigma": 1.5, "data_range": 1.0}
    options |= {"use_sample_covariance": False, "full": True, "channel_axis": -1}
    _, full = structural_similarity(truth, guess, **options)
    inner = np.zeros_like(mask)
    inner[5:-5, 5:-5] = mask[5:-5, 5:-5]
    found = score(truth, guess, mask)["ssim"]
    assert found == pytest.approx(full[inner].mean(), abs=1e-9)
    assert np.isnan(score(np.where(mask[..., None], truth, np.nan), guess)["ssim"])
    edge = np.zeros_like(mask)
    edge[:5] = True
    assert np.isnan(score(truth, guess, edge)["ssim"]) and score(truth, guess, edge)["mae"] > 0


def test_ground_without_truth_is_in_no_window_and_no_part():
    truth, _, guess = images(3)
    truth[0, 0] = np.nan
    mask = np.ones((16, 16), bool)
    assert score(truth, guess, mask) == score(truth, guess)
    behind = support(truth[None], mask[None])
    assert {n: c.tolist() for n, c in behind.items()} == {
        "pixels": [255], "angles": [255], "windows": [35],
    }  # fmt: skip


def test_a_part_without_pixels_has_no_value_and_a_broken_prediction_none_in_any():
    truth, _, guess = images(4)
    mask = np.zeros((16, 16), bool)
    assert np.isnan(list(score(truth, guess, mask).values())).all()
    mask[:8] = True
    guess[15, 15, 0] = np.inf
    assert np.isnan(list(score(truth, guess, mask).values())).all()


def test_what_is_behind_a_part_is_counted_image_by_image():
    truth = np.stack([images(5)[0], images(6)[0]])
    truth[1, 0, :3] = 0.0
    mask = np.zeros((2, 16, 16), bool)
    mask[0], mask[1, :6] = True, True
    behind = {name: count.tolist() for name, count in support(truth, mask).items()}
    assert behind == {"pixels": [256, 96], "angles": [256, 93], "windows": [36, 6]}


def published_patch():
    """The public patch: radar aside, digital numbers of both dates ``[H, W, 13]``."""
    return [sen12_image(kind) for kind in ("s2", "s2_cloudy")]


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        (list(range(13)), (0.1087, 0.1593, 15.96, 0.5906, 15.27)),
        (TEN, (0.1258, 0.1756, 15.11, 0.5303, 12.14)),
    ],
    ids=["13 bands", "10 bands"],
)
def test_do_nothing_on_the_public_patch(bands, expected):
    """V19: the fact sheet has PSNR and SAM to two digits behind the point."""
    clear, cloudy = published_patch()
    truth, given = (np.clip(dn[..., bands], 0, 10000) / 1e4 for dn in (clear, cloudy))
    found = score(truth, given)
    for name, value in zip(CLOUD_TABLE, expected, strict=True):
        digits = 5e-3 if name in ("psnr", "sam") else 1e-3
        assert found[name] == pytest.approx(value, abs=digits), name


def test_the_share_of_the_public_patch_below_clouds_and_shadows():
    """V19: 93.1 % by the published rule."""
    _, cloudy = published_patch()
    assert np.mean(cloud_mask(cloudy) != 0) == pytest.approx(0.931, abs=1e-3)
