"""No data is decided by exact pixels: every tile of a grid against the pixels themselves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.quicklooks import run as s2pngs
from sensor2sensor.preprocess.tiles import run as tifs
from sensor2sensor.preprocess.tiles.draw import VAIN_READS
from sensor2sensor.preprocess.tiles.pair import overview_reduction
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from tests.fakes.jp2 import write_jp2
from tests.unit.preprocess.tifs_archive import BANDS, FIRST, rows_of, scene

SIZE, TILE = 768, 64  # of 768 pixels the overview is half as large
T29UNU = "s2_safe/S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.SAFE"


def run40(root: Path, s2_root: Path, *arguments: str, tile: str, resolution_m: int = 10) -> Path:
    """Steps 20 and 40 on the only scene below a folder; returns the folder of its tiles."""
    env = root / "environment.json"
    env.write_text(json.dumps({"data_root": "data", "s2_root": str(s2_root)}))
    asked = ["--tile", tile, "--s2-only", "--resolution", str(resolution_m)]
    assert inventory.main(["--environment", str(env), *asked]) == 0
    (table,) = (root / "data" / "_inventory").glob("inv_*.csv")
    chosen = {"inventory": table.stem, "s2_indices": [0]}
    (root / "data" / "_inventory" / "sel.json").write_text(json.dumps(chosen))
    asked = ["--environment", str(env), "--selection", "sel", "--no-verify", "--margin", "0"]
    assert tifs.main([*asked, "--tilesize", str(TILE), "--grid", *arguments]) == 0
    return root / "data" / "_tif" / table.stem / str(TILE)


def corners(folder: Path) -> set[tuple[int, int]]:
    return {(int(row["x"]), int(row["y"])) for row in rows_of(folder)}


def usable(product: S2Product) -> set[tuple[int, int]]:
    """By brute force: the tiles of the grid without a pixel of no data or saturation."""
    bad = product.read_reflectance(BANDS, 10)[1] != 0
    steps = range(0, SIZE, TILE)
    return {(x, y) for x in steps for y in steps if not bad[y : y + TILE, x : x + TILE].any()}


def rejected(folder: Path) -> dict[str, int]:
    return json.loads((folder / "manifest.json").read_text())["scenes"]["0"]["rejected"]


@contextmanager
def windows_read() -> Iterator[list[PixelWindow]]:
    """The windows of the bands that are decoded meanwhile."""
    found, read = [], S2Product.read_reflectance

    def noted(self, bands, resolution_m, window=None, *, overview=1):
        found.extend([window] if window is not None else [])
        return read(self, bands, resolution_m, window, overview=overview)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S2Product, "read_reflectance", noted)
        yield found


@pytest.fixture(scope="module", params=["03.01", "04.00"])
def ice(request, tmp_path_factory) -> Path:
    """A scene of floes, leads and a coast, without a cloud and without a pixel of no data."""
    folder = tmp_path_factory.mktemp("ice")
    scene(folder / "s2", FIRST, size_px=SIZE, cloud=0.0, baseline=request.param)
    return folder


def only(folder: Path) -> S2Product:
    return open_s2(next((folder / "s2").iterdir()))


def test_no_valid_tile_of_an_ice_edge_is_lost(ice, tmp_path):
    product = only(ice)
    assert (product.read_dn("B04", 10) > 0).all()
    assert (product.read_dn("B04", 10, overview=2) == 0).any()  # undershoot, clamped
    folder = run40(tmp_path, ice / "s2", "--quantity", "999", tile="T17XNA")
    assert corners(folder) == usable(product)
    assert set(rejected(folder)) == {"saturated"}


def test_an_overview_of_a_whole_scene_has_no_hole_and_no_saturation(ice):
    product = only(ice)
    reduction = overview_reduction(product.grids[10])
    image = product.read_reflectance(("B04",), 10, overview=reduction)[0][..., 0]
    assert reduction == 2 and np.isfinite(image).all()
    dn = product.read_dn("B04", 10, overview=2)
    dark = (product.offsets["B04"]) / product.quantification
    np.testing.assert_allclose(image[dn == 0], dark, atol=1e-7)
    assert not product.read_reflectance(BANDS, 10, overview=2)[1].any()


def test_every_pixel_of_a_quicklook_inside_the_scene_is_opaque(ice, tmp_path):
    import rasterio

    env = tmp_path / "environment.json"
    env.write_text(json.dumps({"data_root": "data", "s2_root": str(ice / "s2")}))
    common = ["--environment", str(env)]
    assert inventory.main([*common, "--tile", "T17XNA", "--s2-only"]) == 0
    assert s2pngs.main([*common, "--inventory", "inv_T17XNA_s2", "--downsample", "2"]) == 0
    with rasterio.open(tmp_path / "data/_inventory/inv_T17XNA_s2/0.png") as source:
        assert (source.read(4) == 255).all()


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_the_part_outside_the_swath_is_empty_in_an_overview(tmp_path, level):
    """By the footprint for Level-1C, by the scene classification where there is one."""
    options = {"cloud": 0.0, "nodata_wedge": 0.4, "level": level, "resolutions": (10, 60)}
    product = open_s2(scene(tmp_path, FIRST, size_px=SIZE, **options))
    assert product.quality_source(10) == {"L1C": "MSK_CLASSI", "L2A": "SCL"}[level]
    reduction = overview_reduction(product.grids[10])
    image = product.read_reflectance(("B04",), 10, overview=reduction)[0][..., 0]
    empty = (product.read_dn("B04", 10) == 0).reshape(384, reduction, 384, reduction)
    inside, outside = ~empty.any(axis=(1, 3)), empty.all(axis=(1, 3))
    assert np.isfinite(image[inside]).all()
    assert np.isnan(image[outside]).mean() > 0.97  # the classes' pixels are of 60 m
    beyond, word = product.read_reflectance(BANDS, 10, PixelWindow(-8, 0, 8, 8), overview=2)
    assert np.isnan(beyond).all() and (word == 1).all()


@pytest.fixture
def wedge(tmp_path) -> Path:
    """A scene whose swath leaves 40 % of the tile empty."""
    return scene(tmp_path / "s2", FIRST, size_px=SIZE, cloud=0.0, nodata_wedge=0.4)


def test_an_empty_part_is_rejected_without_decoding_it(tmp_path, wedge):
    product = open_s2(wedge)
    empty = product.read_dn("B04", 10) == 0
    with windows_read() as read:
        folder = run40(tmp_path, tmp_path / "s2", "--quantity", "999", tile="T17XNA")
    found = corners(folder)
    assert found == usable(product) and len(found) > 70
    tiles = [window for window in read if window.width == TILE]
    assert len(tiles) <= len(found) + VAIN_READS["bands"]
    assert not any(empty[window.rows, window.columns].all() for window in tiles)


def test_an_empty_part_no_footprint_tells_of_costs_a_few_tiles(tmp_path, wedge):
    """A footprint of the whole tile: the pixels still decide, and few are looked at in vain."""
    whole = scene(tmp_path / "whole", FIRST, size_px=SIZE, cloud=0.0, bands=("B04",))
    xml = wedge / "MTD_MSIL1C.xml"
    start, end = "<EXT_POS_LIST>", "</EXT_POS_LIST>"
    ring = (whole / "MTD_MSIL1C.xml").read_text().split(start)[1].split(end)[0]
    before, rest = xml.read_text().split(start)
    true, after = rest.split(end)
    xml.write_text(before + start + ring.ljust(len(true)) + end + after)  # of the size listed
    with windows_read() as read:
        folder = run40(tmp_path, tmp_path / "s2", "--quantity", "999", tile="T17XNA")
    found = corners(folder)
    assert found == usable(open_s2(wedge))
    assert rejected(folder)["nodata"] > 50
    assert sum(window.width == TILE for window in read) <= len(found) + VAIN_READS["bands"]


def test_a_coarser_mask_is_no_reason(tmp_path):
    """Tiles of 10 m go by the classes of 20 m, whatever those of 60 m say."""
    made = scene(
        tmp_path / "s2", FIRST, size_px=384, cloud=0.0, level="L2A", resolutions=(10, 20, 60)
    )
    coarse = next(made.rglob("*SCL_60m.jp2"))
    write_jp2(
        coarse, np.full((64, 64), 9, np.uint8), resolution_m=60, epsg=32617,
        ulx_m=499980.0, uly_m=8100000.0,
    )  # fmt: skip
    folder = run40(tmp_path, tmp_path / "s2", "--quantity", "999", tile="T17XNA")
    assert "cloud" not in rejected(folder) and len(corners(folder)) > 30


def recoded(source: Path, target: Path) -> None:
    """The product as a baseline without offsets would hold it: 1000 less, never below 1."""
    import rasterio

    for name in ("GRANULE/*/MTD_TL.xml", "GRANULE/*/IMG_DATA/R60m/*_SCL_60m.jp2"):
        path = next(source.glob(name))
        (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target / path.relative_to(source))
    lines = (source / "MTD_MSIL2A.xml").read_text().splitlines()
    kept = [line for line in lines if "BOA_ADD_OFFSET" not in line]
    text = "\n".join(kept).replace("<PROCESSING_BASELINE>04.00", "<PROCESSING_BASELINE>03.01")
    (target / "MTD_MSIL2A.xml").write_text(text)
    for band in BANDS:
        path = next(source.glob(f"GRANULE/*/IMG_DATA/R60m/*_{band}_60m.jp2"))
        with rasterio.open(path) as image:
            dn, place = image.read(1).astype(np.int32), image.transform
        stored = np.where(dn > 0, np.maximum(dn - 1000, 1), 0).astype(np.uint16)
        write_jp2(
            target / path.relative_to(source), stored, resolution_m=60, epsg=32629,
            ulx_m=place.c, uly_m=place.f,
        )  # fmt: skip


@pytest.mark.slow
def test_the_real_product_gives_the_same_tiles_without_its_offset(real_data, tmp_path):
    source = real_data / T29UNU
    old = tmp_path / "old" / "s2" / source.name.replace("N0400", "N0301")
    (tmp_path / "shipped").mkdir()
    recoded(source, old)
    product = open_s2(old)
    assert product.baseline == "03.01" and set(product.offsets.values()) == {0.0}
    found = [
        corners(run40(tmp_path / root, s2, "--quantity", "999", tile="T29UNU", resolution_m=60))
        for root, s2 in (("shipped", real_data / "s2_safe"), ("old", old.parent))
    ]
    assert found[0] == found[1] and len(found[0]) > 75
