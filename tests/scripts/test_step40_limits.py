"""Limits of step 40: valid pixels, hours and metres between the sensors; bands; rare masks."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pyproj import Transformer

from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.tiles import cut, notes, shift
from sensor2sensor.preprocess.tiles.scene import SceneResult
from tests.scripts.test_step40 import KML
from tests.unit.preprocess.tifs_archive import (
    INVENTORY,
    folder_of,
    rows_of,
    scenes,
    select,
    step40,
    tree,
)


def rejected(root, tile: int = 64) -> Counter[str]:
    facts = json.loads((folder_of(root, tile) / "manifest.json").read_text())["scenes"].values()
    return sum((Counter(one["rejected"]) for one in facts), Counter())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--min-valid", "1.2"), "--min-valid must lie in 0..1"),
        (("--min-valid", "nan"), "--min-valid must lie in 0..1"),
        (("--max-timediff", "-1"), "--max-timediff must be a number of hours, 0 or more"),
        (("--max-timediff", "inf"), "--max-timediff must be a number of hours, 0 or more"),
        (("--max-shift", "-1"), "--max-shift -1 is no length of 0 m or more"),
        (("--max-shift", "nan"), "--max-shift nan is no length of 0 m or more"),
        (("--shift-quality", "1.5"), "--shift-quality 1.5 is not in [0, 1]"),
        (("--correct-shift", "--backend", "snap"), "--correct-shift takes other pixels than SNAP"),
        (("--bands", "B2"), "--bands: no Sentinel-2 band 'B2'"),
        (("--bands", "B02,B02"), "--bands B02,B02 names a band twice"),
        (("--bands", "B11,B04"), "is of 10 m, and Sentinel-2 measures B11 at 20 m"),
        (("--oversample", "ice"), "--oversample: 'ice' is no NAME=N"),
        (("--oversample", "ice=3"), "--oversample: 'ice' is not among --masks"),
        (("--masks", "a,b", "--oversample", "a=0.5"), "--oversample: a=0.5 is below 1"),
        (("--masks", "a,b", "--oversample", "a=nan"), "--oversample: a=nan is below 1"),
        (("--masks", "a,b", "--oversample", "a:3"), "--oversample: 'a:3' is no NAME=N"),
        (("--masks", "a,b", "--oversample", "a=2,a=3"), "--oversample names 'a' twice"),
        (("--cloud-mask-above", "40"), "has no meaning without --cloud-mask"),
        (("--masks", "a,b", "--oversample", "a=x"), "--oversample: 'a=x' is no NAME=N"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_before_anything_is_read(both, capsys, given, said):
    assert step40(both, *given) == 2
    error = capsys.readouterr().err.strip()
    assert said in error and len(error.splitlines()) == 1
    assert not folder_of(both).exists()


def test_what_needs_sentinel_3_is_refused_for_sentinel_2_alone(both, capsys):
    """All that is given at once; what says nothing without another option does nothing here too."""
    file = ["--environment", str(both / "environment.json")]
    assert inventory.main([*file, "--tile", "T17XNA", "--s2-only"]) == 0
    alone = "inv_T17XNA_s2"
    select(both, 0, inventory=alone)
    capsys.readouterr()
    for given in (("--max-shift", "100", "--unknown-shift", "keep"), ("--correct-shift",),
                  ("--max-timediff", "1"), ("--backend", "snap")):  # fmt: skip
        assert step40(both, "--quantity", "1", *given) == 2
        error = capsys.readouterr().err.strip()
        named = " ".join(given[:2]) if given[0] == "--backend" else given[0]
        assert f" {alone}: {named}: no meaning without Sentinel-3" in error
        assert "leave that out" in error and len(error.splitlines()) == 1
        assert not folder_of(both, name=alone).exists()
    assert step40(both, "--correct-shift", "--max-timediff", "1") == 2
    assert "--max-timediff, --correct-shift" in capsys.readouterr().err
    idle = ("--shift-quality", "0.5", "--unknown-shift", "keep", "--overlap", "0.9")
    assert step40(both, "--quantity", "1", *idle) == 0


def test_no_shift_is_sure_in_reduced_resolution(both, capsys):
    table = both / "data" / "_inventory" / f"{INVENTORY}.json"
    content = json.loads(table.read_text())
    content["options"]["s3_type"] = "ERR"
    table.write_text(json.dumps(content))
    assert step40(both, "--correct-shift") == 2
    error = capsys.readouterr().err
    assert "--correct-shift: no shift is known to be sure in reduced resolution (ERR)" in error
    assert not folder_of(both).exists() and step40(both, "--quantity", "1") == 0


def test_the_hint_goes_by_what_ended_the_search_and_not_by_the_larger_count():
    task = SimpleNamespace(label="scene 00003", options=SimpleNamespace(quantity=5, tile_px=64))
    reasons = {"cloud": 439, "saturated": 2, "shift": 200, "unknown shift": 100}
    ended = SceneResult(3, skipped=False, tiles=0, reasons=reasons, exhausted=True, by_shifts=True)
    said = "shifts ended the search: raise --max-shift, or take the scene out of the selection"
    assert notes.why_none(task, ended).endswith(f"; {said}")
    assert "; raise --max-cloud, or" in notes.why_none(task, replace(ended, by_shifts=False))
    some = notes.why_fewer(task, replace(ended, tiles=2))
    assert "2 of 5 tiles, shifts beyond --max-shift, or unknown, ended the search after" in some
    assert "no more exist among" not in some


def test_without_any_tile_the_page_says_why_of_each_scene(both, capsys):
    assert step40(both, "--max-timediff", "0.1") == 1
    assert "0 tiles in" in capsys.readouterr().out
    folder = folder_of(both)
    manifest = json.loads((folder / "manifest.json").read_text())
    said = [f"no Sentinel-3 product within 0.1 h (nearest {h} h); raise --max-timediff"
            for h in ("0.33", "0.50")]  # fmt: skip
    assert manifest["failed"] == dict(zip(map(str, scenes(both)), said, strict=True))
    page = (folder / "quality.html").read_text()
    for scene, day, why in zip(scenes(both), ("2022-07-14", "2022-07-20"), said, strict=True):
        (line,) = [one for one in page.split("<tr>") if f">{scene:05d}<" in one]
        assert f">{day}</td>" in line and why in line and "MSIL1C" in line
    assert f"2 selected scenes gave no tile: 00000, 00002. The first: {said[0]}." in page
    # What failed is told of the last run alone.
    assert step40(both, "--quantity", "1", "--force") == 0
    assert "failed" not in json.loads((folder / "manifest.json").read_text())


def test_unused_limits_leave_tiles_and_fingerprints_as_they_were(both, capsys):
    assert step40(both, "--quantity", "1") == 0
    before = tree(folder_of(both))
    idle = ("--min-valid", "0", "--shift-quality", "0.5", "--unknown-shift", "keep")
    assert step40(both, "--quantity", "1", *idle) == 0
    assert "2 already there" in capsys.readouterr().out and tree(folder_of(both)) == before
    assert step40(both, "--quantity", "1", "--min-valid", "0.5") == 2
    told = "holds tiles of other options: min_valid: nothing (there) against 0.5 (asked)"
    assert told in capsys.readouterr().err


def test_pairs_farther_apart_in_time_are_not_used(both, capsys):
    first, second = scenes(both)
    assert step40(both, "--quantity", "1", "--max-timediff", "0.4") == 1
    assert [int(row["scene"]) for row in rows_of(folder_of(both))] == [first]
    said = "no Sentinel-3 product within 0.4 h (nearest 0.50 h); raise --max-timediff"
    assert f"scene {second:05d}: {said}" in capsys.readouterr().out


def test_tiles_beyond_a_limit_are_rejected_and_counted_by_reason(both, capsys, monkeypatch):
    monkeypatch.setattr(shift, "EXTENT_M", 2400.0)  # in so small a scene all tiles would share one
    select(both, scenes(both)[0])
    asked = ("--grid", "--quantity", "99", "--force")
    assert step40(both, *asked, tile=128) == 0
    rows = rows_of(folder_of(both, 128))
    shares = sorted(float(row["valid_fraction"]) for row in rows)
    least = sorted(float(row["shift_quality"]) for row in rows)[len(rows) // 3]
    sure = [row for row in rows if float(row["shift_quality"]) >= least]
    limit = sorted(float(row["shift_m"]) for row in sure)[len(sure) // 2]
    near = [row["tile"] for row in sure if float(row["shift_m"]) <= limit]
    assert 0 < len(near) < len(sure) < len(rows)
    given = ("--max-shift", str(limit), "--shift-quality", str(least))
    assert step40(both, *asked, *given, tile=128) == 0
    assert [row["tile"] for row in rows_of(folder_of(both, 128))] == near
    counts = rejected(both, 128)
    assert counts["shift"] == len(sure) - len(near)
    assert counts["unknown shift"] == len(rows) - len(sure)
    shutil.rmtree(folder_of(both, 128))
    assert step40(both, *asked, "--max-shift", "0", "--min-valid", str(shares[-1]), tile=128) == 1
    counts = rejected(both, 128)
    assert counts["invalid"] == sum(share < shares[-1] for share in shares)
    assert counts["invalid"] + counts["shift"] + counts["unknown shift"] == len(rows)
    assert "no tile passes" in capsys.readouterr().out


def test_a_limit_that_no_place_keeps_ends_a_scene_soon(both, capsys, monkeypatch):
    """Of 103,041 places: each costs a measurement of the drift."""
    monkeypatch.setattr(cut, "MOST_SHIFTED", 5)
    select(both, scenes(both)[0])
    assert step40(both, "--max-shift", "0") == 1
    counts = rejected(both)
    assert counts["shift"] + counts["unknown shift"] == 5
    assert "shifts ended the search: " in capsys.readouterr().out
    # Nor are tiles given up for none, and that is told by the same reason.
    shutil.rmtree(folder_of(both))
    assert step40(both, "--quantity", "1") == 0
    assert step40(both, "--max-shift", "0", "--force") == 2
    assert "shifts ended the search: " in capsys.readouterr().err


def test_other_bands_than_the_inventory_has(both, capsys):
    import rasterio

    select(both, scenes(both)[0])
    assert step40(both, "--quantity", "1") == 0
    [plain] = rows_of(folder_of(both))
    assert step40(both, "--quantity", "1", "--bands", "B04,B02", "--force") == 0
    [row] = rows_of(folder_of(both))
    assert row["tile"] == plain["tile"]  # the draw does not depend on bands
    with rasterio.open(folder_of(both) / f"{row['tile']}.tif") as tif:
        assert tif.descriptions[2:5] == ("B04", "B02", "Oa01")


@pytest.mark.parametrize("slip", [("--bands", "B08"), ("--max-shift", "0")])
def test_tiles_are_not_given_up_for_none(both, capsys, slip):
    select(both, *scenes(both))
    assert step40(both, "--quantity", "1") == 0
    before = tree(folder_of(both))
    capsys.readouterr()
    assert step40(both, "--quantity", "1", *slip, "--force") == 2
    told = capsys.readouterr().err
    none, one = "with these options no scene gives a tile", "scene 00000 cannot be cut again"
    assert f"{one if '--bands' in slip else none}, so its 2 tiles of 2 scenes" in told
    assert "lacks B08 at 10 m" in told or "raise --max-shift" in told
    assert tree(folder_of(both)) == before
    select(both, scenes(both)[0])
    assert step40(both, "--quantity", "1", "--bands", "B04", "--force") == 0


def test_a_rare_mask_is_drawn_more_often_and_weights_are_kept(both):
    to_degrees = Transformer.from_crs(32617, 4326, always_xy=True)
    west, north, steps = 499980.0, 8100000.0, ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))

    def ring_of(side: float) -> str:
        found = (to_degrees.transform(west + side * x, north - side * y) for x, y in steps)
        return " ".join("{},{}".format(*place) for place in found)

    select(both, scenes(both)[0])
    masks = both / "data" / "_masks"
    masks.mkdir()
    (masks / "rare.kml").write_text(KML.format(ring=ring_of(1000.0)))  # a sixteenth of the scene
    asked = ("--masks", "rare", "--quantity")
    assert step40(both, *asked, "6") == 0
    plain = rows_of(folder_of(both))
    assert "draw_weight" not in plain[0]
    often = ("--oversample", "rare.kml=40")
    assert step40(both, *asked, "2", *often, "--force") == 0
    assert step40(both, *asked, "6", *often) == 0  # the draw goes on after the second
    rows, grown = rows_of(folder_of(both)), tree(folder_of(both))
    inside = [row["inside_mask"] == "true" for row in rows]
    assert sum(inside) > sum(row["inside_mask"] == "true" for row in plain)
    assert [float(row["draw_weight"]) for row in rows] == [
        40.0 if is_in else 1.0 for is_in in inside
    ]
    assert step40(both, *asked, "6", *often, "--force") == 0
    assert tree(folder_of(both)) == grown
    # On a grid the scene has few places: a draw that goes on beyond the mask's own weighs it less.
    (masks / "rare.kml").write_text(KML.format(ring=ring_of(2000.0)))
    assert step40(both, *asked, "20", *often, "--grid", "--force") == 0
    found = {(row["inside_mask"], float(row["draw_weight"])) for row in rows_of(folder_of(both))}
    (_, elsewhere), (_, rare) = sorted(found)
    assert elsewhere == 1.0 and 1.0 < rare < 10.0
