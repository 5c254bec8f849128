"""Step 40: cut tiles of both sensors out of the selected scenes of an inventory.

Plan the scenes (`plan`), draw places and cut them scene by scene (`scene`), finish the folder
(`folder`): what it was made for, which tiles stay, `tiles.csv`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence

from sensor2sensor.core import cli
from sensor2sensor.core.cluster import require_folders
from sensor2sensor.core.decoration import decoration
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.parallel import Failure, attempt, parallel_map
from sensor2sensor.core.parts import Part, Parts, of_a_part, of_the_whole
from sensor2sensor.preprocess.quality.tiles import write_quality
from sensor2sensor.preprocess.tiles import notes
from sensor2sensor.preprocess.tiles.folder import Leaving, TileFolder
from sensor2sensor.preprocess.tiles.options import Request, add_arguments, read_request
from sensor2sensor.preprocess.tiles.overlay import remove_of, remove_others
from sensor2sensor.preprocess.tiles.plan import SceneTask, plan_scenes
from sensor2sensor.preprocess.tiles.scene import (
    SceneResult,
    cut_scene,
    foresee_scene,
    is_there,
    try_scene,
)
from sensor2sensor.preprocess.tiles.table import read_manifest

DOC = r"""
Cut tiles out of the selected scenes: Sentinel-2 on its grid, Sentinel-3 collocated per window.

    python preprocessing/40_create_tifs.py --selection sel_T17XNA --masks seaice,land \
        --tilesize 256 --quantity 5 --overlap 0.5 --max-cloud 0.1 --workers 4 --seed 0

Writes _tif/<inventory>/<tilesize>/<scene>_<x>x<y>[_notinmask].tif with the table of OLCI pixels and
the margin beside it, tiles.csv, manifest.json, and an overlay picture per scene. Masks are KML
files in <data_root>/_masks: --masks seaice,land takes _masks/seaice.kml and _masks/land.kml.
With --limit N the first N of the selected scenes are cut, and what the folder holds stays (--keep).
An array of a queue cuts them in parts (--part 3/8), and --merge 8 finishes the folder.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 40; returns the exit code."""
    parser = cli.parser(DOC, prog="40_create_tifs.py", steps=True)
    add_arguments(parser)
    cli.add_parts(parser)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Read selection and inventory, plan the scenes, cut the tiles of each, finish the folder.

    Returns:
        0, or 1 where a scene failed.
    """
    request = read_request(args)
    require_folders(request.env.data_root, request.env.s2_root, request.env.s3_root)
    report = cli.StepReport("step 40", dry_run=args.dry_run)

    folder = TileFolder(request.folder)
    scenes = folder.stands_for(request)
    tasks = plan_scenes(request, scenes, report)
    leaving = folder.leaving(request, scenes)
    asked = {"options": request.options.as_json(), "selections": request.selection.name}
    parts = Parts(folder.path, asked, [task.label for task in tasks])

    if args.dry_run:
        if args.merge:
            parts.collect(args.merge)
        if leaving.logs:
            report.note(_would_remove(folder, leaving, request))
        _foresee(args.part.share(tasks) if args.part else tasks, request, report)
        return report.finish()
    if leaving.replaced and (args.part or args.merge):  # others may be writing them
        what = f"parts cannot replace {leaving}, made with other options"
        hint = "first repeat the command with --limit 1 in the place of --part or --merge"
        raise InputError(what, where=folder.path, hint=hint)
    if args.part:
        return _make_part(folder, parts, args.part, tasks, request, report)

    with of_the_whole(folder.path / ".lock"):
        folder.require_as_seen()
        folder.sweep()
        remove_others([task.overlay for task in tasks])
        manifest = folder.manifest_for(request, scenes)
        if leaving.replaced:
            # Only after the new manifest is made: where that fails the old tiles are still there.
            if leaving.tiles:
                _require_scenes(folder, leaving, tasks, request.workers)
                _require_a_tile(folder, leaving, tasks)
            _replace(folder, leaving, request, report)
        folder.start(manifest)
        if args.merge:
            all_worked_through = _joined(folder, parts, args.merge, tasks, report)
        else:
            all_worked_through = _cut(tasks, request, report)
        tiles = folder.finish(manifest, _failures(report))
        # After the manifest is written: none ever lists a file that is gone.
        if leaving.logs and not leaving.replaced:
            _drop(folder, leaving, request, report, safe=all_worked_through)
        parts.clear()
        # Without a tile most of all: it says why there is none.
        with decoration("the quality page", report.note):
            report.note(f"open {write_quality(folder.path, request.workers)}")
    if request.options.correct_shift and tiles:
        report.note(notes.corrected(read_manifest(folder.path)))
    report.note(f"{tiles} tiles in {folder.path}")
    return report.finish()


