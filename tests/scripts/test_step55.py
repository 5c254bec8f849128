"""The door of step 55: help, bad input, a dry run, a kill on the way and its repeats."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.worldstrat.run import main
from tests.doors import run_door
from tests.fakes.worldstrat import Look, write_raw
from tests.fakes_tiles import own_environment, snapshot

NAME = "55_create_tfrecords_worldstrat.py"


def test_help_shows_a_full_example_and_loads_nothing_heavy(repository: Path) -> None:
    done = run_door(f"preprocessing/{NAME}", "--help", cwd=repository)
    assert done.code == 0 and not done.heavy
    assert f"python preprocessing/{NAME} --data WorldStrat --factor 4" in done.out


def test_bad_input_is_one_line_without_anything_heavy(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    given = ("--data", str(tmp_path / "x"), "--dry-run", *own_environment(tmp_path))
    done = run_door(f"preprocessing/{NAME}", *given, cwd=repository)
    (line,) = done.err.splitlines()
    assert done.code == 2 and not done.heavy
    assert "has nothing of WorldStrat; --data names the folder that holds hr_dataset/" in line


def test_killed_on_the_way_and_repeated_with_two_workers(tmp_path: Path, capsys) -> None:
    aois = {f"Landcover-{n}": (("train", "val", "test")[n % 3], [Look()]) for n in range(4)}
    write_raw(tmp_path / "WorldStrat", aois)
    words = ["--data", str(tmp_path / "WorldStrat"), "--tilesize", "64", *own_environment(tmp_path)]
    assert main([*words, "--dry-run"]) == 0
    assert "would write worldstrat_x2: 2 train, 1 val, 1 test" in capsys.readouterr().out
    assert not (tmp_path / "worldstrat_x2").exists()
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(4):
        main(words)
    assert not list(tmp_path.glob("*/*/dataset.json"))
    assert main([*words, "--workers", "2"]) == 0
    verify_dataset(tmp_path / "worldstrat_x2" / "64")
    made = snapshot(tmp_path, "worldstrat_x2")
    assert main(words) == 0  # a repeat writes no record, and the same table
    assert "0 done, 4 already there, 0 failed" in capsys.readouterr().out
    assert main([*words, "--force"]) == 0
    assert snapshot(tmp_path, "worldstrat_x2") == made
