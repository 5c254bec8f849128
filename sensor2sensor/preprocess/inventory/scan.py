"""What an archive holds for an inventory: products found, checked and reduced to what is listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.core.times import format_utc, parse_utc, utc_from
from sensor2sensor.preprocess.inventory.pairing import Acquisition, Sighting, acquisition_of

if TYPE_CHECKING:
    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.geo.grids import Grid
    from sensor2sensor.products.sentinel2 import S2Product
    from sensor2sensor.products.sentinel3 import S3Product

_P = TypeVar("_P", "S2Product", "S3Product")
Period = tuple[datetime, datetime]


@dataclass(frozen=True)
class Scan:
    """One archive.

    `sightings` are the usable products, `footprints` (longitude and latitude) and `facts` stand by
    relative path, `epsg` by the path of a Sentinel-2 product, `failures` are (path, reason). `seen`
    counts the products of the tile, or of the type, that are there, usable or not, `periods` are
    the sensing periods of the Sentinel-3 ones, `unusable` those of the ones that failed, and `grid`
    is the tile's.
    """

    sightings: list[Sighting] = field(default_factory=list)
    footprints: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    epsg: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    level: str | None = None
    seen: int = 0
    periods: list[Period] = field(default_factory=list)
    unusable: list[Period] = field(default_factory=list)
    grid: Grid | None = None


def scan_sentinel2(
    root: Path,
    tile: str,
    level: str | None,
    bands: Sequence[str],
    resolution_m: int,
    *,
    verify: bool,
    workers: int,
) -> Scan:
    """The Sentinel-2 products of a tile that are complete for these bands.

    Args:
        root: The archive.
        tile: For example `T17XNA`.
        level: `L1C` or `L2A`; None takes the only one there is.
        bands: Bands whose files must be there.
        resolution_m: At which resolution.
        verify: Also compare the files these bands need with the product's checksums.
        workers: Processes.

    Raises:
        InputError: Nothing of this tile is there, or two levels are and none was asked for.
    """
    from sensor2sensor.products.discovery import find_s2

    found, damaged = find_s2(root, tile)
    if not found and not damaged:
        hint = "step 10 lists the tile codes of the archive"
        raise InputError(f"no Sentinel-2 product of tile {tile}", where=root, hint=hint)
    level = one_level([product.level for product in found], tile, level)
    of_level = [product for product in found if product.level == level]
    check = partial(check_sentinel2, bands=tuple(bands), resolution_m=resolution_m, verify=verify)
    usable, bad = _usable(of_level, check, root, workers, "checking Sentinel-2")
    found_here = _scan(root, usable, level, _s2_facts, verify)
    found_here.failures.extend([*_named(damaged, root), *bad])
    grids = {relative(p.path, root): next(iter(p.grids.values())) for p in usable}
    found_here.epsg.update({path: grid.epsg for path, grid in grids.items()})
    grid = next(iter(grids.values()), None)
    return replace(found_here, seen=len(of_level) + len(damaged), grid=grid)


def scan_sentinel3(
    root: Path,
    between: tuple[datetime, datetime] | None,
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
    from sensor2sensor.products.sentinel3 import period_in

    found, damaged = find_s3(root)
    of_type = [one for one in found if one.product_type.rstrip("_") == f"OL_1_{s3_type}"]
    near = [
        one
        for one in of_type
        if between is not None and one.start <= between[1] and one.stop >= between[0]
    ]
    check = partial(check_sentinel3, verify=verify)
    usable, bad = _usable(near, check, root, workers, "checking Sentinel-3")
    times, untimed = _times_over(usable, grid, root, workers)
    timed = [one for one in usable if one.path not in untimed]
    scan = _scan(root, timed, None, partial(_s3_facts, times=times), verify)
    scan.failures.extend([*_named(damaged, root), *bad])
    scan.failures.extend((relative(path, root), reason) for path, reason in untimed.items())
    broken = {path for path, _ in scan.failures}
    periods: dict[bool, list[Period]] = {True: [], False: []}
    for one in of_type:
        periods[relative(one.path, root) not in broken].append((one.start, one.stop))
    # What cannot be opened tells its time by its name.
    named = (period_in(Path(one.item).name, s3_type) for one in damaged)
    whole, lost = periods[True], [*periods[False], *filter(None, named)]
    return replace(scan, seen=len(whole) + len(lost), periods=whole, unusable=lost)


def _times_over(
    products: Sequence[S3Product], grid: Grid | None, root: Path, workers: int
) -> tuple[dict[Path, datetime], dict[Path, str]]:
    """When each product that lies over the tile saw its middle, and what cannot be read, why."""
    from sensor2sensor.geo.footprints import overlap_fraction, unproject

    if grid is None:
        return {}, {}
    outline = unproject(grid.polygon(), grid.epsg)
    middle = unproject(grid.polygon().centroid, grid.epsg)
    over = [one for one in products if overlap_fraction(outline, one.footprint, grid.epsg) > 0.0]
    read = partial(time_over, lonlat=(middle.x, middle.y))
    paths = [one.path for one in over]
    done = parallel_map(read, paths, workers=workers, label=str, desc="timing Sentinel-3")
    times: dict[Path, datetime] = {}
    untimed: dict[Path, str] = {}
    for path, time in done:
        if isinstance(time, Failure):
            untimed[path] = time.reason
        else:
            times[path] = time
    return times, untimed


def time_over(path: Path, *, lonlat: tuple[float, float]) -> datetime:
    """When a Sentinel-3 product's row nearest to a position was sensed.

    The row is that of the nearest tie point: rows bend by less than one between two of them.
    """
    import numpy as np

    from sensor2sensor.geo.footprints import unit_vectors
    from sensor2sensor.products.sentinel3 import open_s3

    product = open_s3(path)
    with product.open() as reader:
        lat, lon, row_step, _ = reader.tie_geolocation()
        point = unit_vectors(np.asarray(lonlat[0]), np.asarray(lonlat[1]))
        towards = unit_vectors(lon, lat) @ point
        if not np.isfinite(towards).any():
            raise ProductError("no tie point has a position", where=product.name)
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
    path: Path, *, bands: Sequence[str], resolution_m: int, verify: bool
) -> list[str]:
    """What is wrong with a product, as far as these bands need it."""
    from sensor2sensor.products.sentinel2 import MANIFEST, open_s2

    product = open_s2(path)
    lacking = [f"missing {item}" for item in product.missing(bands, resolution_m)]
    if lacking:
        others = [str(other) for other in product.resolutions if not product.missing(bands, other)]
        return [*lacking, f"--resolution {' or '.join(others)} has them"] if others else lacking
    members = product.members_for(bands, resolution_m)
    broken = wrong_sizes(product.files, MANIFEST, members)
    return broken if broken or not verify else product.verify(members)


def check_sentinel3(path: Path, *, verify: bool) -> list[str]:
    """What is wrong with a product."""
    from sensor2sensor.products.sentinel3 import MANIFEST, open_s3

    product = open_s3(path)
    lacking = [f"missing {item}" for item in product.missing()]
    if lacking:
        return lacking
    members = product.members_in_use()
    broken = wrong_sizes(product.files, MANIFEST, members)
    return broken if broken or not verify else product.verify(members)


def wrong_sizes(files: ProductFiles, manifest: str, members: Sequence[str]) -> list[str]:
    """Files that are empty, or not as long as the product's own manifest says: cut short."""
    from sensor2sensor.products.reading import read_xml

    listed: dict[str, str] = {}  # by name in one case, which some tools write all names in
    if files.exists(manifest):
        for stream in read_xml(files, manifest).descendants("byteStream"):
            location = stream.find("fileLocation")
            if location is not None and "size" in stream.attributes:
                name = location.attributes.get("href", "").removeprefix("./")
                listed[name.casefold()] = stream.attributes["size"]
    problems = []
    for member in members:
        size = files.size(member)
        if size == 0:
            problems.append(f"{member} is empty")
        elif str(size) != (wanted := listed.get(member.casefold(), str(size))):
            problems.append(f"{member} has {size} bytes instead of {wanted}")
    return problems


