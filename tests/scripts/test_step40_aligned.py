"""``--correct-shift`` of step 40: ground that moved between the looks is met, the rest stays."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.geo.shift import GroundShift
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.tiles import shift
from sensor2sensor.products.bands import OLCI_BANDS
from tests.fakes import World, make_s2, make_s3
from tests.unit.preprocess.tifs_archive import (
    BANDS,
    FIRST,
    folder_of,
    rows_of,
    select,
    step40,
    tree,
)

MOVED_M = (540.0, -420.0)
STILL = World(0, ice_drift_m_per_h=(0.0, 0.0))
SIDE_PX = 960
# Oa08 (665 nm) alone is looked at when the drift is measured.
UNSEEN = [i for i, band in enumerate(OLCI_BANDS) if band not in ("Oa08", "Oa21")]


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> dict[str, Path]:
    """One scene, and one pass that sees its ground in its place or off it: equal but for that."""
    made = {}
    for name, moved_m in (("still", (0.0, 0.0)), ("moved", MOVED_M)):
        root = made[name] = tmp_path_factory.mktemp(name)
        if "still" in made and name != "still":
            shutil.copytree(made["still"] / "s2", root / "s2")
        else:
            make_s2(
                root / "s2", world=STILL, sensing=FIRST, size_px=SIDE_PX, bands=BANDS,
                resolutions=(10,), quality_masks=False, cloud=0.0,
            )  # fmt: skip
        make_s3(
            root / "s3", world=replace(STILL, moved_m=moved_m), cloud=0.0, rows=97, columns=97,
            start=FIRST + timedelta(minutes=20), centre_lonlat=(-80.88, 72.96), collection="002",
        )  # fmt: skip
        place = root / "environment.json"
        place.write_text(json.dumps({"data_root": "data", "s2_root": "s2", "s3_root": "s3"}))
        asked = ["--environment", str(place), "--tile", "T17XNA", "--timediff", "3"]
        assert inventory.main(asked) == 0
        select(root, 0)
    return made


@pytest.fixture(autouse=True)
def smaller_surroundings(monkeypatch):
    monkeypatch.setattr(shift, "EXTENT_M", SIDE_PX * 10.0)


def cut(root: Path, *more: str) -> Path:
    assert step40(root, "--quantity", "3", "--max-cloud", "1", "--force", *more) == 0
    return folder_of(root)


def seen(folder: Path, stem: str) -> np.ndarray:
    """Radiance ``[h, w, 21]`` as a tile's tif has it, without what is aligned."""
    with np.load(folder / f"{stem}_olci.npz") as table:
        return table["radiance"][_collocation(folder, stem) - 1]


def _collocation(folder: Path, stem: str) -> np.ndarray:
    import rasterio

    with rasterio.open(folder / f"{stem}.tif") as tif:
        return tif.read(tif.descriptions.index("collocation") + 1).astype(int)


def test_the_error_falls_on_bands_that_were_not_looked_at(archives):
    folder, truth = cut(archives["moved"], "--correct-shift"), cut(archives["still"])
    rows = rows_of(folder)
    assert json.loads((folder / "manifest.json").read_text())["aligned_tiles"] == len(rows) == 3
    page = (folder / "quality.html").read_text()
    assert "3 tiles of 3 with OLCI pixels aligned with the target" in page
    before, after = [], []
    for row in rows:
        stem = row["tile"]
        drift = np.array([float(row["shift_east_m"]), float(row["shift_north_m"])])
        assert np.abs(drift - MOVED_M).max() < 60.0
        with np.load(folder / f"{stem}_aligned.npz") as table:
            kept = {name: table[name] for name in table.files}
        assert int(row["aligned_pixels"]) == kept["collocation"].max()
        found, right = kept["radiance"][kept["collocation"] - 1], seen(truth, stem)
        scale = np.nanstd(right, axis=(0, 1))
        for errors, own in ((before, seen(folder, stem)), (after, found)):
            errors.append(np.nanmean(np.abs(own - right), axis=(0, 1)) / scale)
        # Positions alone move: each pixel is one of the swath, with the radiance it has there.
        with np.load(folder / f"{stem}_olci.npz") as table:
            rowcol, radiance, xy = table["rowcol"], table["radiance"], table["xy_m"]
        pairs = (rowcol[:, None] == kept["rowcol"][None]).all(axis=-1)
        here, there = np.nonzero(pairs)
        assert len(here)
        np.testing.assert_array_equal(radiance[here], kept["radiance"][there])
        np.testing.assert_allclose(xy[here] - kept["xy_m"][there], [drift] * len(here), atol=1e-3)
    error = [np.mean(one, axis=0)[UNSEEN] for one in (before, after)]
    assert (error[1] < 0.5 * error[0]).all()


def test_where_nothing_moved_every_file_is_as_without_the_option(archives, capsys):
    plain = tree(cut(archives["still"]))
    assert "to correct" not in capsys.readouterr().out
    asked = tree(cut(archives["still"], "--correct-shift"))
    assert "the drift of 0 of 3 tiles was large and sure enough" in capsys.readouterr().out
    # What says which options there were: every tile, and the table of them, is the same.
    told = {
        "manifest.json",
        "quality.html",
        *(name for name in plain if name.startswith("scenes/")),
    }
    assert plain.keys() == asked.keys()
    assert {name for name in plain if plain[name] != asked[name]} == told
    facts = [json.loads(one["manifest.json"]) for one in (plain, asked)]
    assert "aligned_tiles" not in facts[0] and facts[1]["aligned_tiles"] == 0
    assert facts[1]["options"]["correct_shift"] and "correct_shift" not in facts[0]["options"]
    assert facts[0]["files"] == facts[1]["files"]


def test_scenes_too_small_for_a_drift_to_be_sure_are_said(archives, capsys, monkeypatch):
    said = "1 of 1 scenes are smaller than the 20 km that a drift is measured over"
    assert said not in (cut(archives["moved"], "--correct-shift") / "quality.html").read_text()
    assert said not in capsys.readouterr().out
    monkeypatch.setattr(shift, "EXTENT_M", 20_000.0)
    folder = cut(archives["moved"], "--correct-shift", "--seed", "1")
    assert f"the drift of 0 of 3 tiles was large and sure enough to correct; {said}" in (
        capsys.readouterr().out
    )
    assert said in (folder / "quality.html").read_text()


def test_a_drift_is_sure_beyond_what_is_measured_of_none():
    (low, size_m), (high, less_m) = shift.SURE[0], shift.SURE[-1]
    assert size_m >= less_m
    assert not shift.is_sure(GroundShift(900.0, 0.0, low - 0.01), 3.0)
    assert not shift.is_sure(GroundShift(size_m, 0.0, low), 3.0)
    assert shift.is_sure(GroundShift(0.0, size_m + 0.1, low), 3.0)
    assert not shift.is_sure(GroundShift(less_m, 0.0, 1.0), 3.0)
    assert shift.is_sure(GroundShift(less_m + 0.1, 0.0, high), -3.0)
    # No ground moves 2 km in a quarter of an hour; what does is a cloud.
    assert not shift.is_sure(GroundShift(2000.0, 0.0, 1.0), 0.25)
    assert shift.is_sure(GroundShift(2000.0, 0.0, 1.0), -1.0)
