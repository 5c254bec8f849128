"""Steps 10 to 40 and prediction over the layouts of one product: the same tiles, byte for byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sensor2sensor.geo.grids import PixelWindow, block_means
from sensor2sensor.inference.scenes.opening import open_scene, paths_of
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.preprocess import tilecodes
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.quicklooks import run as quicklooks
from sensor2sensor.preprocess.tiles import pair
from sensor2sensor.preprocess.tiles import run as tifs
from sensor2sensor.preprocess.tiles.table import read_table
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes.open_buckets import as_cogs, as_tile
from tests.unit.inference.forms import degraded
from tests.unit.preprocess.tifs_archive import FIRST, overpass, scene

NAME = "inv_T17XNA_3h"


LAYOUTS: dict[str, Callable[[Path, Path], object]] = {
    "SAFE": lambda safe, folder: shutil.copytree(safe, folder / safe.name),
    "COG": lambda safe, folder: as_cogs(safe, folder, form="c1"),
    "tile": as_tile,
}


@pytest.fixture(scope="module")
def cut(tmp_path_factory) -> dict[str, Path]:
    """By layout an archive that went through steps 10 to 40."""
    root = tmp_path_factory.mktemp("layouts")
    options = {"level": "L2A", "baseline": "05.09", "resolutions": (10, 20), "cloud": 0.2}
    safe = scene(root / "safe", **options)
    overpass(root / "s3", FIRST + timedelta(minutes=20), cloud=0.0)
    made = {}
    for layout, lay_out in LAYOUTS.items():
        place = root / layout
        lay_out(safe, place / "s2")
        environment = place / "environment.json"
        roots = {"data_root": "data", "s2_root": "s2", "s3_root": "../s3"}
        environment.write_text(json.dumps(roots))
        common = ["--environment", str(environment)]
        assert tilecodes.main(common) == 0
        assert inventory.main([*common, "--tile", "T17XNA", "--timediff", "3", "--verify"]) == 0
        assert quicklooks.main([*common, "--inventory", NAME, "--downsample", "5"]) == 0
        selection = {"inventory": NAME, "s2_indices": [0]}
        (place / "data" / "_inventory" / "sel.json").write_text(json.dumps(selection))
        more = ["--selection", "sel", "--tilesize", "64", "--quantity", "3", "--margin", "12"]
        assert tifs.main([*common, *more]) == 0
        made[layout] = place
    return made


def tiles(place: Path) -> Path:
    return place / "data" / "_tif" / NAME / "64"


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "SAFE"])
def test_tiles_are_those_of_the_safe_byte_for_byte(cut, layout):
    files = {
        name: {path.name: path.read_bytes() for path in tiles(cut[name]).glob("000*")}
        for name in ("SAFE", layout)
    }
    assert len(files["SAFE"]) == 9 and files[layout] == files["SAFE"]
    rows, wanted = (read_table(tiles(cut[one]) / "tiles.csv") for one in (layout, "SAFE"))
    same = ("tile", "cloud_fraction", "time_gap_h", "s2date", "overpass", "shift_m", "sha256")
    for row, other in zip(rows, wanted, strict=True):
        assert all(getattr(row, one) == getattr(other, one) for one in same)
    (facts,) = json.loads((tiles(cut[layout]) / "manifest.json").read_text())["scenes"].values()
    assert facts["offsets"] == dict.fromkeys(("B02", "B03", "B04"), -1000.0)
    told = {"COG": "raster:bands", "tile": "baseline"}[layout]
    assert facts.get("offset_source") == told and facts["quality_source"] == "SCL"
    # A GeoTIFF without overviews is thinned out, a JPEG 2000 has smaller images of its own.
    picture = Path("data") / "_inventory" / NAME / "0.png"
    equal = (cut[layout] / picture).read_bytes() == (cut["SAFE"] / picture).read_bytes()
    assert equal == (layout == "tile")


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_the_overview_of_a_geotiff_is_made_of_whole_blocks(cut, monkeypatch, layout):
    monkeypatch.setattr(pair, "overview_reduction", lambda grid: 4)
    (path,) = paths_of([str(cut[layout] / "s2")])
    product = open_s2(path)
    options = SimpleNamespace(resolution_m=10, bands=("B02", "B03", "B04"))
    opened = SimpleNamespace(grid=product.grids[10], options=options, s2=product)
    made = pair.OpenPair.overview_in_red(opened)
    whole, _ = product.read_reflectance(("B04",), 10)
    means = block_means(whole[..., 0], 4)
    assert made.centre == (0.5 if layout == "COG" else 0.125) and made.image.shape == means.shape
    assert np.array_equal(made.image, means, equal_nan=True) == (layout == "COG")


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "SAFE"])
def test_a_model_gets_the_same_pixels(cut, layout):
    form, window = degraded(2), PixelWindow(40, 60, 64, 64)
    (path,), (safe,) = (paths_of([str(cut[one] / "s2")]) for one in (layout, "SAFE"))
    made, wanted = (open_scene(one, form, SceneOptions()).window(window) for one in (path, safe))
    assert np.array_equal(made.record.input_pixels, wanted.record.input_pixels, equal_nan=True)
    assert np.array_equal(made.record.input_index, wanted.record.input_index)


def test_checksums_are_noted_only_where_there_are_any(cut, capsys):
    for layout, said in {"SAFE": "verified", "COG": "not checked"}.items():
        place = ["--environment", str(cut[layout] / "environment.json"), "--tile", "T17XNA"]
        assert inventory.main([*place, "--timediff", "3", "--verify", "--dry-run"]) == 0
        none = "nothing compared of 1 of 1 Sentinel-2 products" in capsys.readouterr().out
        assert none == (layout == "COG")
        notes = json.loads((cut[layout] / "data" / "_inventory" / f"{NAME}.json").read_text())
        told = {one["checksums"] for one in notes["products"].values() if one.get("level")}
        assert told == {said}
