"""An inventory as planned: the overlap of its new pairs, and what is known of its products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.preprocess.inventory.joining import whole_footprint
from sensor2sensor.preprocess.inventory.pairing import Plan
from sensor2sensor.preprocess.inventory.rows import InventoryRow
from sensor2sensor.preprocess.inventory.scan import Scan
from sensor2sensor.preprocess.inventory.table import GONE, Inventory

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment
    from sensor2sensor.core.cli import StepReport
    from sensor2sensor.preprocess.inventory.options import Options

_WORTH_A_WORKER = 1000  # pairs: a process takes a second to begin, a pair a few milliseconds


def assembled(
    env: Environment,
    options: Options,
    planned: Plan,
    old: Inventory,
    scans: tuple[Scan, Scan],
    report: StepReport,
    *,
    workers: int,
) -> Inventory:
    """The inventory that was planned.

    Args:
        env: Machine settings.
        options: Of the inventory, its level decided.
        planned: Its rows.
        old: What it was before.
        scans: What the two archives hold.
        report: Told of pairs whose overlap could not be measured.
        workers: Processes.
    """
    rows = [*planned.kept, *_with_overlap(planned.added, scans, report, workers)]
    gone = _vanished(env, options, planned, scans)
    products = _facts(rows, old, scans)
    return Inventory(old.name, rows, options.as_json(), products, planned.superseded, gone)


def _with_overlap(
    rows: Sequence[InventoryRow], scans: tuple[Scan, Scan], report: StepReport, workers: int
) -> list[InventoryRow]:
    """The rows with the share of the scene's footprint that the partner covers."""
    s2, s3 = (scan.by_path for scan in scans)
    items = [
        (
            f"{row.s2} x {row.s3}",
            whole_footprint([s2[path] for path in row.s2_paths]),
            whole_footprint([s3[path] for path in row.s3_paths]),
        )
        for row in rows
        if row.s3
    ]
    if not items:
        return list(rows)
    several = workers if len(items) >= _WORTH_A_WORKER else 1
    measured = parallel_map(
        _overlap, items, workers=several, label=lambda item: item[0], desc="measuring overlap"
    )
    found: list[InventoryRow] = []
    for row, (item, share) in zip(rows, measured, strict=True):
        if isinstance(share, Failure):
            report.failed(item[0], share.reason)
        found.append(replace(row, overlap=None if isinstance(share, Failure) else share))
    return found


def _overlap(item: tuple[str, Any, Any]) -> float:
    from sensor2sensor.geo.footprints import overlap_fraction

    _, scene, other = item
    return overlap_fraction(scene, other)


def _vanished(
    env: Environment, options: Options, planned: Plan, scans: tuple[Scan, Scan]
) -> dict[str, str]:
    """Why listed products that nothing stands for cannot be used, by path."""
    failures = {path: reason for scan in scans for path, reason in scan.failures}
    usable = {path for scan in scans for path in scan.by_path}
    rows = [*planned.kept, *planned.added]
    places = {path: env.s2_root for row in rows for path in row.s2_paths}
    if not options.s2_only:
        places |= {path: env.s3_root for row in rows for path in row.s3_paths}
    found: dict[str, str] = {}
    looked_at = {path: f"tile {options.tile}" for row in rows for path in row.s2_paths}
    # Frames too far in time from any scene were not.
    near = (row for row in rows if usable.issuperset(row.s2_paths))
    looked_at |= {path: f"Sentinel-3 ({options.s3_type})" for row in near for path in row.s3_paths}
    for path, root in places.items():
        # Another product stands for a superseded one.
        if path in planned.superseded or path in usable:
            continue
        if path in failures:
            found[path] = failures[path]
        elif not (root / path).exists():
            found[path] = GONE
        elif path in looked_at:
            found[path] = f"is no product of {looked_at[path]} any more"
    return found


def _facts(
    rows: Sequence[InventoryRow], old: Inventory, scans: tuple[Scan, Scan]
) -> dict[str, dict[str, Any]]:
    """What is known of each listed product; a checksum verified once is remembered."""
    now = {path: one.facts for scan in scans for path, one in scan.by_path.items()}
    verified = {_made(f) for f in old.products.values() if f["checksums"] == "verified"}
    facts: dict[str, dict[str, Any]] = {}
    # A superseded product is listed still: what was known of it stays known.
    for path in dict.fromkeys(one for row in rows for one in (*row.s2_paths, *row.s3_paths)):
        fact = now.get(path) or old.products.get(path)
        if fact is not None:
            facts[path] = {**fact, "checksums": _checksums(fact, verified)}
    return facts


def _made(fact: Mapping[str, Any]) -> tuple[object, object]:
    """What tells a product from others, of other processings too (see `sightings`)."""
    return fact["name"], fact.get("generation_time")


def _checksums(fact: Mapping[str, Any], verified: set[tuple[object, object]]) -> str:
    return "verified" if _made(fact) in verified else str(fact["checksums"])
