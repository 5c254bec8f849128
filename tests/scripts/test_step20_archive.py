"""Step 20 and what archives hold: times, parts, copies, vanished products, nothing at all."""

from __future__ import annotations

import csv
import json
import re
import shutil
from datetime import timedelta

import pytest

from sensor2sensor.core import files
from sensor2sensor.preprocess.inventory.rows import HEADER
from sensor2sensor.preprocess.inventory.table import GONE, read_inventory
from tests.scripts.step_archive import (
    PASSES,
    SCENES,
    TILE_CENTRE,
    fresh_copy,
    overpass,
    scene,
    tree,
)
from tests.scripts.test_step20 import ALL_PAIRS, NAME, pairs, step20, table


@pytest.fixture
def archive(tmp_path):
    return fresh_copy(tmp_path)


def test_the_level_of_an_inventory_goes_on(archive):
    env, file = archive
    assert step20(file) == 0
    scene(env.s2_root, SCENES[0], level="L2A")
    assert step20(file) == 0
    assert pairs(env) == ALL_PAIRS
    assert step20(file, "--level", "L1C") == 0, "the same products, so the same inventory"
    assert [path.stem for path in env.inventory_dir.glob("*.csv")] == [NAME]


def test_an_inventory_of_a_version_that_left_options_out_of_its_name_goes_on(archive):
    env, file = archive
    assert step20(file, "--level", "L1C") == 0
    for path in list(env.inventory_dir.glob("inv_*")):
        path.rename(path.with_name(path.name.replace("_L1C", "")))
    before = pairs(env)
    scene(env.s2_root, SCENES[0] - timedelta(minutes=30))
    assert step20(file, "--level", "L1C") == 0
    assert pairs(env)[:3] == before and len(pairs(env)) == 5
    assert not (env.inventory_dir / f"{NAME}_L1C.csv").exists()


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_damaged_inventory_of_another_name_stands_in_nobody_s_way(archive, suffix):
    env, file = archive
    damaged = env.inventory_dir / f"{NAME}{suffix}"
    assert step20(file) == 0
    damaged.write_text("{" if suffix == ".json" else "damaged\n")
    assert step20(file, "--level", "L1C") == 0
    assert pairs(env, f"{NAME}_L1C") == ALL_PAIRS
    assert damaged.read_text() in ("{", "damaged\n")
    assert step20(file) == 2, "its own name"


def test_a_line_break_in_a_folder_s_name_is_shown_in_one_line(archive, capsys):
    env, file = archive
    product = next(env.s2_root.glob("*.SAFE"))
    odd = env.s2_root / "a\n\tb" / product.name
    odd.parent.mkdir()
    product.rename(odd)
    assert step20(file) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if "control" in line]
    assert len(told) == 1 and "rename that folder" in told[0] and "Windows" not in told[0]
    assert f"a\\n\\tb/{product.name}" in told[0] and told[0].startswith("  failed: ")


def test_nothing_found_writes_nothing_blocks_nothing_and_says_what_was_seen(archive, capsys):
    env, file = archive
    assert step20(file, timediff="0.5") == 1
    said = capsys.readouterr().out
    assert "nothing to list, nothing was written" in said
    assert "Sentinel-2 products of T17XNA: 2, Sentinel-3 products (EFR): 3" in said
    assert "the nearest 1.0 h away" in said
    assert step20(file, "--resolution", "60", timediff="2.5") == 1
    said = capsys.readouterr().out
    assert "Sentinel-2 products of T17XNA: 2 (0 usable)" in said and "B02 at 60 m" in said
    assert "; --resolution 10 has them" in said
    assert tree(env.data_root) == {} if env.data_root.exists() else True
    # What an earlier version wrote of a run that found nothing does not stand in the way either.
    files.write_csv(env.inventory_dir / f"{NAME}.csv", HEADER[:10], [])
    options = {"tile": "T17XNA", "timediff_h": 2.5, "level": None, "resolution_m": 60}
    options |= {"bands": ["B02"], "s2_only": False, "s3_type": "EFR"}
    empty = {"step": "20", "options": options, "products": {}, "superseded": {}}
    files.write_json(env.inventory_dir / f"{NAME}.json", empty)
    assert step20(file) == 0
    assert pairs(env) == ALL_PAIRS


def test_a_product_stripped_to_60_m_is_told_by_the_resolution_that_has_its_bands(archive, capsys):
    env, file = archive
    made = scene(env.s2_root, SCENES[1] + timedelta(days=2), level="L2A", resolutions=(10, 20, 60))
    for image in [*made.rglob("R10m/*"), *made.rglob("R20m/*")]:
        image.unlink()
    only = ("--s2-only", "--level", "L2A")
    assert step20(file, *only, timediff=None) == 1
    said = capsys.readouterr().out
    assert "B02_10m.jp2" in said and "B04_10m.jp2; --resolution 60 has them" in said
    assert step20(file, *only, "--resolution", "60", timediff=None) == 0


