"""``make real-maps`` and ``make real-aerial`` on generated pictures, for one epoch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.town import write_aerial, write_maps

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "pictures.py"


def call(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["maps", "aerial"])
def test_pictures_become_a_report_and_sheets(kind: str, tmp_path: Path) -> None:
    data = tmp_path / "pictures"
    if kind == "maps":
        write_maps(data, 256, train=20)  # of which 8 validate and 8 test
    else:
        write_aerial(data, ["austin1"], (480, 360))
    done = call(kind, "--data", data, "--work", tmp_path / "work", "--epochs", 1)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "[3/3]" in done.stdout and "test tiles on ground never trained on:" in done.stdout
    report = (tmp_path / "work" / "report.md").read_text()
    assert f"make real-{kind} DATA=FOLDER" in report and "the last checkpoint, step " in report
    assert "| HPSI (colour) ↑ [1] | 0." in report and "| model | mean_colour | gain over" in report
    named = done.stdout.split("\nOpen:\n")[1].split("\n")
    opened = [Path(line.strip()) for line in named if line.startswith("  ")]
    assert len(opened) >= 3 and all(path.exists() for path in opened)
    assert list(tmp_path.glob("work/experiments/real/*/samples/show_train_seed0.png"))


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    done = call("maps", "--data", tmp_path / "nowhere")
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "no folder" in line and "train/ with photo and map side by side" in line
