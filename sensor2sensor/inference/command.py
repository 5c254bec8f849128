"""What predict.py and s2s predict share: options, and one product after the other."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.core.cli import StepReport, above_zero, comma_list, finite, positive, say
from sensor2sensor.core.containers import bare_name
from sensor2sensor.core.errors import InputError, OutputExistsError, Sensor2SensorError
from sensor2sensor.dataset.form import Form
from sensor2sensor.inference import as_dataset, beside
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.output import DTYPES, NODATA, Dtype
from sensor2sensor.inference.region import cropped, told_part
from sensor2sensor.inference.run import (
    PredictOptions,
    Written,
    layout_of,
    notices_of,
    predict,
    refuse_window,
)
from sensor2sensor.inference.scenes.opening import open_scene, paths_of
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.scene import Scene
from sensor2sensor.inference.stac import Told, write_sidecar
from sensor2sensor.inference.trust import refuse_trustless
from sensor2sensor.products.s2_images import kept_open

Make = Callable[[], Method]
_FILES = (".png", ".jpg", ".jpeg", ".html", ".json", ".nc", ".jp2")
_CACHE_MIB = 256  # decoded blocks of the product


@dataclass(frozen=True)
class Job:
    """One product and where its prediction goes.

    Attributes:
        path: The product.
        out: The GeoTIFF.
    """

    path: Path
    out: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of scene, region, windows and output."""
    add = parser.add_argument
    add(
        "--product", required=True, nargs="+", metavar="PATH",
        help="Sentinel-2 or -3 product, Theia product, GeoTIFF or picture; folders, '*.tif'",
    )  # fmt: skip
    add("--out", type=Path, metavar="PATH", help="GeoTIFF to write, a folder of several products")
    add("--force", action="store_true", help="write over files that are there")
    _add_scene(parser.add_argument_group("what is read").add_argument)
    _add_region(parser.add_argument_group("where").add_argument)
    _add_windows(parser.add_argument_group("how").add_argument)
    _add_output(parser.add_argument_group("what is written").add_argument)


def _add_scene(add: Callable[..., object]) -> None:
    add(
        "--input-m", type=above_zero, metavar="M",
        help="pixel of the product that the model is given, metres (default: as it was trained)",
    )  # fmt: skip
    add(
        "--other-scale", action="store_true",
        help="the model is meant for other pixels than it was trained on",
    )  # fmt: skip
    add("--bands", type=comma_list, default=(), metavar="B02,B03", help="of a stack, in its order")
    add(
        "--scale",
        type=above_zero,
        metavar="S",
        help="of a stack: value = S * number + O",
    )
    add("--offset", type=finite, metavar="O", help="see --scale")
    add("--radar", choices=("auto", "db", "linear"), default="auto", help="unit of radar bands")
    add("--radar-file", type=Path, metavar="TIF", help="radar of the same ground (default: found)")


def _add_region(add: Callable[..., object]) -> None:
    add("--like", type=Path, metavar="FILE", help="Sentinel-3: the grid of a product or GeoTIFF")
    add("--tile", metavar="T17XNA", help="Sentinel-3: the grid of a Sentinel-2 tile")
    box = ("W", "S", "E", "N")
    add("--bbox", type=finite, nargs=4, metavar=box, help="Sentinel-3: an own grid, in --crs")
    add("--crs", metavar="EPSG:32617", help="reference system of --bbox")
    add("--roi", type=finite, nargs=4, metavar=box, help="a part, in the product's system")
    add(
        "--roi-px",
        type=int,
        nargs=4,
        metavar=("X", "Y", "W", "H"),
        help="a part, in pixels of the result; grown to whole pixels of the input",
    )


def _add_windows(add: Callable[..., object]) -> None:
    add("--window-px", type=positive, metavar="N", help="side of a window, pixels of the result")
    add(
        "--overlap-px", type=positive, metavar="N", help="of blended windows; of others the context"
    )
    add("--batch", type=positive, metavar="N", help="windows at once; halved where memory ends")


