"""What step 20 says of an archive beside its table: what is missing, left out or divided."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate

from sensor2sensor.core.times import hours_from
from sensor2sensor.preprocess.inventory.options import Options, hours_label
from sensor2sensor.preprocess.inventory.pairing import Plan
from sensor2sensor.preprocess.inventory.scan import Period, Scan
from sensor2sensor.preprocess.inventory.table import GONE, Inventory

# So many products are named; of more, the manifest has the list.
_NAMED = 10


def notes(options: Options, planned: Plan, inventory: Inventory, s2: Scan, s3: Scan) -> list[str]:
    """All there is to say of a run that made or extended an inventory."""
    return [
        *planned.notes,
        *_left_out(planned, s2),
        *_unusable(inventory),
        *_twice(inventory),
        *_joined(inventory),
        *_divided(inventory),
        *_without_partner(planned, inventory, options.timediff_h, s3),
    ]


def hours_apart(scenes: Sequence[datetime], periods: Sequence[Period]) -> list[float]:
    """Hours from each scene to the nearest sensing period; infinite where there is none."""
    ordered = sorted(periods)
    starts = [start for start, _ in ordered]
    # Periods overlap (stripes beside frames): one that began earlier may end last.
    last_stops = list(accumulate((stop for _, stop in ordered), max))
    apart: list[float] = []
    for time in scenes:
        place = bisect_right(starts, time)
        before = hours_from(last_stops[place - 1], time) if place else math.inf
        after = hours_from(time, starts[place]) if place < len(starts) else math.inf
        # Within a period the distance is 0.
        apart.append(min(max(before, 0.0), after))
    return apart


def _nearest(hours: Iterable[float], what: str) -> str:
    """`, the nearest 14.2 h away`; nothing where there is none at all."""
    least = min(hours, default=math.inf)
    return f", {what} {least:.1f} h away" if math.isfinite(least) else ""


def nothing_found(tile: str, s2: Scan, s3: Scan, s3_type: str | None) -> str:
    """Why there is no inventory: what was seen of each satellite."""
    usable = "" if len(s2.sightings) == s2.seen else f" ({len(s2.sightings)} usable)"
    seen = f"Sentinel-2 products of {tile}: {s2.seen}{usable}"
    if s3_type is not None:
        times = [scene.time for scene in s2.sightings]
        seen += f", Sentinel-3 products ({s3_type}): {s3.seen}"
        if s3.unusable:
            damaged = _nearest(hours_apart(times, s3.unusable), "the nearest")
            seen += f" ({len(s3.unusable)} of them damaged{damaged})"
        what = "the nearest usable one" if s3.unusable else "the nearest"
        seen += _nearest(hours_apart(times, s3.periods), what)
    return f"nothing to list, nothing was written; {seen}"


def _without_partner(
    planned: Plan, inventory: Inventory, timediff_h: float | None, s3: Scan
) -> list[str]:
    """How many scenes have no Sentinel-3 product that can be used, and what there is instead."""
    usable = inventory.usable_scenes()
    alone = [one for one in planned.scenes if one.paths not in usable]
    if timediff_h is None or not alone:
        return []
    times = [one.time for one in alone]
    damaged = [hours for hours in hours_apart(times, s3.unusable) if hours <= timediff_h]
    lost = {frozenset(row.s2_paths) for row in inventory.rows if inventory.lost(row) == GONE}
    gone = sum(one.paths in lost for one in alone)
    why = []
    if damaged:
        what = f"{len(damaged)} of which {'has' if len(damaged) == 1 else 'have'} a damaged product"
        why.append(f"{what} {min(damaged):.1f} h away")
    if gone:
        why.append(f"{gone} of which had one that is not in the archive any more")
    known, ending = ("usable ", f" ({'; '.join(why)})") if why else ("", "")
    near = _nearest(hours_apart(times, s3.periods), f"the nearest{' usable one' if why else ''}")
    within = f"within {hours_label(timediff_h).removesuffix('h')} h"
    count = len(_all_scenes(planned, inventory))
    return [f"{count} scenes, {len(alone)} without a {known}Sentinel-3 pass {within}{ending}{near}"]


def _all_scenes(planned: Plan, inventory: Inventory) -> set[frozenset[str]]:
    """Paths of the scenes of the tile, with a partner and listed, or not."""
    listed = {frozenset(rows[0].s2_paths) for rows in inventory.scenes().values()}
    return listed | {one.paths for one in planned.scenes}


def scene_counts(planned: Plan, inventory: Inventory) -> str:
    """`9 (7 listed, 6 usable now)`: scenes there are, in the table, and with products in place."""
    every, listed = len(_all_scenes(planned, inventory)), len(inventory.scenes())
    usable = len(inventory.usable_scenes())
    parts = [f"{listed} listed"] if listed != every else []
    parts += [f"{usable} usable now"] if usable != listed else []
    return f"{every} ({', '.join(parts)})" if parts else str(every)


def _left_out(planned: Plan, s2: Scan) -> list[str]:
    """Products that are not listed because another shows the same."""
    names = {one.path: one.name for one in s2.sightings}
    scenes = [(path, by) for path, by in planned.left_out.items() if path in names]
    notes = [
        f"{path} is left out: it is a copy of {by}"
        if names[path] == names.get(by)
        else f"{path} is left out: {by} shows the same and comes first"
        for path, by in scenes
    ]
    if len(notes) > _NAMED:
        rest = len(notes) - _NAMED
        notes[_NAMED:] = [f"so are {rest} more Sentinel-2 products; the manifest names them"]
    frames = len(planned.left_out) - len(scenes)
    if frames:
        notes.append(f"Sentinel-3 products left out for a better one of the same frame: {frames}")
    return notes


def _unusable(inventory: Inventory) -> list[str]:
    """Listed products that vanished or are damaged, each with what to do."""
    scenes = {
        path: scene for scene, rows in inventory.scenes().items() for path in rows[0].s2_paths
    }
    notes = []
    for path, why in inventory.vanished.items():
        what = "is listed and is not in the archive any more: put it back"
        if why != GONE:
            what = f"is listed and cannot be used ({why}): replace it"
        if path in scenes:
            way_out = f"or leave scene {scenes[path]:05d} out of selections"
        else:
            way_out = (
                "until then step 40 keeps tiles made of it, and cuts new ones of the next partner"
            )
        notes.append(f"{path} {what}, {way_out}")
    if len(notes) > _NAMED:
        rest = len(notes) - _NAMED
        notes[_NAMED:] = [f"so are {rest} more listed products; the manifest names them (vanished)"]
    return notes


def _twice(inventory: Inventory) -> list[str]:
    """Scenes that share a product: what is left of one, and that whole again."""
    usable = inventory.usable_scenes()
    owners: dict[str, list[str]] = {}
    for scene, rows in inventory.scenes().items():
        if frozenset(rows[0].s2_paths) in usable:
            for path in rows[0].s2_paths:
                owners.setdefault(path, []).append(f"scene {scene:05d}")
    shared = {" and ".join(scenes): path for path, scenes in owners.items() if len(scenes) > 1}
    return [f"{scenes} share {path}: select one of them" for scenes, path in shared.items()]


def _joined(inventory: Inventory) -> list[str]:
    """Scenes with frames of one pass that are joined, and there."""
    across = [
        scene
        for scene, rows in inventory.scenes().items()
        if any(row.s3_joined and not inventory.lost(row) for row in rows)
    ]
    named = ", ".join(f"scene {scene:05d}" for scene in across)
    return [f"scenes across two frames of one Sentinel-3 pass, joined: {named}"] if across else []


def _divided(inventory: Inventory) -> list[str]:
    """Scenes that lie across two frames of one pass, which are not joined."""
    across: dict[int, None] = {}
    for scene, listed in inventory.scenes().items():
        rows = [row for row in listed if not inventory.lost(row)]
        if any(inventory.frames_beside(row, rows) for row in rows):
            across[scene] = None
    if not across:
        return []
    named = ", ".join(f"scene {scene:05d}" for scene in across)
    return [
        f"scenes across two frames of one Sentinel-3 pass, each frame a pair of its own: {named};"
        " step 40 takes tiles from the frame that is nearest in time"
    ]
