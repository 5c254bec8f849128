"""Parts of one tile received apart, joined: what a product of the whole tile gives."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.products import s2_images, s2_parts
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.s2_clouds import masked
from sensor2sensor.products.s2_parts import open_parts, together
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from tests.fakes import World, make_s2
from tests.fakes.jp2 import write_jp2
from tests.fakes.s2 import DEFAULT_SENSING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sensor2sensor.core.archives import ProductFiles

CUT = 0.43  # of the tile, from the top: row 82.56 of 192
COMMON = {
    "world": World(0), "size_px": 192, "bands": ("B02", "B04", "B05"), "cloud": 0.4,
    "quality_masks": False, "nodata_wedge": 0.1,
}  # fmt: skip
KINDS = {
    "L1C": {"level": "L1C", "baseline": "04.00"},
    "L1C, polygons": {"level": "L1C", "baseline": "03.01"},
    "L2A": {"level": "L2A", "baseline": "05.09"},
}
Trio = tuple[S2Product, S2Product, S2Product]


def _strip(number: int) -> dict[str, object]:
    return {
        "strip": DEFAULT_SENSING + timedelta(seconds=4 + 20 * number),
        "generated": DEFAULT_SENSING + timedelta(hours=4 + number),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trio]:
    """The whole tile and its northern and southern part, by kind of product."""
    found = {}
    for kind, options in KINDS.items():
        root = tmp_path_factory.mktemp("parts")
        shares = ((0.0, 1.0), (0.0, CUT), (CUT, 1.0))
        found[kind] = tuple(
            open_s2(make_s2(root, **COMMON, **options, **_strip(number), part=part))
            for number, part in enumerate(shares)
        )
    return found


@pytest.mark.parametrize("kind", list(KINDS))
def test_pixels_clouds_and_masks_are_those_of_the_whole(made: dict[str, Trio], kind: str) -> None:
    whole, north, south = made[kind]
    for parts in ([north, south], [south, north]):
        both = together(parts)
        assert both.parts == tuple(parts)
        window = PixelWindow(-5, 60, 150, 50)
        for place in (None, window):
            true, word = whole.read_reflectance(("B02", "B04"), 10, place)
            found, said = both.read_reflectance(("B02", "B04"), 10, place)
            np.testing.assert_array_equal(found, true, strict=True)
            np.testing.assert_array_equal(said, word, strict=True)
            (mask, source), (other, as_said) = (
                one.read_quality(10, place) for one in (whole, both)
            )
            np.testing.assert_array_equal(other, mask, strict=True)
            assert as_said == source == both.quality_source(10)
        assert (word & np.uint32(Quality.S2_NODATA)).any()
        assert both.quality_given(10) == whole.quality_given(10)
        np.testing.assert_array_equal(
            both.quality_overview(10, (48, 48)), whole.quality_overview(10, (48, 48))
        )
    assert north.read_reflectance(("B02",), 10)[1].any(), "a part has no data in the other"


@pytest.mark.parametrize("kind", list(KINDS))
def test_facts_are_those_of_the_first_and_ground_that_of_all(
    made: dict[str, Trio], kind: str
) -> None:
    whole, north, south = made[kind]
    both = together([south, north])
    assert both.name == f"{south.name} + {north.name}"
    assert both.tile_time == south.tile_time != north.tile_time
    assert both.overpass == whole.overpass and both.acquisition == whole.acquisition
    assert both.baseline == whole.baseline and both.grids == whole.grids
    ground, true = (project(one.footprint, "EPSG:32617") for one in (both, whole))
    assert ground.symmetric_difference(true).area < 1e-3 * true.area
    assert both.cloud_fraction == pytest.approx(whole.cloud_fraction, abs=0.02)
    assert both.missing(("B02", "B11"), 10) == [
        f"B11 at 10 m ({south.name})",
        f"B11 at 10 m ({north.name})",
    ]


def test_an_overview_is_that_of_the_whole_but_for_the_cut(made: dict[str, Trio]) -> None:
    whole, north, south = made["L1C"]
    both = together([north, south])
    true, _ = whole.read_reflectance(("B04",), 10, overview=4)
    found, _ = both.read_reflectance(("B04",), 10, overview=4)
    rows = np.arange(len(true))
    away = np.abs(rows - CUT * len(true)) > 6
    np.testing.assert_allclose(found[away], true[away], atol=2e-3)
    assert np.isnan(found).mean() == pytest.approx(np.isnan(true).mean(), abs=0.02)


def test_each_part_is_read_by_its_own_offset_and_mask(tmp_path: Path) -> None:
    options = {**COMMON, "resolutions": (10,), "level": "L1C"}
    old = make_s2(tmp_path, **options, **_strip(0), baseline="03.01", part=(0.0, CUT))
    new = make_s2(tmp_path, **options, **_strip(1), baseline="04.00", part=(CUT, 1.0))
    both = open_parts([new, old])
    assert both.baseline == "04.00 + 03.01"
    assert both.quality_source(10) == "MSK_CLASSI + MSK_CLOUDS"
    assert both.quality_given(10) == open_s2(old).quality_given(10)
    values, _ = both.read_reflectance(("B02",), 10)
    for path in (old, new):
        own, word = open_s2(path).read_reflectance(("B02",), 10)
        has = (word & np.uint32(Quality.S2_NODATA)) == 0
        np.testing.assert_array_equal(values[has], own[has])


def _edit(product: Path, band: str, **rows: tuple[slice, int]) -> None:
    """Set pixels of a band at 10 m, west of column 60."""
    names = (f"_{band}.jp2", f"_{band}_10m.jp2")
    (image,) = (one for one in product.rglob("IMG_DATA/**/*.jp2") if one.name.endswith(names))
    with rasterio.open(image) as source:
        numbers, corner = source.read(1), (source.transform.c, source.transform.f)
    for where, value in rows.values():
        numbers[where, :60] = value
    write_jp2(
        image, numbers, resolution_m=10, epsg=32617, ulx_m=corner[0], uly_m=corner[1], kind="band"
    )


@pytest.fixture(scope="module")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[S2Product, S2Product]]:
    """Parts that both have rows 77 to 114, with other clouds and other numbers there."""
    found = {}
    for kind, options in KINDS.items():
        root = tmp_path_factory.mktemp("rivals")
        common = {**COMMON, **options, "bands": ("B02", "B04"), "nodata_wedge": 0.0}
        north = make_s2(root, **{**common, "cloud": 0.6}, **_strip(0), part=(0.0, 0.6))
        south = make_s2(root, **{**common, "cloud": 0.0}, **_strip(1), part=(0.4, 1.0), seed=1)
        lost, full = (slice(92, 95), 0), (slice(105, 108), 65535)
        _edit(north, "B02", lost=lost)  # there south's are the pixels, of every band
        _edit(north, "B04", lost=(slice(84, 87), 0), full=full)
        _edit(south, "B04", full=(slice(98, 101), 65535))
        found[kind] = open_s2(north), open_s2(south)
    return found


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("turned", [False, True])
def test_where_parts_overlap_pixels_and_bits_are_those_of_the_first_in_any_window(
    rivals: dict[str, tuple[S2Product, S2Product]], kind: str, turned: bool
) -> None:
    first, other = rivals[kind][::-1] if turned else rivals[kind]
    (one, _), (two, _) = (part.read_reflectance(("B02", "B04"), 10) for part in (first, other))
    has = ~np.isnan(one[..., 0])
    both = has & ~np.isnan(two[..., 0])
    assert both[77:92].all() and (one[both] != two[both]).mean() > 0.5
    true = np.where(np.isnan(one) | ~has[..., None], two, one)
    true = np.where(np.isnan(true), one, true)
    words = [part.read_quality(10)[0] for part in (first, other)]
    clouds = [(word[both] & np.uint32(Quality.S2_CLOUD)).any() for word in words]
    assert sorted(clouds) == [False, True]
    mask = np.where(has, *words)
    said = np.any(true > 6.0, axis=-1) * np.uint32(Quality.S2_SATURATED)
    for place in (
        PixelWindow(0, 0, 192, 192), PixelWindow(10, 78, 40, 30), PixelWindow(3, 80, 70, 90),
        PixelWindow(0, 96, 50, 7), PixelWindow(30, 60, 40, 20), PixelWindow(30, 60, 100, 49),
    ):  # fmt: skip
        joined = together([first, other])
        at = place.rows, place.columns
        np.testing.assert_array_equal(joined.read_quality(10, place)[0], mask[at])
        values, word = joined.read_reflectance(("B02", "B04"), 10, place)
        np.testing.assert_array_equal(values, true[at])
        np.testing.assert_array_equal(word, said[at])
        values, _ = joined.read_reflectance(("B04",), 10, place)
        np.testing.assert_array_equal(values, true[at][..., 1:])


def test_masks_are_read_without_bands_but_where_outlines_overlap_and_they_differ(
    made: dict[str, Trio],
    rivals: dict[str, tuple[S2Product, S2Product]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    read = s2_images.open_raster

    def noting(files: ProductFiles, member: str) -> AbstractContextManager[Any]:
        opened.append(member.rpartition("/")[2])
        return read(files, member)

    monkeypatch.setattr(s2_images, "open_raster", noting)
    monkeypatch.setattr(s2_parts, "_OUTLINE_M", 30.0)  # the whole tile is 1,920 m

    def bands_for(*parts: S2Product, rows: slice) -> set[str]:
        opened.clear()
        place = PixelWindow(0, rows.start, 192, rows.stop - rows.start)
        together(parts).read_quality(10, place)
        assert len(opened) >= 2
        return {name.rpartition("_")[2] for name in opened if "_B0" in name and "MSK" not in name}

    north, south = rivals["L1C"]
    assert bands_for(north, south, rows=slice(0, 70)) == set()
    assert bands_for(north, south, rows=slice(122, 192)) == set()
    assert bands_for(north, south, rows=slice(60, 130)) == {"B02.jp2"}
    assert bands_for(south, south, rows=slice(60, 130)) == set(), "equal masks ask nothing"
    assert bands_for(*made["L1C"][1:], rows=slice(0, 78)) == set()


def _mask(product: S2Product, folder: Path, values: np.ndarray) -> S2Product:
    """The product with a mask of its own: 1 where cloudy, 255 for no data."""
    grid = product.grids[10]
    height, width = values.shape
    profile = {"count": 1, "dtype": "uint8", "crs": f"EPSG:{grid.epsg}", "nodata": 255}
    (folder / product.name).mkdir(exist_ok=True)
    with rasterio.open(
        folder / product.name / "CLD.tif", "w", driver="GTiff", width=width, height=height,
        transform=grid.transform, **profile,
    ) as file:  # fmt: skip
        file.write(values, 1)
    return masked(product, "{name}/CLD.tif", 0.0, folder)


@pytest.mark.parametrize("outside", [255, 1], ids=["no data", "cloud"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_mask_of_a_part_counts_where_that_part_has_data(
    made: dict[str, Trio], tmp_path: Path, kind: str, outside: int
) -> None:
    """Masks are made of each part alone: over the other's ground they say cloud, or nothing."""
    one, *parts = made[kind]
    cloudy = np.zeros((192, 192), np.uint8)
    cloudy[60:110, 20:90] = 1
    cloudy[70:90, 120:140] = 255  # nothing says that it is clear
    found = []
    for product in (one, *parts):
        _, word = product.read_reflectance(("B02",), 10)
        empty = (word & np.uint32(Quality.S2_NODATA)) != 0
        found.append(_mask(product, tmp_path, np.where(empty, outside, cloudy).astype(np.uint8)))
    whole, both = found[0], together(found[1:])
    near = np.uint32(Quality.S2_CLOUD)
    for place in (None, PixelWindow(-5, 60, 150, 50)):
        (true, _), (word, _) = (product.read_quality(10, place) for product in (whole, both))
        np.testing.assert_array_equal(word, true, strict=True)
    word, _ = whole.read_quality(10)
    _, data = whole.read_reflectance(("B02",), 10)
    empty = (data & np.uint32(Quality.S2_NODATA)) != 0
    assert empty.any() and not (word[empty] & near).any()
    assert not (word[(word & np.uint32(Quality.S2_NODATA)) != 0] & near).any()
    assert ((word[~empty] & near) != 0).mean() == pytest.approx(
        (cloudy[~empty] > 0).mean(), abs=0.01
    )
    shown = [product.quality_overview(10, (48, 48)) & near != 0 for product in (whole, both)]
    assert (shown[0] ^ shown[1]).mean() < 0.05


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sensing": DEFAULT_SENSING + timedelta(days=5)}, "another acquisition or level"),
        ({"platform": "S2B"}, "another acquisition or level"),
        ({"level": "L2A"}, "another acquisition or level"),
        ({"ulx": 500_040.0}, "another grid"),
    ],
)
def test_what_is_no_part_is_refused_by_name(
    made: dict[str, Trio], tmp_path: Path, options: dict[str, object], said: str
) -> None:
    first = made["L1C"][1]
    other = make_s2(tmp_path, **{**COMMON, "bands": ("B02",), "resolutions": (10,), **options})
    with pytest.raises(ProductError, match=said) as caught:
        open_parts([first.path, other])
    assert other.name.removesuffix(".SAFE") in str(caught.value)


def test_a_damaged_part_is_named(made: dict[str, Trio], tmp_path: Path) -> None:
    _, north, south = made["L1C"]
    path = Path(shutil.copytree(south.path, tmp_path / south.path.name))
    (image,) = path.rglob("*_B02.jp2")
    image.write_bytes(image.read_bytes()[:400])
    both = open_parts([north.path, path])
    with pytest.raises(ProductError, match=image.name):
        both.read_reflectance(("B02",), 10)
