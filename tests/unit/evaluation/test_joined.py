"""Whole images beside what is made of them, from squares of a real data set of step 52."""

from __future__ import annotations

import io

import numpy as np
import pytest
import rasterio
from PIL import Image

from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.evaluation import joined
from sensor2sensor.evaluation.joined import GAP_PX, TITLE_PX, panels, sheet, write_joined
from sensor2sensor.sources.aerial import run as step52
from sensor2sensor.sources.aerial.squares import CutImage, cut_images
from tests.fakes.town import write_aerial
from tests.fakes_tiles import own_environment

SIDE = 48  # stored as large as they are: pixels are those of the files
NAMES = ["austin1", "austin7", "austin9", "austin19", "vienna9"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("joined")
    write_aerial(root / "town", NAMES, 3 * SIDE)
    write_aerial(root / "town", ["austin29"], (2 * SIDE, 4 * SIDE))
    words = ["--data", str(root / "town"), "--split", "3", "--stored-size", str(SIDE)]
    assert step52.main([*words, *own_environment(root)]) == 0
    folder = root / "aerial" / str(SIDE)
    return root, folder, load_contract(folder)


class Painter:
    """Paints buildings red and all else by how many tiles it was given."""

    normalised = False

    def __init__(self):
        self.seen = []

    def __call__(self, tiles, /):
        self.seen.append([tile.name for tile in tiles])
        masks = np.stack([tile.input_dense for tile in tiles])
        rest = np.where(masks > 0, 0.0, 255.0 / len(tiles))
        return np.concatenate([255.0 * masks, rest, rest], axis=-1).astype(np.float32)


def test_only_images_of_which_every_square_is_there_are_whole(place):
    _, folder, contract = place
    names = [ref.name for ref in list_records(folder, "test")]
    found = cut_images(contract, names)
    # That of 2 x 4 is cut into squares of two thirds: 3 x 6 of them.
    assert [image.name for image in found] == ["town__austin19", "town__austin9", "town__vienna9"]
    assert {(image.count, len(image.rows[0])) for image in found} == {(3, 3)}
    assert found[0].rows[1][2] == f"town__austin19_{2 * SIDE}x{SIDE}"
    lacking = cut_images(contract, set(names) - {found[0].rows[1][2]})
    assert "town__austin19" not in {image.name for image in lacking}
    other = contract.model_copy(update={"provenance": {"step": "51", "options": {}}})
    assert cut_images(other, names) == []


def read_rows(folder, contract, image):
    refs = {ref.name: ref for ref in list_records(folder, "test")}
    return lambda: (
        list(iterate_refs([refs[name] for name in names], contract)) for names in image.rows
    )


def test_squares_are_joined_as_they_lay(place):
    root, folder, contract = place
    image = cut_images(contract, [ref.name for ref in list_records(folder, "test")])[-1]
    painter = Painter()
    made = panels(image, read_rows(folder, contract, image), painter, contract)
    mask, photo, whole, squares = made.values()
    with rasterio.open(root / "town" / "images" / "vienna9.tif") as file:
        np.testing.assert_allclose(photo, np.moveaxis(file.read(), 0, -1) / 255, atol=1e-6)
    with rasterio.open(root / "town" / "gt" / "vienna9.tif") as file:
        building = file.read(1) > 0
    np.testing.assert_array_equal(mask, np.repeat(building[..., None], 3, axis=-1))
    # Rows of three squares, each at its place.
    np.testing.assert_allclose(squares[building], [[1, 0, 0]] * building.sum())
    np.testing.assert_allclose(squares[~building][:, 1:], 1 / 3, rtol=1e-6)
    # At once: 3 x 3 pixels are one, building where at least half of them are.
    least = building.reshape(SIDE, 3, SIDE, 3).mean(axis=(1, 3)) >= 0.5
    least = np.repeat(np.repeat(least, 3, axis=0), 3, axis=1)
    np.testing.assert_allclose(whole[least], [[1, 0, 0]] * least.sum())
    np.testing.assert_allclose(whole[~least], [[0, 1, 1]] * (~least).sum())
    assert painter.seen == [*map(list, image.rows), [image.name]]


def test_many_squares_are_shown_smaller(place, monkeypatch):
    monkeypatch.setattr(joined, "LARGEST_PX", 2 * SIDE)
    _, folder, contract = place
    image = cut_images(contract, [ref.name for ref in list_records(folder, "test")])[0]
    few = read_rows(folder, contract, image)
    count = 6  # of 48 pixels each, which are shown as 16
    many = CutImage("many", (("",) * count,) * count)

    def rows():
        squares = [tile for tiles in few() for tile in tiles]
        for _ in range(count):
            yield [squares[number % 9] for number in range(count)]

    made = panels(many, rows, Painter(), contract)
    assert {picture.shape for picture in made.values()} == {(2 * SIDE, 2 * SIDE, 3)}


def test_the_sheet_has_every_pixel_at_its_place(place):
    edge = 40
    drawn = np.random.default_rng(0).integers(0, 256, (4, edge, edge, 3)) / 255
    png = sheet(dict(zip("abcd", drawn.astype(np.float32), strict=True)))
    seen = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) / 255
    assert seen.shape[:2] == (2 * (edge + TITLE_PX) + GAP_PX, 2 * edge + 3 * GAP_PX)
    for number, picture in enumerate(drawn):
        top = TITLE_PX + number // 2 * (edge + TITLE_PX)
        left = GAP_PX + number % 2 * (edge + GAP_PX)
        shown = seen[top : top + edge, left : left + edge]
        np.testing.assert_allclose(shown, picture, atol=1.01 / 255)


@pytest.mark.parametrize(
    ("named", "images"),
    [
        ((), ["town__austin19"]),
        ((f"town__vienna9_{SIDE}x0", "town__austin9_0x0"), ["town__austin9", "town__vienna9"]),
        ((f"town__austin1_{SIDE}x0",), ["town__austin19"]),  # of train
    ],
)
def test_the_images_of_named_tiles_are_drawn_else_the_first(place, tmp_path, named, images):
    _, folder, contract = place
    shelf = tmp_path / "a_gallery"
    entries = write_joined(Painter(), folder, contract, "test", shelf, named=named)
    assert [entry["tile"] for entry in entries] == images
    files = [f"a_gallery/joined-{number}.png" for number in range(1, len(images) + 1)]
    assert [entry["file"] for entry in entries] == files
    assert entries[0]["caption"] == (
        f"{images[0]} of test: the whole mask at once, and 3 x 3 squares joined"
    )
    first = [path.read_bytes() for path in sorted(shelf.iterdir())]
    again = write_joined(Painter(), folder, contract, "test", shelf, named=named, by_batch=True)
    assert again[0]["caption"].endswith(
        "joined; predicted by rows, in other batches than the scores"
    )
    assert [path.read_bytes() for path in sorted(shelf.iterdir())] == first
    out = {f"{image}_0x0" for image in ("town__austin19", "town__austin9", "town__vienna9")}
    assert write_joined(Painter(), folder, contract, "test", shelf, exclude_tiles=out) == []
