"""Which Sentinel-2 scene is paired with which Sentinel-3 product: pure, no file is touched.

One acquisition is listed once. Its newest product is taken (baseline, then processing time), and
the choice is kept: an inventory someone has reviewed must not change under their hands. On a rerun

* rows that are there keep their index; new pairs are appended behind them;
* a product that only moved (same name and processing, other folder, or zipped) keeps its rows,
  their path follows;
* a listed product that is still there stays, and a newer one of the same acquisition is reported;
* a listed product that is gone or damaged is superseded by the newest other one of its acquisition,
  which is appended under a new index: the pixels differ, so the old review does not hold for it.

Products that belong together (frames of one pass, parts of one tile) are one row: see `joining`.

Distances in time are those of the ground: from the tile's own sensing time, minutes after the
datatake's start, to the OLCI rows over the tile, up to three minutes after the frame's start.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import PurePosixPath
from typing import Any

from sensor2sensor.core.times import format_utc, hours_between, hours_from
from sensor2sensor.preprocess.inventory.joining import (
    Paths,
    Scenes,
    distinct,
    partners_of,
    runs_of,
    scenes_of,
)
from sensor2sensor.preprocess.inventory.joining import time_over as time_of_frames
from sensor2sensor.preprocess.inventory.rows import InventoryRow, in_a_cell
from sensor2sensor.preprocess.inventory.sightings import Sighting
from sensor2sensor.products.acquisitions import Acquisition, Leaders, acquisition_of

_PROCESSING = ("level", "baseline", "generation_time", "cloud_fraction")


@dataclass(frozen=True)
class Plan:
    """What an inventory shall hold.

    `kept` are the rows that were there, `added` the new ones (their overlap still None),
    `superseded` maps a listed product's path to the one that stands for its acquisition now,
    `left_out` an unlisted product's path to the one listed in its place, `scenes` holds the product
    of each Sentinel-2 acquisition.
    """

    kept: list[InventoryRow]
    added: list[InventoryRow]
    superseded: dict[str, str]
    notes: list[str]
    left_out: dict[str, str]
    scenes: list[Sighting]


def within_window(
    time: datetime, passes: Sequence[Sighting], window: timedelta
) -> Sequence[Sighting]:
    """The passes (sorted by time) that saw the tile at most `window` before or after `time`."""
    low = bisect_left(passes, time - window, key=attrgetter("time"))
    high = bisect_right(passes, time + window, key=attrgetter("time"))
    return passes[low:high]


def plan(
    scenes: Iterable[Sighting],
    passes: Iterable[Sighting],
    window: timedelta | None,
    listed: Sequence[InventoryRow] = (),
    facts: Mapping[str, Mapping[str, Any]] | None = None,
) -> Plan:
    """Decide the rows of an inventory.

    Args:
        scenes: Usable Sentinel-2 products, all of one level.
        passes: Usable Sentinel-3 products.
        window: Largest distance in time, either way; None lists Sentinel-2 alone.
        listed: The rows the inventory has.
        facts: `name` and `acquisition` of each product in `listed`, by path.
    """
    facts = facts or {}
    scenes, passes = list(scenes), list(passes)
    moved = {
        **_moved([path for row in listed for path in row.s2_paths], scenes, facts),
        **_moved([path for row in listed for path in row.s3_paths], passes, facts),
    }
    kept = [_follow(row, moved) for row in listed]
    known = {moved.get(path, path): fact for path, fact in facts.items()}
    s2 = _choose(scenes, [path for row in kept for path in row.s2_paths], known)
    s3 = _choose(passes, [path for row in kept for path in row.s3_paths], known)
    kept = _timed(kept, scenes, passes)
    instead = _instead(s2.superseded, kept)
    found = scenes_of(s2.chosen, [_scene_now(row, instead) for row in kept])
    added = _new_rows(found.every, s3.chosen, window, kept)
    stays, left_out = _shown(found)
    described = {**known, **{one.path: one.facts for one in scenes}}
    return Plan(
        [_described(row, described) for row in kept],
        [_described(row, described) for row in added],
        {**instead, **s3.superseded},
        [*s2.notes, *stays, *s3.notes, *_part_notes(found)],
        {**s2.left_out, **left_out, **s3.left_out},
        found.every,
    )


def first_scenes(planned: Plan, limit: int | None) -> tuple[Plan, int]:
    """The plan without the scenes beyond the first ``limit``, and how many these are.

    Rows that are there stay, and so does what takes the place of a superseded product.
    """
    there, instead = {row.s2_paths for row in planned.kept}, set(planned.superseded.values())
    new = [
        s2
        for s2 in dict.fromkeys(row.s2_paths for row in planned.added)
        if s2 not in there and instead.isdisjoint(s2)
    ]
    room = len(new) if limit is None else max(0, limit - len(there))
    later = set(new[room:])
    first = max((row.index for row in planned.kept), default=-1) + 1
    added = [row for row in planned.added if row.s2_paths not in later]
    numbered = [replace(row, index=first + n) for n, row in enumerate(added)]
    return replace(planned, added=numbered if later else planned.added), len(later)


def _instead(superseded: Mapping[str, str], rows: Sequence[InventoryRow]) -> dict[str, str]:
    """What takes the place of what: not one part of a scene that of another, which is gone."""
    whole: dict[str, Paths] = defaultdict(frozenset)
    for row in rows:
        if row.s2_joined:
            whole |= {path: whole[path].union(row.s2_paths) for path in row.s2_paths}
    return {old: new for old, new in superseded.items() if new not in whole.get(old, ())}


def _scene_now(row: InventoryRow, superseded: Mapping[str, str]) -> Paths:
    """The products of a listed scene; where one of several is gone, what stands for it."""
    if not row.s2_joined:
        return frozenset(row.s2_paths)
    return frozenset(superseded.get(path, path) for path in row.s2_paths)


def _shown(found: Scenes) -> tuple[list[str], dict[str, str]]:
    """Notes on listed products that stay, and what is left out, by path, for which others."""
    notes, left_out = [], {}
    for one, others in found.shown:
        by = in_a_cell(sorted(other.path for other in others))
        if any(one.rank > other.rank for other in others):
            notes.append(_stays(by, one.path))
        else:
            left_out[one.path] = by
    return notes, left_out


def _stays(path: str, newer: str) -> str:
    return f"{path} stays in the inventory although {newer} comes before it"


def _part_notes(found: Scenes) -> list[str]:
    apart = [one for scenes in found.apart for one in scenes]
    together = [one for one in found.every if one.joined and one not in apart]
    said = [([one], sorted(one.paths), "joined to one scene") for one in together]
    for scenes in found.apart:
        own = "every part a scene of its own"
        how = f"in {len(scenes)} scenes" if any(one.joined for one in scenes) else own
        named = sorted(in_a_cell(sorted(one.paths)) for one in scenes)
        said.append((scenes, named, f"{how}, as this inventory has listed them"))
    return [
        f"{of[0].acquisition.scope} of {of[0].acquisition.platform}, {format_utc(of[0].start)}, is"
        f" in {len({path for one in of for path in one.paths})} products that each hold a part of"
        f" it, {how}: {', '.join(named)}"
        for of, named, how in said
    ]


def _timed(
    rows: Sequence[InventoryRow], scenes: Iterable[Sighting], passes: Iterable[Sighting]
) -> list[InventoryRow]:
    """Rows that are there with the distance in time their products say now."""
    s2, s3 = {one.path: one for one in scenes}, {one.path: one for one in passes}

    def timed(row: InventoryRow) -> InventoryRow:
        if not row.s3 or row.s2 not in s2 or not all(path in s3 for path in row.s3_paths):
            return row
        frames = sorted((s3[path] for path in row.s3_paths), key=attrgetter("start"))
        row = replace(row, s2date=s2[row.s2].start, s3date=s3[row.s3].start)
        seen = time_of_frames(frames) if row.s3_joined else frames[0].time
        return _with_gap(row, s2[row.s2].time, seen)

    return [timed(row) for row in rows]


def _described(row: InventoryRow, facts: Mapping[str, Mapping[str, Any]]) -> InventoryRow:
    """The row with what is known of its Sentinel-2 product."""
    known = facts.get(row.s2)
    if known is None or "platform" not in known:  # noted by an earlier version
        return row
    described = replace(row, platform=known["platform"], baseline=known["baseline"])
    # Of parts it is the mean over their ground, which is measured once.
    cloud = row.cloud_fraction if row.s2_joined else known["cloud_fraction"]
    return replace(described, cloud_fraction=cloud)


def _with_gap(row: InventoryRow, s2: datetime, s3: datetime) -> InventoryRow:
    return replace(row, timediff_h=hours_between(s2, s3), time_gap_h=hours_from(s2, s3))


def _moved(
    paths: Iterable[str], products: Sequence[Sighting], facts: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Old path → new path of listed products that are now elsewhere under the same name."""
    present = {product.path for product in products}
    named = defaultdict(list)
    # Of copies the first path counts, whatever order they were found in.
    for product in sorted(products, key=attrgetter("path")):
        named[product.name].append(product)
    absent = {path for path in paths if path not in present and path in facts}
    same = {p: [one for one in named[facts[p]["name"]] if _same(facts[p], one)] for p in absent}
    return {path: found[0].path for path, found in same.items() if found}


