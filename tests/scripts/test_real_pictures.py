"""``make real-maps`` and ``make real-aerial`` on generated pictures, for one epoch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.town import write_aerial, write_maps

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "pictures.py"


@pytest.mark.parametrize("kind", ["maps", "aerial"])
def test_pictures_become_a_report_and_sheets(
    kind: str, tmp_path: Path, small_job: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "pictures"
    if kind == "maps":
        write_maps(data, 256, train=20)  # of which 8 validate and 8 test
    else:
        write_aerial(data, ["austin1"], (480, 360))
    words = ["--data", data, "--work", tmp_path / "work", "--epochs", 1]
    code = small_job("pictures", kind, *words)
    out, err = capfd.readouterr()
    assert code == 0, out[-3000:] + err[-3000:]
    assert "[3/3]" in out and "test tiles on ground never trained on:" in out
    report = (tmp_path / "work" / "report.md").read_text()
    assert f"make real-{kind} DATA=FOLDER" in report and "the last checkpoint, step " in report
    assert "| HPSI (colour) ↑ [1] | 0." in report and "| model | mean_colour | gain over" in report
    named = out.split("\nOpen:\n")[1].split("\n")
    opened = [Path(line.strip()) for line in named if line.startswith("  ")]
    assert len(opened) >= 3 and all(path.exists() for path in opened)
    assert list(tmp_path.glob("work/experiments/real/*/samples/show_train_seed0.png"))


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "maps", "--data", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "no folder" in line and "train/ with photo and map side by side" in line
