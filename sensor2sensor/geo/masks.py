"""Masks drawn by hand: the polygons of a KML file as one geometry.

A mask is the union of all polygons of all folders of the file, each with its holes; the frames of
pictures that are laid on the ground are none. Anything that leaves no area (points, lines, an empty
file), a KMZ, or a position outside the globe is refused by the file's name, and so is a ring that
is not written as KML wants it: GDAL reads on over a word or a decimal comma, and what it makes of
them is another mask. Of several rings or shapes where KML has one, GDAL keeps the last: holes are
told apart for it, the rest is refused, as is whatever else GDAL reads fewer polygons of than are
drawn.
"""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core.containers import is_companion
from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.files import sha256
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.xml import Element, parse, written
from sensor2sensor.geo.drawings import project_drawing, refuse_folded, unrolled
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.grids import Grid

_KML = "http://www.opengis.net/kml/2.2"
_SHAPES = {
    "Point", "LineString", "LinearRing", "Polygon", "MultiGeometry", "Model", "Track", "MultiTrack",
}  # fmt: skip
_MAX_BYTES = 64 * 2**20
_CLOSED_DEG = 1e-6  # a decimetre: programs round the first and the last position differently
_FAR_DEG = 10.0
_LOG = logging.getLogger(__name__)


def load_mask(path: Path) -> Any:
    """Union of the polygons of a KML file.

    Args:
        path: a ``.kml`` file; heights are dropped.

    Returns:
        A shapely geometry of polygons with holes, longitude/latitude degrees. Rings are as
        drawn; what they mean, at 180 degrees east too, is decided when they are projected.

    Raises:
        InputError: the file is missing, not KML, hostile, or holds no polygon on the globe, or a
            ring that is not closed, too short, or not made of positions.
    """
    import shapely

    root = _checked(path)
    found = _geometries(_for_gdal(root), path)
    polygons = [part for geometry in found for part in _parts(geometry)]
    if (lost := _drawn(root) - len(polygons)) > 0:
        what = f"{lost} of its {_drawn(root)} polygons cannot be read"
        hint = "a polygon belongs into a placemark, its outline into outerBoundaryIs"
        raise InputError(what, where=path, hint=hint)
    if not polygons:
        raise InputError("holds no polygon", where=path, hint="draw the mask as polygons")
    for polygon in polygons:
        _check_on_globe(polygon, path)
    return shapely.MultiPolygon(polygons)


