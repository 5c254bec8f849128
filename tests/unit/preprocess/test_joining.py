"""Frames of one pass in an inventory: when they are one pair, and how lists of before go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.preprocess.inventory.notes import notes, scene_counts
from sensor2sensor.preprocess.inventory.options import Options
from sensor2sensor.preprocess.inventory.pairing import plan
from sensor2sensor.preprocess.inventory.rows import InventoryRow, read_rows, written
from sensor2sensor.preprocess.inventory.scan import Scan
from sensor2sensor.preprocess.inventory.sightings import Sighting
from sensor2sensor.preprocess.inventory.table import Inventory
from sensor2sensor.products.acquisitions import Acquisition

START = datetime(2022, 7, 14, 17, 0, tzinfo=UTC)
FRAME = timedelta(minutes=3)
HOUR = timedelta(hours=1)
# The tile lies between 72 and 73 degrees north; a pass comes down at 0.05 degrees a second.
SCENE_GROUND = shapely.box(-81.0, 72.0, -80.0, 73.0)


def scene(ground=SCENE_GROUND):
    what = Acquisition("S2A", "T17XNA", START, START)
    return Sighting("a.SAFE", "a", what, START, footprint=ground, epsg=32617)


def frame(path, begins_s, seconds=180.0, *, platform="S3A", collection="003", orbit=5, seen_s=None):
    """A frame of a pass that is over 73 degrees at START; its middle row is at 72.5 after 10 s."""
    start, stop = (START + timedelta(seconds=s) for s in (begins_s, begins_s + seconds))
    north, south = (73.0 - 0.05 * s for s in (begins_s, begins_s + seconds))
    over = min(max(START + timedelta(seconds=10), start), stop)
    facts = {"collection": collection, "relative_orbit": orbit}
    return Sighting(
        path,
        path.rsplit(".", 1)[0],
        Acquisition(platform, "OL_1_EFR", start, stop),
        start,
        over_tile=over if seen_s is None else START + timedelta(seconds=seen_s),
        facts=facts,
        footprint=shapely.box(-82.0, south, -79.0, north),
        sees_tile=north > 72.0 and south < 73.0,
    )


def facts_of(*products):
    return {p.path: {"name": p.name, "acquisition": p.acquisition.noted()} for p in products}


def _notes(planned, inventory):
    options = Options("T17XNA", 1.0, "L1C", 10, ("B02",), s2_only=False, s3_type="EFR")
    return notes(options, planned, inventory, Scan(), Scan())


def listed(planned):
    return [(row.index, row.s3, row.s3_joined) for row in [*planned.kept, *planned.added]]


FIRST, SECOND = frame("1.SEN3", -173.0), frame("2.SEN3", 7.0)


def test_consecutive_frames_over_a_tile_are_one_pair_named_by_the_larger_share():
    far = frame("0.SEN3", -353.0)
    planned = plan([scene()], [SECOND, far, FIRST], HOUR)
    assert listed(planned) == [(0, "2.SEN3", ("1.SEN3",)), (1, "0.SEN3", ())]
    row = planned.added[0]
    assert row.s3date == SECOND.start
    assert row.time_gap_h == pytest.approx(10.0 / 3600.0), "when the middle was seen"
    earlier = plan([scene()], [frame("1.SEN3", -165.0), frame("2.SEN3", 15.0)], HOUR)
    assert listed(earlier) == [(0, "1.SEN3", ("2.SEN3",))]
    assert earlier.added[0].time_gap_h == pytest.approx(10.0 / 3600.0)


@pytest.mark.parametrize(
    "other",
    [
        frame("2.SEN3", 8.1),
        frame("2.SEN3", 7.0, platform="S3B"),
        frame("2.SEN3", 7.0, collection="004"),
        frame("2.SEN3", 7.0, orbit=6),
        replace(SECOND, sees_tile=False),
        replace(SECOND, columns=4865),
    ],
    ids=["gap", "satellite", "collection", "orbit", "beside the tile", "width"],
)
def test_others_stay_pairs_of_their_own(other):
    assert {row.s3_joined for row in plan([scene()], [FIRST, other], HOUR).added} == {()}


@pytest.mark.parametrize("begins_s", [6.9, 7.0, 7.044, 8.0])
def test_frames_that_share_rows_or_leave_up_to_a_second_are_joined(begins_s):
    planned = plan([scene()], [FIRST, frame("2.SEN3", begins_s)], HOUR)
    assert len(planned.added) == 1 and planned.added[0].s3_joined


def test_a_scene_that_only_one_frame_shows_is_paired_with_that_one_alone():
    ground = shapely.box(-81.0, 72.0, -80.0, 72.3)
    planned = plan([scene(ground)], [FIRST, SECOND], HOUR)
    assert {row.s3_joined for row in planned.added} == {()}


def test_a_joined_pair_counts_by_the_time_of_the_frame_that_saw_the_middle():
    """The first frame saw its part of the tile after 7 s, the second the middle after 10 s."""
    assert listed(plan([scene()], [FIRST, SECOND], timedelta(seconds=8))) == []
    within = plan([scene()], [FIRST, SECOND], timedelta(seconds=10))
    assert listed(within) == [(0, "2.SEN3", ("1.SEN3",))]


def test_frames_that_were_listed_apart_stay_apart_and_get_no_other_index():
    apart = [replace(row, s3_joined=()) for row in plan([scene()], [FIRST], HOUR).added]
    again = plan([scene()], [FIRST, SECOND], HOUR, apart, facts_of(scene(), FIRST))
    assert listed(again) == [(0, "1.SEN3", ()), (1, "2.SEN3", ())]
    rows = [*again.kept, *again.added]
    facts = facts_of(scene(), FIRST, SECOND)
    assert listed(plan([scene()], [FIRST, SECOND], HOUR, rows, facts)) == listed(again)


def test_a_joined_pair_stays_and_what_is_left_of_it_is_a_pair_of_its_own():
    facts = facts_of(scene(), FIRST, SECOND)
    rows = plan([scene()], [FIRST, SECOND], HOUR).added
    assert listed(plan([scene()], [SECOND, FIRST], HOUR, rows, facts)) == [
        (0, "2.SEN3", ("1.SEN3",))
    ]
    gone = plan([scene()], [SECOND], HOUR, rows, facts)
    assert listed(gone) == [(0, "2.SEN3", ("1.SEN3",)), (1, "2.SEN3", ())]
    back = plan([scene()], [FIRST, SECOND], HOUR, [*gone.kept, *gone.added], facts)
    assert listed(back) == listed(gone)


def test_a_joined_frame_that_moved_keeps_its_row_and_one_in_another_processing_gets_a_new_one():
    facts = facts_of(scene(), FIRST, SECOND)
    rows = plan([scene()], [FIRST, SECOND], HOUR).added
    moved = replace(FIRST, path="2022/07/1.zip")
    assert listed(plan([scene()], [moved, SECOND], HOUR, rows, facts)) == [
        (0, "2.SEN3", ("2022/07/1.zip",))
    ]
    newer = replace(FIRST, path="3.SEN3", name="3")
    both = plan([scene()], [newer, replace(FIRST, newest=False), SECOND], HOUR, rows, facts)
    assert listed(both) == [(0, "2.SEN3", ("1.SEN3",))], "what is listed and there stays"
    again = plan([scene()], [newer, SECOND], HOUR, rows, facts)
    assert again.superseded == {"1.SEN3": "3.SEN3"}
    assert listed(again) == [(0, "2.SEN3", ("1.SEN3",)), (1, "2.SEN3", ("3.SEN3",))]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_frames_that_come_one_by_one_end_as_rows_that_never_change(data):
    frames = [frame(f"{n}.SEN3", begins) for n, begins in enumerate((-363, -183, -3, 5, 177))]
    frames[3] = frame("3.SEN3", 5, platform="S3B")
    rows, facts = [], {}
    for one in data.draw(st.permutations(frames)):
        facts |= facts_of(one, scene())
        before = [replace(row, timediff_h=None, time_gap_h=None) for row in rows]
        planned = plan([scene()], [f for f in frames if f.path in facts], HOUR, rows, facts)
        rows = [*planned.kept, *planned.added]
        kept = [replace(row, timediff_h=None, time_gap_h=None) for row in planned.kept]
        assert kept == before
    assert [row.index for row in rows] == list(range(len(rows)))
    assert {path for row in rows for path in row.s3_paths} == {one.path for one in frames}


PATHS = st.lists(
    st.text("abé |;,_-. ", min_size=1, max_size=8).filter(
        lambda text: text == text.strip() and text not in (".", "..")
    ),
    min_size=1,
    max_size=3,
).map("/".join)


@given(st.lists(PATHS, max_size=3), st.lists(PATHS, max_size=3))
@settings(max_examples=40, deadline=None)
def test_joined_paths_are_read_back_whatever_they_hold(tmp_path_factory, s2, s3):
    path = tmp_path_factory.mktemp("rows") / "inv.csv"
    row = InventoryRow(0, 2022, 7, "a.SAFE", START, "b.SEN3", START, 0.0, ".SEN3", 1.0)
    rows = [replace(row, s2_joined=tuple(s2), s3_joined=tuple(s3)), replace(row, index=1)]
    files.write_csv(path, *written(rows))
    assert read_rows(path) == rows
    header = path.read_text().partition("\n")[0]
    assert header.endswith("s2_joined,s3_joined") == bool(s2 or s3)


def test_a_joined_path_that_leaves_the_archive_is_refused(tmp_path):
    path = tmp_path / "inv.csv"
    row = InventoryRow(0, 2022, 7, "a.SAFE", START, "b.SEN3", START, 0.0, ".SEN3", 1.0)
    files.write_csv(path, *written([replace(row, s3_joined=("c.SEN3", "../../etc/passwd"))]))
    with pytest.raises(InputError, match="not relative to its archive root"):
        read_rows(path)


def test_a_joined_scene_and_what_is_left_of_it_are_counted_as_two():
    ground = shapely.box(-81.0, 72.0, -80.0, 72.5)
    one = replace(scene(ground), facts={"cloud_fraction": 0.1})
    what = replace(one.acquisition, part="2")
    north = shapely.box(-81.0, 72.5, -80.0, 73.0)
    other = replace(one, path="b.SAFE", name="b", acquisition=what, footprint=north)
    facts = facts_of(one, other, FIRST)
    rows = plan([one, other], [FIRST], HOUR).added
    assert [row.s2_joined for row in rows] == [("b.SAFE",)]
    gone = plan([one], [FIRST], HOUR, rows, facts)
    left = Inventory("inv", [*gone.kept, *gone.added], {"s2_only": False})
    assert [row.s2_joined for row in left.rows] == [("b.SAFE",), ()]
    assert scene_counts(gone, replace(left, vanished={"b.SAFE": "gone"})) == "2 (1 usable now)"
    back = plan([one, other], [FIRST], HOUR, left.rows, facts)
    assert not back.added and scene_counts(back, left) == "2"
    (said,) = [note for note in _notes(back, left) if "share" in note]
    assert said == "scene 00000 and scene 00001 share a.SAFE: select one of them"
    alone = replace(left, vanished={"b.SAFE": "gone"})
    assert not any("share" in note for note in _notes(gone, alone))


def test_a_pair_whose_frame_is_gone_is_not_said_to_be_joined():
    rows = plan([scene()], [FIRST, SECOND], HOUR).added
    there = Inventory("inv", rows, {"s2_only": False, "timediff_h": 1.0})
    planned = plan([scene()], [SECOND], HOUR, rows, facts_of(scene(), FIRST, SECOND))

    def said(inventory):
        return any("joined" in note for note in _notes(planned, inventory))

    assert said(there) and not said(replace(there, vanished={"1.SEN3": "gone"}))


def part(number, top, bottom, baseline="05.10"):
    """A product of its own datastrip with a share of the tile's ground, from its top."""
    ground = shapely.box(-81.0, 73.0 - bottom, -80.0, 73.0 - top)
    what = Acquisition("S2A", "T17XNA", START, START, str(number))
    facts = {"cloud_fraction": 0.1, "platform": "S2A", "baseline": baseline}
    options = {"facts": facts, "footprint": ground, "epsg": 32617, "rank": (baseline, number)}
    return Sighting(f"{number}.SAFE", str(number), what, START, **options)


