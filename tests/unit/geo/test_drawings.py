"""Masks mean what a map shows: boxes of any width, poles, 180 degrees east, in any UTM zone."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import shapely

from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.footprints import unproject
from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.masks import load_masks, prepared, project_mask

SCENES = {
    "zone 1, over 180 E": Grid(32601, 280000.0, 7_800_000.0, 10.0, 10980, 10980),
    "zone 60": Grid(32660, 650000.0, 8_500_000.0, 10.0, 10980, 10980),
    "zone 17": Grid(32617, 499980.0, 8_100_000.0, 10.0, 10980, 10980),
    "zone 33, 84 N": Grid(32633, 450000.0, 9_320_000.0, 10.0, 10980, 10980),
    "equator": Grid(32631, 399960.0, 60_000.0, 10.0, 10980, 10980),
    "zone 47 S": Grid(32747, 600000.0, 4_700_000.0, 10.0, 10980, 10980),
    "zone 58, 76 S": Grid(32758, 500000.0, 1_600_000.0, 10.0, 10980, 10980),
}
BOXES = [
    (-180.0, 60.0, 180.0, 90.0),
    (-180.0, 60.0, 180.0, 85.0),
    (-180.0, -90.0, 180.0, -60.0),
    (-180.0, -80.0, 180.0, 83.9),
    (0.0, 72.6, 360.0, 90.0),
    (-170.0, 60.0, 150.0, 76.2),
    (-100.0, -77.0, 179.0, 76.0),
    (-101.0, 72.6, -61.0, 76.0),
    (170.0, 60.0, 200.0, 76.0),
    (-200.0, -80.0, -150.0, 80.0),
    (-82.0, 72.6, -79.5, 74.0),
    (2.5, -0.2, 2.9, 0.3),
]


def kml(path: Path, *rings: list[tuple[float, float]], holes=()) -> Path:
    def text(ring):
        points = " ".join(f"{x},{y},0" for x, y in ring)
        return f"<LinearRing><coordinates>{points}</coordinates></LinearRing>"

    inner = "".join(f"<innerBoundaryIs>{text(h)}</innerBoundaryIs>" for h in holes)
    body = "".join(
        f"<Placemark><Polygon><outerBoundaryIs>{text(r)}</outerBoundaryIs>{inner}</Polygon></Placemark>"
        for r in rings
    )
    path.write_text(
        f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{body}</Document></kml>'
    )
    return path


def box(w: float, s: float, e: float, n: float) -> list[tuple[float, float]]:
    return [(w, s), (e, s), (e, n), (w, n), (w, s)]


def sampled(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Points of a scene in metres, and the same in degrees."""
    rng = np.random.default_rng(3)
    west, south, east, north = grid.bounds
    xy = rng.uniform((west, south), (east, north), (4000, 2))
    degrees = shapely.get_coordinates(unproject(shapely.MultiPoint(xy), grid.epsg))
    return xy, degrees


def share_of_wrong_points(path: Path, grid: Grid, wanted) -> float:
    projected = project_mask(prepared(path, "parallel"), grid)
    xy, degrees = sampled(grid)
    found = shapely.contains_xy(projected, xy)
    return float((found != wanted(degrees)).mean())


@pytest.mark.parametrize("scene", SCENES)
def test_boxes_hold_what_lies_between_their_meridians_and_parallels(
    tmp_path: Path, scene: str
) -> None:
    for w, s, e, n in BOXES:

        def inside(degrees, w=w, s=s, e=e, n=n):
            lon = (degrees[:, 0] - w) % 360.0
            return (lon <= e - w) & (degrees[:, 1] >= s) & (degrees[:, 1] <= n)

        path = kml(tmp_path / "m.kml", box(w, s, e, n))
        assert share_of_wrong_points(path, SCENES[scene], inside) <= 0.001, (w, s, e, n)


def test_the_southern_edge_of_a_wide_box_is_the_parallel(tmp_path: Path) -> None:
    path, grid = kml(tmp_path / "m.kml", box(-101.0, 72.6, -61.0, 76.0)), SCENES["zone 17"]
    scene = grid.polygon()
    parallel = project_mask(prepared(path, "parallel"), grid).intersection(scene).area / scene.area
    old = project_mask(prepared(path, "great-circle"), grid, "great-circle")
    assert parallel > 0.35
    assert old.intersection(scene).area == 0.0, "a great circle runs north of the scene"