def find_masks(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """KML files of masks by name; every unknown name is reported at once, with the nearest.

    Raises:
        InputError: a name has no ``<name>.kml`` in the folder.
    """
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    # Windows tools write .KML; macOS leaves a companion beside each file on foreign disks.
    kml = [path for path in files if path.suffix.lower() == ".kml" and not is_companion(path.name)]
    known = {path.stem: path for path in kml}
    # What Google Earth saves where it is not asked for KML.
    kmz = {path.stem: path.name for path in files if path.suffix.lower() == ".kmz"}
    missing = [
        f"{name!r} ({f'{kmz[name]} is a KMZ archive' if name in kmz else suggestion(name, known)})"
        for name in names
        if name not in known
    ]
    if missing:
        hint = "give names of KML files there (save a KMZ as KML), or --masks none"
        raise InputError(f"no such mask: {', '.join(missing)}", where=folder, hint=hint)
    return {name: known[name] for name in names}


def load_masks(folder: Path, names: Sequence[str], edges: str = "parallel") -> dict[str, Any]:
    """Masks by name from ``folder``, ready for `project_mask`.

    Raises:
        InputError: as `find_masks`, or a file is unusable, or encloses nothing with such edges.
    """
    found = find_masks(folder, names)
    return {name: prepared(path, edges, say=True) for name, path in found.items()}


def prepared(path: Path, edges: str, *, say: bool = False) -> Any:
    """A mask as `project_mask` takes it.

    Args:
        path: the KML file.
        edges: how edges run, ``parallel`` or ``great-circle``.
        say: warn of rings that can be read in two ways; once a run is enough.

    Raises:
        InputError: as `load_mask`, or the mask encloses nothing with edges of this kind.
    """
    mask = load_mask(path)
    if say:
        _warn_of_swaps(mask, path)
    if edges == "parallel":
        return unrolled(mask, path, say=say)
    refuse_folded(mask, path)
    return mask


def mask_digest(path: Path) -> str:
    """What tells a mask from another: SHA-256 of the file.

    With a mark where several holes share an ``innerBoundaryIs``, and where a picture is laid on the
    ground: tiles made while only the last of them, or its frame, counted had another mask.
    """
    data = path.read_bytes()
    shared = re.search(rb"</(\w+:)?LinearRing>(\s|<!--.*?-->)*<(\w+:)?LinearRing", data, re.DOTALL)
    framed = re.search(rb"<(\w+:)?GroundOverlay\b", data)
    return sha256(path) + ", all holes" * bool(shared) + ", no frames" * bool(framed)


def project_mask(mask: Any, grid: Grid, edges: str = "parallel") -> Any:
    """A prepared mask around a scene, in the metres of its grid, overlapping polygons united.

    Args:
        mask: what `prepared` gave for the same kind of edges.
        grid: of the scene.
        edges: ``parallel`` (straight lines in degrees, as a GIS draws them) or ``great-circle``.
    """
    if edges == "parallel":
        return project_drawing(mask, grid)
    return project(mask, f"EPSG:{grid.epsg}")


def _checked(path: Path) -> Element:
    """The root of a file that is small enough, harmless XML, and KML that can mean one thing."""
    if not path.is_file():
        raise InputError("mask file not found", where=path, hint="masks are <name>.kml files")
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f"larger than {_MAX_BYTES} bytes", where=path, hint="simplify the mask")
    data = path.read_bytes()
    # A KMZ is a zip of a KML and its pictures.
    if data[:4] == b"PK\x03\x04":
        raise InputError("is a KMZ archive", where=path, hint="save it as plain KML")
    try:
        root = parse(data, path, _MAX_BYTES)
    except ProductError as error:
        raise InputError(error.what, where=path, hint="export the mask as KML again") from error
    if root.name != "kml":
        raise InputError(f"root element is {root.name}, not kml", where=path, hint="export KML")
    for number, placemark in enumerate(root.descendants("Placemark"), start=1):
        named = placemark.find("name")
        label = repr(named.text[:60]) if named is not None and named.text else str(number)
        where = f"{path}: placemark {label}"
        _check_single(placemark, where)
        for place in placemark.descendants("LinearRing"):
            _check_ring(place, where)
    return root


def _check_single(placemark: Element, where: str) -> None:
    """Refuse several shapes or outlines where KML has one: GDAL keeps the last."""
    shapes = [child for child in placemark.children() if child.name in _SHAPES]
    if any(one.name == "Polygon" or any(one.descendants("Polygon")) for one in shapes[:-1]):
        what = f"holds {len(shapes)} shapes side by side: {', '.join(one.name for one in shapes)}"
        hint = "put them into one MultiGeometry, or each into a placemark of its own"
        raise InputError(what, where=where, hint=hint)
    for polygon in placemark.descendants("Polygon"):
        if (count := len(polygon.find_all("outerBoundaryIs/LinearRing"))) > 1:
            hint = "draw each as a polygon; a hole belongs into innerBoundaryIs"
            raise InputError(f"a polygon has {count} outlines", where=where, hint=hint)


def _drawn(root: Element) -> int:
    """Polygons with an outline, or with any ring that could be meant for one."""
    drawn = (polygon.descendants("coordinates") for polygon in root.descendants("Polygon"))
    return sum(any(ring.text for ring in rings) for rings in drawn)


def _for_gdal(root: Element) -> bytes:
    """The file as GDAL reads all of it: UTF-8, no prefixes, an ``innerBoundaryIs`` for each hole.

    Google Earth writes all holes of a polygon into one, and of those GDAL keeps the last. Of a
    picture laid on the ground GDAL makes a polygon: its frame, in which masks are drawn.
    """
    try:
        apart = ("innerBoundaryIs", "LinearRing")
        return written(root, _KML, alone=apart, without=("GroundOverlay",))
    except RecursionError:
        raise InputError("nested too deeply", where=root.where, hint="export KML again") from None


