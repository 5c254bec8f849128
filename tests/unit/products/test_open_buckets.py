"""Sentinel-2 as the open buckets have it: the same reflectance as its SAFE, never by a guess."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core import watched
from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.preprocess.inventory.scan import check_sentinel2
from sensor2sensor.products import s2_coding
from sensor2sensor.products.discovery import find, find_s2, find_s3
from sensor2sensor.products.examination import Search
from sensor2sensor.products.forms import tiles_in
from sensor2sensor.products.quality import CLOUD
from sensor2sensor.products.s2_radiometry import dark_seen, moved_up
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from tests.fakes.open_buckets import as_cogs, as_tile
from tests.fakes.s2 import make_s2
from tests.real_data import samples

BANDS = ("B02", "B04")
SIZE = 192


@pytest.fixture(scope="module")
def safes(tmp_path_factory) -> dict[tuple[str, str], Path]:
    """SAFEs by level and baseline."""
    root = tmp_path_factory.mktemp("safe")
    made = {}
    for level, baseline in (("L2A", "05.09"), ("L2A", "02.14"), ("L1C", "04.00"), ("L1C", "02.09")):
        made[level, baseline] = make_s2(
            root, level=level, baseline=baseline, size_px=SIZE, bands=[*BANDS, "B05", "B8A"],
            cloud=0.3, nodata_wedge=0.1, quality_masks=False,
        )  # fmt: skip
    return made


def reflectance(product: S2Product, size: int = 10) -> np.ndarray:
    return product.read_reflectance(BANDS, size)[0]


def edited(folder: Path, change) -> Path:
    (path,) = folder.glob("S2*.json")
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("baseline", ["05.09", "02.14"])
@pytest.mark.parametrize("form, applied", [("v0", True), ("v0", False), ("v1", True), ("v1", False),
                                           ("c1", None)])  # fmt: skip
def test_cogs_have_the_reflectance_of_their_safe(safes, tmp_path, baseline, form, applied):
    safe = open_s2(safes["L2A", baseline])
    folder = as_cogs(
        safes["L2A", baseline], tmp_path, form=form, applied=applied, by_colour=form == "c1"
    )
    product = open_s2(folder)
    offset = -1000.0 if baseline == "05.09" and not applied else 0.0
    assert {product.offsets[band] for band in BANDS} == {offset}
    one, other = reflectance(product), reflectance(safe)
    assert (np.isnan(one) == np.isnan(other)).all()
    # Taking the offset off clamped what lay below 0 at DN 1.
    assert np.nanmax(np.abs(one - np.maximum(other, 0.0001 if applied else -1.0))) < 1e-6
    same = ("level", "platform", "baseline", "tile", "tile_time", "acquisition", "overpass")
    assert all(getattr(product, one) == getattr(safe, one) for one in same)
    assert abs(product.generation_time - safe.generation_time) < timedelta(seconds=1)
    assert product.cloud_fraction == pytest.approx(safe.cloud_fraction)
    assert product.grids == safe.grids and product.bands_at(20) == ("B05", "B8A")
    assert product.footprint.symmetric_difference(safe.footprint).area < 1e-9
    word, source = product.read_quality(10)
    assert source == "SCL" and (word == safe.read_quality(10)[0]).all()
    assert product.layout == "COG" and not product.verify() and not product.has_checksums


@pytest.mark.parametrize("level, baseline", [("L2A", "05.09"), ("L1C", "04.00"), ("L1C", "02.09")])
@pytest.mark.parametrize("papers", ["all", "xml", "jsons"])
def test_a_tile_of_the_buckets_is_its_safe(safes, tmp_path, level, baseline, papers):
    safe = open_s2(safes[level, baseline])
    folder = as_tile(safes[level, baseline], tmp_path, xml=papers != "jsons", jsons=papers != "xml")
    product = open_s2(folder)
    assert (np.nan_to_num(reflectance(product)) == np.nan_to_num(reflectance(safe))).all()
    assert product.offsets == safe.offsets and product.grids == safe.grids
    same = ("level", "platform", "baseline", "tile", "tile_time", "datastrip", "nodata")
    assert all(getattr(product, one) == getattr(safe, one) for one in same)
    word, source = product.read_quality(10, PixelWindow(-3, 5, 40, 40))
    assert source == safe.quality_source(10)
    assert (word == safe.read_quality(10, PixelWindow(-3, 5, 40, 40))[0]).all()
    assert product.cloud_fraction == pytest.approx(safe.cloud_fraction, abs=1e-3)
    if papers != "xml":  # the name of the product stands in no XML of a tile
        assert product.name == safe.name and product.acquisition == safe.acquisition
        difference = product.footprint.symmetric_difference(safe.footprint).area
        assert difference < 1e-4 * safe.footprint.area


def test_archives_are_searched_for_them(safes, tmp_path):
    as_tile(safes["L1C", "04.00"], tmp_path)
    cogs = as_cogs(safes["L2A", "05.09"], tmp_path / "2022" / "07", applied=True)
    shutil.copytree(safes["L2A", "02.14"], tmp_path / safes["L2A", "02.14"].name)
    broken = as_cogs(safes["L2A", "05.09"], tmp_path / "other", applied=True)
    (broken / f"{broken.name}.json").write_text("{")
    other = tmp_path / "chips"
    other.mkdir()
    (other / "B02.tif").write_bytes((cogs / "B02.tif").read_bytes())
    (other / "labels.json").write_text("[]")
    found, failures = find_s2(tmp_path, "T17XNA")
    assert sorted(one.layout for one in found) == ["COG", "SAFE", "tile"]
    ((path, reason),) = [(one.item, one.reason) for one in failures]
    assert path == broken and "is no JSON" in reason
    assert find_s3(tmp_path) == ([], [])
    assert find_s2(tmp_path, "T33TWL")[0] == []


def test_they_may_be_packed(safes, tmp_path):
    folder = as_tile(safes["L2A", "05.09"], tmp_path / "in")
    packed = shutil.make_archive(str(tmp_path / "tile"), "zip", folder.parent, folder.name)
    product, plain = open_s2(Path(packed)), open_s2(folder)
    assert product.layout == "tile" and product.bands_at(10) == BANDS
    assert np.array_equal(reflectance(product), reflectance(plain), equal_nan=True)


def unknown(folder: Path) -> str:
    with pytest.raises(ProductError) as caught:
        open_s2(folder)
    return str(caught.value)


def test_what_nothing_tells_is_refused_with_a_way_to_say_it(safes, tmp_path):
    safe = safes["L2A", "05.09"]
    silent = as_cogs(safe, tmp_path / "a", form="v0", applied=None)
    assert "nothing says whether its numbers carry an offset" in unknown(silent)
    assert s2_coding.SIDECAR in unknown(silent)
    lacks = "its STAC item has no boa_offset_applied, no raster:bands of every band"
    assert lacks in unknown(silent)
    assert lacks in unknown(as_cogs(safe, tmp_path / "f", applied=None, coding=False))
    # A baseline nobody knows, contradictions, and COGs with the tile's own metadata alone.
    old = {"s2:processing_baseline": "02.09", "s2:product_uri": None}
    both = as_cogs(safe, tmp_path / "b", applied=False, item=old)
    assert "raster:bands gives an offset, which baseline 02.09 has none of" in unknown(both)
    odd = {"s2:processing_baseline": "99.99", "s2:product_uri": None}
    assert "nothing says" in unknown(as_cogs(safe, tmp_path / "c", coding=False, item=odd))
    none = as_cogs(safe, tmp_path / "d", applied=False)
    edited(none, lambda c: [a["raster:bands"][0].update(offset=0) for a in c["assets"].values()
                            if "raster:bands" in a])  # fmt: skip
    assert "boa_offset_applied is false, and raster:bands has no offset" in unknown(none)
    assert "\n" not in unknown(none)
    tile = as_tile(safe, tmp_path / "e")
    shutil.copy(safe / "MTD_MSIL2A.xml", tile / "product_metadata.xml")
    assert open_s2(tile).offset_source == "product XML" and open_s2(tile).offsets["B02"] == -1000.0
    for path in tile.rglob("B*.jp2"):
        path.rename(path.with_suffix(".tif"))
    assert "no STAC item" in unknown(tile)


@pytest.mark.parametrize("place", ["inside", "beside"])
def test_the_users_word_counts_before_all(safes, tmp_path, place):
    folder = as_cogs(safes["L2A", "05.09"], tmp_path, form="v0", applied=None)
    sidecar = (folder if place == "inside" else tmp_path) / s2_coding.SIDECAR
    sidecar.write_text('{"offset": -1000}')
    safe = open_s2(safes["L2A", "05.09"])
    assert np.nanmax(np.abs(reflectance(open_s2(folder)) - reflectance(safe))) < 1e-6
    sidecar.write_text('{"offset": 0, "quantification": 5000}')
    product = open_s2(folder)
    assert set(product.offsets.values()) == {0.0} and product.quantification == 5000.0
    assert (s2_coding.SIDECAR in product.metadata_files) == (place == "inside")
    for wrong in ('{"offset": "no"}', '{"offset": 1e9}', '{"ofset": 0}', '{"offset": NaN}', "[]"):
        sidecar.write_text(wrong)
        assert s2_coding.SIDECAR in unknown(folder)


def test_a_word_beside_a_product_is_no_news_of_before(safes, tmp_path, monkeypatch):
    """What an inventory remembers of a product, a failure too, rests on that it was not there."""
    monkeypatch.setattr(watched, "SETTLED_S", -1.0)
    folder = as_cogs(safes["L2A", "05.09"], tmp_path, form="v0", applied=None)
    packed = Path(shutil.make_archive(str(tmp_path / folder.name), "zip", tmp_path, folder.name))
    known = {path: watched.open_watched(path)[1].basis() for path in (folder, packed)}
    assert all(basis is not None and basis.holds(path) for path, basis in known.items())
    (tmp_path / s2_coding.SIDECAR).write_text('{"offset": -1000}')
    assert not any(basis.holds(path) for path, basis in known.items() if basis is not None)


def test_a_flag_of_cogs_says_nothing_of_the_ground_segments_jpeg2000(safes, tmp_path):
    """Earth Search's items list both, `red` and `red-jp2`: the flag is true of the first alone."""
    safe = safes["L2A", "05.09"]
    folder = as_cogs(safe, tmp_path, applied=True)
    for path in folder.glob("B0*.tif"):
        path.unlink()
    for path in sorted(safe.glob("GRANULE/*/IMG_DATA/R10m/*_B0*.jp2")):
        shutil.copy(path, folder / f"{path.name.split('_')[-2]}.jp2")
    assert "these are JPEG 2000" in unknown(folder)


