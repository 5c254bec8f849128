"""Step 30: a PNG of every scene worth looking at, and the contact sheet to select them on.

`_inventory/<inv>/<id>.png` shows scene `<id>` of the inventory, `index.html` beside them all of
them, and `_config.json` says how each was stretched. A picture is kept when its product, the
options and the version of this step are those it was made with.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import cli, files, manifest
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.core.times import format_utc, parse_utc
from sensor2sensor.core.versions import __version__
from sensor2sensor.preprocess.inventory.table import (
    GONE,
    Inventory,
    InventoryRow,
    read_inventory,
)
from sensor2sensor.preprocess.quicklooks.contact_sheet import Card, Partner, contact_sheet
from sensor2sensor.preprocess.quicklooks.render import (
    STRETCH,
    decimation,
    display_bands,
    render,
)

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment
    from sensor2sensor.products.sentinel2 import S2Product

DOC = """Make a picture of every Sentinel-2 scene of an inventory that a Sentinel-3 product covers
well enough, and a page on which to select the good ones: open _inventory/<inventory>/index.html in
a browser, click the scenes to keep, press "Save selection".

  python preprocessing/30_create_s2pngs.py --inventory inv_T17XNA_10h --overlap 0.5 --downsample 20
"""
CONFIG = "_config.json"
PAGE = "index.html"
_NAME = re.compile(r"(?P<platform>S2[A-Z])_.*_N(?P<baseline>\d{4})_")
# So much work at most is repeated after a crash.
_SAVE_EVERY = 25


@dataclass(frozen=True)
class Job:
    """One picture to make sure of."""

    scene: int
    product: Path
    picture: Path
    bands: tuple[str, ...]
    resolution_m: int
    factor: int


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 30; returns the exit code."""
    return cli.main_guard(_from_arguments, _parser(), argv)


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
    return parser


def _from_arguments(args: argparse.Namespace) -> int:
    from sensor2sensor.config.environment import load_environment

    env = load_environment(args.environment)
    return run(
        env,
        args.inventory,
        overlap=args.overlap,
        downsample=args.downsample,
        workers=args.workers,
        dry_run=args.dry_run,
    )


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


def run(
    env: Environment,
    name: str,
    *,
    overlap: float = 0.5,
    downsample: int = 20,
    workers: int = 1,
    dry_run: bool = False,
) -> int:
    """Make the pictures and the page of an inventory.

    Args:
        env: Machine settings.
        name: The inventory.
        overlap: Least share of a scene's footprint that one of its partners covers.
        downsample: Size of a picture's pixel in units of 10 m.
        workers: Processes.
        dry_run: Only say what would be done.

    Returns:
        0, or 1 when products failed; they are named and have no card on the page.
    """
    if not 0 <= overlap <= 1:
        raise InputError(f"--overlap {overlap} is no share", hint="give a number from 0 to 1")
    if downsample < 1:
        raise InputError(f"--downsample {downsample} is no factor", hint="give 1 or more")
    inventory = read_inventory(env, name)
    scenes = plan(inventory, overlap)
    folder = env.inventory_dir / name
    report = cli.StepReport("step 30", dry_run=dry_run)
    left_out = len(inventory.scenes()) - len(scenes)
    below = f", {left_out} below an overlap of {overlap:g}" if left_out else ""
    report.note(f"scenes to show: {len(scenes)}{below}")
    jobs = _jobs(env, inventory, scenes, downsample)
    if dry_run:
        shown = _foresee(jobs, folder, workers, report)
        _note_others(_others(folder, shown), "would be removed", report)
        return report.finish()
    with files.lock(env.inventory_dir / f".{name}.pictures.lock"):
        files.sweep(folder)
        options = {"inventory": name, "overlap": overlap, "downsample": downsample}
        made = _pictures(jobs, folder, options, workers, report)
        cards = [_card(scene, scenes[scene], facts, inventory) for scene, facts in made.items()]
        others = _others(folder, made)
        _note_others(others, "removed", report)
        for picture in others:
            files.remove(picture)
        page = contact_sheet(name, cards, sentinel2_only=inventory.sentinel2_only)
        files.write_text(folder / PAGE, page)
    report.note(f"open {folder / PAGE}")
    return report.finish()


def _jobs(
    env: Environment,
    inventory: Inventory,
    scenes: Mapping[int, list[InventoryRow]],
    downsample: int,
) -> list[Job]:
    root = env.require("s2_root")
    resolution_m = int(inventory.options["resolution_m"])
    bands = display_bands(inventory.options["bands"])
    factor = decimation(downsample, resolution_m)
    folder = env.inventory_dir / inventory.name
    return [
        Job(scene, root / rows[0].s2, folder / f"{scene}.png", bands, resolution_m, factor)
        for scene, rows in scenes.items()
    ]


def _foresee(jobs: Sequence[Job], folder: Path, workers: int, report: cli.StepReport) -> set[int]:
    """Count what a run would make and what is there already; the scenes it would show."""
    shown = set()
    look = partial(_is_there, before=_previous(folder))
    found = parallel_map(
        look, jobs, workers=workers, label=lambda job: job.product.name, desc="pictures"
    )
    for job, result in found:
        if isinstance(result, Failure):
            report.failed(job.product.name, result.reason)
        else:
            (report.skipped if result else report.done)(job.product.name)
            shown.add(job.scene)
    return shown


