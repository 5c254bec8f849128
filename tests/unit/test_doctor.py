"""The doctor: what it reports of a sound and of a broken environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.__main__ import main


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
