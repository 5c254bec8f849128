"""Masks of step 40 as its users name them, and how their edges run."""

from __future__ import annotations

import json

import pytest

from tests.scripts.test_step40 import KML, scenes
from tests.unit.preprocess.tifs_archive import folder_of, rows_of, select, step40


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
