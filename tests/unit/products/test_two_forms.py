"""One product in two forms is one acquisition: counted twice, a scene leaks between splits."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import mapping, shape

from sensor2sensor.preprocess.inventory.sightings import sentinel2_sightings
from sensor2sensor.products.acquisitions import acquisitions, parts_of, same_datatake
from sensor2sensor.products.s2_parts import together
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from tests.fakes.open_buckets import as_cogs, as_tile
from tests.fakes.s2 import DEFAULT_SENSING, make_s2
from tests.unit.products.test_open_buckets import edited

COMMON = {"size_px": 192, "bands": ["B02", "B04"], "quality_masks": False, "nodata_wedge": 0.2}


@pytest.fixture(scope="module")
def safes(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("safe")
    levels = {"L1C": "04.00", "L2A": "05.09"}
    return {one: make_s2(root, level=one, baseline=levels[one], **COMMON) for one in levels}


def one_scene(safe: S2Product, other: S2Product) -> None:
    """Both are one acquisition, of which the SAFE is taken, and an inventory notes it so."""
    for products in ([safe, other], [other, safe]):
        ((first, second),) = acquisitions(products)
        assert (first.path, second.path) == (safe.path, other.path)
        assert second.acquisition == safe.acquisition and second.overpass == safe.overpass
    root = Path("/")
    noted = sentinel2_sightings([other, safe], root, verified=False)
    assert len({one.acquisition for one in noted}) == 1 and [one.newest for one in noted] == [1, 0]


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("papers", ["xml", "jsons"])
def test_a_tile_of_a_bucket_and_its_safe(safes, tmp_path, level, papers):
    xml = papers == "xml"
    one_scene(
        open_s2(safes[level]), open_s2(as_tile(safes[level], tmp_path, xml=xml, jsons=not xml))
    )


ITEMS = {
    "its strip unknown": {"s2:datastrip_id": None},
    "its product unknown": {"s2:product_uri": None},
    "both": {"s2:datastrip_id": None, "s2:product_uri": None},
    "its baseline too": {"s2:processing_baseline": None, "s2:product_uri": None},
    "by its datatake": {
        "s2:product_uri": None, "s2:datatake_id": "GS2A_20220714T171911_036812_N05.09",
    },
    "when it was made unknown": {"s2:datastrip_id": None, "s2:generation_time": None},
}  # fmt: skip


@pytest.mark.parametrize("lacks", list(ITEMS))
@pytest.mark.parametrize("wider", [0.0, 0.002, -0.001])
def test_cogs_and_their_safe(safes, tmp_path, lacks, wider):
    """Whatever the item says, and however much wider its outline is than what was seen."""
    folder = as_cogs(safes["L2A"], tmp_path, applied=True, item=ITEMS[lacks])

    def change(content: dict[str, Any]) -> None:
        content["geometry"] = mapping(shape(content["geometry"]).buffer(wider))

    product = open_s2(edited(folder, change) if wider else folder)
    if lacks == "by its datatake":
        assert product.acquisition == open_s2(safes["L2A"]).acquisition
    one_scene(open_s2(safes["L2A"]), product)


def test_a_product_info_may_name_the_datatake(safes, tmp_path):
    """As of 2016, when a product's name did not."""
    folder = as_tile(safes["L1C"], tmp_path)
    old = {
        "name": "S2A_OPER_PRD_MSIL1C_X",
        "datatakeIdentifier": "GS2A_20220714T171911_036812_N02.04",
    }
    (folder / "productInfo.json").write_text(json.dumps(old))
    info = json.loads((folder / "tileInfo.json").read_text())
    (folder / "tileInfo.json").write_text(json.dumps({**info, "productName": "S2A_OPER_PRD_X"}))
    assert open_s2(folder).acquisition == open_s2(safes["L1C"]).acquisition


def test_other_passes_stay_apart(safes, tmp_path):
    safe = open_s2(safes["L1C"])
    tile = open_s2(as_tile(safes["L1C"], tmp_path, jsons=False))
    orbit = timedelta(minutes=100)
    later = replace(
        tile, sensing_start=tile.sensing_start + orbit, tile_time=tile.tile_time + orbit
    )
    assert len(acquisitions([safe, replace(later, datastrip="")])) == 2
    assert len(acquisitions([safe, replace(tile, platform="S2B")])) == 2
    next_safe = replace(safe, sensing_start=safe.sensing_start + timedelta(seconds=1))
    assert len(acquisitions([safe, next_safe])) == 2 and not same_datatake(safe, next_safe)


def test_parts_of_a_tile_are_joined_whatever_form_each_has(tmp_path):
    """A part that does not know when its datatake began is one of it all the same."""
    parts = []
    for number, part in enumerate(((0.0, 0.4), (0.4, 1.0))):
        strip = {"strip": DEFAULT_SENSING + timedelta(seconds=4 + 20 * number)}
        made = DEFAULT_SENSING + timedelta(hours=4 + number)
        safe = make_s2(
            tmp_path / str(number), level="L1C", baseline="04.00", part=part, generated=made,
            **COMMON, **strip,
        )  # fmt: skip
        parts.append(safe)
    tile = as_tile(parts[1], tmp_path, jsons=False)
    products = [open_s2(parts[0]), open_s2(tile)]
    assert products[0].acquisition != products[1].acquisition
    assert len(together(products).parts) == 2
    outlines = [open_s2(one).footprint for one in parts]
    groups = acquisitions(
        [replace(one, footprint=outline) for one, outline in zip(products, outlines, strict=True)]
    )
    assert [len(group) for group in groups] == [1, 1] and len(set(parts_of(groups))) == 2
    assert groups[0][0].acquisition == groups[1][0].acquisition
