"""Parts of one Sentinel-2 tile and datatake, received apart, read as one product.

Where a datatake is received in pieces (datastrips), a tile on the cut comes in a product for each,
with no data in the other's part. Each pixel is that of the part that has it, by that part's own
offsets and masks; where several have it the first one counts, which is the one that an inventory
names. Whether a part has a pixel its first band of that resolution says, for all bands and masks:
masks are read before bands and cannot say it. That band is read only where outlines overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import combinations
from operator import and_, methodcaller, or_
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.footprints import polygons_of, project
from sensor2sensor.products.acquisitions import same_datatake
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.s2_clouds import with_data
from sensor2sensor.products.s2_images import within
from sensor2sensor.products.sentinel2 import S2Product, open_s2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.geo.grids import Grid, PixelWindow

_NODATA = np.uint32(Quality.S2_NODATA)
_NOBODY = -1
_MASK_M = 60.0
_OUTLINE_M = 1000.0  # by which a part may reach beyond its outline, which has few corners


@dataclass(frozen=True)
class S2Parts(S2Product):
    """Products that each hold a part of one tile; made by :func:`together`.

    Facts are those of the first one (its time as the tile's, too), but for name, baseline,
    footprint and cloud fraction. Files are the parts' own: it has none.

    Attributes:
        pieces: the parts.
    """

    pieces: tuple[S2Product, ...] = field(repr=False)

    @property
    def parts(self) -> tuple[S2Product, ...]:
        """The products it is made of."""
        return self.pieces

    def missing(self, bands: Sequence[str], resolution_m: int) -> list[str]:
        """What any of the parts lacks for these bands."""
        return [
            f"{lacking} ({part.name})"
            for part in self.pieces
            for lacking in part.missing(bands, resolution_m)
        ]

    def read_reflectance(
        self,
        bands: Sequence[str],
        resolution_m: int,
        window: PixelWindow | None = None,
        *,
        overview: int = 1,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]:
        """As `S2Product.read_reflectance`, of the part that has data.

        A band that it lacks there is the next part's. In a reduced image the brightest part
        counts: beside its edge one fades into its no data.
        """
        read = methodcaller("read_reflectance", bands, resolution_m, window, overview=overview)
        if overview > 1:
            values = reduce(np.fmax, (read(part)[0] for part in self.pieces))
            return values, _nodata(values)
        grid = self.grids[resolution_m]
        place = window or grid.full_window
        target = grid.window(place.x, place.y, place.width, place.height)
        shown = self._shown(target, resolution_m, self._shared(target))
        values = np.full((*target.shape, len(bands)), np.nan, np.float32)
        word = np.zeros(target.shape, np.uint32)
        layers: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]] = []
        for number, part in enumerate(self.pieces):
            if not np.isnan(values).any():
                break
            layers.append(read(part))
            _fill(values, word, *layers[-1], (shown == number) | (shown == _NOBODY))
        for more, said in layers:
            _fill(values, word, more, said, np.ones(target.shape, np.bool_))
        return values, word & ~_NODATA | _nodata(values)

    def quality_source(self, resolution_m: int) -> str:
        """The name of the source of the clouds of each part, once where they are the same."""
        return _each([part.quality_source(resolution_m) for part in self.pieces])

    def quality_given(self, resolution_m: int) -> Quality:
        """The bits that every part can give."""
        return reduce(and_, (part.quality_given(resolution_m) for part in self.pieces))

    def _quality_on(self, target: Grid, resolution_m: int) -> tuple[npt.NDArray[np.uint32], str]:
        # A mask says nothing of another part's ground: all 0, or no data by its classification.
        words = [part._quality_on(target, resolution_m)[0] for part in self.pieces]
        word = _either(words)
        differ = reduce(or_, (one != words[0] for one in words[1:]))
        shown = self._shown(target, resolution_m, self._shared(target) & differ)
        for number, (part, own) in enumerate(zip(self.pieces, words, strict=True)):
            mine = shown == number
            silent = mine & ~_says(part, own, resolution_m, target, mine)
            others = zip(self.pieces, words, strict=True)
            heard = [
                np.where(silent & ~with_data(other, resolution_m, target, silent), theirs, _NODATA)
                for other, theirs in others
                if other is not part
            ]
            word = np.where(mine, _either([own, *heard]), word)
        return np.asarray(word, np.uint32), self.quality_source(resolution_m)

    def _shown(
        self, target: Grid, resolution_m: int, asked: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int8]:
        """Number of the part [h, w] that is the first to have a pixel, of those asked for."""
        shown = np.full(target.shape, _NOBODY, np.int8)
        for number, part in enumerate(self.pieces):
            mine = with_data(part, resolution_m, target, asked & (shown == _NOBODY))
            shown[mine] = number
        return shown

    def _shared(self, target: Grid) -> npt.NDArray[np.bool_]:
        """Where several parts may have a pixel [h, w]."""
        return within(self._overlaps, target)

    @cached_property
    def _overlaps(self) -> list[Any]:
        """Ground of two parts, in the tile's metres."""
        crs = f"EPSG:{next(iter(self.grids.values())).epsg}"
        grounds = [project(part.footprint, crs).buffer(_OUTLINE_M) for part in self.pieces]
        return [one.intersection(other) for one, other in combinations(grounds, 2)]


def open_parts(paths: Sequence[Path]) -> S2Product:
    """Open a product, or the parts of one tile and datatake as one.

    Raises:
        ProductError: as `open_s2` and :func:`together`.
    """
    return together([open_s2(path) for path in paths])


def together(parts: Sequence[S2Product]) -> S2Product:
    """Parts of one tile and datatake as one product; a single one is that itself.

    Raises:
        ProductError: they are of another acquisition, level or grid.
    """
    first, *others = parts
    for one in others:
        if not same_datatake(one, first) or one.level != first.level:
            what = f"is of another acquisition or level than {first.name}: no part of it"
        elif one.grids != first.grids:
            what = f"has another grid than {first.name}: no part of it"
        else:
            continue
        raise ProductError(what, where=one.name, hint="repeat step 20")
    if not others:
        return first
    facts = {
        "name": " + ".join(part.name for part in parts),
        "baseline": _each([part.baseline for part in parts]),
        "footprint": footprint_of([part.footprint for part in parts]),
        "cloud_fraction": mean_cloud(
            [(part.cloud_fraction, part.footprint) for part in parts],
            next(iter(first.grids.values())).epsg,
        ),
        "warnings": tuple(text for part in parts for text in part.warnings),
        # Whoever asks it for a file would get one of the first part alone.
        "files": cast("ProductFiles", None),
    }
    return S2Parts(**vars(replace(first, **facts)), pieces=tuple(parts))


def footprint_of(footprints: Sequence[Any]) -> Any:
    """All of the parts, longitude and latitude."""
    from shapely.geometry import MultiPolygon

    return MultiPolygon([polygon for one in footprints for polygon in polygons_of(one)])


def mean_cloud(parts: Sequence[tuple[float | None, Any]], epsg: int) -> float | None:
    """Cloud fraction of all parts by the ground each shows; None where one does not know.

    Args:
        parts: cloud fraction and footprint of each.
        epsg: of the tile's grid.
    """
    known = [(cloud, area_m2(shown, epsg)) for cloud, shown in parts if cloud is not None]
    whole = sum(area for _, area in known)
    if len(known) < len(parts) or whole <= 0.0:
        return None
    return sum(cloud * area for cloud, area in known) / whole


def area_m2(footprint: Any, epsg: int) -> float:
    """Ground that a footprint shows."""
    return float(project(footprint, f"EPSG:{epsg}").area)


def _fill(
    values: npt.NDArray[np.float32],
    word: npt.NDArray[np.uint32],
    more: npt.NDArray[np.float32],
    said: npt.NDArray[np.uint32],
    where: npt.NDArray[np.bool_],
) -> None:
    """Put a part's values, and its word with them, where there are none yet."""
    taken = np.isnan(values) & ~np.isnan(more) & where[..., None]
    values[taken] = more[taken]
    word |= np.where(taken.any(axis=-1), said, np.uint32(0))


def _nodata(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    return np.asarray(np.isnan(values).any(axis=-1) * _NODATA, np.uint32)


def _either(words: Sequence[npt.NDArray[np.uint32]]) -> npt.NDArray[np.uint32]:
    """The bits of any of the words [h, w]; no data where all say so."""
    known = reduce(or_, (one & ~_NODATA for one in words))
    return np.asarray(known | reduce(and_, words) & _NODATA, np.uint32)


def _says(
    part: S2Product,
    word: npt.NDArray[np.uint32],
    resolution_m: int,
    target: Grid,
    asked: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Where a part's mask says something of its pixels [h, w]: at the cut its own are coarser."""
    if part.quality_source(resolution_m) == "SCL":
        return np.asarray((word & _NODATA) == 0)
    if not asked.any():
        return asked
    # Masks of Level-1C come in pixels of 60 m: one counts where the part has all of it.
    tile = part.grids[resolution_m]
    edge_px = max(1, round(_MASK_M / tile.resolution_m))
    x_m, y_m = target.xy_centres()
    step_m = edge_px * tile.resolution_m
    columns = np.floor((x_m - tile.ulx_m) / step_m).astype(np.int64)
    rows = np.floor((tile.uly_m - y_m) / step_m).astype(np.int64)
    left, top = int(columns[0]), int(rows[0])
    height, width = int(rows[-1]) - top + 1, int(columns[-1]) - left + 1
    wanted = np.zeros((height, width), np.bool_)
    down, across = np.nonzero(asked)
    wanted[rows[down] - top, columns[across] - left] = True
    pixels = wanted.repeat(edge_px, axis=0).repeat(edge_px, axis=1)
    fine = tile.window(left * edge_px, top * edge_px, *reversed(pixels.shape))
    seen = with_data(part, resolution_m, fine, pixels)
    whole = np.all(seen.reshape(height, edge_px, width, edge_px), axis=(1, 3))
    return np.asarray(whole[(rows - top)[:, None], (columns - left)[None, :]])


def _each(found: Sequence[str]) -> str:
    return " + ".join(dict.fromkeys(found))
