"""The shipped experiments on masks of buildings, on data that the commands they name make."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import train
from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.core.cli import main_guard
from sensor2sensor.sources.aerial import run as step52
from sensor2sensor.training.readiness import check_data
from tests.fakes.town import write_aerial
from tests.fakes_vgg import write_vgg19
from tests.real_data import REPOSITORY

FOLDER = REPOSITORY / "examples" / "experiments" / "aerial"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/experiment.json"))
COMMAND = re.compile(r"^# +python preprocessing/52_create_tfrecords_aerial\.py (.+)$", re.M)
# Small networks: what is built is that of the file but for its filters and blocks.
SMALL = ("--set", "params.width=0.05", "--set", "params.blocks=1")
VGG = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"


def commands() -> dict[str, list[str]]:
    """What the comments of the files say of step 52, by the data set that it makes."""
    texts = [path.read_text() for path in FOLDER.rglob("*.json")]
    found = [shlex.split(words) for text in texts for words in COMMAND.findall(text)]
    return {words[words.index("--dataset") + 1]: words for words in found}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workplace with the folder of experiments and the data sets."""
    root = tmp_path_factory.mktemp("aerial")
    write_aerial(root / "AerialImageDataset" / "train", ["austin1", "austin7", "austin9"], 130)
    shutil.copytree(FOLDER, root / "aerial")
    roots = ("project_root", "data_root", "experiment_root")
    (root / "environment.json").write_text(json.dumps(dict.fromkeys(roots, ".")))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for words in commands().values():
            assert step52.main([*words, "--environment", "environment.json"]) == 0, words
    return root


def use(root: Path, name: str, *words: str) -> int:
    environment = ("--environment", str(root / "environment.json"))
    call = [*environment, "--exp", f"aerial/{name}", *SMALL, *words]
    return main_guard(train.main, train.arguments(), call)


def test_every_data_set_that_is_named_is_made_by_a_command_that_is_named() -> None:
    configs = [load_experiment_file(FOLDER / name / "experiment.json")[0] for name in NAMES]
    assert {config.dataset for config in configs} == set(commands())
    assert {config.tilesize for config in configs} == {286}


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_has_its_data(name: str, home: Path) -> None:
    made = Experiment(f"aerial/{name}", load_environment(home / "environment.json"))
    counts, _ = check_data(made)
    assert min(counts.values()) > 0
    assert (made.IMG_HEIGHT, made.INPUT_CHANNELS, made.OUTPUT_CHANNELS) == (256, 1, 3)


# Their networks and losses are those of all; VGG is below.
@pytest.mark.parametrize("name", ["baseline", "high_5x5"])
def test_a_model_takes_what_an_experiment_asks_for(name: str, home: Path, capsys) -> None:
    assert use(home, name, "--check") == 0
    said = capsys.readouterr().out
    assert f"aerial/{name}: in order; " in said and "first step traced" in said


def test_the_one_that_goes_on_with_the_baseline_says_that_it_is_not_there(home, capsys) -> None:
    assert use(home, "finetuned", "--check") == 2
    said = capsys.readouterr().err.strip()
    assert "pretrained_generator: " in said and "aerial/baseline" in said and "\n" not in said


def test_the_one_that_looks_through_vgg_says_which_file_it_lacks(home: Path, capsys) -> None:
    assert use(home, "vgg", "--check") == 2
    said = capsys.readouterr().err.strip()
    assert f"no weights of VGG19 at {home / VGG}" in said and "\n" not in said
    write_vgg19(home / VGG)
    assert use(home, "vgg", "--check") == 0
    (home / VGG).unlink()


def test_what_an_experiment_changes_is_what_it_is_to_show() -> None:
    settings = {
        name: load_experiment_file(FOLDER / name / "experiment.json")[0].model_dump()
        for name in NAMES
    }
    base = settings.pop("baseline")
    changed = {
        name: {key for key in base if key != "schema_" and found[key] != base[key]}
        for name, found in settings.items()
    }
    instance, squares = {"params", "inference"}, {"dataset"}
    expected = {
        **{key: {"gen_loss"} for key in ("lambda_10", "lambda_25", "lambda_50")},
        **{key: {"learning_rate"} for key in ("rate_1e-4", "rate_3e-4", "rate_1e-3", "rate_2e-3")},
        "instance": instance,
        "vgg": {"gen_loss", "vgg"},
        "mid_2x2": squares,
        "mid_2x2_instance": instance | squares,
        "high_5x5": instance | squares | {"gen_loss", "epochs"},
        "filtered": instance | squares,
        "filtered_as_published": instance | squares,
        "finetuned": squares | {"pretrained_generator"},
    }
    assert {name: keys - {"extends"} for name, keys in changed.items()} == expected
