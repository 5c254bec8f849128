"""Generated Sentinel-2 products have the structure, coding and values of real ones."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize
from shapely import Polygon, contains_xy

from tests.fakes import World, make_s2
from tests.fakes.jp2 import write_jp2
from tests.fakes.s2 import DEFAULT_SENSING
from tests.unit.fakes.helpers import codestream, read_dn, tree_hash, xml

FAST = {"bands": ("B02", "B04"), "resolutions": (10,), "size_px": 192, "quality_masks": False}


def test_two_runs_are_identical_byte_for_byte(tmp_path: Path) -> None:
    first, second = (make_s2(tmp_path / n, zip=True, **FAST) for n in "ab")
    assert first.name == second.name
    assert tree_hash(first) == tree_hash(second)


def test_another_seed_gives_another_ground(tmp_path: Path) -> None:
    first = make_s2(tmp_path / "a", seed=1, **FAST)
    second = make_s2(tmp_path / "b", seed=2, **FAST)
    a, b = (read_dn(p, "B04").astype(float) for p in (first, second))
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.9


def test_level_1c_has_fourteen_flat_images(l1c: Path) -> None:
    names = sorted(p.stem.rsplit("_", 1)[-1] for p in l1c.glob("GRANULE/*/IMG_DATA/*.jp2"))
    assert names == sorted([*(f"B{i:02d}" for i in range(1, 13)), "B8A", "TCI"])
    sizes = {}
    for band in ("B02", "B05", "B01"):
        with rasterio.open(next(l1c.rglob(f"IMG_DATA/*_{band}.jp2"))) as image:
            sizes[band] = (image.width, image.transform.a, image.dtypes[0], image.crs.to_epsg())
    assert sizes == {
        "B02": (384, 10.0, "uint16", 32617),
        "B05": (192, 20.0, "uint16", 32617),
        "B01": (64, 60.0, "uint16", 32617),
    }


def test_level_2a_has_thirty_six_images(l2a: Path) -> None:
    counts = {r: len(list(l2a.glob(f"GRANULE/*/IMG_DATA/R{r}m/*_{r}m.jp2"))) for r in (10, 20, 60)}
    assert counts == {10: 7, 20: 14, 60: 15}
    listed = [e.text for e in xml(l2a / "MTD_MSIL2A.xml").iter("IMAGE_FILE")]
    assert len(listed) == 36
    assert all((l2a / f"{name}.jp2").is_file() for name in listed)


@pytest.mark.parametrize(
    ("resolution_m", "tile", "code_block"), [(10, 1024, 64), (20, 640, 8), (60, 192, 4)]
)
def test_images_are_coded_like_real_ones(
    tmp_path: Path, resolution_m: int, tile: int, code_block: int
) -> None:
    data = np.random.default_rng(0).integers(1, 20000, (1100, 1100)).astype(np.uint16)
    path = tmp_path / "a.jp2"
    write_jp2(path, data, resolution_m=resolution_m, epsg=32617, ulx_m=499980, uly_m=8100000)
    head = codestream(path)
    assert head == {
        "width": 1100, "height": 1100, "tile": tile, "bits": 15, "progression": 0, "layers": 1,
        "levels": 4, "code_block": code_block, "reversible": 1,
    }  # fmt: skip
    with rasterio.open(path) as image:
        assert (image.read(1) == data).all()


@pytest.mark.parametrize(("name", "algorithm"), [("l1c", "SHA3-256"), ("wedge", "MD5")])
def test_manifest_checksums_are_those_of_the_files(
    name: str, algorithm: str, request: pytest.FixtureRequest
) -> None:
    product: Path = request.getfixturevalue(name)
    listed = set()
    for stream in xml(product / "manifest.safe").iter("byteStream"):
        checksum = stream.find("checksum")
        data = (product / stream.find("fileLocation").get("href")).read_bytes()
        new = hashlib.sha3_256 if algorithm == "SHA3-256" else hashlib.md5
        assert checksum.get("checksumName") == algorithm
        assert checksum.text.lower() == new(data).hexdigest()
        assert int(stream.get("size")) == len(data)
        listed.add(stream.find("fileLocation").get("href").removeprefix("./"))
    there = {p.relative_to(product).as_posix() for p in product.rglob("*") if p.is_file()}
    assert listed == there - {"manifest.safe"}


def test_offsets_come_with_baseline_four(tmp_path: Path) -> None:
    old = make_s2(tmp_path, baseline="03.01", **FAST)
    new = make_s2(tmp_path, baseline="04.00", **FAST)
    offsets = [e.text for e in xml(new / "MTD_MSIL1C.xml").iter("RADIO_ADD_OFFSET")]
    assert offsets == ["-1000"] * 13
    assert not list(xml(old / "MTD_MSIL1C.xml").iter("Radiometric_Offset_List"))
    before, after = (read_dn(p, "B04").astype(int) for p in (old, new))
    usable = (before > 1) & (before < 65535)
    assert (after - before)[usable].tolist() == [1000] * int(usable.sum())


def test_negative_reflectance_and_saturation_occur(l2a: Path) -> None:
    values = read_dn(l2a, "B04")
    assert ((values > 0) & (values < 1000)).any()
    assert 1 <= (values == 65535).sum() <= 9


def test_nodata_wedge_and_footprint_agree(wedge: Path) -> None:
    missing = read_dn(wedge, "B02") == 0
    assert abs(missing.mean() - 0.3) < 0.005
    text = next(xml(wedge / "MTD_MSIL1C.xml").iter("EXT_POS_LIST")).text
    latlon = np.array(text.split(), float).reshape(-1, 2)
    assert (latlon[0] == latlon[-1]).all()
    from pyproj import Transformer

    to_metres = Transformer.from_crs(4326, 32617, always_xy=True)
    x, y = to_metres.transform(latlon[:, 1], latlon[:, 0])
    outline = Polygon(np.column_stack([x, y]))
    steps = np.arange(384) * 10.0 + 5.0
    px, py = np.meshgrid(499980 + steps, 8100000 - steps)
    inside = contains_xy(outline, px.ravel(), py.ravel()).reshape(px.shape)
    assert (inside != missing).mean() > 0.998
    assert (inside == ~missing)[:, 250:].all()


def _gml_mask(product: Path) -> np.ndarray:
    rings = []
    for feature in xml(next(product.rglob("MSK_CLOUDS_B00.gml"))).iter("Polygon"):
        points = [np.array(r.text.split(), float).reshape(-1, 2) for r in feature.iter("posList")]
        rings.append((Polygon(points[0], points[1:]), 1))
    grid = rasterio.Affine(60, 0, 499980, 0, -60, 8100000)
    return rasterize(rings, (64, 64), transform=grid) > 0


def test_cloud_masks_agree_with_metadata(l1c: Path, wedge: Path) -> None:
    with rasterio.open(next(l1c.rglob("MSK_CLASSI_B00.jp2"))) as image:
        assert (image.count, image.width, image.dtypes[0]) == (3, 64, "uint8")
        cloud = image.read([1, 2]).any(axis=0).mean()
    told = float(next(xml(l1c / "MTD_MSIL1C.xml").iter("Cloud_Coverage_Assessment")).text)
    assert told == pytest.approx(100 * cloud, abs=1e-4)
    assert told == pytest.approx(20, abs=1)
    valid = (64 * 64) * 0.7
    told = float(next(xml(wedge / "MTD_MSIL1C.xml").iter("Cloud_Coverage_Assessment")).text)
    assert told == pytest.approx(100 * _gml_mask(wedge).sum() / valid, rel=0.02)
    assert not list(wedge.rglob("MSK_CLASSI*"))


def test_clouds_are_bright_where_the_mask_says(l1c: Path) -> None:
    with rasterio.open(next(l1c.rglob("MSK_CLASSI_B00.jp2"))) as image:
        opaque = image.read(1) > 0
    dn = read_dn(l1c, "B02").astype(float)
    blue = (dn.reshape(64, 6, 64, 6).mean(axis=(1, 3)) - 1000) / 10000
    assert np.median(blue[opaque]) > 0.45
    assert np.median(blue[~opaque]) < 0.3


def test_satpy_reads_the_same_reflectance(l1c: Path, l2a: Path) -> None:
    import satpy

    for product, reader in ((l1c, "msi_safe"), (l2a, "msi_safe_l2a")):
        images = [*product.glob("GRANULE/*/IMG_DATA/**/*.jp2"), *product.rglob("MTD*.xml")]
        scene = satpy.Scene([str(f) for f in images], reader=reader)
        scene.load(["B04"], resolution=10)
        dn = read_dn(product, "B04").astype(np.float64)
        expected = np.where(dn == 65535, np.inf, (dn - 1000) / 100)
        assert np.allclose(scene["B04"].values, expected, rtol=0, atol=2e-5)


def test_zip_holds_the_folder(tmp_path: Path) -> None:
    folder = make_s2(tmp_path / "f", **FAST)
    packed = make_s2(tmp_path / "z", zip=True, **FAST)
    assert packed.suffix == ".zip"
    assert not packed.with_suffix(".SAFE").exists()
    with zipfile.ZipFile(packed) as archive:
        inside = {n: archive.read(n) for n in archive.namelist()}
    there = {p.relative_to(folder.parent).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    assert set(inside) == set(there)
    assert all(inside[name] == path.read_bytes() for name, path in there.items())


def test_tile_in_another_zone(tmp_path: Path) -> None:
    product = make_s2(tmp_path, tile="T33UUB", epsg=32633, ulx=300000, uly=6200040, **FAST)
    with rasterio.open(next(product.rglob("*_B02.jp2"))) as image:
        assert image.crs.to_epsg() == 32633
        assert (image.transform.c, image.transform.f) == (300000, 6200040)
    with pytest.raises(ValueError, match="zone"):
        make_s2(tmp_path, world=World(0), epsg=32633, **FAST)


def test_names_follow_the_convention(l1c: Path) -> None:
    parts = l1c.name.split("_")
    assert parts[:2] == ["S2A", "MSIL1C"]
    assert parts[2] == DEFAULT_SENSING.strftime("%Y%m%dT%H%M%S")
    assert parts[3:6] == ["N0400", "R026", "T17XNA"]
    assert next(xml(l1c / "MTD_MSIL1C.xml").iter("PRODUCT_URI")).text == l1c.name
