"""``--preview``: input, prediction and truth of a scene on one page, made to be sent on.

The page is one HTML file without any other: pictures lie in it, and it asks nothing of a network.
It shows the whole scene, decimated, and up to three windows of it pixel by pixel, one side against
the other under a divider. Free of TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.progress import progress
from sensor2sensor.dataset.contract import InputSpec, TargetSpec
from sensor2sensor.dataset.display import PHOTO_GAMMA, RGB_NAMES, brightness, clear_range
from sensor2sensor.dataset.upsampling import upsample
from sensor2sensor.geo.grids import PixelWindow, block_means, up
from sensor2sensor.inference.finishing import told_shift
from sensor2sensor.inference.preview_page import Look, Place, page
from sensor2sensor.inference.quicklook import colours, exponent, physical, stretch
from sensor2sensor.inference.scenes.scene import Image, Scene
from sensor2sensor.sources.geotiffs import opened

if TYPE_CHECKING:
    from sensor2sensor.dataset.form import Form
    from sensor2sensor.inference.method import Method

OVERVIEW_PX = 1600  # no screen shows more of it at once
DETAIL_PX, DETAILS = 256, 3
SAME_COLOUR_NM = 20.0  # an OLCI band stands beside the MSI band it lies within
_READ_PX = 1024  # what of the input is held at full resolution
SIDES = ("input", "prediction", "truth")
Sides = Mapping[str, Image]


def write_preview(path: Path, scene: Scene, cog: Path, method: Method) -> None:
    """Write the page.

    Args:
        path: The HTML file.
        scene: What was predicted from.
        cog: The prediction, on the scene's frame: its first bands are those of the model.
        method: What made it.

    Raises:
        InputError: The GeoTIFF is another size than the scene, or has too few bands.
    """
    form, frame = method.form, scene.frame
    step = max(1, min(math.ceil(max(frame.shape) / OVERVIEW_PX), *frame.shape))
    with opened(cog) as source:
        names = _names(source, form, frame.shape, cog)
        # Whole blocks alone, so that a pixel of all three sides is the mean of the same ground.
        whole = PixelWindow(0, 0, frame.width_px // step * step, frame.height_px // step * step)
        overview = _read(scene, form, source, whole, step)
        looks = _looks(form, names, overview)
        windows = _details(looks[0], overview, scene, step) if step > 1 else []
        details = [_read(scene, form, source, window, 1) for window in windows]
        shift = told_shift(source.tags())
    places = [Place("Whole", whole, overview)]
    for number, (window, sides) in enumerate(zip(windows, details, strict=True), 1):
        places.append(Place(f"Detail {number}", window, sides))
    files.write_text(path, page(scene, method, looks, places, shift))


def _names(source: Any, form: Form, shape: tuple[int, int], cog: Path) -> list[str]:
    """Names of what the GeoTIFF holds: the model's bands, then what is told of them (spread)."""
    names = [band.name for band in form.target.bands]
    if (source.height, source.width) != shape or source.count < len(names):
        what = f"has {source.count} bands of {source.width} x {source.height} pixels"
        asked = f"{len(names)} of {shape[1]} x {shape[0]}"
        raise InputError(f"{what}, the scene's prediction {asked}", where=cog)
    told = [text or f"band {n}" for n, text in enumerate(source.descriptions, 1)]
    return names + told[len(names) :]


