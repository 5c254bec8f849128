"""The sidecar of a prediction: a STAC item that other people's tools read, or none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_bounds

from sensor2sensor.core import files
from sensor2sensor.inference.cog import WrittenCog, write_cog
from sensor2sensor.inference.output import OutputBand
from sensor2sensor.inference.scenes.scene import Frame
from sensor2sensor.inference.stac import Told, sidecar, write_sidecar

TILE = Frame(24, 16, (4575.0, 0.0, 399960.0, 0.0, -6862.5, 6000000.0), "EPSG:32629")
TIME = {"datetime": "2022-10-05T11:54:11.024Z"}
TOLD = Told({"name": "edsr"}, {"name": "S2A", **TIME}, {"dtype": "float32"}, ["level L2A"])
SATELLITE = (OutputBand("B04", "reflectance", 664.6), OutputBand("B04", "reflectance", kind="std"))


def written(tmp_path: Path, frame: Frame, bands=SATELLITE) -> WrittenCog:
    image = np.zeros((*frame.shape, len(bands)), np.float32)
    image[0] = np.nan
    return write_cog(tmp_path / "out.tif", frame, bands, [image])


def validated(item: dict):
    """Checked against STAC's own schemas, which pystac carries; those of extensions it would fetch.

    Theirs ask for the keys that the tests below name.
    """
    import pystac
    from pystac.validation import JsonSchemaSTACValidator

    kind, version = pystac.STACObjectType.ITEM, item["stac_version"]
    assert JsonSchemaSTACValidator().validate_core(item, kind, version)
    return pystac.Item.from_dict(item)


def test_the_item_says_what_the_file_is(tmp_path):
    from pystac.extensions.file import FileExtension
    from pystac.extensions.projection import ProjectionExtension

    cog = written(tmp_path, TILE)
    for name in ("out.png", "out.html"):
        (tmp_path / name).touch()
    path = write_sidecar(cog, TOLD, [tmp_path / "out.png", tmp_path / "out.html"])
    assert path == tmp_path / "out.json"
    said = json.loads(path.read_text())
    item = validated(said)
    assert item.id == "out" and item.datetime.isoformat() == "2022-10-05T11:54:11.024000+00:00"
    asset = item.assets["prediction"]
    with rasterio.open(tmp_path / asset.href) as source:
        grid = ProjectionExtension.ext(item)
        assert grid.code == "EPSG:32629" and grid.shape == list(source.shape)
        assert grid.transform == list(source.transform)[:6] and grid.bbox == list(source.bounds)
        box = transform_bounds(source.crs, "EPSG:4326", *source.bounds, densify_pts=16)
    assert item.bbox == pytest.approx(list(box), abs=1e-4)
    digest = FileExtension.ext(asset)
    assert digest.size == cog.path.stat().st_size
    assert digest.checksum == "1220" + files.sha256(cog.path)
    first, second = said["assets"]["prediction"]["bands"]
    assert first["name"] == "B04" and first["nodata"] == "nan" and first["raster:scale"] == 1.0
    assert first["eo:center_wavelength"] == 0.6646 and "eo:center_wavelength" not in second
    assert second["name"] == "B04_std" and second["description"] == "std"
    assert "https://stac-extensions.github.io/eo/v2.0.0/schema.json" in said["stac_extensions"]
    own = said["properties"]
    assert own["s2s:model"] == {"name": "edsr"} and own["s2s:notices"] == ["level L2A"]
    assert own["s2s:valid_percent"] == 93.75 and own["gsd"] == 4575.0
    assert said["assets"]["png"]["href"] == "./out.png"
    assert said["assets"]["html"]["type"] == "text/html"


def test_the_footprint_bends_as_the_projection_does(tmp_path):
    from shapely.geometry import shape

    said = sidecar(written(tmp_path, TILE), TOLD)
    footprint = shape(said["geometry"])
    assert footprint.is_valid and footprint.exterior.is_ccw
    # A parallel to the equator of the zone's grid is none of the globe: the edge bows.
    south = [lat for _, lat in footprint.exterior.coords if lat < 53.17]
    straight = np.interp(0.5, [0, 1], [south[0], south[-1]])
    assert len(south) == 17 and abs(south[8] - straight) > 1e-3


def test_a_scene_across_180_degrees_has_two_parts(tmp_path):
    frame = Frame(11, 11, (10000.0, 0.0, 599960.0, 0.0, -10000.0, 7000020.0), "EPSG:32660")
    said = sidecar(written(tmp_path, frame), TOLD)
    validated(said)
    assert said["geometry"]["type"] == "MultiPolygon" and len(said["geometry"]["coordinates"]) == 2
    west, south, east, north = said["bbox"]
    assert 178 < west < 180 and -180 < east < -178 and 61 < south < north < 64


def test_a_scene_around_the_pole_holds_it(tmp_path):
    from shapely.geometry import Point, shape

    frame = Frame(20, 20, (1e5, 0.0, -1e6, 0.0, -1e5, 1e6), "EPSG:3413")
    said = sidecar(written(tmp_path, frame), TOLD)
    validated(said)
    footprint = shape(said["geometry"])
    assert all(footprint.contains(Point(lon, 89)) for lon in range(-170, 180, 20))
    assert said["bbox"][::2] == [-180.0, 180.0] and said["bbox"][3] == 90.0


@pytest.mark.parametrize(
    ("frame", "time", "lack"),
    [
        (Frame(9, 7), TIME, "place"),
        (Frame(9, 7), {}, "place and time"),
        (TILE, {"start_datetime": "2022-10-05T11:54:11Z"}, "time"),
        (Frame(9, 7, (1.0, 0, 0, 0, -1.0, 0), 'LOCAL_CS["site",UNIT["metre",1]]'), TIME, "place"),
    ],
)
def test_what_has_no_place_or_time_is_no_item_and_says_the_same(tmp_path, frame, time, lack):
    photo = (OutputBand("red", "DN", value_range=(0.0, 255.0)),)
    said = sidecar(written(tmp_path, frame, photo), Told({"name": "p"}, time))
    assert said["why"] == f"no STAC item: the scene says no {lack}" and "type" not in said
    assert said["properties"]["s2s:model"] == {"name": "p"}
    assert said["properties"]["s2s:synthetic"] is True
    assert said["assets"]["prediction"]["href"] == "./out.tif"


def test_a_period_is_a_time(tmp_path):
    period = {"start_datetime": "2022-10-05T11:54:11Z", "end_datetime": "2022-10-05T11:57:11Z"}
    said = sidecar(written(tmp_path, TILE), Told({}, period))
    validated(said)
    assert said["properties"]["datetime"] is None
