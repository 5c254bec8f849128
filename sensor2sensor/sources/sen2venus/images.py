"""The files of a patch: what their headers say, their pixels, and whether they fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.sources.geotiffs import Place, place_of, readable
from sensor2sensor.sources.sen2venus.form import NODATA, PIXELS, TARGET_M
from sensor2sensor.sources.sen2venus.layout import Member, Patch

# Half a pixel of 5 m: files of one patch are cut from grids of 5, 10 and 20 m.
_APART_M = 2.5
Numbers = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Header:
    """Rows and columns of a file, and where it lies if it says."""

    shape: tuple[int, int]
    place: Place | None


def header_of(patch: Patch, column: str) -> Header | None:
    """Of one of its files; None where it cannot be opened: that is told when it is read."""
    if patch.missing:
        return None
    with suppress(DatasetError), _read(patch.members[column]) as source:
        return Header((source.height, source.width), place_of(source))
    return None


def common_side(headers: Sequence[Header | None], where: object, why: str = "") -> int:
    """Edge of most patches at 5 m: one odd file does not decide for all.

    Args:
        headers: Of all patches.
        where: For the message.
        why: What the first patch that is missing says.

    Raises:
        InputError: None can be read, or none is square.
    """
    sides = Counter(h.shape[0] for h in headers if h is not None and h.shape[0] == h.shape[1])
    if not sides:
        what = "has no square patch that can be read"
        hint = f"the first: {why}" if why else "check the zips beside the indices"
        raise InputError(what, where=where, hint=hint)
    return sides.most_common(1)[0][0]


def read_patch(patch: Patch, side_px: int, bands: Mapping[str, int]) -> dict[str, Numbers]:
    """Its files by column, ``[h, w, C]`` as stored: reflectance x 10000, -10000 for no data.

    Args:
        patch: The patch.
        side_px: Edge at 5 m.
        bands: Number of bands of each column.

    Raises:
        DatasetError: A file is damaged, of another form, or lies elsewhere than the others.
    """
    read, places = {}, {}
    for column, count in bands.items():
        member, side = patch.members[column], side_px // PIXELS[column]
        with _read(member) as source:
            if wrong := _wrong(source, count, side):
                raise DatasetError(wrong, where=member.called)
            read[column] = _numbers(source)
            places[column] = place_of(source)
    _refuse_elsewhere(patch, places)
    return read


def _wrong(source: Any, count: int, side: int) -> str:
    if source.count != count:
        return f"has {source.count} bands, not {count}"
    if odd := [dtype for dtype in source.dtypes if dtype != "int16"]:
        return f"is of {odd[0]}; patches of SEN2VENµS are of int16"
    if (source.height, source.width) != (side, side):
        return f"has {source.height} x {source.width} pixels, not {side} x {side} as most"
    return ""


def _numbers(source: Any) -> Numbers:
    values: Numbers = np.moveaxis(source.read(), 0, -1)
    # What a file's own tag calls no data is none, whatever the number.
    if source.nodata is not None and source.nodata != NODATA:
        values = np.where(values == source.nodata, np.int16(NODATA), values)
    return values


def _refuse_elsewhere(patch: Patch, places: Mapping[str, Place | None]) -> None:
    known = {column: place for column, place in places.items() if place is not None}
    for column, place in known.items():
        first, called = next(iter(known.values())), patch.members[column].called
        if place.epsg != first.epsg:
            what = f"is in EPSG:{place.epsg}, its patch in EPSG:{first.epsg}"
            raise DatasetError(what, where=called)
        if (apart := place.apart_m(first)) > _APART_M:
            raise DatasetError(f"lies {apart:g} m from its patch", where=called)
        pixel_m = TARGET_M * PIXELS[column]
        if abs(place.pixel_m - pixel_m) > 1e-3 * pixel_m:
            raise DatasetError(f"has pixels of {place.pixel_m:g} m, not {pixel_m}", where=called)


def _read(member: Member) -> AbstractContextManager[Any]:
    return readable(member.path, DatasetError, member.called)
