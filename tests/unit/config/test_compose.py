"""Experiments laid over each other and over by ``--set``; variables in environment.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import (
    ExperimentFile,
    load_experiment_file,
    located,
)
from sensor2sensor.config.layers import later_over
from sensor2sensor.core.errors import ConfigError, ConfigErrors, InputError

BASE = """{
  "$schema": "away.json",
  "model_name": "aris-a",   // of all
  "dataset": "alt12_D",
  "enfore_suffix": "notinmask",
  "params": {"width": 0.5, "deep": {"a": 1, "b": [1, 2]}},
  "discriminator": {"norm": "spectral", "steps": 2},
  "gen_loss": {"gen_gan": 1, "gen_l1": 50}
}"""
MIDDLE = """{
  "extends": "base.json",
  "params": {"deep": {"b": [3]}},
  "discriminator": null,
  "gen_loss": {"gen_gan": null}
}"""
TOP = """{
  "extends": "../middle.json",
  "steps": 7
}"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A chain of three files; returns the uppermost."""
    (tmp_path / "base.json").write_text(BASE)
    (tmp_path / "middle.json").write_text(MIDDLE)
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "experiment.json").write_text(TOP)
    return tmp_path / "exp" / "experiment.json"


def refused(path: Path, *options: str) -> str:
    with pytest.raises((ConfigErrors, InputError)) as caught:
        load_experiment_file(path, options)
    return str(caught.value)


@pytest.mark.filterwarnings("ignore:.*enfore_suffix")
def test_objects_are_merged_and_all_else_replaces(files: Path) -> None:
    config, document = load_experiment_file(files, ["params.deep.a=2", "sample_val=null"])
    assert config.params == {"width": 0.5, "deep": {"a": 2, "b": [3]}}
    assert config.discriminator is None and config.steps == 7
    assert (config.gen_loss.gen_gan, config.gen_loss.gen_l1) == (None, 50)
    assert config.enforce_suffix == "notinmask"  # in the spelling of ARISGAN's README
    assert [path.name for path in document.extended] == ["middle.json", "base.json"]
    assert document.options == ("params.deep.a=2", "sample_val=null")
    assert "$schema" not in document.data and "extends" not in config.model_dump()


@pytest.mark.filterwarnings("ignore:.*enfore_suffix")
def test_a_file_that_extends_equals_the_file_written_out(files: Path, tmp_path: Path) -> None:
    config, _ = load_experiment_file(files)
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps(config.model_dump(mode="json", by_alias=True)))
    assert load_experiment_file(whole)[0] == config


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ('"steps": 7', '"stpes": 7', "experiment.json:3", "stpes: unknown key; nearest: 'steps'"),
        ('"gen_gan": null', '"gen_gna": 1', "middle.json:5", "gen_loss.gen_gna: unknown key"),
        ('"gen_l1": 50', '"gen_l1": "x"', "base.json:8", "gen_loss.gen_l1: must be a valid number"),
        ('"gen_gan": null', '"gen_l2": 1', "middle.json:4", "discriminator: is null, so gen_gan"),
        ('"dataset": "alt12_D",', "", "experiment.json:1", "dataset: is required"),
        # Below, where a value is replaced, it is wrong all the same.
        ('"norm": "spectral"', '"norm": NaN', "base.json:7", "discriminator.norm: nan is not a"),
        ('"width": 0.5', '"width": 1, "width": 2', "base.json:6", "params.width: given twice"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*enfore_suffix")
def test_a_message_names_the_file_and_line_to_change(
    files: Path, old: str, new: str, place: str, message: str
) -> None:
    for path in (files, *files.parents[1].glob("*.json")):
        path.write_text(path.read_text().replace(old, new))
    text = refused(files)
    assert f"{place} {message}" in text, text


@pytest.mark.filterwarnings("ignore:.*enfore_suffix")
def test_what_a_model_refuses_is_named_where_it_stands(files: Path) -> None:
    document = load_experiment_file(files, ["params.depth=3"])[1]
    for key, place in (("params.deep.a", "base.json:6"), ("params.depth", "--set")):
        with pytest.raises(ConfigErrors) as caught, located(document):
            raise ConfigError("no", where=key)
        assert f"{place} {key}: no" in str(caught.value)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ('"bse.json"', "middle.json:2 extends: no such file {0}/bse.json; nearest: 'base.json'"),
        ('"down/base.json"', "extends: no such file {0}/down/base.json; there is no folder"),
        ('"exp"', "middle.json:2 extends: {0}/exp is a folder; name the file in it"),
        ("5", "middle.json:2 extends: must be the path of a file"),
        ('""', "middle.json:2 extends: must be the path of a file"),
        (
            '"exp/experiment.json"',
            "middle.json:2 extends: leads back to where it began: "
            "experiment.json -> ../middle.json -> experiment.json",
        ),
    ],
)  # fmt: skip
def test_a_chain_that_leads_nowhere_or_in_a_circle(files: Path, named: str, message: str) -> None:
    middle = files.parents[1] / "middle.json"
    middle.write_text(middle.read_text().replace('"base.json"', named))
    assert message.format(middle.parent) in refused(files)


