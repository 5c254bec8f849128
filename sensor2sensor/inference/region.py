"""The part of a scene that is asked for: by coordinates or by pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.grids import PixelWindow, up
from sensor2sensor.inference.scenes.scene import Cropped, Frame, Scene

Box = tuple[float, float, float, float]
_ROUNDING_PX = 1e-6  # of a coordinate that stands for a pixel's edge


def cropped(scene: Scene, roi: Box | None, roi_px: tuple[int, int, int, int] | None) -> Scene:
    """A scene, or the part of it that is asked for, grown to whole pixels of the input.

    Args:
        scene: The scene.
        roi: West, south, east and north edge in the scene's reference system.
        roi_px: Column and row of the upper-left pixel, columns and rows, of the prediction.

    Raises:
        InputError: The part lies beside the scene, or has no ground where coordinates are given.
    """
    if roi is None and roi_px is None:
        return scene
    if roi is not None and roi_px is not None:
        raise InputError("--roi and --roi-px both name a part", hint="give one of them")
    if roi_px is not None:
        if min(roi_px[2:]) < 1:
            raise InputError(
                "--roi-px has a side below 1 pixel", hint="give it as X Y WIDTH HEIGHT"
            )
        asked = PixelWindow(*roi_px)
    else:
        assert roi is not None
        asked = _pixels(scene, roi)
    part = _aligned(asked, scene.align_px).clipped(scene.frame.width_px, scene.frame.height_px)
    if part is None:
        size = f"{scene.frame.width_px} x {scene.frame.height_px} pixels"
        raise InputError("no pixel lies in --roi", where=scene.name, hint=f"it has {size}")
    return Cropped(scene, part)


def told_part(scene: Scene, roi_px: Sequence[int] | None) -> str | None:
    """What is predicted in place of the pixels that were asked for; None: those."""
    if roi_px is None or not isinstance(scene, Cropped):
        return None
    part = scene.part.x, scene.part.y, scene.part.width, scene.part.height
    if part == tuple(roi_px):
        return None
    asked, made = (" ".join(map(str, window)) for window in (roi_px, part))
    step = scene.align_px
    whole = "" if step == 1 else f", whole input pixels ({step} x {step})"
    return f"--roi-px {asked} becomes {made}: what lies in the scene{whole}"


def _pixels(scene: Scene, roi: Box) -> PixelWindow:
    frame: Frame = scene.frame
    west, south, east, north = roi
    if frame.transform is None:
        hint = "give pixels: --roi-px X Y WIDTH HEIGHT"
        raise InputError("is a picture without coordinates", where=scene.name, hint=hint)
    if not (math.isfinite(sum(roi)) and west < east and south < north):
        raise InputError("--roi has no area", hint="give it as WEST SOUTH EAST NORTH")
    from affine import Affine

    inverse = ~Affine(*frame.transform)
    # All four corners: a grid may be turned against its reference system.
    corners = [inverse * (x, y) for x in (west, east) for y in (south, north)]
    columns, rows = zip(*corners, strict=True)
    left, top = (math.floor(min(side) + _ROUNDING_PX) for side in (columns, rows))
    right, bottom = (math.ceil(max(side) - _ROUNDING_PX) for side in (columns, rows))
    return PixelWindow(left, top, max(1, right - left), max(1, bottom - top))


def _aligned(window: PixelWindow, step: int) -> PixelWindow:
    """The smallest window of whole steps around another."""
    left, top = window.x // step * step, window.y // step * step
    right, bottom = up(window.x + window.width, step), up(window.y + window.height, step)
    return PixelWindow(left, top, right - left, bottom - top)
