"""Sentinel-2 products as scenes: the records of steps 40 and 50, whatever baseline and packing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.opening import open_scene
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.preprocess.records.inputs import read_tiles
from sensor2sensor.preprocess.records.tiles import degraded_record, read_arrays
from sensor2sensor.products.s2_radiometry import radiometric_notices
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes import World, make_s2
from tests.unit.inference.forms import RGB, degraded, paired
from tests.unit.preprocess.tifs_archive import FIRST, INVENTORY, archive, select, step40
from tests.unit.products.oracle import satpy_reflectance

T29UNU = "s2_safe/S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.SAFE"
T48PVS = "s2_safe/S2C_MSIL1C_20250228T031721_N0511_R118_T48PVS_20250228T065233.SAFE"
TILE, NONE = 64, SceneOptions()
WINDOW = PixelWindow(30, 60, 96, 72)


@pytest.fixture(scope="module")
def cut(tmp_path_factory) -> Path:
    """An archive with ten tiles of a scene."""
    root = archive(tmp_path_factory.mktemp("cut"))
    select(root, 0)
    assert step40(root, "--quantity", "10") == 0
    return root


@pytest.mark.parametrize("method", ["mean", "mtf"])
@pytest.mark.parametrize("factor", [2, 3])
def test_records_are_those_of_steps_40_and_50_bit_for_bit(cut, factor, method):
    """Of the tiles whose corner lies where blocks of the scene begin."""
    form = degraded(factor, method=method)
    scene = open_scene(next((cut / "s2").glob("S2A*.SAFE")), form, NONE)
    tiles = read_tiles(load_environment(cut / "environment.json"), INVENTORY, TILE).tiles
    compared = 0
    for tile in tiles:
        x, y = map(int, tile.stem.partition("_")[2].split("x"))
        if x % factor or y % factor:
            continue
        record = degraded_record(tile, read_arrays(tile, form, with_s3=False), form.degradation)
        # As wide as whole blocks: the last one of the tile may reach beyond it.
        side = -(-TILE // factor) * factor
        made = scene.window(PixelWindow(x, y, side, side))
        np.testing.assert_array_equal(made.record.input_pixels, record.input_pixels)
        np.testing.assert_array_equal(made.record.input_xy, record.input_xy)
        np.testing.assert_array_equal(made.record.input_index[:TILE, :TILE], record.input_index)
        np.testing.assert_array_equal(scene.truth(PixelWindow(x, y, TILE, TILE)), record.target)
        assert made.valid.all() and made.record.target.shape == (side, side, 3)
        compared += 1
    assert compared


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """One ground under several baselines, levels and packings."""
    root = tmp_path_factory.mktemp("ground")

    def made(level: str, baseline: str, **options) -> Path:
        folder = root / f"{level}_{baseline}"
        if not folder.exists():
            common = {"size_px": 192, "cloud": 0.0, "bands": (*RGB, "B05", "B8A", "B10", "B11")}
            make_s2(
                folder, world=World(0), sensing=FIRST, level=level, baseline=baseline,
                quality_masks=False, **{**common, **options},
            )  # fmt: skip
        return next(folder.iterdir())

    return made


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_one_ground_under_every_baseline_gives_one_record(ground, level):
    form, place = degraded(3, level=level), WINDOW
    found = [
        open_scene(ground(level, baseline), form, NONE) for baseline in ("03.01", "04.00", "05.11")
    ]
    assert {scene.facts["offsets"]["B02"] for scene in found} == {0.0, -1000.0}
    records = [scene.window(place).record for scene in found]
    for record in records[1:]:
        np.testing.assert_array_equal(record.input_pixels, records[0].input_pixels)
    # The ground has pixels brighter than is stored, and nothing else to tell.
    assert all(len(scene.notices) == 1 and "saturated" in scene.notices[0] for scene in found)


def test_a_level_the_model_was_not_trained_on_is_told_and_recorded(ground):
    scene = open_scene(ground("L2A", "04.00"), degraded(3, level="L1C"), NONE)
    assert "at the surface (L2A)" in scene.notices[0]
    assert scene.facts["level"] == "L2A" and scene.facts["baseline"] == "04.00"
    assert scene.facts["datetime"].startswith("2022-07-14T")
    assert all(one["bytes"] > 0 for one in scene.facts["files"].values())


def test_a_zip_gives_what_its_folder_gives(ground, tmp_path):
    folder = ground("L2A", "04.00")
    packed = shutil.make_archive(str(tmp_path / folder.name), "zip", folder.parent, folder.name)
    both = [open_scene(Path(path), degraded(3), NONE).window(WINDOW) for path in (folder, packed)]
    np.testing.assert_array_equal(both[0].record.input_pixels, both[1].record.input_pixels)


def test_bands_of_their_own_size_are_repeated_on_the_finest(ground):
    """As a data set of pairs holds them; the level gives each band at its own size alone."""
    product = ground("L1C", "05.11")
    bands = (*RGB, "B05", "B10")
    scene = open_scene(product, paired(1, bands), NONE)
    assert (scene.frame.shape, scene.align_px) == ((192, 192), 6)
    dense = scene.window(PixelWindow(60, 60, 48, 48)).record.input_dense
    own = open_s2(product)
    for band, size in (("B02", 10), ("B05", 20), ("B10", 60)):
        step, place = size // 10, bands.index(band)
        window = PixelWindow(60 // step, 60 // step, 48 // step, 48 // step)
        wanted = own.read_reflectance((band,), size, window)[0][..., 0]
        np.testing.assert_array_equal(dense[..., place], wanted.repeat(step, 0).repeat(step, 1))
    assert scene.truth(WINDOW) is None


def test_pixels_that_are_given_are_predicted_on_a_finer_grid(ground):
    product, options = ground("L2A", "04.00"), SceneOptions(input_m=20.0)
    scene = open_scene(product, degraded(2), options)
    assert scene.frame.shape == (192, 192) and scene.frame.transform[0] == 10.0
    record = scene.window(PixelWindow(40, 80, 32, 24)).record
    wanted = open_s2(product).read_reflectance(RGB, 20, PixelWindow(20, 40, 16, 12))[0]
    np.testing.assert_array_equal(record.input_pixels, wanted.reshape(-1, 3))
    assert record.input_index[0, :4].tolist() == [1, 1, 2, 2]
    assert scene.truth(PixelWindow(0, 0, 8, 8)) is None and "other-scale" not in str(scene.notices)
    with pytest.raises(InputError, match=r"trained on pixels of 30 m, not of 20 m; add --other-sc"):
        open_scene(product, degraded(3), options)
    other = open_scene(product, degraded(5), replace(options, input_m=60.0, other_scale=True))
    assert other.frame.transform[0] == 12.0 and "trained on pixels of 50 m" in other.notices[0]


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (
            degraded(3, pixel_m=30.0),
            "has no pixels of 30 m of B02, B03, B04; all its bands are there",
        ),
        (paired(1, (*RGB, "B10")), "B10; level 2A has no B10"),
        (degraded(3, bands=("B02", "B08"), pixel_m=60.0), "has no pixels of 60 m of B08"),
    ],
)
def test_pixels_a_product_does_not_have_are_named_with_the_way_out(ground, form, says):
    with pytest.raises(InputError) as caught:
        open_scene(ground("L2A", "04.00"), form, NONE)
    assert says in str(caught.value)


def test_radar_is_no_band_of_sentinel2(ground):
    form = paired(1, ("B02", "VV"))
    radar = form.input.bands[1].model_copy(update={"unit": "dB"})
    spec = form.input.model_copy(update={"bands": (form.input.bands[0], radar)})
    given = form.model_copy(update={"input": spec})
    with pytest.raises(InputError, match="has no VV"):
        open_scene(ground("L2A", "04.00"), given, NONE)
    # A network that never looks at it needs none.
    blind = given.model_copy(update={"unseen": ("VV",)})
    scene = open_scene(ground("L2A", "04.00"), blind, NONE)
    place = PixelWindow(0, 0, 32, 32)
    found = scene.window(place)
    plain = open_scene(ground("L2A", "04.00"), paired(1, ("B02",)), NONE).window(place)
    np.testing.assert_array_equal(found.record.input_dense[..., :1], plain.record.input_dense)


def test_the_real_product_equals_satpy_on_its_own_grid(real_data):
    path = real_data / T29UNU
    scene = open_scene(path, degraded(5, pixel_m=60.0, level="L2A"), NONE)
    with rasterio.open(next(path.rglob("*_B02_60m.jp2"))) as image:
        assert scene.frame.transform == tuple(image.transform)[:6]
        assert (scene.frame.crs, scene.frame.shape) == (image.crs.to_string(), image.shape)
    assert scene.notices == ()
    place = PixelWindow(1000, 300, 400, 300)  # across the edge of the swath
    wanted = satpy_reflectance(path, "L2A", RGB, 60)
    truth, valid = scene.truth(place), scene.window(place).valid
    for number, band in enumerate(RGB):
        cut = wanted[band][place.rows, place.columns]
        np.testing.assert_allclose(truth[..., number], cut, rtol=0, atol=2e-7)
    assert 0.3 < valid.mean() < 1
    np.testing.assert_array_equal(valid, np.isfinite(truth).all(-1))


def test_the_real_product_without_10_m_names_what_it_has(real_data):
    with pytest.raises(
        InputError, match=r"no pixels of 10 m of B02, B03, B04; .* at 60 m: give --i"
    ):
        open_scene(real_data / T29UNU, degraded(3), NONE)


def moved(product, baseline: str, offset: float):
    """A product whose metadata say another offset than its numbers have."""
    return replace(product, baseline=baseline, offsets=dict.fromkeys(product.offsets, offset))


def test_real_offsets_are_not_suspected_and_wrong_ones_are(real_data):
    clouds, coast = open_s2(real_data / T29UNU), open_s2(real_data / T48PVS)
    every = dict.fromkeys((*RGB, "B12"), 60)
    assert radiometric_notices(clouds, every) == ()
    assert radiometric_notices(coast, {"B01": 60}) == ()
    (up,) = radiometric_notices(moved(clouds, "03.01", 0.0), every)
    assert "moved up by 1000" in up
    # Of B01 nothing can be told: air alone is as bright at the top of the atmosphere.
    assert radiometric_notices(moved(coast, "03.01", 0.0), {"B01": 60}) == ()
    (back,) = radiometric_notices(moved(clouds, "04.00", -2000.0), every)
    assert "applied already" in back


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_offsets_that_were_applied_already_are_suspected(ground, level):
    old, new = (open_s2(ground(level, baseline)) for baseline in ("03.01", "05.11"))
    read_at = dict.fromkeys(RGB, 10)
    sound = radiometric_notices(old, read_at)
    assert radiometric_notices(new, read_at) == sound and "applied" not in str(sound)
    assert "applied already" in radiometric_notices(moved(old, "05.11", -1000.0), read_at)[0]
    assert "moved up" in radiometric_notices(moved(new, "03.01", 0.0), read_at)[0]
