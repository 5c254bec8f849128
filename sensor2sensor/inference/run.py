"""A prediction of a whole scene: strip by strip into a file, to be gone on with after a kill.

Finished strips lie in ``<file>.part/`` beside the file, with what was asked for. A repeat of the
same request goes on behind the last of them and gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.blame import sentence
from sensor2sensor.core.errors import InputError, ModelContractError, OutputExistsError
from sensor2sensor.core.progress import progress
from sensor2sensor.core.versions import __version__
from sensor2sensor.geo.grids import up
from sensor2sensor.inference.cog import WrittenCog, read_cog, write_cog
from sensor2sensor.inference.finishing import bands_of, interval_notices, interval_tags
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.output import NODATA, Dtype, storage
from sensor2sensor.inference.quicklook import colours
from sensor2sensor.inference.scenes.scene import Image, Scene, Shift, placed
from sensor2sensor.inference.strips import Layout, Strips, blended_layout, halo_layout
from sensor2sensor.sources.geotiffs import opened

logger = logging.getLogger(__name__)
WINDOW_PX = 512  # of the target: two blocks of the file's overviews, and what most memories bear
REQUEST, REQUEST_TAG, PROVENANCE_TAG = "request.json", "S2S_REQUEST", "S2S_PROVENANCE"


@dataclass(frozen=True)
class PredictOptions:
    """How a prediction is made and written.

    Attributes:
        window_px: Side of a window's core, target pixels; None: 512, or the halo where it is wider.
        overlap_px: By how much blended windows overlap; of others another halo than the measured.
        batch: Windows per call; None: the method's.
        dtype: Of the file.
        nodata: Of ``int16``.
        force: Write over a file that is there, and over the strips of another request.
    """

    window_px: int | None = None
    overlap_px: int | None = None
    batch: int | None = None
    dtype: Dtype = "float32"
    nodata: int = NODATA
    force: bool = False


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        cog: The file.
        provenance: What its tag says: method, scene, how it was led.
        current: Whether it was there already, of the same request; nothing was done.
    """

    cog: WrittenCog
    provenance: Mapping[str, Any]
    current: bool = False


def predict(
    method: Method,
    scene: Scene,
    out: Path,
    options: PredictOptions = PredictOptions(),
    finish: Callable[[Written], None] | None = None,
) -> Written:
    """Predict a scene and write a Cloud-Optimised GeoTIFF.

    Args:
        method: What predicts.
        scene: What of; opened for the method's form.
        out: The file.
        options: How.
        finish: Writes what lies beside the file, before the strips go: killed in it, a repeat of
            the request comes to it again. No other run of the file writes meanwhile.

    Raises:
        OutputExistsError: There is another file, or strips of another request.
        InputError: An option does not fit the method, or memory does not bear a window.
        ModelContractError: The method's values cannot be undone, or are no numbers.
    """
    _refuse_normalised(method)
    layout = layout_of(method, scene, options)
    bands = bands_of(method)
    storage(options.dtype, bands, options.nodata)  # refused before hours of work
    provenance = provenance_of(method, scene, layout, options)
    shift = shift_of(method, scene, layout, options)
    text = files.json_text(provenance)
    request = hashlib.sha256(text.encode()).hexdigest()
    # Beside the folder of strips, which goes when the file is there.
    with files.lock(out.with_name(f".{out.name[:80]}.lock")):
        if out.exists() and not options.force:
            if _request_of(out) != request:
                what, hint = "is there already, of another request", "name another, or add --force"
                raise OutputExistsError(what, where=out, hint=hint)
            if not _part(out).exists():
                there = Written(read_cog(out), provenance, current=True)
                if finish is not None:  # what is asked for beside it may be more than before
                    finish(there)
                return there
        folder = _begun(out, text, force=options.force)
        strips = Strips(method, scene, layout, options.batch or method.batch_size)
        with closing(strips):
            told = write_cog(
                out, scene.frame, bands, _kept(strips, folder, f"{method.name} {scene.name}"),
                dtype=options.dtype, nodata=options.nodata,
                tags={REQUEST_TAG: request, PROVENANCE_TAG: text, **interval_tags(method, shift)},
                colour=colours(method.form.target),
            )  # fmt: skip
        written = Written(told, provenance)
        if finish is not None:
            finish(written)
        shutil.rmtree(folder, ignore_errors=True)
    return written


