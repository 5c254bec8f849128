"""Scenes whose input lies on north-up grids: mirrored beyond the edge, without gaps, on one grid.

No frame is lost: beyond the edge lies the mirror image. Where a band has no value the nearest one
stands in, since one NaN would spread over all that a network sees of it; ``valid`` remembers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sensor2sensor.dataset.contract import Degradation
from sensor2sensor.dataset.degradation import MTF_NYQUIST, block_centres, degrade, reach_px
from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.upsampling import regular_index
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.inference.scenes.scene import Frame, Image, Mask, SceneWindow

Read = Callable[[PixelWindow], Image]
Number = TypeVar("Number", bound=np.generic)

# What fills a missing pixel within the halo of a valid one lies no farther from it than that: up
# to sqrt(2) halos where these count along rows and columns. A frame so wide around what is read
# fills every such pixel as the whole image would.
FILL_HALOS = math.sqrt(2.0)
# The weights of an axis are a matrix of all its pixels by all its blocks: it grows with the square.
_BLOCKS_AT_ONCE = 64


def mirrored(read: Read, window: PixelWindow, shape: tuple[int, int]) -> Image:
    """A window that may reach beyond the grid: there the image is mirrored at its outer pixels.

    Args:
        read: Reads ``[h, w]`` or ``[h, w, C]`` of a window within the grid.
        window: The window.
        shape: Rows and columns of the grid.
    """
    rows = _folded(window.y, window.height, shape[0])
    columns = _folded(window.x, window.width, shape[1])
    top, left = int(rows.min()), int(columns.min())
    part = PixelWindow(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
    image = read(part)
    if part == window:
        return image
    return image[np.ix_(rows - top, columns - left)]


def _folded(start: int, count: int, length: int) -> npt.NDArray[np.int64]:
    """Positions on a grid of a run that may leave it, as ``numpy.pad``'s ``reflect`` has them."""
    if length == 1:
        return np.zeros(count, np.int64)
    period = 2 * (length - 1)
    place = np.arange(start, start + count) % period
    return np.minimum(place, period - place)


def filled(image: Image) -> Image:
    """NaN of ``[h, w]`` or, band by band, ``[h, w, C]`` replaced by the nearest pixel with a value.

    0 where no pixel has one.
    """
    if image.ndim == 3:
        return np.stack([filled(image[..., band]) for band in range(image.shape[-1])], axis=-1)
    missing = np.isnan(image)
    if not missing.any():
        return image
    if missing.all():
        return np.zeros_like(image)
    from scipy import ndimage

    # At distance 0 for what is there: it stays itself.
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return np.asarray(image[tuple(nearest)])


def gapless(read: Read, window: PixelWindow, shape: tuple[int, int], halo_px: int) -> Image:
    """A window, mirrored beyond the grid and filled as the whole image would be.

    What fills a pixel within ``halo_px`` of a valid one does not depend on where the window ends.
    """
    more = math.ceil(FILL_HALOS * halo_px)

    def whole(part: PixelWindow) -> Image:
        image = read(part)
        if not np.isnan(image).any():
            return image
        wide = filled(mirrored(read, part.expanded(more), shape))
        return wide[more : more + part.height, more : more + part.width]

    return mirrored(whole, window, shape)


