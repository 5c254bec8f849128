"""What a command line names becomes scenes by content, and what is none says what it is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import BandSpec, float_band, reflectance_band
from sensor2sensor.dataset.build import dense_input
from sensor2sensor.dataset.contract import TargetSpec
from sensor2sensor.dataset.form import Form
from sensor2sensor.inference.scenes.opening import kind_of, open_scene, paths_of
from sensor2sensor.sources.sen12mscr.layout import beside
from tests.fakes.sen12mscr import write_triplets
from tests.fakes.town import aerial_profile, save_jpeg, save_tif

PHOTO = tuple(
    BandSpec(name=name, unit="DN", wavelength_nm=None, scale=1.0, offset=0.0, nodata=None)
    for name in ("red", "green", "blue")
)


def form(*bands: BandSpec, kind: str = "paired") -> Form:
    """A model of these bands that makes the same."""
    return Form.model_validate({
        "name": "toy", "kind": kind, "tile_px": 8, "resolution_m": 10.0, "factor": 1.0,
        "input": dense_input(bands, "float32", 8),
        "target": TargetSpec(bands=bands, dtype="float32"),
    })  # fmt: skip


OPTICAL, PICTURE = form(reflectance_band("B02", 492.4)), form(*PHOTO)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two GeoTIFFs, one with brackets in its name, a JPEG, and what is none of them."""
    values = np.zeros((1, 8, 8), np.uint8)
    profile = aerial_profile(8, 8, None)
    for name in ("b.tif", "a[1].tif"):
        save_tif(tmp_path / name, values, profile)
    save_jpeg(tmp_path / "c.jpg", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "note.txt").write_text("none")
    (tmp_path / "._b.tif").write_text("of macOS")
    return tmp_path


def test_words_are_files_first_then_folders_and_patterns(folder: Path) -> None:
    odd, plain, photo = (folder / name for name in ("a[1].tif", "b.tif", "c.jpg"))
    assert paths_of([str(odd)]) == [odd]
    assert paths_of([str(folder)]) == [odd, plain, photo]
    assert paths_of([str(folder / "*.tif"), str(plain)]) == [odd, plain]
    with pytest.raises(InputError, match="no file or product fits"):
        paths_of([str(folder / "*.png")])
    with pytest.raises(InputError, match=r"nearest: 'b\.tif'"):
        paths_of([str(folder / "bb.tif")])
    # Pictures named like bands, with a JSON file, are no product.
    chips = folder / "chips"
    chips.mkdir()
    (chips / "x_B02.tif").write_bytes(b"")
    (chips / "labels.json").write_text("{}")
    assert paths_of([str(folder)]) == [odd, plain, photo]
    (folder / "opt").mkdir()
    with pytest.raises(InputError, match=r"nope: is not there$"):  # no slip for what lies there
        paths_of([str(folder / "nope")])
    (folder / "opt").rmdir()
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="holds nothing"):
        paths_of([str(folder / "empty")])
    with pytest.raises(InputError, match="no file or product fits"):
        paths_of([str(folder / "emp*")])
    (folder / "gutted.SAFE").mkdir()
    assert paths_of([str(folder / "gutted.SAFE")]) == [folder / "gutted.SAFE"]


def test_a_folder_of_triplets_gives_its_cloudy_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_triplets(tmp_path, {"fall_139": 2}, side_px=16)
    found = paths_of([str(tmp_path)])
    assert [path.parent.name for path in found] == ["s2_cloudy_139"] * 2
    for part in (found[0].parent, found[0].parents[1]):  # of a region, of a season
        assert paths_of([str(part)]) == found
    # Radar is found from within, and through a link.
    season = found[0].parents[1]
    monkeypatch.chdir(season)
    radar = tmp_path / "ROIs1970_fall_s1/s1_139/ROIs1970_fall_s1_139_p30.tif"
    (tmp_path / "elsewhere").symlink_to(season)
    for word in (".", str(tmp_path / "elsewhere")):
        first = paths_of([word])[0]
        assert (beside(first, "s1") or first).samefile(radar), word


def test_kinds_are_told_by_content(folder: Path) -> None:
    assert kind_of(folder / "b.tif", OPTICAL) == "stack"
    assert kind_of(folder / "b.tif", PICTURE) == "picture"
    (folder / "c.tif").write_bytes((folder / "c.jpg").read_bytes())
    assert kind_of(folder / "c.tif", OPTICAL) == "picture"
    for product, file, kind in (
        ("one.SAFE", "MTD_MSIL2A.xml", "sentinel2"),
        ("two.SEN3", "xfdumanifest.xml", "sentinel3"),
        ("three", "x_MTD_ALL.xml", "theia"),
    ):
        (folder / product).mkdir()
        (folder / product / file).write_text("<a/>")
        assert kind_of(folder / product, OPTICAL) == kind
        assert paths_of([str(folder / product)]) == [folder / product]
    assert {path.name for path in paths_of([str(folder)])} >= {"one.SAFE", "two.SEN3", "three"}


def test_what_is_none_says_what_it_is(folder: Path) -> None:
    (folder / "B02.jp2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n")
    with pytest.raises(InputError, match=r"one image of a product; name the whole product"):
        kind_of(folder / "B02.jp2", OPTICAL)
    with pytest.raises(InputError, match="no product, GeoTIFF, PNG or JPEG"):
        kind_of(folder / "note.txt", OPTICAL)
    with pytest.raises(InputError, match="folder without a product"):
        kind_of(folder, OPTICAL)


def test_another_kind_than_the_models_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"is a picture, and 'toy' takes B02 \(reflectance\)"):
        open_scene(folder / "c.jpg", OPTICAL)
    swath = form(float_band("Oa08", "radiance", 665.0), kind="sentinel3")
    with pytest.raises(InputError, match=r"is a GeoTIFF.*name a Sentinel-3 product"):
        open_scene(folder / "b.tif", swath)


def test_a_global_mosaic_is_named_with_the_way_out(tmp_path: Path) -> None:
    place = tmp_path / "Sentinel-2_mosaic_2023_Q1_33UUP_0_0"
    place.mkdir()
    profile = aerial_profile(8, 8, None)
    for name in ("B02", "B03", "B04", "B08", "observations"):
        save_tif(place / f"{name}.tif", np.zeros((1, 8, 8), np.uint8), profile)
    (place / "userdata.json").write_text('{"tile": "33UUP"}')  # no STAC item
    packed = tmp_path / "mosaic.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for path in place.iterdir():
            file.write(path, f"{place.name}/{path.name}")
    says = r"one file for each band: B02, B03, B04, B08; .* --bands B02,B03,B04,B08 --scale 0.0001"
    with pytest.raises(InputError, match=says):
        paths_of([str(place)])
    for path in (place, packed):
        with pytest.raises(InputError, match=says):
            kind_of(path, OPTICAL)
    (place / "B08.tif").unlink()
    assert len(paths_of([str(place)])) == 4  # four of anything
