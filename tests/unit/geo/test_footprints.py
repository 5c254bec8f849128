"""Overlap of footprints: closed forms, 180 degrees east, the pole, broken rings."""

from __future__ import annotations

import pytest
import shapely
from pyproj import Geod, Transformer

from sensor2sensor.geo.footprints import covered_share, overlap_fraction, project, unproject
from sensor2sensor.geo.projections import from_lonlat, to_lonlat


def utm_square(epsg: int, x: float, y: float, size: float) -> shapely.Polygon:
    """A square of `size` metres in a UTM zone, as raw longitude/latitude vertices."""
    back = Transformer.from_crs(f"EPSG:{epsg}", "EPSG:4326", always_xy=True)
    ring = [(x, y), (x + size, y), (x + size, y - size), (x, y - size), (x, y)]
    return shapely.Polygon([back.transform(*corner) for corner in ring])


@pytest.mark.parametrize(
    ("epsg", "x", "y"),
    [
        (32617, 499980.0, 8100000.0),  # Pond Inlet
        (32601, 300000.0, 7000000.0),  # west edge of zone 1: the square crosses 180 E
        (32733, 499980.0, 6200020.0),  # southern hemisphere
        (32633, 499980.0, 9400000.0),  # above 84 N
    ],
)
def test_shifted_square_overlaps_by_the_closed_form(epsg, x, y):
    a = utm_square(epsg, x, y, 100_000.0)
    b = utm_square(epsg, x + 25_000.0, y, 100_000.0)
    assert overlap_fraction(a, b) == pytest.approx(0.75, abs=2e-3)


def test_the_square_of_zone_1_does_cross_the_date_line():
    lon = [point[0] for point in utm_square(32601, 300000.0, 7000000.0, 100_000.0).exterior.coords]
    assert min(lon) < -170 and max(lon) > 170


def test_footprint_split_at_the_date_line_counts_as_one():
    a = utm_square(32601, 300000.0, 7000000.0, 100_000.0)
    west = shapely.box(170.0, 60.0, 180.0, 66.0)
    east = shapely.box(-180.0, 60.0, -170.0, 66.0)
    assert overlap_fraction(a, shapely.MultiPolygon([west, east])) == pytest.approx(1.0)
    both = overlap_fraction(a, west) + overlap_fraction(a, east)
    assert both == pytest.approx(1.0, abs=1e-6)
    assert 0.05 < overlap_fraction(a, west) < 0.95


def test_swath_over_the_pole_covers_a_tile_near_it():
    ring = [(lon, 78.0) for lon in range(-180, 180, 15)]
    cap = shapely.Polygon([*ring, ring[0]])
    tile = utm_square(32633, 499980.0, 9400000.0, 100_000.0)
    assert overlap_fraction(tile, cap) == pytest.approx(1.0)
    far = utm_square(32633, 499980.0, 8000000.0, 100_000.0)
    assert overlap_fraction(far, cap) == 0.0


def test_footprints_apart_or_opposite_do_not_overlap():
    a = utm_square(32617, 499980.0, 8100000.0, 100_000.0)
    lon, lat = a.centroid.coords[0]
    opposite = shapely.box(lon + 170.0, -lat - 5.0, lon + 190.0, -lat + 5.0)
    assert overlap_fraction(a, opposite) == 0.0
    assert overlap_fraction(a, opposite) == 0.0
    assert overlap_fraction(a, shapely.box(0, 0, 10, 10)) == 0.0


def test_self_intersecting_and_empty_footprints():
    a = utm_square(32617, 499980.0, 8100000.0, 100_000.0)
    corners = list(a.exterior.coords)
    bow_tie = shapely.Polygon([corners[0], corners[2], corners[1], corners[3]])
    assert overlap_fraction(a, bow_tie) == pytest.approx(0.5, abs=0.01)
    assert overlap_fraction(a, shapely.Polygon()) == 0.0
    assert overlap_fraction(shapely.Polygon(), a) == 0.0


def test_sliver_has_its_own_small_share():
    a = utm_square(32617, 499980.0, 8100000.0, 100_000.0)
    b = utm_square(32617, 599880.0, 8100000.0, 100_000.0)
    assert overlap_fraction(a, b) == pytest.approx(0.001, rel=0.1)


