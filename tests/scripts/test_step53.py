"""The door of step 53: help, dry run, a kill on the way, repeats, downloads that are not whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.contract import SPLITS, load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.sen12mscr.run import main
from tests.doors import run_door
from tests.fakes.sen12mscr import triplet_paths, write_triplets
from tests.fakes_tiles import own_environment, snapshot
from tests.real_data import data_set

NAME = "53_create_tfrecords_sen12mscr.py"
ROIS = {"spring_1": 3, "summer_4": 1, "fall_65": 2, "fall_139": 2}
TILE = "32"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("step53")
    write_triplets(root / "SEN12MSCR", ROIS, side_px=int(TILE))
    return root / "SEN12MSCR"


@pytest.fixture
def words(found: Path, tmp_path: Path) -> list[str]:
    return ["--data", str(found), *own_environment(tmp_path)]


@pytest.fixture
def own(found: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """A copy of the triplets, to be changed, and the words that read it."""
    shutil.copytree(found, tmp_path / "SEN12MSCR")
    words = ["--data", str(tmp_path / "SEN12MSCR"), *own_environment(tmp_path)]
    return tmp_path / "SEN12MSCR", words


def test_help_shows_a_full_example_and_loads_nothing_heavy(repository: Path) -> None:
    done = run_door(f"preprocessing/{NAME}", "--help", cwd=repository)
    assert done.code == 0 and not done.heavy
    assert f"python preprocessing/{NAME} --data SEN12MSCR --bands 10m20m" in done.out
    assert "sen12mscr, or sen12mscr_10m20m of --bands 10m20m" in " ".join(done.out.split())


def test_bad_input_is_one_line_without_anything_heavy(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    given = ("--data", str(tmp_path / "x"), "--dry-run", *own_environment(tmp_path))
    done = run_door(f"preprocessing/{NAME}", *given, cwd=repository)
    (line,) = done.err.splitlines()
    assert done.code == 2 and not done.heavy
    assert "has no folders of SEN12MS-CR; --data names the folder that holds" in line


def test_a_dry_run_says_what_would_be_done(words: list[str], tmp_path: Path, capsys) -> None:
    assert main([*words, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "would write sen12mscr: 4 train, 2 val, 2 test, 0 dropped" in out
    assert "8 would be done, 0 already there, 0 failed" in out
    assert not (tmp_path / "sen12mscr").exists()


def test_killed_on_the_way_and_repeated_with_two_workers(
    words: list[str], tmp_path: Path, capsys
) -> None:
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(5):
        main(words)
    assert list(tmp_path.glob("*/*/train/*.tfrecord"))
    assert not list(tmp_path.glob("*/*/dataset.json"))
    assert main([*words, "--workers", "2"]) == 0
    verify_dataset(tmp_path / "sen12mscr" / TILE)
    made = snapshot(tmp_path, "sen12mscr")
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tfrecord")}
    capsys.readouterr()
    assert main(words) == 0  # a repeat rewrites nothing
    assert "0 done, 8 already there, 0 failed" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tfrecord")} == times
    assert main([*words, "--force"]) == 0  # undisturbed, in one process
    assert snapshot(tmp_path, "sen12mscr") == made


def test_the_first_of_each_split_are_taken(words: list[str], tmp_path: Path, capsys) -> None:
    assert main([*words, "--limit", "4", "--shard", "2"]) == 0
    rows = read_split(tmp_path / "sen12mscr" / TILE)
    assert [sum(row.split == split for row in rows) for split in SPLITS] == [2, 1, 1]
    capsys.readouterr()
    assert main([*words, "--limit", "6", "--shard", "2"]) == 2
    assert "give --add to go on to the first 6" in capsys.readouterr().err
    assert main([*words, "--shard", "2", "--add"]) == 0
    assert load_contract(tmp_path / "sen12mscr" / TILE).splits["train"].count == 4


def test_a_download_grows_and_the_rest_is_taken_in(
    own: tuple[Path, list[str]], tmp_path: Path, capsys
) -> None:
    data, words = own
    late = triplet_paths(data, "spring_1", 31)["s2"]
    late.rename(tmp_path / "later.tif")
    shutil.rmtree(data / "ROIs1868_summer_s1")
    assert main([*words, "--limit", "5"]) == 0  # none of the five is one that lacks an image
    out = capsys.readouterr().out
    assert "left out (1), no clear image beside it: ROIs1158_spring_1_p31" in out
    assert "left out (1), no radar image beside it: ROIs1868_summer_4_p30" in out
    assert {r.split for r in read_split(tmp_path / "sen12mscr" / TILE)} == set(SPLITS)
    assert main([*words, "--add"]) == 0
    rows = {
        row.name.removeprefix("SEN12MSCR__"): row
        for row in read_split(tmp_path / "sen12mscr" / TILE)
    }
    assert rows["ROIs1158_spring_1_p31"].reason == "no clear image beside it"
    assert rows["ROIs1158_spring_1_p31"].split == rows["ROIs1868_summer_4_p30"].split == "dropped"
    (tmp_path / "later.tif").rename(late)
    assert main(words) == 2
    assert "the list of triplets of SEN12MSCR has changed since" in capsys.readouterr().err
    assert main([*words, "--add"]) == 0
    assert "1 done, 6 already there, 0 failed" in capsys.readouterr().out


def test_a_damaged_file_is_named_and_tried_again(
    own: tuple[Path, list[str]], tmp_path: Path, capsys
) -> None:
    data, words = own
    path = triplet_paths(data, "spring_1", 30)["s2_cloudy"]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert main(words) == 1
    captured = capsys.readouterr()
    assert (
        f"s2_cloudy_1/{path.name}: cannot be read, or is cut short (" in captured.out + captured.err
    )
    assert "7 done, 0 already there, 1 failed" in captured.out
    path.write_bytes(whole)
    assert main([*words, "--add"]) == 0
    assert "1 done, 7 already there, 0 failed" in capsys.readouterr().out
    verify_dataset(tmp_path / "sen12mscr" / TILE)


def test_the_real_triplet_is_tested_beside_generated_ones(tmp_path: Path, capsys) -> None:
    """In the flat layout and the real size; the other real sample lacks its clear image."""
    real = data_set("SEN12MSCR_PATH")
    data = tmp_path / "clouds"
    write_triplets(data, {"spring_1": 1, "fall_65": 1}, layout="flat")
    for roi, number in (("fall_139", 839), ("summer_19", 30)):
        there = triplet_paths(data, roi, number, "flat")
        for kind, path in triplet_paths(real, roi, number).items():
            if path.is_file() and (roi, kind) != ("summer_19", "s2"):  # the samples lack it
                shutil.copyfile(path, there[kind])
    words = ["--data", str(data), *own_environment(tmp_path), "--bands", "10m20m"]
    assert main([*words, "--s1-resolution", "40"]) == 0
    assert (
        "left out (1), no clear image beside it: ROIs1868_summer_19_p30" in capsys.readouterr().out
    )
    rows = {row.overpass: row for row in read_split(tmp_path / "sen12mscr_10m20m" / "256")}
    assert {unit: row.split for unit, row in rows.items()} == {
        "spring_1": "train", "fall_65": "val", "fall_139": "test", "summer_19": "dropped",
    }  # fmt: skip
    assert rows["fall_139"].epsg == 32650
    verify_dataset(tmp_path / "sen12mscr_10m20m" / "256")


def test_the_real_samples_alone_are_too_few_and_say_what_is_missing(tmp_path: Path, capsys) -> None:
    real, data = data_set("SEN12MSCR_PATH"), tmp_path / "samples"
    for roi, number in (("fall_139", 839), ("summer_19", 30)):
        there = triplet_paths(data, roi, number)
        for kind, path in triplet_paths(real, roi, number).items():
            if (roi, kind) != ("summer_19", "s2"):  # the samples lack it, a full download has it
                there[kind].parent.mkdir(parents=True)
                shutil.copyfile(path, there[kind])
    assert main(["--data", str(data), *own_environment(tmp_path), "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the train and val split would be empty: 0 train, 0 val, 1 test" in line
    assert "ROIs1868_summer_19_p30 has no clear image beside it" in line
