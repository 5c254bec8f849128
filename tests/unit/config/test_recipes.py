"""Keys of experiment.json that must fit each other: the line of the one to change is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sensor2sensor.config.experiment_file import ExperimentFile, load_experiment_file
from sensor2sensor.config.vocabulary import LOSSES, adversarial
from sensor2sensor.core.errors import ConfigErrors

WGAN = {"gen_wstein": 1, "gen_l1": 100}
CRITIC = {"disc_wstein": 1, "disc_gp": 10}


def load(folder: Path, **settings: Any) -> ExperimentFile:
    path = folder / "experiment.json"
    content = {"model_name": "pix2pix", "dataset": "d", **settings}
    path.write_text(json.dumps(content, indent=1))
    return load_experiment_file(path)[0]


@pytest.mark.parametrize(
    ("settings", "line", "message"),
    [
        (
            {"discriminator": None, "gen_loss": {"gen_gan": 1, "gen_fm": 1, "gen_l1": 1}},
            4, "discriminator: is null, so gen_gan, gen_fm must be null too",
        ),
        (
            # A weight of 0 is computed, too, and there is nothing to compute it from.
            {"discriminator": None, "gen_loss": {"gen_gan": 0, "gen_l1": 1}},
            4, "discriminator: is null, so gen_gan must be null too",
        ),
        ({"gen_loss": WGAN, "disc_loss": CRITIC}, 10, "disc_loss.disc_gp: needs disc"),
        (
            {"disc_loss": CRITIC, "discriminator": {"norm": "batch"}},
            6, "disc_loss.disc_gp: needs disc",
        ),
        (
            {"generator_warmup": 5, "gen_loss": {"gen_gan": 1, "gen_l1": 0}},
            4, "generator_warmup: needs a loss that is not adversarial",
        ),
        ({"tilesize": 64, "img_height": 128, "random_crop": True}, 6, "random_crop: needs img_h"),
        ({"discriminator": {"nrom": "none"}}, 5, "discriminator.nrom: unknown key; nearest"),
        ({"learning_rate_schedule": {"kind": "cosin"}}, 5, "learning_rate_schedule.kind: 'cosin'"),
        ({"learning_rate_schedule": {"start": 1.0}}, 5, "learning_rate_schedule.start: must be"),
        ({"ema": 1.0}, 4, "ema: must be less than 1, not 1.0"),
        ({"gradient_clip": 0}, 4, "gradient_clip: must be greater than 0, not 0"),
        ({"precision": "float16"}, 4, "precision: 'float16' is not one of"),
        (
            {"batch_size": 2, "inference_statistics": "image"},
            5, "inference_statistics: 'image' needs batch_size 1, not 2",
        ),
    ],
)  # fmt: skip
def test_what_contradicts_is_named_with_its_line(
    tmp_path: Path, settings: dict[str, Any], line: int, message: str
) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path, **settings)
    assert f"experiment.json:{line} {message}" in str(caught.value)


def test_without_a_discriminator_the_default_loss_has_no_adversary(tmp_path: Path) -> None:
    config = load(tmp_path, discriminator=None)
    assert {name: weight for name, weight in config.gen_loss if weight is not None} == {
        "gen_l1": 100.0
    }
    assert config.discriminator is None


@pytest.mark.parametrize("norm", ["instance", "spectral", "none"])
def test_a_gradient_penalty_goes_with_a_norm_that_keeps_images_apart(
    tmp_path: Path, norm: str
) -> None:
    config = load(tmp_path, disc_loss=CRITIC, gen_loss=WGAN, discriminator={"norm": norm})
    assert config.disc_loss.disc_gp == 10


def test_the_defaults_are_the_published_training(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.discriminator is not None
    assert (config.discriminator.norm, config.discriminator.steps) == ("published", 1)
    assert config.learning_rate_schedule.kind == "constant"
    assert (config.ema, config.gradient_clip, config.beta_1) == (None, None, None)
    assert (config.generator_warmup, config.precision) == (0, "float32")


def test_the_adversarial_losses_are_those_that_ask_the_discriminator() -> None:
    found = {
        name for name, info in LOSSES.items() if info.side == "generator" and adversarial(name)
    }
    assert found == {"gen_gan", "gen_nll", "gen_wstein", "gen_lsgan", "gen_ragan", "gen_fm"}
