"""Stacks as scenes: the values of step 53, whatever names, tags and gaps a file has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import dense_input
from sensor2sensor.dataset.contract import Degradation, TargetSpec
from sensor2sensor.dataset.degradation import degrade
from sensor2sensor.dataset.form import Form, form_of
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.opening import open_scene
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.rasters import pixel_m
from sensor2sensor.inference.scenes.scene import Frame, Scene
from sensor2sensor.inference.scenes.stackfile import band_name
from sensor2sensor.sources.sen12mscr.layout import find
from sensor2sensor.sources.sen12mscr.options import Sen12Options
from sensor2sensor.sources.sen12mscr.source import Sen12Source
from tests.fakes.sen12mscr import triplet_paths, write_triplets

SIDE = 32
UTM = rasterio.Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0)


def sen12(folder: Path, **other: Any) -> Sen12Source:
    options = Sen12Options(**{
        "dataset": "sen12mscr", "name": "clouds", "bands": "all", "s1_resolution_m": None,
        "s1_domain": "db", "s1_unit": "db", "mask": "dsen2cr", "cloud_threshold": 0.2,
        "split": "published", "split_list": None, "val_from_train": None, "train_ratio": 0.95,
        "val_ratio": 0.05, "seed": 42, **other,
    })  # fmt: skip
    return Sen12Source(folder, find(folder), options)


def form_of_source(source: Sen12Source) -> Form:
    said = {"step": source.step, "options": dict(source.options)}
    return form_of(source.drafts[0].model_copy(update={"provenance": said}))


@pytest.fixture(scope="module", params=["public", "flat"])
def clouds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clouds")
    write_triplets(root, {"fall_139": 1, "summer_4": 1}, side_px=SIDE, layout=request.param)
    return root


@pytest.mark.parametrize(
    "other",
    [{}, {"bands": "10m20m", "s1_resolution_m": 40.0, "s1_domain": "linear"}],
    ids=["all", "ten bands, radar of 40 m"],
)
def test_records_are_those_of_step_53(clouds: Path, other: dict[str, Any]) -> None:
    source = sen12(clouds, **other)
    form = form_of_source(source)
    assert form.level == "L1C" and form.radar_mean == other.get("s1_domain", "db")
    assert ("radar_mean" in form.model_dump(mode="json")) == bool(other)
    for item in source.plan().items:
        (made,) = source.read(item)
        scene = open_scene(item.payload.paths["s2_cloudy"], form)
        found = scene.window(scene.frame.full_window)
        assert found is not None and found.valid.all()
        np.testing.assert_array_equal(found.record.input_dense, made.input_dense)
        np.testing.assert_array_equal(scene.truth(scene.frame.full_window), made.target)
        assert found.record.target.shape == made.target.shape
        part = PixelWindow(8, 16, 16, 8)
        cut = scene.window(part)
        assert cut is not None
        whole = made.input_dense[part.rows, part.columns]
        np.testing.assert_array_equal(cut.record.input_dense, whole)
        assert scene.facts["radar"] == "db" and len(scene.facts["files"]) == 2


def test_power_is_never_taken_as_db(tmp_path: Path) -> None:
    write_triplets(tmp_path, {"fall_139": 1}, side_px=SIDE)
    source = sen12(tmp_path)
    form, paths = form_of_source(source), triplet_paths(tmp_path, "fall_139", 30)
    decibels = open_scene(paths["s2_cloudy"], form).window(PixelWindow(0, 0, SIDE, SIDE))
    with pytest.raises(InputError, match="so it is dB"):
        open_scene(paths["s2_cloudy"], form, SceneOptions(radar="linear"))
    with rasterio.open(paths["s1"], "r+") as file:
        file.write(10 ** (file.read() / 10))
    for radar in ("auto", "db"):
        with pytest.raises(InputError, match=r"linear power and no dB; add --radar linear"):
            open_scene(paths["s2_cloudy"], form, SceneOptions(radar=radar))
    scene = open_scene(paths["s2_cloudy"], form, SceneOptions(radar="linear"))
    converted = scene.window(PixelWindow(0, 0, SIDE, SIDE))
    assert decibels is not None and converted is not None
    np.testing.assert_allclose(converted.record.input_dense, decibels.record.input_dense, atol=2e-4)
    paths["s1"].unlink()
    with pytest.raises(InputError, match=r"lacks VV, VH .*--radar-file"):
        open_scene(paths["s2_cloudy"], form)


def bands(*names: str, unit: str = "reflectance", **other: Any) -> tuple[BandSpec, ...]:
    return tuple(
        BandSpec(
            name=name, unit=unit, wavelength_nm=None, scale=1.0, offset=0.0, nodata=None, **other
        )
        for name in names
    )


def form(inputs: Sequence[BandSpec], **other: Any) -> Form:
    return Form.model_validate({
        "name": "toy", "kind": "paired", "tile_px": 8, "resolution_m": 10.0, "factor": 1.0,
        "input": dense_input(tuple(inputs), "float32", 8),
        "target": TargetSpec(bands=tuple(inputs), dtype="float32"), **other,
    })  # fmt: skip


TWO = form(bands("B02", "B8A"))


def stack(path: Path, values: np.ndarray, names: Sequence[str] = (), **how: Any) -> Path:
    """Write ``[C, H, W]``; ``scale``, ``offset`` are tags of all bands."""
    tags = {key: how.pop(key) for key in ("scale", "offset") if key in how}
    how = {"crs": "EPSG:32633", "transform": UTM, **how}
    count, height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=values.dtype,
        **how,
    ) as file:
        file.write(values)
        file.descriptions = tuple(names) or file.descriptions
        if tags:
            file.scales, file.offsets = [tags["scale"]] * count, [tags.get("offset", 0.0)] * count
    return path


def numbers(count: int = 2, side: int = 24) -> np.ndarray:
    return np.random.default_rng(7).integers(200, 4000, (count, side, side)).astype(np.uint16)


def whole(scene: Scene) -> np.ndarray:
    found = scene.window(scene.frame.full_window)
    assert found is not None and found.record.input_dense is not None
    return found.record.input_dense


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("B2", "B02"), ("b02_10m", "B02"), ("S2_B8A", "B8A"), ("B8a_20m", "B8A"), ("B11", "B11"),
        ("B2, central wavelength 490 nm", "B02"), ("Sigma0_VV_db", "VV"), ("vh", "VH"),
        ("FRE_B12", "B12"), ("SCL", "SCL"), ("building", "building"),
    ],
)  # fmt: skip
def test_names_as_others_write_them(said: str, meant: str) -> None:
    assert band_name(said) == meant


def test_bands_are_found_by_name_and_scaled_by_tags(tmp_path: Path) -> None:
    dn = numbers(3) + np.uint16(1000)
    path = stack(tmp_path / "a.tif", dn, ("B8A_20m", "B3", "B2"), scale=1e-4, offset=-0.1)
    scene = open_scene(path, TWO)
    expected = (dn[[2, 0]].astype(np.float32) - 1000) / np.float32(10000)
    np.testing.assert_array_equal(whole(scene), np.moveaxis(expected, 0, -1))
    assert scene.frame.crs == "EPSG:32633" and scene.frame.transform == tuple(UTM[:6])
    assert scene.truth(scene.frame.full_window) is None and not scene.notices
    assert scene.facts["offset"] == -0.1
    plain = stack(tmp_path / "b.tif", dn[[2, 0]])
    given = SceneOptions(bands=("B2", "B8A"), scale=1e-4, offset=-0.1)
    np.testing.assert_array_equal(whole(open_scene(plain, TWO, given)), whole(scene))


def test_missing_bands_are_named_with_the_nearest(tmp_path: Path) -> None:
    path = stack(tmp_path / "a.tif", numbers(), ("B02", "B08"), scale=1e-4)
    with pytest.raises(InputError, match=r"lacks B8A \(it has B02, B08\); nearest: 'B08'"):
        open_scene(path, TWO)
    with pytest.raises(InputError, match=r"does not name its 2 bands; --bands .*takes B02,B8A"):
        open_scene(stack(tmp_path / "b.tif", numbers()), TWO)
    with pytest.raises(InputError, match=r"number of bands: 2, --bands names 1"):
        open_scene(path, TWO, SceneOptions(bands=("B02",)))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match=r"cannot be read, or is cut short"):
        open_scene(path, TWO)


@pytest.mark.parametrize(
    ("level", "says"), [("L1C", "level 2A has no B10, and the model"), ("L2A", "nearest: 'B02'")]
)
def test_level_2a_before_a_model_of_1c_is_named(tmp_path: Path, level: str, says: str) -> None:
    taken = form(bands("B02", "B8A", "B10"), level=level)
    path = stack(tmp_path / "a.tif", numbers(), ("B02", "B8A"), scale=1e-4)
    with pytest.raises(InputError, match=f"lacks B10 .*{says}"):
        open_scene(path, taken)
    # Nor does it go unsaid where somebody filled that band up.
    filled = stack(tmp_path / "b.tif", numbers(3) * [[[1]], [[1]], [[0]]], ("B02", "B8A", "B10"))
    (said,) = open_scene(filled, taken, SceneOptions(scale=1e-4)).notices
    assert said.startswith("B10: one value at all 25 places")


def test_numbers_without_a_scale_are_not_guessed(tmp_path: Path) -> None:
    names, dn = ("B02", "B8A"), numbers()
    with pytest.raises(InputError, match=r"uint16 without tags .*--scale 0\.0001"):
        open_scene(stack(tmp_path / "a.tif", dn, names), TWO)
    with pytest.raises(InputError, match=r"which are no reflectance; give --scale 0\.0001"):
        open_scene(stack(tmp_path / "b.tif", dn.astype(np.float32), names), TWO)
    reflectance = (dn / 1e4).astype(np.float32)
    scene = open_scene(stack(tmp_path / "c.tif", reflectance, names), TWO)
    np.testing.assert_array_equal(whole(scene), np.moveaxis(reflectance, 0, -1))


@pytest.mark.parametrize(
    ("moved", "options", "said"),
    [
        (0, SceneOptions(scale=1e-4), None),
        (1000, SceneOptions(scale=1e-4), "offset of baseline 04.00"),
        (1000, SceneOptions(scale=1e-4, offset=-0.1), None),
        (0, SceneOptions(scale=1e-4, offset=-0.1), "applied already"),
        (0, SceneOptions(scale=1.0), "check its scale"),
        (0, SceneOptions(scale=1e-8), "was its scale applied"),
    ],
)
def test_values_that_contradict_are_told(
    tmp_path: Path, moved: int, options: SceneOptions, said: str | None
) -> None:
    path = stack(tmp_path / "a.tif", numbers() + np.uint16(moved), ("B02", "B8A"))
    notices = open_scene(path, TWO, options).notices
    assert [one for one in notices if said and said in one] == list(notices)
    assert bool(notices) == bool(said)


@pytest.mark.parametrize("how", ["nodata", "NaN", "mask"])
def test_gaps_are_filled_and_remembered(tmp_path: Path, how: str) -> None:
    values = (numbers(side=48) / 1e4).astype(np.float32)
    gaps = np.zeros((48, 48), bool)
    gaps[10:14, 20:30] = True
    holes = values.copy()
    if how != "mask":
        holes[0, gaps] = np.nan if how == "NaN" else -1
    path = tmp_path / "a.tif"
    stack(path, holes, ("B02", "B8A"), nodata=-1.0 if how == "nodata" else None)
    if how == "mask":
        with rasterio.open(path, "r+") as file:
            file.write_mask(~gaps)
    scene = open_scene(path, TWO)
    found = scene.window(scene.frame.full_window)
    assert found is not None and np.isfinite(found.record.input_dense).all()
    np.testing.assert_array_equal(found.valid, ~gaps)
    kept = np.moveaxis(values, 0, -1)[~gaps]
    np.testing.assert_array_equal(found.record.input_dense[~gaps], kept)
    # Within the halo of a valid pixel a window shows what every other does.
    part = scene.window(PixelWindow(12, 2, 20, 16), 4)
    assert part is not None
    np.testing.assert_array_equal(part.record.input_dense, found.record.input_dense[2:18, 12:32])
    assert scene.window(PixelWindow(20, 10, 10, 4)) is None
    beyond = scene.window(PixelWindow(-8, -8, 32, 32), 8)
    assert beyond is not None
    np.testing.assert_array_equal(beyond.record.input_dense[8, 8], kept[0])
    np.testing.assert_array_equal(
        beyond.record.input_dense[:8, 8:], beyond.record.input_dense[16:8:-1, 8:]
    )


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_any_grid_is_kept_and_its_scale_is_held_against_the_models(tmp_path: Path) -> None:
    values, names = (numbers() / 1e4).astype(np.float32), ("B02", "B8A")
    turned = UTM @ rasterio.Affine.rotation(30.0)
    scene = open_scene(stack(tmp_path / "a.tif", values, names, transform=turned), TWO)
    assert scene.frame.transform == pytest.approx(tuple(turned[:6]))
    assert pixel_m(scene.frame) == pytest.approx(10.0) and not scene.notices
    degrees = rasterio.Affine(1.27e-4, 0, 15.0, 0, -9e-5, 45.0)
    where = {"crs": "EPSG:4326", "transform": degrees}
    scene = open_scene(stack(tmp_path / "b.tif", values, names, **where), TWO)
    assert scene.frame.crs == "EPSG:4326" and pixel_m(scene.frame) == pytest.approx(10, rel=0.02)
    coarse = stack(tmp_path / "c.tif", values, names, transform=UTM @ rasterio.Affine.scale(6))
    with pytest.raises(InputError, match=r"60 m, .* 10 m; resample to 10 m, --other-scale"):
        open_scene(coarse, TWO)
    notices = open_scene(coarse, TWO, SceneOptions(other_scale=True)).notices
    assert len(notices) == 1 and "60 m" in notices[0]
    with pytest.raises(InputError, match=r"pixels of 60 m, --input-m says 10 m"):
        open_scene(coarse, TWO, SceneOptions(input_m=10.0, other_scale=True))
    nowhere = open_scene(stack(tmp_path / "d.tif", values, names, crs=None, transform=None), TWO)
    assert nowhere.frame == Frame(24, 24)


def test_bands_of_larger_pixels_keep_them_whole_and_the_prediction_is_finer(tmp_path: Path) -> None:
    values = (numbers() / 1e4).astype(np.float32)
    values[1] = values[1, ::2, ::2].repeat(2, 0).repeat(2, 1)
    path = stack(tmp_path / "a.tif", values, ("B02", "B8A"))
    inputs = (*bands("B02"), *bands("B8A", native_px=2))
    spec = dense_input(inputs, "float32", 8, pixel_m=10.0)
    scene = open_scene(path, form(inputs, input=spec, resolution_m=5.0, factor=2.0))
    assert scene.align_px == 4 and scene.frame.shape == (48, 48)
    assert scene.frame.transform == (5.0, 0.0, 500_000.0, 0.0, -5.0, 5_000_000.0)
    found = scene.window(PixelWindow(-8, 0, 64, 48), 8)
    assert found is not None and found.record.target.shape == (48, 64, 2)
    np.testing.assert_array_equal(found.record.input_dense[:, 4:28], np.moveaxis(values, 0, -1))
    left = found.record.input_dense[:, :4, 1]
    np.testing.assert_array_equal(left[:, ::2], left[:, 1::2])
    assert not scene.notices
    values[1, 5, 5] += 1e-3
    stack(path, values, ("B02", "B8A"))
    (told,) = open_scene(path, form(inputs, input=spec, resolution_m=5.0, factor=2.0)).notices
    assert told.startswith("B8A (2): not repeated")


def test_a_stack_of_the_target_is_degraded_and_is_the_truth(tmp_path: Path) -> None:
    values = (numbers() / 1e4).astype(np.float32)
    path = stack(tmp_path / "a.tif", values, ("B02", "B8A"))
    how = Degradation(
        method="mean", factor=4, mtf_nyquist=None, sigma_px=None, incomplete_blocks=0,
        tiles_with_incomplete_blocks=0,
    )  # fmt: skip
    spec = dense_input(TWO.input.bands, "float32", 8).model_copy(
        update={"layout": "pixels", "grid": (2, 2)}
    )
    model = form(TWO.input.bands, kind="degraded", factor=4.0, input=spec, degradation=how)
    scene = open_scene(path, model)
    image = np.moveaxis(values, 0, -1)
    found = scene.window(scene.frame.full_window)
    assert found is not None and scene.frame.shape == (24, 24)
    expected = degrade(image, 4, resolution_m=10.0).pixels
    np.testing.assert_array_equal(found.record.input_pixels, expected)
    np.testing.assert_array_equal(scene.truth(scene.frame.full_window), image)
    # Pixels of the input's size are given as they are.
    given = stack(
        tmp_path / "b.tif", values, ("B02", "B8A"), transform=UTM @ rasterio.Affine.scale(4)
    )
    fine = open_scene(given, model)
    assert fine.frame.shape == (96, 96) and fine.truth(fine.frame.full_window) is None


def test_radar_of_its_own_file_lies_on_the_same_pixels(tmp_path: Path) -> None:
    model = form((*bands("B02"), *bands("VV", "VH", unit="dB")))
    path = stack(tmp_path / "a.tif", numbers(1), ("B02",), scale=1e-4)
    values = -numbers().astype(np.float32) / 200
    radar = stack(tmp_path / "s1.tif", values, ("VH", "VV"))
    scene = open_scene(path, model, SceneOptions(radar_file=radar))
    np.testing.assert_array_equal(whole(scene)[..., 1:], np.moveaxis(values[::-1], 0, -1))
    moved = stack(tmp_path / "s2.tif", values, ("VH", "VV"), transform=UTM @ UTM.translation(1, 0))
    with pytest.raises(InputError, match=r"does not lie on the pixels of a\.tif"):
        open_scene(path, model, SceneOptions(radar_file=moved))
