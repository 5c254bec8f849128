"""The tutorial as it stands on its page: every block is run, one after the other."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import evaluate
import predict
import train
from sensor2sensor.inference.cog import read_cog
from tests.doors import HANG_S, call_door
from tests.real_data import REPOSITORY
from tests.unit.test_docs_commands import blocks

PAGE = REPOSITORY / "docs" / "tutorial.md"
SHORTER = ('"steps": 200', '"steps": 2')  # all that is other than on the page, but the folder
DOORS = {"train.py": train, "evaluate.py": evaluate, "predict.py": predict}


def commands(block: str) -> list[str]:
    """Lines of a block; a here-document is one of them."""
    return re.findall(r"^.*<<'END'\n(?:.*\n)*?END$|^.+$", block, re.MULTILINE)


def done(command: str, environment: dict[str, str]) -> str:
    """What a command prints; doors that load TensorFlow are called in this process."""
    words = shlex.split(command)
    if words[0] == "python" and words[1] in DOORS:
        called = call_door(DOORS[words[1]], *words[2:])
        assert called.returncode == 0, f"{command}\n{called.stdout}\n{called.stderr}"
        return called.stdout
    ran = subprocess.run(
        ["bash", "-c", command], cwd=REPOSITORY, env=environment,
        capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.mark.slow
def test_the_tutorial_leads_to_a_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty folder: files that later blocks name are made by earlier ones."""
    monkeypatch.chdir(REPOSITORY)
    work = tmp_path / "t"
    monkeypatch.setenv("SENSOR2SENSOR_ENVIRONMENT", str(work / "environment.json"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY)}
    text = [block for kind, block, _ in blocks(PAGE) if kind == ""]
    whole = "".join(text)
    assert "runs/tutorial" in whole and SHORTER[0] in whole
    told = {}
    for command in (one for block in text for one in commands(block)):
        asked = command.replace("runs/tutorial", str(work)).replace(*SHORTER)
        if not asked.startswith("export "):  # of a path with $PWD before it: set above
            told[command.split(" <<")[0]] = done(asked, environment)
    steps = {
        re.sub(r"\D", "", word)[:2] for line in told for word in re.findall(r"ing/\d\d_", line)
    }
    assert steps == {"10", "20", "30", "40", "50"} and len(told) >= 15
    scores = next(out for line, out in told.items() if line.startswith("python evaluate.py"))
    assert "bilinear" in scores
    assert (work / "data" / "_inventory" / "tilecodes.json").is_file()
    assert (work / "experiments" / "_evaluation" / "report.html").is_file()
    assert read_cog(work / "t17xna.tif").frame.width_px == 1152
    assert (work / "t17xna.html").is_file()
