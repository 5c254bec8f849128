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
from sensor2sensor.inference.scenes.reading import (
    Read,
    Remembered,
    gapless,
    grown,
    mirrored,
    shrunk,
)
from sensor2sensor.inference.scenes.scene import Frame, Image, Mask, SceneWindow, frame_of
from sensor2sensor.products.bands import esa_name

Number = TypeVar("Number", bound=np.generic)

# The weights of an axis are a matrix of all its pixels by all its blocks: it grows with the square.
_BLOCKS_AT_ONCE = 64


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


def degraded_scene(
    name: str,
    form: Form,
    grid: Grid,
    read: Read,
    *,
    facts: Mapping[str, Any],
    notices: Sequence[str],
) -> GriddedScene:
    """A scene whose pixels are degraded as the model's data set was: it is its own truth.

    Args:
        name: Of the product.
        form: Of a data set of step 50.
        grid: At the target's resolution.
        read: ``[h, w, C]`` of a window of it, the input bands in order.
        facts: For provenance.
        notices: For the user.
    """
    assert form.degradation is not None, "a form of this kind says how"
    source = Remembered(read)
    blocks = Blocks(source, grid.shape, form.degradation)
    names = [esa_name(band.name) for band in form.input.bands]
    targets = [esa_name(band.name) for band in form.target.bands]
    known = set(targets) <= set(names)
    return GriddedScene(
        name=name,
        form=form,
        frame=frame_of(grid),
        layers=(Layer(tuple(range(len(names))), 1, blocks.shape, blocks),),
        source=source,
        truth_places=tuple(map(names.index, targets)) if known else (),
        facts=facts,
        notices=notices,
    )
