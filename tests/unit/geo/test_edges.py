"""The shift of pictures that share edges alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sensor2sensor.geo.edges import LEAST_QUALITY, edge_shift
from tests.fakes_dataset import scene
from tests.real_data import data_set


def _town(seed: int, size: int = 286) -> tuple[np.ndarray, np.ndarray]:
    """A photo ``[size, size, 3]`` and the mask ``[size, size, 1]`` of its dark houses."""
    rng = np.random.default_rng(seed)
    photo = scene(rng, size) + rng.normal(0.0, 0.02, (size, size, 1))
    mask = np.zeros((size, size, 1))
    for _ in range(25):
        (y, x), (h, w) = rng.integers(0, size - 30, 2), rng.integers(8, 30, 2)
        photo[y : y + h, x : x + w] = rng.uniform(0.0, 0.5, 3)
        mask[y : y + h, x : x + w] = 1.0
    return photo, mask


@pytest.mark.parametrize("down,right", [(0, 0), (7, -12), (-25, 4)])
def test_a_mask_is_found_on_its_photo(down: int, right: int) -> None:
    photo, mask = _town(3)
    found = edge_shift(photo[15:271, 15:271], np.roll(mask, (down, right), (0, 1))[15:271, 15:271])
    assert found is not None and found.quality > LEAST_QUALITY
    assert (found.rows, found.columns) == pytest.approx((down, right), abs=0.5)


def test_independent_crops_are_found_as_published() -> None:
    """286 to 256 drawn for each side alone: 16.16 px apart in the mean, and every pair is told."""
    offsets = np.arange(31)
    y, x = (np.subtract.outer(offsets, offsets).ravel() for _ in "yx")
    distance = np.hypot(y[:, None], x[None, :])
    assert np.abs(y).mean() == pytest.approx(10.3226, abs=1e-4)
    assert distance.mean() == pytest.approx(16.1553, abs=1e-4)
    rng, wrong, counted = np.random.default_rng(5), 0, 0
    for seed in range(12):
        photo, mask = _town(seed)
        (a, b), (c, d) = rng.integers(0, 31, 2), rng.integers(0, 31, 2)
        found = edge_shift(photo[a : a + 256, b : b + 256], mask[c : c + 256, d : d + 256])
        if found is not None and found.quality >= LEAST_QUALITY:
            counted += 1
            wrong += np.hypot(found.rows - (a - c), found.columns - (b - d)) > 1.0
    assert counted >= 9 and wrong <= 1


def test_other_places_rarely_pass_and_what_has_no_edges_never() -> None:
    towns = [_town(seed) for seed in range(10)]
    pairs = [edge_shift(towns[i][0], towns[(i + 1) % 10][1]) for i in range(10)]
    assert sum(pair is not None and pair.quality >= LEAST_QUALITY for pair in pairs) <= 1
    assert edge_shift(towns[0][0], np.full((286, 286, 1), 3.0)) is None
    assert edge_shift(towns[0][0][:31, :31], towns[0][1][:31, :31]) is None


def test_real_maps_lie_within_two_pixels_of_their_photos() -> None:
    lengths = []
    for path in sorted((data_set("MAPS_PATH") / "train").glob("*.jpg"))[:12]:
        both = np.asarray(Image.open(path).convert("RGB"))
        photo, drawn = both[:512, :512], both[:512, both.shape[1] // 2 :][:, :512]
        found = edge_shift(photo, drawn)
        if found is not None and found.quality >= LEAST_QUALITY:
            lengths.append(np.hypot(found.rows, found.columns))
    assert len(lengths) >= 6 and np.median(lengths) < 2.0