def layout_of(method: Method, scene: Scene, options: PredictOptions) -> Layout:
    """By which windows a method is led over a scene.

    Raises:
        InputError: An option does not fit the method.
    """
    tiling, (shape, part) = method.tiling, placed(scene)
    align = math.lcm(tiling.align_px, scene.align_px)
    if tiling.halo_px is not None:
        halo = tiling.halo_px if options.overlap_px is None else options.overlap_px
        most = options.window_px or max(WINDOW_PX, halo)
        return halo_layout(part, most, halo, align)
    window = tiling.window_px
    if window is None:
        raise ModelContractError("has neither a halo nor a window", where=method.name)
    refuse_window(options.window_px, window, method.name)
    overlap = tiling.overlap_px if options.overlap_px is None else options.overlap_px
    if not 1 <= overlap <= min(window) - align:
        what = f"{overlap} of a window of {min(window)} pixels leaves no step of {align}"
        raise InputError(what, where="--overlap-px", hint=f"take 1 to {min(window) - align}")
    return blended_layout(shape, part, window, overlap, align)


def refuse_window(asked_px: int | None, only: tuple[int, int] | None, name: str) -> None:
    """Refuse windows that a model does not take.

    Args:
        asked_px: ``--window-px``.
        only: Rows and columns of the only ones it takes; None: any, or not known yet.
        name: Of the model.

    Raises:
        InputError: Others are asked for.
    """
    if only is not None and asked_px not in (None, *only):
        what = f"'{name}' takes windows of {only[1]} x {only[0]} pixels alone"
        raise InputError(what, where="--window-px", hint="leave it out")


def notices_of(method: Method, scene: Scene, layout: Layout, options: PredictOptions) -> list[str]:
    """What the user has to read of a method's intervals, and of how it is led."""
    shift = shift_of(method, scene, layout, options)
    return [*interval_notices(method, shift), *_led(method, layout, options)]


def shift_of(method: Method, scene: Scene, layout: Layout, options: PredictOptions) -> list[str]:
    """In what a prediction is of another kind than those that intervals were calibrated on."""
    told = [str(notice) for notice in scene.notices if isinstance(notice, Shift)]
    asked, own = options.overlap_px, method.tiling
    if asked is not None and own.halo_px is not None and layout.halo_px < own.halo_px:
        told.append(f"--overlap-px {asked}: borders of windows show")
    several = len(layout.rows) * len(layout.columns) > 1
    if asked is not None and own.halo_px is None and asked < own.overlap_px and several:
        told.append(f"--overlap-px {asked}: windows overlap by less than {own.overlap_px} pixels")
    return told


def _led(method: Method, layout: Layout, options: PredictOptions) -> list[str]:
    halo = method.tiling.halo_px
    if options.overlap_px is None:
        return []
    if halo is None:
        alone = len(layout.rows) * len(layout.columns) == 1
        return [f"--overlap-px {options.overlap_px} changes nothing: one window"] if alone else []
    seen = f"the {halo} pixels that '{method.name}' sees beyond a window"
    if layout.halo_px < halo:
        return [f"--overlap-px {options.overlap_px}: less than {seen}: borders of windows show"]
    if layout.halo_px > up(halo, layout.align_px):
        return [f"--overlap-px {options.overlap_px}: more than {seen}: slower, for the same result"]
    return []


