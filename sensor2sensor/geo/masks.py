"""Masks drawn by hand: the polygons of a KML file as one geometry.

A mask is the union of all polygons of all folders of the file, each with its holes. Anything
that leaves no area (points, lines, an empty file), a KMZ, or a position outside the globe is
refused by the file's name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.xml import parse
from sensor2sensor.geo.footprints import project

_MAX_BYTES = 64 * 2**20


def load_mask(path: Path) -> Any:
    """Union of the polygons of a KML file.

    Args:
        path: a ``.kml`` file; heights are dropped.

    Returns:
        A shapely geometry of polygons with holes, longitude/latitude degrees. Rings are as
        drawn, so one that crosses 180 degrees east is mended when it is projected
        (`sensor2sensor.geo.footprints.project`).

    Raises:
        InputError: the file is missing, not KML, hostile, or holds no polygon on the globe.
    """
    import shapely

    polygons = [part for geometry in _geometries(_checked(path), path) for part in _parts(geometry)]
    if not polygons:
        raise InputError("holds no polygon", where=path, hint="draw the mask as polygons")
    for polygon in polygons:
        _check_on_globe(polygon, path)
    return shapely.MultiPolygon(polygons)


def load_masks(folder: Path, names: list[str]) -> dict[str, Any]:
    """Masks by name from ``folder``; every unknown name is reported at once.

    Raises:
        InputError: a name has no ``<name>.kml`` in the folder, or a file is unusable.
    """
    known = {path.stem for path in folder.glob("*.kml")}
    missing = [f"{name!r} ({suggestion(name, known)})" for name in names if name not in known]
    if missing:
        hint = "give names of KML files there, or --masks none"
        raise InputError(f"no such mask: {', '.join(missing)}", where=folder, hint=hint)
    return {name: load_mask(folder / f"{name}.kml") for name in names}


def project_mask(mask: Any, epsg: int) -> Any:
    """A mask in the metres of a UTM zone, overlapping polygons united."""
    return project(mask, f"EPSG:{epsg}")


def _checked(path: Path) -> bytes:
    """The content of a file that is small enough, and harmless XML with a KML root."""
    if not path.is_file():
        raise InputError("mask file not found", where=path, hint="masks are <name>.kml files")
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f"larger than {_MAX_BYTES} bytes", where=path, hint="simplify the mask")
    data = path.read_bytes()
    if data[:4] == b"PK\x03\x04":
        raise InputError("is a KMZ archive", where=path, hint="save it as plain KML")
    try:
        root = parse(data, path, _MAX_BYTES)
    except ProductError as error:
        raise InputError(error.what, where=path, hint="export the mask as KML again") from error
    if root.name != "kml":
        raise InputError(f"root element is {root.name}, not kml", where=path, hint="export KML")
    return data


def _geometries(data: bytes, path: Path) -> list[Any]:
    """Every geometry of every layer (KML folders become layers)."""
    import pyogrio.raw
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        # Not by its path: pyogrio takes what stands before a "!" for an archive. By number, for a
        # layer without a folder bears a name that is made up anew each time.
        layers = range(len(pyogrio.list_layers(data)))
        found = [pyogrio.raw.read(data, layer=one, force_2d=True)[2] for one in layers]
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise InputError(f"cannot be read as KML ({error})", where=path) from error
    return [shapely.from_wkb(wkb) for layer in found for wkb in layer if wkb is not None]


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
