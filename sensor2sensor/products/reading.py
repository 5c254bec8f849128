"""What both product readers share: named damage, footprints, and the checksums of manifests."""

from __future__ import annotations

import hashlib
import sys
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import xml
from sensor2sensor.core.archives import ProductFiles, safe_name
from sensor2sensor.core.errors import InputError, ProductError, WithheldError, withheld
from sensor2sensor.core.geodata import lacking_driver, suspicion
from sensor2sensor.core.times import parse_utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

# SHA3-256 in products of the ground segment, MD5 in Sentinel-3 and in reprocessed archive copies.
_ALGORITHMS = {"SHA3-256": "sha3_256", "SHA-256": "sha256", "SHA256": "sha256", "MD5": "md5"}
_DAMAGE = (OSError, RuntimeError, ValueError, KeyError, IndexError, EOFError, zlib.error)
YEARS = range(2000, 2100)


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a manifest says of one file: algorithm as written there, and lower-case hex digits."""

    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as a manifest lists it: its name, and what it says of its size and checksum."""

    name: str
    size: str | None
    checksum: Checksum | None


@contextmanager
def naming_damage(files: ProductFiles, name: str) -> Iterator[None]:
    """Turn what the raster and netCDF libraries raise on damaged files into a ProductError.

    Damaged is only what can be opened by its real name: a missing right, a hanging share or a lock
    that is not granted is none of the file's faults, and fetching it again would mend nothing.
    """
    try:
        yield
    except ProductError:
        raise
    except _DAMAGE as error:
        where = files.where(name)
        if (beyond := withheld(error, where)) is not None:
            raise beyond from error
        if cause := suspicion(error):
            raise ProductError(f"no coordinate system ({error}){cause}", where=where) from error
        if way_out := lacking_driver(error, name):
            what = "cannot be read, GDAL has no driver for JPEG 2000"
            raise WithheldError(what, where=where, hint=way_out) from error
        for _ in files.chunks(name, 1):  # ProductError where it cannot be opened at all
            break
        raise ProductError(
            f"unreadable ({type(error).__name__}: {error})",
            where=where,
            hint="the file is damaged or truncated; fetch the product again",
        ) from error


def read_xml(files: ProductFiles, name: str, max_bytes: int = xml.MAX_BYTES) -> xml.Element:
    """The root element of one XML file of a product."""
    return xml.parse(files.read(name, max_bytes), files.where(name), max_bytes)


def product_name(root: xml.Element, path: str, suffix: str) -> str:
    """The product's name in an element, without its suffix; fit to be part of a file name."""
    text = root.string(path)
    if not text.isprintable() or text.startswith(".") or set(text) & set("/\\:"):
        raise ProductError(f"element {path} is {text!r}, no name of a product", where=root.where)
    return text.removesuffix(suffix)


def time_at(root: xml.Element, path: str) -> datetime:
    """The UTC time in an element; ProductError names it when it is none of a Sentinel's."""
    return sentinel_time(root.string(path), f"element {path}", root.where)


def sentinel_time(text: str, key: str, where: str) -> datetime:
    """The UTC time in a text; ProductError names its key when it is none of a Sentinel's."""
    try:
        time = parse_utc(text)
    except InputError as error:
        raise ProductError(f"{key} is {text!r}, not a time", where=where) from error
    # 0001-01-01 and 9999-12-31 stand for "unknown"; a window around them leaves the calendar.
    if time.year not in YEARS:
        raise ProductError(f"{key} is {text!r}, no time of a Sentinel", where=where)
    return time


def footprint_from(elements: Sequence[xml.Element], path: str, where: str) -> Any:
    """A shapely polygon in longitude and latitude from lists of `lat lon lat lon ...`.

    Vertices stay as the product gives them: rings that cross the antimeridian or hold a pole are
    the business of `sensor2sensor.geo.footprints`.
    """
    from shapely.geometry import MultiPolygon

    polygons = [_ring(element, path) for element in elements]
    if not polygons:
        raise ProductError(f"element {path} is missing", where=where)
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


def _ring(element: xml.Element, path: str) -> Any:
    from shapely.geometry import Polygon

    values = element.numbers(path)
    # Both sensors write latitude before longitude.
    points = list(zip(values[1::2], values[0::2], strict=False))
    if len(values) % 2 or len(set(points)) < 3:
        raise ProductError(f"element {path} holds no polygon", where=element.where)
    # Longitudes may run on beyond 180, where a ring crosses it.
    if any(abs(lon) > 360.0 or abs(lat) > 90.0 for lon, lat in points):
        raise ProductError(f"element {path} has an impossible latitude", where=element.where)
    return Polygon(points)


def listed_files(root: xml.Element) -> tuple[ListedFile, ...]:
    """The files of the `byteStream` elements of a SAFE or SEN3 manifest, in their order."""
    found = []
    for stream in root.descendants("byteStream"):
        location, checksum = stream.find("fileLocation"), stream.find("checksum")
        if location is None:
            continue
        # Thousands of products list the same names: each is kept once.
        name = sys.intern(location.attributes.get("href", "").removeprefix("./"))
        digest = None
        if checksum is not None:
            algorithm = sys.intern(checksum.attributes.get("checksumName", ""))
            digest = Checksum(algorithm, checksum.text.lower())
        found.append(ListedFile(name, stream.attributes.get("size"), digest))
    return tuple(found)


