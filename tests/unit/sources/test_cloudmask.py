"""The published mask of clouds: its vectors, measured shares of real patches, and plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.core.errors import ConfigError, DatasetError
from sensor2sensor.sources.sen12mscr.cloudmask import (
    BANDS,
    CLEAR,
    CLOUD,
    SHADOW,
    cloud_mask,
    cloud_score,
    smoothed,
)
from tests.real_data import sen12_image


def patch(dn: float = 0, side: int = 32, **bands: float) -> np.ndarray:
    """A patch of one value, but for the bands that are named."""
    values = np.full((side, side, len(BANDS)), dn, np.uint16)
    for band, value in bands.items():
        values[..., BANDS.index(band)] = value
    return values


def shares(mask: np.ndarray) -> list[float]:
    return [float((mask == value).mean()) for value in (CLEAR, CLOUD, SHADOW)]


@pytest.mark.parametrize(
    ("dn", "score", "share"), [(0, -3.0, 0.0), (2000, 0.25, 0.76171875), (10000, 1.0, 1.0)]
)
def test_a_patch_of_one_value(dn: int, score: float, share: float) -> None:
    values = patch(dn)
    assert cloud_score(values / 1e4) == pytest.approx(np.full((32, 32), score))
    assert shares(cloud_mask(values)) == [1 - share, share, 0.0]


def test_a_score_that_is_the_threshold_is_cloud() -> None:
    values = patch(1800)
    assert smoothed(cloud_score(values / 1e4))[16, 16] < 0.2  # by a rounding
    mask = cloud_mask(values)
    assert (mask[3:-3, 3:-3] == CLOUD).all() and shares(mask)[1] == (26 / 32) ** 2
    assert not (cloud_mask(patch(1799)) == CLOUD).any()


def test_borders_lose_cloud() -> None:
    score = smoothed(cloud_score(patch(10000) / 1e4))
    inside, edge, corner = score[16, 16], score[0, 16], score[0, 0]
    assert (inside, edge, corner) == pytest.approx((1, 28 / 49, 16 / 49), abs=1e-12)


@pytest.mark.parametrize("side", [37, 128])
def test_a_patch_of_one_value_has_no_shadow(side: int) -> None:
    # A mean that is a rounding step above the value would make all of it shadow.
    for dn in range(1, 10000, 211):
        assert not (cloud_mask(patch(dn, side)) == SHADOW).any(), dn


def test_snow_is_no_cloud() -> None:
    snow = patch(6000, B11=500)
    assert cloud_score(snow / 1e4)[0, 0] == pytest.approx(-0.23077, abs=1e-5)
    assert not (cloud_mask(snow) == CLOUD).any()


@pytest.mark.parametrize(("variant", "score"), [("dsen2cr", 1.0), ("uncrtaints", -0.2)])
def test_variants_differ_in_cirrus(variant: str, score: float) -> None:
    # 3.0 before the score ends at 1; no other test says less than 1 of this patch.
    values = patch(9000, B01=3000, B10=0, B11=9000)
    assert cloud_score(values / 1e4, variant=variant)[0, 0] == pytest.approx(score)


def test_an_unknown_variant_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'uncrtaint'; nearest: 'uncrtaints'"):
        cloud_mask(patch(), variant="uncrtaint")


def test_ten_bands_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"13 bands of level 1C, found \(32, 32, 10\); .*B10"):
        cloud_mask(patch()[..., :10])


def test_thin_cloud_beside_dark_ground_is_erased() -> None:
    values = patch(500)
    values[12:20, 12:20] = 6000
    mask = cloud_mask(values)
    assert (mask == CLOUD).sum() == 32
    # All the ground is "shadow", because the cloud raises the mean.
    assert (mask == SHADOW).sum() > 0.85 * mask.size


def test_cloud_wins_over_shadow() -> None:
    # Bright in blue and dark in the infrared beside what is brighter in both.
    values = patch(6000, 16, B08=100)
    values[:, 8:] = 20000
    mask = cloud_mask(values)
    blue_and_infrared = values[..., [1, 7]]
    assert (blue_and_infrared[:, 4] < blue_and_infrared.mean(axis=(0, 1))).all()
    assert (mask[:, 4] == CLOUD).all()
    assert (cloud_mask(values, threshold=1.1)[4:-4, 4] == SHADOW).all()


def test_measured_shares_of_the_canal() -> None:
    clear, cloud, _ = shares(cloud_mask(sen12_image("s2_cloudy")))
    assert 1 - clear == pytest.approx(0.931, abs=5e-4)
    assert cloud == pytest.approx(0.560, abs=5e-4)
    assert shares(cloud_mask(sen12_image("s2_cloudy"), variant="uncrtaints"))[1] == pytest.approx(
        0.025, abs=5e-4
    )
    assert shares(cloud_mask(sen12_image("s2")))[1] == 0.0


def test_a_crop_is_masked_otherwise_than_the_whole() -> None:
    whole, crops = sen12_image("s2_cloudy"), (slice(0, 128), slice(128, 256))
    mask = cloud_mask(whole) != CLEAR
    wrong = [
        float(((cloud_mask(whole[rows, columns]) != CLEAR) != mask[rows, columns]).mean())
        for rows in crops
        for columns in crops
    ]
    assert 0.008 < max(wrong) < 0.2


@pytest.mark.parametrize("variant", ["dsen2cr", "uncrtaints"])
def test_it_is_what_plain_loops_give(variant: str) -> None:
    rng = np.random.default_rng(5)
    ground = rng.integers(300, 2200, (19, 23, 1)) + rng.integers(0, 400, (19, 23, 13))
    ground[:11, ..., [7, 11]] += rng.integers(0, 4000, (11, 23, 1))  # leaves
    cloud = rng.random((19, 23, 1)) < np.linspace(-1.2, 1.2, 23)[:, None]
    values = np.where(cloud, ground + 4000, ground).astype(np.uint16)
    values[3, 4] = 0  # no denominator of the snow index
    found = cloud_mask(values, variant=variant)
    assert np.array_equal(found, slow_mask(values, variant))
    assert min(shares(found)) > 0.02


def slow_mask(dn: np.ndarray, variant: str) -> np.ndarray:
    """The rule by loops over pixels and windows."""
    rows, columns, _ = dn.shape
    places = [(y, x) for y in range(rows) for x in range(columns)]
    value = {band: dn[..., index] / 1e4 for index, band in enumerate(BANDS)}
    low, high = {"dsen2cr": (0.15, 0.2), "uncrtaints": (0.4, 0.9)}[variant]
    score = np.empty((rows, columns))
    for place in places:
        b = {band: float(image[place]) for band, image in value.items()}
        ndsi = (b["B03"] - b["B11"]) / ((b["B03"] + b["B11"]) or 0.001)
        score[place] = min(
            1,
            (b["B02"] - 0.1) / 0.4,
            (b["B01"] - 0.1) / 0.2,
            (b["B01"] + b["B10"] - low) / (high - low),
            (b["B02"] + b["B03"] + b["B04"] - 0.2) / 0.6,
            (0.8 - ndsi) / 0.2,
        )
    grown = windows(score, 5, max, mirrored=True)
    closed = windows(grown, 5, min, mirrored=True)
    mean = windows(closed, 7, lambda found: sum(found) / 49)
    infrared = (value["B08"] + value["B11"]) / 2
    dark = (infrared < infrared.min() + 3 / 4 * (infrared.mean() - infrared.min())) & (
        value["B02"] < value["B02"].min() + 5 / 6 * (value["B02"].mean() - value["B02"].min())
    )
    shadow = windows(dark.astype(float), 5, lambda found: sorted([*found, *[0] * 25][:25])[12])
    return np.where(mean >= 0.2, 1, np.where(shadow > 0, 2, 0))


def windows(image: np.ndarray, size: int, of: object, mirrored: bool = False) -> np.ndarray:
    """A function of the pixels of each window, outside mirrored or, which is zeros, left out."""
    reach, (rows, columns) = size // 2, image.shape
    made = np.empty_like(image)
    for y in range(rows):
        for x in range(columns):
            found = []
            for i in range(y - reach, y + reach + 1):
                for j in range(x - reach, x + reach + 1):
                    inside = 0 <= i < rows and 0 <= j < columns
                    if mirrored:
                        found.append(image[mirror(i, rows), mirror(j, columns)])
                    elif inside:
                        found.append(image[i, j])
            made[y, x] = of(found)
    return made


def mirror(place: int, length: int) -> int:
    """The pixel that a place outside shows, the border pixel twice."""
    return -1 - place if place < 0 else 2 * length - 1 - place if place >= length else place