@pytest.mark.parametrize("edges", ["parallel", "great-circle"])
@pytest.mark.parametrize("scene", ["zone 1, over 180 E", "zone 60"])
def test_a_ring_that_jumps_at_180_is_the_small_one(tmp_path: Path, edges: str, scene: str) -> None:
    ring = [(175.0, 60.0), (-170.0, 61.0), (-171.0, 80.0), (176.0, 79.0), (175.0, 60.0)]
    for given in (ring, ring[::-1]):
        grid = SCENES[scene]
        mask = project_mask(prepared(kml(tmp_path / "m.kml", given), edges), grid, edges)
        outline = grid.polygon()
        assert mask.intersection(outline).area == pytest.approx(outline.area)
    far = SCENES["zone 17"]
    assert not project_mask(prepared(tmp_path / "m.kml", "parallel"), far).intersects(far.polygon())


def test_how_an_ambiguous_box_is_read_is_said(tmp_path: Path, caplog) -> None:
    wide, strip = box(-170.0, 60.0, 170.0, 80.0), box(170.0, 60.0, -170.0, 80.0)
    everywhere, nowhere = (lambda d: np.full(len(d), True)), (lambda d: np.full(len(d), False))
    a, b = kml(tmp_path / "a.kml", wide), kml(tmp_path / "b.kml", strip)
    with caplog.at_level(logging.WARNING):
        assert share_of_wrong_points(a, SCENES["zone 17"], everywhere) == 0.0
        assert share_of_wrong_points(b, SCENES["zone 17"], nowhere) == 0.0
        assert share_of_wrong_points(b, SCENES["zone 1, over 180 E"], everywhere) == 0.0
        assert not caplog.records, "said once, when the masks of a run are looked at"
        load_masks(tmp_path, ["a", "b"])
    said = [record.getMessage() for record in caplog.records]
    assert "a.kml" in said[0] and "round the world" in said[0]
    assert "b.kml" in said[1] and "across 180 degrees east" in said[1]


@pytest.mark.parametrize("latitude", [80.0, -70.0])
@pytest.mark.parametrize("start", [-180, -150, 0])
def test_a_ring_round_a_pole_holds_it(tmp_path: Path, latitude: float, start: int) -> None:
    circle = [((start + lon + 180) % 360 - 180.0, latitude) for lon in range(0, 360, 60)]

    def poleward(degrees):
        return degrees[:, 1] * np.sign(latitude) > abs(latitude)

    for ring in (circle, circle[::-1]):
        path = kml(tmp_path / "m.kml", [*ring, ring[0]])
        for name in ("zone 33, 84 N", "zone 60", "zone 58, 76 S", "zone 17", "zone 1, over 180 E"):
            assert share_of_wrong_points(path, SCENES[name], poleward) <= 0.001, name


def test_holes_stay_holes_on_either_side_of_180(tmp_path: Path) -> None:
    path = kml(
        tmp_path / "m.kml",
        box(160.0, 60.0, 200.0, 80.0),
        holes=[box(-179.0, 65.0, -170.0, 75.0)],
    )

    def outside_the_hole(degrees):
        lon = degrees[:, 0] % 360.0
        return ~((lon > 181.0) & (lon < 190.0) & (degrees[:, 1] > 65.0) & (degrees[:, 1] < 75.0))

    assert share_of_wrong_points(path, SCENES["zone 1, over 180 E"], outside_the_hole) <= 0.001


def test_a_box_that_great_circles_fold_onto_a_line_is_refused_by_name(tmp_path: Path) -> None:
    kml(tmp_path / "arctic.kml", box(-180.0, 60.0, 180.0, 90.0))
    assert list(load_masks(tmp_path, ["arctic"])) == ["arctic"]
    with pytest.raises(InputError, match="empty when its edges are great circles") as caught:
        load_masks(tmp_path, ["arctic"], "great-circle")
    assert "arctic.kml" in str(caught.value) and "--mask-edges parallel" in str(caught.value)


def test_a_ring_folded_onto_a_line_is_refused_by_name(tmp_path: Path) -> None:
    path = kml(tmp_path / "line.kml", [(-81.0, 72.0), (-80.0, 73.0), (-81.0, 72.0), (-81.0, 72.0)])
    with pytest.raises(InputError, match="encloses no area") as caught:
        prepared(path, "parallel")
    assert "line.kml" in str(caught.value)
