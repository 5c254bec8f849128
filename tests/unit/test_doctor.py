"""The doctor: what it reports of a sound and of a broken environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor import doctor
from sensor2sensor.__main__ import main
from sensor2sensor.config.environment import load_environment


def test_a_sound_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "environment.json").write_text("{}")
    assert main(["doctor", "--environment", str(tmp_path / "environment.json")]) == 0
    text = capsys.readouterr().out
    assert "JP2OpenJPEG" in text and "tensorflow" in text and "numpy" in text
    assert f"ok    data_root: {tmp_path / 'data'}" in text
    assert "s2_root: " in text and "does not exist yet" in text
    assert text.endswith("0 fault(s)\n")


def test_a_broken_environment_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "environment.json").write_text('{"data_rot": "x"}')
    assert main(["doctor", "--environment", str(tmp_path / "environment.json")]) == 1
    text = capsys.readouterr().out
    assert "FAULT" in text and "nearest: 'data_root'" in text
    assert text.endswith("1 fault(s)\n")


def test_a_project_root_that_is_nowhere_is_told_once_by_every_door(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "environment.json").write_text('{\n "project_root": "/nowhere/arisgan"\n}')
    for _ in range(2):
        environment = load_environment(tmp_path / "environment.json")
    line = "project_root: no folder /nowhere/arisgan; no step reads this key, leave it out"
    assert environment.project_root == Path("/nowhere/arisgan")
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'environment.json'}:2 {line}"
    ]
    report = doctor._Report()
    doctor._roots(report, str(tmp_path / "environment.json"))
    assert f"note  {line}" in capsys.readouterr().out and report.faults == 0
