"""What an archive holds for an inventory: products found, checked and reduced to what is listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.core.times import format_utc, parse_utc
from sensor2sensor.preprocess.pairing import Acquisition, Sighting, acquisition_of

if TYPE_CHECKING:
    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.products.sentinel2 import S2Product
    from sensor2sensor.products.sentinel3 import S3Product

_P = TypeVar("_P", "S2Product", "S3Product")


@dataclass(frozen=True)
class Scan:
    """One archive.

    `sightings` are the usable products, `footprints` (longitude and latitude) and `facts` stand by
    relative path, `epsg` by the path of a Sentinel-2 product, `failures` are (path, reason).
    """

    sightings: list[Sighting] = field(default_factory=list)
    footprints: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    epsg: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    level: str | None = None


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
    scan = _scan(root, usable, level, _s2_facts, verify)
    scan.failures.extend([*_named(damaged, root), *bad])
    scan.epsg.update({relative(p.path, root): next(iter(p.grids.values())).epsg for p in usable})
    return scan


def scan_sentinel3(
    root: Path,
    between: tuple[datetime, datetime],
    s3_type: str,
    *,
    verify: bool,
    workers: int,
) -> Scan:
    """The OLCI Level-1 products of S3A and S3B that began within a span of time.

    Args:
        root: The archive, in YYYY/MM folders or flat.
        between: First and last start.
        s3_type: `EFR` (full resolution) or `ERR` (reduced).
        verify: Also compare their files with the product's checksums.
        workers: Processes.
    """
    from sensor2sensor.products.discovery import find_s3

    found, damaged = find_s3(root, between)
    of_type = [
        product
        for product in found
        if product.product_type.rstrip("_") == f"OL_1_{s3_type}"
        and between[0] <= product.start <= between[1]
    ]
    check = partial(check_sentinel3, verify=verify)
    usable, bad = _usable(of_type, check, root, workers, "checking Sentinel-3")
    scan = _scan(root, usable, None, _s3_facts, verify)
    scan.failures.extend([*_named(damaged, root), *bad])
    return scan


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
        return lacking
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
    members = product.members_for()
    broken = wrong_sizes(product.files, MANIFEST, members)
    return broken if broken or not verify else product.verify(members)


def wrong_sizes(files: ProductFiles, manifest: str, members: Sequence[str]) -> list[str]:
    """Files that are empty, or not as long as the product's own manifest says: cut short."""
    from sensor2sensor.products.reading import read_xml

    listed: dict[str, str] = {}
    if files.exists(manifest):
        for stream in read_xml(files, manifest).descendants("byteStream"):
            location = stream.find("fileLocation")
            if location is not None and "size" in stream.attributes:
                name = location.attributes.get("href", "").removeprefix("./")
                listed[name] = stream.attributes["size"]
    problems = []
    for member in members:
        size = files.size(member)
        if size == 0:
            problems.append(f"{member} is empty")
        elif str(size) != listed.get(member, str(size)):
            problems.append(f"{member} has {size} bytes instead of {listed[member]}")
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
    facts_of: Callable[[_P], Mapping[str, Any]],
    verify: bool,
) -> Scan:
    from sensor2sensor.products.discovery import newest_per_acquisition

    newest = {product.path for product in newest_per_acquisition(usable, level=level)}
    scan = Scan(level=level)
    for product in usable:
        path = relative(product.path, root)
        facts = {**facts_of(product), "checksums": "verified" if verify else "not checked"}
        what, start = acquisition_of(facts["acquisition"]), parse_utc(facts["sensing_start"])
        scan.sightings.append(Sighting(path, product.name, what, start, product.path in newest))
        scan.footprints[path] = product.footprint
        scan.facts[path] = facts
    return scan


def _s2_facts(product: S2Product) -> dict[str, Any]:
    platform, start, tile = product.acquisition
    return {
        "name": product.name,
        "acquisition": Acquisition(platform, tile, start, start).noted(),
        "sensing_start": format_utc(product.sensing_start),
        "level": product.level,
        "baseline": product.baseline,
        "cloud_fraction": product.cloud_fraction,
    }


def _s3_facts(product: S3Product) -> dict[str, Any]:
    platform, _, product_type = product.acquisition
    return {
        "name": product.name,
        "acquisition": Acquisition(platform, product_type, product.start, product.stop).noted(),
        "sensing_start": format_utc(product.start),
        "timeliness": product.timeliness,
        "collection": product.collection,
    }


def _named(damaged: Sequence[Failure[Path]], root: Path) -> list[tuple[str, str]]:
    return [(relative(Path(failure.item), root), failure.reason) for failure in damaged]
