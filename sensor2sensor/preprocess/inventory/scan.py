"""What the archives hold for an inventory: products found, checked and timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.core.times import utc_from
from sensor2sensor.preprocess.inventory.sightings import (
    Sighting,
    grid_of,
    relative,
    sentinel2_sightings,
    sentinel3_sightings,
)

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment
    from sensor2sensor.geo.grids import Grid
    from sensor2sensor.preprocess.inventory.options import Options
    from sensor2sensor.products.sentinel2 import S2Product
    from sensor2sensor.products.sentinel3 import S3Product

_P = TypeVar("_P", "S2Product", "S3Product")
Period = tuple[datetime, datetime]


@dataclass(frozen=True)
class Scan:
    """One archive.

    Attributes:
        sightings: The usable products.
        failures: The path of each other one, and what is wrong with it.
        seen: How many products of the tile, or of the type, are there, usable or not.
        level: Of the Sentinel-2 products.
        grid: Of the tile, by the first usable Sentinel-2 product.
        periods: Sensing periods of the whole Sentinel-3 products.
        unusable: Sensing periods of the damaged ones.
    """

    sightings: list[Sighting] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    seen: int = 0
    level: str | None = None
    grid: Grid | None = None
    periods: list[Period] = field(default_factory=list)
    unusable: list[Period] = field(default_factory=list)

    @property
    def by_path(self) -> dict[str, Sighting]:
        """The usable products by path."""
        return {one.path: one for one in self.sightings}


def scan(env: Environment, options: Options, *, verify: bool, workers: int) -> tuple[Scan, Scan]:
    """Both archives; Sentinel-3's is looked at only where and when there are scenes to pair.

    Raises:
        InputError: As `scan_sentinel2`, or an archive is not set up.
    """
    s2_root = env.require("s2_root")
    s3_root = None if options.s2_only else env.require("s3_root")
    # Sentinel-2 first: its scenes say when, and its tile where, a Sentinel-3 product matters.
    s2 = scan_sentinel2(s2_root, options, verify=verify, workers=workers)
    if s3_root is None or options.window is None or options.s3_type is None:
        return s2, Scan()
    times = [scene.time for scene in s2.sightings]
    between = (min(times) - options.window, max(times) + options.window) if times else None
    s3 = scan_sentinel3(
        s3_root, between, options.s3_type, verify=verify, workers=workers, grid=s2.grid
    )
    return s2, s3


def scan_sentinel2(root: Path, options: Options, *, verify: bool, workers: int) -> Scan:
    """The Sentinel-2 products of a tile that are complete for the bands asked for.

    Args:
        root: The archive.
        options: Tile, level (None takes the only one there is), bands and resolution.
        verify: Also compare the files these bands need with the product's checksums.
        workers: Processes.

    Raises:
        InputError: Nothing of this tile is there, or two levels are and none was asked for.
    """
    from sensor2sensor.products.discovery import find_s2

    found, damaged = find_s2(root, options.tile)
    if not found and not damaged:
        hint = "step 10 lists the tile codes of the archive"
        raise InputError(f"no Sentinel-2 product of tile {options.tile}", where=root, hint=hint)
    level = one_level([product.level for product in found], options.tile, options.level)
    of_level = [product for product in found if product.level == level]
    check = partial(
        check_sentinel2, bands=options.bands, resolution_m=options.resolution_m, verify=verify
    )
    usable, bad = _usable(of_level, check, root, workers, "checking Sentinel-2")
    return Scan(
        sentinel2_sightings(usable, root, verified=verify),
        [*_named(damaged, root), *bad],
        seen=len(of_level) + len(damaged),
        level=level,
        grid=grid_of(usable[0]) if usable else None,
    )


def scan_sentinel3(
    root: Path,
    between: Period | None,
    s3_type: str,
    *,
    verify: bool,
    workers: int,
    grid: Grid | None = None,
) -> Scan:
    """The OLCI Level-1 products of S3A and S3B that were sensing within a span of time.

    Args:
        root: The archive, in YYYY/MM folders or flat.
        between: First and last moment; None counts the products and looks at none of them.
        s3_type: `EFR` (full resolution) or `ERR` (reduced).
        verify: Also compare their files with the product's checksums.
        workers: Processes.
        grid: Of the tile; a product that lies over it has the time it saw the tile's middle, every
            other one (all without a grid) its start.
    """
    from sensor2sensor.products.discovery import find_s3

    found, damaged = find_s3(root)
    of_type = [one for one in found if one.product_type == f"OL_1_{s3_type}"]
    near = [one for one in of_type if between is not None and one.sensed_within(*between)]
    check = partial(check_sentinel3, verify=verify)
    usable, bad = _usable(near, check, root, workers, "checking Sentinel-3")
    times, untimed = _times_over(usable, grid, workers)
    timed = [one for one in usable if one.path not in untimed]
    failures = [*_named(damaged, root), *bad]
    failures += [(relative(path, root), reason) for path, reason in untimed.items()]
    whole, lost = _periods(of_type, damaged, {path for path, _ in failures}, root, s3_type)
    sightings = sentinel3_sightings(timed, root, times, verified=verify)
    seen = len(whole) + len(lost)
    return Scan(sightings, failures, seen=seen, periods=whole, unusable=lost)


def _periods(
    of_type: Sequence[S3Product],
    damaged: Sequence[Failure[Path]],
    broken: set[str],
    root: Path,
    s3_type: str,
) -> tuple[list[Period], list[Period]]:
    """Sensing periods of the whole products, and of those that cannot be used."""
    from sensor2sensor.products.sentinel3 import period_in

    periods: dict[bool, list[Period]] = {True: [], False: []}
    for one in of_type:
        periods[relative(one.path, root) not in broken].append((one.start, one.stop))
    # What cannot be opened tells its time by its name.
    named = (period_in(Path(one.item).name, s3_type) for one in damaged)
    return periods[True], [*periods[False], *filter(None, named)]


def _times_over(
    products: Sequence[S3Product], grid: Grid | None, workers: int
) -> tuple[dict[Path, datetime], dict[Path, str]]:
    """When each product that lies over the tile saw its middle, and what cannot be read, why."""
    from sensor2sensor.geo.footprints import overlap_fraction, unproject

    if grid is None:
        return {}, {}
    outline = unproject(grid.polygon(), grid.epsg)
    middle = unproject(grid.polygon().centroid, grid.epsg)
    # Rows are read where they matter alone: a frame elsewhere shares no ground with the tile.
    over = [one for one in products if overlap_fraction(outline, one.footprint, grid.epsg) > 0.0]
    read = partial(time_over, lonlat=(middle.x, middle.y))
    done = parallel_map(read, over, workers=workers, label=_label, desc="timing Sentinel-3")
    times: dict[Path, datetime] = {}
    untimed: dict[Path, str] = {}
    for product, time in done:
        if isinstance(time, Failure):
            untimed[product.path] = time.reason
        else:
            times[product.path] = time
    return times, untimed


def time_over(product: S3Product, *, lonlat: tuple[float, float]) -> datetime:
    """When a Sentinel-3 product's row nearest to a position was sensed."""
    import numpy as np

    from sensor2sensor.geo.footprints import unit_vectors

    with product.open() as reader:
        lat, lon, row_step, _ = reader.tie_geolocation()
        point = unit_vectors(np.asarray(lonlat[0]), np.asarray(lonlat[1]))
        # Cosines of the angles: the largest is nearest, over the pole and at 180 degrees east too.
        towards = unit_vectors(lon, lat) @ point
        if not np.isfinite(towards).any():
            raise ProductError("no tie point has a position", where=product.name)
        # The row of the nearest tie point: rows bend by less than one between two of them, and one
        # takes 44 ms.
        tie_row = int(np.nanargmax(towards)) // towards.shape[1]
        row = min(tie_row * row_step, product.rows - 1)
        return utc_from(product.row_times(reader, slice(row, row + 1))[0])