def test_a_flag_that_numbers_belie_is_not_believed(safes, tmp_path):
    """`boa_offset_applied: false` of numbers whose offset is gone: in circulation since 2022."""
    folder = as_cogs(safes["L2A", "05.09"], tmp_path, applied=True)
    assert s2_coding.moved_back(open_s2(folder), BANDS, 10) is None
    flag = "earthsearch:boa_offset_applied"
    edited(folder, lambda content: content["properties"].update({flag: False}))
    product = open_s2(folder)
    assert product.offset_source == "raster:bands" and product.offsets["B02"] == -1000.0
    doubt = s2_coding.moved_back(product, BANDS, 10)
    assert doubt is not None and "raster:bands denies" in doubt and s2_coding.SIDECAR in doubt
    (problem,) = check_sentinel2(product, bands=BANDS, resolution_m=10, verify=False)
    assert problem == doubt
    (folder / s2_coding.SIDECAR).write_text('{"offset": 0}')
    assert s2_coding.moved_back(open_s2(folder), BANDS, 10) is None
    assert s2_coding.moved_back(open_s2(safes["L2A", "05.09"]), BANDS, 10) is None


def test_what_contradicts_is_told_once_and_kept(safes, tmp_path, caplog):
    s2_coding._TOLD.clear()
    folder = as_cogs(safes["L2A", "05.09"], tmp_path, applied=True)
    for _ in range(3):
        assert "counts as applied" in open_s2(folder).warnings[0]
    assert caplog.text.count("the offset counts as applied") == 1


