"""Where tiles of a scene may lie: seeded positions, and a cheap screen before anything is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.geo.footprints import covered_share
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.preprocess.tifs_options import FOOTPRINT_SHARE, MASK_SHARE, TileOptions
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.sentinel2 import S2Product

MAX_DRAWS = 20_000
CLOUD = Quality.S2_CLOUD | Quality.S2_CIRRUS
_CELL, _STRIP = 16, 1024
_SAMPLING_ERROR = 0.02  # of a cloud fraction taken from a coarser raster


def positions(
    grid: Grid, options: TileOptions, inventory: str, scene: int
) -> Iterator[tuple[int, int]]:
    """Columns and rows of the upper-left pixel of candidate tiles, none twice.

    The order depends on the seed, the inventory and the scene alone. Random positions reach the
    last row and column; where there are more than 20 000, that many are drawn.
    """
    columns = grid.width_px - options.tile_px + 1
    rows = grid.height_px - options.tile_px + 1
    if columns < 1 or rows < 1:
        return iter(())
    generator = rng(options.seed, Purpose.DRAW_TILES, inventory, scene)
    step = options.tile_px if options.grid else 1
    return _shuffled(generator, range(0, columns, step), range(0, rows, step), options.grid)


def _shuffled(
    generator: np.random.Generator, columns: range, rows: range, everything: bool
) -> Iterator[tuple[int, int]]:
    total = len(columns) * len(rows)
    if everything:
        order = generator.permutation(total)
    elif total <= 50 * MAX_DRAWS:
        order = generator.permutation(total)[:MAX_DRAWS]
    else:
        draws = generator.integers(0, total, size=2 * MAX_DRAWS)
        _, first = np.unique(draws, return_index=True)
        order = draws[np.sort(first)][:MAX_DRAWS]
    for number in order:
        row, column = divmod(int(number), len(columns))
        yield columns[column], rows[row]


@dataclass
class CoarseMap:
    """A small raster over the whole scene, averaged over the inside of tiles.

    Attributes:
        share: 1 where the condition holds, 0 elsewhere ``[h, w]``.
        pixel: width of one of its pixels in target pixels.
    """

    share: NDArray[np.float32]
    pixel: float

    def fraction(self, x: int, y: int, size: int) -> float:
        """Mean over the pixels that lie wholly inside a tile; 0.0 where none does."""
        part = self._part(x, y, size)
        return float(part.mean()) if part.size else 0.0

    def at_least(self, x: int, y: int, size: int) -> float:
        """The share of a tile that its inner pixels alone make up."""
        return float(self._part(x, y, size).sum(dtype=np.float64)) * (self.pixel / size) ** 2

    def _part(self, x: int, y: int, size: int) -> NDArray[np.float32]:
        return self.share[self._inside(y, size), self._inside(x, size)]

    def _inside(self, start: int, size: int) -> slice:
        first = int(np.ceil(start / self.pixel - 1e-9))
        return slice(first, max(first, int(np.floor((start + size) / self.pixel + 1e-9))))


@dataclass
class Screen:
    """Judges positions of a scene by what is known without reading the tile itself.

    Attributes:
        grid: the target grid of the scene.
        options: the limits.
        nodata: where the scene has no data.
        cloud: where it is cloudy.
        saturated: where it is saturated, once that was looked at.
        footprints: projected footprints by the reason a tile outside them is rejected for.
        masks: projected masks.
    """

    grid: Grid
    options: TileOptions
    nodata: CoarseMap
    cloud: CoarseMap
    footprints: dict[str, Any]
    masks: list[Any] = field(default_factory=list)
    saturated: CoarseMap | None = None

    def reason(self, x: int, y: int) -> str | None:
        """Why a tile there cannot be, or None."""
        size = self.options.tile_px
        if self.nodata.at_least(x, y, size) > self.options.max_nodata + 1e-9:
            return "nodata"
        saturated = self.saturated.at_least(x, y, size) if self.saturated else 0.0
        if saturated > self.options.max_nodata + 1e-9:
            return "saturated"
        if self.cloud.fraction(x, y, size) > self.options.max_cloud + _SAMPLING_ERROR:
            return "cloud"
        outline = self.grid.window(x, y, size, size).polygon()
        for name, footprint in self.footprints.items():
            if covered_share(outline, footprint) < FOOTPRINT_SHARE:
                return name
        return None

    def inside_mask(self, x: int, y: int) -> bool | None:
        """Whether one mask covers 80 % of the tile; None where no masks were given."""
        if not self.options.masks:
            return None
        size = self.options.tile_px
        outline = self.grid.window(x, y, size, size).polygon()
        return any(covered_share(outline, mask) >= MASK_SHARE for mask in self.masks)


def coarse_overview(product: S2Product, options: TileOptions) -> tuple[NDArray[np.float32], int]:
    """The whole scene in the band nearest to red, reduced to about 150 m, and the reduction."""
    reduction = overview_reduction(product.grids[options.resolution_m])
    band = red_band(options)
    image, _ = product.read_reflectance((band,), options.resolution_m, overview=reduction)
    return image[..., 0], reduction


def overview_reduction(grid: Grid) -> int:
    """The largest power of two up to 16 that leaves pixels of 160 m or less and 256 of them.

    JPEG 2000 files of the ground segment hold these sizes; smaller ones GDAL does not list.
    """
    smallest = min(grid.width_px, grid.height_px)
    fits = [
        step
        for step in (2, 4, 8, 16)
        if step * grid.resolution_m <= 160.0 and smallest / step >= 256
    ]
    return max(fits, default=1)


def red_band(options: TileOptions) -> str:
    """B04 where it is a target band, else the target band nearest to it in wavelength."""
    from sensor2sensor.products.sentinel2 import S2_WAVELENGTHS_NM

    red = S2_WAVELENGTHS_NM["B04"]
    return min(options.bands, key=lambda band: abs(S2_WAVELENGTHS_NM[band] - red))


def coarse_cloud(product: S2Product, options: TileOptions) -> tuple[CoarseMap, str]:
    """Where the scene is cloudy on the coarsest grid it has, and the source that says so."""
    coarsest = max(product.grids)
    word, source = product.read_quality(coarsest)
    cloudy = (word & np.uint32(CLOUD)) != 0
    pixel = product.grids[coarsest].resolution_m / options.resolution_m
    return CoarseMap(cloudy.astype(np.float32), pixel), source


def exact_maps(product: S2Product, options: TileOptions) -> tuple[CoarseMap, CoarseMap]:
    """Where the scene has no data and where it is saturated, from every pixel of its bands.

    Costs one reading of the whole bands, in strips; worth it where many draws fail on them.
    """
    grid = product.grids[options.resolution_m]
    found: list[list[NDArray[np.float32]]] = [[], []]
    for top in range(0, grid.height_px, _STRIP):
        strip = PixelWindow(0, top, grid.width_px, min(_STRIP, grid.height_px - top))
        _, word = product.read_reflectance(options.bands, options.resolution_m, strip)
        for maps, bit in zip(found, (Quality.S2_NODATA, Quality.S2_SATURATED), strict=True):
            maps.append(_cell_means((word & np.uint32(bit)) != 0))
    nodata, saturated = (CoarseMap(np.concatenate(maps), float(_CELL)) for maps in found)
    return nodata, saturated


def _cell_means(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Means of cells of 16 x 16 pixels ``[ceil(h / 16), ceil(w / 16)]``, the last ones padded."""
    pad = [(0, -size % _CELL) for size in mask.shape]
    whole = np.pad(mask, pad)
    cells = whole.reshape(whole.shape[0] // _CELL, _CELL, whole.shape[1] // _CELL, _CELL)
    return np.asarray(cells.mean(axis=(1, 3)), dtype=np.float32)
