"""WorldStrat: one area's files under two names must not be trained on and tested."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.sources.worldstrat.ground import Shown, refuse_shared
from sensor2sensor.sources.worldstrat.run import main
from tests.fakes.worldstrat import Look, write_raw
from tests.fakes_tiles import own_environment


def door(root: Path, *words: object, dry_run: bool = True) -> int:
    given = [
        "--data",
        root / "WorldStrat",
        "--tilesize",
        16,
        *(["--dry-run"] if dry_run else []),
        *own_environment(root),
        *words,
    ]
    return main([str(word) for word in given])


NOWHERE = 'LOCAL_CS["of the tool that saved it",UNIT["metre",1]]'


def without_place(path: Path, placed: str) -> None:
    with rasterio.open(path) as source:
        pixels, profile = source.read(), dict(source.profile)
    if placed == "local":
        profile["crs"] = NOWHERE
    else:
        del profile["crs"], profile["transform"]
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
@pytest.mark.parametrize("placed", ["placed", "unplaced", "local"])
def test_files_of_one_area_under_two_names_in_two_splits_stop(
    tmp_path: Path, placed: str, capsys
) -> None:
    given = tmp_path / "WorldStrat"
    aois = {f"Landcover-{n}": (split, [Look()]) for n, split in enumerate([*SPLITS, "test"], 1)}
    write_raw(given, aois, low_px=16)
    for path in sorted(given.glob("*/Landcover-1/**/*.tiff")):
        twin = Path(str(path).replace("Landcover-1", "Landcover-4"))
        shutil.copy(path, twin)
        if placed != "placed":
            for one in (path, twin):
                without_place(one, placed)
    assert door(tmp_path) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "looking at" not in x]
    assert "AOIs of two splits share ground: Landcover-1 (train) and Landcover-4 (test)" in line
    (tmp_path / "leave.txt").write_text("Landcover-4\n")
    assert door(tmp_path, "--exclude", tmp_path / "leave.txt") == 0
    assert "of their ground" not in capsys.readouterr().out


def test_ground_that_two_splits_share_in_part_is_told(tmp_path: Path) -> None:
    grids = {"a": (10.0, 0), "b": (10.8, 0), "c": (11.795, 0), "d": (10.0, 1.0)}
    for name, (left, down) in grids.items():
        where = {"crs": "EPSG:4326", "transform": rasterio.Affine(0.1, 0, left, 0, -0.1, 50 - down)}
        size = {"height": 10, "width": 10, "count": 1, "dtype": "uint16"}
        with rasterio.open(tmp_path / name, "w", driver="GTiff", **where, **size) as file:
            file.write(np.zeros((1, 10, 10), np.uint16))
    splits = {"a": "train", "b": "test", "c": "val", "d": "test"}
    shown = [Shown(name, split, tmp_path / name) for name, split in splits.items()]
    # b lies over a fifth of a; c over half a hundredth of b, d beside a.
    assert list(refuse_shared(shown, tmp_path)) == [
        "warning: AOIs of two splits share up to 20% of their ground: a (train) and b (test)"
    ]
    assert list(refuse_shared(shown[1:], tmp_path)) == []


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_images_of_nothing_are_not_the_same_ground(tmp_path: Path) -> None:
    shown = []
    for name, split in (("a", "train"), ("b", "test")):
        size = {"height": 4, "width": 4, "count": 2, "dtype": "float32"}
        with rasterio.open(tmp_path / name, "w", driver="GTiff", **size) as file:
            file.write(np.full((2, 4, 4), np.nan, np.float32))
        shown.append(Shown(name, split, tmp_path / name))
    assert list(refuse_shared(shown, tmp_path)) == []


def test_a_source_that_is_added_is_held_against_those_before_it(tmp_path: Path, capsys) -> None:
    aois = {f"Landcover-{n}": (split, [Look()]) for n, split in enumerate(SPLITS, 1)}
    write_raw(tmp_path / "WorldStrat", aois, low_px=16)
    assert door(tmp_path, dry_run=False) == 0
    # The first AOI, that of train, as another one that is to be tested.
    urban = {f"Urban-{n}": ("test", [Look()]) for n in (1, 2)}
    write_raw(tmp_path / "more", urban, low_px=16)
    for path in sorted((tmp_path / "WorldStrat").glob("*/Landcover-1/**/*.tiff")):
        beside = path.relative_to(tmp_path / "WorldStrat").as_posix()
        shutil.copy(path, tmp_path / "more" / beside.replace("Landcover-1", "Urban-1"))
    words = ("--data", tmp_path / "more", "--name", "more", "--add")
    assert door(tmp_path, *words, dry_run=False) == 2
    said = capsys.readouterr().err
    assert "two splits hold one picture, pixel by pixel" in said
    assert "__Landcover-1_0x0 (train) and more__Urban-1_0x0 (test)" in said
    (tmp_path / "leave.txt").write_text("Urban-1\n")
    assert door(tmp_path, *words, "--exclude", tmp_path / "leave.txt", dry_run=False) == 0
