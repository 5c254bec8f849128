"""The command ``s2s``: the doors' own code and help under one name, loaded when it is called."""

from __future__ import annotations

import json
import runpy

import pytest

import sensor2sensor.pipeline
from sensor2sensor import commands, schemas
from sensor2sensor.__main__ import main
from sensor2sensor.core import cli, notices, versions
from sensor2sensor.core.errors import MissingExtraError
from tests.doors import run_door
from tests.fakes_dataset import make_dataset
from tests.unit.report import folders

DOORS = {
    "inventory": "20_create_inventory.py",
    "quicklooks": "30_create_s2pngs.py",
    "tiles": "40_create_tifs.py",
    "records": "50_create_tfrecords.py",
    "records-maps": "51_create_tfrecords_maps.py",
    "records-aerial": "52_create_tfrecords_aerial.py",
    "records-sen12mscr": "53_create_tfrecords_sen12mscr.py",
    "records-sen2venus": "54_create_tfrecords_sen2venus.py",
    "records-worldstrat": "55_create_tfrecords_worldstrat.py",
}


def s2s(*words):
    return commands.main([str(word) for word in words], "s2s", commands.COMMANDS)


def helped(call, capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        call()
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", DOORS)
def test_a_step_is_its_door_under_another_name(name, repository, capsys):
    module = commands.COMMANDS[name].module
    assert (
        f"from {module} import main\n" in (repository / "preprocessing" / DOORS[name]).read_text()
    )
    door = helped(lambda: commands.COMMANDS[name].load()(["--help"]), capsys)
    step = helped(lambda: s2s(name, "--help"), capsys)
    assert door.startswith(f"usage: {DOORS[name]} ") and step.startswith(f"usage: s2s {name} ")
    described = door.index("\n\n")
    assert f"python preprocessing/{DOORS[name]} --" in door and f"  s2s {name} --" in step
    there = door[described:].replace(f"python preprocessing/{DOORS[name]}", f"s2s {name}")
    assert there == step[step.index("\n\n") :]


def test_help_names_every_command_and_loads_none(repository):
    ran = run_door("-m", "sensor2sensor", "--help", cwd=repository)
    assert ran.code == 0 and not ran.heavy and "pydantic" not in ran.packages
    assert all(f"\n  {name} " in ran.out for name in [*commands.COMMANDS, *commands.OF_CHECKOUTS])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "s2s: name a command: inventory, quicklooks, "),
        (("inventry",), "no command 'inventry'; nearest: 'inventory'; see --help"),
        (("schemas",), "no command 'schemas'; valid: "),  # a checkout's own
        (
            ("records", "--inventory", "x", "--datset", "demo"),
            "required: --dataset (--datset: nearest --dataset); see --help",
        ),
        (("tiles", "--selektion", "x"), "s2s tiles: the following arguments are required"),
        (("verify", "nowhere"), "s2s verify: nowhere: no data set; name <dataset>/<tilesize>"),
        (("report", "--evaluation", "nowhere"), "s2s report: nowhere: no evaluation to compare"),
    ],
)
def test_a_slip_is_one_line(words, says, capsys):
    try:
        code = s2s(*words)
    except SystemExit as ended:
        code = ended.code
    err = capsys.readouterr().err
    assert code == 2 and says in err and err.count("\n") == 1


def test_a_misspelt_key_of_an_evaluation_is_answered_with_the_one_that_is_meant(capsys):
    for key, says in (("bath_size", "did you mean batch_size?"), ("tilesize", "taken from the")):
        made = cli.parser("", prog="evaluate.py")
        cli.add_set(made, "", "", ["batch_size"], ["batch_size", "tilesize"])
        with pytest.raises(SystemExit):
            made.parse_args(["--set", f"{key}=4"])
        assert says in capsys.readouterr().err


def test_options_may_stand_before_the_command(tmp_path, capsys):
    (tmp_path / "environment.json").write_text('{"data_rot": "x"}')
    words = ["--environment", str(tmp_path / "environment.json")]
    for given in (["report", *words], [*words, "report"]):
        assert main(given) == 2
        assert "nearest: 'data_root'" in capsys.readouterr().err


def test_verify_counts_and_hashes_without_tensorflow(tmp_path, capsys):
    folder = make_dataset(tmp_path, name="alt4_toy", tile_px=32, factor=4).parent
    assert s2s("verify", folder) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{folder.name}/32: in order; ") and "verify: 1 done" in said
    damaged = min(folder.rglob("*.tfrecord"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    assert s2s("verify", folder / "32") == 1
    said = capsys.readouterr().out
    assert f"{damaged.name}: changed since it was written" in said and "1 failed" in said


def test_report_prints_the_tables_of_every_group(tmp_path, capsys):
    folders.add(tmp_path, "sis2/better", 0.7, picture=False)
    folders.add(tmp_path, "sis2/worse", 0.2, picture=False)
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}))
    assert s2s("report", "--evaluation", tmp_path) == 0
    said = capsys.readouterr().out
    assert "skipped other.json: not written by evaluate.py" in said
    assert "alt6_toy at 64 px" in said and "scored ground was seen in training" in said
    heading = next(line for line in said.splitlines() if "nearest" in line)
    assert "bicubic" in heading and "sis2/better" in heading and "sis2/worse" in heading
    assert "Gain over bicubic, positive is better" in said and "✓" in said and "✗" in said


def test_many_models_stand_in_several_tables(tmp_path, capsys):
    for number in range(7):
        folders.add(tmp_path, f"model{number}", 0.5, picture=False)
    assert s2s("report", "--evaluation", tmp_path) == 0
    assert "Ranks of the means, 1 is best (continued)" in capsys.readouterr().out


def test_an_installed_package_says_its_version_and_writes_no_schemas(monkeypatch, capsys):
    monkeypatch.setattr(schemas, "CHECKOUT", None)
    monkeypatch.setattr(schemas, "write_schemas", lambda: pytest.fail("written"))
    assert main(["schemas"]) == 2
    assert "schemas: writes into a checkout, and this package is inst" in capsys.readouterr().err
    assert sensor2sensor.__version__ == versions.__version__


def test_the_pipeline_without_tensorflow_says_so_in_one_line(monkeypatch):
    monkeypatch.setattr(notices.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(notices.sys.modules, "tensorflow", raising=False)
    with pytest.raises(MissingExtraError, match="TensorFlow is not installed; pip install"):
        runpy.run_path(sensor2sensor.pipeline.__file__)


def test_records_are_refused_in_one_line_without_tensorflow(monkeypatch, capsys):
    monkeypatch.setattr(notices.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(notices.sys.modules, "tensorflow", raising=False)
    assert s2s("records", "--inventory", "inv", "--dataset", "d") == 2
    err = capsys.readouterr().err
    assert (
        err.startswith("s2s records: TensorFlow is not installed; pip install")
        and err.count("\n") == 1
    )
    with pytest.raises(ImportError):  # a library's user catches it as such
        notices.load_tensorflow()
    assert issubclass(MissingExtraError, ImportError)
    assert cli.EXIT_BAD_INPUT == MissingExtraError.exit_code
