"""Step 20: list the Sentinel-2 scenes of a tile with the Sentinel-3 products near them in time.

`run` reads the archives, `pairing.plan` decides without touching a file, and one place writes. How
a rerun treats an inventory that is there stands in `sensor2sensor.preprocess.pairing`.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import cli, files, manifest
from sensor2sensor.core.errors import InputError, OutputExistsError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.core.versions import __version__
from sensor2sensor.preprocess import inventory_file
from sensor2sensor.preprocess.inventory_file import Inventory, InventoryRow
from sensor2sensor.preprocess.inventory_scan import Scan, scan_sentinel2, scan_sentinel3
from sensor2sensor.preprocess.pairing import Plan, inventory_name, plan

if TYPE_CHECKING:
    from pathlib import Path

    from sensor2sensor.config.environment import Environment

DOC = """List the Sentinel-2 scenes of one tile and, for each, the Sentinel-3 OLCI products sensed
within a window of time, with the share of the scene they cover. Writes
_inventory/inv_<tile>_<hours>h.csv (inv_<tile>_s2.csv with --s2-only) and a .json beside it.
A rerun keeps the indices it gave and appends what is new.

  python preprocessing/20_create_inventory.py --tile T17XNA --timediff 10
  python preprocessing/20_create_inventory.py --tile T29UNU --s2-only --level L2A --resolution 60