def test_long_edges_follow_the_great_circle():
    # Between (0, 60) and (90, 60) the great circle climbs to atan(tan 60 / cos 45) = 67.8 degrees.
    a = shapely.Polygon([(0, 60), (90, 60), (45, 30)])
    projected = project(a, "+proj=laea +lat_0=60 +lon_0=45 +datum=WGS84")
    north = projected.bounds[3]
    _, _, distance = Geod(a=6378137.0, b=6378137.0).inv(45, 60, 45, 67.79)
    assert north == pytest.approx(distance, rel=0.01)


def test_project_and_unproject_are_inverse_and_keep_holes():
    shell = [(-81, 72), (-80, 72), (-80, 73), (-81, 73)]
    hole = [(-80.6, 72.4), (-80.4, 72.4), (-80.4, 72.6), (-80.6, 72.6)]
    projected = project(shapely.Polygon(shell, [hole]), "EPSG:32617")
    assert len(projected.interiors) == 1
    back = unproject(projected, 32617)
    assert back.bounds == pytest.approx((-81, 72, -80, 73), abs=0.01)


def test_covered_share():
    assert covered_share(shapely.box(0, 0, 10, 10), shapely.box(5, 0, 20, 10)) == 0.5
    assert covered_share(shapely.box(0, 0, 0, 10), shapely.box(5, 0, 20, 10)) == 0.0


def test_every_step_shares_one_transformer_of_a_pair_and_it_is_longitude_first(repository) -> None:
    package = sorted((repository / "sensor2sensor").rglob("*.py"))
    makers = [path.name for path in package if "Transformer.from_crs" in path.read_text("utf-8")]
    assert makers == ["projections.py"]
    assert from_lonlat(32617) is from_lonlat("EPSG:32617")
    assert to_lonlat(32617) is not from_lonlat(32617)
    x_m, y_m = from_lonlat(32617).transform(-81.0, 0.0)
    assert (x_m, y_m) == (pytest.approx(500_000.0), pytest.approx(0.0, abs=1e-6))
    assert to_lonlat(32617).transform(x_m, y_m) == (pytest.approx(-81.0), pytest.approx(0.0))


def quad(*corners: tuple[float, float]) -> shapely.Polygon:
    return shapely.Polygon(corners)


@pytest.mark.parametrize(
    ("west", "south", "share"),
    [(170, -5, 0.5), (170, 0, 0.25), (-180, 0, 0.25), (-180, -5, 0.5)],
)
def test_halves_and_quarters_at_180_degrees_east(west, south, share):
    """Meridians and the equator are great circles: the parts are equal by symmetry."""
    a = quad((179, -1), (-179, -1), (-179, 1), (179, 1))
    b = shapely.box(west, south, west + 10, 5)
    assert overlap_fraction(a, b) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(("east", "share"), [(90, 0.25), (45, 0.125), (180, 0.5)])
@pytest.mark.parametrize("lat", [89.3, -89.3])
def test_sectors_of_a_tile_that_holds_a_pole(east, share, lat):
    side = 1 if lat > 0 else -1
    a = quad(*((lon, lat) for lon in (45, 135, -135, -45)))
    b = quad((0, 90 * side), (0, 60 * side), (east / 2, 60 * side), (east, 60 * side))
    assert overlap_fraction(a, b) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("epsg", "x", "y"),
    [
        (32633, 699960.0, 5000040.0),  # the edge of a zone, where UTM's scale changes most
        (32601, 300000.0, 7000000.0),  # 180 degrees east
        (32633, 499980.0, 9400000.0),  # beyond UTM
        (32733, 199980.0, 9800020.0),
    ],
)
def test_shares_are_those_of_areas_on_the_ellipsoid(epsg, x, y):
    geod = Geod(ellps="WGS84")

    def area(polygon):
        return abs(geod.geometry_area_perimeter(polygon)[0])

    a = utm_square(epsg, x, y, 109_800.0)
    for east in (0.0, 73_200.0):
        b = utm_square(epsg, x + east, y, 36_600.0)
        expected = area(b) / area(a)
        # Between vertices geodesics and great circles part by some metres; UTM is off by more.
        assert overlap_fraction(a, b) == pytest.approx(expected, abs=2e-5)


def test_a_pass_counts_the_same_beside_any_other(monkeypatch):
    """Projections are kept: no footprint may be taken for another."""
    a = utm_square(32601, 300000.0, 7000000.0, 109_800.0)
    parts = [utm_square(32601, 300000.0 + 10_980.0 * n, 7000000.0, 109_800.0) for n in range(11)]
    for _ in range(2):
        found = [overlap_fraction(a, part) for part in parts]
        assert found == pytest.approx([1 - n / 10 for n in range(11)], abs=1e-3)