def checksums_of(listed: Sequence[ListedFile], where: str) -> dict[str, Checksum]:
    """Checksum by file name; ProductError where a name leaves the product."""
    return {safe_name(one.name, where): one.checksum for one in listed if one.checksum is not None}


def wrong_sizes(
    files: ProductFiles, listed: Sequence[ListedFile], members: Sequence[str]
) -> list[str]:
    """Files that are empty, or not as long as the product's own manifest says: cut short."""
    # Some tools write every name in one case.
    wanted = {one.name.casefold(): one.size for one in listed if one.size is not None}
    problems = []
    for member in members:
        size = files.size(member)
        if size == 0:
            problems.append(f"{member} is empty")
        elif str(size) != (stated := wanted.get(member.casefold(), str(size))):
            problems.append(f"{member} has {size} bytes instead of {stated}")
    return problems


def verify_checksums(
    files: ProductFiles, listed: Mapping[str, Checksum], members: Sequence[str] | None
) -> list[str]:
    """Compare files with the checksums of their manifest; a line for each problem.

    Args:
        files: the product's files.
        listed: what `checksums_of` gave.
        members: the files to check; None checks every listed file that is there.
    """
    names = [name for name in listed if files.exists(name)] if members is None else members
    # Some tools write every name in one case.
    by_case = {name.casefold(): found for name, found in listed.items()}
    problems = []
    for name in names:
        checksum = listed.get(name) or by_case.get(name.casefold())
        if problem := _checksum_problem(files, name, checksum):
            problems.append(f"{files.where(name)}: {problem}")
    return problems


def verify_listed(
    files: ProductFiles, listed: Sequence[ListedFile], members: Sequence[str] | None
) -> list[str]:
    """As `verify_checksums`, of the files alone that have one listed: open buckets give few."""
    here = checksums_of(listed, str(files.path))
    wanted = [one for one in here if files.exists(one) and (members is None or one in members)]
    return verify_checksums(files, here, wanted)


def _checksum_problem(files: ProductFiles, name: str, listed: Checksum | None) -> str | None:
    if listed is None:
        return "the manifest gives no checksum"
    library_name = _ALGORITHMS.get(listed.algorithm.upper())
    if library_name is None:
        return f"checksum of unknown kind {listed.algorithm!r}"
    # MD5 tells damage here, not malice.
    digest = hashlib.new(library_name, usedforsecurity=False)
    try:
        for piece in files.chunks(name):
            digest.update(piece)
    except WithheldError:
        raise
    except ProductError as error:
        return error.what
    if digest.hexdigest() != listed.digest:
        return f"{listed.algorithm} differs from the manifest's: damaged or altered"
    return None


def geojson_polygon(geometry: object, where: str) -> Any:
    """A polygon of GeoJSON, in two dimensions; ProductError where it is none."""
    import shapely
    from shapely.geometry import shape

    try:
        found = shapely.force_2d(shape(geometry))
    except Exception as error:  # of whatever kind: shapely trusts what it is given
        raise ProductError("geometry is no polygon", where=where) from error
    if found.geom_type not in ("Polygon", "MultiPolygon") or found.is_empty:
        raise ProductError(f"geometry is {found.geom_type}, no polygon", where=where)
    if not found.area > 0.0:
        raise ProductError("geometry has no area", where=where)
    return found


def finite_number(value: object, key: str, where: str) -> float:
    """A number of a JSON file; ProductError names the key that holds anything else."""
    sound = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared as it is: an integer may be larger than any float.
    if not sound or not abs(value) < 1e12:  # type: ignore[arg-type]
        raise ProductError(f"{key} is {value!r:.60}, not a number", where=where)
    return float(value)  # type: ignore[arg-type]


class Said:
    """Values of a JSON object by key, of the type they must have."""

    def __init__(self, given: Mapping[str, Any], where: str) -> None:
        self.given, self.where = given, where

    def text(self, key: str) -> str | None:
        """A text that is not empty; None where the key is absent."""
        value = self.given.get(key)
        if value is None or (isinstance(value, str) and value):
            return value
        raise ProductError(f"{key} is {value!r}, not a text", where=self.where)

    def first_text(self, keys: tuple[str, ...]) -> str | None:
        """The text of the first key that is there."""
        return next(filter(None, map(self.text, keys)), None)

    def first_flag(self, keys: tuple[str, ...]) -> bool | None:
        """True or false by the first key that is there."""
        for key in keys:
            value = self.given.get(key)
            if isinstance(value, bool):
                return value
            if value is not None:
                raise ProductError(f"{key} is {value!r}, not true or false", where=self.where)
        return None

    def number(self, key: str) -> float | None:
        """A finite number; None where the key is absent."""
        value = self.given.get(key)
        return None if value is None else finite_number(value, key, self.where)

    def time(self, key: str) -> datetime:
        """A UTC time of a Sentinel, which must be there."""
        text = self.text(key)
        if text is None:
            raise ProductError(f"{key} is missing", where=self.where)
        return sentinel_time(text, key, self.where)
