"""Step 20: list the Sentinel-2 scenes of a tile with the Sentinel-3 products near them in time.

Look through the archives (`scan`), decide the rows without touching a file (`pairing`), complete
them (`assembly`), write (`table`), and say what there is to know (`notes`). How a rerun treats an
inventory that is there stands in `pairing`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from sensor2sensor.core import cli, files
from sensor2sensor.core.cluster import require_folders
from sensor2sensor.core.versions import __version__
from sensor2sensor.preprocess.inventory.assembly import assembled
from sensor2sensor.preprocess.inventory.notes import notes, nothing_found, scene_counts
from sensor2sensor.preprocess.inventory.options import arguments_parser, parse_options
from sensor2sensor.preprocess.inventory.pairing import Plan, first_scenes, plan
from sensor2sensor.preprocess.inventory.scan import scan
from sensor2sensor.preprocess.inventory.table import (
    Inventory,
    csv_path,
    existing_inventory,
    write_inventory,
)

DOC = """List the Sentinel-2 scenes of one tile and, for each, the Sentinel-3 OLCI products sensed
within a window of time, with the share of the scene they cover. Writes
_inventory/inv_<tile>_<hours>h.csv (inv_<tile>_s2.csv with --s2-only) and a .json beside it; a
--level, a --resolution other than 10, --s3-type ERR and --bands other than B02,B03,B04 stand in the
name (inv_T29UNU_s2_L2A_60m, inv_T17XNA_10h_B02-B8A).
A rerun keeps the indices it gave and appends what is new. With --limit N the inventory lists no
more than the first N scenes; without it the next run appends the others, under the same indices.

  python preprocessing/20_create_inventory.py --tile T17XNA --timediff 10
  python preprocessing/20_create_inventory.py --tile T29UNU --s2-only --level L2A --resolution 60
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 20; returns the exit code."""
    return cli.main_guard(run, arguments_parser(DOC), argv)


def run(args: argparse.Namespace) -> int:
    """Make or extend an inventory.

    Returns:
        0, or 1 when products were damaged or incomplete (each is named; the others are listed) or
        there was nothing to list (nothing is written then).

    Raises:
        InputError: Options that cannot be, no product of the tile, or two levels and none asked
            for.
        OutputExistsError: The inventory was made with other options.
    """
    from sensor2sensor.config.environment import load_environment

    options = parse_options(args)
    env = load_environment(args.environment)
    require_folders(env.data_root, env.s2_root, env.s3_root)
    name = options.name_among(env)
    place = csv_path(env.inventory_dir, name)
    report = cli.StepReport("step 20", dry_run=args.dry_run)
    # Two runs at once would give one index to two pairs; a dry run writes nothing, no lock either.
    with nullcontext() if args.dry_run else files.lock(place.with_name(f".{place.stem}.lock")):
        old = existing_inventory(env, name)
        options = options.agreed_with(old, place)
        keep = not args.dry_run
        s2, s3 = scan(env, options, verify=args.verify, workers=args.workers, keep=keep)
        options = replace(options, level=s2.level)
        planned = plan(s2.sightings, s3.sightings, options.window, old.rows, old.products)
        planned, later = first_scenes(planned, args.limit)
        for item, reason in [*s2.failures, *s3.failures]:
            report.failed(item, reason)
        if not (planned.kept or planned.added):
            report.note(nothing_found(options.tile, s2, s3, options.s3_type))
            return max(report.finish(), cli.EXIT_SOME_FAILED)
        new = assembled(env, options, planned, old, (s2, s3), report, workers=args.workers)
        named = {item for item, _ in report.failed_items}
        for item, reason in new.unusable.items():
            if item not in named:
                report.failed(item, reason)
        if not args.dry_run:
            write_inventory(env, new, _manifest(new, report.failed_items, planned.left_out))
    if later:
        report.note(f"--limit {args.limit}: {later} scenes more are there, not listed yet")
    if args.verify and (without := sum(not one.verified for one in s2.sightings)):
        told = f"--verify: nothing compared of {without} of {len(s2.sightings)} Sentinel-2 products"
        report.note(f"{told}, which list no checksums")
    for note in notes(options, planned, new, s2, s3):
        report.note(note)
    _tell(report, planned, new, place, would="would hold" if args.dry_run else "holds")
    return report.finish()


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


def _tell(
    report: cli.StepReport, planned: Plan, new: Inventory, place: Path, *, would: str
) -> None:
    """Count the scenes, and say how many rows the table holds."""
    added = {frozenset(row.s2_paths) for row in planned.added}
    for scene in sorted(map(sorted, added)):
        report.done(" + ".join(scene))
    for scene in sorted(map(sorted, new.usable_scenes() - added)):
        report.skipped(" + ".join(scene))
    for old, other in planned.superseded.items():
        report.note(f"{old} is gone or damaged: {other} takes its place under its own index")
    counted = f"{len(new.rows)} ({len(planned.kept)} kept, {len(planned.added)} new)"
    report.note(f"{place} {would} rows: {counted}, scenes: {scene_counts(planned, new)}")
