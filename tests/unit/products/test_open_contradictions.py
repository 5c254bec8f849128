"""Two descriptions of one tile have to agree, and its outline has to lie where its images do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sensor2sensor.core.errors import ProductError
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.products.s2_coding import SIDECAR
from sensor2sensor.products.s2_identity import NAME
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes.open_buckets import as_cogs, as_tile
from tests.fakes.s2 import make_s2
from tests.real_data import samples
from tests.unit.products.test_open_items import edited, refused

BANDS = ("B02", "B04")
OLD, NEW = "N0301", "N0509"


def altered(folder: Path, file: str, *pairs: tuple[str, str]) -> Path:
    text = (folder / file).read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    (folder / file).write_text(text)
    return folder


@pytest.mark.parametrize("file", ["tileInfo.json", "productInfo.json", "metadata.xml"])
def test_papers_of_two_processings_that_differ_in_their_offset_are_refused(l2a, tmp_path, file):
    """A bucket keeps one path for all of them: what is fetched anew in part has papers of two."""
    written = {"metadata.xml": ("N05.09", "N03.01")}.get(file, (NEW, OLD))
    folder = altered(as_tile(l2a, tmp_path), file, written)
    said = refused(folder)
    assert "contradicts itself in its baseline, and so its offset" in said and SIDECAR in said
    assert f"{file} names S2A_" in said and all(f"_N{n}" in said for n in ("03", "05"))
    (folder / SIDECAR).write_text('{"offset": -1000}')
    assert open_s2(folder).offsets["B02"] == -1000.0 and open_s2(folder).baseline == "05.09"


def test_papers_of_two_processings_that_are_coded_alike_are_one_tile(l2a, tmp_path):
    folder = altered(as_tile(l2a, tmp_path), "tileInfo.json", (NEW, "N0510"))
    assert open_s2(folder).baseline == "05.10" and open_s2(folder).offsets["B02"] == -1000.0
    # Of sen2cor: a number of its own, which says nothing of an offset, so nothing against one.
    altered(folder, "tileInfo.json", ("N0510", "N9999"))
    assert "nothing says whether its numbers carry an offset (baseline 99.99" in refused(folder)


def test_step_20_says_so(l2a, tmp_path, capsys):
    folder = altered(as_tile(l2a, tmp_path / "s2"), "tileInfo.json", (NEW, OLD))
    environment = tmp_path / "environment.json"
    roots = {"data_root": "data", "s2_root": "s2", "s3_root": "s3"}
    (tmp_path / "s3").mkdir()
    environment.write_text(json.dumps(roots))
    inventory.main(["--environment", str(environment), "--tile", "T17XNA", "--s2-only"])
    told = "".join(capsys.readouterr())
    assert "contradicts itself in its baseline" in told and folder.name in told


@pytest.mark.parametrize("words", [
    {"s2:processing_baseline": "03.01"}, {"s2:processing_baseline": "N0301"},
    {"s2:granule_id": "S2A_OPER_MSI_L2A_TL_2APS_20220714T212611_A036812_T17XNA_N03.01"},
])  # fmt: skip
@pytest.mark.parametrize("coding", [False, True])
def test_an_item_of_two_baselines_that_differ_in_their_offset_is_refused(
    l2a, tmp_path, words, coding
):
    folder = as_cogs(l2a, tmp_path, applied=False, coding=coding, item=words)
    if coding:  # as if nothing had been to take off
        edited(folder, lambda item: [
            one["raster:bands"][0].update(offset=0)
            for one in item["assets"].values() if "raster:bands" in one
        ])  # fmt: skip
        edited(folder, lambda item: item["properties"].pop("earthsearch:boa_offset_applied"))
    said = refused(folder)
    assert "contradicts itself in its baseline" in said and "03.01" in said
    other = "says itself S2A L2A T17XNA" if "s2:granule_id" in words else "names the product S2A_"
    assert other in said and ("05.09" in said or NEW in said)


def test_what_was_taken_off_is_the_same_of_any_baseline(l2a, tmp_path):
    """The flag alone tells the offset, and what doubts it asks as of the newer baseline."""
    item = {"s2:processing_baseline": "03.01"}
    product = open_s2(as_cogs(l2a, tmp_path, applied=True, item=item))
    assert product.offset_source == "boa_offset_applied" and product.baseline == "05.09"
    assert product.saturated == 64535


@pytest.mark.parametrize("words", [
    {"s2:granule_id": "S2A_OPER_MSI_L1C_TL_2APS_20220714T192611_A036812_T17XNA_N03.01"},
    {"s2:processing_baseline": None}, {"s2:product_uri": None}, {"s2:processing_baseline": "0509"},
    {"s2:product_uri": "S2A_MSIL2A_20220714T171911_N0510_R026_T17XNA_20240714T212611.SAFE"},
])  # fmt: skip
def test_what_real_items_differ_in_is_no_contradiction(l2a, tmp_path, words):
    product = open_s2(as_cogs(l2a, tmp_path, applied=False, item=words))
    assert product.baseline == "05.09" and product.offsets["B02"] == -1000.0


OTHERS = {
    "of another tile": ("T17XNA", "T17XNB"),
    "of another day": ("20220714T171911", "20220713T171911"),
    "of another satellite": ("S2A_MSI", "S2B_MSI"),
    "of another level": ("MSIL2A", "MSIL1C"),
    "sensed on another day": ('"timestamp": "2022', '"timestamp": "2021'),
    "of another square": ('"gridSquare": "NA"', '"gridSquare": "NB"'),
}


@pytest.mark.parametrize("other", OTHERS)
def test_papers_of_two_tiles_are_refused_with_both(l2a, tmp_path, other):
    folder = altered(as_tile(l2a, tmp_path), "tileInfo.json", OTHERS[other])
    said = refused(folder)
    assert "tileInfo.json names S2" in said or "tileInfo.json says T17XN" in said
    assert folder.name in said and "fetch it again" in said


def test_an_old_item_is_held_against_its_product_too(l2a, tmp_path):
    """Version 0 of Earth Search says its tile in three words."""
    item = {"sentinel:grid_square": "NB"}
    folder = as_cogs(l2a, tmp_path, form="v0", applied=True, item=item)
    assert "names the product" in refused(folder) and "L2A T17XNB" in refused(folder)


def test_a_product_xml_beside_a_tile_is_of_its_own_product(l2a, tmp_path):
    """Of JPEG 2000 its list of offsets counts before the baseline: another product's, too."""
    old = make_s2(tmp_path, level="L2A", baseline="02.14", size_px=192, bands=BANDS, cloud=0.3,
                  quality_masks=False)  # fmt: skip
    folder = as_tile(l2a, tmp_path / "tile")
    shutil.copy(old / "MTD_MSIL2A.xml", folder)
    said = refused(folder)
    assert "contradicts itself in its baseline" in said and "MTD_MSIL2A.xml names" in said
    shutil.copy(l2a / "MTD_MSIL2A.xml", folder)
    assert open_s2(folder).offset_source == "product XML"
    altered(folder, "MTD_MSIL2A.xml", ("T17XNA", "T17XNB"))
    assert "MTD_MSIL2A.xml names S2A_" in refused(folder) and "T17XNB" in refused(folder)


