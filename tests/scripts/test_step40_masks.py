"""Masks of step 40 as its users name them, and how their edges run."""

from __future__ import annotations

import json
import shutil

import pytest
from pyproj import Transformer

from tests.scripts.test_step40 import KML
from tests.unit.preprocess.tifs_archive import (
    archive,
    folder_of,
    rows_of,
    scene,
    scenes,
    select,
    step40,
)


@pytest.mark.parametrize("given", ["", " ", "none", "None", "nomask", "NOMASK"])
def test_words_for_no_mask(both, caplog, given):
    select(both, scenes(both)[0])
    assert step40(both, "--masks", given, "--quantity", "1") == 0
    assert [row["inside_mask"] for row in rows_of(folder_of(both))] == [""]
    said = [record.getMessage() for record in caplog.records]
    assert any("nomask is read as none" in text.lower() for text in said) == (
        "mask" in given.lower()
    )


def test_masks_are_named_with_or_without_their_suffix(both, capsys):
    masks = both / "data" / "_masks"
    masks.mkdir()
    for name in ("west.kml", "all.KML", "._west.kml"):
        (masks / name).write_text(KML.format(ring="-82,72 -80,72 -80,74 -82,74 -82,72"))
    select(both, scenes(both)[0])
    assert step40(both, "--masks", "west.kml,all.KML", "--quantity", "1") == 0
    recorded = json.loads((folder_of(both) / "manifest.json").read_text())["options"]["masks"]
    assert recorded == ["west", "all"]
    assert step40(both, "--masks", "west,all", "--quantity", "1") == 0
    assert "1 already there" in capsys.readouterr().out
    for wrong in ("wets", "wets.kml", "nomasks", "west,none"):
        assert step40(both, "--masks", wrong) == 2
        said = capsys.readouterr().err
        assert "no such mask" in said and "west" in said and "._west" not in said, wrong


def test_a_mask_that_touches_no_scene_is_said_once(both, capsys):
    masks = both / "data" / "_masks"
    masks.mkdir()
    rings = {
        "near": "-82,72 -80,72 -80,74 -82,74 -82,72",
        "far": "-62,72 -60,72 -60,74 -62,74 -62,72",
        "swapped": "72,-82 72,-80 74,-80 74,-82 72,-82",
    }
    for name, ring in rings.items():
        (masks / f"{name}.kml").write_text(KML.format(ring=ring))
    for extra in (["--dry-run"], [], ["--mask-edges", "great-circle", "--force"]):
        assert step40(both, "--masks", ",".join(rings), "--quantity", "1", *extra) == 0
        said = capsys.readouterr().out.splitlines()
        assert [line for line in said if "touches none" in line] == [
            "mask far touches none of the selected scenes",
            "mask swapped touches none of the selected scenes",
        ]


def test_a_mask_on_ground_the_swath_does_not_reach_touches_no_scene(tmp_path, capsys):
    made = archive(tmp_path / "a")
    whole = next((made / "s2").glob("*.SAFE"))
    shutil.rmtree(whole)
    assert scene(made / "s2", cloud=0.0, nodata_wedge=0.5) == whole
    select(made, min(scenes(made)))
    masks = made / "data" / "_masks"
    masks.mkdir()
    at = [(500000.0, 8099990.0), (500200.0, 8099990.0), (500200.0, 8099700.0)]
    to_degrees = Transformer.from_crs(32617, 4326, always_xy=True)
    ring = " ".join("{},{}".format(*to_degrees.transform(*place)) for place in [*at, at[0]])
    (masks / "west.kml").write_text(KML.format(ring=ring))
    assert step40(made, "--masks", "west", "--quantity", "1", "--overlap", "0") == 0
    assert "mask west touches none of the selected scenes" in capsys.readouterr().out


def test_a_ring_that_is_not_closed_is_one_line_and_exit_code_2(both, capsys):
    masks = both / "data" / "_masks"
    masks.mkdir()
    (masks / "open.kml").write_text(KML.format(ring="-82,72 -80,72 -80,74 -82,74"))
    assert step40(both, "--masks", "open", "--quantity", "1") == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert "open.kml: placemark 1: the ring is not closed" in said
    assert not folder_of(both).exists()


def test_only_the_masks_are_named_where_they_were_dropped(both, capsys):
    masks = both / "data" / "_masks"
    masks.mkdir()
    (masks / "near.kml").write_text(KML.format(ring="-82,72 -80,72 -80,74 -82,74 -82,72"))
    assert step40(both, "--masks", "near", "--quantity", "1") == 0
    capsys.readouterr()
    assert step40(both, "--quantity", "1") == 2
    said = capsys.readouterr().err
    assert "masks: ['near'] (there) against [] (asked)" in said and "mask_edges" not in said
    assert step40(both, "--quantity", "1", "--force") == 0
    assert step40(both, "--masks", "near", "--mask-edges", "great-circle", "--quantity", "1") == 2
    assert "mask_edges" not in capsys.readouterr().err


def test_how_edges_of_masks_run_is_recorded_and_tiles_of_before_are_known(both, capsys):
    masks = both / "data" / "_masks"
    masks.mkdir()
    # Forty degrees wide, its southern edge just below the scene: a great circle runs north of it.
    ring = "-101,72.9 -61,72.9 -61,76 -101,76 -101,72.9"
    (masks / "wide.kml").write_text(KML.format(ring=ring))
    select(both, scenes(both)[0])
    options = ("--masks", "wide", "--quantity", "2")
    assert step40(both, *options, "--mask-edges", "great-circle") == 0
    assert {row["inside_mask"] for row in rows_of(folder_of(both))} == {"false"}
    recorded = json.loads((folder_of(both) / "manifest.json").read_text())["options"]
    assert "mask_edges" not in recorded, "as before there was a choice"
    capsys.readouterr()
    assert step40(both, *options, "--mask-edges", "great-circle") == 0
    assert "1 already there" in capsys.readouterr().out
    assert step40(both, *options) == 2
    assert "mask_edges: great-circle (there) against parallel (asked)" in capsys.readouterr().err
    assert step40(both, *options, "--force") == 0
    assert {row["inside_mask"] for row in rows_of(folder_of(both))} == {"true"}
    recorded = json.loads((folder_of(both) / "manifest.json").read_text())["options"]
    assert recorded["mask_edges"] == "parallel"
