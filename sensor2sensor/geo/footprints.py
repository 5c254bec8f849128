"""Footprints on the sphere: overlap of two products, and projection of long edges.

Footprints come as longitude/latitude rings whose edges are great circles between vertices that
may lie a hundred kilometres apart, cross 180 degrees east or enclose a pole. Areas measured in
plain degrees are nonsense there. So every ring is densified along great circles on the unit
sphere, where neither meridian nor pole is special, and only then projected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.projections import from_lonlat, to_lonlat

Floats = NDArray[np.float64]

_STEP_RAD = math.radians(0.05)  # 5.6 km: the sagitta of such a chord is below one metre


def overlap_fraction(a: Any, b: Any) -> float:
    """Share of footprint ``a`` that footprint ``b`` covers.

    Areas are those of the ellipsoid: both are measured in an equal-area projection centred near
    ``a``, which neither 180 degrees east nor a pole divides. UTM's areas grow across a tile, by up
    to a thousandth, and more beyond its zone.

    Args:
        a: shapely geometry in degrees (longitude, latitude); the Sentinel-2 footprint.
        b: shapely geometry in degrees; the Sentinel-3 footprint, anywhere on Earth.

    Returns:
        A number in [0, 1]; 0.0 where either footprint is empty or they lie apart.
    """
    if not _near(a, b):
        return 0.0
    crs = _equal_area_near(_cap_of(a)[0])
    first, second = _projected(a, crs), _projected(b, crs)
    if first.area <= 0.0:
        return 0.0
    share = float(first.intersection(second).area / first.area)
    return min(1.0, max(0.0, share))


# A scene meets several passes and a pass several scenes, one after the other by time.
@lru_cache(maxsize=256)
def _projected(geometry: Any, crs: str) -> Any:
    import shapely

    made = project(geometry, crs)
    shapely.prepare(made)
    return made


def project(geometry: Any, crs: str) -> Any:
    """Project polygons from longitude/latitude, edges taken as great circles.

    Args:
        geometry: shapely polygon or collection of polygons in degrees; invalid rings (crossing
            themselves or 180 degrees east) are mended after projection.
        crs: the target, e.g. ``"EPSG:32617"``.

    Returns:
        A valid shapely geometry in the units of ``crs``, holding polygons only; may be empty.
    """
    import shapely

    parts = [_project_polygon(polygon, crs) for polygon in polygons_of(geometry)]
    return _polygons_only(shapely.union_all(parts)) if parts else shapely.Polygon()


def project_vertices(geometry: Any, crs: str) -> Any:
    """Project polygons from longitude/latitude vertex by vertex; their edges are short."""
    import shapely

    transformer = from_lonlat(crs)
    moved = shapely.transform(
        geometry, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
    )
    return _polygons_only(moved)


def unproject(geometry: Any, epsg: int | str) -> Any:
    """Bring a projected geometry back to longitude/latitude degrees, vertex by vertex."""
    import shapely

    transformer = to_lonlat(epsg)
    return shapely.transform(
        geometry, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
    )


def outline_of(there: NDArray[np.bool_], grid: Grid) -> Any:
    """The convex outline of what is there of a grid that is seen in `there.shape` larger pixels.

    In the grid's metres; the whole grid where nothing is missing, and where nothing is there.
    """
    from shapely.geometry import MultiPoint

    if there.all() or not there.any():
        return grid.polygon()
    seen = grid.reduced(grid.full_window, there.shape)
    rows = np.flatnonzero(there.any(axis=1))
    left = there[rows].argmax(axis=1)
    right = there.shape[1] - there[rows, ::-1].argmax(axis=1)
    x_m = seen.ulx_m + seen.resolution_m * np.concatenate([left, left, right, right])
    y_m = seen.uly_m - seen.resolution_m * np.concatenate([rows, rows + 1, rows, rows + 1])
    corners = MultiPoint(np.column_stack([x_m, y_m]))
    return corners.convex_hull.intersection(grid.polygon())


def bridged(footprints: Sequence[Any], gap_m: float) -> Any:
    """One footprint of several that follow each other, what lies between them closed.

    Args:
        footprints: shapely geometries in degrees; edges are great circles.
        gap_m: width up to which a gap between two of them is none.

    Returns:
        A shapely geometry in degrees.
    """
    import shapely

    crs = _equal_area_at(_cap([one for part in footprints for one in polygons_of(part)])[0])
    whole = shapely.union_all([project(part, crs) for part in footprints])
    for width_m in (0.5 * gap_m, -0.5 * gap_m):  # mitred: corners come back as they were
        whole = whole.buffer(width_m, join_style="mitre")
    return unproject(_polygons_only(whole), crs)


def covered_share(area: Any, cover: Any) -> float:
    """Share of ``area`` that ``cover`` holds; both valid and in the same projected system."""
    if area.area <= 0.0:
        return 0.0
    return float(area.intersection(cover).area / area.area)


def unit_vectors(lon_deg: Floats, lat_deg: Floats) -> Floats:
    """Unit vectors of positions on the sphere, shape ``[..., 3]``."""
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def polygons_of(geometry: Any) -> list[Any]:
    """All polygons of a geometry, however deeply collected; others are left out."""
    if geometry is None or geometry.is_empty:
        return []
    if geometry.geom_type == "Polygon":
        return [geometry]
    return [polygon for part in getattr(geometry, "geoms", []) for polygon in polygons_of(part)]


def _polygons_only(geometry: Any) -> Any:
    import shapely

    return shapely.union_all(polygons_of(shapely.make_valid(geometry)))


def _project_polygon(polygon: Any, crs: str) -> Any:
    """One polygon: its shell less the union of its holes, each mended on its own."""
    import shapely

    shell = _project_ring(polygon.exterior, crs)
    holes = [_project_ring(ring, crs) for ring in polygon.interiors]
    return shell.difference(shapely.union_all(holes)) if holes else shell


def _project_ring(ring: Any, crs: str) -> Any:
    import shapely

    lon, lat = _great_circles(np.asarray(ring.coords, dtype=np.float64)[:, :2])
    xy = np.column_stack(from_lonlat(crs).transform(lon, lat))
    # What lies on the other side of the Earth has no place in a UTM zone.
    xy = xy[np.isfinite(xy).all(axis=1)]
    return _polygons_only(shapely.Polygon(xy)) if len(xy) >= 4 else shapely.Polygon()


def _great_circles(lonlat_deg: Floats) -> tuple[Floats, Floats]:
    """Densify a closed line ``[N, 2]`` along great circles; returns (lon, lat) degrees."""
    dense = _densify(unit_vectors(lonlat_deg[:, 0], lonlat_deg[:, 1]))
    # Not arcsin: near a pole it keeps half the digits.
    lat = np.degrees(np.arctan2(dense[:, 2], np.hypot(dense[:, 0], dense[:, 1])))
    return np.degrees(np.arctan2(dense[:, 1], dense[:, 0])), lat


def _densify(points: Floats) -> Floats:
    """Great-circle points between the unit vectors ``[N, 3]``, none farther than the step."""
    pieces = [_arc(start, end) for start, end in pairwise(points)]
    return np.concatenate([*pieces, points[-1:]])


def _arc(start: Floats, end: Floats) -> Floats:
    # Not the arccosine of the product, which loses short edges.
    angle = math.atan2(float(np.linalg.norm(np.cross(start, end))), float(start @ end))
    count = max(1, math.ceil(angle / _STEP_RAD))
    if count == 1:
        return start[None]
    t = np.arange(count)[:, None] / count
    # Spherical interpolation (Shoemake, SIGGRAPH 1985): equal steps along the great circle.
    mixed = np.sin((1.0 - t) * angle) * start + np.sin(t * angle) * end
    return np.asarray(mixed / math.sin(angle), dtype=np.float64)


def _near(a: Any, b: Any) -> bool:
    """Whether two footprints can touch at all; also keeps antipodal rings from turning over."""
    if not polygons_of(a) or not polygons_of(b):
        return False
    (centre_a, radius_a), (centre_b, radius_b) = _cap_of(a), _cap_of(b)
    apart = math.acos(float(np.clip(centre_a @ centre_b, -1.0, 1.0)))
    return apart <= radius_a + radius_b + _STEP_RAD and not _antipodal(centre_a, b)


@lru_cache(maxsize=4096)
def _cap_of(geometry: Any) -> tuple[Floats, float]:
    return _cap(polygons_of(geometry))


def _cap(polygons: list[Any]) -> tuple[Floats, float]:
    """Centre (unit vector) and angular radius of a cap that holds all vertices."""
    lonlat = np.concatenate([np.asarray(p.exterior.coords)[:, :2] for p in polygons])
    points = unit_vectors(lonlat[:, 0], lonlat[:, 1])
    centre = points.mean(axis=0)
    # The mean of vectors needs no care at 180 degrees east or at a pole; that of degrees does.
    centre /= max(float(np.linalg.norm(centre)), 1e-12)
    cosines = np.clip(points @ centre, -1.0, 1.0)
    return centre, float(np.arccos(cosines.min()))


def _antipodal(centre: Floats, geometry: Any) -> bool:
    """Whether a geometry holds the point opposite to ``centre``, where projections break."""
    import shapely

    opposite, radius = _cap_of(geometry)
    if math.acos(float(np.clip(-centre @ opposite, -1.0, 1.0))) > radius:
        return False
    crs = _equal_area_at(-centre)
    polygons = polygons_of(geometry)
    return any(_project_polygon(p, crs).contains(shapely.Point(0.0, 0.0)) for p in polygons)


def _equal_area_near(centre: Floats) -> str:
    """One projection for all scenes of a tile: its centre does not matter, whole degrees do."""
    lat = math.degrees(math.atan2(float(centre[2]), math.hypot(float(centre[0]), float(centre[1]))))
    lon = math.degrees(math.atan2(float(centre[1]), float(centre[0])))
    return _equal_area(f"{round(lat)}", f"{round(lon)}")


def _equal_area_at(centre: Floats) -> str:
    lat = math.degrees(math.atan2(float(centre[2]), math.hypot(float(centre[0]), float(centre[1]))))
    lon = math.degrees(math.atan2(float(centre[1]), float(centre[0])))
    return _equal_area(f"{lat:.6f}", f"{lon:.6f}")


def _equal_area(lat: str, lon: str) -> str:
    return f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"
