"""One raster file: what its header says, and a square of its pixels at the size that is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.sources import pictures
from sensor2sensor.sources.geotiffs import Place, opened, place_of, readable
from sensor2sensor.sources.resampling import Values, resampled

DTYPES = {"uint8": "uint8", "uint16": "uint16", "int16": "float32", "float32": "float32"}
_STRIPE_VALUES = 2**21  # 16 MiB of float64, four times while it is weighed
_ROUNDING = 1e-9  # of a sum of areas; they are multiples of 1 / the square's edge, squared
_FEW = 4  # values of a mask that are told


@dataclass(frozen=True)
class Raster:
    """A file as its header describes it.

    Attributes:
        path: The file.
        sha256: Of it; empty where it cannot be read.
        shape: Rows and columns.
        dtype: Of its values.
        bands: Their names, ``band1`` where the file gives none; without alpha.
        numbers: Of these bands in the file.
        alpha: Whether a band is left out that says where there are data.
        palette: Whether its values are numbers of colours.
        place: None where it does not say.
        fault: Why it cannot be used, empty where it can.
    """

    path: Path
    sha256: str = ""
    shape: tuple[int, int] = (0, 0)
    dtype: str = ""
    bands: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    alpha: bool = False
    palette: bool = False
    place: Place | None = None
    fault: str = ""


def look(path: Path, named: int = 0) -> Raster:
    """What a file is, from its header and its digest; no pixels are read.

    Args:
        path: The file.
        named: How many bands it should have, 0 where nobody said. GDAL marks the fourth of four
            8-bit bands as alpha unless told otherwise, infrared or not: it is none if named.
    """
    try:
        digest = files.sha256(path)
        with opened(path) as source:
            return _described(path, digest, source, named)
    except Exception as error:  # GDAL raises many kinds, and one bad file must not end the run
        return Raster(path, fault=f"is no GeoTIFF that can be read ({pictures.said(error, path)})")


def _described(path: Path, digest: str, source: Any, named: int) -> Raster:
    kinds = {number: source.colorinterp[number - 1].name for number in source.indexes}
    every = named == source.count
    numbers = tuple(number for number in source.indexes if every or kinds[number] != "alpha")
    fault = ""
    # GDAL turns it to red, green and blue, by a formula that fits no press.
    colour = source.tags(ns="IMAGE_STRUCTURE").get("SOURCE_COLOR_SPACE", "")
    if colour in ("CMYK", "YCbCrK") or "cyan" in kinds.values():
        fault = "is CMYK, not of bands; convert it first"
    elif len({source.dtypes[number - 1] for number in numbers}) > 1:
        fault = "has bands of several types"
    return Raster(
        path=path,
        sha256=digest,
        shape=(source.height, source.width),
        dtype=source.dtypes[0],
        bands=_band_names(source, numbers, kinds),
        numbers=numbers,
        palette="palette" in kinds.values(),
        alpha=len(numbers) < source.count,
        place=place_of(source),
        fault=fault,
    )


def _band_names(source: Any, numbers: Sequence[int], kinds: dict[int, str]) -> tuple[str, ...]:
    """By their descriptions, else their colours, else their numbers."""
    given = [(source.descriptions[number - 1] or "").strip() for number in numbers]
    if all(given) and len(set(given)) == len(given):
        return tuple(given)
    colours = [kinds[n] if kinds[n] in pictures.COLOURS else f"band{n}" for n in numbers]
    return tuple(colours) if len(set(colours)) == len(colours) else _numbered(numbers)


def _numbered(numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"band{number}" for number in numbers)


@dataclass
class _Lost:
    """Counts the pixels without data that were met."""

    pixels: int = 0


def _stripes(
    source: Any, numbers: Sequence[int], window: PixelWindow, lost: _Lost
) -> Iterator[npt.NDArray[Any]]:
    """The rows of a window, ``[rows, W, C]`` each."""
    from rasterio.windows import Window

    height = max(1, _STRIPE_VALUES // (window.width * len(numbers)))
    for top in range(0, window.height, height):
        rows = min(height, window.height - top)
        part = Window(window.x, window.y + top, window.width, rows)
        values, valid = values_of(source, numbers, part)
        lost.pixels += int(valid.size - valid.sum())
        yield values


def values_of(
    source: Any, numbers: Sequence[int], part: Any
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """A window of bands of an open file ``[H, W, C]``, and where it has data ``[H, W]``."""
    flags = {flag.name for number in numbers for flag in source.mask_flag_enums[number - 1]}
    # With every band named there is no alpha, whatever one of them is marked as.
    whole = flags == {"all_valid"} or ("alpha" in flags and len(numbers) == source.count)
    values = np.moveaxis(source.read(list(numbers), window=part), 0, -1)
    valid = np.isfinite(values).all(axis=-1)
    if not whole:
        valid &= source.dataset_mask(window=part) != 0
    # 0 fills what lies outside of a photo and is a value within: of one band it says nothing.
    if "nodata" in flags and source.nodata != 0:
        valid &= (source.read_masks(list(numbers), window=part) != 0).all(axis=0)
    return values, valid


def read_image(raster: Raster, window: PixelWindow, stored_px: int) -> tuple[Values, float]:
    """A square of an image, antialiased, and the share of it that has no data.

    Args:
        raster: The file.
        window: The square.
        stored_px: The edge wanted.

    Returns:
        ``[stored_px, stored_px, C]``, whole numbers where the file has such.

    Raises:
        DatasetError: The file is damaged behind its header.
    """
    lost = _Lost()
    with reading(raster) as source:
        stripes = _stripes(source, raster.numbers, window, lost)
        values = resampled(stripes, window.width, stored_px)
    if DTYPES[raster.dtype] != "float32":
        values = np.rint(values)
    return values, lost.pixels / window.width**2


def read_mask(
    raster: Raster, window: PixelWindow, stored_px: int
) -> tuple[npt.NDArray[np.uint8], float, float]:
    """A square of a mask as 0 and 1, and the true shares of its pixels not 0, and without data.

    A stored pixel is 1 where at least half of its area is. The share is one of whole pixels.

    Raises:
        DatasetError: It has more than two values, or is damaged behind its header.
    """
    seen: set[float] = set()
    built_px = 0

    def binary(stripes: Iterator[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
        nonlocal built_px
        for stripe in stripes:
            seen.update(np.unique(stripe)[:_FEW].tolist())
            built_px += int(np.count_nonzero(stripe))
            yield stripe != 0

    lost = _Lost()
    with reading(raster) as source:
        stripes = binary(_stripes(source, raster.numbers, window, lost))
        shares = resampled(stripes, window.width, stored_px, area=True)[..., 0]
        empty = 0 if source.nodata == 0 else lost.pixels  # 0 is no building, whatever it is called
    if len(seen - {0}) > 1 or not np.isfinite(list(seen)).all():
        few = ", ".join(f"{value:g}" for value in sorted(seen)[:_FEW])
        raise DatasetError(
            f"has the values {few}, a mask has 0 and one other",
            where=called(raster),
            hint="is it stored without loss?",
        )
    # Sums of areas round: exactly a half is a half, whatever the ratio of the sizes.
    stored = (shares >= 0.5 - _ROUNDING).astype(np.uint8)
    return stored, built_px / window.width**2, empty / window.width**2


def reading(raster: Raster) -> AbstractContextManager[Any]:
    """The open file, whose damage is told with its name."""
    return readable(raster.path, DatasetError, called(raster))


def called(raster: Raster) -> str:
    """Its folder and name, for messages: an image and its mask have one name."""
    return f"{raster.path.parent.name}/{raster.path.name}"