def test_what_contradicts_is_told_of_every_product_that_outlives_another(
    safes, tmp_path, caplog, monkeypatch
):
    """What is known of an archive says it still when the first that told it is gone."""
    monkeypatch.setattr(watched, "SETTLED_S", -1e6)
    root, memory = tmp_path / "s2", tmp_path / "known"
    for number in range(2):
        as_cogs(safes["L2A", "05.09"], root / str(number), applied=True)
    for _ in range(2):
        caplog.clear()
        find(Search(root, "S2"), memory=memory)
        assert caplog.text.count("the offset counts as applied") == 1
    shutil.rmtree(root / "0")
    caplog.clear()
    find(Search(root, "S2"), memory=memory)
    assert caplog.text.count("the offset counts as applied") == 1


def test_checksums_of_an_item_are_compared(safes, tmp_path):
    import hashlib

    folder = as_cogs(safes["L2A", "05.09"], tmp_path, form="c1")
    image = folder / "B02.tif"
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    fields = {"file:checksum": f"1220{digest}", "file:size": image.stat().st_size}
    edited(folder, lambda content: content["assets"]["blue"].update(fields))
    product = open_s2(folder)
    assert product.has_checksums and not product.verify(product.members_for(BANDS, 10))
    assert not product.cut_short(["B02.tif", "B04.tif"])
    data = bytearray(image.read_bytes())
    data[-9] ^= 1
    image.write_bytes(data)
    assert "differs" in open_s2(folder).verify(["B02.tif"])[0]
    image.write_bytes(data[:-9])
    assert "B02.tif has" in open_s2(folder).cut_short(["B02.tif"])[0]


BAD = {
    "datetime": ("2022-99-01T00:00:00Z", "datetime is '2022-99-01T00:00:00Z', not a time"),
    "platform": ("sentinel-2x", "is_item"),
    "eo:cloud_cover": (180, "eo:cloud_cover is 180, no percentage"),
    "proj:epsg": (32601, "its metadata say EPSG:32601"),
    "earthsearch:boa_offset_applied": ("yes", "is 'yes', not true or false"),
    "s2:processing_baseline": (4.0, "s2:processing_baseline is 4.0, not a text"),
}


