"""Ctrl-C and SIGTERM end a step at once, with nothing half written and nobody writing on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.doors import HANG_S

STEP = """
import os, sys, time
from pathlib import Path
from sensor2sensor.core import cli, files, parallel

folder = Path(sys.argv[1])

def work(item):
    with files.atomic_path(folder / f"{item}.out") as part:
        part.write_text("half")
        (folder / f"{item}.{os.getpid()}.begun").touch()
        time.sleep(600)

def run(args):
    with files.lock(folder / ".lock"):
        for _ in parallel.parallel_map(work, [1, 2, 3], workers=args.workers, label=str, desc="t"):
            pass

if __name__ == "__main__":
    sys.exit(cli.main_guard(run, cli.parser("Doc.", prog="step", steps=True), sys.argv[2:]))
"""


@pytest.fixture
def started(tmp_path, repository):
    """Start the step; returns a function that does it and gives its process, once it works."""
    (tmp_path / "step.py").write_text(STEP)
    folder = tmp_path / "made"
    folder.mkdir()

    def start(workers: int) -> subprocess.Popen[str]:
        # A session of its own: a terminal sends Ctrl-C to every process in it. A shell has what it
        # runs in the background ignore SIGINT, and this would inherit it.
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "step.py"), str(folder), "--workers", str(workers)],
            env={**os.environ, "PYTHONPATH": str(repository)}, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        until = time.monotonic() + HANG_S
        while len(list(folder.glob("*.begun"))) < workers and time.monotonic() < until:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        return process

    yield start, folder
    for path in folder.glob("*.begun"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(path.name.split(".")[1]), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, "ended by SIGTERM"), (signal.SIGINT, 130, "interrupted")],
)
@pytest.mark.parametrize("whole", [True, False], ids=["all processes", "the main one"])
def test_a_signal_ends_the_step_and_its_workers(started, workers, number, code, said, whole):
    start, folder = started
    process = start(workers)
    if whole:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=HANG_S)  # ends when nobody holds the pipes any more
    assert (process.returncode, out, err) == (code, "", f"step: {said}\n")
    # Neither a half-written file nor the lock, and nothing was begun for the sake of it.
    assert [path.name for path in folder.iterdir() if not path.name.endswith(".begun")] == []
    assert len(list(folder.glob("*.begun"))) == workers
