"""tiles.csv: what the writer puts down the reader gives back, of earlier versions too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.preprocess.tiles.table import TileRow, read_table, write_table

FULL = TileRow(
    tile="00003_64x128",
    scene=3,
    x=64,
    y=128,
    size_px=256,
    inside_mask=False,
    epsg=32617,
    ulx_m=500640.0,
    uly_m=8098720.0,
    resolution_m=10.0,
    s2="2022/07/S2A.SAFE",
    s2date="2022-07-14T17:19:11.024Z",
    s3="2022/07/S3A.SEN3",
    s3date="2022-07-14T18:09:11.024Z",
    time_gap_h=-0.8333,
    valid_fraction=0.987654,
    cloud_fraction=0.0,
    nodata_fraction=1e-06,
    olci_valid_fraction=1.0,
    olci_pixels=81,
    shift_m=67.082,
    shift_east_m=60.0,
    shift_north_m=-30.0,
    shift_quality=0.261,
    margin_px=30,
    sha256="ab" * 32,
    overpass="S2A_20220714T171911",
)
# Sentinel-2 alone, of unknown clouds, without masks: as little as a tile can have.
BARE = TileRow(
    **{name: getattr(FULL, name) for name in ("tile", "scene", "x", "y", "size_px", "epsg")},
    **{name: getattr(FULL, name) for name in ("ulx_m", "uly_m", "resolution_m", "s2", "s2date")},
    s3=None,
    time_gap_h=None,
    shift_m=None,
    sha256=FULL.sha256,
)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [FULL, BARE, replace(FULL, inside_mask=True)]
    write_table(tmp_path, rows)
    assert read_table(tmp_path / "tiles.csv") == rows
    assert [TileRow.from_json(row.as_json()) for row in rows] == rows


def test_columns_stand_in_the_order_they_always_had(tmp_path: Path) -> None:
    write_table(tmp_path, [FULL])
    header, line = (tmp_path / "tiles.csv").read_text().splitlines()
    assert header == (
        "tile,scene,x,y,size_px,inside_mask,epsg,ulx_m,uly_m,resolution_m,s2,s2date,s3,s3date,"
        "time_gap_h,valid_fraction,cloud_fraction,nodata_fraction,olci_valid_fraction,olci_pixels,"
        "shift_m,shift_east_m,shift_north_m,shift_quality,margin_px,sha256,overpass"
    )
    assert line.startswith("00003_64x128,3,64,128,256,false,32617,500640.0,8098720.0,10.0,")


def test_weights_of_the_draw_stand_where_they_were_asked_for(tmp_path: Path) -> None:
    assert "draw_weight" not in FULL.as_json()
    rows = [FULL, replace(FULL, draw_weight=4.0)]
    write_table(tmp_path, rows)
    header, first, second = (tmp_path / "tiles.csv").read_text().splitlines()
    assert header.endswith(",overpass,draw_weight")
    assert first.endswith("T171911,") and second.endswith(",4.0")
    assert read_table(tmp_path / "tiles.csv") == rows
    assert [TileRow.from_json(row.as_json()) for row in rows] == rows


def test_a_table_without_newer_columns_does_not_say(tmp_path: Path) -> None:
    write_table(tmp_path, [BARE])
    table = tmp_path / "tiles.csv"
    lines = table.read_text().splitlines()
    table.write_text("".join(f"{line.rpartition(',')[0]}\n" for line in lines))
    assert read_table(table) == [BARE]
    without = {key: value for key, value in BARE.as_json().items() if key != "overpass"}
    assert TileRow.from_json(without) == BARE


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (",false,", ",maybe,", "'maybe' is neither true nor false"),
        (",81,", ",many,", "invalid literal for int() with base 10: 'many'"),
        (",0.261,30,", "\n", "it ends before shift_quality"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    write_table(tmp_path, [BARE, FULL])
    table = tmp_path / "tiles.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        read_table(table)
    told = f"{table}:3: damaged line ({wanted}"
    assert str(caught.value).startswith(told) and "run step 40 again" in str(caught.value)
