"""The door of step 50, as a user calls it: help, several processes, a process killed on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.ledger import read_split
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


def test_a_table_that_was_changed_since_step_40_is_refused(archive: Path, capsys) -> None:
    folder = archive / "_tif" / INV / str(TILE)
    manifest, table = folder / "manifest.json", folder / "tiles.csv"
    content = json.loads(manifest.read_text())
    files.write_json(manifest, {**content, "tiles_csv_sha256": files.sha256(table)})
    assert main(words(archive)) == 0
    table.write_text(table.read_text().replace("500000.0", "600000.0"))
    assert main([*words(archive), "--force"]) == 2
    told = "changed since step 40 (SHA-256 differs); run step 40 again, which writes it anew"
    assert told in capsys.readouterr().err
    manifest.write_text("{}")
    assert main(words(archive)) == 2
    told = "manifest.json: lacks options, bands, files; delete it and run step 40 again"
    assert told in capsys.readouterr().err
    manifest.unlink()
    assert main(words(archive)) == 2
    assert "manifest.json: no such file; run step 40 again" in capsys.readouterr().err


@pytest.mark.parametrize("split", ["train", "test"])
def test_data_sets_are_not_given_up_for_none(archive: Path, capsys, split: str) -> None:
    assert main(words(archive)) == 0
    before = snapshot(archive, "cur_toy", "alt3_toy")
    folder = archive / "_tif" / INV / str(TILE)
    rows = read_split(archive / "cur_toy" / str(TILE))
    for row in rows:
        if row.split == split:
            (folder / f"{row.name.partition('__')[2]}_olci.npz").write_bytes(b"cut")
    capsys.readouterr()
    assert main([*words(archive), "--force"]) == 2
    error = capsys.readouterr().err
    assert f"no sample of {split} can be used (" in error and len(error.splitlines()) == 1
    assert "delete that file and run step 40 again" in error
    assert snapshot(archive, "cur_toy", "alt3_toy") == before
