"""A mask of clouds from a file of its own, in place of the one that a product has or lacks.

The file is a raster of any resolution in the tile's projection. A pixel is cloudy where its first
band is above a limit: 0 for masks of 0 and 1, a probability otherwise. Where the raster has no data
or does not reach, nothing says that it is clear: it counts as cloudy, too. A 0 that a file declares
to be no data is clear all the same: masks of 0 and 1 are often written so. Where the product has no
data itself nothing is cloudy, whatever the mask says.
"""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.archives import FolderFiles
from sensor2sensor.core.containers import (
    bare_name,
    is_metadata,
    is_open_product,
    is_product_name,
)
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.manifest import file_fingerprint
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.products.quality import CLOUD, Quality
from sensor2sensor.products.reading import naming_damage
from sensor2sensor.products.s2_images import open_raster, read_nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.products.sentinel2 import S2Product

NAME = "{name}"
_MIN_STEM = 8  # a folder called 0, as buckets have them, names nothing beside it


@dataclass(frozen=True)
class CloudMask:
    """A raster of clouds.

    Attributes:
        files: where it lies: in the product, or in a folder.
        member: its name there.
        above: a pixel is cloudy where its value is larger.
    """

    files: ProductFiles
    member: str
    above: float

    @property
    def source(self) -> str:
        """What provenance says of it: `X_CLD.tif > 40`."""
        return f"{self.member.rpartition('/')[2]} > {self.above:g}"

    def marks(self) -> dict[str, int] | None:
        """Its cheap identity; None within an archive, whose own covers it."""
        path = self.files.local_path(self.member)
        return None if path is None else dict(file_fingerprint(path))

    def cloudy(self, target: Grid) -> npt.NDArray[np.bool_]:
        """Where it says cloud, or nothing, at the pixel centres of a grid [h, w].

        Raises:
            ProductError: it is damaged, or in another projection.
        """
        where = self.files.where(self.member)
        try:
            with (
                naming_damage(self.files, self.member),
                open_raster(self.files, self.member) as source,
            ):
                return _cloudy(source, target, self.above, where)
        except ProductError as error:  # it may be no raster at all, which no download mends
            hint = "see whether --cloud-mask names what it should"
            raise ProductError(error.what, where=error.where, hint=hint) from error


def _cloudy(source: Any, target: Grid, above: float, where: str) -> npt.NDArray[np.bool_]:
    from rasterio.windows import Window

    code = source.crs.to_epsg() if source.crs else None
    if code != target.epsg:
        said = f"EPSG:{code}" if code else "no coordinates"
        raise ProductError(f"mask has {said}, its tile EPSG:{target.epsg}", where=where)
    step_x, across, ulx, down, step_y, uly = source.transform[:6]
    if across or down or step_x <= 0 or step_y >= 0:
        raise ProductError("mask is on no north-up grid", where=where)
    x_m, y_m = target.xy_centres()
    columns = np.floor((x_m - ulx) / step_x).astype(np.int64)
    rows = np.floor((y_m - uly) / step_y).astype(np.int64)
    window = PixelWindow(
        int(columns[0]), int(rows[0]), int(columns[-1] - columns[0]) + 1,
        int(rows[-1] - rows[0]) + 1,
    )  # fmt: skip
    inside = window.clipped(source.width, source.height)
    found = np.ones((window.height, window.width), np.bool_)
    if inside is not None:
        place = Window(inside.x, inside.y, inside.width, inside.height)
        values = source.read(1, window=place)
        top, left = inside.y - window.y, inside.x - window.x
        # A comparison with NaN is false: what is not known to be at most the limit is cloudy.
        clear = values <= above
        if source.nodata != 0:
            clear &= source.read_masks(1, window=place) != 0
        found[top : top + inside.height, left : left + inside.width] = ~clear
    return np.asarray(found[(rows - rows[0])[:, None], (columns - columns[0])[None, :]])


def with_mask(
    product: S2Product, word: npt.NDArray[np.uint32], resolution_m: int, target: Grid
) -> npt.NDArray[np.uint32]:
    """Quality bits [h, w] with the clouds of a product's mask, where it has one, in their place."""
    if product.cloud_mask is None:
        return word
    # Outside of what was seen a mask has no data either, and no data is no cloud.
    cloudy = with_data(product, resolution_m, target, product.cloud_mask.cloudy(target))
    clouds = cloudy * np.uint32(Quality.S2_CLOUD)
    return np.asarray((word & ~np.uint32(CLOUD)) | clouds, np.uint32)


