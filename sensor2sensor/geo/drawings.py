"""Masks as they are drawn: what rings of longitudes and latitudes mean, and their part at a scene.

A GIS draws the edge between two vertices as a straight line in degrees, so an edge between two
points of equal latitude follows the parallel. As a great circle it would run up to degrees farther
north: a box 40 degrees wide loses the tiles along its southern edge. So these edges are cut out
near a scene in degrees first, densified there, and only then projected.
"""

from __future__ import annotations

import logging
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.footprints import polygons_of, project, project_vertices, unproject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensor2sensor.geo.grids import Grid

EDGES = ("parallel", "great-circle")
_STEP_DEG = 0.05  # the sagitta of a chord of a parallel this long stays below a metre
_LEAST_AREA = 1e-12  # square degrees, or square metres: what is left of a ring folded onto a line
_LOG = logging.getLogger(__name__)


def unrolled(mask: Any, where: object, *, say: bool = False) -> Any:
    """A mask as plain polygons in degrees whose longitudes run on beyond 180.

    A ring that jumps by more than 180 degrees crosses 180 degrees east, as Google Earth writes it,
    with two exceptions: a jump of 360 degrees goes round the world, and so does a wide box whose
    jumps lie along parallels and whose ring runs counter-clockwise, as KML wants it. A ring that
    goes round a pole holds that pole.

    Args:
        mask: multipolygon of rings as they stand in the file.
        where: how messages name the mask.
        say: warn how a jump is read that could be meant in two ways.

    Raises:
        InputError: nothing is left: every ring is folded onto a line.
    """
    import shapely

    parts = [_unrolled(polygon, where if say else None) for polygon in polygons_of(mask)]
    whole = shapely.union_all([part for part in parts if not part.is_empty])
    if whole.area <= _LEAST_AREA:
        raise InputError("encloses no area", where=where, hint="draw the mask as polygons")
    return whole


def project_drawing(drawing: Any, grid: Grid) -> Any:
    """The part of an unrolled mask around a scene, in the metres of the scene's system.

    Args:
        drawing: what `unrolled` gave; may be far larger than the system's own zone.
        grid: of the scene; the result is right within its bounds and cut off some way beyond.

    Returns:
        A valid shapely geometry of polygons; empty where the mask does not reach the scene.
    """
    import shapely
    from shapely.affinity import translate

    window = _window(grid)
    west, _, east, _ = drawing.bounds
    turns = range(
        math.floor((window.bounds[0] - east) / 360.0),
        math.ceil((window.bounds[2] - west) / 360.0) + 1,
    )
    near = []
    for turn in turns:
        near += polygons_of(translate(drawing, 360.0 * turn).intersection(window))
    crs = f"EPSG:{grid.epsg}"
    parts = [project_vertices(shapely.segmentize(part, _STEP_DEG), crs) for part in near]
    return shapely.union_all(parts) if parts else shapely.Polygon()


def refuse_folded(mask: Any, where: object) -> None:
    """Refuse a mask that encloses nothing once its edges are great circles.

    From -180 to 180 degrees there is no way to go on a sphere: such a box is a line.

    Raises:
        InputError: names the mask and the option that reads it as drawn.
    """
    for polygon in polygons_of(mask):
        centre = polygon.exterior.centroid
        crs = f"+proj=laea +lat_0={centre.y:.6f} +lon_0={centre.x:.6f} +datum=WGS84 +units=m"
        if polygon.area > _LEAST_AREA and project(polygon, crs).area <= 1.0:
            west, south, east, north = polygon.bounds
            box = f"{west:g} to {east:g} east, {south:g} to {north:g} north"
            what = f"the polygon from {box} is empty when its edges are great circles"
            raise InputError(what, where=where, hint="give --mask-edges parallel")


def _unrolled(polygon: Any, where: object | None) -> Any:
    import shapely
    from shapely.affinity import translate

    ring = _coordinates(polygon.exterior)
    round_the_world = _goes_round(ring, where)
    shell = _ring_polygon(ring, round_the_world)
    holes = [_ring_polygon(_coordinates(hole), round_the_world) for hole in polygon.interiors]
    # A hole may have been unrolled to the other side of the seam than its shell.
    turned = [translate(hole, 360.0 * turn) for hole in holes for turn in (-1, 0, 1)]
    return shell.difference(shapely.union_all(turned)) if holes else shell


def _coordinates(ring: Any) -> NDArray[np.float64]:
    return np.asarray(ring.coords, dtype=np.float64)[:, :2]


def _goes_round(ring: NDArray[np.float64], where: object | None) -> bool:
    """Whether jumps of more than 180 degrees are meant as drawn, not as the way across 180."""
    jumps = [(a, b) for a, b in pairwise(ring) if abs(b[0] - a[0]) > 180.0]
    if not jumps or any(abs(b[0] - a[0]) >= 360.0 for a, b in jumps):
        return True
    along_parallels = all(a[1] == b[1] for a, b in jumps)
    x, y = ring[:, 0], ring[:, 1]
    counter_clockwise = float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) > 0.0
    taken = along_parallels and counter_clockwise
    if where is None:
        return taken
    start, end = jumps[0][0][0], jumps[0][1][0]
    way = "round the world" if taken else "across 180 degrees east"
    _LOG.warning(
        "%s: the edge from %g to %g degrees east is taken to run %s; give it vertices less than"
        " 180 degrees apart to be sure",
        *(where, start, end, way),
    )
    return taken


def _ring_polygon(ring: NDArray[np.float64], round_the_world: bool) -> Any:
    """One ring as a valid polygon, its longitudes continuous."""
    import shapely

    points = ring
    if not round_the_world:
        steps = (np.diff(ring[:, 0]) + 180.0) % 360.0 - 180.0
        lon = ring[0, 0] + np.concatenate([[0.0], np.cumsum(steps)])
        points = np.column_stack([lon, ring[:, 1]])
        if abs(lon[-1] - lon[0]) > 180.0:  # it went once round: the pole on its side is inside
            pole = math.copysign(90.0, float(ring[:, 1].mean()))
            points = np.vstack([points, [[lon[-1], pole], [lon[0], pole]]])
    made = shapely.make_valid(shapely.Polygon(points))
    return shapely.union_all(polygons_of(made))


def _window(grid: Grid) -> Any:
    """A box in degrees that holds a scene and a bit more, its longitudes continuous."""
    import shapely

    edge_m = max(grid.shape) * grid.resolution_m / 8.0
    outline = unproject(shapely.segmentize(grid.polygon(), edge_m), grid.epsg)
    lon, lat = np.asarray(outline.exterior.coords)[:, :2].T
    # A scene on 180 degrees east comes back as -179.9 and 179.9.
    lon = np.unwrap(lon, period=360.0)
    pad = 0.1
    # A degree of longitude shrinks towards the poles.
    wide = pad / max(math.cos(math.radians(float(np.abs(lat).max()))), 0.01)
    return shapely.box(
        lon.min() - wide,
        max(-90.0, float(lat.min()) - pad),
        lon.max() + wide,
        min(90.0, float(lat.max()) + pad),
    )