def _failures(report: cli.StepReport) -> dict[int, str]:
    """Why scenes have no tiles, or none of this run, by id."""
    return {int(item.removeprefix("scene ")): reason for item, reason in report.failed_items}


def _make_part(
    folder: TileFolder,
    parts: Parts,
    part: Part,
    tasks: Sequence[SceneTask],
    request: Request,
    report: cli.StepReport,
) -> int:
    """Make the tiles of every n-th scene, each with its log; what is of the whole folder waits."""
    with of_a_part(folder.path / ".lock", part):
        parts.begin(part)
        folder.start(folder.manifest_for(request, folder.stands_for(request)))
        share = part.share(tasks)
        worked_through = _cut(share, request, report)
        parts.end(part, report.failed_items, worked_through=worked_through)
    report.note(f"part {part}: {len(share)} of {len(tasks)} scenes; --merge {part.of} joins all")
    return report.finish()


def _joined(
    folder: TileFolder, parts: Parts, of: int, tasks: Sequence[SceneTask], report: cli.StepReport
) -> bool:
    """Count what the parts have made; whether all scenes could be worked through.

    Raises:
        InputError: A part is not done, or what it made is not there.
    """
    done = parts.collect(of)
    made = [task for task in tasks if task.label not in done.failed]
    gaps = [task.label for task in made if not is_there(task)]
    if gaps:
        what = f"not as their parts left them: {', '.join(gaps[:10])}"
        raise InputError(what, where=folder.path, hint="repeat these parts, or leave out --merge")
    for task in tasks:
        if task.label in done.failed:
            report.failed(task.label, done.failed[task.label])
        else:
            report.skipped(task.label)
    return all(note["worked_through"] for note in done.notes)


def _would_remove(folder: TileFolder, leaving: Leaving, request: Request) -> str:
    """What a dry run says of the tiles that a run would remove."""
    if leaving.replaced:
        return f"would first remove {leaving}, made with other options"
    made_for = ", ".join(folder.made_for())
    advice = "" if request.keep else "; --keep keeps them"
    return f"would remove {leaving} (the folder was made for {made_for}){advice}"


def _foresee(tasks: Sequence[SceneTask], request: Request, report: cli.StepReport) -> None:
    """Say what a run would do, without doing it."""
    for task, result in _each(foresee_scene, tasks, request, report):
        if not result.skipped:
            report.note(notes.would_cut(task, result))
            report.done(task.label)
        elif not result.tiles:
            report.failed(task.label, notes.why_none(task, result))


def _cut(tasks: Sequence[SceneTask], request: Request, report: cli.StepReport) -> bool:
    """Make the tiles of every scene.

    Returns:
        Whether all could be worked through: one that has no tile although nothing was wrong could.
    """
    empty = 0
    for task, result in _each(cut_scene, tasks, request, report):
        if not result.tiles:
            empty += 1
            report.failed(task.label, notes.why_none(task, result))
        elif not result.skipped:
            report.done(task.label)
            if result.exhausted:
                report.note(notes.why_fewer(task, result))
    return len(report.failed_items) == empty