def test_scenes_without_a_partner_are_counted_with_the_nearest_pass(archive, capsys):
    env, file = archive
    scene(env.s2_root, SCENES[1] + timedelta(hours=30))
    assert step20(file) == 0
    said = capsys.readouterr().out
    assert "3 scenes, 1 without a Sentinel-3 pass within 2.5 h, the nearest 31.0 h away" in said


def test_a_damaged_product_near_a_scene_is_no_nearest_pass(archive, capsys):
    env, file = archive
    third = SCENES[1] + timedelta(hours=30)
    scene(env.s2_root, third)
    cut = overpass(env.s3_root, "S3B", third + timedelta(minutes=42)) / "Oa08_radiance.nc"
    cut.write_bytes(cut.read_bytes()[:-1])
    assert step20(file) == 1
    said = capsys.readouterr().out
    assert (
        "3 scenes, 1 without a usable Sentinel-3 pass within 2.5 h"
        " (1 of which has a damaged product 0.7 h away), the nearest usable one 31.0 h away"
    ) in said
    assert "scenes: 3 (2 listed)" in said
    # One that cannot even be opened is known by the time its name claims.
    shutil.rmtree(cut.parent)
    cut.parent.with_suffix(".zip").write_text("<html>")
    assert step20(file) == 1
    assert "(1 of which has a damaged product 0.7 h away)" in capsys.readouterr().out


def test_where_nothing_is_listed_damaged_products_are_told_apart(archive, capsys):
    env, file = archive
    for folder in env.s3_root.rglob("S3A*.SEN3"):
        (folder / "Oa08_radiance.nc").unlink()
    assert step20(file, timediff="1.2") == 1
    said = capsys.readouterr().out
    assert "Sentinel-3 products (EFR): 3 (2 of them damaged, the nearest 1.0 h away)" in said
    assert ", the nearest usable one 1.5 h away" in said


def test_scenes_whose_partners_vanished_are_counted_among_those_without(archive, capsys):
    env, file = archive
    scene(env.s2_root, SCENES[1] + timedelta(hours=30))
    assert step20(file) == 0
    assert "scenes: 3 (2 listed)" in capsys.readouterr().out
    shutil.rmtree(env.s3_root / table(env)[2]["s3"])
    for run in ("real", "again"):
        assert step20(file) == 0, run
        said = capsys.readouterr().out
        assert (
            "3 scenes, 2 without a usable Sentinel-3 pass within 2.5 h"
            " (1 of which had one that is not in the archive any more)"
        ) in said
        assert "scenes: 3 (2 listed, 1 usable now)" in said
        assert "step 20: 0 done, 1 already there, 0 failed" in said


def test_the_time_of_the_tile_decides_and_not_that_of_its_datatake(archive):
    env, file = archive
    late = SCENES[0] + timedelta(minutes=18, seconds=24)
    _edit(next(env.s2_root.glob("*.SAFE")), "SENSING_TIME", f"{late:%Y-%m-%dT%H:%M:%S}.000000Z")
    assert step20(file, timediff="1.2") == 0
    rows = table(env, "inv_T17XNA_1.2h")
    # Datatake and frame are 1 h apart for both scenes, and 1.5 h for the second partner.
    assert [(row["time_gap_h"], row["timediff"]) for row in rows] == [
        ("1.1935", "1.1935"),
        ("-1.0009", "1.0009"),
    ]
    assert [row["s2date"][:16] for row in rows] == ["2022-12-31T23:40", "2023-01-03T17:00"]


def test_rows_of_an_earlier_version_are_completed_and_keep_their_indices(archive):
    env, file = archive
    assert step20(file) == 0
    whole = tree(env.data_root)
    path = env.inventory_dir / f"{NAME}.csv"
    with path.open(newline="") as stream:
        rows = [line[:10] for line in csv.reader(stream)][1:]
    files.write_csv(path, HEADER[:10], [[*row[:7], "1.0000", *row[8:]] for row in rows])
    assert step20(file) == 0
    assert tree(env.data_root) == whole


def _edit(product, element, value):
    """Replace the text of an element in a product's XML; sizes change, so its manifest goes."""
    (product / "manifest.safe").unlink(missing_ok=True)
    for path in [*product.glob("MTD_*.xml"), *product.glob("GRANULE/*/MTD_TL.xml")]:
        text = re.sub(f"(<{element}[^>]*>)[^<]*<", rf"\g<1>{value}<", path.read_text())
        path.write_text(text)


def _parts_of(folder, *shares):
    """The first scene in parts, from north to south, each of a datastrip of its own."""
    return [
        scene(
            folder,
            SCENES[0],
            part=share,
            strip=SCENES[0] + timedelta(seconds=4 + 20 * number),
            generated=SCENES[0] + timedelta(hours=9 + number),
        )
        for number, share in enumerate(shares)
    ]