def one_level(found: Sequence[str], tile: str, asked: str | None) -> str | None:
    """The level to list; levels are never mixed.

    Raises:
        InputError: Both are in the archive and none was asked for, or the one asked for is not.
    """
    counts = {level: found.count(level) for level in sorted(set(found))}
    if asked is None and len(counts) > 1:
        both = " and ".join(f"{count} {level}" for level, count in counts.items())
        hint = " or ".join(f"--level {level}" for level in counts)
        raise InputError(f"tile {tile} has {both} products", hint=f"give {hint}")
    if asked is not None and counts and asked not in counts:
        there = ", ".join(f"{count} {level}" for level, count in counts.items())
        raise InputError(f"tile {tile} has no {asked} product", hint=f"there are {there}")
    return asked if asked is not None or not counts else next(iter(counts))


def check_sentinel2(
    product: S2Product, *, bands: Sequence[str], resolution_m: int, verify: bool
) -> list[str]:
    """What is wrong with a product, as far as these bands need it."""
    from sensor2sensor.products.s2_coding import moved_back

    lacking = [f"missing {item}" for item in product.missing(bands, resolution_m)]
    if lacking:
        others = [str(other) for other in product.resolutions if not product.missing(bands, other)]
        return [*lacking, f"--resolution {' or '.join(others)} has them"] if others else lacking
    # Sizes first: a checksum reads the file whole.
    members = product.members_for(bands, resolution_m)
    broken = product.cut_short(members)
    if not broken and (doubt := moved_back(product, bands, resolution_m)):
        broken = [doubt]
    return broken if broken or not verify else product.verify(members)


def check_sentinel3(product: S3Product, *, verify: bool) -> list[str]:
    """What is wrong with a product."""
    lacking = [f"missing {item}" for item in product.missing()]
    if lacking:
        return lacking
    members = product.members_in_use()
    broken = product.cut_short(members)
    return broken if broken or not verify else product.verify(members)


def _usable(
    products: Sequence[_P],
    check: Callable[[_P], list[str]],
    root: Path,
    workers: int,
    desc: str,
) -> tuple[list[_P], list[tuple[str, str]]]:
    usable: list[_P] = []
    failures: list[tuple[str, str]] = []
    for product, problems in parallel_map(
        check, products, workers=workers, label=_label, desc=desc
    ):
        if isinstance(problems, Failure):
            failures.append((relative(product.path, root), problems.reason))
        elif problems:
            failures.append((relative(product.path, root), "; ".join(problems)))
        else:
            usable.append(product)
    return usable, failures


def _label(product: S2Product | S3Product) -> str:
    return str(product.path)


def _named(damaged: Sequence[Failure[Path]], root: Path) -> list[tuple[str, str]]:
    return [(relative(Path(failure.item), root), failure.reason) for failure in damaged]