PARTS = [part(1, 0.0, 0.4), part(2, 0.4, 0.75), part(3, 0.75, 1.0)]
OLD = part(0, 0.0, 1.0, "03.01")


def grown(*arrivals):
    """The plan of each run over an archive to which products come, and its last rows."""
    plans, rows, here = [], [], []
    for more in arrivals:
        here += more
        plans.append(plan(here, [], None, rows, facts_of(*here)))
        assert plans[-1].kept == rows
        rows = [*plans[-1].kept, *plans[-1].added]
    return plans, [row.s2_paths for row in rows]


def test_a_part_that_comes_to_joined_ones_is_a_scene_of_its_own_and_that_is_said():
    (_, second, again), rows = grown(PARTS[:2], PARTS[2:], [])
    assert rows == [("1.SAFE", "2.SAFE"), ("3.SAFE",)]
    assert not again.added and again.notes == second.notes
    (note,) = second.notes
    assert "in 3 products that each hold a part of it, in 2 scenes, as this inventory has" in note
    assert note.endswith("1.SAFE // 2.SAFE, 3.SAFE")
    _, rows = grown(PARTS)
    assert rows == [("1.SAFE", "2.SAFE", "3.SAFE")], "made anew"


def test_a_new_processing_of_a_joined_part_is_joined_as_that_was():
    first, second, third = PARTS
    rows = [*plan([first, second], [], None).added]
    facts = facts_of(*PARTS)
    rows += plan(PARTS, [], None, rows, facts).added
    newer = replace(second, path="4.SAFE", name="4")
    planned = plan([first, newer, third], [], None, rows, facts)
    assert planned.superseded == {"2.SAFE": "4.SAFE"}
    assert [row.s2_paths for row in planned.added] == [("1.SAFE", "4.SAFE")]


