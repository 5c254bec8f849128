"""The three images of a triplet: what their headers say, their pixels, and whether they fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.sources.geotiffs import Place, place_of, readable
from sensor2sensor.sources.sen12mscr.layout import CALLED, CLEAR, CLOUDY, KINDS, RADAR, Triplet

_BANDS = {RADAR: 2, CLEAR: 13, CLOUDY: 13}
_WHAT = {2: "radar has two, VV and VH", 13: "an image of level 1C has 13"}
_L2A_BANDS = 12
_DTYPES = {RADAR: ("float32", "float64"), CLEAR: ("uint16", "int16"), CLOUDY: ("uint16", "int16")}
_SAME_PX = 0.01
LARGEST_DN = 10_000
Pixels = npt.NDArray[Any]


class OtherBandsError(DatasetError):
    """An image has another number of bands, or another type, than its folder says."""


@dataclass(frozen=True)
class Header:
    """Size of an image, and where it lies if it says."""

    shape: tuple[int, int]
    place: Place | None


@dataclass(frozen=True)
class Form:
    """What the images of a data set have in common.

    Attributes:
        side_px: Edge of each.
        pixel_m: Edge of a pixel, None where no file says.
    """

    side_px: int
    pixel_m: float | None


@dataclass(frozen=True)
class Image:
    """One file.

    Attributes:
        path: The file.
        values: ``[H, W, C]`` as stored.
        valid: ``[H, W]``, where every band has data.
        place: Where it lies, in metres; None where it does not say.
        crs: Its projection, whatever units that has; None where it does not say.
        corners: Of the upper left and the lower right, in units of ``crs``.
        pixel: Edge of a pixel, in the same.
    """

    path: Path
    values: Pixels
    valid: npt.NDArray[np.bool_]
    place: Place | None
    crs: Any | None
    corners: tuple[float, float, float, float]
    pixel: float

    def known_dn(self) -> Pixels:
        """Digital numbers of an optical image where it has data, not clipped, ``[N, C]``."""
        known: Pixels = self.values[self.valid]
        return known

    @property
    def blank(self) -> bool:
        """Whether an optical image is one value in each band, as it is stored: clipped."""
        clipped = self.known_dn().clip(0, LARGEST_DN)
        return bool((clipped == clipped[:1]).all())


def header_of(triplet: Triplet) -> Header | None:
    """Of the first of its images that can be opened; None where none can."""
    for kind in (kind for kind in (CLEAR, CLOUDY, RADAR) if kind in triplet.paths):
        # What is wrong with one is told when its pixels are read.
        with suppress(DatasetError), _opened(triplet.paths[kind]) as source:
            return Header((source.height, source.width), place_of(source))
    return None


def common_form(headers: Sequence[Header | None], folder: Path) -> Form:
    """That of most images: one odd file does not decide for all.

    Raises:
        InputError: None can be read, or none is square.
    """
    known = [header for header in headers if header is not None]
    forms = Counter(
        Form(header.shape[0], _pixel_m(header.place))
        for header in known
        if header.shape[0] == header.shape[1]
    )
    if forms:
        return forms.most_common(1)[0][0]
    if not known:
        raise InputError("has no image that can be read", where=folder)
    height, width = known[0].shape
    raise InputError(f"has no square image, the first {height} x {width} pixels", where=folder)


def read_images(triplet: Triplet, form: Form) -> Mapping[str, Image]:
    """Its three images by kind.

    Raises:
        DatasetError: One is damaged, is not what its folder says, or lies elsewhere.
    """
    images = {kind: read_image(triplet, kind) for kind in KINDS}
    for image in images.values():
        _refuse_other_form(image, form)
    for kind in (RADAR, CLOUDY):
        if apart := _elsewhere(images[kind], images[CLEAR]):
            raise DatasetError(apart, where=where_of(images[kind].path))
    return images


def read_image(triplet: Triplet, kind: str) -> Image:
    """One of its images.

    Raises:
        OtherBandsError: It is not what its folder says.
        DatasetError: It is damaged.
    """
    path = triplet.paths[kind]
    with _opened(path) as source:
        if wrong := _wrong_bands(source.count, source.dtypes, kind):
            raise OtherBandsError(wrong, where=where_of(path))
        return _image(path, source)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open file whose damage is told with its name."""
    if path.is_dir():
        raise DatasetError("is a folder, not a GeoTIFF", where=where_of(path))
    with readable(path, DatasetError, where_of(path)) as source:
        yield source


