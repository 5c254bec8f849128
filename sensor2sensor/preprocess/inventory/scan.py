"""What the archives hold for an inventory: products found, checked and timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sensor2sensor.core.errors import InputError, ProductError
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
    from sensor2sensor.core.parallel import Failure
    from sensor2sensor.geo.grids import Grid
    from sensor2sensor.preprocess.inventory.options import Options
    from sensor2sensor.products.discovery import Seen
    from sensor2sensor.products.sentinel2 import S2Product
    from sensor2sensor.products.sentinel3 import S3Product

_P = TypeVar("_P", "S2Product", "S3Product")
FRAME = timedelta(seconds=190)  # a frame of Sentinel-3 takes three minutes
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


@dataclass(frozen=True)
class How:
    """How archives are looked through.

    Attributes:
        verify: Whether files are compared with the products' checksums.
        workers: Processes.
        memory: The folder `_inventory`, where what is found is known to the next run; or None.
        keep: Whether this run writes there.
    """

    verify: bool = False
    workers: int = 1
    memory: Path | None = None
    keep: bool = True


def scan(
    env: Environment, options: Options, *, verify: bool, workers: int, keep: bool = True
) -> tuple[Scan, Scan]:
    """Both archives; Sentinel-3's is looked at only where and when there are scenes to pair.

    Args:
        env: Machine settings.
        options: What is listed.
        verify: Also compare files with the products' checksums.
        workers: Processes.
        keep: Whether what is found is written down for the next run.

    Raises:
        InputError: As `scan_sentinel2`, or an archive is not set up.
    """
    s2_root = env.require("s2_root")
    s3_root = None if options.s2_only else env.require("s3_root")
    how = How(verify, workers, env.inventory_dir, keep)
    # Sentinel-2 first: its scenes say when, and its tile where, a Sentinel-3 product matters.
    s2 = scan_sentinel2(s2_root, options, how)
    if s3_root is None or options.window is None or options.s3_type is None:
        return s2, Scan()
    times = [scene.time for scene in s2.sightings]
    # Which frame goes on in one at the window's edge must not hang on what other scenes there are.
    reach = options.window + FRAME
    between = (min(times) - reach, max(times) + reach) if times else None
    return s2, scan_sentinel3(s3_root, between, options.s3_type, how, grid=s2.grid)


def scan_sentinel2(root: Path, options: Options, how: How) -> Scan:
    """The Sentinel-2 products of a tile that are complete for the bands asked for.

    Args:
        root: The archive.
        options: Tile, level (None takes the only one there is), bands and resolution.
        how: It is looked through.

    Raises:
        InputError: Nothing of this tile is there, or two levels are and none was asked for.
    """
    from sensor2sensor.products.discovery import find
    from sensor2sensor.products.examination import Closer, Search

    bands, resolution_m = options.bands, options.resolution_m
    check = Closer(
        f"check {','.join(bands)} {resolution_m}",
        partial(_of_level, level=options.level),
        partial(
            _checked,
            partial(check_sentinel2, bands=bands, resolution_m=resolution_m, verify=how.verify),
        ),
        kept=not how.verify,
    )
    search = Search(root, "S2", options.tile, (check,))
    found, damaged = find(search, workers=how.workers, memory=how.memory, keep=how.keep)
    if not found and not damaged:
        hint = "step 10 lists the tile codes of the archive"
        raise InputError(f"no Sentinel-2 product of tile {options.tile}", where=root, hint=hint)
    level = one_level([one.product.level for one in found], options.tile, options.level)
    of_level = [one for one in found if one.product.level == level]
    usable, bad = _usable(of_level, check.name, root)
    return Scan(
        sentinel2_sightings(usable, root, verified=how.verify),
        [*_named(damaged, root), *bad],
        seen=len(of_level) + len(damaged),
        level=level,
        grid=grid_of(usable[0]) if usable else None,
    )


def scan_sentinel3(
    root: Path, between: Period | None, s3_type: str, how: How, *, grid: Grid | None = None
) -> Scan:
    """The OLCI Level-1 products of S3A and S3B that were sensing within a span of time.

    Args:
        root: The archive, in YYYY/MM folders or flat.
        between: First and last moment; None counts the products and looks at none of them.
        s3_type: `EFR` (full resolution) or `ERR` (reduced).
        how: It is looked through.
        grid: Of the tile; a product that lies over it has the time it saw the tile's middle, every
            other one (all without a grid) its start.
    """
    from sensor2sensor.products.discovery import find
    from sensor2sensor.products.examination import Closer, Search

    near = partial(_near, between=between, product_type=f"OL_1_{s3_type}")
    check = Closer(
        "check",
        near,
        partial(_checked, partial(check_sentinel3, verify=how.verify)),
        kept=not how.verify,
    )
    over = [] if grid is None else [Closer(f"time {grid}", near, partial(_timed, grid=grid))]
    search = Search(root, "S3", None, (check, *over))
    found, damaged = find(search, workers=how.workers, memory=how.memory, keep=how.keep)
    of_type = [one for one in found if one.product.product_type == f"OL_1_{s3_type}"]
    checked = [one for one in of_type if near(one.product)]
    usable, bad = _usable(checked, check.name, root)
    times, untimed = _times_over(checked, [one.name for one in over], root)
    gone = {path for path, _ in untimed}
    timed = [one for one in usable if relative(one.path, root) not in gone]
    failures = [*_named(damaged, root), *bad, *untimed]
    products = [one.product for one in of_type]
    whole, lost = _periods(products, damaged, {path for path, _ in failures}, root, s3_type)
    sightings = sentinel3_sightings(timed, root, times, verified=how.verify)
    seen = len(whole) + len(lost)
    return Scan(sightings, failures, seen=seen, periods=whole, unusable=lost)


def _of_level(product: S2Product, *, level: str | None) -> bool:
    return level in (None, product.level)


def _near(product: S3Product, *, between: Period | None, product_type: str) -> bool:
    if between is None or product.product_type != product_type:
        return False
    return product.sensed_within(*between)


def _checked(check: Callable[[_P], list[str]], product: _P) -> tuple[bool, str | None]:
    problems = check(product)
    return not problems, "; ".join(problems) or None


def _timed(product: S3Product, *, grid: Grid) -> tuple[bool, str | None]:
    """When a product saw the middle of the tile; None where it does not lie over it."""
    from sensor2sensor.geo.footprints import overlap_fraction

    outline, middle = _outline(grid)
    # Rows are read where they matter alone: a frame elsewhere shares no ground with the tile.
    if overlap_fraction(outline, product.footprint) <= 0.0:
        return True, None
    return True, time_over(product, lonlat=middle).isoformat()


@lru_cache(maxsize=1)
def _outline(grid: Grid) -> tuple[Any, tuple[float, float]]:
    """A tile in degrees, and the longitude and latitude of its middle."""
    from sensor2sensor.geo.footprints import unproject

    middle = unproject(grid.polygon().centroid, grid.epsg)
    return unproject(grid.polygon(), grid.epsg), (middle.x, middle.y)


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
    found: Sequence[Seen[S3Product]], names: Sequence[str], root: Path
) -> tuple[dict[Path, datetime], list[tuple[str, str]]]:
    """When each product that lies over the tile saw its middle, and what cannot be read, why."""
    times: dict[Path, datetime] = {}
    untimed: list[tuple[str, str]] = []
    for one in found:
        for sound, word in (one.looks[name] for name in names if name in one.looks):
            if not sound:
                untimed.append((relative(one.product.path, root), str(word)))
            elif word is not None:
                times[one.product.path] = datetime.fromisoformat(word)
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
    """What is wrong with a product, as far as these bands need it.

    Raises:
        ProductError: an image of an open bucket cannot be opened, or lies elsewhere.
    """
    from sensor2sensor.products.s2_coding import moved_back, warn_moved_up
    from sensor2sensor.products.s2_images import require_grid

    lacking = [f"missing {item}" for item in product.missing(bands, resolution_m)]
    if lacking:
        others = [str(other) for other in product.resolutions if not product.missing(bands, other)]
        return [*lacking, f"--resolution {' or '.join(others)} has them"] if others else lacking
    # Sizes first: a checksum reads the file whole.
    members = product.members_for(bands, resolution_m)
    broken = product.cut_short(members)
    if not broken and product.layout != "SAFE":  # whose XML lists its images
        for (_, size), name in product.images.items():
            if name in members:
                require_grid(product.files, name, product.grids[size])
    if not broken and (doubt := moved_back(product, bands, resolution_m)):
        broken = [doubt]
    if not broken:
        warn_moved_up(product)
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
    found: Sequence[Seen[_P]], check: str, root: Path
) -> tuple[list[_P], list[tuple[str, str]]]:
    """The products that a check found sound, and what is wrong with each other one."""
    usable = [one.product for one in found if one.looks[check][0]]
    failures = [
        (relative(one.product.path, root), str(one.looks[check][1]))
        for one in found
        if not one.looks[check][0]
    ]
    return usable, failures


def _named(damaged: Sequence[Failure[Path]], root: Path) -> list[tuple[str, str]]:
    return [(relative(Path(failure.item), root), failure.reason) for failure in damaged]