"""
_TILE = re.compile(r"T?(\d{2}[C-HJ-NP-X][A-HJ-NP-Z]{2})", re.IGNORECASE)
_MAX_WINDOW_H = 24.0 * 366


@dataclass(frozen=True)
class Options:
    """What an inventory lists; `timediff_h` and `s3_type` are None for Sentinel-2 alone."""

    tile: str
    timediff_h: float | None
    level: str | None
    resolution_m: int
    bands: tuple[str, ...]
    s2_only: bool
    s3_type: str | None

    @property
    def name(self) -> str:
        """Name of the inventory."""
        return inventory_name(self.tile, self.timediff_h)

    @property
    def window(self) -> timedelta | None:
        """Largest distance of the two sensing starts."""
        return None if self.timediff_h is None else timedelta(hours=self.timediff_h)

    def as_json(self) -> dict[str, Any]:
        """The options as they stand in the manifest."""
        return {**asdict(self), "bands": list(self.bands)}


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 20; returns the exit code."""
    return cli.main_guard(_from_arguments, _parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser(DOC, prog="20_create_inventory.py", steps=True)
    add = parser.add_argument
    add("--tile", required=True, help="MGRS tile, for example T17XNA")
    add("--timediff", type=float, metavar="HOURS", help="largest distance in time, may be 2.5")
    add("--s2-only", action="store_true", help="list Sentinel-2 alone")
    add("--level", choices=("L1C", "L2A"), help="needed where the archive holds both")
    add("--resolution", type=int, default=10, choices=(10, 20, 60), help="metres (default 10)")
    add("--bands", default="B02,B03,B04", help="bands a product must have (default B02,B03,B04)")
    add("--s3-type", default="EFR", choices=("EFR", "ERR"), help="OLCI resolution (default EFR)")
    add("--verify", action="store_true", help="also compare files with the products' checksums")
    return parser


def _from_arguments(args: argparse.Namespace) -> int:
    from sensor2sensor.config.environment import load_environment

    options = parse_options(args)
    env = load_environment(args.environment)
    return run(env, options, verify=args.verify, workers=args.workers, dry_run=args.dry_run)


def parse_options(args: argparse.Namespace) -> Options:
    """Options of the command line; InputError says what cannot be."""
    return Options(
        tile=parse_tile(args.tile),
        timediff_h=_hours(args.timediff, args.s2_only),
        level=args.level,
        resolution_m=args.resolution,
        bands=_bands(args.bands),
        s2_only=args.s2_only,
        s3_type=None if args.s2_only else args.s3_type,
    )


def parse_tile(text: str) -> str:
    """`17xna` and `T17XNA` → `T17XNA`; InputError for anything that is no tile."""
    found = _TILE.fullmatch(text.strip())
    if not found:
        raise InputError(f"--tile '{text}' is no MGRS tile", hint="give one like T17XNA")
    return f"T{found.group(1).upper()}"


def _hours(timediff: float | None, s2_only: bool) -> float | None:
    if s2_only:
        if timediff is not None:
            raise InputError("--timediff has no meaning with --s2-only", hint="give one of them")
        return None
    if timediff is None:
        raise InputError("--timediff is missing", hint="give hours, or --s2-only")
    if not (math.isfinite(timediff) and 0 < timediff <= _MAX_WINDOW_H):
        raise InputError(f"--timediff {timediff} is no window", hint="give hours above 0")
    return timediff


def _bands(text: str) -> tuple[str, ...]:
    from sensor2sensor.products.sentinel2 import S2_WAVELENGTHS_NM

    bands = cli.comma_list(text)
    for band in bands:
        if band not in S2_WAVELENGTHS_NM:
            hint = suggestion(band, S2_WAVELENGTHS_NM)
            raise InputError(f"--bands: no Sentinel-2 band '{band}'", hint=hint)
    if len(set(bands)) < len(bands):
        raise InputError(f"--bands {text} names a band twice")
    return bands


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
        0, or 1 when products were damaged or incomplete (each is named; the others are listed).

    Raises:
        InputError: No product of the tile, or two levels and none asked for.
        OutputExistsError: The inventory was made with other options.
    """
    place = inventory_file.csv_path(env.inventory_dir, options.name)
    lock = nullcontext() if dry_run else files.lock(place.with_name(f".{place.stem}.lock"))
    report = cli.StepReport("step 20", dry_run=dry_run)
    with lock:
        old = _existing(env, options.name)
        options = _agreed(options, old, place)
        s2, s3 = _scan(env, options, verify=verify, workers=workers)
        options = replace(options, level=s2.level)
        planned = plan(s2.sightings, s3.sightings, options.window, old.rows, old.products)
        for item, reason in [*s2.failures, *s3.failures]:
            report.failed(item, reason)
        if not dry_run:
            rows = [*planned.kept, *_with_overlap(planned.added, s2, s3, workers, report)]
            products = _facts(rows, planned, old, [s2, s3])
            _sweep(place)
            new = Inventory(options.name, rows, options.as_json(), products, planned.superseded)
            inventory_file.write_inventory(env, new, _manifest(new, report.failed_items))
    return _tell(report, planned, place, dry_run)


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
    there = dict(old.options)
    if not there:
        return options
    if options.level is None or there["level"] is None:
        options = replace(options, level=options.level or there["level"])
        there["level"] = options.level
    other = manifest.differences(there, options.as_json())
    if other:
        hint = "give the same options, or move the old inventory away"
        raise OutputExistsError("; ".join(other), where=place, hint=hint)
    return options


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
    if s3_root is None or options.window is None or options.s3_type is None or not s2.sightings:
        return s2, Scan()
    starts = [scene.start for scene in s2.sightings]
    between = (min(starts) - options.window, max(starts) + options.window)
    return s2, scan_sentinel3(s3_root, between, options.s3_type, verify=verify, workers=workers)


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


def _manifest(inventory: Inventory, failed: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        "step": "20",
        "version": __version__,
        "options": inventory.options,
        "products": inventory.products,
        "superseded": inventory.superseded,
        "failed": [{"product": item, "reason": reason} for item, reason in failed],
    }


def _tell(report: cli.StepReport, planned: Plan, place: Path, dry_run: bool) -> int:
    kept, added = {row.s2 for row in planned.kept}, {row.s2 for row in planned.added}
    for scene in sorted(added):
        report.done(scene)
    for scene in sorted(kept - added):
        report.skipped(scene)
    for note in planned.notes:
        report.note(note)
    for old, new in planned.superseded.items():
        report.note(f"{old} is gone or damaged: {new} takes its place under its own index")
    would = "would hold" if dry_run else "holds"
    rows = len(planned.kept) + len(planned.added)
    report.note(
        f"{place} {would} rows: {rows} ({len(planned.kept)} kept, {len(planned.added)} new),"
        f" scenes: {len(kept | added)}"
    )
    return report.finish()