def _same(noted: Mapping[str, Any], product: Sighting) -> bool:
    """Whether a product of the same name is of the same processing, as far as that was noted.

    The name of a COG is that of its item, which says nothing of it.
    """
    return all(noted.get(key) == product.facts.get(key) for key in _PROCESSING if key in noted)


def _follow(row: InventoryRow, moved: Mapping[str, str]) -> InventoryRow:
    s2, *s2_joined = (moved.get(path, path) for path in row.s2_paths)
    row = replace(row, s2=s2, s2_joined=tuple(s2_joined))
    if row.s3 is None:
        return row
    s3, *s3_joined = (moved.get(path, path) for path in row.s3_paths)
    filetype = row.s3filetype if s3 == row.s3 else PurePosixPath(s3).suffix
    return replace(row, s3=s3, s3_joined=tuple(s3_joined), s3filetype=filetype)


@dataclass(frozen=True)
class _Choice:
    """One product for each acquisition, what it supersedes, notes about newer ones, the others."""

    chosen: list[Sighting]
    superseded: dict[str, str]
    notes: list[str]
    left_out: dict[str, str]


def _choose(
    products: Sequence[Sighting], listed: Sequence[str], facts: Mapping[str, Mapping[str, Any]]
) -> _Choice:
    last_place = {path: place for place, path in enumerate(listed)}
    newest = [product for product in products if product.newest]
    leaders = Leaders(one.acquisition for one in newest)
    groups: dict[Acquisition, list[Sighting]] = {one.acquisition: [one] for one in newest}
    for product in products:
        if not product.newest:
            groups.setdefault(leaders.of(product.acquisition), []).append(product)
    chosen: dict[Acquisition, list[Sighting]] = {}
    notes: list[str] = []
    left_out: dict[str, str] = {}
    for acquisition, group in groups.items():
        here = [product for product in group if product.path in last_place]
        # What was reviewed stays: of several listed products of one acquisition the newest, else
        # the one listed last, which superseded the others. What shows parts of it stays as parts.
        here.sort(key=lambda p: (p.newest, last_place[p.path]), reverse=True)
        picks = chosen[acquisition] = distinct(here) or group[:1]
        if group[0].name not in {pick.name for pick in picks}:
            notes += [_stays(pick.path, group[0].path) for pick in picks]
        told = {picks[0].path, group[0].path, *last_place}
        left_out.update({one.path: picks[0].path for one in group if one.path not in told})
    superseded = {}
    for path, acquisition in _acquisitions(listed, products, facts).items():
        successors = [one.path for one in chosen.get(leaders.of(acquisition), ())]
        if successors and path not in successors:
            superseded[path] = successors[0]
    by_start = sorted(
        (p for picks in chosen.values() for p in picks), key=lambda p: (p.start, p.path)
    )
    return _Choice(by_start, superseded, notes, left_out)