def provenance_of(
    method: Method, scene: Scene, layout: Layout, options: PredictOptions
) -> dict[str, Any]:
    """All that the values depend on, as plain JSON; equal requests have equal ones."""
    frame, shift = asdict(scene.frame), shift_of(method, scene, layout, options)
    led = {
        "halo_px": layout.halo_px, "overlap_px": layout.overlap_px, "align_px": layout.align_px,
        "window_px": list(layout.window), "windows": len(layout.rows) * len(layout.columns),
        "measured_halo_px": method.tiling.halo_px,
    }  # fmt: skip
    made = {
        "software": f"sensor2sensor {__version__}",
        "method": method.name,
        "predictors": [one.describe() for one in method.predictors],
        "model": dict(method.provenance),
        # Only where there are such: other requests stay those from before.
        **({"intervals": method.intervals.told(shift)} if method.intervals else {}),
        "dataset": method.form.name,
        "scene": scene.name,
        "facts": dict(scene.facts),
        "notices": [*scene.notices, *notices_of(method, scene, layout, options)],
        "frame": frame,
        "windows": led,
        "batch": options.batch or method.batch_size,
        "dtype": options.dtype,
        **({"nodata": options.nodata} if options.dtype == "int16" else {}),
    }
    # As it will be read: tuples are lists there.
    plain: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    return plain


def _refuse_normalised(method: Method) -> None:
    if any(one.normalised for one in method.predictors):
        what = "its normalisation cannot be undone: there are no physical values to write"
        hint = "train with another normalisation than l2"
        raise ModelContractError(what, where=method.name, hint=hint)


def _part(out: Path) -> Path:
    return out.with_name(f"{out.name}{files.PART_SUFFIX}")


def _request_of(out: Path) -> str | None:
    """The request that a file of ours was written for."""
    from rasterio.errors import RasterioError

    try:
        with opened(out) as source:
            found: str | None = source.tags().get(REQUEST_TAG)
            return found
    except (RasterioError, OSError, ValueError):  # another's, or no TIFF at all
        return None


def _begun(out: Path, text: str, *, force: bool) -> Path:
    """The folder of strips: that of the same request, or an empty one."""
    folder = _part(out)
    said = folder / REQUEST
    if said.exists():
        if said.read_text(encoding="utf-8") == text:
            files.sweep(folder)
            return folder
        if not force:
            what = f"{folder.name} holds the strips of another request"
            hint = f"--force begins anew{_differing(said, text)}"
            raise OutputExistsError(what, where=out, hint=hint)
    elif folder.exists():
        # One that was killed before it knew what was asked for left nothing but that.
        others = [one.name for one in folder.iterdir() if not one.name.startswith(".")]
        if others:
            what = f"{folder.name} is there already and holds {others[0]}, which is not ours"
            raise OutputExistsError(what, where=out, hint="name another, or remove that folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files.write_text(said, text)
    return folder


def _differing(said: Path, text: str) -> str:
    """Which keys the requests differ in."""
    try:
        before, now = files.read_json(said), json.loads(text)
        keys = [key for key in now if before.get(key) != now[key]]
    except (InputError, AttributeError):
        return ""
    return f" (other: {', '.join(keys)})" if keys else ""


def _kept(strips: Strips, folder: Path, what: str) -> Iterator[Image]:
    """The strips in order, those that are there read and the others made and kept."""
    at, channels = strips.layout, strips.channels
    for number in progress(range(len(strips)), desc=what, unit="strip"):
        path = folder / f"{number:06d}.npy"
        wanted = (at.ends[number] - at.tops[number], at.shape[1], channels)
        strip = _there(path, wanted)
        if strip is not None:
            yield strip
            continue
        strip = strips[number]
        with files.atomic_path(path) as part, part.open("wb") as stream:
            np.save(stream, strip, allow_pickle=False)
        yield strip


def _there(path: Path, shape: tuple[int, ...]) -> Image | None:
    """A strip that was kept; None where there is none, or a disk has damaged it."""
    if not path.exists():
        return None
    try:
        strip: Image = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        logger.warning("%s is damaged and made again (%s)", path.name, sentence(error))
        return None
    return strip if strip.shape == shape and strip.dtype == np.float32 else None
