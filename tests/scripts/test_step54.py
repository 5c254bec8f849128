"""The door of step 54: help, dry run, a kill on the way, repeats, and what goes to workers."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.exclusions import Exclusions
from sensor2sensor.sources.sen2venus.options import VenusOptions
from sensor2sensor.sources.sen2venus.run import main
from sensor2sensor.sources.sen2venus.source import VenusSource
from tests.doors import run_door
from tests.fakes.sen2venus import write_sites
from tests.fakes_tiles import own_environment, snapshot

NAME = "54_create_tfrecords_sen2venus.py"
TILE = "16"
MADE = "sen2venus_x4"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("step54")
    return write_sites(root / "SEN2VENUS", {"ARM": 3, "FR-LAM": 2, "SO1": 2}, side_px=int(TILE))


@pytest.fixture
def words(found: Path, tmp_path: Path) -> list[str]:
    given = ["--data", str(found), "--bands", "20m", *own_environment(tmp_path)]
    return [*given, "--test-sites", "SO1", "--val-sites", "FR-LAM"]


def test_help_shows_a_full_example_and_loads_nothing_heavy(repository: Path) -> None:
    done = run_door(f"preprocessing/{NAME}", "--help", cwd=repository)
    assert done.code == 0 and not done.heavy
    assert f"python preprocessing/{NAME} --data SEN2VENUS --bands 10m" in done.out


def test_bad_input_is_one_line_without_anything_heavy(repository: Path, tmp_path: Path) -> None:
    given = ("--data", str(tmp_path), "--test-sites", "A", "--dry-run", *own_environment(tmp_path))
    done = run_door(f"preprocessing/{NAME}", *given, cwd=repository)
    (line,) = done.err.splitlines()
    assert done.code == 2 and not done.heavy
    assert "holds no site with an index.csv; --data names the folder" in line


def test_a_dry_run_says_what_would_be_done(words: list[str], tmp_path: Path, capsys) -> None:
    assert main([*words, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert f"would write {MADE}: 3 train, 2 val, 2 test, 0 dropped" in out
    assert "sites for train: ARM; val: FR-LAM; test: SO1" in out
    assert not (tmp_path / MADE).exists()


def test_killed_on_the_way_and_repeated(words: list[str], tmp_path: Path, capsys) -> None:
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(4):
        main(words)
    assert list(tmp_path.glob("*/*/train/*.tfrecord"))
    assert not list(tmp_path.glob("*/*/dataset.json"))
    assert main(words) == 0
    verify_dataset(tmp_path / MADE / TILE)
    made = snapshot(tmp_path, MADE)
    capsys.readouterr()
    assert main(words) == 0
    assert "0 done, 7 already there, 0 failed" in capsys.readouterr().out
    assert main([*words, "--force"]) == 0  # undisturbed
    assert snapshot(tmp_path, MADE) == made


def test_a_trial_takes_some_of_each_split(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "--limit", "4", "--shard", "2"]) == 0
    rows = read_split(tmp_path / MADE / TILE)
    assert sorted(sum(row.split == split for row in rows) for split in SPLITS) == [1, 1, 2]


def test_what_goes_to_worker_processes_is_small_and_reads_as_before(found: Path) -> None:
    options = VenusOptions("d", "n", "20m", ("SO1",), (), 0.5, Exclusions(), 1.0, None, 0)
    source = VenusSource(found, options)
    items = source.plan().items
    sent = pickle.dumps(source)
    assert len(sent) < 10_000 and b"FR-LAM" not in sent
    (here,), (there,) = source.read(items[0]), pickle.loads(sent).read(items[0])
    np.testing.assert_array_equal(here.target, there.target)
    np.testing.assert_array_equal(here.input_dense, there.input_dense)