def _read(scene: Scene, form: Form, source: Any, place: PixelWindow, step: int) -> Sides:
    """Each side of a window ``[h, w, C]``, the means of ``step`` x ``step`` pixels; NaN: none."""
    shape = (place.height // step, place.width // step)
    given = np.full((*shape, len(form.input.bands)), np.nan, np.float32)
    truth = np.full((*shape, len(form.target.bands)), np.nan, np.float32)
    for block in progress(_blocks(place, scene.align_px, step), desc="preview", unit="window"):
        # The scene's windows end at whole input pixels, the frame need not.
        inside = block.clipped(place.x + place.width, place.y + place.height)
        assert inside is not None, "blocks begin within the window"
        rows, columns = (
            slice((start - origin) // step, (start + side - origin) // step)
            for start, side, origin in (
                (inside.y, inside.height, place.y),
                (inside.x, inside.width, place.x),
            )
        )
        if (found := scene.window(block)) is not None:
            values = np.where(found.valid[..., None], upsample(found.record), np.float32(np.nan))
            given[rows, columns] = means(values[: inside.height, : inside.width], step)
        if (known := scene.truth(inside)) is not None:
            truth[rows, columns] = means(known, step)
    every = range(source.count)
    sides = {"input": given, "prediction": physical(source, place, shape, every)}
    return sides | ({"truth": truth} if np.isfinite(truth).any() else {})


def _blocks(place: PixelWindow, align: int, step: int) -> list[PixelWindow]:
    unit = math.lcm(align, step)
    side = unit * max(1, _READ_PX // unit)
    return [
        PixelWindow(x, y, up(min(side, place.x + place.width - x), align),
                    up(min(side, place.y + place.height - y), align))
        for y in range(place.y, place.y + place.height, side)
        for x in range(place.x, place.x + place.width, side)
    ]  # fmt: skip


def means(values: Image, step: int) -> Image:
    """Means of the values that are there in each whole block of ``step`` x ``step``."""
    if step == 1:
        return values
    rows, columns = values.shape[0] // step * step, values.shape[1] // step * step
    return block_means(values[:rows, :columns], step)


def _looks(form: Form, names: Sequence[str], overview: Sides) -> list[Look]:
    """What can be looked at: the colours first, then band by band where there are other bands."""
    target, given = form.target, form.input
    photo = exponent(target) == PHOTO_GAMMA
    shown, own = colours(target), colours(given)
    label = ", ".join(names[band] for band in shown)
    if len(shown) == 3 and not photo:
        true = target.display or set(RGB_NAMES) <= set(names)
        label = f"{'True colour' if true else 'Colours'} ({label})"
    looks = [_look(label, form, overview, shown, own)]
    if len(target.bands) > 1 and not photo:
        for band, spec in enumerate(target.bands):
            beside = _counterpart(form, band)
            nm = f", {spec.wavelength_nm:.0f} nm" if spec.wavelength_nm else ""
            bands = own if beside is None else (beside,)
            looks.append(_look(f"{spec.name}{nm}", form, overview, (band,), bands))
    for band in range(len(target.bands), len(names)):
        limits = clear_range(overview["prediction"][..., [band]])
        looks.append(Look(names[band], {"prediction": (band,)}, {"prediction": limits}, {}))
    return looks


def _look(
    label: str, form: Form, overview: Sides, shown: tuple[int, ...], given: tuple[int, ...]
) -> Look:
    """One choice of bands for each side, and the one stretch for all sides of one quantity."""
    # Of both together: in the narrow range of a truth alone, a bad prediction is white throughout.
    # The input stays out of it, for clouds on it would leave the ground black.
    target = [overview[side][..., list(shown)] for side in SIDES[1:] if side in overview]
    made = stretch(form.target, form.target_ranges, np.concatenate(target), shown)
    same = _quantity(form.input, given) == _quantity(form.target, shown)
    values = overview["input"][..., list(given)]
    own = made if same else stretch(form.input, form.input_ranges, values, given)
    sides = [side for side in SIDES if side in overview]
    return Look(
        label,
        {side: given if side == "input" else shown for side in sides},
        {side: own if side == "input" else made for side in sides},
        {side: exponent(form.input if side == "input" else form.target) for side in sides},
    )


def _quantity(spec: InputSpec | TargetSpec, bands: Sequence[int]) -> tuple[Any, ...]:
    return exponent(spec), [spec.bands[band].unit for band in bands]


def _counterpart(form: Form, band: int) -> int | None:
    """The input band that shows what a target band shows: of its name, or nearest in wavelength."""
    wanted, given = form.target.bands[band], form.input.bands
    named = [place for place, one in enumerate(given) if one.name == wanted.name]
    if named or wanted.wavelength_nm is None:
        return named[0] if named else None
    nm = wanted.wavelength_nm
    gaps = [(abs((one.wavelength_nm or math.inf) - nm), place) for place, one in enumerate(given)]
    gap, nearest = min(gaps)
    return nearest if gap <= SAME_COLOUR_NM else None


def _details(look: Look, overview: Sides, scene: Scene, step: int) -> list[PixelWindow]:
    """Windows where the truth, or else the input, has most texture as shown: none overlap."""
    side = "truth" if "truth" in overview else "input"
    frame, align = scene.frame, scene.align_px
    limits = np.asarray(look.limits[side], np.float64)
    shown = brightness(overview[side][..., list(look.bands[side])], *limits.T).mean(-1)
    size = up(DETAIL_PX, align)
    if min(frame.shape) < size:
        return []
    valid = np.asarray(np.isfinite(overview[side]).all(-1))
    shown = np.where(valid, shown, np.nan)
    score = _texture(shown, valid, max(2, size // step))
    found: list[PixelWindow] = []
    while len(found) < DETAILS and score.max() > 0:
        row, column = np.unravel_index(score.argmax(), score.shape)
        corner = (int(middle) * step - size // 2 for middle in (column, row))
        x, y = (
            min(max(0, start // align * align), (length - size) // align * align)
            for start, length in zip(corner, (frame.width_px, frame.height_px), strict=True)
        )
        found.append(PixelWindow(x, y, size, size))
        # Apart by half a window more: neighbours would show the same town.
        reach = size * 3 // 2 // step + 1
        score[
            max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
        ] = 0
    return found


def _texture(shown: npt.NDArray[Any], valid: npt.NDArray[np.bool_], size: int) -> npt.NDArray[Any]:
    """Mean step between neighbours in the window around each pixel; 0 where not all is valid."""
    from scipy.ndimage import uniform_filter

    # From pixel to pixel: a central difference is blind to what alternates.
    steps = sum(np.abs(np.diff(shown, axis=n, append=np.nan)) for n in (0, 1))
    texture = uniform_filter(np.nan_to_num(steps), size, mode="constant")
    whole = uniform_filter(valid.astype(np.float64), size, mode="constant") > 1 - 1e-6
    return np.where(whole, texture, 0.0)
