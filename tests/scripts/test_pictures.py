"""The doors of steps 51 and 52: help, a run killed on the way, a repeat in other processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.aerial import run as aerial
from sensor2sensor.sources.maps import run as maps
from tests.doors import run_door
from tests.fakes.town import write_aerial, write_maps
from tests.fakes_tiles import own_environment, snapshot

DOORS = {
    "maps": ("51_create_tfrecords_maps.py", maps.main, ("--tilesize", "32", "--overlap")),
    "aerial": ("52_create_tfrecords_aerial.py", aerial.main, ("--stored-size", "32")),
}
TILES = [f"{city}{number}" for city in ("austin", "vienna") for number in (1, 2, 7, 9)]


@pytest.mark.parametrize("kind", DOORS)
def test_help_shows_a_full_example_and_loads_nothing_heavy(kind: str, repository: Path) -> None:
    name = DOORS[kind][0]
    done = run_door(f"preprocessing/{name}", "--help", cwd=repository)
    assert done.code == 0 and not done.heavy and "PIL" not in done.packages
    assert f"python preprocessing/{name} --data " in done.out and "--dry-run" in done.out


@pytest.mark.parametrize("kind", DOORS)
def test_killed_on_the_way_and_repeated_with_two_workers(kind: str, tmp_path: Path) -> None:
    if kind == "maps":
        write_maps(tmp_path / "found", 75, train=4, val=2)
    else:
        write_aerial(tmp_path / "found", TILES, 75)
    _, main, options = DOORS[kind]
    words = ["--data", str(tmp_path / "found"), *own_environment(tmp_path), *options]
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(5):
        main(words)
    assert list(tmp_path.glob("*/*/train/*.tfrecord"))
    assert not list(tmp_path.glob("*/*/dataset.json"))
    assert main([*words, "--workers", "2"]) == 0
    verify_dataset(tmp_path / kind / "32")
    repeated = snapshot(tmp_path, kind)
    assert main([*words, "--force"]) == 0  # undisturbed, in one process
    assert snapshot(tmp_path, kind) == repeated