def test_parts_of_a_tile_are_one_scene_and_said(archive, capsys):
    env, file = archive
    shutil.rmtree(next(env.s2_root.glob("*.SAFE")))
    north, south = _parts_of(env.s2_root, (0.0, 0.4), (0.4, 1.0))
    name = "inv_T17XNA_s2"
    assert step20(file, "--s2-only", timediff=None) == 0
    said = capsys.readouterr().out
    assert [(row["s2"], row["s2_joined"]) for row in table(env, name)] == [
        (south.name, north.name),
        (table(env, name)[1]["s2"], ""),
    ]
    assert "2 products that each hold a part of it, joined to one scene" in said
    assert north.name in said and south.name in said
    again = tree(env.data_root)
    assert step20(file, "--s2-only", timediff=None) == 0
    assert tree(env.data_root) == again
    # What is left without its other part is a scene of its own, and the whole one waits for it.
    shutil.move(north, env.data_root.parent / "aside")
    assert step20(file, "--s2-only", timediff=None) == 0
    inventory = read_inventory(env, name)
    assert inventory.superseded == {}
    assert inventory.vanished == {north.name: GONE}
    assert [row.s2_paths for row in inventory.rows][2:] == [(south.name,)]
    said = capsys.readouterr().out
    assert (
        f"{north.name} is listed and is not in the archive any more: put it back, or leave" in said
    )
    assert "leave scene 00000 out of selections" in said
    shutil.move(env.data_root.parent / "aside", north)
    assert step20(file, "--s2-only", timediff=None) == 0
    assert read_inventory(env, name).rows == inventory.rows


def test_parts_that_an_inventory_lists_apart_stay_scenes_of_their_own(archive, capsys):
    env, file = archive
    shutil.rmtree(next(env.s2_root.glob("*.SAFE")))
    (north,) = _parts_of(env.s2_root, (0.0, 0.4))
    assert step20(file, "--s2-only", timediff=None) == 0
    before = table(env, "inv_T17XNA_s2")
    _, south = _parts_of(env.data_root.parent / "made", (0.0, 0.4), (0.4, 1.0))
    shutil.move(south, env.s2_root / south.name)
    capsys.readouterr()
    assert step20(file, "--s2-only", timediff=None) == 0
    rows = table(env, "inv_T17XNA_s2")
    assert rows[:2] == before and [row["s2"] for row in rows[2:]] == [south.name]
    assert "every part a scene of its own" in capsys.readouterr().out
    assert north.name == rows[0]["s2"]


def test_a_product_left_out_for_another_of_its_acquisition_is_named(archive, capsys):
    env, file = archive
    old = next(env.s2_root.glob("*.SAFE"))
    new = scene(env.s2_root, SCENES[0], generated=SCENES[0] + timedelta(hours=9))
    overpass(env.s3_root, *PASSES[0][1:], timeliness="NR")
    assert step20(file) == 0
    said = capsys.readouterr().out
    assert f"{old.name} is left out: {new.name} shows the same and comes first" in said
    assert "Sentinel-3 products left out for a better one of the same frame: 1" in said
    manifest = json.loads((env.inventory_dir / f"{NAME}.json").read_text())
    assert manifest["left_out"][old.name] == new.name


def test_a_listed_product_that_vanished_is_marked_until_it_is_back(archive, capsys):
    env, file = archive
    assert step20(file) == 0
    before = tree(env.data_root)
    path = table(env)[0]["s3"]
    (env.s3_root / path).rename(env.data_root.parent / "aside")
    assert step20(file) == 0
    said = capsys.readouterr().out
    assert f"{path} is listed and is not in the archive any more: put it back, until then" in said
    assert "scenes: 2\n" in said and "2 already there" in said, "its scene has another partner"
    assert read_inventory(env, NAME).vanished == {path: GONE}
    assert pairs(env) == ALL_PAIRS
    (env.data_root.parent / "aside").rename(env.s3_root / path)
    assert step20(file) == 0
    assert tree(env.data_root) == before


def test_a_frame_that_ends_before_the_tile_does_is_said(archive, capsys):
    env, file = archive
    start = PASSES[2][2]
    shutil.rmtree(next(env.s3_root.glob("*.SEN3")))
    (east, north), half = TILE_CENTRE, 33 * 294 / 2 / 111_000
    for minutes, lat in ((0, north + half), (3, north - half)):
        when = start + timedelta(minutes=minutes)
        overpass(env.s3_root, "S3A", when, centre_lonlat=(east, lat))
    assert step20(file, "--dry-run") == 0
    foreseen = capsys.readouterr().out
    assert step20(file) == 0
    assert [float(row["overlap"]) < 1.0 for row in table(env)] == [False, False, True, True]
    said = capsys.readouterr().out
    assert "scenes across two frames of one Sentinel-3 pass" in said
    assert "own: scene 00002;" in said
    assert foreseen.replace("would hold", "holds").replace("would be done", "done") == said


def test_a_copy_of_a_listed_product_is_called_a_copy(archive, capsys):
    env, file = archive
    product = next(env.s2_root.glob("*.SAFE"))
    shutil.copytree(product, env.s2_root / "again" / product.name)
    assert step20(file, "--s2-only", timediff=None) == 0
    said = capsys.readouterr().out
    two = {product.name, f"again/{product.name}"}
    (listed,) = two & {row["s2"] for row in table(env, "inv_T17XNA_s2")}
    (other,) = two - {listed}
    assert f"{other} is left out: it is a copy of {listed}\n" in said and "newer" not in said
