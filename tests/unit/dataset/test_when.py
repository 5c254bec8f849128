"""Day and season of a tile, from what split.csv records of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from sensor2sensor.dataset.ledger import SplitRow
from sensor2sensor.dataset.when import date_of, hemispheres, season_of

ROW = SplitRow(
    name="inv__00001_0x0", split="test", block="b", scene=1, inventory="inv", file="f", record=0,
    offset=0, length=1, sha256="", source_sha256="", epsg=None, ulx_m=None, uly_m=None,
    time_gap_h=None, shift_m=None, incomplete_blocks=0, reason="",
)  # fmt: skip


@pytest.mark.parametrize(("changes", "day"), [
    ({"overpass": "S2A_20221005T115411"}, date(2022, 10, 5)),
    ({"overpass": "ARM_T14SPE_20180304"}, date(2018, 3, 4)),
    ({"overpass": "Landcover-773418", "name": "x_2021-06-30_0x0"}, date(2021, 6, 30)),
    ({"name": "x__S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126"},
     date(2022, 4, 13)),
    # Two days, of which one may be that of the processing; and digits that are no day.
    ({"name": "x_20220413_20220414"}, None), ({"name": "x_20221399"}, None),
    ({"name": "x_120220413"}, None), ({}, None),
])  # fmt: skip
def test_the_day_is_that_of_the_overpass_or_the_only_one_of_the_name(changes, day):
    assert date_of(replace(ROW, **changes)) == day


@pytest.mark.parametrize(("month", "north", "south"), [
    (12, "winter", "summer"), (2, "winter", "summer"), (3, "spring", "autumn"),
    (6, "summer", "winter"), (8, "summer", "winter"), (11, "autumn", "spring"),
])  # fmt: skip
def test_seasons_are_whole_months_and_turned_in_the_south(month, north, south):
    day = date(2022, month, 1)
    assert season_of(ROW, day, northern=True) == north
    assert season_of(ROW, day, northern=False) == south
    assert season_of(ROW, day, None) == "" == season_of(ROW, None, northern=True)


def test_a_region_of_sen12mscr_names_the_season_of_the_north():
    region = replace(ROW, overpass="fall_139")
    assert season_of(region, None, northern=True) == "autumn"
    assert season_of(region, None, northern=False) == "spring"
    assert season_of(region, None, None) == ""


def test_hemispheres_are_told_by_coordinates_of_any_zone():
    places = {"a": (32633, 7e6), "b": (32721, 6.5e6), "c": (32633, -1e5), "d": (None, None)}
    rows = [
        replace(ROW, name=name, epsg=epsg, ulx_m=5e5, uly_m=y) for name, (epsg, y) in places.items()
    ]
    assert hemispheres(rows) == {"a": True, "b": False, "c": False, "d": None}
