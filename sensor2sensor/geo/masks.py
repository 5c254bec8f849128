"""Masks drawn by hand: the polygons of a KML file as one geometry.

A mask is the union of all polygons of all folders of the file, each with its holes. Anything
that leaves no area (points, lines, an empty file), a KMZ, or a position outside the globe is
refused by the file's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.core.containers import is_companion
from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.xml import parse
from sensor2sensor.geo.drawings import project_drawing, refuse_folded, unrolled
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.grids import Grid

_MAX_BYTES = 64 * 2**20


def load_mask(path: Path) -> Any:
    """Union of the polygons of a KML file.

    Args:
        path: a ``.kml`` file; heights are dropped.

    Returns:
        A shapely geometry of polygons with holes, longitude/latitude degrees. Rings are as
        drawn; what they mean, at 180 degrees east too, is decided when they are projected.

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


def find_masks(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """KML files of masks by name; every unknown name is reported at once, with the nearest.

    Raises:
        InputError: a name has no ``<name>.kml`` in the folder.
    """
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    # Windows tools write .KML; macOS leaves a companion beside each file on foreign disks.
    kml = [path for path in files if path.suffix.lower() == ".kml" and not is_companion(path.name)]
    known = {path.stem: path for path in kml}
    missing = [f"{name!r} ({suggestion(name, known)})" for name in names if name not in known]
    if missing:
        hint = "give names of KML files there, or --masks none"
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
    if edges == "parallel":
        return unrolled(mask, path, say=say)
    refuse_folded(mask, path)
    return mask


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