def test_a_frame_that_comes_to_joined_ones_is_a_pair_of_its_own():
    frames = [frame(f"{n}.SEN3", *times) for n, times in enumerate([(-173, 175), (2, 5), (7, 180)])]
    facts = facts_of(scene(), *frames)
    rows = plan([scene()], frames[:2], HOUR).added
    assert [(row.s3, row.s3_joined) for row in rows] == [("1.SEN3", ("0.SEN3",))]
    planned = plan([scene()], frames, HOUR, rows, facts)
    assert listed(planned) == [(0, "1.SEN3", ("0.SEN3",)), (1, "2.SEN3", ())]
    assert not plan([scene()], frames, HOUR, [*planned.kept, *planned.added], facts).added
    (anew,) = plan([scene()], frames, HOUR).added
    assert len(anew.s3_paths) == 3


def test_an_older_whole_tile_is_left_out_where_newer_parts_show_it():
    (planned,), rows = grown([OLD, *PARTS])
    assert rows == [("1.SAFE", "2.SAFE", "3.SAFE")]
    assert planned.left_out == {"0.SAFE": "1.SAFE // 2.SAFE // 3.SAFE"}
    (_, later), rows = grown(PARTS, [OLD])
    assert len(rows) == 1 and later.left_out == planned.left_out
    # The newest one counts first where it is, whatever shows more.
    _, rows = grown([OLD, *PARTS[:2]])
    assert rows == [("1.SAFE", "2.SAFE", "0.SAFE")]


