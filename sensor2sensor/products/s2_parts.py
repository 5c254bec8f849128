"""Parts of one Sentinel-2 tile and datatake, received apart, read as one product.

Where a datatake is received in pieces (datastrips), a tile on the cut comes in a product for each,
with no data in the other's part. Each pixel is that of the part that has it, by that part's own
offsets; where several have it the first one counts, which is the one that an inventory names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.footprints import polygons_of, project
from sensor2sensor.products.acquisitions import same_datatake
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.sentinel2 import S2Product, open_s2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.geo.grids import Grid, PixelWindow

_NODATA = np.uint32(Quality.S2_NODATA)


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
        """As `S2Product.read_reflectance`, of the part that has data, band by band.

        In a reduced image the brightest part counts: beside its edge one fades into its no data.
        """
        first, *others = self.pieces
        values, word = first.read_reflectance(bands, resolution_m, window, overview=overview)
        for part in others:
            if not np.isnan(values).any():
                break
            more, said = part.read_reflectance(bands, resolution_m, window, overview=overview)
            word = word | said
            values = np.fmax(values, more) if overview > 1 else _filled(values, more)
        empty = np.isnan(values).any(axis=-1)
        return values, np.asarray(word & ~_NODATA | empty * _NODATA, np.uint32)

    def quality_source(self, resolution_m: int) -> str:
        """The name of the source of the clouds of each part, once where they are the same."""
        return _each([part.quality_source(resolution_m) for part in self.pieces])

    def quality_given(self, resolution_m: int) -> Quality:
        """The bits that every part can give."""
        return reduce(and_, (part.quality_given(resolution_m) for part in self.pieces))

    def _quality_on(self, target: Grid, resolution_m: int) -> tuple[npt.NDArray[np.uint32], str]:
        # A mask says nothing of another part's ground: all 0, or no data by its classification.
        words = [part._quality_on(target, resolution_m)[0] for part in self.pieces]
        known = reduce(or_, (word & ~_NODATA for word in words))
        empty = reduce(and_, (word & _NODATA for word in words))
        return np.asarray(known | empty, np.uint32), self.quality_source(resolution_m)


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


def _filled(values: npt.NDArray[np.float32], more: npt.NDArray[np.float32]) -> Any:
    return np.where(np.isnan(values), more, values)


def _each(found: Sequence[str]) -> str:
    return " + ".join(dict.fromkeys(found))
