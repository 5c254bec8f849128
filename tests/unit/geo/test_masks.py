"""Masks from KML: union with holes, and every unusable file refused by name."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.files import sha256
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.masks import load_mask, load_masks, mask_digest, prepared, project_mask

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


def two_holes(inner: str) -> str:
    outer = f"<outerBoundaryIs>{ring(square(-81, 72, 1.0))}</outerBoundaryIs>"
    return placemark(f"<Polygon>{outer}{inner}</Polygon>")


HOLES = [ring(square(-80.9, 72.1, 0.1)), ring(square(-80.5, 72.5, 0.2))]
PREFIXED = HEAD.replace("xmlns=", "xmlns:k=").replace("<kml", "<k:kml").replace("<Doc", "<k:Doc")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1252"])
def test_every_hole_of_one_boundary_counts_in_any_encoding(tmp_path, encoding):
    # As Google Earth writes them: of the rings of one innerBoundaryIs GDAL keeps the last.
    body = two_holes(f"<innerBoundaryIs>{''.join(HOLES)}</innerBoundaryIs>").replace(">a<", ">ü<")
    text = HEAD.replace("?>", f' encoding="{encoding}"?>') + body + TAIL
    path = tmp_path / "ice.kml"
    path.write_bytes(text.encode(encoding))
    assert load_mask(path).area == pytest.approx(1.0 - 0.01 - 0.04)
    # Tiles that were made with the last hole alone are not taken for these.
    assert (mask_digest(path) != sha256(path)) == (encoding != "utf-16")


def test_elements_with_a_prefix_are_read(tmp_path):
    body = two_holes("".join(f"<innerBoundaryIs>{hole}</innerBoundaryIs>" for hole in HOLES))
    text = PREFIXED + body.replace("</", "</k:").replace("<", "<k:").replace("<k:/k:", "</k:")
    path = tmp_path / "ice.kml"
    path.write_text(text + "</k:Document></k:kml>")
    assert mask_digest(path) == sha256(path)
    assert load_mask(path).area == pytest.approx(1.0 - 0.01 - 0.04)


SHAPE = polygon(square(0, 0, 1.0))
AGAIN = "<coordinates>5,5 6,5 6,6 5,5</coordinates>"
BOX = "<north>74</north><south>71</south><east>-78</east><west>-82</west>"
PICTURE = f"<GroundOverlay><name>quicklook</name><LatLonBox>{BOX}</LatLonBox></GroundOverlay>"
BOMB = '<?xml version="1.0"?><!DOCTYPE k [<!ENTITY a "aaaa">]><kml>&a;</kml>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEAD + TAIL, "no polygon"),
        (HEAD + placemark("<Point><coordinates>1,2</coordinates></Point>") + TAIL, "no polygon"),
        (HEAD + placemark(polygon(square(500000, 7e6, 1000.0))) + TAIL, "degrees"),
        ("<html></html>", "not kml"),
        (HEAD + placemark(SHAPE * 2) + TAIL, "2 shapes side by side: Polygon, Polygon"),
        # Each of these costs the first polygon of two without a word.
        (HEAD + placemark(SHAPE + "<Point/>") + placemark(SHAPE) + TAIL, "2 shapes side by side"),
        (HEAD + placemark(f"<MultiGeometry>{SHAPE}</MultiGeometry>" * 2) + TAIL, "2 shapes side"),
        (HEAD + placemark(SHAPE + placemark(SHAPE)) + TAIL, "1 of its 2 polygons cannot be read"),
        (HEAD + f"<Folder>{SHAPE}</Folder>{placemark(SHAPE)}" + TAIL, "1 of its 2 polygons cannot"),
        (HEAD + placemark(f"<Polygon>{HOLES[0]}</Polygon>") + TAIL, "1 of its 1 polygons cannot"),
        (HEAD + placemark(SHAPE.replace("</L", f"{AGAIN}</L")) + TAIL, "its positions twice"),
        (HEAD + PICTURE + TAIL, "no polygon"),
        (
            HEAD + placemark(polygon(square(0, 0, 1.0)).replace("<L", f"{HOLES[0]}<L", 1)) + TAIL,
            "2 outlines",
        ),
        (HEAD + "<Folder>" * 2000 + "</Folder>" * 2000 + TAIL, "too deeply"),
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


def test_the_frame_of_a_picture_on_the_ground_is_no_mask(tmp_path):
    # GDAL reads it as a polygon: all of the picture that the mask is drawn over was inside.
    path = write(tmp_path, PICTURE + placemark(polygon(square(-81, 72, 1.0))))
    assert load_mask(path).area == pytest.approx(1.0)
    assert mask_digest(path) == f"{sha256(path)}, no frames"


def coordinates(text: str) -> str:
    outer = f"<LinearRing><coordinates>{text}</coordinates></LinearRing>"
    return f"<Polygon><outerBoundaryIs>{outer}</outerBoundaryIs></Polygon>"


CLOSED = "-81,72 -80,72 -80,73 -81,73 -81,72"
OPEN = "-81,72 -80,72 -80,73 -81,73"
HOLE = f"<innerBoundaryIs><LinearRing><coordinates>{OPEN}</coordinates></LinearRing>"
RINGS = {
    "open": (coordinates(OPEN), "not closed: it begins at -81,72 and ends at -81,73; repeat the"),
    "open with heights": (coordinates("1,2,0 3,2,0 3,4,0"), "not closed: it begins at 1,2,0"),
    "open in a collection": (
        f"<MultiGeometry>{coordinates(CLOSED)}{coordinates(OPEN)}</MultiGeometry>",
        "not closed",
    ),
    "open hole": (
        coordinates(CLOSED).replace("</Polygon>", HOLE + "</innerBoundaryIs></Polygon>"),
        "not closed",
    ),
    "last swapped": (coordinates(f"{OPEN} 72,-81"), "latitude and longitude swapped"),
    "decimal commas": (
        coordinates("-81,1,72,93 -80,1,72,93 -80,1,73,2 -81,1,72,93"),
        "'-81,1,72,93' is no position; decimal commas. Write -81.1,72.93",
    ),
    "decimal commas and height": (
        coordinates("-81,1,72,93,0 -80,1,72,93,0 -80,1,73,2,0 -81,1,72,93,0"),
        "decimal commas. Write -81.1,72.93",
    ),
    "decimal commas and blanks": (
        coordinates("-81,1 72,93 -80,1 72,93 -80,1 73,2 -81,1 72,93"),
        "not closed: .*decimal commas. Write -81.1,72.93",
    ),
    "semicolons": (coordinates(CLOSED.replace(",", ";")), "'-81;72' is no position"),
    "word": (coordinates("-81,72 east,72 -80,73 -81,73 -81,72"), "'east,72' is no position"),
    "letters": (coordinates("81W,72N 80W,72N 80W,73N 81W,72N"), "'81W,72N' is no position"),
    "not a number": (coordinates("-81,72 nan,72 -80,73 -81,72"), "'nan,72' is no position"),
    "infinite": (coordinates("-81,72 inf,72 -80,73 -81,72"), "'inf,72' is no position"),
    "one number": (coordinates("-81 -80 -80 -81"), "'-81' is no position; write positions as"),
    "one position": (coordinates("-81,72"), r"too few positions \(1 of"),
    "two positions": (coordinates("-81,72 -80,72"), "not closed: .*repeat the first position"),
    "a line there and back": (coordinates("-81,72 -80,72 -81,72"), r"too few positions \(3 of"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", RINGS)
def test_a_ring_not_written_as_kml_wants_it_is_refused_where_it_stands(tmp_path, case):
    geometry, says = RINGS[case]
    good = f"<Placemark>{coordinates(CLOSED)}</Placemark>"
    path = write(tmp_path, good + placemark(geometry).replace(">a<", ">floe 7<"))
    with pytest.raises(InputError, match=f"ice.kml: placemark 'floe 7': .*{says}"):
        load_mask(path)
    path = write(tmp_path, good + f"<Placemark>{geometry}</Placemark>")
    with pytest.raises(InputError, match=f"ice.kml: placemark 2: .*{says}"):
        load_mask(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "text",
    [
        "-81,72,0 -80,72,0 -80,73,0 -81,73,0 -81,72,5",
        "-81,72 -80,72 -80,73 -81,73 -81.0000001,72",
        "-81, 72\n -80, 72\n -80, 73\n -81, 73\n -81, 72",
    ],
    ids=["heights differ", "rounded", "blanks behind commas"],
)
def test_a_ring_that_ends_where_it_began_is_closed(tmp_path, text):
    mask = load_mask(write(tmp_path, placemark(coordinates(text))))
    assert mask.area == pytest.approx(1.0, abs=1e-5)


@pytest.mark.filterwarnings("error")
def test_what_was_not_drawn_costs_no_polygon_beside_it(tmp_path):
    ring_alone = f"<LinearRing><coordinates>{CLOSED}</coordinates></LinearRing>"
    body = placemark(coordinates("")) + placemark(ring_alone) + placemark(coordinates(CLOSED))
    assert load_mask(write(tmp_path, body)).area == pytest.approx(1.0)
    with pytest.raises(InputError, match="no polygon"):
        load_mask(write(tmp_path, placemark(ring_alone)))


@pytest.mark.filterwarnings("error")
def test_a_ring_of_very_many_vertices_is_read(tmp_path):
    turn = np.linspace(0.0, 2.0 * np.pi, 100_001)
    at = [f"{-80.5 + np.cos(t):.12f},{72.5 + np.sin(t):.12f}" for t in turn]
    mask = load_mask(write(tmp_path, placemark(coordinates(" ".join(at)))))
    assert mask.area == pytest.approx(np.pi, rel=1e-6)


def test_a_swapped_vertex_in_the_middle_is_said(tmp_path, caplog):
    path = write(tmp_path, placemark(coordinates("-81,72 -80,72 73,-80 -81,73 -81,72")))
    prepared(path, "parallel")
    assert not caplog.messages
    prepared(path, "parallel", say=True)
    assert any(
        "the vertex 73,-80 lies far" in text and "-80,73" in text for text in caplog.messages
    )
    caplog.clear()
    for points in (square(-81, 72, 1.0), square(0, 10, 60.0), [(0, 0), (60, 1), (1, 1), (0, 0)]):
        prepared(write(tmp_path, placemark(polygon(points))), "parallel", say=True)
    assert not caplog.messages


def test_every_unknown_mask_is_named_at_once(tmp_path):
    write(tmp_path, placemark(polygon(square(-81, 72, 1.0))))
    assert list(load_masks(tmp_path, ["ice"])) == ["ice"]
    with pytest.raises(InputError, match="icy") as caught:
        load_masks(tmp_path, ["icy", "land"])
    (tmp_path / "land.kmz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="is a KMZ archive"):
        load_masks(tmp_path, ["land"])
    assert "nearest: 'ice'" in str(caught.value) and "land" in str(caught.value)
