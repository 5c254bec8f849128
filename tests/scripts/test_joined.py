"""Products that belong together, from step 20 to tiles: those of one product, byte for byte."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.inventory.table import read_inventory
from sensor2sensor.preprocess.quicklooks import run as quicklooks
from sensor2sensor.products.s2_parts import open_parts
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes import World, make_frames
from tests.unit.preprocess.tifs_archive import (
    CENTRE,
    FIRST,
    INVENTORY,
    folder_of,
    overpass,
    rows_of,
    scene,
    select,
    step40,
    tree,
)

CUT = 0.43
SEAM = 17  # row of the pass at which its second frame begins
OVERPASS = FIRST + timedelta(minutes=20)
PASS = {
    "rows": 33, "columns": 33, "centre_lonlat": CENTRE, "world": World(0), "cloud": 0.0,
    "start": OVERPASS,
}  # fmt: skip


def _scene_parts(folder: Path) -> list[Path]:
    options = {"cloud": 0.0, "size_px": 384}
    return [
        scene(
            folder,
            part=part,
            strip=FIRST + timedelta(seconds=4),
            generated=FIRST + timedelta(hours=number + 4),
            **options,
        )
        for number, part in enumerate([(CUT, 1.0), (0.0, CUT)])
    ]


def _archive(root: Path) -> Path:
    root.mkdir()
    roots = {"data_root": "data", "s2_root": "s2", "s3_root": "s3"}
    (root / "environment.json").write_text(json.dumps(roots))
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Archives of one ground: whole products, a pass in two frames, a tile in two parts."""
    base = tmp_path_factory.mktemp("joined")
    whole, frames, parts = (_archive(base / name) for name in ("whole", "frames", "parts"))
    scene(whole / "s2", cloud=0.0)
    make_frames(whole / "s3", [slice(0, 33)], **PASS)
    shutil.copytree(whole / "s2", frames / "s2")
    make_frames(frames / "s3", [slice(0, SEAM + 1), slice(SEAM, 33)], **PASS)
    _scene_parts(parts / "s2")
    shutil.copytree(whole / "s3", parts / "s3")
    for root in (whole, frames, parts):
        assert step20(root) == 0
        select(root, 0)
    return {"whole": whole, "frames": frames, "parts": parts}


def step20(root: Path, *options: str) -> int:
    common = ["--environment", str(root / "environment.json"), "--tile", "T17XNA"]
    return inventory.main([*common, "--timediff", "3", *options])


@pytest.fixture
def at(made: dict[str, Path], tmp_path: Path):
    """A copy of one of the archives."""
    return lambda name: Path(shutil.copytree(made[name], tmp_path / name))


def inventory_of(root: Path):
    return read_inventory(load_environment(root / "environment.json"), INVENTORY)


@pytest.mark.parametrize("kind", ["frames", "parts"])
def test_an_inventory_has_one_row_and_says_of_it_what_it_says_of_the_whole(made, kind):
    (one,), (row,) = inventory_of(made["whole"]).rows, inventory_of(made[kind]).rows
    assert row.index == one.index == 0
    assert row.overlap == pytest.approx(one.overlap, abs=1e-3) and one.overlap > 0.999
    assert row.time_gap_h == one.time_gap_h and row.timediff_h == one.timediff_h
    assert (len(row.s2_paths), len(row.s3_paths)) == {"frames": (1, 2), "parts": (2, 1)}[kind]
    assert set(inventory_of(made[kind]).products) == {*row.s2_paths, *row.s3_paths}
    names = (made["whole"] / "data" / "_inventory" / f"{INVENTORY}.csv").read_text()
    assert "joined" not in names, "tables without joined products are those of before"