def test_a_listed_whole_tile_stays_without_the_parts_that_it_shows():
    (_, later), rows = grown([OLD], PARTS)
    assert rows == [("0.SAFE",)] and not later.left_out
    stays = "0.SAFE stays in the inventory although {}.SAFE comes before it"
    assert sorted(later.notes) == [stays.format(n) for n in (1, 2, 3)]


@pytest.mark.parametrize("apart", [False, True])
def test_listed_parts_stay_when_a_newer_whole_tile_comes(apart):
    here, rows = PARTS[1:], []
    for count in (1, 2) if apart else (2,):
        rows += plan(here[:count], [], None, rows, facts_of(*here)).added
    whole = part(9, 0.0, 1.0, "05.11")
    # Of one acquisition by now, as `acquisitions` has them.
    old = [replace(one, acquisition=whole.acquisition, newest=False) for one in here]
    facts = facts_of(*here)
    for _ in range(2):
        planned = plan([whole, *old], [], None, rows, facts)
        assert planned.kept == rows and not planned.added and not planned.superseded
        stays = {f"{n}.SAFE stays in the inventory although 9.SAFE comes before it" for n in (2, 3)}
        assert stays < set(planned.notes)
        facts = facts_of(whole, *old)
    left = plan([whole, old[1]], [], None, rows, facts)
    assert apart or not left.superseded, "the other part does not take its place"
    assert [row.s2_paths for row in left.added] == ([] if apart else [("3.SAFE",)])


@settings(max_examples=40, deadline=None)
@given(st.permutations([OLD, *PARTS]), st.integers(1, 3))
def test_parts_that_come_in_any_order_are_in_one_scene_each(order, at_once):
    plans, rows = grown(*(order[n : n + at_once] for n in range(0, 4, at_once)))
    paths = [path for row in rows for path in row]
    assert len(paths) == len(set(paths))
    told = " ".join([*plans[-1].left_out, *plans[-1].notes])
    assert all(one.path in paths or one.path in told for one in order)