def test_an_item_of_jpeg2000_is_held_against_the_papers_of_the_tile(l2a, tmp_path):
    """There both speak of the same images; an item of COGs may be of a processing before."""
    item = {
        "s2:processing_baseline": "03.01",
        "s2:product_uri": f"{open_s2(l2a).name.replace(NEW, OLD)}.SAFE",
    }
    folder = as_cogs(l2a, tmp_path / "cogs", applied=None, coding=False, item=item)
    tile = as_tile(l2a, tmp_path / "tile")
    shutil.copy(tile / "metadata.xml", folder)
    assert open_s2(folder).baseline == "03.01"
    for path in folder.glob("*.tif"):
        path.unlink()
    shutil.copytree(tile / "R10m", folder / "R10m")
    assert "and metadata.xml names S2A_" in refused(folder)


def ring(geometry: dict[str, Any], change) -> dict[str, Any]:
    return {**geometry, "coordinates": [[change(*at) for at in geometry["coordinates"][0]]]}


MOVES = {
    "swapped": lambda x, y: (y, x),
    "elsewhere": lambda x, y: (x + 3.0, y - 40.0),
    "the next tile": lambda x, y: (x, y + 0.9),
}
METRES = {
    "swapped": MOVES["swapped"],
    "elsewhere": lambda x, y: (x + 3e5, y - 4e6),
    "the next tile": lambda x, y: (x, y + 1e5),
    "beyond all": lambda x, y: (x * 1e9, y * 1e9),
    "infinite": lambda x, y: (1e400 if x > 5e5 else x, y),
    "half the Earth": lambda x, y: ((x - 500_900) * 1e4, (y - 8_099_000) * 1e4),
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("move", MOVES)
def test_an_outline_of_another_place_is_none(l2a, tmp_path, move):
    """Believed, no pass would overlap the product, and its SAFE would count as its other half."""
    folder = as_cogs(l2a, tmp_path, applied=True)
    edited(folder, lambda item: item.update(geometry=ring(item["geometry"], MOVES[move])))
    assert "geometry reaches over " in refused(folder)
    assert "its images over 499980, 8098080, 501900, 8100000" in refused(folder)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("move", METRES)
def test_an_outline_in_metres_of_another_place_is_none(l2a, tmp_path, move):
    folder = as_tile(l2a, tmp_path)
    info = json.loads((folder / "tileInfo.json").read_text())
    outline = ring(info["tileDataGeometry"], METRES[move])
    (folder / "tileInfo.json").write_text(json.dumps({**info, "tileDataGeometry": outline}))
    said = refused(folder)
    assert "tileDataGeometry reaches over " in said or "geometry has no area" in said


def test_an_outline_of_the_whole_tile_or_of_a_corner_of_it_is_believed(l2a, tmp_path):
    """A copy may be cut or reduced, and of a tile a corner alone be seen."""
    folder = as_tile(l2a, tmp_path)
    info = json.loads((folder / "tileInfo.json").read_text())
    x, y = 499_980, 8_100_000
    shapes = [
        [[x, y], [x + 109_800, y], [x + 109_800, y - 109_800], [x, y - 109_800]],
        [[x, y], [x + 60, y], [x, y - 60]],
        [[x, y], [x + 1800, y - 1900], [x + 1800, y], [x, y - 1800]],  # crosses itself
    ]
    for corners in shapes:
        outline = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
        (folder / "tileInfo.json").write_text(json.dumps({**info, "tileDataGeometry": outline}))
        assert open_s2(folder).footprint.area > 0.0


REAL = samples()


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the real samples")
def test_real_products_agree_with_themselves(tmp_path):
    """Granule and product of every real SAFE, and the items with all they name."""
    pairs = 0
    for tile_xml in sorted(REAL.glob("*/*.SAFE/GRANULE/*/MTD_TL.xml")):
        name = NAME.match(tile_xml.parents[2].name)
        assert name is not None
        folder = tmp_path / name[0]
        folder.mkdir()
        shutil.copy(tile_xml, folder / "metadata.xml")
        stamp = f"{name[3][:4]}-{name[3][4:6]}-{name[3][6:11]}:{name[3][11:13]}:{name[3][13:]}Z"
        info = {"productName": name[0], "timestamp": stamp}
        (folder / "tileInfo.json").write_text(json.dumps(info))
        (folder / "B04.jp2").write_bytes(b"")
        with pytest.raises(ProductError, match=r"B04\.jp2"):  # so all before it was in order
            open_s2(folder)
        pairs += 1
    items = [open_s2(path.parent) for path in sorted(REAL.glob("s2_multidate_120m/*/*.json"))]
    assert pairs == 5 and {one.baseline for one in items} == {"05.09"} and len(items) == 5
