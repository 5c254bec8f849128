"""What a model is given of a product: its bands on one grid, without a gap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.inference.windows import (
    FILL_HALOS,
    TAPS,
    Image,
    Missing,
    enlarged,
    filled,
    mirrored,
)
from sensor2sensor.predictors.card import Card
from sensor2sensor.products.theia import TheiaProduct


@dataclass(frozen=True)
class Inputs:
    """The bands of a card, window by window.

    Attributes:
        product: The product.
        card: The card.
        grid: The finest band's, on which the model is given all of them.
        coarse: Whether each band has pixels twice as large.
    """

    product: TheiaProduct
    card: Card
    grid: Grid
    coarse: tuple[bool, ...]

    def read(self, core: PixelWindow) -> tuple[Image, Missing] | None:
        """The core with its halo ``[C, h, w]``, filled, and what is missing in it ``[C, h, w]``.

        None where no pixel of the core has a value in any band.
        """
        images, gaps = zip(
            *(self._band(*band, core) for band in zip(self.card.bands, self.coarse, strict=True)),
            strict=True,
        )
        missing = np.stack(gaps)
        return None if missing.all() else (np.stack(images), missing)

    def _band(self, band: str, coarse: bool, core: PixelWindow) -> tuple[Image, Missing]:
        halo, step = self.card.halo_px, 2 if coarse else 1
        shape = (self.grid.height_px // step, self.grid.width_px // step)
        frame = core.expanded(halo)
        own = _covering(frame, step)

        def read(window: PixelWindow) -> Image:
            return self.product.read(band, window)

        def gapless(window: PixelWindow) -> Image:
            image = read(window)
            if not np.isnan(image).any():
                return image
            # What is filled must not depend on where a window ends.
            more = math.ceil(FILL_HALOS * (halo / step + TAPS))
            wide = mirrored(read, window.expanded(more), shape)
            return filled(wide)[more : more + window.height, more : more + window.width]

        image = enlarged(gapless, frame, shape) if coarse else mirrored(gapless, frame, shape)
        there = np.isnan(mirrored(read, own, shape)).repeat(step, 0).repeat(step, 1)
        y, x = core.y - own.y * step, core.x - own.x * step
        return image, there[y : y + core.height, x : x + core.width]


def _covering(window: PixelWindow, step: int) -> PixelWindow:
    """The pixels of ``step`` times the size that a window touches."""
    left, top = window.x // step, window.y // step
    right, bottom = -(-(window.x + window.width) // step), -(-(window.y + window.height) // step)
    return PixelWindow(left, top, right - left, bottom - top)


def inputs_of(product: TheiaProduct, card: Card) -> Inputs:
    """The bands of a card on the grid of the finest, after a look at all of them.

    Raises:
        ProductError: One is missing, or lies on another grid than the others.
    """
    grids = [product.grid(band) for band in card.bands]
    finest = min(grids, key=lambda grid: grid.resolution_m)
    coarse = []
    for band, grid in zip(card.bands, grids, strict=True):
        step = grid.resolution_m / finest.resolution_m
        rows, columns = (side * step for side in grid.shape)
        fits = step in (1, 2) and (rows, columns) == finest.shape
        if not fits or (grid.epsg, grid.ulx_m, grid.uly_m) != _corner(finest):
            what = f"{band} does not lie on the grid of the other bands"
            raise ProductError(what, where=product.name, hint="fetch the product again")
        coarse.append(step == 2)
    if finest.resolution_m != card.source_m:
        what = f"has pixels of {finest.resolution_m:g} m, the model takes {card.source_m} m"
        raise ProductError(what, where=product.name)
    return Inputs(product, card, finest, tuple(coarse))


def _corner(grid: Grid) -> tuple[int, float, float]:
    return grid.epsg, grid.ulx_m, grid.uly_m
