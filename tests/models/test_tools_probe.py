"""The probing experiment is an experiment: nothing a model may read is missing or different."""

from __future__ import annotations

import json

import pytest

from experiment import Experiment
from model_tools import probe
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import Schedule
from sensor2sensor.config.network_settings import DiscriminatorSettings
from tests.fakes_dataset import make_dataset

SETTINGS = {
    "steps": 7,
    "params": {"width": 0.5},
    "gen_loss": {"gen_gan": 2.0, "gen_l1": 50.0},
    "disc_loss": {"disc_bce": 0.5},
    "discriminator": {"norm": "instance", "steps": 3},
    "generator_warmup": 4,
    "normalisation": "l2",  # its range is the same on every data set
    "seed": 11,
    "learning_rate": 0.001,
    "learning_rate_schedule": {"kind": "cosine", "start": 0.5, "final": 0.1},
    "beta_1": 0.6,
    "gradient_clip": 1.5,
    "ema": 0.9,
    "precision": "mixed_bfloat16",
    "batch_size": 3,
}


def real_experiment(folder, **settings):
    make_dataset(folder / "data", name="toy", kind="sentinel3", factor=30, train=2, val=1)
    (folder / "environment.json").write_text("{}")
    (folder / "experiments" / "one").mkdir(parents=True)
    content = {"model_name": "pix2pix", "dataset": "toy", "tilesize": 64, **settings}
    (folder / "experiments" / "one" / "experiment.json").write_text(json.dumps(content))
    return Experiment("one", load_environment(folder / "environment.json"))


def probing(folder, **settings):
    kinds = {"discriminator": DiscriminatorSettings, "learning_rate_schedule": Schedule}
    options = {
        key: kinds[key](**value) if key in kinds else value for key, value in settings.items()
    }
    return probe.experiment(size=64, sentinel3=True, logs=folder / "logs", **options)


@pytest.mark.parametrize("settings", [{}, SETTINGS], ids=["defaults", "everything set"])
def test_every_capital_property_has_the_value_of_the_real_experiment(tmp_path, settings):
    real = real_experiment(tmp_path, **{"steps": 5, "batch_size": 2, **settings})
    made = probing(tmp_path, **settings)
    names = [name for name in dir(Experiment) if name.isupper()]
    assert {"DISCRIMINATOR", "EMA", "BETA_1", "OUTPUT_RANGE", "GEN_LOSS"} <= set(names)
    for name in names:
        assert _plain(getattr(made, name)) == _plain(getattr(real, name)), name
    assert made.GEN_LOSS.warmup_steps == real.GEN_LOSS.warmup_steps
    assert made.GEN_LOSS.value_range == real.GEN_LOSS.value_range
    assert made.config.precision == real.config.precision


def _plain(value):
    return dict(value) if hasattr(value, "items") else value


def test_it_has_every_attribute_of_the_real_experiment(tmp_path):
    real = real_experiment(tmp_path)
    made = probing(tmp_path)
    assert isinstance(made, Experiment)
    assert set(vars(made)) == set(vars(real))
    assert set(vars(made.output)) == set(vars(real.output))
    with pytest.raises(AttributeError, match="read-only"):
        made.contract = None


def test_what_contradicts_itself_reaches_the_model():
    exp = probe.experiment(discriminator=None, gen_loss={"gen_gan": 1.0})
    assert exp.DISCRIMINATOR is None and exp.GEN_LOSS["gen_gan"] == 1.0
    assert probe.experiment(discriminator=None).GEN_LOSS["gen_gan"] is None


def test_a_setting_of_no_name_is_refused():
    with pytest.raises(TypeError, match="learnig_rate"):
        probe.experiment(learnig_rate=1.0)