def _pictures(
    jobs: Sequence[Job],
    folder: Path,
    options: Mapping[str, Any],
    workers: int,
    report: cli.StepReport,
) -> dict[int, dict[str, Any]]:
    """Facts of each picture that is there in the end, by scene."""
    before = _previous(folder)
    made: dict[int, dict[str, Any]] = {}
    work = partial(_make, before=before)
    results = parallel_map(
        work, jobs, workers=workers, label=lambda job: job.product.name, desc="pictures"
    )
    for count, (job, result) in enumerate(results, start=1):
        if isinstance(result, Failure):
            report.failed(job.product.name, result.reason)
            continue
        made[job.scene], is_new = result
        (report.done if is_new else report.skipped)(job.product.name)
        if is_new and count % _SAVE_EVERY == 0 and count < len(jobs):
            _write_config(folder, options, {**before, **made})
    _write_config(folder, options, made)
    return made


def _write_config(
    folder: Path, options: Mapping[str, Any], made: Mapping[int, Mapping[str, Any]]
) -> None:
    scenes = {str(scene): made[scene] for scene in sorted(made)}
    head = {"step": "30", "version": __version__, "options": dict(options)}
    files.write_json(folder / CONFIG, {**head, "stretch": STRETCH, "scenes": scenes})


def _previous(folder: Path) -> dict[int, dict[str, Any]]:
    """What the last run noted of each picture; nothing when its notes are of another version."""
    path = folder / CONFIG
    if not path.is_file():
        return {}
    noted = files.read_json(path)
    if not isinstance(noted, dict) or noted.get("step") != "30":
        return {}
    if noted["version"] != __version__:
        return {}
    return {int(scene): facts for scene, facts in noted["scenes"].items()}


def _there(
    job: Job, *, before: Mapping[int, Mapping[str, Any]]
) -> tuple[S2Product, str, dict[str, Any] | None]:
    """The product, what a picture would be made of, and the facts of the one that still holds."""
    from sensor2sensor.products.sentinel2 import open_s2

    product = open_s2(job.product)
    made_of = manifest.fingerprint(
        [
            *(product.name, job.bands, job.resolution_m, job.factor, STRETCH),
            _inputs(product, job),
        ]
    )
    there = before.get(job.scene)
    holds = there is not None and there["made_of"] == made_of and _is_whole(job.picture, there)
    return product, made_of, dict(there) if there is not None and holds else None


def _is_there(job: Job, *, before: Mapping[int, Mapping[str, Any]]) -> bool:
    return _there(job, before=before)[2] is not None


def _make(job: Job, *, before: Mapping[int, Mapping[str, Any]]) -> tuple[dict[str, Any], bool]:
    """Make one picture unless the one that is there still holds; its facts, and whether made."""
    product, made_of, there = _there(job, before=before)
    if there is not None:
        return there, False
    data, limits = render(product, job.bands, job.resolution_m, job.factor)
    files.write_bytes(job.picture, data)
    facts = {
        "product": product.name,
        "sensing_start": format_utc(product.sensing_start),
        "cloud_fraction": product.cloud_fraction,
        "bands": list(job.bands),
        "stretch_reflectance": limits,
        "made_of": made_of,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return facts, True


def _is_whole(picture: Path, noted: Mapping[str, Any]) -> bool:
    return picture.is_file() and files.sha256(picture) == noted["sha256"]


def _inputs(product: S2Product, job: Job) -> list[dict[str, int]]:
    """The cheap identity of the files a picture is made of."""
    if job.product.is_file():
        return [manifest.file_fingerprint(job.product)]
    # The mask that tells cloud from ground sets the stretch: it is read at the coarsest grid.
    mask = product.members_for((), max(product.grids))
    members = [*(product.band_member(band, job.resolution_m) for band in job.bands), *mask]
    paths = [Path(product.files.gdal_path(member)) for member in members]
    return [manifest.file_fingerprint(path) for path in paths]


def _card(
    scene: int, rows: Sequence[InventoryRow], facts: Mapping[str, Any], inventory: Inventory
) -> Card:
    named = _NAME.match(facts["product"])  # for tables of earlier versions
    return Card(
        scene=scene,
        product=facts["product"],
        picture=f"{scene}.png",
        sensing=parse_utc(facts["sensing_start"]),
        cloud_fraction=facts["cloud_fraction"],
        partners=[_partner(row, rows, inventory) for row in rows if row.s3],
        platform=rows[0].platform or (named and named["platform"]),
        baseline=rows[0].baseline or (named and f"{named['baseline'][:2]}.{named['baseline'][2:]}"),
    )


def _partner(row: InventoryRow, rows: Sequence[InventoryRow], inventory: Inventory) -> Partner:
    path = str(row.s3)
    known = inventory.products.get(path)
    name = str(known["name"]) if known else PurePosixPath(path).name
    why = inventory.vanished.get(path)
    lost = "not in the archive any more" if why == GONE else "cannot be used, see step 20"
    there = [one for one in rows if one.s3 not in inventory.vanished]
    frames = 1 + len(inventory.frames_beside(row, there))
    return Partner(name, _signed_gap_h(row), row.overlap, lost if why else "", frames)


def _signed_gap_h(row: InventoryRow) -> float | None:
    """Sentinel-3's time minus Sentinel-2's; tables of earlier versions give the starts alone."""
    known = row.time_gap_h
    if known is not None or row.s3date is None:
        return known
    return (row.s3date - row.s2date).total_seconds() / 3600.0


def _others(folder: Path, shown: Collection[int]) -> list[Path]:
    """Pictures of scenes that are not shown (any more): they go, so that page and folder agree."""
    found = [path for path in folder.glob("*.png") if path.stem.isdecimal()]
    return sorted((p for p in found if int(p.stem) not in shown), key=lambda p: int(p.stem))


def _note_others(others: Sequence[Path], verb: str, report: cli.StepReport) -> None:
    if others:
        named = ", ".join(f"scene {int(path.stem):05d}" for path in others)
        report.note(f"pictures {verb}, for they are not on the page (any more): {named}")
