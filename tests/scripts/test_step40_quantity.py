"""Step 40: how many tiles a scene has, none at all, and clouds of which nothing is known."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import h5py
import pytest

from sensor2sensor.core import files
from sensor2sensor.core.files import SimulatedCrash, crash_at_write
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.tiles.draw import VAIN_READS
from tests.unit.preprocess.tifs_archive import (
    FIRST,
    folder_of,
    overpass,
    rows_of,
    scene,
    scenes,
    select,
    step40,
    tree,
)


@pytest.mark.parametrize("first", ["1", "3"])
def test_a_larger_quantity_keeps_the_tiles_and_adds_what_a_fresh_run_has(both, first, monkeypatch):
    """A scene of cloud and swath edge, whose every pixel was looked at before it stopped."""
    monkeypatch.setitem(VAIN_READS, "mask", 2)
    monkeypatch.setitem(VAIN_READS, "bands", 1)
    options = {"cloud": 0.4, "nodata_wedge": 0.3}
    for path in (both / "s2").glob("*.SAFE"):
        shutil.rmtree(path)
    scene(both / "s2", FIRST, **options)
    more = ("--no-verify", "--quantity", "9")
    assert step40(both, *more) == 0
    fresh = tree(both / "data")
    vain = files.read_json(folder_of(both) / "manifest.json")["scenes"]
    assert any(facts["read_in_vain"].get("mask", 0) >= 2 for facts in vain.values())
    shutil.rmtree(both / "data" / "_tif")
    shutil.rmtree(both / "data" / "_inventory" / "_overlays")
    assert step40(both, "--no-verify", "--quantity", first) == 0
    times = {path: path.stat().st_mtime_ns for path in folder_of(both).glob("*.tif")}
    assert len(rows_of(folder_of(both))) == 2 * int(first)
    assert step40(both, *more) == 0
    assert tree(both / "data") == fresh
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize("first", ["4", "10"])
def test_a_draw_that_goes_on_past_a_swath_s_flagged_half_has_the_counts_of_a_fresh_one(
    tmp_path, monkeypatch, first
):
    """Tiles are read ahead: where that half became known some of it were read already."""
    monkeypatch.setitem(VAIN_READS, "olci", 4)
    scene(tmp_path / "s2", FIRST, cloud=0.0)
    pass_ = overpass(tmp_path / "s3", FIRST + timedelta(minutes=20), cloud=0.0)
    place = tmp_path / "environment.json"
    place.write_text(json.dumps({"data_root": "data", "s2_root": "s2", "s3_root": "s3"}))
    asked = ["--environment", str(place), "--tile", "T17XNA", "--timediff", "3"]
    assert inventory.main(asked) == 0
    with h5py.File(pass_ / "qualityFlags.nc", "r+") as file:
        words = file["quality_flags"]
        names = words.attrs["flag_meanings"].split()
        flagged = words[...]
        flagged[:, :18] |= words.attrs["flag_masks"][names.index("invalid")]
        words[...] = flagged
    select(tmp_path, 0)
    tiles = tmp_path / "data" / "_tif"
    assert step40(tmp_path, "--no-verify", "--quantity", "16", tile=32) == 0
    fresh = tree(tiles)
    facts = files.read_json(folder_of(tmp_path, tile=32) / "manifest.json")["scenes"]["0"]
    assert facts["read_in_vain"] == {"olci": 4} and facts["rejected"]["no OLCI"] > 4
    shutil.rmtree(tiles)
    for quantity in (first, "16"):
        assert step40(tmp_path, "--no-verify", "--quantity", quantity, tile=32) == 0
    assert tree(tiles) == fresh


def test_a_smaller_quantity_is_refused_and_force_makes_the_first_ones(both, capsys):
    assert step40(both, "--quantity", "2") == 0
    fresh = tree(both / "data")
    step40(both, "--quantity", "4")
    grown = tree(both / "data")
    assert step40(both, "--quantity", "2") == 2
    assert "quantity: 4 (there) against 2 (asked)" in capsys.readouterr().err
    assert tree(both / "data") == grown
    assert step40(both, "--quantity", "2", "--force") == 0
    assert tree(both / "data") == fresh


def test_a_raise_cut_off_is_no_complete_folder_and_a_repeat_ends_it(both):
    select(both, scenes(both)[0])
    step40(both, "--quantity", "3", "--no-verify")
    whole = tree(both / "data")
    step40(both, "--quantity", "1", "--no-verify", "--force")
    for n in (1, 3, 6):
        with pytest.raises(SimulatedCrash), crash_at_write(n):
            step40(both, "--quantity", "3", "--no-verify")
        assert (n == 1) == files.read_json(folder_of(both) / "manifest.json")["complete"]
    assert step40(both, "--quantity", "3", "--no-verify") == 0
    assert tree(both / "data") == whole


def test_scenes_without_a_tile_fail_together_and_stay_failed(both, capsys):
    for _ in range(2):
        assert step40(both, "--quantity", "1", tile=400) == 1
        said = capsys.readouterr().out
        assert "step 40: 0 done, 0 already there, 2 failed" in said
        assert said.count("smaller than 400 pixels") == 1 and "1 more like it: scene" in said
    assert rows_of(folder_of(both, tile=400)) == []


def test_a_scene_whose_olci_pixels_are_invalid_is_told_nothing_of_clouds(both, capsys):
    for path in (both / "s3").rglob("qualityFlags.nc"):
        with h5py.File(path, "r+", locking=False) as file:
            words = file["quality_flags"]
            names = words.attrs["flag_meanings"]
            meanings = (names.decode() if isinstance(names, bytes) else names).split()
            words[...] = words[...] | words.attrs["flag_masks"][meanings.index("invalid")]
    select(both, 0)
    assert step40(both, "--grid", "--no-verify") == 1
    said = capsys.readouterr().out
    assert "no OLCI" in said and "too few valid pixels there: take the scene out" in said
    assert "raise --max" not in said


def test_a_scene_of_rejected_tiles_says_what_ruled_them_out(both, capsys):
    """Sea under cloud of 100 %."""
    for path in (both / "s2").glob("*.SAFE"):
        shutil.rmtree(path)
    scene(both / "s2", FIRST, cloud=1.0)
    for run in range(2):
        assert step40(both, "--grid", "--no-verify") == 1
        said = capsys.readouterr().out
        assert "no tile passes (rejected: cloud 36); raise --max-cloud" in said
        assert f"step 40: {1 - run} done, {run} already there, 1 failed" in said


@pytest.fixture
def unmasked(both) -> Path:
    """The archive, its first scene without any mask of clouds."""
    for path in (both / "s2").glob("*.SAFE/GRANULE/*/QI_DATA/MSK_*"):
        path.unlink()
    return both


def test_a_scene_without_a_cloud_mask_fails_with_the_way_out(unmasked, capsys):
    assert step40(unmasked, "--quantity", "1", "--no-verify") == 1
    said = capsys.readouterr().out
    assert "has no cloud mask" in said and "--unknown-cloud accept" in said
    assert len(rows_of(folder_of(unmasked))) == 1


@pytest.mark.parametrize("accept", [("--unknown-cloud", "accept"), ("--max-cloud", "1")])
def test_unknown_cloud_is_empty_and_said_on_every_run(unmasked, capsys, accept):
    for _ in range(2):
        assert step40(unmasked, "--quantity", "1", "--no-verify", *accept) == 0
        assert "no cloud mask, cloud_fraction left empty (1): scene 0" in capsys.readouterr().out
    cells = {
        row["s2"].endswith(".SAFE"): row["cloud_fraction"] for row in rows_of(folder_of(unmasked))
    }
    assert cells == {True: "", False: "0.0"}
    manifest = json.loads((folder_of(unmasked) / "manifest.json").read_text())
    given = {
        facts["quality_source"]: facts["quality_bits"] for facts in manifest["scenes"].values()
    }
    assert set(given) == {"none", "MSK_CLASSI"}
    assert [bit for bit in given["none"] if bit.startswith("S2_")] == ["S2_NODATA", "S2_SATURATED"]
    assert [bit for bit in given["MSK_CLASSI"] if bit.startswith("S2_")] == [
        *("S2_NODATA", "S2_SATURATED", "S2_CLOUD", "S2_SNOW", "S2_CIRRUS")
    ]
    assert {"OLCI_NONE", "OLCI_INVALID", "OLCI_BRIGHT"} <= set(given["none"])
