"""Pairing in time: an independent double loop is the oracle, and reruns never move an index."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor2sensor.core.times import format_utc
from sensor2sensor.preprocess.inventory.options import hours_label, inventory_name
from sensor2sensor.preprocess.inventory.pairing import first_scenes, plan
from sensor2sensor.preprocess.inventory.sightings import Sighting
from sensor2sensor.products.acquisitions import Acquisition

YEAR_END = datetime(2022, 12, 31, 23, 30, tzinfo=UTC)


def seen(path, start, *, acquisition=None, newest=True, name=None):
    what = Acquisition("S2A", acquisition or path, start, start)
    return Sighting(path, name or path.rsplit(".", 1)[0], what, start, newest)


def frame(path, start, *, newest=True, seconds=180):
    what = Acquisition("S3A", "OL_1_EFR", start, start + timedelta(seconds=seconds))
    return Sighting(path, path.rsplit(".", 1)[0], what, start, newest)


def facts_of(*products):
    return {p.path: {"name": p.name, "acquisition": p.acquisition.noted()} for p in products}


def pairs(planned):
    return [(row.s2, row.s3) for row in [*planned.kept, *planned.added]]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (10, "inv_T17XNA_10h"),
        (10.0, "inv_T17XNA_10h"),
        (100.0, "inv_T17XNA_100h"),
        (1.0, "inv_T17XNA_1h"),
        (2.5, "inv_T17XNA_2.5h"),
        (0.25, "inv_T17XNA_0.25h"),
        (None, "inv_T17XNA_s2"),
    ],
)
def test_names(hours, expected):
    assert inventory_name("T17XNA", hours) == expected
    assert inventory_name("T17XNA", hours, bands=("B02", "B8A")) == f"{expected}_B02-B8A"
    assert inventory_name("T17XNA", hours, bands=("B04", "B03", "B02")) != expected


@given(st.floats(1e-6, 1e5), st.floats(1e-6, 1e5))
def test_two_windows_never_share_a_name(a, b):
    assert (hours_label(a) == hours_label(b)) == (a == b)


TIMES = st.datetimes(
    min_value=datetime(2019, 12, 30), max_value=datetime(2020, 3, 2), timezones=st.just(UTC)
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(TIMES, max_size=8),
    st.lists(TIMES, max_size=25),
    st.integers(1, 40).map(lambda quarter_hours: timedelta(minutes=15 * quarter_hours)),
)
def test_exactly_the_products_within_the_window_are_paired(s2_times, s3_times, window):
    scenes = [seen(f"s{i}.SAFE", t) for i, t in enumerate(s2_times)]
    passes = [seen(f"p{i}.SEN3", t) for i, t in enumerate(s3_times)]
    planned = plan(scenes, passes, window)
    expected = {
        (scene.path, other.path)
        for scene in scenes
        for other in passes
        if -window <= other.start - scene.start <= window
    }
    assert set(pairs(planned)) == expected
    assert len(planned.added) == len(expected)
    assert [row.index for row in planned.added] == list(range(len(expected)))
    for row in planned.added:
        gap = abs(row.s3date.timestamp() - row.s2date.timestamp()) / 3600
        assert row.timediff_h == pytest.approx(gap, abs=1e-6)
        assert (row.year, row.month) == (row.s2date.year, row.s2date.month)


@settings(max_examples=40, deadline=None)
@given(st.lists(TIMES, max_size=12), st.lists(TIMES, max_size=20), st.data())
def test_a_rerun_keeps_every_index_and_ends_with_the_same_pairs(s2_times, s3_times, data):
    scenes = [seen(f"s{i}.SAFE", t) for i, t in enumerate(s2_times)]
    passes = [seen(f"p{i}.SEN3", t) for i, t in enumerate(s3_times)]
    window = timedelta(hours=20)
    some_scenes = [s for s in scenes if data.draw(st.booleans())]
    some_passes = [p for p in passes if data.draw(st.booleans())]
    first = plan(some_scenes, some_passes, window)
    facts = facts_of(*some_scenes, *some_passes)
    second = plan(scenes, passes, window, first.added, facts)
    assert second.kept == first.added
    assert [row.index for row in second.added] == list(
        range(len(first.added), len(first.added) + len(second.added))
    )
    assert set(pairs(second)) == set(pairs(plan(scenes, passes, window)))
    third = plan(scenes, passes, window, [*second.kept, *second.added], facts_of(*scenes, *passes))
    assert third.added == []


@pytest.mark.parametrize(
    "scene_time",
    [
        YEAR_END,
        datetime(2024, 2, 28, 23, 30, tzinfo=UTC),
        datetime(2023, 3, 31, 23, 30, tzinfo=UTC),
        datetime(2023, 5, 5, 23, 30, tzinfo=UTC),
    ],
)
def test_pairs_across_midnight_month_and_year_ends(scene_time):
    passes = [
        seen("in.SEN3", scene_time + timedelta(hours=1)),
        seen("edge.SEN3", scene_time - timedelta(hours=2)),
        seen("out.SEN3", scene_time + timedelta(hours=2, microseconds=1)),
    ]
    planned = plan([seen("a.SAFE", scene_time)], passes, timedelta(hours=2))
    assert [(row.s3, row.timediff_h) for row in planned.added] == [
        ("in.SEN3", 1.0),
        ("edge.SEN3", 2.0),
    ]


def test_sentinel2_alone_lists_each_scene_once_by_time():
    scenes = [seen("b.zip", YEAR_END), seen("a.SAFE", YEAR_END - timedelta(days=1))]
    planned = plan(scenes, [], None)
    assert [(r.index, r.s2, r.s3, r.timediff_h) for r in planned.added] == [
        (0, "a.SAFE", None, None),
        (1, "b.zip", None, None),
    ]
    assert format_utc(planned.added[1].s2date) == "2022-12-31T23:30:00.000Z"


def test_of_one_acquisition_only_the_newest_is_listed():
    old = seen("n0301.SAFE", YEAR_END, acquisition="one", newest=False)
    new = seen("n0500.SAFE", YEAR_END, acquisition="one")
    nr = seen("nr.SEN3", YEAR_END, acquisition="pass", newest=False)
    nt = seen("nt.SEN3", YEAR_END, acquisition="pass")
    assert pairs(plan([old, new], [nr, nt], timedelta(hours=1))) == [("n0500.SAFE", "nt.SEN3")]


def test_frames_of_one_pass_cut_apart_by_seconds_are_one_acquisition():
    scene = seen("a.SAFE", YEAR_END)
    nr = frame("nr.SEN3", YEAR_END, newest=False)
    nt = frame("nt.SEN3", YEAR_END + timedelta(seconds=20))
    following = frame("next.SEN3", YEAR_END + timedelta(seconds=180))
    window = timedelta(hours=1)
    planned = plan([scene], [nr, nt, following], window)
    assert [row.s3 for row in planned.added] == ["nt.SEN3", "next.SEN3"]
    early = plan([scene], [replace(nr, newest=True)], window)
    stays = plan([scene], [nr, nt, following], window, early.added, facts_of(scene, nr))
    assert [row.s3 for row in stays.added] == ["next.SEN3"]
    gone = plan([scene], [nt, following], window, early.added, facts_of(scene, nr))
    assert [row.s3 for row in gone.added] == ["nt.SEN3", "next.SEN3"]
    assert gone.superseded == {"nr.SEN3": "nt.SEN3"}


def test_a_newer_product_of_a_listed_acquisition_is_reported_and_not_taken():
    old = seen("n0301.SAFE", YEAR_END, acquisition="one", newest=False)
    new = seen("n0500.SAFE", YEAR_END, acquisition="one")
    first = plan([old], [], None)
    again = plan([old, new], [], None, first.added, facts_of(old))
    assert (again.kept, again.added, again.superseded) == (first.added, [], {})
    assert again.notes == ["n0301.SAFE stays in the inventory although n0500.SAFE comes before it"]


def test_a_product_that_is_gone_is_superseded_under_a_new_index():
    old = seen("n0301.SAFE", YEAR_END, acquisition="one")
    new = seen("n0500.SAFE", YEAR_END, acquisition="one")
    other = seen("other.SAFE", YEAR_END + timedelta(hours=1))
    first = plan([old, other], [], None)
    again = plan([new, other], [], None, first.added, facts_of(old, other))
    assert again.kept == first.added
    assert [(row.index, row.s2) for row in again.added] == [(2, "n0500.SAFE")]
    assert again.superseded == {"n0301.SAFE": "n0500.SAFE"}


def test_a_product_that_comes_back_does_not_double_its_acquisition():
    old = seen("n0301.SAFE", YEAR_END, acquisition="one", newest=False)
    new = seen("n0500.SAFE", YEAR_END, acquisition="one")
    rows = plan([new], [], None, plan([old], [], None).added, facts_of(old))
    back = plan([old, new], [], None, [*rows.kept, *rows.added], facts_of(old, new))
    assert (back.added, back.superseded) == ([], {"n0301.SAFE": "n0500.SAFE"})


def test_a_product_that_moved_or_was_zipped_keeps_its_index():
    scene, other = seen("a.SAFE", YEAR_END, name="A"), seen("b.SAFE", YEAR_END, name="B")
    near = seen("p.SEN3", YEAR_END, name="P")
    first = plan([scene, other], [near], timedelta(hours=1))
    zipped = seen("sub/a.zip", YEAR_END, acquisition="a.SAFE", name="A")
    packed = seen("2022/12/p.zip", YEAR_END, acquisition="p.SEN3", name="P")
    facts = facts_of(scene, other, near)
    again = plan([zipped, other], [packed], timedelta(hours=1), first.added, facts)
    assert (again.added, again.superseded, again.notes) == ([], {}, [])
    assert [(r.index, r.s2, r.s3, r.s3filetype) for r in again.kept] == [
        (0, "sub/a.zip", "2022/12/p.zip", ".zip"),
        (1, "b.SAFE", "2022/12/p.zip", ".zip"),
    ]


@pytest.mark.parametrize("key", ["baseline", "generation_time", "cloud_fraction"])
def test_another_processing_under_the_same_name_is_no_move(key):
    """COGs are called by their item, whose name says nothing of the processing."""
    told = {"baseline": "05.09", "generation_time": "2022-07-14T21:26:11.000Z", "cloud_fraction": 0}
    old = replace(seen("old/cog", YEAR_END, acquisition="one", name="COG"), facts=told)
    first = plan([old], [], None)
    noted = {"old/cog": {**facts_of(old)["old/cog"], **told}}
    moved = replace(old, path="sub/cog")
    assert [r.s2 for r in plan([moved], [], None, first.added, noted).kept] == ["sub/cog"]
    anew = replace(old, path="new/cog", facts={**told, key: "other"})
    again = plan([anew], [], None, first.added, noted)
    assert [(r.index, r.s2) for r in (*again.kept, *again.added)] == [
        (0, "old/cog"),
        (1, "new/cog"),
    ]
    assert again.superseded == {"old/cog": "new/cog"}
    both = plan([anew, moved], [], None, first.added, noted)
    assert [r.s2 for r in both.kept] == ["sub/cog"] and not both.added
    earlier = {"old/cog": facts_of(old)["old/cog"]}  # of a version that noted less
    assert [r.s2 for r in plan([anew], [], None, first.added, earlier).kept] == ["new/cog"]


def test_a_gone_product_without_a_successor_keeps_its_rows():
    scene = seen("a.SAFE", YEAR_END)
    first = plan([scene], [], None)
    again = plan([], [], None, first.added, facts_of(scene))
    assert (again.kept, again.added, again.superseded) == (first.added, [], {})


def part(path, name, *, newest=True, south=0.0, cloud=0.0):
    """A product of the northern half of a tile, or, `south` by 1, of the other one."""
    what = Acquisition("S2A", "T17XNA", YEAR_END, YEAR_END, name)
    ground = shapely.box(-81.0, 72.5 - 0.5 * south, -80.0, 73.0 - 0.5 * south)
    told = {"footprint": ground, "epsg": 32617, "facts": {"cloud_fraction": cloud}}
    return Sighting(path, path.rsplit(".", 1)[0], what, YEAR_END, newest, **told)


def test_parts_of_a_tile_are_one_scene_and_never_stand_for_each_other():
    north, south = part("north.SAFE", "D1"), part("south.SAFE", "D2", south=1, cloud=0.5)
    older = part("south-old.SAFE", "D2", newest=False, south=1, cloud=0.5)
    planned = plan([north, older, south], [], None)
    (row,) = planned.added
    # A degree of longitude is longer in the south.
    assert (row.s2, row.s2_joined, row.index) == ("south.SAFE", ("north.SAFE",), 0)
    assert row.cloud_fraction == pytest.approx(0.25, abs=0.01)
    assert planned.left_out == {"south-old.SAFE": "south.SAFE"}
    assert "2 products that each hold a part of it, joined to one scene" in planned.notes[0]
    facts = facts_of(north, south)
    same = plan([south, north, older], [], None, planned.added, facts)
    assert (same.kept, same.added) == (planned.added, [])
    # The part that is left is a scene of its own, under an index of its own.
    gone = plan([south], [], None, planned.added, facts)
    assert [(row.index, row.s2, row.s2_joined) for row in gone.added] == [(1, "south.SAFE", ())]
    assert (gone.superseded, gone.notes) == ({}, [])
    # A part in another processing is another part: the scene gets another index.
    again = plan([older, north], [], None, planned.added, facts)
    assert again.superseded == {"south.SAFE": "south-old.SAFE"}
    (row,) = again.added
    assert (row.index, set(row.s2_paths)) == (1, {"south-old.SAFE", "north.SAFE"})
    assert first_scenes(again, 1)[0].added == again.added, "it stands for the one that was listed"


def test_an_inventory_that_knew_no_parts_goes_on_and_gets_the_other_one():
    north, south = part("north.SAFE", "D1"), part("south.SAFE", "D2", south=1)
    old = {"south.SAFE": {"name": "south", "acquisition": part("south.SAFE", "").acquisition}}
    old["south.SAFE"]["acquisition"] = old["south.SAFE"]["acquisition"].noted()
    listed = plan([part("south.SAFE", "")], [], None).added
    assert len(old["south.SAFE"]["acquisition"]) == 4, "as earlier versions wrote it"
    again = plan([north, south], [], None, listed, old)
    assert again.kept == listed and again.superseded == {}
    assert [(row.index, row.s2, row.s2_joined) for row in again.added] == [(1, "north.SAFE", ())]
    assert "every part a scene of its own" in again.notes[0]


def test_the_ground_decides_which_pass_is_near_and_on_which_side():
    scene = replace(seen("a.SAFE", YEAR_END), over_tile=YEAR_END + timedelta(minutes=18))
    before = seen("before.SEN3", YEAR_END - timedelta(minutes=45))
    after = seen("after.SEN3", YEAR_END + timedelta(minutes=75))
    late = replace(seen("late.SEN3", after.start), over_tile=YEAR_END + timedelta(minutes=78))
    planned = plan([scene], [before, after, late], timedelta(hours=1))
    assert [(row.s3, row.time_gap_h, row.timediff_h) for row in planned.added] == [
        ("after.SEN3", 0.95, 0.95),
        ("late.SEN3", 1.0, 1.0),
    ]
    assert planned.added[0].s2date == YEAR_END, "the sensing start is still that of the datatake"
    wider = plan([scene], [before], timedelta(hours=2)).added[0]
    assert (wider.time_gap_h, wider.timediff_h) == (-1.05, 1.05)
    old = [replace(wider, time_gap_h=None, timediff_h=0.75)]
    again = plan([scene], [before], timedelta(hours=2), old, facts_of(scene, before))
    assert again.kept == [wider]


def test_dates_of_rows_are_those_their_products_have_now():
    scene, near = seen("a.SAFE", YEAR_END), seen("b.SEN3", YEAR_END + timedelta(minutes=5))
    listed = plan([scene], [near], timedelta(hours=1)).added
    corrected = seen("b.SEN3", YEAR_END + timedelta(minutes=15))
    again = plan([scene], [corrected], timedelta(hours=1), listed, facts_of(scene, near))
    assert [(row.s3date, row.time_gap_h) for row in again.kept] == [(corrected.start, 0.25)]