def test_a_path_as_from_a_folder_above_is_named_as_it_is_meant(files: Path) -> None:
    files.write_text('{"extends": "mine/a"}')
    other = files.parents[1] / "mine" / "a" / "experiment.json"
    other.parent.mkdir(parents=True)
    other.write_text(BASE)
    says = f"a path is relative to {files}; nearest: '../mine/a/experiment.json'"
    assert says in refused(files)


def written(folder: Path) -> Path:
    path = folder / "experiment.json"
    path.write_text('{"model_name": "edsr", "dataset": "d", "params": {"l": [1], "n": 2}}')
    return path


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("stpes=5", "--set stpes: unknown key; nearest: 'steps'"),
        (
            "schedule_decay=0.004",
            '--set schedule_decay: unknown key; "optimizer": "nadam_keras2" has it',
        ),
        ("ckpt_freq=5", "--set ckpt_freq: unknown key; it is one of environment.json"),
        ("gen_los.gen_l1=5", "--set gen_los: unknown key; nearest: 'gen_loss'"),
        ("steps=many", "--set steps: must be a valid integer, not 'many'"),
        ("gen_loss=5", "--set gen_loss: must be an object {...}, not 5"),
        ("steps=NaN", "--set steps: nan is not a finite number"),
        ('params={"a": 1, "a": 2}', "--set params.a: given twice; keep one"),
        ("random_crop=true", None),
        ("img_height=900", None),
        ("params.l.0=5", "--set params.l.0: params.l is a list; set params.l as a whole"),
        ("params.n.x=5", "--set params.n.x: params.n is 2; set params.n as a whole"),
        ("steps", "--set 'steps' is not key.path=value; as in --set steps=500"),
        (".steps=5", "is not key.path=value"),
        (f"params={'[' * 3000}", "--set params: nested more than 64 deep"),
        (f"params{'.a' * 3000}=1", "--set params: nested more than 64 deep"),
        ("params.foo=null", None),
        ("foo=null", "--set foo: unknown key"),
        ("gen_loss.gen_foo=null", "--set gen_loss.gen_foo: unknown key"),
        ("gen_loss=null", None),
        ("extends=x.json", "--set extends: is read from files alone"),
    ],
)
def test_an_option_is_held_to_what_a_file_is(
    tmp_path: Path, option: str, message: str | None
) -> None:
    path = written(tmp_path)
    if message is None:
        load_experiment_file(path, [option])
    else:
        assert message in refused(path, option)
    if option.startswith("random_crop"):
        text = refused(path, option, "img_height=900")
        assert text.startswith("--set random_crop: needs img_height and img_width within tilesize")


def test_options_are_json_where_they_can_be_and_text_elsewhere(tmp_path: Path) -> None:
    options = [
        "dataset=alt6_D",
        "steps=5",
        "params.l=[2, 3]",
        "shuffle=false",
        "discriminator=null",
    ]
    config: ExperimentFile = load_experiment_file(written(tmp_path), options)[0]
    assert (config.dataset, config.steps, config.params["l"]) == ("alt6_D", 5, [2, 3])
    assert config.shuffle is False and config.discriminator is None
    again = load_experiment_file(written(tmp_path), [*options, "discriminator.steps=3"])[0]
    assert again.discriminator is not None and again.discriminator.steps == 3


