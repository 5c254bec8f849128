"""Modules written for the original train unchanged, from models/ or a folder of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models import layers
from models.parts.primitives import conv, deconv, lrelu, relu
from models.parts.seeds import seeded
from tests.fakes_dataset import make_dataset

HERE = Path(__file__).parent
MODULES = {"my-sis22": "original-sis22.txt", "blocks_all": "original-blocks.txt"}
CODE = (
    "models", "sensor2sensor",
    "experiment.py", "train.py", "several.py", "evaluate.py", "calibrate.py", "predict.py",
)  # fmt: skip
# Every block that modules for the original call.
BLOCKS = (
    "conv", "deconv", "lrelu", "relu", "prelu", "sigmoid", "batchnorm", "dropout", "pixelshuffler",
    "multiply_lambda", "multiply_layer", "residual_block_srgan", "residual_block_dsen2",
    "dense_block", "experimental_dense_block", "sis2_dense_multireceptive_field_dmnet",
    "sis2_dense_multireceptive_field_srs3", "awrrdb_block", "sis2_pix2pix",
)  # fmt: skip


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_of_the_original_is_there_and_called_by_a_module_here(name):
    assert callable(getattr(layers, name))
    texts = [(HERE / file).read_text() for file in MODULES.values()]
    assert any(f"layers.{name}(" in text for text in texts)


PAIRS = {
    "bare": (
        lambda: layers.conv(3, 4, 2, False, False),
        lambda: conv(3, 4, stride=2),
    ),
    "conv": (
        lambda: layers.conv(3, 4, 1, batchnorm=True, lrelu=True, padding="valid"),
        lambda: conv(3, 4, norm="batch", activation=lrelu, padding="valid"),
    ),
    "norm": (
        lambda: layers.conv(3, 4, 1, True, True, norm="group", use_bias=True),
        lambda: conv(3, 4, norm="group", activation=lrelu, use_bias=True),
    ),
    "deconv": (
        lambda: layers.deconv(4, 4, 2, True, True, True),
        lambda: deconv(4, 4, norm="batch", dropout=0.5, activation=relu),
    ),
    "its own": (
        lambda: layers.deconv(4, 4, 2, False, False, None, "tanh"),
        lambda: deconv(4, 4, activation="tanh"),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_arguments_of_the_original_make_the_same_layers_as_names_do(name):
    positional, named = (_told(make) for make in PAIRS[name])
    assert positional == named


def _told(make):
    """Kinds, settings and first weights of the layers, and how they are nested."""
    with seeded(5, "generator"):
        made = make()
    made.build((None, 8, 8, 3))
    nested = getattr(made, "layers", None)
    settings = [
        {k: v for k, v in layer.get_config().items() if k != "name"} for layer in nested or [made]
    ]
    return nested is None, settings, [w.numpy().tolist() for w in made.weights]


def test_both_activations_of_the_original_are_kept():
    """The convolution's own comes first, then, after normalisation and dropout, the ReLU."""
    made = layers.deconv(4, 4, 2, False, True, None, "tanh")
    own, last = made.layers
    assert own.activation.__name__ == "tanh" and type(last).__name__ == "ReLU"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "place"), [("my-sis22", "models_root"), ("blocks_all", "models")])
def test_it_trains_and_is_evaluated_unchanged(tmp_path, repository, name, place):
    home = _checkout(tmp_path / "checkout", repository)
    folder = home / "models" if place == "models" else home / "my own models"
    folder.mkdir(exist_ok=True)
    shutil.copy(HERE / MODULES[name], folder / f"{name}.py")
    _experiment(home, name, folder)
    done = subprocess.run(
        [sys.executable, "train.py", "--exp", "mine"], cwd=home, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    run = next((home / "experiments" / "mine" / "ckpt").iterdir())
    assert (run / "ckpt-4.index").is_file()
    assert list((home / "experiments" / "_evaluation").glob("mine_*.csv"))


def _checkout(home, repository):
    """The code alone, as a user has it; what a test drops into models/ stays in there."""
    home.mkdir()
    for name in CODE:
        source = repository / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, home / name)
    return home


def _experiment(home, name, folder):
    make_dataset(home / "data", name="alt6_toy", kind="degraded", factor=6, train=4, val=1, test=2)
    environment = {"data_root": "data", "experiment_root": "experiments"}
    if folder.name != "models":
        environment["models_root"] = folder.name
    (home / "environment.json").write_text(json.dumps(environment))
    settings = {
        "model_name": name,
        "dataset": "alt6_toy",
        "tilesize": 64,
        "batch_size": 2,
        "steps": 4,
        "gen_loss": {"gen_gan": 1, "gen_ssim": 50, "gen_l1": 50, "gen_wstein": 1},
    }
    (home / "experiments" / "mine").mkdir(parents=True)
    (home / "experiments" / "mine" / "experiment.json").write_text(json.dumps(settings))
