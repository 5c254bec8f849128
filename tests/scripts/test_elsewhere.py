"""Steps on a Dask scheduler's workers leave what this process alone leaves, byte for byte."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sensor2sensor.preprocess.inventory import run as inventory
from tests.doors import HANG_S
from tests.unit.preprocess.tifs_archive import archive, scenes, select, step40, tree

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler(repository):
    """A scheduler in a process here, and two workers as docs/clusters.md starts them on nodes."""
    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address=":0", host="127.0.0.1", protocol="tcp://",
        silence_logs=logging.CRITICAL,
    ) as made:  # fmt: skip
        line = [sys.executable, "-m", "dask", "worker", made.scheduler_address]
        line += ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        workers = [subprocess.Popen(line, cwd=repository, **quiet) for _ in range(2)]
        try:
            yield made.scheduler_address
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(HANG_S)


def steps(root: Path, *options: str) -> None:
    """Inventory and tiles of the archive, from nothing."""
    shutil.rmtree(root / "data")
    common = ["--environment", str(root / "environment.json"), *options]
    assert inventory.main([*common, "--tile", "T17XNA", "--timediff", "3"]) == 0
    select(root, *scenes(root))
    assert step40(root, "--quantity", "1", *options) == 0


def made(root: Path) -> dict[str, bytes]:
    """What the steps made, but what is only known of the archive, which depends on when it was."""
    shutil.rmtree(root / "data" / "_inventory" / "_known", ignore_errors=True)
    return tree(root / "data")


def test_steps_20_and_40_leave_the_same_bytes(tmp_path, scheduler):
    root = archive(tmp_path / "a")  # one archive: its files' times are known to fingerprints
    steps(root)
    alone = made(root)
    steps(root, "--scheduler", scheduler)
    assert made(root) == alone and len(alone) > 10