def test_of_options_for_one_key_the_later_counts() -> None:
    kept = later_over(["steps=5", "dataset=a"], ["steps=6", "seed=1"])
    assert kept == ["dataset=a", "steps=6", "seed=1"]


def test_the_later_option_counts_where_one_between_names_its_parent(tmp_path: Path) -> None:
    options = later_over(["params.n=1", 'params={"n":3}'], ["params.n=2"])
    assert load_experiment_file(written(tmp_path), options)[0].params["n"] == 2


@pytest.mark.filterwarnings("ignore:.*enfore_suffix")
def test_null_drops_what_is_inherited_and_cannot_be_null(files: Path) -> None:
    document = load_experiment_file(files)[1]
    with pytest.raises(ConfigErrors) as caught, located(document):
        raise ConfigError("unknown parameter 'width'", where="params.width")
    assert f'is inherited, and "params": null in {files} drops' in str(caught.value)
    files.write_text('{"extends": "../middle.json", "params": null, "steps": null}')
    assert "experiment.json:1 steps: must be a valid integer, not null" in refused(files)
    files.write_text('{"extends": "../middle.json", "params": null}')
    config, document = load_experiment_file(files)
    assert config.params == {} and "params" not in config.model_fields_set
    assert config.discriminator is None  # null is a value of that key
    assert document.place_of(("params", "width")).where == f"{files}:1"


def test_variables_fill_the_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "environment.json"
    file.write_text(
        '{"data_root": "${S2S_DISK}/data", "s2_root": "${S2S_NONE:-archive}/S2",\n'
        ' "s3_root": "${S2S_EMPTY:-/a}${S2S_EMPTY}", "experiment_root": "$HOME"}'
    )
    monkeypatch.setenv("S2S_DISK", "/disk")
    monkeypatch.setenv("S2S_EMPTY", "")
    env = load_environment(file)
    assert (env.data_root, env.s2_root) == (Path("/disk/data"), tmp_path / "archive" / "S2")
    assert (env.s3_root, env.experiment_root) == (Path("/a"), tmp_path / "$HOME")


def test_a_variable_that_is_not_set_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2S_ARCHIVES", "/x")
    file = tmp_path / "environment.json"
    file.write_text('{\n "data_root": "${S2S_ARCHIVE}",\n "s2_root": "${S2S ARCHIVES}"}')
    with pytest.raises(ConfigErrors) as caught:
        load_environment(file)
    assert str(caught.value).splitlines() == [
        f"{file}:2 data_root: the variable S2S_ARCHIVE is not set; nearest: ${{S2S_ARCHIVES}}",
        f"{file}:3 s2_root: '${{' begins ${{NAME}} or ${{NAME:-default}}",
    ]


def test_a_variable_gives_numbers_too_and_a_bare_one_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "environment.json"
    file.write_text(
        '{"ckpt_freq": "${S2S_NONE:-3}", "require_gpu": "${S2S_GPU}", "environment": "${S2S_N}",\n'
        ' "s2_root": "$S2S_DISK/S2"}'
    )
    monkeypatch.setenv("S2S_GPU", "true")
    monkeypatch.setenv("S2S_N", "7")
    env = load_environment(file)
    assert (env.ckpt_freq, env.require_gpu, env.environment) == (3, True, "7")
    assert "environment.json:2 s2_root: '$S2S_DISK' is taken as it stands; write ${S2S_DISK}" in (
        caplog.text
    )
    with pytest.raises(InputError, match=r"environment\.json:2: s2_root: no folder"):
        env.require("s2_root")
    monkeypatch.setenv("S2S_GPU", "yes")
    with pytest.raises(ConfigErrors, match="require_gpu: must be a valid boolean, not 'yes'"):
        load_environment(file)
