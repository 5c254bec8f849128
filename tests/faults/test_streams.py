"""Standard output and error that are closed, that nobody reads, or that lead to a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shlex import join, quote

import pytest

from tests.doors import HANG_S
from tests.scripts.step_archive import fresh_copy

# Every line is flushed, so the first one already meets a pipe without a reader.
SAYING = """
import logging, sys
from sensor2sensor.core import cli
from sensor2sensor.core.parallel import parallel_map


def shout(item):
    print("x" * 100, flush=True)
    print("x" * 100, file=sys.stderr, flush=True)
    return item


def act(args):
    shout(0)
    logging.getLogger("library").warning("warned")
    results = parallel_map(shout, [1, 2], workers=args.workers, label=str, desc="shouting")
    assert [result for _, result in results] == [1, 2]
    report = cli.StepReport("step")
    report.failed("one", "a reason")
    with open(args.environment, "w") as stream:
        stream.write(f"descriptor {stream.fileno()}")
    return report.finish()


if __name__ == "__main__":
    sys.exit(cli.main_guard(act, cli.parser("x", prog="x", steps=True)))
"""
UNREAD = [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "| true", "2>&1 | true"]


def shell(line: str, ends: str, repository: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams as the shell has them; the exit code is the command's."""
    env = {**os.environ, "PYTHONPATH": str(repository)}
    whole = f"{line} {ends}; exit ${{PIPESTATUS[0]}}"
    return subprocess.run(
        ["bash", "-c", whole],
        env=env, capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip


@pytest.fixture
def saying(tmp_path: Path) -> str:
    (tmp_path / "door.py").write_text(SAYING)
    python, door, done = map(quote, (sys.executable, f"{tmp_path}/door.py", f"{tmp_path}/done"))
    return f"{python} {{}} {door} --environment {done}"


@pytest.mark.parametrize("ends", UNREAD)
@pytest.mark.parametrize("buffering", ["", "-u"])
def test_work_that_nobody_reads_of_is_done_and_keeps_its_exit_code(
    tmp_path, repository, saying, ends, buffering
):
    done = shell(f"{saying.format(buffering)} --workers 2", ends, repository)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr and "Broken pipe" not in done.stderr
    # A file under the number of a closed stream would take the messages meant for that.
    assert int((tmp_path / "done").read_text().removeprefix("descriptor ")) > 2


def test_help_may_be_cut_short(repository, saying):
    done = shell(f"{saying.format('')} --help", "| true", repository)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("ends", ["2>&-", ">&-", "| true"])
def test_step_20_lists_whoever_reads_along(tmp_path, repository, ends):
    env, file = fresh_copy(tmp_path)
    script = repository / "preprocessing" / "20_create_inventory.py"
    words = (sys.executable, script, "--environment", file, "--tile", "T17XNA", "--s2-only")
    line = join(map(str, words))
    done = shell(line, ends, repository)
    assert (done.returncode, done.stderr) == (0, "")
    assert (env.inventory_dir / "inv_T17XNA_s2.csv").is_file()


def test_a_full_disk_behind_standard_output_is_named(repository, saying):
    done = shell(saying.format(""), "> /dev/full", repository)
    assert done.returncode == 1
    assert "x: No space left on device: standard output\n" in done.stderr
    assert "Exception ignored" not in done.stderr
