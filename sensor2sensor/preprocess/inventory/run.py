"""Step 20: list the Sentinel-2 scenes of a tile with the Sentinel-3 products near them in time.

`run` reads the archives, `pairing.plan` decides without touching a file, and one place writes. How
a rerun treats an inventory that is there stands in `sensor2sensor.preprocess.inventory.pairing`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import cli, files, manifest
from sensor2sensor.core.errors import InputError, OutputExistsError
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.core.versions import __version__
from sensor2sensor.preprocess.inventory import notes
from sensor2sensor.preprocess.inventory import table as inventory_file
from sensor2sensor.preprocess.inventory.options import Options, arguments_parser, parse_options
from sensor2sensor.preprocess.inventory.pairing import Plan, plan
from sensor2sensor.preprocess.inventory.scan import Scan, scan_sentinel2, scan_sentinel3
from sensor2sensor.preprocess.inventory.table import Inventory, InventoryRow

if TYPE_CHECKING:
    from pathlib import Path

    from sensor2sensor.config.environment import Environment

DOC = """List the Sentinel-2 scenes of one tile and, for each, the Sentinel-3 OLCI products sensed
within a window of time, with the share of the scene they cover. Writes
_inventory/inv_<tile>_<hours>h.csv (inv_<tile>_s2.csv with --s2-only) and a .json beside it; a
--level, a --resolution other than 10, --s3-type ERR and --bands other than B02,B03,B04 stand in the
name (inv_T29UNU_s2_L2A_60m, inv_T17XNA_10h_B02-B8A).
A rerun keeps the indices it gave and appends what is new.

  python preprocessing/20_create_inventory.py --tile T17XNA --timediff 10
  python preprocessing/20_create_inventory.py --tile T29UNU --s2-only --level L2A --resolution 60
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 20; returns the exit code."""
    return cli.main_guard(_from_arguments, arguments_parser(DOC), argv)


def _from_arguments(args: argparse.Namespace) -> int:
    from sensor2sensor.config.environment import load_environment

    options = parse_options(args)
    env = load_environment(args.environment)
    return run(env, options, verify=args.verify, workers=args.workers, dry_run=args.dry_run)


def run(
    env: Environment,
    options: Options,
    *,
    verify: bool = False,
    workers: int = 1,
    dry_run: bool = False,
) -> int:
    """Make or extend an inventory.

    Returns:
        0, or 1 when products were damaged or incomplete (each is named; the others are listed) or
        there was nothing to list (nothing is written then).

    Raises:
        InputError: No product of the tile, or two levels and none asked for.
        OutputExistsError: The inventory was made with other options.
    """
    name = _name(env, options)
    place = inventory_file.csv_path(env.inventory_dir, name)
    lock = nullcontext() if dry_run else files.lock(place.with_name(f".{place.stem}.lock"))
    report = cli.StepReport("step 20", dry_run=dry_run)
    with lock:
        old = _existing(env, name)
        options = _agreed(options, old, place)
        s2, s3 = _scan(env, options, verify=verify, workers=workers)
        options = replace(options, level=s2.level)
        planned = plan(s2.sightings, s3.sightings, options.window, old.rows, old.products)
        for item, reason in [*s2.failures, *s3.failures]:
            report.failed(item, reason)
        if not (planned.kept or planned.added):
            report.note(notes.nothing_found(options.tile, s2, s3, options.s3_type))
            return max(report.finish(), cli.EXIT_SOME_FAILED)
        new = _inventory(env, name, options, planned, old, [s2, s3])
        rows = [*planned.kept, *_with_overlap(planned.added, s2, s3, workers, report)]
        new = replace(new, rows=notes.described(rows, new.products))
        if not dry_run:
            _sweep(place)
            manifest_ = _manifest(new, report.failed_items, planned.left_out)
            inventory_file.write_inventory(env, new, manifest_)
    for note in _notes(options, planned, new, s2, s3):
        report.note(note)
    return _tell(report, planned, new, place, dry_run)


def _name(env: Environment, options: Options) -> str:
    """The inventory's name; one of earlier versions, named without its options, is gone on with."""
    if inventory_file.csv_path(env.inventory_dir, options.name).is_file():
        return options.name
    for older in options.earlier_names:
        try:
            there = _existing(env, older).options
            if there and not _differences(options, there):
                return older
        except (InputError, KeyError):  # damaged, and not known to be of these options
            continue
    return options.name


def _inventory(
    env: Environment,
    name: str,
    options: Options,
    planned: Plan,
    old: Inventory,
    scans: Sequence[Scan],
) -> Inventory:
    """The inventory as planned; the overlap of new rows is still to be measured."""
    rows = [*planned.kept, *planned.added]
    failures = {path: reason for scan in scans for path, reason in scan.failures}
    usable = {one.path for scan in scans for one in scan.sightings}
    roots = [env.s2_root, None if options.s2_only else env.s3_root]
    gone = notes.vanished(planned, roots, failures, usable)
    products = _facts(rows, planned, old, scans)
    return Inventory(name, rows, options.as_json(), products, planned.superseded, gone)


def _notes(options: Options, planned: Plan, new: Inventory, s2: Scan, s3: Scan) -> list[str]:
    return [
        *planned.notes,
        *notes.left_out(planned, s2),
        *notes.unusable(new),
        *notes.divided(new),
        *notes.without_partner(planned, new, options.timediff_h, s3),
    ]