def _add_output(add: Callable[..., object]) -> None:
    add("--dtype", choices=DTYPES, help="float32, int16 (reflectance x 10000) or uint8")
    add("--intervals", action="store_true", help="lower and upper ends, of a calibrated model")
    add("--quicklook", action="store_true", help="a PNG beside it")
    add("--preview", action="store_true", help="a page to compare input and prediction on")
    add("--trust", action="store_true", help="a map beside it: how far it departs from its input")
    add("--as-dataset", action="store_true", help="folders images/ and gt/ as Inria has them")


def scene_options(args: argparse.Namespace) -> SceneOptions:
    """Of how a product is read."""
    box = None if args.bbox is None else tuple(args.bbox)
    return SceneOptions(
        like=args.like, tile=args.tile, bbox=box, crs=args.crs, input_m=args.input_m,
        other_scale=args.other_scale, bands=tuple(args.bands), scale=args.scale,
        offset=args.offset, radar=args.radar, radar_file=args.radar_file,
    )  # fmt: skip


def predict_all(
    form: Form, name: str, args: argparse.Namespace, make: Make, folder: Path | None = None,
    nodata: int = NODATA, model: Sequence[Path] = (), window: tuple[int, int] | None = None,
) -> int:  # fmt: skip
    """Predict every product of the command line; one that fails does not stop the others.

    Args:
        form: What the model takes and makes.
        name: Of the model, for the names of files.
        args: Of :func:`add_arguments`.
        make: Gives the method; called when the first product is found in order; before that where
            it alone tells whether it takes ``--window-px``.
        folder: Where files go without ``--out``; None: the folder one is in.
        nodata: Of ``--dtype int16``.
        model: Its files, which nothing is written over.
        window: Rows and columns of the only windows it takes, where that is known already.

    Returns:
        0, or 1 where one of several products failed.

    Raises:
        Sensor2SensorError: The only product failed, or the command line names none.
    """
    refuse_window(args.window_px, window, name)
    options = scene_options(args)
    if args.as_dataset:
        as_dataset.refuse_other(form)
        if args.intervals:
            hint = "predict them into a file of their own"
            raise InputError("a photo has no bounds", where="--intervals", hint=hint)
    if args.trust:
        refuse_trustless(form)
    jobs = _jobs(paths_of(args.product), name, args.out, folder or Path(), args.as_dataset)
    _refuse_overwriting(jobs, [*(job.path for job in jobs), *model], args)
    method: Method | None = None
    if args.window_px is not None and window is None:
        # The network alone tells: asked before a product is opened, which may take longer.
        method = make()
        refuse_window(args.window_px, method.tiling.window_px, name)
    if len(jobs) == 1:
        (job,) = jobs
        with _opened(job, form, options, args) as scene:
            _one(job, scene, method or make(), args, nodata)
        return 0
    report = StepReport("predict")
    for job in jobs:
        try:
            with _opened(job, form, options, args) as scene:
                method = method or make()
                current = _one(job, scene, method, args, nodata)
        except Sensor2SensorError as error:
            report.failed(job.path.name, str(error))
        else:
            (report.skipped if current else report.done)(job.out.name)
    return report.finish()


def _jobs(
    paths: list[Path], name: str, out: Path | None, folder: Path, dataset: bool = False
) -> list[Job]:
    """Where each product's prediction goes; in a data set it has the name of its mask.

    Raises:
        InputError: Two would go to one file, or one name is given for several products.
    """
    one_file = out is not None and out.suffix.lower() in (".tif", ".tiff") and not out.is_dir()
    if one_file and out is not None:
        if len(paths) > 1 or dataset:
            what = f"names one file for {'a data set' if dataset else f'{len(paths)} products'}"
            raise InputError(what, where=f"--out {out}", hint="name a folder")
        return [Job(paths[0], out)]
    within = out or folder
    if within.suffix.lower() in _FILES and not within.is_dir():
        raise InputError("predictions are GeoTIFFs: .tif", where=f"--out {within}")
    if within.exists() and not within.is_dir():
        raise InputError("is no .tif and no folder", where=f"--out {within}")
    outs = (
        as_dataset.photo_path(within, _stem(path)) if dataset else
        within / f"{_stem(path)}__{name}.tif"
        for path in paths
    )  # fmt: skip
    jobs = list(map(Job, paths, outs))
    taken: dict[Path, Path] = {}
    for job in jobs:
        if (other := taken.setdefault(job.out, job.path)) != job.path:
            what = f"{other} and {job.path} would both go to {job.out.name}"
            raise InputError(what, where="--product", hint="predict them into two folders")
    return jobs


