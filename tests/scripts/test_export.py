"""A trained model through export.py and over a generated Theia product: the contract of the tool.

The model is a user's own, of fixed sides, so that what is exported is its copy for any size.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

import export
import train
from sensor2sensor.core import cli, files
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.__main__ import main as infer
from sensor2sensor.inference.card import read_card
from sensor2sensor.products.theia import open_theia
from tests.fakes.theia import write_theia
from tests.fakes_dataset import make_dataset

MODEL = '''
"""tiny_sr: three convolutions and a pixel shuffle on the input's own grid."""

import tensorflow as tf

from models import base
from models.parts.superres import PixelShuffler


class GAN:
    """Nothing but what an export meets: padding, a shuffle, another order of bands."""

    def __init__(self, experiment):
        base.assemble(self, experiment, {"filters": 8})

    @staticmethod
    def experiment_defaults(params):
        return {"input_upsampling": "none", "random_resize": 1.0, "gen_loss.gen_gan": None}

    def Generator(self):
        exp, layers = self.exp, tf.keras.layers
        inputs = layers.Input([exp.INPUT_HEIGHT, exp.INPUT_WIDTH, exp.INPUT_CHANNELS])
        x = layers.Conv2D(self.params.filters, 3, padding="same", activation="relu")(inputs)
        x = layers.Conv2D(self.params.filters, 3, padding="same", activation="relu")(x)
        x = PixelShuffler(2)(layers.Conv2D(4 * exp.OUTPUT_CHANNELS, 3, padding="same")(x))
        return tf.keras.Model(inputs, x, name="generator")

    def Discriminator(self):
        return None

    @tf.function
    def train_step(self, input_image, target, step, **extras):
        return base.standard_step(self, input_image, target, step, **extras)
