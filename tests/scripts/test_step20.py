"""Step 20 through its door, on products in the real formats."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import timedelta

import pytest

from sensor2sensor.core import files
from sensor2sensor.preprocess.inventory.run import main
from sensor2sensor.preprocess.inventory.table import read_inventory
from tests.doors import run_door
from tests.scripts.step_archive import (
    SCENES,
    fresh_copy,
    killed,
    overpass,
    scene,
    tree,
)

NAME = "inv_T17XNA_2.5h"


@pytest.fixture
def archive(tmp_path):
    return fresh_copy(tmp_path)


def step20(file, *options, tile="T17XNA", timediff="2.5"):
    window = [] if timediff is None else ["--timediff", timediff]
    return main(["--environment", file, "--tile", tile, *window, *options])


def table(env, name=NAME):
    with (env.inventory_dir / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def pairs(env, name=NAME):
    return [(row["index"], row["s2date"][:16], row["s3date"][:16]) for row in table(env, name)]


ALL_PAIRS = [
    ("0", "2022-12-31T23:40", "2022-12-31T22:40"),
    ("1", "2022-12-31T23:40", "2023-01-01T01:10"),
    ("2", "2023-01-03T17:00", "2023-01-03T16:00"),
]


def test_pairs_over_the_turn_of_the_year(archive, capsys):
    env, file = archive
    assert step20(file) == 0
    assert pairs(env) == ALL_PAIRS
    rows = table(env)
    # The tile was seen 4 s after its datatake began, by the passes 0.7 s after theirs.
    assert [row["timediff"] for row in rows] == ["1.0009", "1.4991", "1.0009"]
    assert [row["time_gap_h"] for row in rows] == ["-1.0009", "1.4991", "-1.0009"]
    assert [(row["platform"], row["baseline"]) for row in rows] == [("S2A", "04.00")] * 3
    assert [float(row["cloud_fraction"]) > 0.3 for row in rows] == [False, False, True]
    assert [row["s3filetype"] for row in rows] == [".SEN3", ".zip", ".SEN3"]
    assert [row["s3"].split("/S3")[0] for row in rows[:2]] == ["2022/12", "2023/01"]
    assert [(row["year"], row["month"]) for row in rows] == [("2022", "12")] * 2 + [("2023", "01")]
    assert all(float(row["overlap"]) > 0.9 for row in rows)
    assert "step 20: 2 done, 0 already there, 0 failed" in capsys.readouterr().out
    assert read_inventory(env, NAME).scenes().keys() == {0, 2}


def test_the_window_is_inclusive_and_named_without_ambiguity(archive):
    env, file = archive
    assert step20(file, timediff="1.001") == 0
    assert [row[0] for row in pairs(env, "inv_T17XNA_1.001h")] == ["0", "1"]
    assert step20(file, timediff="10.0", tile="17xna") == 0
    assert pairs(env, "inv_T17XNA_10h") == ALL_PAIRS


def test_sentinel2_alone(archive):
    env, file = archive
    assert step20(file, "--s2-only", timediff=None) == 0
    rows = table(env, "inv_T17XNA_s2")
    assert [(row["index"], row["s3"], row["overlap"]) for row in rows] == [
        ("0", "", ""),
        ("1", "", ""),
    ]
    inventory = read_inventory(env, "inv_T17XNA_s2")
    assert inventory.sentinel2_only
    assert inventory.options["bands"] == ["B02", "B03", "B04"]
    assert (inventory.options["resolution_m"], inventory.options["level"]) == (10, "L1C")


def test_two_workers_write_the_same_bytes(archive):
    env, file = archive
    assert step20(file, "--verify") == 0
    alone = tree(env.data_root)
    shutil.rmtree(env.data_root)
    assert step20(file, "--verify", "--workers", "2") == 0
    assert tree(env.data_root) == alone


def test_a_rerun_changes_nothing_and_new_products_are_appended(archive):
    env, file = archive
    late = next(iter(sorted((env.s2_root).glob("*.SAFE"))))
    aside = env.data_root.parent / late.name
    late.rename(aside)
    assert step20(file) == 0
    assert pairs(env) == [("0", *ALL_PAIRS[2][1:])]
    first = tree(env.data_root)
    assert step20(file) == 0
    assert tree(env.data_root) == first
    aside.rename(late)
    assert step20(file) == 0
    assert pairs(env) == [
        ("0", *ALL_PAIRS[2][1:]),
        ("1", *ALL_PAIRS[0][1:]),
        ("2", *ALL_PAIRS[1][1:]),
    ]


def test_damaged_products_are_named_and_the_run_goes_on(archive, capsys):
    env, file = archive
    (env.s2_root / "S2A_MSIL1C_20230104T170000_N0400_R026_T17XNA_20230104T210000.zip").write_text(
        "<html>not found</html>"
    )
    hole = scene(env.s2_root, SCENES[1] + timedelta(days=2))
    next(hole.rglob("*_B03.jp2")).unlink()
    short = next((env.s3_root / "2022/12").iterdir()) / "Oa08_radiance.nc"
    short.write_bytes(short.read_bytes()[:-1])
    assert step20(file) == 1
    out = capsys.readouterr().out
    assert [row[1:] for row in pairs(env)] == [row[1:] for row in ALL_PAIRS[1:]]
    assert "S2A_MSIL1C_20230104T170000" in out
    assert "missing GRANULE" in out
    assert "_B03.jp2" in out
    assert "Oa08_radiance.nc has" in out
    assert "2 done, 0 already there, 3 failed" in out
    manifest = json.loads((env.inventory_dir / f"{NAME}.json").read_text())
    assert len(manifest["failed"]) == 3


def test_a_flipped_bit_is_found_by_verify_alone(archive, capsys):
    env, file = archive
    image = next(next(env.s2_root.glob("*.SAFE")).rglob("*_B02.jp2"))
    data = bytearray(image.read_bytes())
    data[-20] ^= 4
    image.write_bytes(data)
    assert step20(file) == 0
    states = [f["checksums"] for f in read_inventory(env, NAME).products.values()]
    assert set(states) == {"not checked"}
    shutil.rmtree(env.data_root)
    assert step20(file, "--verify") == 1
    out = capsys.readouterr().out
    assert "_B02.jp2: SHA3-256 differs" in out
    assert pairs(env) == [("0", *ALL_PAIRS[2][1:])]
    states = [f["checksums"] for f in read_inventory(env, NAME).products.values()]
    assert set(states) == {"verified"}


def test_both_levels_need_a_choice_that_names_the_counts(archive, capsys):
    env, file = archive
    scene(env.s2_root, SCENES[0], level="L2A")
    assert step20(file) == 2
    message = capsys.readouterr().err
    assert "2 L1C and 1 L2A products; give --level L1C or --level L2A" in message
    assert not env.data_root.exists() or tree(env.data_root) == {}
    assert step20(file, "--level", "L1C") == 0
    assert pairs(env, f"{NAME}_L1C") == ALL_PAIRS
    assert step20(file, "--level", "L2A") == 0
    assert pairs(env, f"{NAME}_L2A") == ALL_PAIRS[:2]
    assert pairs(env, f"{NAME}_L1C") == ALL_PAIRS


def test_other_options_are_refused_with_the_difference(archive, capsys):
    env, file = archive
    assert step20(file) == 0
    before = tree(env.data_root)
    assert step20(file, "--bands", "B02,B03") == 0, "the name carries what differs"
    assert pairs(env, f"{NAME}_B02-B03") == ALL_PAIRS
    # An earlier version put neither bands nor level into the name.
    for path in list(env.inventory_dir.glob("inv_*_B02-B03.*")):
        path.replace(path.with_name(path.name.replace("_B02-B03", "")))
    older = tree(env.data_root)
    assert step20(file, "--bands", "B02,B03") == 0
    assert tree(env.data_root) == older, "it is gone on with"
    assert step20(file) == 2
    error = capsys.readouterr().err
    assert "bands: ['B02', 'B03'] (there) against ['B02', 'B03', 'B04']" in error
    assert "move its .csv and .json away" in error
    assert tree(env.data_root) == older != before


def test_the_newest_baseline_is_listed_and_a_later_one_reported(archive, capsys):
    env, file = archive
    newer = scene(env.s2_root, SCENES[0], baseline="05.10")
    assert step20(file) == 0
    assert [row["s2"] == newer.name for row in table(env)] == [True, True, False]
    newest = scene(env.s2_root, SCENES[0], baseline="05.11")
    assert step20(file) == 0
    assert f"{newer.name} stays in the inventory although {newest.name} comes before it" in (
        capsys.readouterr().out
    )
    shutil.rmtree(newer)
    assert step20(file) == 0
    assert [(row["index"], row["s2"] == newest.name) for row in table(env)] == [
        ("0", False),
        ("1", False),
        ("2", False),
        ("3", True),
        ("4", True),
    ]
    assert sorted(read_inventory(env, NAME).scenes()) == [2, 3]


def test_reduced_resolution_is_another_type(archive):
    env, file = archive
    overpass(env.s3_root, "S3A", SCENES[1] + timedelta(minutes=30), product_type="OL_1_ERR")
    assert step20(file) == 0
    assert pairs(env) == ALL_PAIRS
    assert step20(file, "--s3-type", "ERR") == 0
    reduced = [row[1:] for row in pairs(env, f"{NAME}_ERR")]
    assert reduced == [("2023-01-03T17:00", "2023-01-03T17:30")]
    assert pairs(env) == ALL_PAIRS


def test_dry_run_writes_nothing(archive, capsys):
    env, file = archive
    before = tree(env.data_root.parent)
    assert step20(file, "--dry-run") == 0
    assert tree(env.data_root.parent) == before
    said = capsys.readouterr().out
    assert "would hold rows: 3 (0 kept, 3 new), scenes: 2" in said
    assert "step 20: 2 would be done, 0 already there, 0 failed" in said


@pytest.mark.parametrize("rerun", [False, True], ids=["first run", "extending"])
def test_a_crash_at_any_write_leaves_no_trace_after_a_rerun(archive, rerun):
    env, file = archive
    hidden = next(env.s2_root.glob("*.SAFE"))
    aside = env.data_root.parent / hidden.name

    def start():
        shutil.rmtree(env.data_root, ignore_errors=True)
        if rerun:
            hidden.rename(aside)
            assert step20(file) == 0
            aside.rename(hidden)

    start()
    assert step20(file) == 0
    undisturbed = tree(env.data_root)
    for n in range(1, 10):
        start()
        try:
            with files.crash_at_write(n):
                assert step20(file) == 0
            assert n > 1
            break
        except files.SimulatedCrash:
            assert step20(file) == 0
            assert tree(env.data_root) == undisturbed
    else:
        pytest.fail("the step never finished")


def test_a_killed_process_leaves_no_lock_and_no_trace(archive, repository):
    env, file = archive
    assert step20(file) == 0
    undisturbed = tree(env.data_root)
    shutil.rmtree(env.data_root)
    script = repository / "preprocessing" / "20_create_inventory.py"
    options = ("--environment", file, "--tile", "T17XNA", "--timediff", "2.5")
    assert killed(script, *options, at_write=2) == 137
    left = tree(env.data_root)
    assert any(name.endswith(".lock") for name in left)
    assert any(name.endswith(".part") for name in left)
    assert step20(file) == 0
    assert tree(env.data_root) == undisturbed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tile", "T17XNAA", "--timediff", "1"], "no MGRS tile"),
        (["--tile", "../17XNA", "--timediff", "1"], "no MGRS tile"),
        (["--tile", "T17XNA"], "--timediff is missing"),
        (["--tile", "T17XNA", "--timediff", "0"], "no window"),
        (["--tile", "T17XNA", "--timediff", "nan"], "no window"),
        (["--tile", "T17XNA", "--timediff", "-3"], "no window"),
        (["--tile", "T17XNA", "--timediff", "1", "--s2-only"], "no meaning with --s2-only"),
        (["--tile", "T17XNA", "--s2-only", "--bands", "B02,B88"], "no Sentinel-2 band 'B88'"),
        (["--tile", "T17XNA", "--s2-only", "--bands", "B02,B02"], "twice"),
        (["--tile", "T18XNA", "--s2-only"], "no Sentinel-2 product of tile T18XNA"),
        (["--tile", "T17XNA", "--s2-only", "--level", "L2A"], "no L2A product"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(archive, capsys, options, message):
    _, file = archive
    assert main(["--environment", file, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_the_door_runs_from_anywhere_without_heavy_imports(tmp_path, repository):
    door = repository / "preprocessing" / "20_create_inventory.py"
    done = run_door(door, "--help", cwd=tmp_path)
    assert done.code == 0 and not done.heavy
    assert "--tile T17XNA --timediff 10" in done.out


def test_a_seed_is_not_offered_where_nothing_is_drawn(archive, capsys):
    _, file = archive
    with pytest.raises(SystemExit) as ended:
        step20(file, "--seed", "3")
    assert ended.value.code == 2 and "--seed" in capsys.readouterr().err


def test_the_real_product_is_listed_at_60_m(tmp_path, real_data):
    file = tmp_path / "environment.json"
    file.write_text(json.dumps({"data_root": "data", "s2_root": str(real_data / "s2_safe")}))
    only = ["--environment", str(file), "--tile", "T29UNU", "--s2-only", "--verify"]
    assert main([*only, "--resolution", "60"]) == 0
    rows = (tmp_path / "data/_inventory/inv_T29UNU_s2_60m.csv").read_text().splitlines()
    assert rows[1] == (
        "0,2022,10,S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.SAFE,"
        "2022-10-05T11:54:11.024Z,,,,,,,S2A,04.00,0.5977"
    )
