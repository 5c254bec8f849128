"""Pictures as scenes: the values of steps 51 and 52, turned and placed as their files say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.form import Form, form_of
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.opening import open_scene, paths_of
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.scene import Frame, Scene
from sensor2sensor.sources.aerial.options import AerialOptions
from sensor2sensor.sources.aerial.pairs import find
from sensor2sensor.sources.aerial.source import AerialSource
from sensor2sensor.sources.maps.options import MapsOptions
from sensor2sensor.sources.maps.source import MapsSource
from tests.fakes.town import PIXEL_M, aerial_profile, save_tif, town, write_aerial, write_maps

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
SIDE = 64


def maps(folder: Path, direction: str = "right-to-left") -> MapsSource:
    return MapsSource(folder, MapsOptions("maps", "maps", direction, 32, False, False, 1, 42))


def aerial(folder: Path, **other: Any) -> AerialSource:
    options = AerialOptions(**{
        "dataset": "aerial", "name": "inria", "stored_px": SIDE, "split": 2, "min_density": 0.0,
        "split_by": "number", "train_ratio": 0.8, "val_ratio": 0.2, "block_tiles": 4.0,
        "bands": None, "seed": 42, **other,
    })  # fmt: skip
    return AerialSource(folder, find(folder, None), options)


@pytest.fixture(scope="module")
def inria(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_aerial(tmp_path_factory.mktemp("inria"), ("austin1",), 2 * SIDE)


@pytest.fixture(scope="module")
def buildings(inria: Path) -> Form:
    return form_of(aerial(inria).drafts[0])


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MapsSource]:
    folder = write_maps(tmp_path_factory.mktemp("maps"), SIDE, train=2, val=1)
    return folder, maps(folder)


def whole(scene: Scene) -> np.ndarray:
    found = scene.window(scene.frame.full_window)
    assert found is not None and found.record.input_dense is not None
    return found.record.input_dense


@pytest.mark.parametrize(
    ("direction", "half"), [("right-to-left", "right"), ("left-to-right", "left")]
)
def test_patches_are_those_of_step_51(
    drawings: tuple[Path, MapsSource], direction: str, half: str
) -> None:
    source = maps(drawings[0], direction)
    form = form_of(source.drafts[0])
    for item in source.plan().items:
        picture, place = item.payload
        (made,) = source.read(item)
        scene = open_scene(picture.path, form, SceneOptions(bands=(half,)))
        found = scene.window(place)
        assert found is not None and found.valid.all() and scene.frame == Frame(SIDE, SIDE)
        np.testing.assert_array_equal(found.record.input_dense, made.input_dense)
        np.testing.assert_array_equal(scene.truth(place), made.target)


def test_two_squares_side_by_side_are_not_taken_for_one(
    drawings: tuple[Path, MapsSource],
) -> None:
    folder, source = drawings
    path, form = folder / "train" / "1.jpg", form_of(source.drafts[0])
    with pytest.raises(InputError, match=r"two squares side by side.*--bands right"):
        open_scene(path, form)
    scene = open_scene(path, form, SceneOptions(bands=("red", "green", "blue")))
    assert scene.frame.shape == (SIDE, 2 * SIDE) and scene.truth(scene.frame.full_window) is None
    Image.open(path).crop((0, 0, SIDE, SIDE)).save(folder / "square.png")
    assert open_scene(folder / "square.png", form).frame == Frame(SIDE, SIDE)
    with pytest.raises(InputError, match=r"not two squares side by side; leave out --bands left"):
        open_scene(folder / "square.png", form, SceneOptions(bands=("left",)))


def test_masks_are_those_of_step_52_and_their_photo_is_the_truth(
    inria: Path, buildings: Form
) -> None:
    scene = open_scene(inria / "gt" / "austin1.tif", buildings)
    assert scene.frame.crs == "EPSG:32633" and scene.frame.transform is not None
    assert scene.frame.transform[0] == PIXEL_M and not scene.notices
    source = aerial(inria)
    for item in source.plan().items:
        (made,) = source.read(item)
        found = scene.window(item.payload.window)
        assert found is not None and found.valid.all()
        np.testing.assert_array_equal(found.record.input_dense, made.input_dense)
        np.testing.assert_array_equal(scene.truth(item.payload.window), made.target)


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("built", [1, 255])
def test_a_mask_is_0_and_1_whatever_stands_for_a_building(
    tmp_path: Path, buildings: Form, ending: str, built: int
) -> None:
    drawn = town(40, 48, "a")[2]
    path, values = tmp_path / f"a.{ending}", np.where(drawn, built, 0).astype(np.uint8)
    if ending == "png":
        Image.fromarray(values).save(path)
    else:
        save_tif(path, values[None], {**aerial_profile(40, 48, None), "nodata": 0})
    scene = open_scene(path, buildings)
    np.testing.assert_array_equal(whole(scene)[..., 0], drawn.astype(np.float32))
    assert scene.frame == Frame(48, 40) and scene.truth(scene.frame.full_window) is None


def test_what_is_no_mask_is_refused(tmp_path: Path, buildings: Form) -> None:
    values = np.where(town(200, 200, "a")[2], 255, 0).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a mask has 0 and one other; is it stored without loss"):
        open_scene(tmp_path / "a.jpg", buildings)
    # Two values in each window, three in all: told when the third is met.
    values[150:] = np.where(values[150:], 1, 0)
    save_tif(tmp_path / "b.tif", values[None], aerial_profile(200, 200, None))
    with pytest.raises(InputError, match=r"values 0, 1, 255"):
        scene = open_scene(tmp_path / "b.tif", buildings)
        whole(scene)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "c.png")
    with pytest.raises(InputError, match=r"takes building; a mask has one band"):
        open_scene(tmp_path / "c.png", buildings)


def test_pictures_are_turned_as_a_viewer_turns_them(
    tmp_path: Path, drawings: tuple[Path, MapsSource]
) -> None:
    form = form_of(drawings[1].drafts[0])
    photo = town(20, 30, "b")[0].astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo).save(tmp_path / "a.png", exif=exif)
    scene = open_scene(tmp_path / "a.png", form)
    assert scene.frame == Frame(20, 30)
    np.testing.assert_array_equal(whole(scene), np.rot90(photo, -1))


def test_what_is_transparent_has_no_data(tmp_path: Path, drawings: tuple[Path, MapsSource]) -> None:
    form = form_of(drawings[1].drafts[0])
    photo = town(20, 30, "c")[0].astype(np.uint8)
    opaque = np.full((20, 30), 255, np.uint8)
    opaque[:5] = 0
    Image.fromarray(np.dstack([photo, opaque])).save(tmp_path / "a.png")
    save_tif(
        tmp_path / "b.tif", np.moveaxis(np.dstack([photo, opaque]), -1, 0),
        aerial_profile(20, 30, (4e5, 5e6)), photometric="RGB", alpha="YES",
    )  # fmt: skip
    for name in ("a.png", "b.tif"):
        scene = open_scene(tmp_path / name, form)
        found = scene.window(scene.frame.full_window)
        assert found is not None
        np.testing.assert_array_equal(found.valid, opaque == 255)
        np.testing.assert_array_equal(found.record.input_dense[5:], photo[5:])
        np.testing.assert_array_equal(found.record.input_dense[0], photo[5])


def test_where_a_picture_lies_is_kept(tmp_path: Path, drawings: tuple[Path, MapsSource]) -> None:
    form = form_of(drawings[1].drafts[0])
    photo = town(16, 16, "d")[0].astype(np.uint8)
    with rasterio.open(
        tmp_path / "a.png", "w", driver="PNG", width=16, height=16, count=3, dtype="uint8",
        crs="EPSG:32633", transform=rasterio.Affine(2, 0, 4e5, 0, -2, 5e6),
    ) as file:  # fmt: skip
        file.write(np.moveaxis(photo, -1, 0))
    scene = open_scene(tmp_path / "a.png", form)
    assert scene.frame == Frame(16, 16, (2.0, 0.0, 4e5, 0.0, -2.0, 5e6), "EPSG:32633")


@pytest.mark.parametrize("kind", ["16 bits", "palette", "CMYK", "cut short", "uint16"])
def test_other_depths_and_damage_are_refused(
    tmp_path: Path, drawings: tuple[Path, MapsSource], kind: str
) -> None:
    form, path = form_of(drawings[1].drafts[0]), tmp_path / "a.png"
    if kind == "uint16":
        path = tmp_path / "a.tif"
        save_tif(path, np.ones((3, 9, 9), np.uint16), {**aerial_profile(9, 9, None), "dtype": kind})
    elif kind == "16 bits":
        Image.fromarray(np.full((9, 9), 999, np.uint16)).save(path)
    elif kind == "CMYK":
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).convert("CMYK").save(path, "JPEG")
    else:
        photo = Image.fromarray(town(99, 99, "e")[0].astype(np.uint8))
        (photo.convert("P") if kind == "palette" else photo).save(path)
        if kind == "cut short":
            path.write_bytes(path.read_bytes()[:2000])
    said = {"uint16": "pictures have 8 bits", "cut short": "cannot be decoded"}.get(kind, kind)
    with pytest.raises(InputError, match=said) as refused:
        open_scene(path, form)
    assert str(refused.value).count("convert it") <= 1


def test_what_cannot_be_mended_by_a_name_is_not_said_to_be(
    tmp_path: Path, drawings: tuple[Path, MapsSource], capsys: pytest.CaptureFixture[str]
) -> None:
    grey = Image.fromarray(np.full((9, 9), 7, np.uint8))
    for name in ("a.png", "b.bmp", "c.webp"):
        grey.save(tmp_path / name)
    assert paths_of([str(tmp_path)]) == [tmp_path / "a.png"]
    assert "2 pictures that are no TIFF, PNG or JPEG left out, first of them b.bmp" in (
        capsys.readouterr().out
    )
    with pytest.raises(InputError, match=r"has the bands grey.*; convert it to 3 bands: red"):
        open_scene(tmp_path / "a.png", form_of(drawings[1].drafts[0]))


def test_another_pixel_size_has_to_be_meant(inria: Path, buildings: Form) -> None:
    path = inria / "gt" / "austin1.tif"
    coarse = buildings.model_copy(update={
        "resolution_m": 3 * PIXEL_M,
        "input": buildings.input.model_copy(update={"pixel_m": 3 * PIXEL_M}),
    })  # fmt: skip
    with pytest.raises(InputError, match=rf"--input-m {3 * PIXEL_M:.6g} resamples, --other-scale"):
        open_scene(path, coarse)
    assert len(open_scene(path, coarse, SceneOptions(other_scale=True)).notices) == 1


@pytest.mark.parametrize("stored_px", [48, 200])
def test_a_mask_is_resampled_as_step_52_does_it(inria: Path, stored_px: int) -> None:
    source = aerial(inria, stored_px=stored_px, split=1)
    form = form_of(source.drafts[0])
    (made,) = source.read(source.plan().items[0])
    asked = SceneOptions(input_m=form.resolution_m)
    scene = open_scene(inria / "gt" / "austin1.tif", form, asked)
    np.testing.assert_array_equal(whole(scene), made.input_dense)
    # Where a mean of the photo is half a number, the order of its sum decides.
    apart = np.abs(scene.truth(scene.frame.full_window) - made.target)
    assert apart.max() <= 1 and (apart > 0).mean() < 1e-3
    assert scene.frame.transform is not None and not scene.notices
    assert scene.frame.transform[0] == pytest.approx(form.resolution_m)
    part = scene.window(PixelWindow(-8, 16, 40, 24), 8)
    assert part is not None
    np.testing.assert_array_equal(part.record.input_dense[:, 8:], made.input_dense[16:40, :32])
    save_tif(inria / "plain.tif", np.zeros((1, 9, 9), np.uint8), aerial_profile(9, 9, None))
    with pytest.raises(InputError, match="does not say how large its pixels are"):
        open_scene(inria / "plain.tif", form, asked)


def test_no_more_of_a_geotiff_is_read_than_a_window(inria: Path, buildings: Form) -> None:
    scene = open_scene(inria / "gt" / "austin1.tif", buildings)
    found = scene.window(PixelWindow(-8, 40, 32, 24), 8)
    assert found is not None and found.record.target.shape == (24, 32, 3)
    image = whole(scene)
    np.testing.assert_array_equal(found.record.input_dense[:, 8:], image[40:64, :24])
    np.testing.assert_array_equal(found.record.input_dense[:, :8], image[40:64, 8:0:-1])