class Remembered:
    """A reader that hands out its last window again: what is valid is asked beside the values."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._last: tuple[PixelWindow, Image] | None = None

    def __call__(self, window: PixelWindow) -> Image:
        """As the reader it asks."""
        if self._last is not None:
            held, image = self._last
            inner = PixelWindow(window.x - held.x, window.y - held.y, window.width, window.height)
            if inner.inside(held.width, held.height):
                return image[inner.rows, inner.columns]
        image = self._read(window)
        self._last = window, image
        return image


@dataclass(frozen=True)
class Layer:
    """Input bands that are read together.

    Attributes:
        places: Where they stand among the input bands of the form.
        step: Pixels of the input's grid along a side of one of theirs.
        shape: Rows and columns of their own grid.
        read: ``[h, w, C]`` of a window within it; NaN: no value.
    """

    places: tuple[int, ...]
    step: int
    shape: tuple[int, int]
    read: Read

    def present(self, window: PixelWindow) -> Mask:
        """Whether all bands have a value, ``[h, w]`` of a window of the input's grid."""
        seen = mirrored(self.read, self._own(window), self.shape)
        return _repeated(np.asarray(np.isfinite(seen).all(axis=-1)), self.step)

    def image(self, window: PixelWindow, halo_px: int) -> Image:
        """The bands ``[h, w, C]`` of a window of the input's grid, each pixel repeated."""
        # One more: the halo begins somewhere within a larger pixel.
        halo = -(-halo_px // self.step) + 1
        return _repeated(gapless(self.read, self._own(window), self.shape, halo), self.step)

    def _own(self, window: PixelWindow) -> PixelWindow:
        return shrunk(window, self.step)


def _repeated(image: npt.NDArray[Number], step: int) -> npt.NDArray[Number]:
    return image.repeat(step, 0).repeat(step, 1) if step > 1 else image


def layers_of(
    bands: Sequence[str], grids: Sequence[Grid], finest: Grid, reader: Callable[[list[str]], Read]
) -> tuple[Layer, ...]:
    """Bands on grids of several pixel sizes, those of one size together.

    Args:
        bands: Names, in the order of the form.
        grids: Of each; all begin at one corner.
        finest: The grid of the input.
        reader: What reads some of the bands, all of one size.
    """
    made = []
    for size in sorted({grid.resolution_m for grid in grids}):
        places = tuple(i for i, grid in enumerate(grids) if grid.resolution_m == size)
        step = round(size / finest.resolution_m)
        read = Remembered(reader([bands[place] for place in places]))
        made.append(Layer(places, step, grids[places[0]].shape, read))
    return tuple(made)


def refined(grid: Grid, factor: int) -> Grid:
    """A grid over the same ground, of a ``factor``-th of the pixel."""
    return replace(
        grid,
        resolution_m=grid.resolution_m / factor,
        width_px=grid.width_px * factor,
        height_px=grid.height_px * factor,
    )


@dataclass(frozen=True)
class Blocks:
    """A product's own pixels, coarser, as step 50 makes them so; blocks begin at the corner.

    Where a block reaches beyond the grid, or part of it is missing, it is made of what is there.

    Attributes:
        read: ``[h, w, C]`` of a window within the fine grid; NaN: no value.
        fine: Rows and columns of that.
        how: As the data set's contract has it.
    """

    read: Read
    fine: tuple[int, int]
    how: Degradation

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        rows, columns = (-(-side // self.how.factor) for side in self.fine)
        return rows, columns

    def __call__(self, window: PixelWindow) -> Image:
        """``[h, w, C]`` of a window of blocks; NaN where none of its pixels has a value."""
        bands = [[self._made(part) for part in row] for row in _parts(window, _BLOCKS_AT_ONCE)]
        return np.concatenate([np.concatenate(row, axis=1) for row in bands], axis=0)

    def _made(self, blocks: PixelWindow) -> Image:
        how, factor = self.how, self.how.factor
        # Of a mean the Gaussian's transfer says nothing, and is not looked at.
        nyquist = MTF_NYQUIST if how.mtf_nyquist is None else how.mtf_nyquist
        more = reach_px(factor, factor, 8 * factor, how.method, nyquist)
        inner = grown(blocks, factor)
        wide = self._padded(inner.expanded(more))
        tile = wide[more : more + inner.height, more : more + inner.width]
        made = degrade(
            tile, factor, resolution_m=1.0, margin=wide, method=how.method, mtf_nyquist=nyquist
        )
        return made.pixels.reshape(blocks.height, blocks.width, -1)

    def _padded(self, window: PixelWindow) -> Image:
        """A window that may reach beyond the grid, NaN there."""
        inside = window.clipped(self.fine[1], self.fine[0])
        assert inside is not None, "a block lies on the grid"
        image = self.read(inside)
        if inside == window:
            return image
        made = np.full((window.height, window.width, image.shape[-1]), np.nan, np.float32)
        y, x = inside.y - window.y, inside.x - window.x
        made[y : y + inside.height, x : x + inside.width] = image
        return made


def _parts(window: PixelWindow, side: int) -> list[list[PixelWindow]]:
    """A window in rows of parts of at most ``side`` pixels."""
    return [
        [
            PixelWindow(x, y, min(side, window.columns.stop - x), min(side, window.rows.stop - y))
            for x in range(window.x, window.columns.stop, side)
        ]
        for y in range(window.y, window.rows.stop, side)
    ]


@dataclass(frozen=True)
class GriddedScene:
    """A scene of layers on grids that share their upper-left corner: see :class:`scene.Scene`.

    Attributes:
        name: Of the product.
        form: What the model takes.
        frame: The grid of the prediction.
        layers: The input bands, each in one of them.
        source: ``[h, w, C]`` of a window within the frame, of which the input is made; None where
            the input was measured.
        truth_places: Where the target bands stand in ``source``.
        facts: For provenance.
        notices: For the user.
    """

    name: str
    form: Form
    frame: Frame
    layers: tuple[Layer, ...]
    source: Read | None = None
    truth_places: tuple[int, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notices: Sequence[str] = ()

    @property
    def factor(self) -> int:
        """Target pixels along a side of an input pixel."""
        return int(self.form.factor)

    @property
    def align_px(self) -> int:
        """So that no pixel of any band is cut: its repeated values stay whole."""
        return self.factor * math.lcm(*(layer.step for layer in self.layers))

    def window(self, place: PixelWindow, halo_px: int = 0) -> SceneWindow | None:
        """As :meth:`scene.Scene.window`.

        Raises:
            ValueError: The window cuts pixels of the input, a fault of the caller.
        """
        if any(edge % self.align_px for edge in (place.x, place.y, place.width, place.height)):
            raise ValueError(f"{place} is not made of whole pixels of {self.align_px}")
        own = shrunk(place, self.factor)
        valid = self._valid(place, own)
        core = (slice(halo_px, place.height - halo_px), slice(halo_px, place.width - halo_px))
        if not valid[core].any():
            return None
        image = np.empty((own.height, own.width, len(self.form.input.bands)), np.float32)
        for layer in self.layers:
            image[..., list(layer.places)] = layer.image(own, -(-halo_px // self.factor))
        return SceneWindow(self._record(place, image), valid)

    def truth(self, place: PixelWindow) -> Image | None:
        """As :meth:`scene.Scene.truth`: of what was degraded, the product itself."""
        if self.source is None or not self.truth_places:
            return None
        return self.source(place)[..., list(self.truth_places)]

    def _valid(self, place: PixelWindow, own: PixelWindow) -> Mask:
        # A block of which one pixel has a value has one; its other pixels still have none.
        if self.source is not None:
            seen = mirrored(self.source, place, self.frame.shape)
            return np.asarray(np.isfinite(seen).all(axis=-1))
        there = np.stack([layer.present(own) for layer in self.layers]).all(axis=0)
        return np.asarray(there.repeat(self.factor, 0).repeat(self.factor, 1))

    def _record(self, place: PixelWindow, image: Image) -> TileRecord:
        """As the data set of the form holds it, of any size."""
        blank = np.zeros((place.height, place.width, len(self.form.target.bands)), np.float32)
        name = f"{self.name}__{place.x}x{place.y}"
        if self.form.input.layout == "dense":
            return dense_record(name, blank, image)
        rows, columns = image.shape[:2]
        # In the metres of the data set, whatever the scale: so the network was told places.
        xy = block_centres(rows, columns, self.factor, self.form.resolution_m or 1.0)
        index = regular_index(place.height, place.width, self.factor)
        return TileRecord(name, blank, image.reshape(rows * columns, -1), xy, index)


def shrunk(window: PixelWindow, factor: int) -> PixelWindow:
    """A window in pixels of ``factor`` times the size, whose edges its own lie on."""
    sides = (window.x, window.y, window.width, window.height)
    return PixelWindow(*(side // factor for side in sides))


def grown(window: PixelWindow, factor: int) -> PixelWindow:
    """A window in pixels of a ``factor``-th of the size."""
    sides = (window.x, window.y, window.width, window.height)
    return PixelWindow(*(side * factor for side in sides))