def _check_ring(ring: Element, where: str) -> None:
    """Refuse a ring that is not closed, or not made of ``longitude,latitude[,height]``.

    An empty one is passed over: nothing was drawn.
    """
    if len(ring.find_all("coordinates")) > 1:
        hint = "draw a ring for each"
        raise InputError("a ring has its positions twice", where=where, hint=hint)
    written = ring.find("coordinates")
    words = re.sub(r"\s*,\s*", ",", written.text if written is not None else "").split()
    if not words:
        return
    positions = [_position(word, where) for word in words]
    first, last = positions[0], positions[-1]
    if len(positions) > 1 and math.dist(first, last) > _CLOSED_DEG:
        what = f"the ring is not closed: it begins at {words[0]} and ends at {words[-1]}"
        hint = "repeat the first position at its end"
        if len(words) > 4 and words[:2] == words[-2:] and "." not in "".join(words):
            hint = _decimal_point(",".join(words[:2]))
        elif math.dist(first, last[::-1]) <= _CLOSED_DEG:
            hint = "one of these has latitude and longitude swapped: longitude comes first"
        raise InputError(what, where=where, hint=hint)
    if len(positions) < 4:
        what = f"the ring has too few positions ({len(positions)} of 4 or more)"
        raise InputError(what, where=where, hint="a triangle has 4: its last is its first again")


def _position(word: str, where: str) -> tuple[float, float]:
    """Longitude and latitude of a word of ``coordinates``."""
    try:
        numbers = [float(part) for part in word.split(",")]
    except ValueError:
        numbers = [math.nan]
    if len(numbers) in (2, 3) and all(map(math.isfinite, numbers)):
        return numbers[0], numbers[1]
    hint = "write positions as longitude,latitude in degrees, with blanks between them"
    if len(numbers) in (4, 5, 6) and "." not in word:
        hint = _decimal_point(word)
    raise InputError(f"{word[:60]!r} is no position", where=where, hint=hint)


def _decimal_point(word: str) -> str:
    """The hint for a position whose decimals stand behind commas, like ``-81,1,72,93``."""
    whole, part, other_whole, other_part = word.split(",")[:4]
    return f"decimal commas? Write {whole}.{part},{other_whole}.{other_part}"


def _warn_of_swaps(mask: Any, path: Path) -> None:
    """Warn of vertices far from all others that lie among them once their numbers are swapped."""
    for polygon in mask.geoms:
        vertices = np.asarray(polygon.exterior.coords)[:-1, :2]
        apart = np.abs(vertices - np.median(vertices, axis=0)).max(axis=1)
        near, far = vertices[apart <= _FAR_DEG], vertices[apart > _FAR_DEG]
        if not 0 < len(far) < len(near):
            continue
        border = np.maximum(np.ptp(near, axis=0), 1.0)
        low, high = near.min(axis=0) - border, near.max(axis=0) + border
        if ((far[:, ::-1] >= low) & (far[:, ::-1] <= high)).all():
            lon, lat = far[0]
            _LOG.warning(
                "%s: the vertex %g,%g lies far from the others of its polygon, and among them as"
                " %g,%g: longitude comes first",
                *(path, lon, lat, lat, lon),
            )


def _geometries(data: bytes, path: Path) -> list[Any]:
    """Every geometry of every layer (KML folders become layers)."""
    import pyogrio.raw
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        # Not by its path: pyogrio takes what stands before a "!" for an archive. By number, for a
        # layer without a folder bears a name that is made up anew each time.
        layers = range(len(pyogrio.list_layers(data)))
        with warnings.catch_warnings():
            # Of rings whose ends differ by less than was found to be the same, or in height alone.
            warnings.filterwarnings("ignore", "Non closed ring", RuntimeWarning)
            found = [pyogrio.raw.read(data, layer=one, force_2d=True)[2] for one in layers]
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise InputError(f"cannot be read as KML ({error})", where=path) from error
    known = [wkb for layer in found for wkb in layer if wkb is not None]
    # Closes such rings; what no polygon can be (a ring by itself) becomes None.
    read = [shapely.from_wkb(wkb, on_invalid="fix") for wkb in known]
    return [geometry for geometry in read if geometry is not None]


def _parts(geometry: Any) -> list[Any]:
    """The polygons inside a geometry, however deeply collected."""
    if geometry.geom_type == "Polygon":
        return [] if geometry.is_empty else [geometry]
    return [part for item in getattr(geometry, "geoms", []) for part in _parts(item)]


def _check_on_globe(polygon: Any, path: Path) -> None:
    west, south, east, north = polygon.bounds
    if west < -360.0 or east > 360.0 or south < -90.0 or north > 90.0:
        what = f"polygon at {west:.1f} {south:.1f} lies outside longitude/latitude degrees"
        raise InputError(what, where=path, hint="KML positions are degrees, not metres")
