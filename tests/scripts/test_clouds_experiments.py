"""The experiments on clouds: what each resolves to, and that ``--check`` takes it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import show
import train
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.core.cli import main_guard
from sensor2sensor.sources.sen12mscr import run as step_53
from tests.fakes.sen12mscr import write_triplets
from tests.fakes_tiles import own_environment
from tests.models.test_dsen2cr import formula

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "experiments" / "clouds"
TEN, THIRTEEN = ("sen12mscr_10m20m", 10), ("sen12mscr", 13)
# Data set with its optical bands, radar bands, blocks, filters, loss; and how many values that is.
OURS = {
    "carl": (TEN, 2, 16, 64, "gen_carl", 1_194_442),
    "l1": (TEN, 2, 16, 64, "gen_l1", 1_194_442),
    "carl_without_sar": (TEN, 0, 16, 64, "gen_carl", 1_193_290),
    "l1_without_sar": (TEN, 0, 16, 64, "gen_l1", 1_193_290),
    "carl_13x64": (TEN, 2, 13, 64, "gen_carl", 972_874),
    "carl_16x256": (THIRTEEN, 2, 16, 256, "gen_carl", 18_947_341),
}
OTHERS = {"gan": "dsen2cr", "edsr": "edsr", "pix2pix": "pix2pix"}
SMALL = {
    "carl": ["params.features=4", "params.blocks=1"],
    "gan": ["params.features=40", "params.blocks=1", "params.width=0.1"],
    "edsr": ["params.width=0.1", "params.blocks=1"],
    "pix2pix": ["params.width=0.1"],
}


def settings(name):
    return load_experiment_file(FOLDER / name / "experiment.json")[0]


def losses(config):
    sides = [config.gen_loss] + ([] if config.discriminator is None else [config.disc_loss])
    return {name: weight for side in sides for name, weight in side if weight}


def test_there_is_one_for_each_question_and_rival():
    found = {path.parent.name for path in FOLDER.rglob("experiment.json")}
    assert found == {*OURS, *OTHERS}


@pytest.mark.parametrize("name", OURS)
def test_a_training_of_dsen2cr_resolves_to_what_was_published(name):
    (dataset, optical), radar, blocks, features, loss, values = OURS[name]
    config = settings(name)
    assert config.model_name == "dsen2cr" and config.dataset == dataset
    params = {"blocks": blocks, "features": features, "residual_scale": 0.1}
    assert config.params == {**params, "sar": radar > 0}
    assert formula(optical, radar, blocks, features) == values
    # Alone and with weight 1, so that what is logged as the total is the published loss.
    assert losses(config) == {loss: 1} and config.discriminator is None
    optimizer = (config.optimizer, config.learning_rate, config.beta_1, config.epsilon)
    assert optimizer == ("nadam_keras2", 7e-5, 0.9, 1e-8)
    assert config.learning_rate_schedule.kind == "constant" and config.gradient_clip is None
    scaling = (config.normalisation, config.scaling.scale, config.scaling.max_val_sar)
    assert scaling == ("dsen2cr", 2000, 2)


@pytest.mark.parametrize("name", [*OURS, *OTHERS])
def test_all_look_at_equal_crops_for_equally_long(name):
    config = settings(name)
    bands = 13 if name == "carl_16x256" else 10
    expects = {"target_bands": bands, "groups": ["L1C"], "mask": "dsen2cr"}
    assert config.expects.model_dump() == expects
    assert (config.tilesize, config.height, config.width, config.random_crop) == (
        256, 128, 128, True,
    )  # fmt: skip
    assert (config.random_resize, config.random_rotate) == (1, True)
    assert (config.epochs, config.batch_size, config.seed) == (8, 16, 42)


def test_rivals_differ_by_what_their_papers_have():
    gan, edsr, pix2pix = map(settings, OTHERS)
    assert {name: settings(name).model_name for name in OTHERS} == OTHERS
    assert {config.dataset for config in (gan, edsr, pix2pix)} == {TEN[0]}
    assert gan.params == {**settings("carl").params, "discriminator": True}
    assert losses(gan) == {"gen_gan": 1, "gen_carl": 100, "disc_bce": 0.5}
    assert losses(edsr) == {"gen_carl": 1} and not edsr.params
    assert losses(pix2pix) == {"gen_gan": 1, "gen_l1": 100, "disc_bce": 0.5} and not pix2pix.params
    assert (pix2pix.normalisation, pix2pix.scaling) == ("symmetric", None)
    assert {config.optimizer for config in (gan, edsr, pix2pix)} == {"adam"}
    assert {config.epsilon for config in (gan, edsr, pix2pix)} == {None}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Triplets as the ten-band model wants them, and the experiments; the option that names it."""
    root = tmp_path_factory.mktemp("clouds")
    write_triplets(root / "found", {"spring_1": 2, "fall_65": 1, "fall_139": 1})
    option = own_environment(root)
    words = ["--data", str(root / "found"), "--bands", "10m20m", *option]
    assert step_53.main(words) == 0
    assert step_53.main([*words, "--mask", "uncrtaints", "--dataset", "other_masks"]) == 0
    assert step_53.main([*words, "--bands", "all"]) == 0
    shutil.copytree(FOLDER, root / "maps_experiments" / "clouds")
    return root, option


def check(workplace, name, *changes):
    words = ["--exp", f"maps_experiments/clouds/{name}", *workplace[1], "--check"]
    for change in ("batch_size=2", *SMALL[name], *changes):
        words += ["--set", change]
    return main_guard(train.main, train.arguments(), words)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_it_can_be_trained_on_what_step_53_makes(name, workplace, capsys):
    assert check(workplace, name) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert f"{name}: in order; 2 train, 1 val, 1 test tiles" in said and "first step traced" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["scaling=null", "normalisation=l2", "scaling.scale=1"], "belongs to normalisation"),
        (["optimizer=nadm"], "optimizer: 'nadm' is not one of 'adam', 'nadam' or 'nadam_keras2'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(changes, said, workplace, capsys):
    assert check(workplace, "carl", *changes) == 2
    told = capsys.readouterr().err.strip()
    assert said in told and "\n" not in told


@pytest.mark.parametrize("name", ["carl", "edsr", "pix2pix"])
@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("other_masks", r"expects\.mask: .*variant 'uncrtaints', and 'dsen2cr' is.*--mask dsen2cr"),
        ("sen12mscr", r"expects\.target_bands: .*has 13 .*, and 10 are.*--bands 10m20m"),
    ],
)
def test_data_of_another_kind_are_refused_whatever_the_model(
    name, dataset, said, workplace, capsys
):
    assert check(workplace, name, f"dataset={dataset}") == 2
    told = capsys.readouterr().err.strip()
    assert re.search(rf"published\.json:\d+ {said}", told) and "\n" not in told
    assert '"params": null' not in told


def test_ten_bands_are_none_for_the_experiment_of_13(workplace, capsys):
    words = ["--exp", "maps_experiments/clouds/carl_16x256", *workplace[1]]
    words += ["--set", f"dataset={TEN[0]}"]
    for door in (train.main, train.arguments()), (show.run, show.arguments()):
        assert main_guard(*door, words) == 2
        told = capsys.readouterr().err
        assert re.search(r"16x256/experiment\.json:\d+ expects\.target_bands: .*--bands all", told)
