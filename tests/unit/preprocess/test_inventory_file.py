"""The inventory table: what was written is what is read, spreadsheets are survived."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.preprocess.inventory.rows import HEADER, InventoryRow, read_rows
from sensor2sensor.preprocess.inventory.table import (
    Inventory,
    csv_path,
    read_inventory,
    write_inventory,
)

OPTIONS = {
    "tile": "T17XNA",
    "timediff_h": 10.0,
    "level": "L1C",
    "resolution_m": 10,
    "bands": ["B02", "B03", "B04"],
    "s2_only": False,
    "s3_type": "EFR",
}


def pair(index, s2="a.SAFE", s3="2022/10/x.SEN3", overlap=0.5):
    s2date = datetime(2022, 10, 5, 11, 54, 11, 24000, tzinfo=UTC)
    s3date = datetime(2022, 10, 5, 13, 24, 11, 24000, tzinfo=UTC)
    known = (-1.5, "S2A", "04.00", 0.25)
    return InventoryRow(index, 2022, 10, s2, s2date, s3, s3date, 1.5, ".SEN3", overlap, *known)


def saved(tmp_path, rows):
    env = SimpleNamespace(inventory_dir=tmp_path)
    inventory = Inventory("inv_T17XNA_10h", rows, OPTIONS, {"a.SAFE": {"name": "a"}}, {"y": "z"})
    manifest = {"step": "20", "options": OPTIONS, "products": inventory.products}
    write_inventory(env, inventory, manifest | {"superseded": {"y": "z"}})
    return env, inventory


def test_what_is_written_is_read_back(tmp_path):
    env, inventory = saved(tmp_path, [pair(0), pair(1, s3="y.zip"), pair(2, s2="b.zip", s3=None)])
    alone = InventoryRow(3, 2022, 10, "c.zip", datetime(2022, 10, 6, tzinfo=UTC))
    env, inventory = saved(tmp_path, [*inventory.rows[:2], alone])
    assert read_inventory(env, "inv_T17XNA_10h") == inventory


@pytest.mark.parametrize(
    ("edit", "bad"),
    [
        ({"s3": "z.SEN3"}, [0]),
        ({"s3date": datetime(2022, 10, 9, 13, 24, 11, tzinfo=UTC)}, [0]),
        ({"s2date": datetime(2022, 10, 6, 11, 54, 11, tzinfo=UTC)}, [0]),
        ({"time_gap_h": 0.2}, [0]),
        ({"time_gap_h": 1.51, "s3date": datetime(2022, 10, 5, 13, 24, 11, tzinfo=UTC)}, []),
        ({"time_gap_h": 0.2, "s3_joined": ("x2.SEN3",)}, []),
    ],
    ids=["swapped", "pass", "scene", "gap", "rounded", "joined"],
)
def test_rows_that_pair_other_times_than_their_products_have_are_refused(tmp_path, edit, bad):
    times = {"a.SAFE": "2022-10-05T11:54:11.024Z", "2022/10/x.SEN3": "2022-10-05T13:24:11.024Z"}
    times["z.SEN3"] = "2022-10-26T13:24:11.024Z"
    products = {path: {"sensing_start": at, "time": at} for path, at in times.items()}
    row = replace(pair(0), time_gap_h=1.5)
    env = SimpleNamespace(inventory_dir=tmp_path)
    manifest = {"step": "20", "options": OPTIONS, "products": products, "superseded": {}}
    for rows in ([row], [replace(row, **edit)]):
        write_inventory(env, Inventory("inv_T17XNA_10h", rows, OPTIONS), manifest)
        if rows == [row] or not bad:
            assert read_inventory(env, "inv_T17XNA_10h").rows == rows
        else:
            with pytest.raises(InputError, match=r"not those of their products: 0; undo the edit"):
                read_inventory(env, "inv_T17XNA_10h")


def test_header_is_the_documented_one(tmp_path):
    saved(tmp_path, [pair(0)])
    lines = (tmp_path / "inv_T17XNA_10h.csv").read_text().splitlines()
    assert lines[0] == (
        "index,year,month,s2,s2date,s3,s3date,timediff,s3filetype,overlap,"
        "time_gap_h,platform,baseline,cloud_fraction"
    )
    assert lines[1] == (
        "0,2022,10,a.SAFE,2022-10-05T11:54:11.024Z,2022/10/x.SEN3,2022-10-05T13:24:11.024Z,"
        "1.5000,.SEN3,0.5000,-1.5000,S2A,04.00,0.2500"
    )


def test_a_table_of_earlier_versions_is_read_with_what_it_lacks_unknown(tmp_path):
    saved(tmp_path, [pair(0)])
    path = tmp_path / "inv_T17XNA_10h.csv"
    header, row = path.read_text().splitlines()
    old = [",".join(line.split(",")[:10]) for line in (header, row)]
    path.write_text("\n".join(old) + "\n")
    unknown = {"time_gap_h": None, "platform": None, "baseline": None, "cloud_fraction": None}
    assert read_rows(path) == [replace(pair(0), **unknown)]


def test_a_small_negative_gap_has_no_negative_zero():
    cells = replace(pair(0), time_gap_h=-0.00001).cells()
    assert cells[HEADER.index("time_gap_h")] == "0.0000"


def test_a_scene_whose_only_partner_is_superseded_stays_without_one(tmp_path):
    rows = [pair(0), pair(1, "b.SAFE", "y.zip")]
    scenes = Inventory("inv", rows, OPTIONS, {}, {"y.zip": "z.zip"}).scenes()
    assert [(row.s2, row.s3, row.overlap, row.timediff_h) for row in scenes[1]] == [
        ("b.SAFE", None, None, None)
    ]


def test_frames_of_one_pass_are_told_from_other_passes():
    def at(index, path, minutes, overlap):
        row = pair(index, s3=path, overlap=overlap)
        return replace(row, s3date=row.s3date + timedelta(minutes=minutes))

    rows = [at(0, "a", 0, 0.6), at(1, "b", 3, 0.5), at(2, "c", 3, 0.5), at(3, "d", 40, 0.5)]
    rows.append(at(4, "e", 3, 0.0))
    satellites = {"a": "S3A", "b": "S3A", "c": "S3B", "d": "S3A", "e": "S3A"}
    facts = {path: {"acquisition": [name]} for path, name in satellites.items()}
    inventory = Inventory("inv", rows, OPTIONS, facts)
    assert [row.s3 for row in inventory.frames_beside(rows[0], rows)] == ["b"]
    assert [row.s3 for row in inventory.frames_beside(rows[1], rows)] == ["a"]
    assert inventory.frames_beside(rows[3], rows) == []
    whole = replace(rows[0], overlap=1.0)
    assert inventory.frames_beside(whole, rows) == []


def test_a_scene_is_named_by_its_smallest_index_even_when_rows_were_sorted(tmp_path):
    rows = [pair(4, "b.SAFE"), pair(3, s3="y.zip"), pair(1, "b.SAFE", "y.zip"), pair(0)]
    scenes = Inventory("inv", rows, OPTIONS).scenes()
    assert {i: [row.index for row in found] for i, found in scenes.items()} == {
        0: [0, 3],
        1: [1, 4],
    }
    assert [row.s2 for row in scenes[1]] == ["b.SAFE", "b.SAFE"]


def test_superseded_products_are_left_out_and_no_id_changes(tmp_path):
    rows = [pair(0), pair(1, s3="y.zip"), pair(2, "b.SAFE"), pair(3, "b.SAFE", "y.zip")]
    found = Inventory("inv", rows, OPTIONS, {}, {"a.SAFE": "b.SAFE"}).scenes()
    assert {i: [row.index for row in found] for i, found in found.items()} == {2: [2, 3]}
    found = Inventory("inv", rows, OPTIONS, {}, {"2022/10/x.SEN3": "y.zip"}).scenes()
    assert {i: [row.index for row in found] for i, found in found.items()} == {0: [1], 2: [3]}


def test_a_spreadsheet_with_bom_semicolons_commas_and_crlf_is_read(tmp_path):
    saved(tmp_path, [pair(0), pair(1, s3="y.zip", overlap=0.25)])
    path = tmp_path / "inv_T17XNA_10h.csv"
    before = read_rows(path)
    text = path.read_text().replace(",", ";").replace("0.2500", "0,2500").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b";;;;;;;;;;;;;\r\n")
    assert read_rows(path) == before


def test_all_bad_lines_are_named_at_once(tmp_path):
    path = tmp_path / "inv.csv"
    good = [str(cell) for cell in pair(0).cells()]
    bad_index = ["x", *good[1:]]
    outside = [*good[:3], "../../etc/passwd", *good[4:]]
    no_number = [*good[:9], "nan", *good[10:]]
    files.write_csv(path, HEADER, [good, bad_index, outside, no_number, good[:4], good])
    with pytest.raises(InputError) as caught:
        read_rows(path)
    message = str(caught.value)
    for expected in (
        "line 3: index 'x'",
        "line 4: product path '../../etc/passwd'",
        "line 5: 'nan'",
        "line 6: 4 cells",
        "index 0 stands in 2 rows",
    ):
        assert expected in message


@pytest.mark.parametrize("line", [1, 3])
def test_a_cell_without_end_is_named_with_its_line(tmp_path, line):
    path = tmp_path / "inv.csv"
    files.write_csv(path, HEADER, [pair(0).cells(), pair(1).cells()])
    lines = path.read_text().splitlines()
    lines[line - 1] = f"{'x' * 200_000}{lines[line - 1]}"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"{path}:{line}: field larger than field limit")


def test_unknown_and_missing_columns_are_named(tmp_path):
    path = tmp_path / "inv.csv"
    files.write_csv(path, [*HEADER[:9], "overlapp"], [])
    with pytest.raises(InputError, match=r"missing: \['overlap'\].*not known: \['overlapp'\]"):
        read_rows(path)


def test_an_unknown_inventory_is_answered_with_the_nearest(tmp_path):
    env, _ = saved(tmp_path, [pair(0)])
    with pytest.raises(InputError, match="nearest: 'inv_T17XNA_10h'"):
        read_inventory(env, "inv_T17XNA_1h")
    with pytest.raises(InputError, match="run step 20 first"):
        read_inventory(SimpleNamespace(inventory_dir=tmp_path / "none"), "inv_T17XNA_1h")


@pytest.mark.parametrize("name", ["../inv", "a/b", "", ".hidden", "a\\b", "/etc/passwd"])
def test_a_name_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(InputError, match="no inventory name"):
        csv_path(tmp_path, name)


def test_a_missing_or_foreign_manifest_is_named(tmp_path):
    env, _ = saved(tmp_path, [pair(0)])
    manifest = tmp_path / "inv_T17XNA_10h.json"
    manifest.write_text('{"step": "30"}')
    with pytest.raises(InputError, match="'options' is missing"):
        read_inventory(env, "inv_T17XNA_10h")
    manifest.unlink()
    with pytest.raises(InputError, match=r"manifest is missing.*repeat step 20"):
        read_inventory(env, "inv_T17XNA_10h")
