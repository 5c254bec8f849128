"""Masks from KML: union with holes, and every unusable file refused by name."""

from __future__ import annotations

import pytest
import shapely

from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.masks import load_mask, load_masks, prepared, project_mask

GRID = Grid(32617, 400000.0, 8100000.0, 1000.0, 110, 110)
HEAD = '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
TAIL = "</Document></kml>"


def ring(points) -> str:
    text = " ".join(f"{x},{y},12.5" for x, y in points)
    return f"<LinearRing><coordinates>{text}</coordinates></LinearRing>"


def square(x: float, y: float, size: float):
    return [(x, y), (x + size, y), (x + size, y + size), (x, y + size), (x, y)]


def polygon(outer, *holes) -> str:
    inner = "".join(f"<innerBoundaryIs>{ring(hole)}</innerBoundaryIs>" for hole in holes)
    return f"<Polygon><outerBoundaryIs>{ring(outer)}</outerBoundaryIs>{inner}</Polygon>"


def placemark(geometry: str) -> str:
    return f"<Placemark><name>a</name>{geometry}</Placemark>"


def write(tmp_path, body: str, name: str = "ice.kml"):
    path = tmp_path / name
    path.write_text(HEAD + body + TAIL)
    return path


def test_union_of_polygons_of_all_folders_with_holes(tmp_path):
    first = placemark(polygon(square(-81, 72, 1.0), square(-80.75, 72.25, 0.5)))
    multi = f"<MultiGeometry>{polygon(square(-79.5, 72, 1.0))}</MultiGeometry>"
    body = (
        f"<Folder><name>one</name>{first}</Folder>"
        f"<Folder><name>two</name>{placemark(multi)}"
        f"{placemark('<Point><coordinates>0,0</coordinates></Point>')}</Folder>"
    )
    path = write(tmp_path, body)
    mask = load_mask(path)
    assert shapely.union_all(mask.geoms).area == pytest.approx(1.0 - 0.25 + 1.0)
    assert not mask.has_z
    utm = project_mask(prepared(path, "parallel"), GRID)
    hole = project(shapely.box(-80.6, 72.4, -80.4, 72.6), "EPSG:32617")
    assert utm.area > 0.0 and not utm.intersects(hole)


def test_overlapping_polygons_count_once(tmp_path):
    twice = placemark(polygon(square(-81, 72, 1.0))) * 2
    one = placemark(polygon(square(-81, 72, 1.0)))
    for edges in ("parallel", "great-circle"):
        double = project_mask(prepared(write(tmp_path, twice), edges), GRID, edges)
        single = project_mask(prepared(write(tmp_path, one, "b.kml"), edges), GRID, edges)
        assert double.area == pytest.approx(single.area) and single.area > 0.0


BOMB = '<?xml version="1.0"?><!DOCTYPE k [<!ENTITY a "aaaa">]><kml>&a;</kml>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEAD + TAIL, "no polygon"),
        (HEAD + placemark("<Point><coordinates>1,2</coordinates></Point>") + TAIL, "no polygon"),
        (HEAD + placemark(polygon(square(500000, 7e6, 1000.0))) + TAIL, "degrees"),
        ("<html></html>", "not kml"),
        ("", "XML"),
        ("PK\x03\x04rest", "KMZ"),
        (BOMB, "hostile"),
    ],
)
def test_unusable_files_are_refused_by_name(tmp_path, content, says):
    path = tmp_path / "bad.kml"
    path.write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        load_mask(path)
    assert "bad.kml" in str(caught.value)


def test_every_unknown_mask_is_named_at_once(tmp_path):
    write(tmp_path, placemark(polygon(square(-81, 72, 1.0))))
    assert list(load_masks(tmp_path, ["ice"])) == ["ice"]
    with pytest.raises(InputError, match="icy") as caught:
        load_masks(tmp_path, ["icy", "land"])
    assert "nearest: 'ice'" in str(caught.value) and "land" in str(caught.value)
