"""Ten optical bands and thirteen: runs, data sets and experiments that do not go together."""

from __future__ import annotations

import json
import shutil

import pytest

import evaluate
import train as door
from experiment import Experiment
from models.loading import load_gan_class
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.cli import main_guard
from sensor2sensor.sources.sen12mscr import run as step_53
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from tests.fakes.sen12mscr import write_triplets

pytestmark = pytest.mark.slow

TEN, THIRTEEN = "sen12mscr_10m20m", "sen12mscr"
SETTINGS = {
    "model_name": "dsen2cr", "tilesize": 32, "steps": 1, "batch_size": 2, "seed": 1,
    "params": {"features": 4, "blocks": 1}, "gen_loss": {"gen_carl": 1}, "discriminator": None,
    "normalisation": "dsen2cr",
}  # fmt: skip
NAMES = {
    TEN: "B02, B03, B04, B05, B06, B07, B08, B8A, B11, B12, VV, VH (reflectance, dB)",
    THIRTEEN: "B01, B02, B03, B04, B05, B06, B07, B08, B8A, B09, B10, B11, B12, VV, VH "
    "(reflectance, dB)",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Both data sets of the same images, and a run on each."""
    root = tmp_path_factory.mktemp("bands")
    write_triplets(root / "found", {"spring_1": 2, "fall_65": 1, "fall_139": 1}, side_px=32)
    (root / "environment.json").write_text("{}")
    place = ["--data", str(root / "found"), "--environment", str(root / "environment.json")]
    for bands in ("10m20m", "all"):
        assert step_53.main([*place, "--bands", bands]) == 0
    environment = load_environment(root / "environment.json")
    for dataset in NAMES:
        write(root, f"on_{dataset}", dataset)
        exp = Experiment(f"on_{dataset}", environment, timestamp="0715-0930")
        train(load_gan_class("dsen2cr"), exp, environment, start=Start(), steps=1, say=print)
    return root


def write(root, name, dataset, **changes):
    folder = root / "experiments" / name
    folder.mkdir(parents=True, exist_ok=True)
    content = {**SETTINGS, "dataset": dataset, **changes}
    (folder / "experiment.json").write_text(json.dumps(content, indent=1))


def refused(root, capsys, program, *words) -> str:
    """The one line on which a program ends."""
    capsys.readouterr()
    place = ["--environment", str(root / "environment.json"), *words]
    assert main_guard(program.main, program.arguments(), place) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.mark.parametrize(("there", "here"), [(TEN, THIRTEEN), (THIRTEEN, TEN)])
@pytest.mark.parametrize("check", [["--check"], []], ids=["check", "training"])
def test_a_generator_of_other_bands_is_refused_by_the_bands_of_both(
    made, capsys, there, here, check
):
    write(made, "onto", here, pretrained_generator=f"on_{there}")
    line = refused(made, capsys, door, "--exp", "onto", *check)
    assert " pretrained_generator: " in line
    assert f"input bands are {NAMES[there]} there, {NAMES[here]} here" in line


@pytest.mark.parametrize(("there", "here"), [(TEN, THIRTEEN), (THIRTEEN, TEN)])
def test_a_run_is_not_resumed_on_the_other_data_set(made, capsys, there, here):
    write(made, f"on_{there}", here)
    try:
        line = refused(made, capsys, door, "--exp", f"on_{there}", "--resume")
    finally:
        write(made, f"on_{there}", there)
    assert f"dataset: {there} (there) against {here} (asked)" in line
    assert f"input bands are {NAMES[there]} there, {NAMES[here]} here" in line


def with_bands(made, data):
    shutil.copytree(made / "data" / THIRTEEN, data)


def with_masks(made, data):
    shutil.copytree(made / "kept", data)
    content = files.read_json(data / "32" / "dataset.json")
    (mask,) = (extra for extra in content["extras"] if extra["name"] == "cloud_mask")
    assert mask["variant"] == "dsen2cr"
    mask["variant"] = "uncrtaints"
    files.write_json(data / "32" / "dataset.json", content)
    (data / "32" / "dataset.sha256").unlink()


@pytest.mark.parametrize(
    ("rebuilt", "said"),
    [
        (with_bands, f"input bands are {NAMES[TEN]} there, {NAMES[THIRTEEN]} here"),
        (with_masks, "cloud_mask of variant dsen2cr there, uncrtaints here"),
    ],
)
@pytest.mark.parametrize("words", [[evaluate], [door, "--resume"]], ids=["score", "resume"])
def test_a_run_does_not_go_on_with_what_its_data_set_became(made, capsys, rebuilt, said, words):
    data, kept = made / "data" / TEN, made / "kept"
    data.rename(kept)
    try:
        rebuilt(made, data)
        line = refused(made, capsys, *words, "--exp", f"on_{TEN}")
    finally:
        shutil.rmtree(data)
        kept.rename(data)
    assert "the data set was built anew" in line and said in line