@pytest.mark.parametrize("kind", ["frames", "parts"])
def test_tiles_across_the_seam_are_those_of_the_whole_byte_for_byte(at, kind, capsys):
    whole, joined = at("whole"), at(kind)
    options = ("--quantity", "4", "--max-cloud", "1")
    for root in (whole, joined):
        assert step40(root, *options, tile=96) == 0
    one, other = tree(folder_of(whole, 96)), tree(folder_of(joined, 96))
    assert {n for n in one if n.endswith((".tif", ".npz"))} and one.keys() == other.keys()
    same_shift = kind == "frames"  # an overview of parts is darker at the cut
    for name, data in one.items():
        if name.endswith((".tif", ".npz")):
            assert other[name] == data, name
    for true, row in zip(
        rows_of(folder_of(whole, 96)), rows_of(folder_of(joined, 96)), strict=True
    ):
        left_out = {"s2", "s3", "s3date", "s2_joined", "s3_joined"}
        left_out |= set() if same_shift else {n for n in row if n.startswith("shift")}
        assert {n: v for n, v in row.items() if n not in left_out} == {
            n: v for n, v in true.items() if n not in left_out
        }
        (listed,) = inventory_of(joined).rows
        assert row["s2"] == listed.s2 and row["s3"] == listed.s3
        assert row.get("s2_joined", "") == " // ".join(listed.s2_joined)
        assert row.get("s3_joined", "") == " // ".join(listed.s3_joined)
    if kind == "frames":
        tables = [np.load(path)["rowcol"][:, 0] for path in folder_of(joined, 96).glob("*.npz")]
        assert any(rows.min() < SEAM - 1 and rows.max() > SEAM for rows in tables)
    facts = json.loads((folder_of(joined, 96) / "manifest.json").read_text())["scenes"]["0"]
    assert " + " in facts["s3" if kind == "frames" else "s2"]
    assert ("s2_parts" in facts) == (kind == "parts")
    before = tree(joined / "data")
    capsys.readouterr()
    assert step40(joined, *options, tile=96) == 0
    assert tree(joined / "data") == before
    assert "0 done, 1 already there" in capsys.readouterr().out


def test_the_band_that_says_which_part_is_shown_is_verified_whatever_bands_are_cut(at, capsys):
    root = at("parts")
    (row,) = inventory_of(root).rows
    (image,) = (root / "s2" / row.s2_joined[0]).rglob("IMG_DATA/*_B02.jp2")
    image.write_bytes(image.read_bytes()[:-1] + b"?")
    assert step40(root, "--quantity", "1", "--bands", "B04") == 1
    assert image.name in capsys.readouterr().out


@pytest.mark.parametrize("harm", ["flipped", "gone", "cut"])
def test_a_joined_frame_that_cannot_be_used_is_named_and_the_next_partner_taken(at, harm, capsys):
    root = at("frames")
    second = overpass(root / "s3", FIRST + timedelta(minutes=50), cloud=0.0, platform="S3B")
    assert step20(root) == 0
    joined, other = inventory_of(root).rows
    assert other.s3 == second.name and not other.s3_joined
    (damaged,) = joined.s3_joined
    file = root / "s3" / damaged / "Oa05_radiance.nc"
    if harm == "gone":
        shutil.rmtree(root / "s3" / damaged)
    elif harm == "flipped":
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    else:
        file.write_bytes(file.read_bytes()[:3000])
    capsys.readouterr()
    options = ("--quantity", "1", *(["--no-verify"] if harm == "cut" else []))
    assert step40(root, *options) == 0
    said = capsys.readouterr().out
    line = next(text for text in said.splitlines() if "takes its place" in text)
    assert damaged in line and joined.s3 in line and f"{second.name} takes its place" in line
    assert {row["s3"] for row in rows_of(folder_of(root))} == {second.name}


def test_without_another_partner_what_is_left_of_a_pass_is_listed_and_taken(at, capsys):
    root = at("frames")
    (joined,) = inventory_of(root).rows
    (gone,) = joined.s3_joined
    shutil.rmtree(root / "s3" / gone)
    assert step40(root, "--quantity", "1") == 1
    assert gone in capsys.readouterr().out
    assert step20(root) == 0
    said = capsys.readouterr().out
    assert f"{gone} is listed and is not in the archive any more" in said
    assert [(row.s3, row.s3_joined) for row in inventory_of(root).rows] == [
        (joined.s3, joined.s3_joined),
        (joined.s3, ()),
    ]
    assert step40(root, "--quantity", "1", "--overlap", "0.4") == 0
    assert gone in capsys.readouterr().out


