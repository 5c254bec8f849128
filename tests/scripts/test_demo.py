"""The demo itself, small: every stage through its door, ending in numbers and files that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_demo_runs_from_archive_to_report(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "demo.py"), "--work", str(tmp_path / "demo")]
    command += ["--scenes", "4", "--size", "1152", "--quantity", "25", "--steps", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    notices = re.findall(r"absl::InitializeLog|\.cc:\d+\]|IPKernelApp", done.stdout + done.stderr)
    assert notices == []
    for stage in range(1, 9):
        assert f"[{stage}/8]" in done.stdout
    for name in ("demo/edsr_alt6", "demo/edsr_lsgan_cur"):
        assert re.search(rf"{name}, \d+ test tiles on ground never trained on", done.stdout)
    # So small a demo may have too few blocks of test ground for a verdict; it then says so.
    told = r"HPSI  over bicubic +[+-]\d\.\d{4}  \((95 % interval|no verdict below 4 blocks)"
    assert re.search(told, done.stdout)
    named = done.stdout.split("\nOpen:\n")[1].split("\n")
    opened = [Path(line.strip()) for line in named if line.startswith("  ")]
    assert len(opened) == 4
    assert all(path.is_file() and path.stat().st_size > 1000 for path in opened)