@pytest.mark.parametrize("key", [key for key in BAD if BAD[key][1] != "is_item"])
def test_senseless_properties_are_named(safes, tmp_path, key):
    value, message = BAD[key]
    folder = as_cogs(safes["L2A", "05.09"], tmp_path, applied=True, item={key: value})
    assert message in unknown(folder) and "\n" not in unknown(folder)


def test_bands_that_are_there_twice_or_elsewhere_are_named(safes, tmp_path):
    folder = as_cogs(safes["L2A", "05.09"], tmp_path, applied=True)
    shutil.copy(folder / "B02.tif", folder / "blue.tif")
    assert "holds two images of B02" in unknown(folder)
    (folder / "blue.tif").unlink()
    shutil.copy(folder / f"{folder.name}.json", folder / "again.json")
    assert "holds two STAC items" in unknown(folder)
    (folder / "again.json").unlink()
    (folder / "B02.tif").write_bytes(b"II*\0")
    with pytest.raises(ProductError, match=r"B02\.tif: unreadable"):
        open_s2(folder)


REAL = samples() / "s2_multidate_120m"


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the real samples")
def test_real_items_of_earth_search_are_read_with_the_offset_applied():
    """Reduced to 120 m, JPEG 2000 beside an item of COGs, `.aux.xml` alone knows where they lie."""
    found, failures = find_s2(REAL, "33TWL")
    assert len(found) == 5 and not failures
    by_day = {f"{one.sensing_start:%m%d}": one for one in found}
    clear, cloudy = by_day["0815"], by_day["0810"]
    assert clear.bands_at(120) == ("B02", "B03", "B04", "B08")
    assert set(clear.offsets.values()) == {0.0} and clear.quantification == 10_000.0
    assert (clear.platform, clear.baseline, clear.datastrip) == ("S2A", "05.09", "20230815T095630")
    values, word = clear.read_reflectance(("B04", "B08"), 120)
    red, nir = (np.nanmedian(values[..., band]) for band in (0, 1))
    assert 0.02 < red < 0.05 and 0.3 < nir < 0.4  # forest and fields in August
    assert not any(moved_up(one, dark_seen(one)) for one in found)
    with_offset = {band: one + 1000 for band, one in dark_seen(clear).items()}
    assert set(with_offset) == {"B03", "B04"} and moved_up(clear, with_offset)
    for product in (clear, cloudy):
        word, source = product.read_quality(120)
        share = ((word & np.uint32(CLOUD)) != 0).mean()
        assert source == "SCL" and share == pytest.approx(product.cloud_fraction, abs=0.08)


def test_items_of_another_tile_are_passed_by_their_names(safes, tmp_path):
    """Their zone has one digit where one is enough; no image of them is opened."""
    (tmp_path / "archive").mkdir()
    for name in ("S2B_1WCQ_20230603_0_L2A", "S2A_T10SGF_20250808T190351_L2A"):
        (zone,) = (one.lstrip("T0") for one in name.split("_")[1:2])
        item = {"grid:code": f"MGRS-{zone}", "s2:product_uri": None}
        folder = as_cogs(safes["L2A", "05.09"], tmp_path / name, applied=True, item=item)
        folder = folder.rename(tmp_path / "archive" / name)
        next(folder.glob("S2*.json")).rename(folder / f"{name}.json")
        (folder / "B02.tif").write_bytes(b"")
    assert tiles_in("S2B_1WCQ_20230603_0_L2A") == {"T01WCQ"}
    assert find_s2(tmp_path / "archive", "T33TWL") == ([], [])
    ((failure,),) = find_s2(tmp_path / "archive", "T10SGF")[1:]
    assert "B02.tif" in failure.reason


@pytest.mark.parametrize("packed", [False, True])
def test_a_tile_is_told_by_the_item_and_not_by_names(safes, tmp_path, packed):
    """Folder and item were called by another tile."""
    folder = as_cogs(safes["L2A", "05.09"], tmp_path / "in", applied=True)
    folder = folder.rename(folder.with_name(folder.name.replace("17XNA", "29UNU")))
    (item,) = folder.glob("*.json")
    item.rename(folder / f"{folder.name}.json")
    if packed:
        shutil.make_archive(str(tmp_path / folder.name), "zip", folder.parent, folder.name)
        shutil.rmtree(folder.parent)
    (found,) = find_s2(tmp_path, "T17XNA")[0]
    assert found.tile == "T17XNA"
    assert find_s2(tmp_path, "T29UNU") == find_s2(tmp_path, "T33TWL") == ([], [])
