"""Tables of an experiment under ``--set``, null, what a run keeps, and what a model wants."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sensor2sensor.config.experiment_file import DiscriminatorSettings, load_experiment_file
from sensor2sensor.config.layers import kept_by_run
from sensor2sensor.config.model_defaults import suited
from sensor2sensor.config.optimisation import Schedule
from sensor2sensor.config.weights import GeneratorLosses, unknown_losses
from sensor2sensor.core.errors import ConfigError, ModelContractError
from tests.unit.config.test_compose import refused


@pytest.mark.parametrize(
    ("says", "options", "losses"),
    [
        ({}, ["gen_loss.gen_l1=50"], {"gen_gan": 1, "gen_l1": 50}),
        ({}, ["gen_loss.gen_ssim=2", "gen_loss.gen_gan=null"], {"gen_ssim": 2, "gen_l1": 100}),
        ({"gen_loss": {"gen_l1": 9}}, ["gen_loss.gen_ssim=2"], {"gen_l1": 9, "gen_ssim": 2}),
        ({"gen_loss": {"gen_l1": 9}}, ["gen_loss=null", "gen_loss.gen_l1=5"],
         {"gen_gan": 1, "gen_l1": 5}),
        ({}, ['gen_loss={"gen_l2":5}', "gen_loss.gen_l1=1"], {"gen_l2": 5, "gen_l1": 1}),
        ({"discriminator": None}, ["gen_loss.gen_ssim=2"], {"gen_l1": 100, "gen_ssim": 2}),
        ({}, ["gen_loss.gen_ssim=2", "discriminator=null"], {"gen_l1": 100, "gen_ssim": 2}),
    ],
)  # fmt: skip
def test_an_option_changes_one_key_of_a_table_that_no_file_states(
    tmp_path: Path, says: dict[str, object], options: list[str], losses: dict[str, float]
) -> None:
    file = tmp_path / "experiment.json"
    file.write_text(json.dumps({"model_name": "edsr", "dataset": "d", **says}))
    config, _ = load_experiment_file(file, options)
    assert {name: weight for name, weight in config.gen_loss if weight is not None} == losses


def test_every_other_table_keeps_its_default_under_an_option(tmp_path: Path) -> None:
    file = tmp_path / "experiment.json"
    file.write_text('{"model_name": "edsr", "dataset": "d"}')
    options = ["disc_loss.disc_gp=10", "discriminator.norm=none", "learning_rate_schedule.start=0"]
    config, _ = load_experiment_file(file, options)
    assert (config.disc_loss.disc_bce, config.disc_loss.disc_gp) == (1, 10)
    assert config.discriminator is not None and config.discriminator.steps == 1
    assert config.learning_rate_schedule == Schedule()
    # A file that states the table names all there is, over a parent without it, too.
    (tmp_path / "child.json").write_text(
        '{"extends": "experiment.json", "gen_loss": {"gen_l1": 5}}'
    )
    assert load_experiment_file(tmp_path / "child.json")[0].gen_loss.gen_gan is None


def test_of_two_keys_that_contradict_each_other_the_upper_one_is_blamed(tmp_path: Path) -> None:
    file = tmp_path / "experiment.json"
    file.write_text('{"model_name": "edsr", "dataset": "d", "discriminator": null}')
    text = refused(file, "gen_loss.gen_gan=1")
    assert text == "--set gen_loss.gen_gan: needs a discriminator, and that is null"
    text = refused(file, "gen_loss.gen_gan=1", "discriminator=null")
    assert text == "--set discriminator: is null, so gen_gan must be null too"


OWN = {"model_name": "edsr", "dataset": "d", "modules": ["mine"], "gen_loss": {"gen_own": 1}}


def test_null_drops_the_weight_of_a_loss_together_with_its_module(tmp_path: Path) -> None:
    base, file = tmp_path / "base.json", tmp_path / "experiment.json"
    base.write_text(json.dumps(OWN))
    says = {"extends": "base.json", "modules": None, "gen_loss": {"gen_own": None, "gen_l1": 1}}
    file.write_text(json.dumps(says))
    options = ["modules=null", "gen_loss.gen_own=null", "gen_loss.gen_l1=1"]
    for config, _ in (load_experiment_file(file), load_experiment_file(base, options)):
        assert config.modules == [] and "gen_own" not in config.gen_loss.model_dump()
    file.write_text(json.dumps({**says, "modules": ["other"]}))
    config, document = load_experiment_file(file)
    # Whether the other module declares it is known once that is imported.
    assert list(unknown_losses(document)) == []
    assert "gen_own" not in suited(config, document, {})[0].gen_loss.model_dump()
    file.write_text(json.dumps({**says, "gen_loss": {"gen_own": None, "gen_foo": None}}))
    assert "gen_loss.gen_foo: unknown key" in refused(file)


def test_a_resumed_run_keeps_what_its_options_made_of_a_table(tmp_path: Path) -> None:
    file, resolved = tmp_path / "experiment.json", tmp_path / "resolved.json"
    file.write_text('{"model_name": "edsr", "dataset": "d", "params": {"a": 1}, "steps": 5}')
    # As an earlier version understood the options: gen_ssim is all.
    then = {"gen_loss": {"gen_gan": None, "gen_ssim": 1.0}, "params": {}, "steps": 3, "seed": 4}
    resolved.write_text(json.dumps(then))
    kept = kept_by_run(resolved, ["gen_loss.gen_ssim=1", "params=null"])
    config, document = load_experiment_file(file, ["gen_loss.gen_l2=3"], kept=kept)
    losses = {name: weight for name, weight in config.gen_loss if weight is not None}
    assert losses == {"gen_ssim": 1, "gen_l2": 3}
    assert (config.params, config.steps, config.seed) == ({}, 5, 0)
    # No default of the model is let in, and what was said goes on being noted.
    assert suited(config, document, {"gen_loss.gen_l1": 9})[0] == config
    assert document.options == ("gen_loss.gen_ssim=1", "params=null", "gen_loss.gen_l2=3")
    assert document.place_of(("gen_loss", "gen_ssim")).where == f"{resolved}:1"
    assert document.extended == () and kept_by_run(resolved, []) is None


@pytest.mark.parametrize(
    ("wanted", "key", "value"),
    [
        ({"discriminator": None}, "discriminator", None),
        ({"discriminator": {"steps": 2}}, "discriminator", DiscriminatorSettings(steps=2)),
        ({"gen_loss": {"gen_l2": 1}, "gen_loss.gen_l1": 2}, "gen_loss",
         GeneratorLosses(gen_l2=1.0, gen_l1=2.0)),
        ({"params": {"a": 1}}, "params", {"a": 1}),
    ],
)  # fmt: skip
def test_any_key_may_have_a_default_of_the_model(
    tmp_path: Path, wanted: dict[str, object], key: str, value: object
) -> None:
    file = tmp_path / "experiment.json"
    file.write_text('{"model_name": "edsr", "dataset": "d"}')
    config, lines = suited(*load_experiment_file(file), wanted)
    assert getattr(config, key) == value and len(lines) == len(wanted)
    if key == "discriminator" and value is None:
        assert config.gen_loss.gen_gan is None  # as where a file says so


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"steps": "many"}, "steps: Input should be a valid integer"),
        ({"gen_loss": {"gen_l1": object()}}, "gen_loss is no JSON"),
        ({"gen_loss.model_dump": 1}, "has no key 'gen_loss.model_dump'"),
        ({5: 1}, "has no key '5'"),
        ({"inference_statistics": "image"}, "inference_statistics: 'image' needs batch_size 1"),
    ],
)
def test_what_no_file_could_say_is_refused_of_a_model_by_name(
    tmp_path: Path, wanted: dict[str, object], message: str
) -> None:
    file = tmp_path / "experiment.json"
    file.write_text('{"model_name": "edsr", "dataset": "d"}')
    with pytest.raises(ModelContractError, match=re.escape(message)) as caught:
        suited(*load_experiment_file(file), wanted)
    assert "edsr: GAN.experiment_defaults" in str(caught.value)


def test_a_default_of_the_model_holds_beside_an_option(tmp_path: Path) -> None:
    file = tmp_path / "experiment.json"
    file.write_text('{"model_name": "edsr", "dataset": "d"}')
    wanted = {"gen_loss.gen_gan": None}
    config, document = load_experiment_file(file, ["gen_loss.gen_ssim=2"])
    losses = suited(config, document, wanted)[0].gen_loss
    assert (losses.gen_gan, losses.gen_l1, losses.gen_ssim) == (None, 100, 2)
    config, document = load_experiment_file(file, ["gen_loss.gen_gan=3"])
    assert suited(config, document, wanted)[0].gen_loss.gen_gan == 3
    config, document = load_experiment_file(file, ["gen_loss.gen_l1=null"])
    with pytest.raises(ConfigError, match="nothing to train on"):
        suited(config, document, wanted)