'''
EXPERIMENT = {
    "model_name": "tiny_sr", "dataset": "deg2_toy", "tilesize": 64, "steps": 4, "batch_size": 2,
    "gen_loss": {"gen_l1": 1}, "seed": 3, "normalisation": "standard",
}  # fmt: skip
RADIUS_PX = 3  # of three 3 x 3 convolutions
STAMP = "0101-0000"
TOOL = "sentinel2_superresolution"


def door(program, root: Path, *words: str) -> int:
    return cli.main_guard(
        program.main, program.arguments(), [*words, "--environment", str(root / "environment.json")]
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("export")
    make_dataset(root / "data", name="deg2_toy", factor=2, tile_px=64, train=4, val=1, test=1)
    (root / "mine").mkdir()
    (root / "mine" / "tiny_sr.py").write_text(MODEL)
    (root / "environment.json").write_text(json.dumps({"models_root": "mine"}))
    folder = root / "experiments" / "a" / "own"
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps(EXPERIMENT))
    assert door(train, root, "--exp", "a/own", "--timestamp", STAMP) == 0
    return root


def exported(place: Path, *words: str, exp: str = "a/own") -> int:
    return door(export, place, "--exp", exp, "--target", TOOL, "--other-scale", *words)


@pytest.fixture(scope="module")
def card(place: Path) -> Path:
    assert exported(place) == 0
    return place / "experiments" / "a" / "own" / "export" / f"a__own_{STAMP}.yaml"


@pytest.fixture(scope="module")
def generator(place: Path):
    """The generator as trained, without a side that is fixed, and the map of its values."""
    import keras

    from experiment import Experiment
    from models.loading import find_gan_class
    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.core.runs import find_run
    from sensor2sensor.training.trained import trained

    environment = load_environment(place / "environment.json")
    experiment = Experiment("a/own", environment, timestamp=STAMP, as_run=True)
    run = find_run(experiment.exp_dir, STAMP)
    made = find_gan_class("tiny_sr", environment.models_root, print, ())
    experiment, gan, _ = trained(experiment, run, made)
    image = keras.Input((None, None, 3))
    network = keras.models.clone_model(gan.generator, input_tensors=image)
    network.set_weights(gan.generator.get_weights())
    normaliser = experiment.normaliser

    def apply(numbers: np.ndarray) -> np.ndarray:
        """``[C, h, w]``, reflectance x 10000."""
        given = normaliser.input(np.moveaxis(numbers / np.float32(1e4), 0, -1)[np.newaxis])
        out = normaliser.restore(network(given, training=False).numpy())
        return np.moveaxis(out[0], -1, 0) * 1e4

    return apply


def test_the_card_holds_the_four_keys_of_the_tool_and_where_the_weights_are_from(card):
    read = read_card(card)
    assert (read.bands, read.factor) == (("B2", "B3", "B4"), 2)
    # As far as it sees, in whole input pixels.
    assert read.margin == 2 * RADIUS_PX and read.source_m == 10
    known = read.provenance["sensor2sensor"]
    assert known["radius_px"] == RADIUS_PX and known["step"] == 4 and known["weights"] == "last"
    assert known["onnx_sha256"] == files.sha256(read.model)
    assert known["parity_dn"] <= 0.5 and known["seam_dn"] <= 1 and known["source_m"] == 20
    assert str(card.parent) not in card.read_text()


def test_the_file_is_what_the_tool_loads(card):
    import onnx

    model = onnx.load(read_card(card).model)
    (given,) = model.graph.input
    sides = given.type.tensor_type.shape.dim
    assert given.name == "input" and given.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert sides[1].dim_value == 3
    assert [side.dim_value for side in (sides[0], *sides[2:])] == [0, 0, 0]  # open


@pytest.mark.parametrize("zipped", [False, True])
def test_a_product_in_windows_equals_the_generator_on_all_of_it(card, generator, tmp_path, zipped):
    product = write_theia(tmp_path, side_px=90, zipped=zipped)
    out = tmp_path / "out.tif"
    words = ["--model", str(card), "--product", str(product), "--out", str(out), "--tile-px", "37"]
    assert infer(words) == 0
    whole = open_theia(product)
    bands = ("B2", "B3", "B4")
    numbers = np.stack([whole.read(band, PixelWindow(0, 0, 90, 90)) for band in bands])
    halo = RADIUS_PX
    wide = np.pad(numbers, ((0, 0), (halo, halo), (halo, halo)), mode="reflect")
    wanted = generator(wide)[:, 2 * halo : -2 * halo, 2 * halo : -2 * halo]
    with rasterio.open(out) as file:
        made = file.read()
        assert file.descriptions == bands and file.nodata == -10000
        assert file.scales == (1e-4,) * 3 and file.transform.a == 5
        assert file.crs.to_epsg() == 32631 and (file.transform.c, file.transform.f) == (
            399960, 4800000,
        )  # fmt: skip
    assert made.shape == (3, 180, 180)
    assert np.abs(made - wanted).max() <= 1
    # And beyond what an edge can change, that of the bare crop.
    inner = slice(2 * halo, -2 * halo)
    assert np.abs(made - generator(numbers))[:, inner, inner].max() <= 1


def test_a_gap_neither_grows_nor_depends_on_the_windows(card, tmp_path):
    gap = (slice(10, 13), slice(20, 29))
    product = write_theia(tmp_path, side_px=90, gap=gap)
    made = []
    for side in (37, 90):
        out = tmp_path / f"{side}.tif"
        words = ["--model", str(card), "--product", str(product), "--out", str(out)]
        assert infer([*words, "--tile-px", str(side)]) == 0
        with rasterio.open(out) as file:
            made.append(file.read())
    empty = np.zeros((180, 180), bool)
    empty[40:52, 80:116] = True  # pixels of 20 m are four of 5 m
    assert all((image == -10000).all(axis=0)[empty].all() for image in made)
    assert not (made[0] == -10000)[:, ~empty].any()
    assert np.abs(made[0] - made[1]).max() <= 1


def test_a_margin_below_what_the_network_sees_is_said(place, tmp_path, capsys):
    assert exported(place, "--margin", "2", "--out", str(tmp_path)) == 0
    said = capsys.readouterr().out
    assert f"margin 2: an output pixel sees {RADIUS_PX} px of the input" in said
    assert read_card(tmp_path / f"a__own_{STAMP}.yaml").provenance["sensor2sensor"]["seam_dn"] > 1


@pytest.mark.parametrize(("words", "said"), [
    (["--margin", "3"], "--margin: 3 is no multiple of the factor 2; take 4"),
    (["--step", "9"], "no checkpoint at step 9"),
])  # fmt: skip
def test_what_cannot_be_is_one_line(place, tmp_path, capsys, words, said):
    assert exported(place, *words, "--out", str(tmp_path)) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_another_scale_has_to_be_meant(place, capsys):
    assert door(export, place, "--exp", "a/own", "--target", TOOL) == 2
    assert "trained on pixels of 20 m, the tool gives it 10 m" in capsys.readouterr().err


def test_a_file_that_differs_is_not_left(place, tmp_path, capsys, monkeypatch):
    class Off:
        def __init__(self, path):
            self.file = export.onnx_file and real(path)

        def __call__(self, numbers):
            return self.file(numbers) + 3

    real = export.OnnxModel
    monkeypatch.setattr(export, "OnnxModel", Off)
    assert exported(place, "--out", str(tmp_path)) == 2
    assert "differs from the generator by 3" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_weights_of_another_architecture_are_refused(place, tmp_path, capsys):
    shutil.copytree(place / "experiments" / "a" / "own", place / "experiments" / "other")
    settings = place / "experiments" / "other" / "logs" / STAMP / "experiment.json"
    said = json.loads(settings.read_text())
    settings.write_text(json.dumps({**said, "params": {"filters": 6}}))
    assert exported(place, "--out", str(tmp_path), exp="other") == 2
    assert "architecture" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    importlib.util.find_spec(TOOL) is None, reason="the tool sentinel2_superresolution is not there"
)
def test_the_tool_itself_makes_the_same(card, tmp_path):
    product = write_theia(tmp_path, side_px=90)
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
