"""Where tiles of a scene may lie: seeded positions, and a cheap screen before anything is read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.geo.footprints import covered_share
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.preprocess.tiles.options import TileOptions
from sensor2sensor.products.olci import OlciSwath
from sensor2sensor.products.quality import CLOUD, Quality
from sensor2sensor.products.sentinel2 import S2Product

MAX_DRAWS = 20_000
FOOTPRINT_SHARE = 0.95  # least share of a tile inside each product's footprint
MASK_SHARE = 0.8  # of a tile inside one mask
OLCI_SHARE = 0.95  # least share of a tile with a valid OLCI pixel
_BITS = {"nodata": Quality.S2_NODATA, "saturated": Quality.S2_SATURATED, "cloud": CLOUD}
# Tiles rejected after their mask, their bands or their OLCI pixels were read, before the whole
# scene's are: bands are as many blocks as a fifth of a scene has, a mask of a whole scene takes
# seconds, and so does the search for OLCI pixels.
VAIN_READS = {"mask": 200, "bands": 24, "olci": 24}
_CELL = 16
_STRIP = 1024  # rows of one JPEG 2000 block of a 10 m image: each block is decoded once


def positions(
    grid: Grid, options: TileOptions, draw_key: str, scene: int
) -> Iterator[tuple[int, int]]:
    """Columns and rows of the upper-left pixel of candidate tiles, none twice.

    The order depends on the seed, the key of the inventory and the scene alone. Random positions
    reach the last row and column; where there are more than 20 000, that many are drawn.
    """
    columns = grid.width_px - options.tile_px + 1
    rows = grid.height_px - options.tile_px + 1
    if columns < 1 or rows < 1:
        return iter(())
    # A stream for each scene: what is selected beside it, and in which order, moves no tile of it.
    generator = rng(options.seed, Purpose.DRAW_TILES, draw_key, scene)
    step = options.tile_px if options.grid else 1
    return _shuffled(generator, range(0, columns, step), range(0, rows, step), options.grid)


def _shuffled(
    generator: np.random.Generator, columns: range, rows: range, everything: bool
) -> Iterator[tuple[int, int]]:
    total = len(columns) * len(rows)
    if everything:
        order = generator.permutation(total)
    elif total <= 50 * MAX_DRAWS:  # draws with replacement would repeat too many of so few
        order = generator.permutation(total)[:MAX_DRAWS]
    else:
        # A permutation of a hundred million positions would take a gigabyte: draw with replacement,
        # and of equal numbers keep the first where it was drawn.
        draws = generator.integers(0, total, size=2 * MAX_DRAWS)
        _, first = np.unique(draws, return_index=True)
        order = draws[np.sort(first)][:MAX_DRAWS]
    for number in order:
        row, column = divmod(int(number), len(columns))
        yield columns[column], rows[row]


class Favoured:
    """Places in an order in which those inside some masks come as many times as often.

    Each place has its turn in the order given and is taken with a chance of ``times / most``; those
    that were not come when all have had their turn. So until then places compete as their times
    say, none is lost, and none comes twice.

    Args:
        places: columns and rows of tiles.
        times: how many times as often as elsewhere a place is to be tried, at least 1.
        most: the largest of these.
        generator: of the chances: one is drawn for every place, whatever the masks are.

    Attributes:
        late: share of those not taken in their turn that came by now; 1 once there is none left.
    """

    def __init__(
        self,
        places: Iterable[tuple[int, int]],
        times: Callable[[int, int], float],
        most: float,
        generator: np.random.Generator,
    ) -> None:
        self._places, self._times, self._most = places, times, most
        self._generator = generator
        self.late = 0.0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        waiting = []
        for x, y in self._places:
            chance = self._generator.random() * self._most
            # Asked only where it decides: a mask may have a hundred thousand corners.
            if chance < 1.0 or chance < self._times(x, y):
                yield x, y
            else:
                waiting.append((x, y))
        for number, place in enumerate(waiting, start=1):
            self.late = number / len(waiting)
            yield place
        self.late = 1.0

    def weight(self, x: int, y: int) -> float:
        """How many times as likely as elsewhere a place there has come by now.

        One of ``times`` t came in its turn with a chance of t / most, late with that of ``late``.
        """
        times, late = self._times(x, y), self.late
        return round((times + (self._most - times) * late) / (1.0 + (self._most - 1.0) * late), 6)


@dataclass
class CoarseMap:
    """A small raster over the whole scene that bounds the share of any tile from below.

    Attributes:
        share: share of each of its cells in which the condition holds ``[h, w]``.
        pixel: width of a cell in target pixels.
    """

    share: NDArray[np.float32]
    pixel: float

    def at_least(self, x: int, y: int, size: int) -> float:
        """The share of a tile that the cells wholly inside it make up."""
        part = self.share[self._inside(y, size), self._inside(x, size)]
        return float(part.sum(dtype=np.float64)) * (self.pixel / size) ** 2

    def _inside(self, start: int, size: int) -> slice:
        # Rounding must not cost a cell that ends just where the tile does.
        first = int(np.ceil(start / self.pixel - 1e-9))
        return slice(first, max(first, int(np.floor((start + size) / self.pixel + 1e-9))))


@dataclass
class Screen:
    """Judges positions of a scene, by what costs least first; what rejects is always exact.

    A reduced image says nothing about no data or saturation: its samples are low-pass filtered and
    clamped, so beside a bright edge a valid sea reads 0. A coarser mask is another opinion. So a
    tile goes by the footprints, by its own pixels of the product's mask, and by its own pixels of
    the bands; after many in vain, every pixel of the scene is looked at once.

    Attributes:
        product: the scene.
        options: the limits.
        footprints: projected footprints by the reason a tile outside them is rejected for.
        masks: projected masks.
        vain: tiles rejected after their mask or their bands were read.
        exact: once every pixel of the mask or of the bands was read, maps by reason of rejection.
        swath: gives the OLCI pixels over the scene; None where there are none.
        favoured: the order of its places, once asked for; None where all are alike.
    """

    product: S2Product
    options: TileOptions
    footprints: dict[str, Any]
    masks: list[Any] = field(default_factory=list)
    vain: Counter[str] = field(default_factory=Counter)
    exact: dict[str, list[tuple[str, CoarseMap]]] = field(default_factory=dict)
    swath: Callable[[], OlciSwath] | None = None
    favoured: Favoured | None = None

    def reason(self, x: int, y: int) -> str | None:
        """Why a tile there cannot be, from what is known of the scene, or None."""
        outline = self._outline(x, y)
        for name, footprint in self.footprints.items():
            if covered_share(outline, footprint) < FOOTPRINT_SHARE:
                return name
        # In one order, whichever was read first: a draw that goes on names the same reasons.
        for what in VAIN_READS:
            for name, known in self.exact.get(what, ()):
                # Sums of float32 means: a share that is the limit itself must pass.
                if known.at_least(x, y, self.options.tile_px) > self._limits[name] + 1e-9:
                    return name
        return None

    def mask_reason(self, word: NDArray[np.uint32]) -> str | None:
        """Why the product's mask of a tile rules it out, or None: no image was decoded yet."""
        return self._judged("mask", word, ("nodata", "cloud"))

    def data_reason(self, word: NDArray[np.uint32]) -> str | None:
        """Why the pixels of a tile rule it out, or None."""
        return self._judged("bands", word, ("nodata", "saturated"))

    def no_olci(self) -> None:
        """Count a tile that was read in vain; one read ahead is none in a draw that goes on."""
        if "olci" not in self.exact:
            self._count("olci")

    def inside_mask(self, x: int, y: int) -> bool | None:
        """Whether one mask covers 80 % of the tile; None where no masks were given."""
        if not self.options.masks:
            return None
        outline = self._outline(x, y)
        return any(covered_share(outline, mask) >= MASK_SHARE for mask in self.masks)

    def times(self, x: int, y: int) -> float:
        """How many times as often as elsewhere a tile there is tried: most of the masks it is in.

        Only with ``oversample``.
        """
        outline, named = self._outline(x, y), zip(self.options.masks, self.masks, strict=True)
        return max(
            (
                self.options.oversample[name]
                for name, mask in named
                if name in self.options.oversample
                # Of a mask that is prepared this is quick, and most places lie outside.
                and mask.intersects(outline)
                and covered_share(outline, mask) >= MASK_SHARE
            ),
            default=1.0,
        )

    def ordered(self, draw_key: str, scene: int) -> Iterator[tuple[int, int]]:
        """The places of the scene in the order in which they are tried."""
        import shapely

        grid, options = self.product.grids[self.options.resolution_m], self.options
        places = positions(grid, options, draw_key, scene)
        if not options.oversample:
            return places
        shapely.prepare(self.masks)
        # A stream of its own: with and without, the order of equal places is the same.
        generator = rng(options.seed, Purpose.DRAW_TILES, draw_key, scene, "oversample")
        most = max(options.oversample.values())
        self.favoured = Favoured(places, self.times, most, generator)
        return iter(self.favoured)

    def _outline(self, x: int, y: int) -> Any:
        size = self.options.tile_px
        return self.product.grids[self.options.resolution_m].window(x, y, size, size).polygon()

    @property
    def _limits(self) -> dict[str, float]:
        most, clouds = self.options.max_nodata, self.options.max_cloud
        return {"nodata": most, "saturated": most, "cloud": clouds, "no OLCI": 1.0 - OLCI_SHARE}

    def _judged(self, what: str, word: NDArray[np.uint32], names: tuple[str, ...]) -> str | None:
        for name in names:
            if _share(word, _BITS[name]) > self._limits[name]:
                self._count(what)
                return name
        return None

    def _count(self, what: str) -> None:
        self.vain[what] += 1
        if self.vain[what] == VAIN_READS[what]:
            self.look_at_all(what)

    def recall(self, vain: Mapping[str, int]) -> None:
        """Go on from where so many tiles had been read in vain."""
        self.vain.update(vain)
        for what, count in vain.items():
            if count >= VAIN_READS[what]:
                self.look_at_all(what)

    def look_at_all(self, what: str) -> None:
        """Read the mask or the bands of the whole scene, and know every pixel from then on."""
        if what == "olci":
            grid = self.product.grids[self.options.resolution_m]
            self.exact[what] = [] if self.swath is None else olci_maps(self.swath(), grid)
            return
        read = {"mask": mask_maps, "bands": band_maps}[what]
        self.exact[what] = read(self.product, self.options)


