"""An untrained edsr is its baseline on every tile, whatever lies beyond the value range."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiment import Experiment
from models.loading import load_gan_class
from sensor2sensor.config.environment import load_environment
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.predictors.model import ModelPredictor
from sensor2sensor.predictors.registry import baselines
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes_dataset import S2_NM, glinting, make_dataset

PRODUCT = "s2_safe/S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.SAFE"
# Upper left (x, y) of 192-pixel windows at 60 m: two clear ones to train on, one, two with clouds.
CORNERS = ((0, 200), (200, 200), (0, 400), (200, 400), (800, 200))


def experiment(root, normalisation):
    content = {
        "model_name": "edsr", "dataset": "alt6_toy", "tilesize": 64, "discriminator": None,
        "params": {"blocks": 1, "width": 0.0625}, "input_upsampling": "bicubic",
        "gen_loss": {"gen_l1": 1}, "normalisation": normalisation,
    }  # fmt: skip
    folder = root / "experiments" / normalisation
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps(content))
    (root / "environment.json").write_text("{}")
    return Experiment(normalisation, load_environment(root / "environment.json"))


def assert_is_bicubic(root, normalisation):
    """PSNR of every test tile to 1e-4 dB, and inputs do leave the value range."""
    exp = experiment(root, normalisation)
    generator = load_gan_class("edsr")(exp).generator
    model = ModelPredictor(generator, exp.normaliser, "bicubic", 4, (64, 64))
    bicubic = baselines(exp.dataset_dir, exp.contract)["bicubic"]
    scores = evaluate({"model": model, "bicubic": bicubic}, exp.dataset_dir, exp.contract)
    ours, theirs = (scores.values(name, "psnr") for name in ("model", "bicubic"))
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)
    tiles = list(iterate_tiles(exp.dataset_dir, exp.contract, "test"))
    inputs = np.concatenate([tile.input_pixels for tile in tiles])
    assert (inputs > exp.contract.input_ranges()[:, 1]).any()


@pytest.mark.parametrize("normalisation", ["symmetric", "minmax", "standard", "reflectance"])
def test_with_outliers_beyond_the_range(tmp_path_factory, normalisation):
    root = tmp_path_factory.mktemp("glint")
    make_dataset(root / "data", train=2, val=1, test=3, picture=glinting)
    assert_is_bicubic(root, normalisation)


def test_on_real_tiles(real_data, tmp_path):
    product, left = open_s2(real_data / PRODUCT), list(CORNERS)

    def window(_, size):
        place = PixelWindow(*left.pop(0), size, size)
        return product.read_reflectance(list(S2_NM), 60, place)[0]

    folder = make_dataset(tmp_path / "data", train=2, val=1, test=2, picture=window)
    assert load_contract(folder).statistics["target"][0].count == 2 * 64 * 64
    assert_is_bicubic(tmp_path, "symmetric")