def no_cloud_without_data(word: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Quality bits [h, w] without the clouds of a mask where the classification has no data."""
    empty = (word & np.uint32(Quality.S2_NODATA)) != 0
    return np.asarray(word & ~(empty * np.uint32(CLOUD)), np.uint32)


def with_data(
    product: S2Product, resolution_m: int, target: Grid, asked: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Which of the pixels asked for [h, w] have data, by the numbers of the product's first band.

    It is read around those pixels alone. A product without any band is taken to have them all.
    """
    member = first_image(product, resolution_m)
    if member is None or not asked.any():
        return asked
    rows, columns = (np.flatnonzero(asked.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) - top + 1, int(columns[-1]) - left + 1
    around = target.window(left, top, width, height)
    (numbers,) = read_nearest(product.files, member, product.grids[resolution_m], around)
    found = asked.copy()
    found[top : top + height, left : left + width] &= numbers != product.nodata
    return found


def first_image(product: S2Product, resolution_m: int) -> str | None:
    """The member that tells where a product has data: its first band that is there."""
    # Where there is none of this resolution a coarse one does: it is read whole for an overview.
    for size_m in (resolution_m, *reversed(product.resolutions)):
        for band in product.bands_at(size_m):
            member = product.band_member(band, size_m)
            if product.files.exists(member):
                return member
    return None


def masked(product: S2Product, pattern: str, above: float, root: Path) -> S2Product:
    """The product with the mask that a pattern finds of it; itself where there is none.

    Args:
        product: the product.
        pattern: of file names: in the product, or beside it and beginning with its name. With
            `{name}`, a path below the archive's folder, where that stands for the product's name.
        above: a pixel is cloudy where its value is larger.
        root: the archive's folder.

    Raises:
        ProductError: several files fit.
    """
    if len(product.parts) > 1:
        pieces = tuple(masked(part, pattern, above, root) for part in product.parts)
        return replace(product, pieces=pieces)  # type: ignore[call-arg]
    found = list(_found(product, pattern, root))
    if len(found) > 1:
        names = ", ".join(member for _, member in found)
        what = f"{len(found)} files fit the cloud mask {pattern!r}: {names}"
        raise ProductError(what, where=product.name, hint="give a narrower pattern")
    return replace(product, cloud_mask=CloudMask(*found[0], above)) if found else product


def _found(product: S2Product, pattern: str, root: Path) -> Iterator[tuple[ProductFiles, str]]:
    stem = product.path.name.partition(".")[0]
    names = dict.fromkeys([product.name, *([stem] if len(stem) >= _MIN_STEM else [])])
    if NAME in pattern:
        wanted = [pattern.replace(NAME, glob.escape(name)) for name in names]
        there = sorted({path for one in wanted for path in root.glob(one) if path.is_file()})
        yield from (
            (FolderFiles(one.parent), one.name) for one in _own(product, names, there, root)
        )
        return
    inside = [m for m in product.files.names() if fnmatchcase(m.rpartition("/")[2], pattern)]
    if inside:
        yield from ((product.files, member) for member in inside)
        return
    beside = product.path.parent
    there = sorted(beside.glob(pattern) if "/" not in pattern else [])
    named = [one for one in there if one.name.startswith(tuple(names)) and one.is_file()]
    for path in _own(product, names, named, beside):
        yield FolderFiles(beside), path.name


def _own(
    product: S2Product, names: Collection[str], there: Sequence[Path], root: Path
) -> list[Path]:
    """Which files below a folder bear a product's name, and not another's that begins with it."""
    below = {one: str(one.relative_to(root)) for one in there if one != product.path}
    ours = [one for one in below if _bears(below[one], names)]
    others = _longer_names(product.path.parent, names) if ours else set()
    # A zip of a mask's own name is a copy of it.
    return [one for one in ours if not _bears(below[one], others - {bare_name(one.stem)})]


def _bears(path: str, names: Iterable[str]) -> bool:
    """Whether a path has one of the names in it, and no longer word: `scene10` is not `scene1`."""
    return any(re.search(rf"{re.escape(one)}(?![A-Za-z0-9])", path) for one in names)


def _longer_names(folder: Path, names: Collection[str]) -> set[str]:
    """Products in a folder whose names begin with another's: their files are not that one's."""
    alike = (one for one in folder.iterdir() if _bears(one.name, names))
    found = {bare_name(one.name) for one in alike if is_product_name(one.name) or _is_product(one)}
    return found - set(names)


def _is_product(folder: Path) -> bool:
    content = [one.name for one in folder.iterdir()] if folder.is_dir() else []
    return any(map(is_metadata, content)) or is_open_product(content)
