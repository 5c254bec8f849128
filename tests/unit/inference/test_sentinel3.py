"""A swath on a grid: the records of steps 40 and 50, any window, gaps, other products."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.geo.collocation import grid_geocentric_m
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.opening import open_scene
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.preprocess.records.tiles import read_arrays, sentinel3_record
from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.quality import Quality
from tests.unit.inference.swaths import TILE, cut
from tests.unit.preprocess.tifs_archive import FIRST, overpass

OVER = {"crs": "EPSG:32617", "bbox": (501000.0, 8095000.0, 503200.0, 8097600.0)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("swaths")
    return root, *cut(root)


@pytest.fixture(scope="module")
def product(made) -> Path:
    return next((made[0] / "s3").rglob("S3A*20220714*.SEN3"))


def scene_of(product: Path, form, **options):
    return open_scene(product, form, SceneOptions(**options))


def values(window, place: PixelWindow, part: PixelWindow) -> tuple[np.ndarray, ...]:
    """Radiance, position on the frame and validity of each pixel of a part of a window."""
    y, x = part.y - place.y, part.x - place.x
    inner = np.s_[y : y + part.height, x : x + part.width]
    record = window.record
    at = record.input_xy / 10.0 + [place.x, place.y]
    rows = record.input_index[inner] - 1
    return record.input_pixels[rows], np.round(at[rows], 6), window.valid[inner]


def test_a_record_is_that_of_steps_40_and_50(made, tmp_path):
    root, tiles, contract, form = made
    assert {Path(tile.s3).suffix for tile in tiles.tiles} == {".SEN3", ".zip"}
    for tile in tiles.tiles:
        expected = sentinel3_record(tile, read_arrays(tile, contract, with_s3=True))
        scene = scene_of(root / "s3" / tile.s3, form, like=root / "s2" / tile.s2)
        x, y = map(int, tile.stem.split("_")[1].split("x"))
        got = scene.window(PixelWindow(x, y, TILE, TILE))
        assert got is not None and got.valid.all()
        for part in ("input_pixels", "input_xy", "input_index"):
            found, known = getattr(got.record, part), getattr(expected, part)
            assert found.dtype == known.dtype and np.array_equal(found, known), part
        assert got.record.target.shape == expected.target.shape
        assert set(got.record.extras) == set(expected.extras)
        assert scene.truth(PixelWindow(x, y, TILE, TILE)) is None


def test_what_is_nearest_does_not_depend_on_the_window(made, product):
    scene = scene_of(product, made[3], **OVER)
    part = PixelWindow(70, 90, 41, 33)
    whole = scene.frame.full_window
    expected = values(scene.window(whole), whole, part)
    # A millimetre would give few pixels another neighbour: their places are equal to the bit.
    inner = np.s_[part.y : part.y + part.height, part.x : part.x + part.width]
    assert np.array_equal(scene._points(part), scene._points(whole)[inner])
    for place, halo in [(part, 0), (part.expanded(13), 13), (PixelWindow(-5, 71, 200, 90), 0)]:
        found = values(scene.window(place, halo), place, part)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_grid_that_reaches_beyond_the_swath_holds_its_nearest_values_and_no_nan(made, product):
    # The last of the 33 rows lies at some 8 094 500 m.
    scene = scene_of(
        product, made[3], crs="EPSG:32617", bbox=(500000.0, 8080000.0, 501280.0, 8098000.0)
    )
    seen = [scene.window(PixelWindow(0, y, 128, 128)) for y in range(0, 1792, 128)]
    assert seen[0] is not None and seen[0].valid.all() and seen[-1] is None
    edge = next(one for one in seen if one is not None and not one.valid.all())
    assert edge.valid.any() and np.isfinite(edge.record.input_pixels).all()
    assert edge.record.input_index.min() >= 1
    known = edge.record.input_pixels[edge.record.input_index - 1][edge.valid]
    filled = edge.record.input_pixels[edge.record.input_index - 1][~edge.valid]
    assert {one.tobytes() for one in filled} <= {one.tobytes() for one in known}
    with pytest.raises(ProductError, match="no pixel lies over the ground asked for"):
        scene_of(product, made[3], tile="T33XWJ")


def test_a_gap_is_filled_by_what_lies_nearest_and_does_not_spread(made, product):
    whole = scene_of(product, made[3], **OVER)
    place = whole.frame.full_window
    before = whole.window(place)
    middle, _ = whole.swath.index.nearest(grid_geocentric_m(whole.grid)[130, 110], 1e3)
    row, column = divmod(int(middle), whole.swath.window.shape[1])
    broken = scene_of(product, made[3], **OVER)
    broken.swath.radiance[3, row, column] = np.nan  # of one band, which spoils them all
    broken.swath.quality[row, column + 2] |= np.uint32(Quality.OLCI_INVALID)
    after = broken.window(place)
    lost = ~after.valid
    old, new = (w.record.input_pixels[w.record.input_index - 1] for w in (before, after))
    at = before.record.input_xy[before.record.input_index - 1] + [501000.0, -8097600.0]
    places = (whole.swath.xy_m[row, column + step] * [1.0, -1.0] for step in (0, 2))
    missing, flagged = (np.isclose(at, one, atol=0.01).all(axis=-1) for one in places)
    # 900 target pixels lie in one of OLCI; what the product flags was in the records of training.
    assert 500 < missing.sum() < 2000 and 500 < flagged.sum() < 2000
    assert np.array_equal(lost, missing | flagged) and np.isfinite(new).all()
    assert np.array_equal(old[~missing], new[~missing])
    assert broken.window(PixelWindow(*_first(lost), 1, 1)) is None


def _first(mask: np.ndarray) -> tuple[int, int]:
    row, column = np.argwhere(mask)[len(np.argwhere(mask)) // 2]
    return int(column), int(row)


def test_provenance_says_which_pass_it_was(made, product):
    scene = scene_of(product, made[3], **OVER)
    facts = scene.facts
    assert facts["product"] == product.stem and facts["product_type"] == "OL_1_EFR"
    assert facts["relative_orbit"] == 334
    assert facts["start_datetime"] < facts["datetime"] < facts["end_datetime"]
    assert set(facts["files"]) >= {f"{band}_radiance.nc" for band in OLCI_BANDS}
    assert scene.frame.shape == (260, 220) and scene.frame.crs == "EPSG:32617"
    assert scene.align_px == 1 and not scene.notices


def test_reduced_resolution_is_refused_unless_it_is_meant(made, tmp_path):
    coarse = overpass(
        tmp_path, FIRST + timedelta(hours=1), product_type="OL_1_ERR", rows=17, columns=17
    )
    with pytest.raises(
        InputError, match=r"1200 m .*trained on 300 m.*OL_1_EFR, or give --other-scale"
    ):
        scene_of(coarse, made[3], **OVER)
    with pytest.raises(InputError, match="pixels of 1200 m and no others"):
        scene_of(coarse, made[3], **OVER, other_scale=True, input_m=300.0)
    scene = scene_of(coarse, made[3], **OVER, other_scale=True)
    assert "1200 m" in scene.notices[0] and scene.window(scene.frame.full_window).valid.all()


def test_a_product_that_is_cut_short_or_lacks_a_band_is_refused(made, product, tmp_path):
    import shutil

    copy = shutil.copytree(product, tmp_path / product.name)
    file = copy / "Oa09_radiance.nc"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ProductError, match=r"Oa09_radiance.nc has \d+ bytes instead of"):
        scene_of(copy, made[3], **OVER)
    file.unlink()
    with pytest.raises(ProductError, match=r"lacks Oa09_radiance\.nc"):
        scene_of(copy, made[3], **OVER)


def test_a_model_of_some_bands_is_given_these_and_no_others(made, product):
    form = made[3]
    some = (form.input.bands[16], form.input.bands[7])
    fewer = form.model_copy(update={"input": form.input.model_copy(update={"bands": some})})
    place = PixelWindow(0, 0, 50, 60)
    all_bands = scene_of(product, form, **OVER).window(place).record.input_pixels
    got = scene_of(product, fewer, **OVER).window(place).record.input_pixels
    assert np.array_equal(got, all_bands[:, [16, 7]])
    wrong = (some[0].model_copy(update={"name": "Oa71"}),)
    other = form.model_copy(update={"input": form.input.model_copy(update={"bands": wrong})})
    with pytest.raises(InputError, match=r"'Oa71', which OLCI does not have.*Oa"):
        scene_of(product, other, **OVER)


def test_a_model_of_aligned_inputs_warns_that_this_one_is_not(made, product):
    form = made[3]
    assert not scene_of(product, form, **OVER).notices
    moved = form.model_copy(update={"input": form.input.model_copy(update={"aligned": ("train",)})})
    (notice,) = scene_of(product, moved, **OVER).notices
    assert "was trained with its input aligned with the target; this input is not" in notice
