"""What step 20 says of an archive beside its table: what is missing, left out or divided."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path

from sensor2sensor.preprocess.inventory_file import Inventory, InventoryRow
from sensor2sensor.preprocess.inventory_scan import Scan
from sensor2sensor.preprocess.pairing import Plan, hours_label

# So many products are named; of more, the manifest has the list.
_NAMED = 10


def nearest_h(scenes: Iterable[datetime], periods: Sequence[tuple[datetime, datetime]]) -> str:
    """`, the nearest 14.2 h away`: the least distance of any scene from any sensing period."""
    ordered = sorted(periods)
    starts = [start for start, _ in ordered]
    last_stops = list(accumulate((stop for _, stop in ordered), max))
    apart: list[timedelta] = []
    for time in scenes:
        place = bisect_right(starts, time)
        if place:
            apart.append(max(time - last_stops[place - 1], timedelta(0)))
        if place < len(starts):
            apart.append(starts[place] - time)
    return f", the nearest {min(apart) / timedelta(hours=1):.1f} h away" if apart else ""


def nothing_found(tile: str, s2: Scan, s3: Scan, s3_type: str | None) -> str:
    """Why there is no inventory: what was seen of each satellite."""
    usable = "" if len(s2.sightings) == s2.seen else f" ({len(s2.sightings)} usable)"
    seen = f"Sentinel-2 products of {tile}: {s2.seen}{usable}"
    if s3_type is not None:
        seen += f", Sentinel-3 products ({s3_type}): {s3.seen}"
        seen += nearest_h((scene.time for scene in s2.sightings), s3.periods)
    return f"nothing to list, nothing was written; {seen}"


def without_partner(planned: Plan, timediff_h: float | None, s3: Scan) -> list[str]:
    """How many scenes no Sentinel-3 product is near to."""
    if timediff_h is None or not planned.alone:
        return []
    within = f"within {hours_label(timediff_h).removesuffix('h')} h"
    near = nearest_h((scene.time for scene in planned.alone), s3.periods)
    alone, count = len(planned.alone), len(planned.scenes)
    return [f"{count} scenes, {alone} without a Sentinel-3 pass {within}{near}"]


def left_out(planned: Plan, s2: Scan) -> list[str]:
    """Products that are not listed because another shows the same."""
    scenes = [(path, by) for path, by in planned.left_out.items() if path in s2.facts]
    names = {path: fact["name"] for path, fact in s2.facts.items()}
    notes = [
        f"{path} is left out: it is a copy of {by}"
        if names[path] == names.get(by)
        else f"{path} is left out: {by} shows the same and is newer"
        for path, by in scenes
    ]
    if len(notes) > _NAMED:
        rest = len(notes) - _NAMED
        notes[_NAMED:] = [f"so are {rest} more Sentinel-2 products; the manifest names them"]
    frames = len(planned.left_out) - len(scenes)
    if frames:
        notes.append(f"Sentinel-3 products left out for a better one of the same frame: {frames}")
    return notes


def vanished(
    planned: Plan, roots: Sequence[Path | None], failures: Mapping[str, str], usable: set[str]
) -> dict[str, str]:
    """Why listed products that nothing stands for cannot be used, by path."""
    s2_root, s3_root = roots
    rows = [*planned.kept, *planned.added]
    places = {row.s2: s2_root for row in rows} | {row.s3: s3_root for row in rows if row.s3}
    found: dict[str, str] = {}
    for path, root in places.items():
        if path is None or root is None or path in planned.superseded or path in usable:
            continue
        if path in failures:
            found[path] = failures[path]
        elif not (root / path).exists():
            found[path] = "is not there any more"
    return found


def divided(inventory: Inventory) -> list[str]:
    """Scenes that lie across two frames of one pass."""
    across: dict[int, None] = {}
    for scene, rows in inventory.scenes().items():
        if any(inventory.frames_beside(row, rows) for row in rows):
            across[scene] = None
    if not across:
        return []
    ids = ", ".join(str(scene) for scene in across)
    return [
        f"scenes across two frames of one Sentinel-3 pass, each frame a pair of its own: {ids};"
        " step 40 takes tiles from the frame that is nearest in time"
    ]


def described(
    rows: Sequence[InventoryRow], facts: Mapping[str, Mapping[str, object]]
) -> list[InventoryRow]:
    """The rows with what is known of their Sentinel-2 products."""
    found = []
    for row in rows:
        known = facts.get(row.s2)
        if known is not None and "platform" in known:
            cloud = known["cloud_fraction"]
            row = replace(
                row,
                platform=str(known["platform"]),
                baseline=str(known["baseline"]),
                cloud_fraction=None if cloud is None else float(str(cloud)),
            )
        found.append(row)
    return found
