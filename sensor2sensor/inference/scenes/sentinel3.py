"""A Sentinel-3 OLCI swath on the grid of a prediction, collocated window by window as in step 40.

A window's record is that of steps 40 and 50 for the same ground: the same nearest pixel, the same
table. What they would refuse is given, and said not to be valid: where no pixel lies within the
radius, or the nearest one lacks radiances, stands the nearest that has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.times import format_utc, utc_from
from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.geo.collocation import SwathIndex, grid_geocentric_m
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.inference.scenes.grids import output_grid
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.scene import (
    Frame,
    Image,
    Mask,
    SceneWindow,
    Shift,
    frame_of,
)
from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.olci import OlciSwath
from sensor2sensor.products.sentinel3 import S3Product, open_s3

PIXEL_M = {"OL_1_EFR": 300.0, "OL_1_ERR": 1200.0}
_SQUARE_M = 10_000.0  # the pixels' spacing changes slowly: to look it up costs as much as to search
_KNOT_PX = 8  # how far the centres that are unprojected lie apart
_ROWS = 64  # of a window at once: positions take 40 bytes a pixel


def open_sentinel3(path: Path, form: Form, options: SceneOptions) -> SwathScene:
    """A Sentinel-3 product, folder or zip, on the grid the options ask for.

    Raises:
        InputError: No output grid is given, or the model takes other pixels or other bands.
        ProductError: The product is damaged, incomplete, or lies elsewhere.
    """
    assert form.resolution_m is not None, "data sets of swaths know their pixels"
    grid = output_grid(options, form.resolution_m)
    product = open_s3(path)
    notices = (*_pixel_notices(product, form, options), *_alignment_notices(form))
    bands = _places([band.name for band in form.input.bands])
    _check_whole(product)
    swath = OlciSwath(product, grid)
    return SwathScene(product, swath, grid, form, bands, notices)


@dataclass(frozen=True)
class SwathScene:
    """A swath as :class:`~sensor2sensor.inference.scenes.scene.Scene`.

    Attributes:
        product: It was read from.
        swath: The part of it over the grid.
        grid: Of the prediction.
        form: Of the model.
        bands: Place of each input band among OLCI's.
        notices: Lines for the user.
    """

    product: S3Product
    swath: OlciSwath
    grid: Grid
    form: Form
    bands: tuple[int, ...]
    notices: Sequence[str] = ()
    align_px = 1  # pixels of a swath lie on no grid

    @property
    def name(self) -> str:
        """Of the product."""
        return self.product.name

    @property
    def frame(self) -> Frame:
        """The output grid."""
        return frame_of(self.grid)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Of the product, as provenance has them."""
        one, files = self.product, self.product.files
        return {
            "product": one.name,
            "sensor": "OLCI",
            "product_type": one.product_type,
            "platform": one.platform,
            "relative_orbit": one.relative_orbit,
            "datetime": self._middle_time(),
            "start_datetime": format_utc(one.start),
            "end_datetime": format_utc(one.stop),
            "timeliness": one.timeliness,
            "collection": one.collection,
            "collocation": "nearest pixel, as in step 40",
            "input_m": PIXEL_M[one.product_type],
            "resolution_m": self.grid.resolution_m,
            "files": files.known(one.members_in_use()),
        }

    def window(self, place: PixelWindow, halo_px: int = 0) -> SceneWindow | None:
        """As :meth:`Scene.window`; beyond the frame lies the swath itself, as far as it was read.

        Which pixel is nearest depends on its place in the frame alone, and so does how far away one
        may be to be valid: by the rule of step 40, asked once for each square of 10 km.
        """
        if self._of_measured.empty:
            return None
        nearest, valid = self._nearest(place)
        if not _core(valid, halo_px).any():
            return None
        index, rows, _ = self.swath.numbered(nearest)
        row, column = np.divmod(rows, self.swath.window.shape[1])
        corner = self._grid(place)
        # Northing falls downwards, y of a record grows.
        xy = (self.swath.xy_m[row, column] - [corner.ulx_m, corner.uly_m]) * [1.0, -1.0]
        pixels = np.ascontiguousarray(self.swath.radiance[:, row, column].T[:, self.bands])
        blank = np.zeros((*index.shape, len(self.form.target.bands)), np.float32)
        # How long Sentinel-2 saw it before or after is not known: it did not.
        gap = {"time_gap_h": np.array(np.nan, np.float32)}
        name = f"{self.name} {place.x} {place.y}"
        return SceneWindow(TileRecord(name, blank, pixels, xy, index, gap), valid)

    def truth(self, place: PixelWindow) -> Image | None:
        """Not known."""
        return None

    def _nearest(self, place: PixelWindow) -> tuple[NDArray[np.int64], Mask]:
        """Flat index of the measured pixel of each of a window, and where that is a valid one."""
        parts = [
            self._nearest_of(PixelWindow(place.x, row, place.width, min(_ROWS, stop - row)))
            for stop in [place.y + place.height]
            for row in range(place.y, stop, _ROWS)
        ]
        return np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])

    def _nearest_of(self, place: PixelWindow) -> tuple[NDArray[np.int64], Mask]:
        points = self._points(place)
        nearest, distance_m = self.swath.index.nearest(points, np.inf)
        valid = (distance_m < self._radii_m(place)) & self.swath.valid.flat[nearest]
        gap = ~self.swath.measured.flat[nearest]
        if gap.any():
            nearest[gap], _ = self._of_measured.nearest(points[gap], np.inf)
        return nearest, valid

    def _points(self, place: PixelWindow) -> NDArray[np.float64]:
        """Geocentric metres ``[h, w, 3]`` of the pixels' centres, the same in every window.

        Between the centres that are unprojected they are interpolated, a millimetre beside the
        truth: with knots of the window's own, a pixel half-way between two of OLCI would be given
        one of them here and the other there.
        """
        x, y = (start // _KNOT_PX * _KNOT_PX for start in (place.x, place.y))
        left, top = place.x - x, place.y - y
        width, height = (
            -(-(size - 1) // _KNOT_PX) * _KNOT_PX + 1
            for size in (max(place.width + left, 2), max(place.height + top, 2))
        )
        whole = grid_geocentric_m(self.grid.window(x, y, width, height))
        return whole[top : top + place.height, left : left + place.width]

    def _radii_m(self, place: PixelWindow) -> NDArray[np.float64]:
        """How far a pixel may be ``[h, w]``."""
        rows, columns = (
            np.arange(start, start + size) // self._square_px
            for start, size in ((place.y, place.height), (place.x, place.width))
        )
        radii = np.empty((place.height, place.width))
        for row in np.unique(rows):
            for column in np.unique(columns):
                square = np.ix_(rows == row, columns == column)
                radii[square] = self._radius_m(int(row), int(column))
        return radii

    @property
    def _square_px(self) -> int:
        return math.ceil(_SQUARE_M / self.grid.resolution_m)

    def _radius_m(self, row: int, column: int) -> float:
        if (row, column) not in self._known_radii_m:
            side = self._square_px
            square = self.grid.reduced(PixelWindow(column * side, row * side, side, side), (9, 9))
            self._known_radii_m[row, column] = self.swath.radius_m(grid_geocentric_m(square))
        return self._known_radii_m[row, column]

    @cached_property
    def _known_radii_m(self) -> dict[tuple[int, int], float]:
        return {}

    @cached_property
    def _of_measured(self) -> SwathIndex:
        return self.swath.index.of(self.swath.measured)

    def _grid(self, place: PixelWindow) -> Grid:
        return self.grid.window(place.x, place.y, place.width, place.height)

    def _middle_time(self) -> str:
        """When the middle of the grid was seen."""
        nearest, _ = self.swath.index.nearest(
            self._points(PixelWindow(self.grid.width_px // 2, self.grid.height_px // 2, 1, 1)),
            np.inf,
        )
        row = int(nearest[0, 0]) // self.swath.window.shape[1]
        return format_utc(utc_from(self.swath.row_times[row]))


def _core(valid: Mask, halo_px: int) -> Mask:
    height, width = valid.shape
    return valid[halo_px : height - halo_px, halo_px : width - halo_px]


def _places(names: list[str]) -> tuple[int, ...]:
    """Places of input bands among OLCI's.

    Raises:
        InputError: OLCI has no such band.
    """
    for name in names:
        if name not in OLCI_BANDS:
            hint = suggestion(name, OLCI_BANDS)
            raise InputError(f"the model takes '{name}', which OLCI does not have", hint=hint)
    return tuple(map(OLCI_BANDS.index, names))


def _pixel_notices(product: S3Product, form: Form, options: SceneOptions) -> tuple[str, ...]:
    """What the user has to know of a product whose pixels are of another size than trained on.

    Raises:
        InputError: They are, and it was not said to be meant.
    """
    own, trained = PIXEL_M[product.product_type], form.input.pixel_m
    if options.input_m not in (None, own):
        what = f"has pixels of {own:g} m and no others"
        raise InputError(what, where=product.name, hint="leave --input-m out")
    if trained is None or own == trained:
        return ()
    what = (
        f"has pixels of {own:g} m ({product.product_type}), the model was trained on {trained:g} m"
    )
    if not options.other_scale:
        other = next((name for name, size in PIXEL_M.items() if size == trained), "another product")
        raise InputError(what, where=product.name, hint=f"use {other}, or give --other-scale")
    return (Shift(f"{product.name}: {what}"),)


def _alignment_notices(form: Form) -> tuple[str, ...]:
    """What the user has to know of a model that was trained on pixels moved by a measured shift.

    It is no other domain than that of its scores and intervals: val and test are as inputs come.
    """
    if not form.input.aligned:
        return ()
    return (
        f"'{form.name}' was trained with its input aligned with the target; this input is not:"
        " where the ground moved between the looks, so does what is predicted",
    )


def _check_whole(product: S3Product) -> None:
    """All files that will be read are there, in their size.

    Raises:
        ProductError: They are not.
    """
    if missing := product.missing():
        what = f"lacks {', '.join(missing[:5])}"
    elif short := product.cut_short(product.members_for()):
        what = "; ".join(short[:5])
    else:
        return
    raise ProductError(what, where=product.name, hint="fetch the product again")
