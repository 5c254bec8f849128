"""What step 40 says of a scene: which partner was taken, why it has too few tiles, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sensor2sensor.preprocess.inventory.rows import InventoryRow
from sensor2sensor.preprocess.inventory.table import Inventory
from sensor2sensor.preprocess.tiles.plan import Pair, SceneTask
from sensor2sensor.preprocess.tiles.scene import SceneResult

# What helps where a scene has no tile, by the reason that ruled most of its positions out.
ADVICE = {
    "cloud": "raise --max-cloud, or",
    "nodata": "raise --max-nodata, or",
    "saturated": "raise --max-nodata, or",
    "invalid": "lower --min-valid, or",
    "shift": "raise --max-shift, or",
    "unknown shift": "keep those of unknown shift (--unknown-shift keep), or",
    "no OLCI": "its Sentinel-3 product has too few valid pixels there:",
}
SHIFTED = ("shift", "unknown shift")  # reasons that can end the search of a scene


def would_cut(task: SceneTask, result: SceneResult) -> str:
    """What a dry run says of a scene that a run would work on."""
    wanted, names = task.options.quantity, _taken(task, result)
    there = result.tiles if result.tiles < wanted else 0
    number = f"{wanted - there} {'further ' if there else ''}tiles"
    partner = f" with {' + '.join(names.s3_paths)}" if names.s3 else ""
    return f"would cut {number} of {task.label}: {' + '.join(names.s2_paths)}{partner}"


def of_products(
    task: SceneTask, result: SceneResult, inventory: Inventory, rows: Sequence[InventoryRow]
) -> list[str]:
    """Tiles that outlive their products, partners in place of others, frames that gave no tile.

    Args:
        task: the scene.
        result: what became of it.
        inventory: it was chosen from.
        rows: the scene's rows there.
    """
    notes = []
    if result.stays_because:
        stay = f"its {result.tiles} tiles of before stay"
        notes.append(f"{task.label}: {stay}, although {result.stays_because}")
    taken = _taken(task, result).s3
    notes += [f"{task.label}: {why}; {taken} takes its place" for why in result.passed_over]
    for row in rows:
        if taken is None or row.s3 != taken:
            continue
        notes += [
            f"{task.label}: {taken} covers {row.overlap:.2f} of it; {beside.s3}, another frame of"
            f" the same pass, covers {beside.overlap:.2f} and gave no tile"
            for beside in inventory.frames_beside(row, rows)
        ]
    return notes


def why_none(task: SceneTask, result: SceneResult) -> str:
    """Why a scene has no tile at all: it was asked for, so that is a failure."""
    if not result.reasons:
        return f"no tile: the scene is smaller than {task.options.tile_px} pixels; lower --tilesize"
    # Not the largest count: without clouds the same shifts would have ended it.
    ended = [name for name in SHIFTED if name in result.reasons] if result.by_shifts else []
    most = max(ended or sorted(result.reasons), key=lambda name: result.reasons[name])
    advice = ADVICE.get(most, "its tiles lie outside one of the products:")
    why = "shifts ended the search: " if ended else ""
    return (
        f"no tile passes (rejected: {_counts(result.reasons)}); {why}{advice} take the scene out of"
        " the selection"
    )


def why_fewer(task: SceneTask, result: SceneResult) -> str:
    """What ruled the others out where no more tiles exist."""
    tried = sum(result.reasons.values()) + result.tiles
    ended = "no more exist among"
    if result.by_shifts:
        ended = "shifts beyond --max-shift, or unknown, ended the search after"
    return (
        f"{task.label}: {result.tiles} of {task.options.quantity} tiles, {ended}"
        f" {tried} positions (rejected: {_counts(result.reasons) or 'none'})"
    )


def corrected(manifest: Mapping[str, Any]) -> str:
    """What ``--correct-shift`` came to, of a finished folder that has tiles."""
    aligned, tiles = manifest["aligned_tiles"], manifest["tiles"]
    said = f"the drift of {aligned} of {tiles} tiles was large and sure enough to correct"
    return said + (f"; {small}" if (small := too_small(manifest)) else "")


def too_small(manifest: Mapping[str, Any]) -> str:
    """How many scenes are too small for a drift to be sure; empty where none is."""
    scenes = manifest.get("scenes", {})
    small = sum("corrected" in facts for facts in scenes.values())
    what = "smaller than the 20 km that a drift is measured over, where none is sure enough"
    return f"{small} of {len(scenes)} scenes are {what}" if small else ""


def _taken(task: SceneTask, result: SceneResult) -> Pair:
    """The pair that came after those passed over."""
    return task.pairs[len(result.passed_over)]


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(reasons.items()))