def _wrong_bands(count: int, dtypes: Sequence[str], kind: str) -> str:
    if kind != RADAR and count == _L2A_BANDS:
        return "has 12 bands, as level 2A, which lacks B10; SEN12MS-CR is level 1C and has 13"
    if count != _BANDS[kind]:
        one = "band" if count == 1 else "bands"
        return f"has {count} {one}; {_WHAT[_BANDS[kind]]}"
    odd = [dtype for dtype in dtypes if dtype not in _DTYPES[kind]]
    if odd:
        return f"is of {odd[0]}; a {CALLED[kind]} is of {_DTYPES[kind][0]}"
    return ""


def _image(path: Path, source: Any) -> Image:
    values = np.moveaxis(source.read(), 0, -1)
    valid = np.isfinite(values).all(axis=-1) & (source.read_masks() != 0).all(axis=0)
    if values.dtype.kind != "f":
        # No tag says so, but a sky that is black in all 13 bands is none: here nothing was seen.
        valid &= (values != 0).any(axis=-1)
    grid = source.transform
    far_x = grid.a * source.width + grid.b * source.height + grid.c
    far_y = grid.d * source.width + grid.e * source.height + grid.f
    ends = (grid.c, grid.f, far_x, far_y)
    return Image(path, values, valid, place_of(source), source.crs, ends, abs(grid.a) or 1.0)


def refuse_blank(image: Image) -> None:
    """Refuse an optical image that shows nothing.

    Raises:
        DatasetError: Each band is one value throughout (:attr:`Image.blank`).
    """
    if image.blank:
        low, high = image.values.min(), image.values.max()
        raise DatasetError(
            f"shows nothing: clipped to 0 to {LARGEST_DN} each band is one value throughout",
            where=where_of(image.path),
            hint=f"it holds {low} to {high}; fetch it again, or store reflectance x {LARGEST_DN}",
        )


def _refuse_other_form(image: Image, form: Form) -> None:
    height, width = image.valid.shape
    side = form.side_px
    if (height, width) != (side, side):
        what = f"has {height} x {width} pixels, most images {side} x {side}"
        raise DatasetError(what, where=where_of(image.path))
    pixel_m = _pixel_m(image.place)
    if None not in (pixel_m, form.pixel_m) and pixel_m != form.pixel_m:
        what = f"has pixels of {pixel_m:g} m, most images of {form.pixel_m:g} m"
        raise DatasetError(what, where=where_of(image.path))


def _pixel_m(place: Place | None) -> float | None:
    """Edge of a pixel, without the digits that only the arithmetic of a transform made."""
    return None if place is None else float(f"{place.pixel_m:.6g}")


def _elsewhere(image: Image, clear: Image) -> str:
    """Why an image does not lie on its clear one."""
    if image.crs is None or clear.crs is None:
        return ""
    if image.crs != clear.crs:
        return f"is in {image.crs.to_string()}, the clear image in {clear.crs.to_string()}"
    apart = max(abs(a - b) for a, b in zip(image.corners, clear.corners, strict=True))
    if apart > _SAME_PX * clear.pixel:
        return f"lies {apart / clear.pixel:.2g} pixels from the clear image"
    return ""


def where_of(path: Path) -> str:
    """Its folder and name, for messages."""
    return f"{path.parent.name}/{path.name}"
