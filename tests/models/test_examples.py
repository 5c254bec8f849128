"""The shipped experiments are valid, and their models accept what they ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.loading import check_by_name, load_gan_class
from sensor2sensor.config.experiment_file import load_experiment_file
from tests.models.standin import experiment

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "experiments"
FILES = sorted(FOLDER.rglob("experiment.json"))


def test_there_are_experiments_for_the_demo_and_for_the_published_model():
    names = {path.parent.relative_to(FOLDER).as_posix() for path in FILES}
    assert {"demo/edsr_alt6", "demo/pix2pix_cur"} <= names
    assert {"arisgan/aris-a/alt12_land", "arisgan/aris-a/cur_land"} <= names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_a_shipped_experiment_is_valid_and_its_model_takes_it(path):
    config, document = load_experiment_file(path)
    check_by_name(config.model_name)
    schema = (path.parent / document.data["$schema"]).resolve()
    assert schema.is_file(), f"{schema} is named but does not exist"
    exp = experiment(
        size=64,
        sentinel3=config.dataset.startswith("cur"),
        params=dict(config.params) | {"width": 0.1},
        gen_loss=config.gen_loss.model_dump(),
        disc_loss=config.disc_loss.model_dump(),
        normalisation=config.normalisation,
    )
    load_gan_class(config.model_name)(exp)