def _acquisitions(
    listed: Iterable[str], products: Sequence[Sighting], facts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Acquisition]:
    """The acquisition of each listed path, from the archive or else from what was noted of it."""
    found = {product.path: product.acquisition for product in products}
    noted = {p: acquisition_of(facts[p]["acquisition"]) for p in listed if p in facts}
    known = {**noted, **found}
    return {path: known[path] for path in dict.fromkeys(listed) if path in known}


def _new_rows(
    scenes: Sequence[Sighting],
    passes: Sequence[Sighting],
    window: timedelta | None,
    kept: Sequence[InventoryRow],
) -> list[InventoryRow]:
    """The rows to append, by sensing time of the scene, then by distance in time."""
    # A pair of before has its row and its index already.
    there: dict[Paths, set[Paths]] = defaultdict(set)
    for row in kept:
        there[frozenset(row.s2_paths)].add(frozenset(row.s3_paths))
    # Numbers of rows that are superseded are not given again.
    index = max((row.index for row in kept), default=-1) + 1
    # By the time over the tile, not by the start: window and gap are those of the ground.
    passes = sorted(passes, key=lambda p: (p.time, p.path))
    runs = runs_of(passes)
    added: list[InventoryRow] = []
    for scene in scenes:
        listed = there[scene.paths]
        if window is None:
            added += [] if listed else [_row(index + len(added), scene, None)]
            continue
        near = partners_of(scene, within_window(scene.time, passes, window), runs, listed)
        # A frame within the window may be joined to the one that saw the tile's middle beyond it.
        near = [one for one in near if abs(one.time - scene.time) <= window]
        # Ties are ordered as well: an index must not depend on how a disk lists its files.
        for partner in sorted(near, key=lambda p: (abs(p.time - scene.time), p.time, p.path)):
            if partner.paths not in listed:
                added.append(_row(index + len(added), scene, partner))
    return added


def _row(index: int, scene: Sighting, partner: Sighting | None) -> InventoryRow:
    when, s2 = scene.start, (scene.path, scene.start)
    alone = InventoryRow(index, when.year, when.month, *s2, s2_joined=scene.joined)
    if scene.joined:
        alone = replace(alone, cloud_fraction=scene.facts["cloud_fraction"])
    if partner is None:
        return alone
    paired = replace(
        alone,
        s3=partner.path,
        s3date=partner.start,
        s3filetype=PurePosixPath(partner.path).suffix,
        s3_joined=partner.joined,
    )
    return _with_gap(paired, scene.time, partner.time)