def relative(path: Path, root: Path) -> str:
    """The path as it stands in the inventory: below the archive root, with forward slashes."""
    return path.relative_to(root).as_posix()


def _usable(
    products: Sequence[_P],
    check: Callable[[Path], list[str]],
    root: Path,
    workers: int,
    desc: str,
) -> tuple[list[_P], list[tuple[str, str]]]:
    by_path = {product.path: product for product in products}
    usable: list[_P] = []
    failures: list[tuple[str, str]] = []
    done = parallel_map(check, list(by_path), workers=workers, label=str, desc=desc)
    for path, problems in done:
        if isinstance(problems, Failure):
            failures.append((relative(path, root), problems.reason))
        elif problems:
            failures.append((relative(path, root), "; ".join(problems)))
        else:
            usable.append(by_path[path])
    return usable, failures


def _scan(
    root: Path,
    usable: Sequence[_P],
    level: str | None,
    facts_of: Callable[[_P, str], Mapping[str, Any]],
    verify: bool,
) -> Scan:
    from sensor2sensor.products.acquisitions import acquisitions

    scan = Scan(level=level)
    groups = acquisitions(usable, level=level)
    for group, part in zip(groups, _parts(groups), strict=True):
        for product in group:
            path = relative(product.path, root)
            facts = {
                **facts_of(product, part),
                "checksums": "verified" if verify else "not checked",
            }
            what, start = acquisition_of(facts["acquisition"]), parse_utc(facts["sensing_start"])
            time, newest = parse_utc(facts["time"]), product is group[0]
            scan.sightings.append(Sighting(path, product.name, what, start, newest, time))
            scan.footprints[path] = product.footprint
            scan.facts[path] = facts
    return scan