def test_frames_that_an_inventory_lists_apart_stay_so_and_their_tiles_current(at, capsys):
    root = at("frames")
    first, second = sorted((root / "s3").iterdir())
    aside = root / "aside"
    second.rename(aside)
    shutil.rmtree(root / "data")
    assert step20(root) == 0
    select(root, 0)
    assert step40(root, "--quantity", "1", "--overlap", "0.3") == 0
    before = tree(root / "data" / "_tif")
    aside.rename(second)
    capsys.readouterr()
    assert step20(root) == 0
    assert [(row.s3, row.s3_joined) for row in inventory_of(root).rows] == [
        (first.name, ()),
        (second.name, ()),
    ]
    assert "each frame a pair of its own" in capsys.readouterr().out
    assert step40(root, "--quantity", "1", "--overlap", "0.3") == 0
    assert tree(root / "data" / "_tif") == before


def _whole_tile(root: Path, baseline: str, hours: int) -> Path:
    """Of the same datatake, received as one."""
    strip = FIRST + timedelta(seconds=3)
    options = {"baseline": baseline, "strip": strip, "generated": FIRST + timedelta(hours=hours)}
    return scene(root / "s2", cloud=0.0, **options)


def test_tiles_are_of_the_newer_parts_where_an_older_whole_tile_is_there(at, capsys):
    root = at("parts")
    old, listed = _whole_tile(root, "03.01", 3), inventory_of(root).rows
    assert step40(root, "--quantity", "2") == 0
    tiles = tree(root / "data" / "_tif")
    for made_anew in (False, True):
        if made_anew:
            shutil.rmtree(root / "data")
        capsys.readouterr()
        assert step20(root) == 0
        assert f"{old.name} is left out: " in capsys.readouterr().out
        assert inventory_of(root).rows == listed
    select(root, 0)
    assert step40(root, "--quantity", "2") == 0
    images = [name for name in tiles if name.endswith((".tif", ".npz"))]
    found = tree(root / "data" / "_tif")
    assert images and all(found[name] == tiles[name] for name in images)


def test_what_an_older_whole_tile_alone_shows_is_taken_from_it(at):
    root = at("parts")
    shutil.rmtree(root / "data")
    _, north = sorted((root / "s2").iterdir())
    shutil.rmtree(north)
    (new,) = (root / "s2").iterdir()
    old = _whole_tile(root, "03.01", 3)
    assert step20(root) == 0
    (row,) = inventory_of(root).rows
    assert row.s2_paths == (new.name, old.name) and row.baseline == "04.00"
    assert 0.99 < row.overlap <= 1.0
    values, _ = open_parts([new, old]).read_reflectance(["B02"], 10)
    newer, _ = open_s2(new).read_reflectance(["B02"], 10)
    assert np.isfinite(values).all() and np.isnan(newer).any()
    seen = np.isfinite(newer)
    assert (values[seen] == newer[seen]).all()


@pytest.mark.parametrize(("baseline", "hours"), [("03.01", 3), ("05.11", 500)])
def test_listed_parts_stay_whichever_whole_tile_comes(at, baseline, hours, capsys):
    root = at("parts")
    rows = inventory_of(root).rows
    whole = _whole_tile(root, baseline, hours)
    for _ in range(2):
        capsys.readouterr()
        assert step20(root) == 0
        said = capsys.readouterr().out
        assert whole.name in said and "is gone" not in said
        assert inventory_of(root).rows == rows and not inventory_of(root).superseded


def test_the_contact_sheet_shows_the_whole_scene_and_says_what_is_joined(at):
    for kind in ("frames", "parts"):
        root = at(kind)
        given = ["--environment", str(root / "environment.json"), "--inventory", INVENTORY]
        assert quicklooks.main([*given, "--downsample", "8"]) == 0
        folder = root / "data" / "_inventory" / INVENTORY
        page = (folder / "index.html").read_text()
        assert ("2 frames of one pass, joined" in page) == (kind == "frames")
        noted = json.loads((folder / "_config.json").read_text())["scenes"]["0"]
        (row,) = inventory_of(root).rows
        assert noted["product"] == Path(row.s2).stem, "what a selection checks it by"
        assert noted["cloud_fraction"] == pytest.approx(row.cloud_fraction)
        times = (folder / "0.png").stat().st_mtime_ns
        assert quicklooks.main([*given, "--downsample", "8"]) == 0
        assert (folder / "0.png").stat().st_mtime_ns == times
