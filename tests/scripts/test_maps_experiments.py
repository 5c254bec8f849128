"""The experiments on maps: what each resolves to, and that ``--check`` takes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import train
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.core.cli import main_guard
from sensor2sensor.sources.maps import run as maps
from tests.fakes.town import write_maps
from tests.fakes_tiles import own_environment

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "experiments" / "maps"
# Data set, epochs, images a batch and receptive field, as published.
PUBLISHED = {
    "t1": ("maps", 250, 1, 94),
    "t2": ("maps", 200, 4, 94),
    "t3": ("maps", 150, 10, 94),
    "t4": ("maps_resized", 200, 1, 94),
    "t5": ("maps_resized", 79, 1, 22),
    "t6": ("maps", 200, 1, 382),
    "t7": ("maps_resized", 400, 1, 70),
    "t8": ("maps", 200, 1, 286),
    "t9": ("maps", 200, 1, 70),
}


def test_there_is_one_for_each_published_training_and_a_sound_one():
    assert {path.parent.name for path in FOLDER.rglob("experiment.json")} == {*PUBLISHED, "sound"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_training_resolves_to_what_was_published(name):
    config, _ = load_experiment_file(FOLDER / name / "experiment.json")
    judge = config.discriminator
    assert PUBLISHED[name] == (
        config.dataset, config.epochs, config.batch_size, judge.receptive_field,
    )  # fmt: skip
    # The settings of 54,431,363 and of 2,771,393 values (tests/models).
    assert config.params == {"norm": "batch", "bottleneck_norm": True, "bias": True, "slope": 0.2}
    assert (judge.norm, judge.padding, judge.bias, judge.slope) == ("batch", "same", True, 0.2)
    assert (config.inference.dropout, config.applied_statistics) == (True, "batch")
    losses = {n: w for side in (config.gen_loss, config.disc_loss) for n, w in side if w}
    assert losses == {"gen_gan": 1, "gen_l1": 100, "disc_bce_real": 1, "disc_bce_fake": 1}
    assert (config.learning_rate, config.beta_1, config.save_every_epochs) == (2e-4, 0.5, 10)
    assert [256 * end for end in config.random_resize] == [286, 286]
    assert config.random_rotate == "flip"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Both data sets, of pictures of one patch, and the experiments; the option that names it."""
    root = tmp_path_factory.mktemp("maps")
    # Eleven for a batch of ten, and one more: one image in ten validates.
    pictures = str(write_maps(root / "found", 256, train=11, val=1))
    option = own_environment(root)
    for words in (("--dataset", "maps"), ("--dataset", "maps_resized", "--resize_images")):
        assert maps.main(["--data", pictures, *words, *option]) == 0
    shutil.copytree(FOLDER, root / "maps_experiments")
    return root, option


# One for each network, size of batch and data set: the others differ from these in numbers alone.
@pytest.mark.parametrize("name", ["t3", "t5", "t6", "t8", "t9", "sound"])
def test_it_can_be_trained_on_what_step_51_makes(name, workplace, capsys):
    root, option = workplace
    # A twentieth of the filters: what is checked has the same layers and sizes.
    words = ["--exp", f"maps_experiments/{name}", *option, "--check", "--set", "params.width=0.05"]
    assert main_guard(train.main, train.arguments(), words) == 0, capsys.readouterr().err
    assert f"{name}: in order; 10 train, 1 val, 1 test tiles" in capsys.readouterr().out
    assert [path.name for path in (root / "maps_experiments" / name).iterdir()] == [
        "experiment.json"
    ]
