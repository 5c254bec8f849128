"""The generated SEN12MS-CR triplets are laid out, and behave, as the published ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sensor2sensor.sources.sen12mscr.cloudmask import CLOUD, SHADOW, cloud_mask
from tests.fakes.cloudy import Patch
from tests.fakes.s2xml import BANDS, RESOLUTION_M
from tests.fakes.sen12mscr import render, triplet_paths, write_triplets
from tests.real_data import data_set


@pytest.fixture(scope="module")
def patches() -> list[Patch]:
    return [render(roi, index) for roi in ("fall_139", "summer_7") for index in range(3)]


def equal_neighbours(image: np.ndarray) -> float:
    """The larger share of equal neighbours of the two ways to pair columns."""
    first, second = image[:, :-1:2], image[:, 1::2]
    pairs = (first == second, image[:, 1:-1:2] == image[:, 2::2])
    return max(float(pair.mean()) for pair in pairs)


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("public", "ROIs1970_fall_s2_cloudy/s2_cloudy_139/ROIs1970_fall_s2_cloudy_139_p30.tif"),
        ("flat", "s2_cloudy/ROIs1970_fall_139_p30.tif"),
    ],
)
def test_the_files_lie_as_published(tmp_path: Path, layout: str, expected: str) -> None:
    written = write_triplets(tmp_path, {"fall_139": 2}, side_px=32, layout=layout)
    assert len(written) == 6 and sorted(written) == sorted(tmp_path.rglob("*.tif"))
    assert tmp_path / expected in written


def test_names_are_those_of_the_real_triplet() -> None:
    root = data_set("SEN12MSCR_PATH")
    assert all(path.is_file() for path in triplet_paths(root, "fall_139", 839).values())


def test_a_file_has_the_format_of_the_real_one(tmp_path: Path) -> None:
    write_triplets(tmp_path, {"fall_139": 1})
    real = triplet_paths(data_set("SEN12MSCR_PATH"), "fall_139", 839)
    for kind, made in triplet_paths(tmp_path, "fall_139", 30).items():
        with rasterio.open(made) as fake, rasterio.open(real[kind]) as true:
            for key in ("driver", "dtype", "nodata", "width", "height", "count", "interleave"):
                assert fake.profile[key] == true.profile[key], (kind, key)
            assert fake.res == true.res == (10.0, 10.0)
            assert fake.crs.is_projected and 32601 <= fake.crs.to_epsg() <= 32660


def test_bytes_follow_from_seed_and_names_alone(tmp_path: Path) -> None:
    def sums(folder: str, rois: dict[str, int], seed: int = 0) -> dict[str, str]:
        root = tmp_path / folder
        files = write_triplets(root, rois, seed=seed, side_px=32)
        return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}

    alone = sums("alone", {"fall_139": 1})
    among = sums("among", {"winter_8": 2, "fall_139": 2})
    assert alone.items() <= among.items()
    assert len(set(among.values())) == len(among)
    assert not set(alone.values()) & set(sums("other", {"fall_139": 1}, seed=1).values())


def test_clouds_are_bright_in_the_visible_and_shadows_dark(patches: list[Patch]) -> None:
    bright = dark = 0
    for made in patches:
        clear_sky = made.cloud + made.cirrus < 0.02
        thick, lit = made.cloud > 0.6, clear_sky & (made.shadow < 0.02)
        shaded = clear_sky & (made.shadow > 0.6)
        if min(thick.sum(), lit.sum()) > 500:
            bright += 1
            for band in map(BANDS.index, ("B01", "B02", "B03", "B04")):
                assert made.cloudy[band][thick].mean() > made.cloudy[band][lit].mean() + 1000
        if shaded.sum() > 500:
            dark += 1
            near = BANDS.index("B8A")
            assert made.cloudy[near][shaded].mean() < 0.75 * made.clear[near][shaded].mean()
    assert min(bright, dark) >= 2


def test_cirrus_alone_shines_at_1375_nm(patches: list[Patch]) -> None:
    band = BANDS.index("B10")
    veiled = [made for made in patches if made.cirrus.max() > 0]
    assert 0 < len(veiled) < len(patches)
    for made in patches:
        high = made.cloudy[band].max() > 3 * made.clear[band].max()
        assert high == (made.cirrus.max() > 0)


def test_clear_ground_is_what_the_clear_image_shows(patches: list[Patch]) -> None:
    compared = 0
    for made in patches:
        same = made.cloud + made.cirrus + made.shadow < 0.01
        if same.sum() < 500:
            continue
        compared += 1
        for band in (1, 2, 3, 7):
            a, b = made.clear[band][same].astype(float), made.cloudy[band][same].astype(float)
            assert 0.5 < np.abs(a - b).mean() < 300.0
            assert np.corrcoef(a, b)[0, 1] > 0.9
    assert compared >= 2


def test_cover_varies_from_patch_to_patch() -> None:
    covers = [float((render("spring_31", i, side_px=96).cloud > 0.08).mean()) for i in range(8)]
    assert min(covers) < 0.25 and max(covers) > 0.7
    assert np.ptp(np.sort(covers)[1:-1]) > 0.4


def test_coarse_bands_are_smooth_when_clear_and_doubled_when_cloudy(patches: list[Patch]) -> None:
    for made in patches:
        for band, name in enumerate(BANDS):
            if RESOLUTION_M[name] == 20:
                assert equal_neighbours(made.cloudy[band]) == 1.0
                assert equal_neighbours(made.clear[band]) < 0.5
            elif RESOLUTION_M[name] == 10:
                assert equal_neighbours(made.cloudy[band]) < 0.5


def test_radar_is_speckled_ground_with_dark_water(patches: list[Patch]) -> None:
    for made in patches:
        vv, vh = made.radar_db
        assert vv.max() <= 0.0 and vv.min() > -60.0
        assert 3.0 < (vv - vh).mean() < 12.0
    every = np.concatenate([made.radar_db[0].ravel() for made in patches])
    # B8 of water is below a tenth of that of land in the clear image.
    near = np.concatenate([made.clear[7].ravel() for made in patches])
    assert every[near < 600].mean() < every[near > 1500].mean() - 6.0
    quiet = 10 ** (np.array([np.median(np.abs(np.diff(m.radar_db[0]))) for m in patches]) / 10)
    assert (quiet > 1.1).all()  # speckle of 4 to 5 looks: neighbours differ by 2 dB


def test_the_published_rule_finds_the_clouds_and_their_shadows(patches: list[Patch]) -> None:
    for made in patches:
        mask = cloud_mask(np.moveaxis(made.cloudy, 0, -1))
        clear = made.cloud + made.cirrus < 0.02
        shaded = clear & (made.shadow > 0.4)
        assert (mask[made.cloud > 0.3] == CLOUD).mean() > 0.95
        if clear.sum() > 500:
            assert (mask[clear] == CLOUD).mean() < 0.2
        if shaded.sum() > 500:
            assert (mask[shaded] == SHADOW).mean() > 0.6
