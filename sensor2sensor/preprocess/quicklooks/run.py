"""Step 30: a PNG of every scene worth looking at, and the contact sheet to select them on.

`_inventory/<inv>/<id>.png` shows scene `<id>` of the inventory, `index.html` beside them all of
them, and `_config.json` says how each was stretched. A picture is kept when its product, the
options and the version of this step are those it was made with.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import cli, files
from sensor2sensor.core.cluster import require_folders
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.parts import Part, Parts, of_a_part, of_the_whole
from sensor2sensor.preprocess.inventory.rows import InventoryRow
from sensor2sensor.preprocess.inventory.table import Inventory, read_inventory
from sensor2sensor.preprocess.quicklooks.contact_sheet import card_of, contact_sheet
from sensor2sensor.preprocess.quicklooks.pictures import Job, foresee, joined, make_all
from sensor2sensor.preprocess.quicklooks.render import decimation, display_bands

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

DOC = """Make a picture of every Sentinel-2 scene of an inventory that a Sentinel-3 product covers
well enough, and a page on which to select the good ones: open _inventory/<inventory>/index.html in
a browser, click the scenes to keep, press "Save selection".

  python preprocessing/30_create_s2pngs.py --inventory inv_T17XNA_10h --overlap 0.5 --downsample 20

With --limit N the page shows the first N of them; pictures of the others stay for the next run.
"""
PAGE = "index.html"


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 30; returns the exit code."""
    return cli.main_guard(run, _parser(), argv)


def run(args: argparse.Namespace) -> int:
    """Make the pictures and the page of an inventory.

    Returns:
        0, or 1 when products failed; they are named and have no card on the page.

    Raises:
        InputError: Options that cannot be, or no such inventory.
    """
    from sensor2sensor.config.environment import load_environment

    env = load_environment(args.environment)
    _check(args)
    require_folders(env.data_root, env.s2_root)
    inventory = read_inventory(env, args.inventory)
    every = plan(inventory, args.overlap)
    scenes = dict(list(every.items())[: args.limit])
    # Beyond a limit nothing is removed: the next run without one goes on with these pictures.
    beyond = every.keys() - scenes.keys()
    report = cli.StepReport("step 30", dry_run=args.dry_run)
    left_out = len(inventory.scenes()) - len(every)
    below = f", {left_out} below an overlap of {args.overlap:g}" if left_out else ""
    limited = f" (--limit, of {len(every)})" if beyond else ""
    report.note(f"scenes to show: {len(scenes)}{limited}{below}")
    folder = env.inventory_dir / inventory.name
    jobs = _jobs(env, inventory, scenes, folder, args.downsample)
    # What stands in the notes of the pictures; a path or a number of workers changes none.
    options = {name: vars(args)[name] for name in ("inventory", "overlap", "downsample")}
    parts = Parts(folder, options, [job.label for job in jobs])
    if args.dry_run:
        if args.merge:
            parts.collect(args.merge)
        share = args.part.share(jobs) if args.part else jobs
        shown = foresee(share, folder, args.workers, report)
        if not args.part:
            _leave_only(shown | beyond, folder, report)
        return report.finish()
    lock = env.inventory_dir / f".{inventory.name}.pictures.lock"
    if args.part:
        with of_a_part(lock, args.part):
            parts.begin(args.part)
            note = _pictures(parts, args.part)
            make_all(args.part.share(jobs), folder, options, args.workers, report, note=note)
            parts.end(args.part, report.failed_items)
        report.note(f"part {args.part}; --merge {args.part.of} joins all and makes the page")
        return report.finish()
    with of_the_whole(lock):
        files.sweep(folder)
        if args.merge:
            made = _joined(jobs, folder, options, parts, args.merge, report, keep=beyond)
        else:
            made = make_all(jobs, folder, options, args.workers, report, keep=beyond)
        _leave_only(made.keys() | beyond, folder, report)
        cards = [card_of(scene, scenes[scene], facts, inventory) for scene, facts in made.items()]
        page = contact_sheet(inventory.name, cards, sentinel2_only=inventory.sentinel2_only)
        files.write_text(folder / PAGE, page)
        parts.clear()
    report.note(f"open {folder / PAGE}")
    return report.finish()


def _pictures(parts: Parts, part: Part) -> Path:
    """Where a part notes what its pictures are made of."""
    return parts.folder / f"{part.name}-pictures.json"


def _joined(
    jobs: Sequence[Job],
    folder: Path,
    options: Mapping[str, Any],
    parts: Parts,
    of: int,
    report: cli.StepReport,
    *,
    keep: Collection[int],
) -> dict[int, dict[str, Any]]:
    """Facts of the pictures that the parts have made."""
    done = parts.collect(of)
    left = [job for job in jobs if job.label not in done.failed]
    for label, reason in done.failed.items():
        report.failed(label, reason)
    for job in left:
        report.skipped(job.label)
    notes = [_pictures(parts, Part(number, of)) for number in range(1, of + 1)]
    return joined(left, folder, options, notes, keep=keep)


def plan(inventory: Inventory, overlap: float) -> dict[int, list[InventoryRow]]:
    """The scenes to picture: those with a partner of at least this overlap, or all if alone."""
    scenes = inventory.scenes()
    if inventory.sentinel2_only:
        return scenes
    return {
        scene: rows
        for scene, rows in scenes.items()
        if any(row.overlap is not None and row.overlap >= overlap for row in rows)
    }


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser(DOC, prog="30_create_s2pngs.py", steps=True, seed=False)
    add = parser.add_argument
    add("--inventory", required=True, help="name, for example inv_T17XNA_10h")
    add("--overlap", type=float, default=0.5, help="least covered share of a scene (default 0.5)")
    add(
        "--downsample",
        type=int,
        default=20,
        help="picture pixel in units of 10 m, at any resolution (default 20: 200 m)",
    )
    cli.add_parts(parser)
    return parser


def _check(args: argparse.Namespace) -> None:
    if not 0 <= args.overlap <= 1:
        raise InputError(f"--overlap {args.overlap} is no share", hint="give a number from 0 to 1")
    if args.downsample < 1:
        raise InputError(f"--downsample {args.downsample} is no factor", hint="give 1 or more")


def _jobs(
    env: Environment,
    inventory: Inventory,
    scenes: Mapping[int, list[InventoryRow]],
    folder: Path,
    downsample: int,
) -> list[Job]:
    root = env.require("s2_root")
    resolution_m = int(inventory.options["resolution_m"])
    bands = display_bands(inventory.options["bands"])
    factor = decimation(downsample, resolution_m)
    return [
        Job(
            scene,
            rows[0].s2,
            root / rows[0].s2,
            folder / f"{scene}.png",
            bands,
            resolution_m,
            factor,
            joined=tuple(root / path for path in rows[0].s2_joined),
        )
        for scene, rows in scenes.items()
    ]


def _leave_only(shown: Collection[int], folder: Path, report: cli.StepReport) -> None:
    """Pictures of scenes that are not shown (any more) go, so that page and folder agree."""
    found = [path for path in folder.glob("*.png") if path.stem.isdecimal()]
    others = sorted((p for p in found if int(p.stem) not in shown), key=lambda p: int(p.stem))
    if others:
        verb = "would be removed" if report.dry_run else "removed"
        named = ", ".join(f"scene {int(path.stem):05d}" for path in others)
        report.note(f"pictures {verb}, for they are not on the page (any more): {named}")
    for picture in others:
        if not report.dry_run:
            files.remove(picture)
