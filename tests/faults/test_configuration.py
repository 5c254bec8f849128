"""Rows 21, 22 and 44 of the fault table: bad configuration and awkward paths."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.core.errors import ConfigError, ConfigErrors, InputError
from tests.doors import HANG_S, run_door

ROOT = Path(__file__).resolve().parents[2]


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load_experiment_file(path)
    return [line.removeprefix(str(path) + ":") for line in str(caught.value).splitlines()]


def test_row_21_every_problem_at_once_with_line_and_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "experiment.json"
    path.write_text(
        """{
  "model_name": "aris-a", # fine
  "dataset": "alt12_x",
  "stpes": 10,
  "batch_size": true,
  "learning_rate": "1e-4",
  "random_resize": NaN,
  "steps": 5,
  "steps": 6,
  "random_rotate": "flap",
  "gen_loss": {"gen_l3": 1, "gen_l1": 1e999},
  "disc_loss": {"disc_bce": -1}
}"""
    )
    assert problems(path) == [
        "4 stpes: unknown key; nearest: 'steps'",
        "5 batch_size: must be a valid integer, not true",
        "6 learning_rate: must be a valid number, not '1e-4'",
        "7 random_resize: nan is not a finite number",
        "9 steps: given twice; keep one",
        "10 random_rotate: must be a valid boolean, not 'flap' or 'flap' is not one of 'flip'",
        "11 gen_loss.gen_l1: inf is not a finite number",
        "11 gen_loss.gen_l3: unknown key; nearest: 'gen_l2'",
        "12 disc_loss.disc_bce: must be greater than or equal to 0, not -1",
    ]


def test_row_21_all_losses_off(tmp_path: Path) -> None:
    path = tmp_path / "experiment.json"
    path.write_text('{"model_name": "m", "dataset": "d",\n"gen_loss": {"gen_l1": 0}}')
    assert problems(path) == ["2 gen_loss: every weight is null or 0: nothing to train on"]


def test_row_21_required_keys(tmp_path: Path) -> None:
    path = tmp_path / "experiment.json"
    path.write_text("{}")
    assert problems(path) == ["1 dataset: is required", "1 model_name: is required"]


def test_misspelt_suffix_of_the_original_is_read_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "experiment.json"
    path.write_text('{"model_name": "m", "dataset": "d",\n "enfore_suffix": "notinmask"}')
    for _ in range(2):
        config, document = load_experiment_file(path)
    said = "experiment.json:2 enfore_suffix: read as enforce_suffix; mend the spelling"
    assert [said in line for line in caplog.messages] == [True]
    assert config.enforce_suffix == "notinmask" and document.line_of(("enforce_suffix",)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": ' + b"[" * 10000 + b"]" * 10000 + b"}", ":1: nested more than 64 deep"),
        (b"{" + b" " * 1_000_001 + b"}", "a configuration has at most 1000000"),
        (b'{"model_name":\n "\xff\xfe"}', ":2: not UTF-8 text"),
        (b'{\n Model name, must be found\n "model_name": "a"}', ":2:2: not JSON"),
        (b"[1, 2]", "must be one JSON object"),
        (b"", ":1:1: not JSON"),
    ],
    ids=["deep", "huge", "not utf-8", "prose", "list", "empty"],
)
def test_row_22_hostile_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "experiment.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_experiment_file(path)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_row_22_points_at_the_examples(tmp_path: Path) -> None:
    path = tmp_path / "experiment.json"
    path.write_text("Model name\n")
    with pytest.raises(ConfigError, match="examples/experiments"):
        load_experiment_file(path)


def test_row_44_relative_roots_spaces_and_long_names(tmp_path: Path) -> None:
    folder = tmp_path / "mes données" / ("long" * 30) / ("langer" * 30)
    folder.mkdir(parents=True)
    path = folder / "environment.json"
    path.write_text('{"data_root": "dàta set", "experiment_root": "../up"}', encoding="utf-8")
    env = load_environment(path)
    assert env.data_root == folder / "dàta set"
    assert env.experiment_root == folder.parent / "up"
    with pytest.raises(ConfigError, match="data_root: no folder"):
        _require_as_config(env)


def _require_as_config(env: object) -> None:
    try:
        env.require("data_root")
    except InputError as error:
        raise ConfigError(str(error)) from error


@pytest.mark.parametrize("door", ["train.py", "evaluate.py"])
def test_help_and_bad_keys_need_no_tensorflow(tmp_path: Path, door: str) -> None:
    folder = tmp_path / "experiments" / "a"
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text('{"model_name": "pix2pix", "dataset": "d", "stpes": 1}')
    (tmp_path / "environment.json").write_text('{"experiment_root": "experiments"}')
    helped = run_door(ROOT / door, "--help", cwd=tmp_path)
    assert helped.code == 0 and not helped.heavy
    environment = str(tmp_path / "environment.json")
    wrong = run_door(ROOT / door, "--exp", "a", "--environment", environment, cwd=tmp_path)
    assert wrong.code == 2 and not wrong.heavy
    assert "1 stpes: unknown key; nearest: 'steps'" in wrong.err


ROOTS = ("project_root", "data_root", "experiment_root", "s2_root", "s3_root", "models_root")


@pytest.mark.parametrize("key", ROOTS)
@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_root_is_not_the_folder_of_the_file(tmp_path: Path, key: str, text: str) -> None:
    path = tmp_path / "environment.json"
    path.write_text(f'{{\n "{key}": "{text}"}}')
    with pytest.raises(ConfigErrors, match=rf"json:2 {key}: is empty; name a folder"):
        load_environment(path)


@pytest.mark.parametrize("text", ["D:/s2", r"D:\\s2", r"\\\\server\\s2"])
def test_a_windows_path_is_called_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "environment.json"
    path.write_text(f'{{"s2_root": "{text}"}}')
    with pytest.raises(
        InputError, match=r"s2_root: no folder .*; that is a Windows path"
    ) as caught:
        load_environment(path).require("s2_root")
    assert "create it" not in str(caught.value)
    # A folder named "D:" below this file is nobody's wish, and would be made without a word.
    for key in ("data_root", "experiment_root"):
        path.write_text(f'{{"{key}": "{text}"}}')
        with pytest.raises(ConfigErrors, match=f"{key}: .* is a Windows path"):
            load_environment(path)
    (tmp_path / "D:" / "s2").mkdir(parents=True)
    path.write_text('{"data_root": "D:/s2"}')
    assert load_environment(path).data_root == tmp_path / "D:" / "s2"


IN_A_LOCALE = """
import sys
from pathlib import Path
from sensor2sensor.core.paths import fault_of

assert sys.getfilesystemencoding() == "ascii"
assert fault_of(Path("plain")) is None
for given in (sys.argv[1], "M\\u00fcnchen"):
    sys.stdout.write(f"{fault_of(Path(given))}\\n")
"""


def test_a_locale_that_cannot_read_sound_names_is_named_instead_of_them(tmp_path: Path) -> None:
    """The names came from the command line, or from a JSON file."""
    env = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "POSIX"}
    done = subprocess.run(
        [sys.executable, "-c", IN_A_LOCALE, "M\u00fcnchen"],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 2
    for line in told:
        assert "read as ascii in this locale; set PYTHONUTF8=1 or a UTF-8 LANG" in line


def test_a_control_character_is_blamed_on_json_only_where_it_was_typed(tmp_path: Path) -> None:
    odd = tmp_path / "a\tb"
    odd.mkdir()
    path = odd / "environment.json"
    path.write_text("{}")
    with pytest.raises(ConfigErrors, match="control character; rename that folder"):
        load_environment(path)
    path = tmp_path / "environment.json"
    path.write_text('{"s2_root": "D:\\new"}')
    with pytest.raises(ConfigErrors, match="control character; in a Windows path write"):
        load_environment(path)
