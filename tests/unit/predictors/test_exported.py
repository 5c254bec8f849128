"""Exported models as predictors: the same numbers as the network has, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from rasterio import Affine
from rasterio.warp import Resampling, reproject

from sensor2sensor.core.errors import InputError, ModelContractError
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.upsampling import regular_index, upsample
from sensor2sensor.predictors.exported import open_exported
from sensor2sensor.predictors.sidecar import read_sidecar
from sensor2sensor.predictors.tiling import Tiling
from tests.fakes.onnx_files import toy_form, write_exported, write_onnx


def blocks(side_px: int, factor: int, seed: int = 0) -> TileRecord:
    """A tile whose input is stored as a table of the pixels of a coarser grid."""
    own = -(-side_px // factor)
    values = np.random.default_rng(seed).uniform(-0.05, 1.3, (own * own, 3)).astype(np.float32)
    index = regular_index(side_px, side_px, factor)
    blank = np.zeros((side_px, side_px, 3), np.float32)
    return TileRecord(f"t{seed}", blank, values, np.zeros((len(values), 2)), index)


def dense(side_px: int, factor: int = 1, channels: int = 3, seed: int = 0) -> TileRecord:
    image = np.random.default_rng(seed).uniform(-0.05, 1.3, (side_px, side_px, channels))
    blank = np.zeros((side_px * factor, side_px * factor, channels), np.float32)
    return dense_record(f"t{seed}", blank, image.astype(np.float32))


@pytest.mark.parametrize("mode", ["nearest", "bicubic"])
def test_tiles_come_to_the_grid_of_the_target_as_in_training(tmp_path, mode):
    opened = open_exported(write_exported(tmp_path, toy_form(), upsampling=mode, gain=0.5))
    tiles = [blocks(30, 2, seed) for seed in range(3)]  # one more than are given at once
    wanted = np.stack([0.5 * upsample(tile, mode) for tile in tiles])
    np.testing.assert_array_equal(opened.predictor(tiles), wanted)
    assert opened.predictor.normalised is False
    assert opened.predictor.describe()["file"] == "toy.onnx"


@pytest.mark.parametrize("make", [blocks, lambda side, factor: dense(side // factor, factor)])
def test_on_its_own_grid_it_makes_the_targets(tmp_path, make):
    form = toy_form(factor=3.0)
    opened = open_exported(write_exported(tmp_path, form, upsampling="none", factor=3))
    tile = make(33, 3)
    np.testing.assert_array_equal(opened.predictor([tile])[0], upsample(tile))


def test_one_of_crops_sees_windows_and_one_of_tiles_tiles_alone(tmp_path):
    of_crops = open_exported(write_exported(tmp_path, toy_form(), size_px=(16, 24), crops=True))
    np.testing.assert_array_equal(of_crops.predictor([dense(40)])[0], dense(40).input_dense)
    path = write_exported(tmp_path, toy_form(), stem="tiles", size_px=(40, 40))
    of_tiles = open_exported(path)
    np.testing.assert_array_equal(of_tiles.predictor([dense(40)])[0], dense(40).input_dense)
    with pytest.raises(ModelContractError, match=r"takes tiles of 40 x 40 pixels alone, .* 48 x 4"):
        of_tiles.predictor([dense(48)])


def test_what_the_sidecar_says_comes_back(tmp_path):
    tiling, form = Tiling(None, (32, 48), 4, 12), toy_form(level="L1C")
    path = write_exported(tmp_path, form, tiling=tiling)
    for given in (path, path.with_suffix(".onnx")):
        opened = open_exported(given)
        assert (opened.form, opened.tiling, opened.batch_size) == (form, tiling, 2)
        assert opened.name == "toy" and opened.provenance["step"] == 7
        assert opened.provenance["sha256"] == read_sidecar(path)[0].sha256


def test_as_many_are_given_at_once_as_are_asked_for(tmp_path, monkeypatch):
    opened, given = open_exported(write_exported(tmp_path, toy_form()), batch=5), []
    own = opened.predictor._network
    monkeypatch.setattr(
        opened.predictor, "_network", lambda values: given.append(len(values)) or own(values)
    )
    opened.predictor([dense(40, seed=seed) for seed in range(7)])
    assert given == [5, 2] and opened.batch_size == 5


def spoilt(path, **keys):
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda path: spoilt(path, sha256="0"), r"toy.onnx is not the file .*other SHA-256.*again"),
    (lambda path: spoilt(path, model="nix.onnx"), "there is no nix.onnx beside it"),
    (lambda path: spoilt(path, model="../a/toy.onnx"), "'../a/toy.onnx' is no plain name"),
    (lambda path: spoilt(path, model=f"{path.parent}/toy.onnx"), "toy.onnx' is no plain name"),
    (lambda path: spoilt(path, sidecar_version=2), r"no sidecar .*\(sidecar_version: "),
    (lambda path: spoilt(path, colour=2), r"no sidecar .*\(colour: "),
    (lambda path: path.write_text("{"), r"no sidecar .*\(file: "),
])  # fmt: skip
def test_what_is_no_export_is_one_line(tmp_path, spoil, said):
    path = write_exported(tmp_path, toy_form())
    spoil(path)
    with pytest.raises(InputError, match=said):
        open_exported(path)


def test_a_file_beside_which_another_is_told_of_is_not_taken_for_it(tmp_path):
    path = write_exported(tmp_path, toy_form())
    folder = path.with_suffix("")
    folder.mkdir()
    (folder / "saved_model.pb").touch()
    with pytest.raises(InputError, match=r"toy\.json beside it tells of toy\.onnx; name toy\.onnx"):
        open_exported(folder)
    path.rename(tmp_path / "elder.json")
    card_of(tmp_path, ("B4", "B3", "B2")).rename(tmp_path / "toy.yaml")
    with pytest.raises(InputError, match=r"toy\.yaml beside it tells of "):
        open_exported(folder)


def test_a_file_alone_says_what_it_lacks(tmp_path):
    model = write_onnx(tmp_path / "alone.onnx", 3)
    with pytest.raises(InputError, match=r"neither a sidecar alone\.json nor a card alone\.yaml"):
        open_exported(model)
    with pytest.raises(InputError, match="no such file"):
        open_exported(tmp_path / "nix.json")


@pytest.mark.parametrize(("options", "said"), [
    ({"factor": 2}, r"makes \[1, 3, 80, 80\] of \[1, 3, 40, 40\], not \[1, 3, 40, 40\]"),
    ({"gain": float("nan")}, "no numbers"),
])  # fmt: skip
def test_what_does_not_do_as_it_says_is_refused(tmp_path, options, said):
    opened = open_exported(write_exported(tmp_path, toy_form(), **options))
    with pytest.raises(ModelContractError, match=said):
        opened.predictor([dense(40)])


def card_of(folder, bands, margin=3):
    write_onnx(folder / "theirs.onnx", len(bands), factor=2, gain=2.0)
    path = folder / "theirs.yaml"
    keys = f"bands: [{', '.join(bands)}]\nfactor: 2\nmargin: {margin}\n"
    path.write_text(f"model: theirs.onnx\n{keys}")
    return path


def test_a_card_is_read_by_the_names_and_in_the_units_of_the_house(tmp_path):
    opened = open_exported(card_of(tmp_path, ("B4", "B3", "B2")))
    form = opened.form
    assert [band.name for band in form.input.bands] == ["B04", "B03", "B02"]
    assert {band.unit for band in form.target.bands} == {"reflectance"}
    assert (form.resolution_m, form.input_m, form.factor, form.level) == (5, 10, 2, "L2A")
    assert form.target.display == ("B04", "B03", "B02")
    assert opened.tiling == Tiling(4, align_px=2)  # whole input pixels
    tile = dense(20, 2)
    np.testing.assert_allclose(opened.predictor([tile])[0], 2 * upsample(tile), rtol=1e-6)


def test_a_card_is_given_bands_of_20_m_enlarged_as_gdal_does(tmp_path):
    opened = open_exported(card_of(tmp_path, ("B8A", "B2")))
    assert [band.native_px for band in opened.form.input.bands] == [2, 1]
    assert opened.tiling == Tiling(12, align_px=4)  # of margin and kernel, in pixels of 20 m
    drawn = np.random.default_rng(3).uniform(0, 0.6, (24, 24, 2)).astype(np.float32)
    drawn[..., 0] = drawn[::2, ::2, 0].repeat(2, 0).repeat(2, 1)
    tile = dense_record("t", np.zeros((48, 48, 2), np.float32), drawn)
    made = opened.predictor([tile])[0, ::2, ::2] / 2
    fine = np.empty((24, 24), np.float32)
    reproject(
        np.ascontiguousarray(drawn[::2, ::2, 0]), fine, src_crs="EPSG:32631", dst_crs="EPSG:32631",
        src_transform=Affine(20, 0, 0, 0, -20, 0), dst_transform=Affine(10, 0, 0, 0, -10, 0),
        resampling=Resampling.cubic,
    )  # fmt: skip
    inner = slice(4, -4)  # GDAL's own edge
    np.testing.assert_allclose(made[inner, inner, 0], fine[inner, inner], atol=1e-6)
    np.testing.assert_allclose(made[..., 1], drawn[..., 1], rtol=1e-6)


def test_a_card_of_pixels_of_20_m_alone_enlarges_nothing(tmp_path):
    opened = open_exported(card_of(tmp_path, ("B5", "B8A"), margin=0))
    assert opened.form.input_m == 20 and opened.tiling == Tiling(0, align_px=2)
    tile = dense(10, 2, channels=2)
    np.testing.assert_allclose(opened.predictor([tile])[0], 2 * upsample(tile), rtol=1e-6)


def test_a_card_of_images_of_one_size_says_which(tmp_path):
    path = card_of(tmp_path, ("B2", "B3"))
    write_onnx(tmp_path / "theirs.onnx", 2, factor=2, gain=2.0, sides=(24, 16))
    said = "takes images of 16 x 24 input pixels alone, not of 20 x 20; export it for images of any"
    with pytest.raises(ModelContractError, match=said):
        open_exported(path).predictor([dense(20, 2, channels=2)])


def test_one_of_other_bands_than_its_card_says_is_refused(tmp_path):
    path = card_of(tmp_path, ("B2", "B3"))
    write_onnx(tmp_path / "theirs.onnx", 3)
    with pytest.raises(ModelContractError, match="takes 3 bands, 2 are named beside it"):
        open_exported(path)


def test_neither_tensorflow_nor_what_exports_is_needed():
    without = "import sys\nfor name in ('tensorflow', 'keras', 'onnx', 'tf2onnx'):\n"
    code = f"{without} sys.modules[name] = None\nimport sensor2sensor.predictors.exported"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_predicts_is_asked_for_alike_by_both_extras(repository):
    needed = (repository / "requirements" / "predict.txt").read_text()
    (line,) = [line for line in needed.splitlines() if not line.startswith("#")]
    assert line.startswith("onnxruntime>")
    assert line in (repository / "requirements" / "onnx.txt").read_text()
