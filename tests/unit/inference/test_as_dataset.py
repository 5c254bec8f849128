"""Photos made of masks are a data set that step 52 reads, and say that they are none."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import dense_input
from sensor2sensor.dataset.contract import TargetSpec, load_contract
from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.as_dataset import refuse_other, write_mask
from sensor2sensor.inference.command import add_arguments, predict_all
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.scenes.scene import Frame, SceneWindow
from sensor2sensor.predictors.tiling import Tiling
from sensor2sensor.sources.aerial.run import main
from sensor2sensor.sources.pictures import COLOURS, picture_band
from tests.fakes_tiles import own_environment

SIDE = 600
MASK = BandSpec(
    name="building", unit="1", wavelength_nm=None, scale=1.0, offset=0.0, nodata=None,
    groups=("mask",), value_range=(0.0, 1.0),
)  # fmt: skip
FORM = Form(
    name="aerial", kind="paired", tile_px=64, resolution_m=0.3, factor=1.0,
    input=dense_input((MASK,), "uint8", 64, pixel_m=0.3),
    target=TargetSpec(bands=tuple(picture_band(c, "photo") for c in COLOURS), dtype="uint8"),
)  # fmt: skip


@dataclass
class MaskScene:
    """A mask, and where it says something."""

    mask: np.ndarray
    valid: np.ndarray
    align_px = 1
    frame = Frame(SIDE, SIDE, (0.3, 0.0, 620000.0, 0.0, -0.3, 3340000.0), "EPSG:32614")

    def window(self, place: PixelWindow, halo_px: int = 0) -> SceneWindow | None:
        valid = self.valid[place.rows, place.columns]
        if not valid.any():
            return None
        mask = self.mask[place.rows, place.columns, None].astype(np.float32)
        blank = np.zeros((*valid.shape, 3), np.float32)
        return SceneWindow(dense_record("m", blank, mask), valid)


@pytest.fixture
def scene() -> MaskScene:
    mask = np.random.default_rng(5).random((SIDE // 20, SIDE // 20)) < 0.3
    return MaskScene(mask.repeat(20, 0).repeat(20, 1), np.ones((SIDE, SIDE), bool))


def records(folder: Path):
    refs = [ref for split in ("train", "val", "test") for ref in list_records(folder, split)]
    return list(iterate_refs(refs, load_contract(folder)))


@dataclass
class Painter:
    """Roofs and fields of another colour in every image."""

    red: int = 10
    normalised = False

    def __call__(self, tiles: Sequence[TileRecord], /) -> np.ndarray:
        masks = np.stack([tile.input_dense for tile in tiles])
        return np.concatenate([masks * 100 + self.red, 200 - masks * 50, masks * 7 + 1.4], axis=-1)

    def describe(self) -> dict[str, Any]:
        return {"method": "painter", "red": self.red}


def door(*words: object, painters: int = 1) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(["--as-dataset", *map(str, words)])

    def make() -> Method:
        return Method("painter", (Painter(),) * painters, FORM, Tiling(0))

    return predict_all(FORM, "painter", args, make)


def test_masks_become_a_folder_that_step_52_reads(scene, tmp_path):
    names = ("austin1", "austin7", "austin9")  # a tile of every split
    (tmp_path / "masks").mkdir()
    for turn, name in enumerate(names):
        profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 1, "dtype": "uint8"}
        place = {"crs": scene.frame.crs, "transform": rasterio.Affine(*scene.frame.transform)}
        with rasterio.open(tmp_path / "masks" / f"{name}.tif", "w", **profile, **place) as made:
            made.write(np.rot90(scene.mask, turn).astype(np.uint8) * 255, 1)
    folder = tmp_path / "made"
    assert door("--product", tmp_path / "masks", "--out", folder) == 0
    assert {p.name for p in (folder / "gt").iterdir()} == {f"{name}.tif" for name in names}
    said = json.loads((folder / "images" / "austin7.json").read_text())
    assert said["properties"]["s2s:synthetic"] is True
    words = ["--data", folder, "--stored-size", SIDE, *own_environment(tmp_path)]
    assert main([str(word) for word in words]) == 0
    found = records(tmp_path / "aerial" / str(SIDE))
    assert [record.name for record in found] == [f"made__{name}" for name in names]
    for turn, record in enumerate(found):
        mask = np.rot90(scene.mask, turn)
        np.testing.assert_array_equal(record.input_dense[..., 0], mask)
        wanted = np.stack([mask * 100 + 10, 200 - mask * 50, mask * 7 + 1], axis=-1)
        np.testing.assert_array_equal(record.target, wanted)
    contract = load_contract(tmp_path / "aerial" / str(SIDE))
    assert contract.resolution_m == 0.3 and contract.target.display == COLOURS


def test_sides_that_do_not_divide_leave_pixels_square(scene, tmp_path):
    """For step 52, which knows no place of other pixels."""
    (tmp_path / "masks").mkdir()
    profile = {"driver": "GTiff", "width": 580, "height": 400, "count": 1, "dtype": "uint8"}
    for number in range(3):
        grid = rasterio.Affine(0.1, 0, 9.5e6 + 100 * number, 0, -0.1, 3.2e6)
        place = {"crs": "EPSG:3857", "transform": grid}
        with rasterio.open(tmp_path / "masks" / f"a{number}.tif", "w", **profile, **place) as made:
            made.write(scene.mask[:400, :580].astype(np.uint8) * 255, 1)
    folder = tmp_path / "made"
    assert door("--product", tmp_path / "masks", "--out", folder, "--input-m", "0.3") == 0
    for kind in ("images", "gt"):
        with rasterio.open(folder / kind / "a2.tif") as source:
            grid, shape = source.transform, source.shape
        assert (grid.a, -grid.e, grid.c, grid.f) == (pytest.approx(0.3), grid.a, 9.5e6 + 200, 3.2e6)
        assert shape == (133, 193)  # of 133.3 and 193.3
    words = ["--data", folder, "--stored-size", 32, "--split", 4, "--split-by", "block"]
    words += ["--block-tiles", 1, "--seed", 51, *own_environment(tmp_path)]
    assert main([str(word) for word in words]) == 0
    contract = load_contract(tmp_path / "aerial" / "32")
    assert contract.resolution_m == pytest.approx(0.3 * 33 / 32)


def test_a_run_that_was_killed_leaves_nothing_behind(scene, tmp_path):
    write_mask(tmp_path / "masks", "a1", scene, "painter")
    out, others = tmp_path / "out", tmp_path / "out" / "images" / ".b.png.12345678.part"
    words = ["--product", tmp_path / "masks" / "gt" / "a1.tif", "--out", out]
    words += ["--roi-px", 0, 0, 40, 40]
    others.parent.mkdir(parents=True)
    others.touch()
    killed = set()
    for write in range(1, 20):
        try:
            with files.crash_at_write(write):
                assert door(*words, "--quicklook", "--preview") == 0
            break
        except files.SimulatedCrash:
            killed |= {one.name.split(".")[-4] + one.name.split(".")[-3] for one in parts(out)}
            assert door(*words, "--quicklook", "--preview") == 0
            assert parts(out) == [others]
            shutil.rmtree(out)
            others.parent.mkdir(parents=True)
            others.touch()
    assert {"a1png", "a1html", "a1json", "READMEmd"} <= killed
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(1):  # of a file that is there
        door(*words, "--quicklook")
    assert len(parts(out)) == 2
    assert door(*words) == 0 and parts(out) == [others]


def parts(folder: Path) -> list[Path]:
    return [one for one in folder.rglob(".*.part") if one.is_file()]


def test_a_mean_is_no_photo(scene, tmp_path):
    write_mask(tmp_path, "a1", scene, "painter")
    with pytest.raises(InputError, match="the mean of 2 predictions is no photo; leave out"):
        door("--product", tmp_path / "gt" / "a1.tif", "--out", tmp_path / "out", painters=2)
    assert not list((tmp_path / "out").rglob("*.tif"))


def test_one_file_is_no_folder(tmp_path):
    (tmp_path / "a.tif").touch()
    with pytest.raises(InputError, match="names one file for a data set; name a folder"):
        door("--product", tmp_path / "a.tif", "--out", tmp_path / "b.tif")


def test_both_say_what_they_are(scene, tmp_path):
    scene.valid[512:] = False
    scene.valid[3, 4] = False
    path = write_mask(tmp_path, "austin7", scene, "pix2pix")
    with rasterio.open(path) as source:
        assert source.tags()["S2S_SYNTHETIC"] == "no: the mask that images/austin7.tif was made of"
        assert source.transform.c == 620000.0 and source.crs.to_epsg() == 32614
        np.testing.assert_array_equal(source.dataset_mask() > 0, scene.valid)
        there = np.where(scene.valid, scene.mask * 255, 0)
        np.testing.assert_array_equal(source.read(1), there)
    said = (tmp_path / "README.md").read_text()
    assert "No camera took" in said and "`pix2pix`" in said and f"--data {tmp_path.name}" in said


def test_models_of_other_things_are_refused():
    refuse_other(FORM)
    photos = FORM.model_copy(update={"input": replace_bands(FORM.target.bands)})
    satellite = FORM.model_copy(update={"target": TargetSpec(bands=(MASK,), dtype="uint8")})
    for form in (photos, satellite, FORM.model_copy(update={"factor": 2.0})):
        with pytest.raises(InputError, match="--as-dataset: the model makes"):
            refuse_other(form)


def replace_bands(bands):
    return FORM.input.model_copy(update={"bands": bands})
