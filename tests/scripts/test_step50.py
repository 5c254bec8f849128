"""The door of step 50, as a user calls it: help, several processes, a process killed on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.preprocess.records.run import main
from tests.doors import run_door
from tests.fakes_tiles import grid_tiles, snapshot, write_tiles

TILE, INV = 16, "inv_T17XNA_10h"
FAST = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def door(repository: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "preprocessing" / "50_create_tfrecords.py"), *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, **FAST, **variables},
        cwd=repository.parent,
        check=False,
    )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    settings = {
        "environment": "t",
        "project_root": ".",
        "data_root": ".",
        "experiment_root": ".",
        "s2_root": ".",
        "s3_root": ".",
    }
    (tmp_path / "environment.json").write_text(json.dumps(settings))
    write_tiles(tmp_path, grid_tiles(5, 5, 20 * TILE), tile_px=TILE)
    return tmp_path


def words(archive: Path) -> list[str]:
    return [
        "--inventory",
        INV,
        "--dataset",
        "toy",
        "--tilesize",
        str(TILE),
        "--factors",
        "3",
        "--train_ratio",
        "0.6",
        "--val_ratio",
        "0.4",
        "--block-tiles",
        "24",
        "--environment",
        str(archive / "environment.json"),
    ]


def test_help_shows_a_full_example_without_tensorflow(repository: Path) -> None:
    done = run_door("preprocessing/50_create_tfrecords.py", "--help", cwd=repository)
    assert done.code == 0 and not done.heavy
    assert "--inventory inv_T17XNA_10h --dataset arctic" in done.out


def test_a_typo_is_answered_with_the_nearest_option(repository: Path) -> None:
    done = door(repository, "--inventory", INV, "--dataset", "toy", "--trainratio", "0.5")
    assert done.returncode == 2 and "nearest: --train_ratio" in done.stderr


@pytest.mark.slow
def test_killed_on_the_way_and_repeated_with_two_workers(repository: Path, archive: Path) -> None:
    killed = door(repository, *words(archive), SENSOR2SENSOR_CRASH_AT_WRITE="7")
    assert killed.returncode == 137
    assert not list(archive.glob("*/*/dataset.json"))
    done = door(repository, *words(archive), "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("step 50: ")
    repeated = snapshot(archive, "cur_toy", "alt3_toy")
    for name in ("cur_toy", "alt3_toy"):
        verify_dataset(archive / name / str(TILE))
    assert main([*words(archive), "--force"]) == 0  # undisturbed, in one process
    assert snapshot(archive, "cur_toy", "alt3_toy") == repeated


def test_tiles_taken_out_since_are_refused_and_gone_after_force(archive: Path, capsys) -> None:
    command = words(archive)
    assert main(command) == 0
    table = archive / "_tif" / INV / str(TILE) / "tiles.csv"
    lines = table.read_text().splitlines(keepends=True)
    gone = lines[5].partition(",")[0]
    table.write_text("".join([*lines[:5], *lines[6:]]))
    before = snapshot(archive, "cur_toy", "alt3_toy")
    capsys.readouterr()
    assert main(command) == 2
    assert f"tiles.csv of {INV} has changed since" in capsys.readouterr().err
    assert snapshot(archive, "cur_toy", "alt3_toy") == before
    assert main([*command, "--force"]) == 0
    followed = snapshot(archive, "cur_toy", "alt3_toy")
    assert any(gone in name for name in before)
    assert not any(gone in name for name in followed)
    assert not any(gone.encode() in data for name, data in followed.items() if "csv" in name)