def _share(word: NDArray[np.uint32], bits: Quality) -> float:
    return float(((word & np.uint32(bits)) != 0).mean())


def mask_maps(product: S2Product, options: TileOptions) -> list[tuple[str, CoarseMap]]:
    """Where the product's own mask says no data and cloud, from every pixel of it."""

    def word(strip: PixelWindow) -> NDArray[np.uint32]:
        return product.read_quality(options.resolution_m, strip)[0]

    return _maps(product, options, word, ("nodata", "cloud"))


def band_maps(product: S2Product, options: TileOptions) -> list[tuple[str, CoarseMap]]:
    """Where the scene has no data and where it is saturated, from every pixel of its bands.

    Costs one reading of the whole bands; worth it where many draws fail on them.
    """

    def word(strip: PixelWindow) -> NDArray[np.uint32]:
        return product.read_reflectance(options.bands, options.resolution_m, strip)[1]

    return _maps(product, options, word, ("nodata", "saturated"))


def olci_maps(swath: OlciSwath, grid: Grid) -> list[tuple[str, CoarseMap]]:
    """Where no pixel of a scene can get a valid OLCI pixel, from every pixel of the swath.

    A cell counts where the nearest valid pixel is farther from any point of it than the nearest
    one that is not: each of its points takes one of these, whatever the search radius.
    """
    from scipy.spatial import cKDTree

    height, width = (-(-edge // _CELL) for edge in grid.shape)
    step_m = _CELL * grid.resolution_m
    x = grid.ulx_m + (np.arange(width) + 0.5) * step_m
    y = grid.uly_m - (np.arange(height) + 0.5) * step_m
    places = np.stack(np.meshgrid(x, y), axis=-1)
    known = np.isfinite(swath.xy_m).all(axis=-1)
    found = [swath.xy_m[known & which] for which in (swath.valid, ~swath.valid)]
    valid_m, other_m = (
        cKDTree(xy_m).query(places)[0] if len(xy_m) else np.full((height, width), np.inf)
        for xy_m in found
    )
    # Half a diagonal on either side; a hundredth for the plane, in which distances are measured.
    never = 0.99 * valid_m > 1.01 * other_m + math.sqrt(2.0) * step_m
    return [("no OLCI", CoarseMap(never.astype(np.float32), float(_CELL)))]


def _maps(
    product: S2Product,
    options: TileOptions,
    read: Callable[[PixelWindow], NDArray[np.uint32]],
    names: tuple[str, ...],
) -> list[tuple[str, CoarseMap]]:
    grid = product.grids[options.resolution_m]
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for top in range(0, grid.height_px, _STRIP):
        word = read(PixelWindow(0, top, grid.width_px, min(_STRIP, grid.height_px - top)))
        for name, maps in found.items():
            maps.append(_cell_means((word & np.uint32(_BITS[name])) != 0))
    return [(name, CoarseMap(np.concatenate(maps), float(_CELL))) for name, maps in found.items()]


def _cell_means(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Means of cells of 16 x 16 pixels ``[ceil(h / 16), ceil(w / 16)]``, the last ones padded."""
    # Padding counts as clear: it can only lower a bound from below.
    pad = [(0, -size % _CELL) for size in mask.shape]
    whole = np.pad(mask, pad)
    cells = whole.reshape(whole.shape[0] // _CELL, _CELL, whole.shape[1] // _CELL, _CELL)
    return np.asarray(cells.mean(axis=(1, 3)), dtype=np.float32)
