"""Products as an inventory knows them: where they lie, what they show, when they saw the tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.paths import below
from sensor2sensor.core.times import format_utc, parse_utc
from sensor2sensor.products.acquisitions import (
    Acquisition,
    acquisition_of,
    acquisitions,
    parts_of,
    s2_rank,
)

if TYPE_CHECKING:
    from sensor2sensor.geo.grids import Grid
    from sensor2sensor.products.sentinel2 import S2Product
    from sensor2sensor.products.sentinel3 import S3Product

VERIFIED = "verified"


@dataclass(frozen=True)
class Sighting:
    """A usable product of the archive.

    Attributes:
        path: Below the archive root.
        name: Of the product, by content.
        acquisition: What it shows.
        start: Sensing start.
        newest: Whether it is the one to take of its acquisition.
        over_tile: When it saw the tile; None where only its start is known.
        facts: What the manifest notes of it.
        footprint: Longitude and latitude.
        epsg: System of a Sentinel-2 product; None for the other sensor.
        sees_tile: Whether a Sentinel-3 product lies over the tile.
        columns: Of its image.
        joined: Paths of the products that belong to it: see `joining`.
        rank: Of a Sentinel-2 product, the better the larger: see `acquisitions.s2_rank`.
    """

    path: str
    name: str
    acquisition: Acquisition
    start: datetime
    newest: bool = True
    over_tile: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    footprint: Any = field(default=None, repr=False, compare=False)
    epsg: int | None = field(default=None, repr=False, compare=False)
    sees_tile: bool = False
    columns: int | None = field(default=None, repr=False, compare=False)
    joined: tuple[str, ...] = ()
    rank: tuple[Any, ...] = field(default=(), repr=False, compare=False)

    @property
    def paths(self) -> frozenset[str]:
        """Its own and those of the products that belong to it."""
        return frozenset([self.path, *self.joined])

    @property
    def verified(self) -> bool:
        """Whether its checksums were compared."""
        return bool(self.facts["checksums"] == VERIFIED)

    @property
    def time(self) -> datetime:
        """When the ground of the tile was seen."""
        return self.over_tile or self.start


def sentinel2_sightings(
    products: Sequence[S2Product], root: Path, *, verified: bool
) -> list[Sighting]:
    """Usable products, by acquisition; `verified` says whether their checksums were compared."""
    # Of each acquisition the one to take comes first.
    groups = acquisitions(products)
    return [
        _sighting(
            product,
            root,
            _s2_facts(product, part),
            newest=product is group[0],
            verified=verified and product.has_checksums,
            epsg=grid_of(product).epsg,
            rank=s2_rank(product),
        )
        for group, part in zip(groups, parts_of(groups), strict=True)
        for product in group
    ]


def sentinel3_sightings(
    products: Sequence[S3Product], root: Path, times: Mapping[Path, datetime], *, verified: bool
) -> list[Sighting]:
    """Usable products, by acquisition; `times` says when those over the tile saw it."""
    return [
        _sighting(
            product,
            root,
            _s3_facts(product, times),
            newest=product is group[0],
            verified=verified,
            sees_tile=product.path in times,
            columns=product.columns,
        )
        for group in acquisitions(products)
        for product in group
    ]


def relative(path: Path, root: Path) -> str:
    """The path as it stands in the inventory: below the archive root, with forward slashes."""
    return below(path, root)


def grid_of(product: S2Product) -> Grid:
    """The finest grid of a tile."""
    return next(iter(product.grids.values()))


def _sighting(
    product: S2Product | S3Product,
    root: Path,
    noted: dict[str, Any],
    *,
    newest: bool,
    verified: bool,
    epsg: int | None = None,
    sees_tile: bool = False,
    columns: int | None = None,
    rank: tuple[object, ...] = (),
) -> Sighting:
    facts = {**noted, "checksums": VERIFIED if verified else "not checked"}
    return Sighting(
        relative(product.path, root),
        product.name,
        # By its note, to the millisecond: so it equals the one an earlier run noted.
        acquisition_of(facts["acquisition"]),
        parse_utc(facts["sensing_start"]),
        newest,
        parse_utc(facts["time"]),
        facts,
        product.footprint,
        epsg,
        sees_tile,
        columns,
        rank=rank,
    )


def _s2_facts(product: S2Product, part: str) -> dict[str, Any]:
    platform, start, tile = product.acquisition
    # Names of the ground segment say when a product was made, those of items do not.
    made = {"generation_time": format_utc(product.generation_time)}
    return {
        "name": product.name,
        "acquisition": Acquisition(platform, tile, start, start, part).noted(),
        "sensing_start": format_utc(product.sensing_start),
        # A datatake starts minutes before it comes to the tile.
        "time": format_utc(product.tile_time),
        "level": product.level,
        "platform": product.platform,
        "baseline": product.baseline,
        "cloud_fraction": product.cloud_fraction,
        **(made if product.layout == "COG" else {}),
    }


def _s3_facts(product: S3Product, times: Mapping[Path, datetime]) -> dict[str, Any]:
    platform, _, product_type = product.acquisition
    return {
        "name": product.name,
        "acquisition": Acquisition(platform, product_type, product.start, product.stop).noted(),
        "sensing_start": format_utc(product.start),
        # A frame takes three minutes: its start is up to that early over the tile.
        "time": format_utc(times.get(product.path, product.start)),
        "timeliness": product.timeliness,
        "collection": product.collection,
        "relative_orbit": product.relative_orbit,
    }
