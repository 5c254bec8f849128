"""Step 40 as its users run it: reruns, other options, selections, masks, damage, crashes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.core.files import SimulatedCrash, crash_at_write
from tests.unit.preprocess.tifs_archive import (
    INVENTORY,
    folder_of,
    rows_of,
    scenes,
    select,
    step40,
    tree,
)


def test_tiles_of_both_scenes_are_listed_and_there(both, capsys):
    assert step40(both, "--quantity", "3") == 0
    folder = folder_of(both)
    rows = rows_of(folder)
    assert len(rows) == 6 and {int(row["scene"]) for row in rows} == set(scenes(both))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["complete"] and manifest["tiles"] == 6 and manifest["s3_type"] == "EFR"
    for name, digest in manifest["files"].items():
        assert files.sha256(folder / name) == digest
    for row in rows:
        assert row["tile"].startswith(f"{int(row['scene']):05d}_{row['x']}x{row['y']}")
        assert files.sha256(folder / f"{row['tile']}.tif") == row["sha256"]
        assert float(row["olci_valid_fraction"]) >= 0.95
    overlays = both / "data" / "_inventory" / "_overlays" / INVENTORY / "sel" / "64"
    wanted = {f"{scene}_64px.png" for scene in scenes(both)}
    assert {path.name for path in overlays.iterdir()} == wanted
    assert "2 done, 0 already there, 0 failed" in capsys.readouterr().out


def test_an_overlay_that_cannot_be_written_costs_no_tile(both, caplog):
    (both / "data" / "_inventory" / "_overlays").write_text("a file where a folder has to be")
    assert step40(both, "--quantity", "1") == 0
    assert len(rows_of(folder_of(both))) == 2
    said = [record.getMessage() for record in caplog.records]
    assert sum("the overlay of scene" in text and "left out" in text for text in said) == 2


def test_pair_with_the_smaller_gap_is_taken(both):
    step40(both, "--quantity", "1")
    first = rows_of(folder_of(both))[0]
    assert "S3B" in first["s3"] and float(first["time_gap_h"]) == pytest.approx(1 / 3, abs=1e-3)


def test_rerun_changes_nothing_and_says_so(both, capsys):
    step40(both, "--quantity", "2")
    before = tree(both / "data")
    times = {path: path.stat().st_mtime_ns for path in folder_of(both).glob("*.tif")}
    capsys.readouterr()
    assert step40(both, "--quantity", "2") == 0
    assert tree(both / "data") == before
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert "0 done, 2 already there" in capsys.readouterr().out


def test_tiles_of_an_earlier_version_are_refused_with_the_way_out(both, capsys):
    step40(both, "--quantity", "1")
    path = folder_of(both) / "manifest.json"
    manifest = files.read_json(path)
    manifest["options"]["version"] = 1
    files.write_json(path, manifest)
    assert step40(both, "--quantity", "1") == 2
    said = capsys.readouterr().err
    assert "version: 1 (there)" in said and "earlier version" in said and "--force" in said
    assert step40(both, "--quantity", "1", "--force") == 0


def test_a_second_run_elsewhere_and_with_workers_gives_the_same_bytes(both):
    step40(both, "--quantity", "2")
    first = tree(both / "data")
    for name in ("_tif", "_inventory/_overlays"):
        (both / "data" / name).rename(both / name.replace("/", "_"))
    assert step40(both, "--quantity", "2", "--workers", "2") == 0
    assert tree(both / "data") == first


def test_other_options_are_refused_with_the_difference_and_force_removes_what_is_listed(
    both, capsys
):
    step40(both, "--quantity", "2")
    foreign = folder_of(both) / "00000_1x1_notes.txt"
    foreign.write_text("mine")
    before = tree(both / "data")
    capsys.readouterr()
    assert step40(both, "--quantity", "2", "--seed", "5", "--max-cloud", "0.2") == 2
    said = capsys.readouterr().err
    assert "seed: 0 (there) against 5 (asked)" in said
    assert "max_cloud: 0.1 (there) against 0.2 (asked)" in said
    assert tree(both / "data") == before
    assert step40(both, "--quantity", "2", "--seed", "5", "--force") == 0
    folder = folder_of(both)
    listed = set(json.loads((folder / "manifest.json").read_text())["files"])
    found = {path.name for path in folder.iterdir() if path.suffix in (".tif", ".npz")}
    assert found == listed and foreign.read_text() == "mine"
    assert not listed & {Path(name).name for name in before}


def test_unknown_ids_and_changed_products_stop_before_anything_is_written(both, capsys):
    select(both, *scenes(both), 77, 99)
    assert step40(both) == 2
    said = capsys.readouterr().err
    assert "77" in said and "99" in said
    select(both, scenes(both)[0], products={str(scenes(both)[0]): "S2A_MSIL1C_OTHER"})
    assert step40(both) == 2
    assert "S2A_MSIL1C_OTHER" in capsys.readouterr().err
    assert not (both / "data" / "_tif").exists()


def test_dry_run_writes_nothing_and_counts_what_a_run_would_do(both, capsys):
    before = tree(both)
    assert step40(both, "--dry-run") == 0
    assert tree(both) == before
    said = capsys.readouterr().out
    assert "would cut 5 tiles of scene" in said
    assert "step 40: 2 would be done, 0 already there, 0 failed" in said
    kept, _ = scenes(both)
    select(both, kept)
    step40(both, "--quantity", "2")
    select(both, *scenes(both))
    capsys.readouterr()
    assert step40(both, "--dry-run", "--quantity", "2") == 0
    assert "1 would be done, 1 already there, 0 failed" in capsys.readouterr().out
    assert step40(both, "--dry-run", "--quantity", "5") == 0
    assert f"would cut 3 further tiles of scene {kept:05d}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--masks", "icy"], "no such mask"),
        (["--max-cloud", "1.5"], "--max-cloud"),
        (["--tilesize", "0"], "--tilesize"),
        (["--margin", "-1"], "--margin"),
        (["--masks", "../x"], "mask names"),
    ],
)
def test_bad_options_are_named(both, capsys, arguments, says):
    common = ["--environment", str(both / "environment.json"), "--selection", "sel"]
    from sensor2sensor.preprocess.tiles import run as tifs

    assert tifs.main([*common, *arguments]) == 2
    assert says in capsys.readouterr().err


KML = (
    '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><Polygon><outerBoundaryIs>'
    "<LinearRing><coordinates>{ring}</coordinates></LinearRing></outerBoundaryIs></Polygon>"
    "</Placemark></Document></kml>"
)


def test_masks_decide_the_suffix(both):
    masks = both / "data" / "_masks"
    masks.mkdir()
    # The scene is 3.84 km wide from 81 W on; this mask covers its western half.
    ring = "-81.1,72.9 -80.942,72.9 -80.942,73.1 -81.1,73.1 -81.1,72.9"
    (masks / "west.kml").write_text(KML.format(ring=ring))
    assert step40(both, "--masks", "west", "--grid", "--quantity", "36") == 0
    rows = rows_of(folder_of(both))
    inside = {row["inside_mask"] for row in rows}
    assert inside == {"true", "false"}
    for row in rows:
        outside = row["tile"].endswith("_notinmask")
        assert outside == (row["inside_mask"] == "false")
        assert (folder_of(both) / f"{row['tile']}.tif").is_file()
    x = {name: [int(r["x"]) for r in rows if r["inside_mask"] == name] for name in inside}
    assert max(x["true"]) < max(x["false"]) and min(x["true"]) == 0


def test_truncated_image_is_named_and_leaves_no_tile(both, capsys):
    image = next((both / "s2").glob("*.SAFE/GRANULE/*/IMG_DATA/*_B03.jp2"))
    image.write_bytes(image.read_bytes()[:2000])
    assert step40(both, "--quantity", "1", "--no-verify") == 1
    assert "_B03.jp2" in capsys.readouterr().out
    assert len(list(folder_of(both).glob("*[0-9].tif"))) == 1


def test_shortage_is_shown_with_its_reasons(both, capsys):
    select(both, scenes(both)[0])
    assert step40(both, "--grid", "--quantity", "50", "--max-cloud", "0") == 0
    said = capsys.readouterr().out
    assert "of 50 tiles, no more exist among 36 positions" in said


@pytest.mark.slow
def test_a_crash_at_any_write_is_repaired_by_a_repeat(both):
    select(both, scenes(both)[0])

    def run() -> int:
        return step40(both, "--quantity", "2", "--no-verify")

    assert run() == 0
    whole = tree(both / "data")

    def clear() -> None:
        import shutil

        shutil.rmtree(both / "data" / "_tif")
        shutil.rmtree(both / "data" / "_inventory" / "_overlays")

    crashed = 0
    for n in range(1, 100):
        clear()
        try:
            with crash_at_write(n):
                run()
        except SimulatedCrash:
            crashed += 1
        else:
            break
        assert run() == 0
        assert tree(both / "data") == whole, f"write {n}"
    # manifest, a log of both tiles, three files of each, overlay, log, table, manifest, quality
    # table and page
    assert crashed == 1 + 1 + 2 * 3 + 1 + 1 + 2 + 2


def test_force_interrupted_at_any_write_is_repaired_by_a_repeat(both):
    select(both, scenes(both)[0])
    step40(both, "--quantity", "1", "--seed", "1", "--no-verify")
    other = tree(both / "data")
    step40(both, "--quantity", "1", "--seed", "2", "--no-verify", "--force")
    whole = tree(both / "data")
    for n in (2, 6, 7, 9):
        step40(both, "--quantity", "1", "--seed", "1", "--no-verify", "--force")
        assert tree(both / "data") == other
        with pytest.raises(SimulatedCrash), crash_at_write(n):
            step40(both, "--quantity", "1", "--seed", "2", "--no-verify", "--force")
        assert step40(both, "--quantity", "1", "--seed", "2", "--no-verify", "--force") == 0
        assert tree(both / "data") == whole, f"write {n}"


def test_the_script_runs_from_anywhere_and_helps(repository, tmp_path):
    script = repository / "preprocessing" / "40_create_tifs.py"
    found = subprocess.run(
        [sys.executable, str(script), "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 0
    assert "_masks/seaice.kml" in found.stdout
    assert "--selection sel_T17XNA" in found.stdout and "--dry-run" in found.stdout
    assert "--masks seaice,land \\\n        --tilesize 256" in found.stdout
