"""carn, trained on ten bands of 10 and 20 m, through export.py and over a generated Theia product.

The contract of the public tool sentinel2_superresolution, whose own command runs the file, too,
where it is installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

import export
import predict
import several
import train
from sensor2sensor.core import cli, files
from sensor2sensor.inference.door import main as infer
from sensor2sensor.inference.zoo import find_model
from sensor2sensor.predictors.card import read_card
from sensor2sensor.predictors.exported import open_exported
from sensor2sensor.predictors.physical import noise_tile
from sensor2sensor.products.theia import open_theia
from sensor2sensor.sources.sen2venus.run import main as records
from tests.fakes.sen2venus import write_sites
from tests.fakes.theia import write_theia

BANDS = ("B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12")
EXPERIMENT = {
    "model_name": "carn", "dataset": "sen2venus_x2_all", "tilesize": 32, "steps": 2,
    "batch_size": 2, "gen_loss": {"gen_l1": 1}, "seed": 3, "normalisation": "standard",
    "input_upsampling": "none", "random_resize": 1, "ema": 0.5,
    "params": {"cascades": 1, "blocks": 1, "features_per_factor": 2, "groups": 2},
}  # fmt: skip
SIDE = 90
RADIUS_PX = 5  # torchsisr's formula, of one cascade of one block: 9 pixels of the output
STAMP = "0101-0000"
TOOL = "sentinel2_superresolution"
STEM = f"a__own_{STAMP}"


def door(program, root: Path, *words: str) -> int:
    return cli.main_guard(
        program.main, program.arguments(), [*words, "--environment", str(root / "environment.json")]
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("export")
    sites = write_sites(root / "SEN2VENUS", {"ARM": 2, "SO1": 1, "FR-LAM": 1}, side_px=32)
    (root / "environment.json").write_text(json.dumps({"data_root": "data"}))
    environment = ["--environment", str(root / "environment.json")]
    assert (
        records(["--data", str(sites), "--bands", "all", "--test-sites", "FR-LAM", *environment])
        == 0
    )
    folder = root / "experiments" / "a" / "own"
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps(EXPERIMENT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(several, "evaluate_run", lambda *_, **__: None)  # of no interest
        assert door(train, root, "--exp", "a/own", "--timestamp", STAMP) == 0
    return root


def exported(place: Path, *words: str, exp: str = "a/own") -> int:
    return door(export, place, "--exp", exp, "--target", TOOL, *words)


@pytest.fixture(scope="module")
def card(place: Path) -> Path:
    assert exported(place) == 0
    return place / "experiments" / "a" / "own" / "export" / f"{STEM}__{TOOL}.yaml"


def changed(place: Path, name: str, **params: object) -> None:
    """The run once more under another name, as if the model had had these ``params``."""
    shutil.copytree(place / "experiments" / "a" / "own", place / "experiments" / name)
    settings = place / "experiments" / name / "logs" / STAMP / "experiment.json"
    said = json.loads(settings.read_text())
    settings.write_text(json.dumps({**said, "params": {**said["params"], **params}}))


def generator_of(place: Path, exp: str):
    """The generator as it was trained: the bands of 20 m repeated, as records hold them."""
    from experiment import Experiment
    from models.loading import find_gan_class
    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.core.runs import find_run
    from sensor2sensor.training.trained import trained

    environment = load_environment(place / "environment.json")
    experiment = Experiment(exp, environment, timestamp=STAMP, as_run=True)
    run = find_run(experiment.exp_dir, STAMP)
    made = find_gan_class("carn", environment.models_root, print, ())
    experiment, gan, _ = trained(experiment, run, made)
    normaliser = experiment.normaliser

    def apply(numbers: np.ndarray) -> np.ndarray:
        """``[C, h, w]``, reflectance x 10000."""
        given = normaliser.input(np.moveaxis(numbers / np.float32(1e4), 0, -1)[np.newaxis])
        out = normaliser.restore(gan.generator(given, training=False).numpy())
        return np.moveaxis(out[0], -1, 0) * 1e4

    return apply


def test_the_card_holds_the_four_keys_of_the_tool_and_where_the_weights_are_from(card):
    read = read_card(card)
    assert (read.bands, read.factor) == (BANDS, 2)
    # As far as it sees, in whole input pixels.
    assert read.margin == 2 * RADIUS_PX and read.source_m == 10
    known = read.provenance["sensor2sensor"]
    assert known["radius_px"] == RADIUS_PX and known["step"] == 2 and known["weights"] == "ema 0.5"
    assert known["onnx_sha256"] == files.sha256(read.model)
    assert known["parity_dn"] <= 0.5 and known["seam_dn"] <= 1 and known["source_m"] == 10
    assert str(card.parent) not in card.read_text()


def test_the_file_is_what_the_tool_loads(card):
    import onnx

    model = onnx.load(read_card(card).model)
    (given,) = model.graph.input
    sides = given.type.tensor_type.shape.dim
    assert given.name == "input" and given.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert sides[1].dim_value == len(BANDS)
    assert [side.dim_value for side in (sides[0], *sides[2:])] == [0, 0, 0]  # open


def test_the_weights_of_the_file_are_the_averages(place, card):
    """Of the first kernel the optimizer holds the average; the network itself has the last one."""
    import onnx
    import tensorflow as tf

    (index,) = (place / "experiments" / "a" / "own").rglob("ckpt-2.index")
    stored = tf.train.load_checkpoint(str(index.with_suffix("")))
    model = onnx.load(read_card(card).model)
    (file,) = (
        onnx.numpy_helper.to_array(one).transpose(2, 3, 1, 0)
        for one in model.graph.initializer
        if list(one.dims) == [8, len(BANDS), 3, 3]
    )
    kept = {
        name.split("/")[0]
        for name, shape in stored.get_variable_to_shape_map().items()
        if tuple(shape) == file.shape and np.array_equal(stored.get_tensor(name), file)
    }
    assert kept == {"generator_optimizer"}


def applied(card: Path, product: Path, out: Path, tile_px: int) -> tuple[np.ndarray, dict]:
    words = ["--model", str(card), "--product", str(product), "--out", str(out)]
    assert infer([*words, "--window-px", str(2 * tile_px)]) == 0
    with rasterio.open(out) as file:
        named = {"descriptions": file.descriptions, "scales": file.scales, "crs": file.crs}
        return file.read(), {**named, **file.profile}


def wanted_of(generator, product: Path) -> np.ndarray:
    whole, numbers = open_theia(product), []
    for band in BANDS:
        step = whole.grid(band).resolution_m // 10
        image = whole.read(band, whole.grid(band).full_window)
        numbers.append(image.repeat(step, 0).repeat(step, 1))
    return generator(np.stack(numbers))


def test_a_product_in_windows_equals_the_generator_on_all_of_it(place, card, tmp_path):
    product = write_theia(tmp_path, side_px=SIDE)
    made, said = applied(card, product, tmp_path / "out.tif", 37)
    wanted = wanted_of(generator_of(place, "a/own"), product)
    assert made.shape == wanted.shape == (len(BANDS), 2 * SIDE, 2 * SIDE)
    # What the edge can change: the network's reach, and two pixels of 20 m of the enlargement.
    edge = 2 * (RADIUS_PX + 4)
    inner = (..., slice(edge, -edge), slice(edge, -edge))
    assert np.abs(made - wanted)[inner].max() <= 1
    # Up to the edge, where nothing is lost, it does not matter how it was cut.
    at_once, _ = applied(card, product, tmp_path / "at_once.tif", SIDE)
    assert np.abs(made.astype(int) - at_once).max() <= 1
    esa = tuple(f"B0{band[1]}" if len(band) == 2 else band for band in BANDS)
    assert said["descriptions"] == esa and said["scales"] == (1e-4,) * len(BANDS)
    assert (said["nodata"], said["dtype"]) == (-10000, "int16") and said["crs"].to_epsg() == 32631
    assert said["transform"][:6] == (5, 0, 399960, 0, -5, 4800000)


def test_with_a_layer_that_knows_bands_of_20_m_it_does_too(place, tmp_path):
    """The layer of low frequencies leaves them as they are; it has no weights of its own."""
    changed(place, "low", low_frequency=True)
    assert exported(place, "--out", str(tmp_path), exp="low") == 0
    card = tmp_path / f"low_{STAMP}__{TOOL}.yaml"
    product, edge = write_theia(tmp_path, side_px=SIDE), read_card(card).margin + 8
    assert edge > 2 * (RADIUS_PX + 4)
    made, _ = applied(card, product, tmp_path / "out.tif", SIDE)
    inner = (..., slice(edge, -edge), slice(edge, -edge))
    wanted = wanted_of(generator_of(place, "low"), product)
    assert np.abs(made - wanted)[inner].max() <= 1


def test_a_gap_neither_grows_nor_depends_on_the_windows(card, tmp_path):
    gap = (slice(10, 13), slice(20, 29))
    product = write_theia(tmp_path, side_px=SIDE, gap=gap, zipped=True)
    made = [applied(card, product, tmp_path / f"{px}.tif", px)[0] for px in (37, SIDE)]
    empty = np.zeros((2 * SIDE, 2 * SIDE), bool)
    empty[40:52, 80:116] = True  # pixels of 20 m are four of 5 m
    assert all((image == -10000).all(axis=0)[empty].all() for image in made)
    assert not (made[0] == -10000)[:, ~empty].any()
    assert np.abs(made[0].astype(int) - made[1]).max() <= 1


@pytest.fixture(scope="module")
def general(place: Path) -> tuple[Path, str]:
    """The folder of an export for no tool, and what was said."""
    folder = place / "general"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert door(export, place, "--exp", "a/own", "--out", str(folder)) == 0
    return folder, said.getvalue()


def test_without_a_tool_it_is_a_file_of_physical_values_with_its_sidecar(place, general):
    folder, said = general
    stem = f"a__own_{STAMP}"
    beside = [f"{stem}{end}" for end in (".json", ".md", ".mlm.json", ".onnx")]
    assert sorted(one.name for one in folder.iterdir()) == beside
    assert "takes images of any size, in physical values" in said
    assert f"{stem}.json, {stem}.onnx, {stem}.md and {stem}.mlm.json" in said
    opened = open_exported(folder / f"{stem}.onnx")
    known = opened.provenance
    assert (known["experiment"], known["step"], known["weights"]) == ("a/own", 2, "ema 0.5")
    assert tuple(band.name for band in opened.form.input.bands) == BANDS
    # As records hold bands of 20 m: repeated. Odd sides, but for whole pixels of them.
    tile = noise_tile(opened.form, 2, (68, 84), 0)
    numbers = np.moveaxis(tile.input_dense, -1, 0) * np.float32(1e4)
    wanted = np.moveaxis(generator_of(place, "a/own")(numbers), 0, -1) / 1e4
    np.testing.assert_allclose(opened.predictor([tile])[0], wanted, atol=1e-5)


def test_in_a_zoo_it_is_known_by_name_and_described(place, tmp_path, capsys):
    zoo = tmp_path / "zoo"
    assert exported(place, "--zoo", str(zoo)) == 0
    assert "entered as 'a-own'" in capsys.readouterr().out
    stem = f"{STEM}__{TOOL}"
    assert find_model("a-own", zoo) == zoo / f"{stem}.yaml"
    item = json.loads((zoo / f"{stem}.mlm.json").read_text())["properties"]
    assert item["mlm:total_parameters"] > 0 and item["mlm:hyperparameters"]["steps"] == 2
    assert item["mlm:input"][0]["value_scaling"][0]["expression"] == "A * 10000"
    card = (zoo / f"{stem}.md").read_text()
    assert "weights: ema 0.5" in card and "These weights were not evaluated" in card
    assert str(place) not in card and str(place) not in json.dumps(item)


def test_every_kind_has_files_of_its_own(place, card, general, tmp_path):
    folder = tmp_path / "all"
    shutil.copytree(general[0], folder)
    first = {one.name: one.read_bytes() for one in folder.iterdir()}
    assert exported(place, "--out", str(folder)) == 0
    words = ["--exp", "a/own", "--out", str(folder), "--format"]
    assert door(export, place, *words, "savedmodel") == 0
    assert {name: (folder / name).read_bytes() for name in first} == first
    models = (f"{STEM}.onnx", f"{STEM}__{TOOL}.onnx", f"{STEM}__savedmodel")
    assert [open_exported(folder / name).provenance["file"] for name in models] == list(models)
    # Nor have experiments whose names are written alike.
    sidecar = folder / f"{STEM}.json"
    said = sidecar.read_text().replace('"experiment": "a/own"', '"experiment": "a__own"')
    sidecar.write_text(said)
    assert door(export, place, *words, "onnx") == 2
    assert sidecar.read_text() == said


def test_with_tensorflow_and_with_the_file_a_product_becomes_the_same(place, general, tmp_path):
    product = write_theia(tmp_path, side_px=SIDE, gap=(slice(10, 13), slice(20, 29)))
    words = ["--product", str(product), "--window-px", "80", "--out"]
    trained, exported = tmp_path / "trained.tif", tmp_path / "exported.tif"
    assert door(predict, place, "--exp", "a/own", *words, str(trained)) == 0
    model = general[0] / f"a__own_{STAMP}.onnx"
    assert infer(["--model", str(model), *words, str(exported)]) == 0
    with rasterio.open(trained) as one, rasterio.open(exported) as other:
        assert one.descriptions == other.descriptions and one.transform == other.transform
        wanted, made = one.read(), other.read()
    assert wanted.shape == (len(BANDS), 2 * SIDE, 2 * SIDE) and np.isnan(wanted).any()
    np.testing.assert_allclose(made, wanted, atol=1e-5)  # and no value where there is none


@pytest.mark.parametrize(("words", "said"), [
    (["--margin", "4"], "--margin: belongs to --target; add --target sentinel2_superresolution"),
    (["--other-scale"], "--other-scale: belongs to --target"),
    (["--format", "savedmodel", "--target", TOOL], "--format: sentinel2_superresolution runs ONNX"),
])  # fmt: skip
def test_options_that_do_not_belong_together(place, capsys, words, said):
    assert door(export, place, "--exp", "a/own", *words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("words", "said"), [
    (["--margin", "3"], "--margin: 3 is no multiple of the factor 2; take 4"),
    (["--step", "9"], "no checkpoint at step 9"),
])  # fmt: skip
def test_what_cannot_be_is_one_line(place, tmp_path, capsys, words, said):
    assert exported(place, *words, "--out", str(tmp_path)) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_weights_of_another_architecture_are_refused(place, tmp_path, capsys):
    changed(place, "other", features_per_factor=4)
    assert exported(place, "--out", str(tmp_path), exp="other") == 2
    assert "architecture" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    importlib.util.find_spec(TOOL) is None, reason="the tool sentinel2_superresolution is not there"
)
def test_the_tool_itself_makes_the_same(card, tmp_path):
    product = write_theia(tmp_path, side_px=SIDE)
    words = ["-i", product, "-o", tmp_path / "tool", "-m", card]
    subprocess.run([shutil.which("sentinel2_superesolution") or "", *words], check=True)
    (theirs,) = (tmp_path / "tool").glob("*_sisr.tif")
    ours = tmp_path / "ours.tif"
    assert infer(["--model", str(card), "--product", str(product), "--out", str(ours)]) == 0
    with rasterio.open(theirs) as tool, rasterio.open(ours) as own:
        window = own.window(*tool.bounds)  # it loses a frame of the margin
        assert np.abs(tool.read().astype(int) - own.read(window=window)).max() <= 1


def test_the_runner_needs_no_tensorflow():
    code = "import sensor2sensor.inference.run, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