def _refuse_overwriting(
    jobs: Sequence[Job], kept: Sequence[Path], args: argparse.Namespace
) -> None:
    """Refuse what would be written over a product or the model; --force is for predictions.

    Raises:
        InputError: A file that would be written is one of them, or lies within a product.
        OutputExistsError: What belongs beside a prediction is there, and no prediction is.
    """
    taken = {path.resolve() for path in kept}
    for job in jobs:
        others = list(beside.companions(job.out, args))
        for path in [job.out, *others]:
            place = path.resolve()
            if place in taken or taken.intersection(place.parents):
                what = f"{path.name} would be written over what is read"
                raise InputError(what, where=f"--out {job.out}", hint="name another folder")
        begun = job.out.exists() or job.out.with_name(f"{job.out.name}{files.PART_SUFFIX}").exists()
        strange = [path for path in others if path.exists()]
        if strange and not begun and not args.force:
            what = f"is there already, and {job.out.name} is not"
            raise OutputExistsError(what, where=strange[0], hint="name another, or add --force")


def _stem(path: Path) -> str:
    """A product's name without its endings, ``.SAFE.zip`` too."""
    place = path.resolve()
    # Of a product that is named by its metadata file the name is the folder's.
    name = place.parent.name if place.suffix.lower() == ".xml" else place.name
    name = bare_name(name)
    for ending in (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".xml"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name


@contextmanager
def _opened(
    job: Job, form: Form, options: SceneOptions, args: argparse.Namespace
) -> Iterator[Scene]:
    """The scene of a job, or the part that is asked for, kept open; says what is odd of it."""
    with kept_open(_CACHE_MIB):
        scene = open_scene(job.path, form, options)
        roi = None if args.roi is None else tuple(args.roi)
        scene = cropped(scene, roi, None if args.roi_px is None else tuple(args.roi_px))
        part = told_part(scene, args.roi_px)
        for line in [*([part] if part else []), *scene.notices]:
            say(f"{scene.name}: {line}")
        yield scene


def _one(job: Job, scene: Scene, method: Method, args: argparse.Namespace, nodata: int) -> bool:
    """Predict one scene and write what is asked for beside it; whether it was there already."""
    if args.as_dataset:
        as_dataset.refuse_mean(method)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    dtype = args.dtype or _natural(method.form)
    how = PredictOptions(args.window_px, args.overlap_px, args.batch, dtype, nodata, args.force)

    def finish(written: Written) -> None:
        shown, trust = beside.write_beside(job.out, scene, method, args)
        if args.as_dataset:
            as_dataset.write_mask(job.out.parents[1], job.out.stem, scene, method.name)
        write_sidecar(written.cog, _told(written), shown, trust)

    for line in notices_of(method, scene, layout_of(method, scene, how), how):
        say(f"{scene.name}: {line}")
    if args.force:
        beside.remove(job.out)
    written = predict(method, scene, job.out, how, finish)
    rows, columns = scene.frame.shape
    state = "is there already" if written.current else "written"
    share = 100 * written.cog.valid_share
    say(f"{job.out}: {state}, {columns} x {rows} pixels, {share:.1f} % of them with a value")
    if written.cog.saturated:
        say(f"{written.cog.saturated} values lie beyond what {dtype} holds: written as its ends")
    return written.current


def _told(written: Written) -> Told:
    said = written.provenance
    keys = ("software", "windows", "batch", "dtype", "nodata", "intervals")
    return Told(
        {"name": said["method"], **said["model"]},
        {"name": said["scene"], **said["facts"]},
        {key: said[key] for key in keys if key in said},
        said["notices"],
    )


def _natural(form: Form) -> Dtype:
    """Photos are bytes to whoever opens them; all else is written as it is."""
    eight = all(band.value_range == (0.0, 255.0) for band in form.target.bands)
    return "uint8" if eight else "float32"