def _sweep(place: Path) -> None:
    """Delete half-written files of this inventory; those of others may be another run's."""
    for suffix in (".csv", ".json"):
        for leftover in place.parent.glob(f".{place.stem}{suffix}.*{files.PART_SUFFIX}"):
            leftover.unlink(missing_ok=True)


def _existing(env: Environment, name: str) -> Inventory:
    """The inventory as it stands; empty when there is none (a manifest alone is a leftover)."""
    table = inventory_file.csv_path(env.inventory_dir, name)
    if not table.is_file():
        return Inventory(name, [], {})
    if not inventory_file.manifest_path(env.inventory_dir, name).is_file():
        return Inventory(name, inventory_file.read_rows(table), {})
    return inventory_file.read_inventory(env, name)


def _agreed(options: Options, old: Inventory, place: Path) -> Options:
    """The options, with the level of the inventory that is there unless another was asked for."""
    there = old.options
    if not there or not old.rows:  # an empty one of earlier versions binds nobody
        return options
    if options.level is None or there["level"] is None:
        options = replace(options, level=options.level or there["level"])
    other = _differences(options, there)
    if other:
        # Names carry every option, but those of earlier versions did not.
        hint = "an earlier version named it without these options: move its .csv and .json away"
        raise OutputExistsError("; ".join(other), where=place, hint=hint)
    return options


def _differences(options: Options, there: Mapping[str, Any]) -> list[str]:
    """How an inventory's options differ; a level one of them leaves open fits any."""
    level = options.level or there["level"]
    asked = replace(options, level=level).as_json()
    return manifest.differences({**there, "level": there["level"] or level}, asked)


def _scan(env: Environment, options: Options, *, verify: bool, workers: int) -> tuple[Scan, Scan]:
    s2_root = env.require("s2_root")
    s3_root = None if options.s2_only else env.require("s3_root")
    s2 = scan_sentinel2(
        s2_root,
        options.tile,
        options.level,
        options.bands,
        options.resolution_m,
        verify=verify,
        workers=workers,
    )
    if s3_root is None or options.window is None or options.s3_type is None:
        return s2, Scan()
    times = [scene.time for scene in s2.sightings]
    between = (min(times) - options.window, max(times) + options.window) if times else None
    s3 = scan_sentinel3(
        s3_root, between, options.s3_type, verify=verify, workers=workers, grid=s2.grid
    )
    return s2, s3


def _overlap(item: tuple[str, Any, Any, int]) -> float:
    from sensor2sensor.geo.footprints import overlap_fraction

    _, scene, other, epsg = item
    return overlap_fraction(scene, other, epsg)


def _with_overlap(
    rows: Sequence[InventoryRow], s2: Scan, s3: Scan, workers: int, report: cli.StepReport
) -> list[InventoryRow]:
    """The rows with the share of the scene's footprint that the partner covers."""
    if not any(row.s3 for row in rows):
        return list(rows)
    items = [
        (f"{row.s2} x {row.s3}", s2.footprints[row.s2], s3.footprints[row.s3], s2.epsg[row.s2])
        for row in rows
        if row.s3
    ]
    measured = parallel_map(
        _overlap, items, workers=workers, label=lambda item: item[0], desc="measuring overlap"
    )
    found: list[InventoryRow] = []
    for row, (item, share) in zip(rows, measured, strict=True):
        if isinstance(share, Failure):
            report.failed(item[0], share.reason)
        found.append(replace(row, overlap=None if isinstance(share, Failure) else share))
    return found


def _facts(
    rows: Sequence[InventoryRow], planned: Plan, old: Inventory, scans: Sequence[Scan]
) -> dict[str, dict[str, Any]]:
    """What is known of each listed product; a checksum verified once is remembered."""
    now = {path: fact for scan in scans for path, fact in scan.facts.items()}
    verified = {f["name"] for f in old.products.values() if f["checksums"] == "verified"}
    facts: dict[str, dict[str, Any]] = {}
    for path in dict.fromkeys(path for row in rows for path in (row.s2, row.s3) if path):
        fact = now.get(path) or old.products.get(path)
        if fact is not None:
            facts[path] = {**fact, "checksums": _checksums(fact, verified)}
    return facts


def _checksums(fact: Mapping[str, Any], verified: set[str]) -> str:
    return "verified" if fact["name"] in verified else str(fact["checksums"])


def _manifest(
    inventory: Inventory, failed: Sequence[tuple[str, str]], left_out: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "step": "20",
        "version": __version__,
        "options": inventory.options,
        "products": inventory.products,
        "superseded": inventory.superseded,
        "vanished": inventory.vanished,
        "left_out": dict(left_out),
        "failed": [{"product": item, "reason": reason} for item, reason in failed],
    }


def _tell(report: cli.StepReport, planned: Plan, new: Inventory, place: Path, dry_run: bool) -> int:
    added = {row.s2 for row in planned.added}
    for scene in sorted(added):
        report.done(scene)
    for scene in sorted(new.usable_scenes() - added):
        report.skipped(scene)
    for old, other in planned.superseded.items():
        report.note(f"{old} is gone or damaged: {other} takes its place under its own index")
    would = "would hold" if dry_run else "holds"
    rows = len(planned.kept) + len(planned.added)
    report.note(
        f"{place} {would} rows: {rows} ({len(planned.kept)} kept, {len(planned.added)} new),"
        f" scenes: {notes.scene_counts(planned, new)}"
    )
    return report.finish()
