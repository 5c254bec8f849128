"""The demo itself, small: every stage through its door, ending in numbers and files that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_demo_runs_from_archive_to_report(
    tmp_path: Path, small_job: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--scenes", 3, "--size", 1152, "--quantity", 16, "--steps", 4]
    code = small_job("demo", "--work", tmp_path / "demo", *words)
    out, err = capfd.readouterr()
    assert code == 0, out[-3000:] + err[-3000:]
    assert re.findall(r"absl::InitializeLog|\.cc:\d+\]|IPKernelApp", out + err) == []
    for stage in range(1, 9):
        assert f"[{stage}/8]" in out
    for name in ("demo/edsr_alt6", "demo/edsr_lsgan_cur"):
        assert re.search(rf"{name}, \d+ test tiles on ground never trained on", out)
    # So small a demo may have too few blocks of test ground for a verdict; it then says so.
    told = r"HPSI  over bicubic +[+-]\d\.\d{4}  \((95 % interval|no verdict below 4 blocks)"
    assert re.search(told, out)
    named = out.split("\nOpen:\n")[1].split("\n")
    opened = [Path(line.strip()) for line in named if line.startswith("  ")]
    assert len(opened) == 4
    assert all(path.is_file() and path.stat().st_size > 1000 for path in opened)


def test_it_starts_as_make_starts_it(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "demo.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "make demo" in done.stdout
