"""Output grids: of Sentinel-2 tiles by their names, of files, of rectangles; what is none."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.grids import Grid
from sensor2sensor.inference.scenes.grids import output_grid, tile_grid
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes import make_s2

UTM = "EPSG:32617"


@pytest.mark.parametrize(
    ("name", "epsg", "ulx_m", "uly_m"),
    [
        ("T46RER", 32646, 499980, 3100020),
        ("T29UNU", 32629, 499980, 5900040),
        # The south counts its 60 m from the equator: 6500040 would be the next multiple.
        ("T07HFE", 32707, 600000, 6500020),
        ("7hfe", 32707, 600000, 6500020),
        ("T33XWJ", 32633, 499980, 8900040),
        ("48PVS", 32648, 399960, 1200000),
        # One square on the limit of two latitude bands, and both its names.
        ("T13RFR", 32613, 600000, 3600000),
        ("T13SFR", 32613, 600000, 3600000),
    ],
)
def test_a_tile_lies_where_its_products_do(name, epsg, ulx_m, uly_m):
    assert tile_grid(name, 10.0) == Grid(epsg, ulx_m, uly_m, 10.0, 10980, 10980)
    assert tile_grid(name, 60.0) == Grid(epsg, ulx_m, uly_m, 60.0, 1830, 1830)


def test_tiles_lie_where_real_metadata_say(real_data):
    found = sorted(real_data.glob("s2_*/*.SAFE/GRANULE/*/MTD_TL.xml"))
    assert found
    for path in found:
        text = path.read_text()
        ulx, uly, epsg = (
            int(re.search(f"<{tag}>(?:EPSG:)?(\\d+)<", text)[1])
            for tag in ("ULX", "ULY", "HORIZONTAL_CS_CODE")
        )
        name = re.search(r"_(T\d{2}[A-Z]{3})_", path.parent.name)[1]
        grid = tile_grid(name, 10.0)
        assert (grid.ulx_m, grid.uly_m, grid.epsg) == (ulx, uly, epsg)


def test_every_square_lies_in_the_band_it_is_named_by():
    """Against PROJ: the middle of such a square lies in its latitude band, or just beside."""
    from pyproj import Transformer

    for name, south in [
        ("T31UDQ", 48),
        ("T01CCV", -80),
        ("T60KXF", -24),
        ("T36MZE", -8),
        ("T36NZF", 0),
    ]:
        grid = tile_grid(name, 60.0)
        to_degrees = Transformer.from_crs(grid.epsg, 4326, always_xy=True)
        _, lat = to_degrees.transform(500_000.0, grid.uly_m - 54_900.0)
        assert south - 0.5 < lat < south + 8.5, name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("T17XN", "is no name of a Sentinel-2 tile; zone, latitude band"),
        ("T61XNA", "is no name"),
        ("T17INA", "is no name"),
        ("T17XAA", "has no column A; columns of zone 17 are J to R"),
        ("T31TCC", "no square of row C lies in latitude band T of zone 31"),
    ],
)
def test_a_name_of_no_tile_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        tile_grid(name, 10.0)


def raster(path: Path, transform: Affine, crs: str | None = UTM, size=(30, 20)) -> Path:
    profile = {"driver": "GTiff", "width": size[0], "height": size[1], "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", transform=transform, crs=crs, **profile) as target:
        target.write(np.zeros((1, size[1], size[0]), np.uint8))
    return path


def test_like_takes_the_ground_of_a_file_in_the_pixels_of_the_model(tmp_path):
    path = raster(tmp_path / "a.tif", Affine(20, 0, 500010, 0, -20, 8000030))
    grid = Grid(32617, 500010, 8000030, 20, 30, 20)
    assert output_grid(SceneOptions(like=path), 20.0) == grid
    assert output_grid(SceneOptions(like=path), 10.0) == Grid(32617, 500010, 8000030, 10, 60, 40)
    # No ground is lost: 600 m are 12.5 pixels of 48 m.
    assert output_grid(SceneOptions(like=path), 48.0).shape == (9, 13)
    product = make_s2(tmp_path, size_px=384, bands=("B02",), resolutions=(10,), quality_masks=False)
    assert output_grid(SceneOptions(like=product), 10.0) == open_s2(product).grids[10]
    assert output_grid(SceneOptions(like=product), 30.0).shape == (128, 128)


def test_a_rectangle_grows_to_whole_pixels():
    box = (500003.0, 7999991.0, 500030.0, 8000000.0)
    grid = output_grid(SceneOptions(bbox=box, crs=UTM), 10.0)
    assert grid == Grid(32617, 500000.0, 8000000.0, 10.0, 3, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no grid of its own.*--like FILE, --tile T17XNA or --bbox"),
        ({"tile": "T17XNA", "bbox": (0, 0, 1, 1), "crs": UTM}, "several output grids"),
        ({"bbox": (0, 0, 1, 1)}, "--bbox has no reference system; add --crs"),
        ({"bbox": (1, 0, 0, 1), "crs": UTM}, "its order is west south east north"),
        ({"bbox": (0, 0, 1, 1), "crs": "EPSG:99"}, "EPSG:99: is no reference system"),
        ({"bbox": (10, 52, 11, 53), "crs": "EPSG:4326"}, "in degrees.*EPSG:32632 there"),
        ({"bbox": (1e6, 8e6, 1.1e6, 8.1e6), "crs": "EPSG:3857"}, "a metre of EPSG:3857 is 0.5"),
        ({"bbox": (1e6, 8e6, 1.1e6, 8.1e6), "crs": "EPSG:2263"}, "no system in metres"),
    ],
)
def test_what_is_no_grid_in_metres_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        output_grid(SceneOptions(**options), 10.0)


def test_files_without_a_grid_are_refused(tmp_path):
    turned = raster(tmp_path / "t.tif", Affine(10, 1, 500000, 1, -10, 8000000))
    with pytest.raises(InputError, match="north up"):
        output_grid(SceneOptions(like=turned), 10.0)
    bare = raster(tmp_path / "b.tif", Affine(10, 0, 500000, 0, -10, 8000000), crs=None)
    with pytest.raises(InputError, match="has no reference system"):
        output_grid(SceneOptions(like=bare), 10.0)
    (tmp_path / "x.tif").write_text("no raster")
    with pytest.raises(InputError, match="cannot be read"):
        output_grid(SceneOptions(like=tmp_path / "x.tif"), 10.0)
