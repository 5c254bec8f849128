"""What a registration is trained by where experiment.json leaves its losses open."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from models.loading import load_gan_class
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.config.model_defaults import suited_config
from sensor2sensor.core.errors import ConfigError
from tests.models.standin import experiment

PAGE = Path(__file__).parents[2] / "docs" / "superresolution.md"
FLOW = {f"gen_flow_{name}": 1.0 for name in ("composition", "identity", "inverse", "warping")}
ALONE = {"model_name": "registration", "dataset": "d", "discriminator": None}


def trained_by(file, options=()):
    config, document = load_experiment_file(file, options)
    losses = suited_config(config, document, load_gan_class(config.model_name)).gen_loss
    return {name: weight for name, weight in losses if weight is not None}


def test_the_documented_file_trains_the_four_terms_of_a_flow(tmp_path):
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if '"model_name": "registration"' in block]
    file = tmp_path / "experiment.json"
    file.write_text(block)
    assert '"discriminator": null' in block and trained_by(file) == FLOW


def test_what_the_user_or_an_extended_file_wrote_wins(tmp_path):
    base, file = tmp_path / "base.json", tmp_path / "experiment.json"
    base.write_text(json.dumps(ALONE))
    file.write_text('{"extends": "base.json"}')
    assert trained_by(file) == FLOW
    options = ["gen_loss.gen_flow_warping=2"]  # a single key: the rest is the model's
    assert trained_by(file, options) == {**FLOW, "gen_flow_warping": 2.0}
    base.write_text(json.dumps({**ALONE, "gen_loss": {"gen_flow_warping": 2.0}}))
    assert trained_by(file) == {"gen_flow_warping": 2.0}


def test_a_model_s_adversarial_default_is_none_without_a_discriminator(tmp_path):
    file = tmp_path / "experiment.json"
    file.write_text(json.dumps({**ALONE, "model_name": "resnet_pix2pix"}))
    assert trained_by(file) == {"gen_l1": 100.0}


@pytest.mark.parametrize("losses", [{"gen_l1": 1.0}, {"gen_l1": 1.0, "gen_flow_inverse": 0.0}])
def test_a_registration_without_a_term_of_its_flow_is_refused(losses):
    exp = experiment(params={"width": 0.07, "depth": 1}, discriminator=None, gen_loss=losses)
    with pytest.raises(ConfigError, match=r"gen_loss: none of the terms.*gen_flow_composition"):
        load_gan_class("registration")(exp)
