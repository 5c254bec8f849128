"""``--quicklook``: a prediction as a PNG, and how the values of a form are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.dataset.contract import InputSpec, TargetSpec
from sensor2sensor.dataset.display import GAMMA, PHOTO_GAMMA, clear_range, colour_bands, rgba
from sensor2sensor.dataset.form import Form, Range
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.scene import Image
from sensor2sensor.sources.geotiffs import opened

QUICKLOOK_PX = 2048
_EIGHT_BIT = "uint8"


def write_quicklook(path: Path, cog: Path, form: Form) -> None:
    """Show a prediction: its colours in one stretch, transparent where it has no value.

    Args:
        path: The PNG, at most 2048 pixels wide and high.
        cog: The prediction, whose overviews are read.
        form: What its first bands are.
    """
    from PIL import Image as Pictures

    bands = colours(form.target)
    with opened(cog) as source:
        step = max(1, math.ceil(max(source.shape) / QUICKLOOK_PX))
        shape = tuple(max(1, side // step) for side in source.shape)
        whole = PixelWindow(0, 0, source.width, source.height)
        values = physical(source, whole, shape, bands)
    limits = stretch(form.target, form.target_ranges, values, bands)
    shown = np.moveaxis(rgba(values, limits, exponent(form.target)), 0, -1)
    with files.atomic_path(path) as part:
        Pictures.fromarray(np.ascontiguousarray(shown)).save(part, format="PNG")


def colours(spec: InputSpec | TargetSpec) -> tuple[int, ...]:
    """Positions of red, green and blue, or of the one band that is shown grey."""
    names = [band.name for band in spec.bands]
    if spec.display:
        return tuple(names.index(name) for name in spec.display)
    found = colour_bands(names, [band.wavelength_nm for band in spec.bands])
    # Two of the three may be one band, the nearest to both colours: still a picture of three.
    return found if len(set(found)) > 1 else found[:1]


def stretch(
    spec: InputSpec | TargetSpec, ranges: Sequence[Range], values: Image, bands: Sequence[int]
) -> list[list[float]]:
    """Black and white of bands: what photos or decibels are fixed to, else the scene's quantiles.

    A data set's reflectances reach to snow and cloud; within their range a field is black.

    Args:
        spec: Of the side.
        ranges: Of all its bands, empty where not known.
        values: ``[h, w, n]`` of these bands.
        bands: Their positions.
    """
    fixed = [spec.bands[band].value_range or (ranges[band] if ranges else None) for band in bands]
    reflectance = any(spec.bands[band].unit == "reflectance" for band in bands)
    if not reflectance and all(fixed):
        return [list(ends) for ends in fixed if ends]
    return clear_range(values)


def exponent(spec: InputSpec | TargetSpec) -> float:
    """Gamma of what is shown of a side."""
    return PHOTO_GAMMA if spec.dtype == _EIGHT_BIT else GAMMA


def physical(
    source: Any, place: PixelWindow, shape: tuple[int, ...], bands: Sequence[int]
) -> Image:
    """Bands of a window of a prediction ``[h, w, n]``, NaN where there is none.

    Args:
        source: The file, opened by rasterio.
        place: The window.
        shape: Rows and columns wanted; fewer are means, which GDAL takes from the overviews.
        bands: Positions in the file.
    """
    from rasterio.enums import Resampling
    from rasterio.windows import Window

    read = source.read(
        [band + 1 for band in bands],
        window=Window(place.x, place.y, place.width, place.height),
        out_shape=(len(bands), *shape),
        resampling=Resampling.average,
        masked=True,
    )
    scales, offsets = (
        np.array([said[band] for band in bands])[:, None, None]
        for said in (source.scales, source.offsets)
    )
    values = np.moveaxis((read.astype(np.float64) * scales + offsets).filled(np.nan), 0, -1)
    return np.asarray(values, np.float32)