def _parts(groups: Sequence[Sequence[S2Product | S3Product]]) -> list[str]:
    """What tells the acquisitions of one tile and datatake apart: the start of their datastrip.

    It is the same whichever of the group's products are there. Two parts of one datastrip, which
    no ground segment makes, are numbered.
    """
    parts: list[str] = []
    taken: set[tuple[object, str]] = set()
    for group in groups:
        first = min((str(getattr(product, "datastrip", "")) for product in group), default="")
        part, number = first, 1
        while (group[0].acquisition, part) in taken:
            number += 1
            part = f"{first}#{number}"
        taken.add((group[0].acquisition, part))
        parts.append(part)
    return parts


def _s2_facts(product: S2Product, part: str) -> dict[str, Any]:
    platform, start, tile = product.acquisition
    return {
        "name": product.name,
        "acquisition": Acquisition(platform, tile, start, start, part).noted(),
        "sensing_start": format_utc(product.sensing_start),
        "time": format_utc(product.tile_time),
        "level": product.level,
        "platform": product.platform,
        "baseline": product.baseline,
        "cloud_fraction": product.cloud_fraction,
    }


def _s3_facts(product: S3Product, part: str, *, times: Mapping[Path, datetime]) -> dict[str, Any]:
    platform, _, product_type = product.acquisition
    return {
        "name": product.name,
        "acquisition": Acquisition(platform, product_type, product.start, product.stop).noted(),
        "sensing_start": format_utc(product.start),
        "time": format_utc(times.get(product.path, product.start)),
        "timeliness": product.timeliness,
        "collection": product.collection,
    }


def _named(damaged: Sequence[Failure[Path]], root: Path) -> list[tuple[str, str]]:
    return [(relative(Path(failure.item), root), failure.reason) for failure in damaged]