def _each(
    act: Callable[[SceneTask], SceneResult],
    tasks: Sequence[SceneTask],
    request: Request,
    report: cli.StepReport,
) -> Iterator[tuple[SceneTask, SceneResult]]:
    """What became of each scene; those that failed or were there already are counted here."""
    scenes, unknown, unmasked = request.inventory.scenes(), [], []
    for task, result in parallel_map(
        act, tasks, workers=request.workers, label=lambda task: task.label, desc="tiles"
    ):
        if isinstance(result, Failure):
            report.failed(task.label, result.reason)
            continue
        for text in notes.of_products(task, result, request.inventory, scenes[task.scene]):
            report.note(text)
        if not result.cloud_known:
            unknown.append(task.label)
        if result.lacks_mask:
            unmasked.append(task.label)
        if result.skipped and result.tiles:
            report.skipped(task.label)
        yield task, result
    if unknown:
        what = "no cloud mask, cloud_fraction left empty"
        report.note(f"{what} ({len(unknown)}): {', '.join(unknown)}")
    if unmasked:
        what = f"--cloud-mask {request.options.cloud_mask!r} fits no file of these scenes"
        named = ", ".join(unmasked[:10]) + (" ..." if len(unmasked) > 10 else "")
        report.note(f"{what}, whose own masks were taken ({len(unmasked)}): {named}")


def _require_scenes(
    folder: TileFolder, leaving: Leaving, tasks: Sequence[SceneTask], workers: int
) -> None:
    """Tiles are not given up where a product they were made of cannot be read any more.

    Raises:
        InputError: One of their scenes cannot be cut again.
    """
    had = {log.scene for log in leaving.logs if log.rows}
    again = [task for task in tasks if task.scene in had]
    for task, found in parallel_map(
        foresee_scene, again, workers=workers, label=lambda task: task.label, desc="looking"
    ):
        if isinstance(found, Failure):
            what = f"{task.label} cannot be cut again, so its {leaving} stay ({found.reason})"
            hint = "mend that or the options, or take the scene out of the selection"
            raise InputError(what, where=folder.path, hint=hint)


def _require_a_tile(folder: TileFolder, leaving: Leaving, tasks: Sequence[SceneTask]) -> None:
    """Tiles are not given up for none: one slip in a band or a pattern would cost the folder.

    Raises:
        InputError: No scene gives a tile.
    """
    why = "no scene is left to cut"
    for task in reversed(tasks):  # the reason of the first is told
        found = attempt(try_scene, task)
        if not isinstance(found, Failure) and found.tiles:
            return
        reason = found.reason if isinstance(found, Failure) else notes.why_none(task, found)
        why = f"{task.label}: {reason}"
    what = f"with these options no scene gives a tile, so its {leaving} stay ({why})"
    raise InputError(what, where=folder.path, hint="mend the options; --dry-run shows more")


def _replace(
    folder: TileFolder, leaving: Leaving, request: Request, report: cli.StepReport
) -> None:
    """Remove tiles of other options before the first new one."""
    folder.remove_listed()
    _remove_overlays(leaving, request)
    if leaving.tiles:
        report.note(f"removed {leaving}, made with other options")


def _drop(
    folder: TileFolder,
    leaving: Leaving,
    request: Request,
    report: cli.StepReport,
    *,
    safe: bool,
) -> None:
    """Remove the files of scenes that were taken out, once all others could be worked through."""
    if not safe:
        why = "their files stay until a run without a failure, or one with --keep"
        report.note(f"no longer listed: {leaving}; {why}")
        return
    for scene in leaving.scenes:
        folder.clear_scene(scene)
    if leaving.tiles:
        report.note(f"removed {leaving}, not in the selection")
    _remove_overlays(leaving, request)


def _remove_overlays(leaving: Leaving, request: Request) -> None:
    tile_px, inventory_dir = request.options.tile_px, request.env.inventory_dir
    remove_of(inventory_dir, request.inventory.name, tile_px, leaving.scenes)
