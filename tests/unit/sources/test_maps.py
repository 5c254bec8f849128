"""Maps beside photos: what is cut, which split it goes to, what is refused and how it is said."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.maps.run import main
from tests.fakes.town import save_jpeg, side_by_side, write_maps
from tests.fakes_tiles import own_environment
from tests.real_data import data_set

SIDE, TILE = 75, 32  # 600 and 256, an eighth


def door(root: Path, *words: object, data: str = "maps") -> int:
    given = ["--data", root / data, "--tilesize", TILE, *words, *own_environment(root)]
    return main([str(word) for word in given])


def records(folder: Path) -> dict[str, np.ndarray]:
    """Target and input of every record, side by side, by name."""
    contract = load_contract(folder)
    refs = [ref for split in ("train", "val", "test") for ref in list_records(folder, split)]
    return {
        r.name: np.concatenate([r.target, r.input_dense], axis=1)
        for r in iterate_refs(refs, contract)
    }


def decoded(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("maps")
    write_maps(root / "maps", SIDE, train=12, val=3)
    assert door(root) == 0
    return root


def test_patches_are_the_pixels_of_the_halves(made: Path) -> None:
    found = records(made / "maps" / str(TILE))
    assert len(found) == 4 * 15
    for kind, number in (("train", 1), ("val", 3)):
        whole = decoded(made / "maps" / kind / f"{number}.jpg")
        for x in (0, 32):
            for y in (0, 32):
                photo = whole[y : y + TILE, x : x + TILE]
                drawing = whole[y : y + TILE, SIDE + x : SIDE + x + TILE]
                both = np.concatenate([photo, drawing], axis=1)
                assert np.array_equal(found[f"maps__{kind}_{number}_{x}x{y}"], both)


def test_the_form_names_photo_and_map_apart(made: Path) -> None:
    contract = load_contract(made / "maps" / str(TILE))
    assert [band.name for band in contract.target.bands] == ["red", "green", "blue"]
    assert [band.name for band in contract.input.bands] == ["map_red", "map_green", "map_blue"]
    assert contract.group("map") == (0, 1, 2) == contract.group("photo", "target")
    assert contract.colour("input") == contract.colour() == (0, 1, 2)
    assert np.array_equal(contract.target_ranges(), [[0, 255]] * 3)
    assert contract.target.dtype == contract.input.dtype == "uint8"
    assert contract.kind == "paired" and contract.resolution_m is None
    assert str(made) not in json.dumps(contract.provenance)


def test_val_is_for_testing_and_validation_comes_from_train_by_image(
    made: Path,
) -> None:
    rows = read_split(made / "maps" / str(TILE))
    splits = defaultdict(set)
    for row in rows:
        splits[row.name.rsplit("_", 1)[0]].add(row.split)
    assert all(len(of) == 1 for of in splits.values())
    assert {name for name, of in splits.items() if of == {"test"}} == {
        f"maps__val_{n}" for n in (1, 2, 3)
    }
    assert sum(of == {"val"} for of in splits.values()) == 1  # a tenth of 12, at least one


def test_published_sizes_give_the_published_patches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_maps(tmp_path / "maps", 600, train=2, val=1)
    given = ["--data", str(tmp_path / "maps"), "--dry-run", *own_environment(tmp_path)]
    assert main([*given, "--extract-patches"]) == 0
    out = capsys.readouterr().out
    assert "would write maps: 4 train, 4 val, 4 test" in out
    assert f"{1 - 512**2 / 600**2:.2%} of the pixels are in no patch" in out  # 0.271822
    assert main([*given, "--overlap"]) == 0
    out = capsys.readouterr().out
    assert "9 train, 9 val, 9 test" in out and "in no patch" not in out
    assert main([*given, "--resize_images"]) == 0
    assert "1 train, 1 val, 1 test" in capsys.readouterr().out
    assert not (tmp_path / "maps" / "256").exists()


def test_overlapping_patches_show_every_pixel(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps", SIDE, train=2, val=1)
    assert door(tmp_path, "--overlap", "--dataset", "all") == 0
    found = records(tmp_path / "all" / str(TILE))
    seen = np.full((SIDE, SIDE, 3), -1.0)
    for name, both in found.items():
        if name.startswith("maps__val_1_"):
            x, y = map(int, name.rsplit("_", 1)[1].split("x"))
            seen[y : y + TILE, x : x + TILE] = both[:, :TILE]
    assert np.array_equal(seen, decoded(tmp_path / "maps" / "val" / "1.jpg")[:, :SIDE])


def test_resized_halves_are_antialiased(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps", SIDE, train=2, val=1)
    words = ("--resize_images", "--dataset", "small", "--direction", "left-to-right")
    assert door(tmp_path, *words) == 0
    contract = load_contract(tmp_path / "small" / str(TILE))
    assert [band.name for band in contract.target.bands] == ["map_red", "map_green", "map_blue"]
    found = records(tmp_path / "small" / str(TILE))["maps__val_1"]
    with Image.open(tmp_path / "maps" / "val" / "1.jpg") as picture:
        for place, box in ((0, (SIDE, 0, 2 * SIDE, SIDE)), (TILE, (0, 0, SIDE, SIDE))):
            small = picture.crop(box).resize((TILE, TILE), Image.Resampling.BILINEAR)
            assert np.abs(found[:, place : place + TILE] - np.asarray(small)).max() <= 1


def test_without_a_val_folder_a_number_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_maps(tmp_path / "maps", SIDE, train=7)
    assert door(tmp_path) == 2
    err = capsys.readouterr().err
    assert "has no val/ folder; --val-from-train N draws N images" in err and err.count("\n") == 1
    assert door(tmp_path, "--val-from-train", 2, "--dry-run") == 0
    assert "would write maps: 12 train, 8 val, 8 test" in capsys.readouterr().out
    assert door(tmp_path, "--val-from-train", 4) == 2
    assert "units of train cannot go to validation" in capsys.readouterr().err


def test_folders_of_all_three_splits_are_taken_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_maps(tmp_path / "maps", SIDE, train=3, val=2, test=1)
    assert door(tmp_path, "--dry-run") == 0
    assert "would write maps: 12 train, 8 val, 4 test" in capsys.readouterr().out
    assert door(tmp_path, "--val-from-train", 1) == 2
    assert "nothing is drawn from train/; leave out --val-from-train" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "says"), [
    (("--overlap", "--resize_images"), "--overlap is of patches, not of --resize_images; see"),
    (("--tilesize", 4, "--val-from-train", 0), "less than 8; --val-from-train 0 is less than 1"),
    (("--dataset", "a/b"), "--dataset 'a/b' is no plain name"),
    (("--data", "nowhere"), "nowhere: no such folder; --data names the one to read"),
])  # fmt: skip
def test_wrong_words_are_one_line(tmp_path: Path, capsys, words, says: str) -> None:
    write_maps(tmp_path / "maps", SIDE, train=1)
    assert door(tmp_path, *words) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1
    assert door(tmp_path, data="maps/train") == 2
    assert "has no train/ folder; --data names the folder that" in capsys.readouterr().err
    assert door(tmp_path, data=".") == 2
    assert f"train/ and val/, as {tmp_path.name}/maps does" in capsys.readouterr().err


def saved(path: Path, picture: Image.Image) -> None:
    save_jpeg(path, picture)


def pair() -> Image.Image:
    return Image.fromarray(side_by_side(SIDE, "odd"))


def half(path: Path) -> None:
    saved(path, pair().crop((0, 0, SIDE, SIDE)))


def cut_in_the_middle(path: Path) -> None:
    saved(path, pair())
    path.write_bytes(path.read_bytes()[:2000])


def transparent(path: Path) -> None:
    see_through = pair().convert("RGBA")
    see_through.putpixel((3, 3), (0, 0, 0, 0))
    see_through.save(path, "PNG")


FAULTS = {
    "half": (half, f"is one picture of {SIDE} x {SIDE} pixels: its other half is missing"),
    "odd": (lambda p: saved(p, pair().crop((0, 0, 149, 75))), "is 149 x 75 pixels, not two squ"),
    "grey": (lambda p: saved(p, pair().convert("L")), "is grey, not of red, green and blue"),
    "cmyk": (lambda p: saved(p, pair().convert("CMYK")), "is CMYK, not of red, green and blue"),
    "small": (lambda p: saved(p, pair().crop((0, 0, 60, 30))), "has halves of 30 pixels, less"),
    "header": (lambda p: p.write_bytes(b"\xff\xd8\xff"), "is no picture that can be read"),
    "empty": (lambda p: p.write_bytes(b""), "(cannot identify image file '7.jpg')"),
    "cut": (cut_in_the_middle, "cannot be decoded (image file is truncated"),
    "transparent": (transparent, "is transparent in places, where nobody knows its colours; fill"),
}  # fmt: skip


def test_each_damaged_picture_is_named_and_the_others_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_maps(tmp_path / "maps", SIDE, train=6, val=1)
    for name, (damage, _) in FAULTS.items():
        folder = tmp_path / "maps" / "train"
        damage(folder / "7.jpg")
        (folder / "7.jpg").rename(folder / f"{name}.jpg")
    (folder / "._1.jpg").write_bytes(b"macOS")
    (folder / "Thumbs.db").write_bytes(b"Windows")
    assert door(tmp_path, "--val-from-train", 1, "--seed", 2) == 1
    out = capsys.readouterr().out
    assert "files that are neither JPEG nor PNG (1) left alone in train/" in out
    reasons = {r.name: r.reason for r in read_split(tmp_path / "maps/32") if r.split == "refused"}
    for name, (_, says) in FAULTS.items():
        told = [reason for record, reason in reasons.items() if f"_{name}" in record]
        says = says.replace("7.jpg", f"{name}.jpg")
        assert told and all(t.startswith(f"train/{name}.jpg: ") and says in t for t in told), name
    assert not any(str(tmp_path) in reason for reason in reasons.values())
    counts = verify_dataset(tmp_path / "maps" / "32")
    assert counts["files"] == 4 * 7


def test_validation_is_drawn_from_pictures_that_can_be_used(tmp_path: Path, capsys) -> None:
    train = tmp_path / "maps" / "train"
    write_maps(tmp_path / "maps", SIDE, train=2, val=1)
    for number in range(8):
        FAULTS["grey"][0](train / f"grey{number}.jpg")
    assert door(tmp_path) == 1
    assert "1 of 2 images of train/ are for validation" in capsys.readouterr().out
    splits = [r.split for r in read_split(tmp_path / "maps/32")]
    assert [splits.count(s) for s in ("train", "val", "test", "refused")] == [4, 4, 4, 8]
    pair().save(train / "1.png")
    assert door(tmp_path) == 2
    assert "1.jpg and 1.png have one name" in capsys.readouterr().err


def test_where_nothing_can_be_used_each_is_named(tmp_path: Path, capsys) -> None:
    write_maps(tmp_path / "maps", SIDE, train=2, val=1)
    train = tmp_path / "maps" / "train"
    for number, fault in enumerate(("grey", "half"), 1):
        FAULTS[fault][0](train / f"{number}.jpg")
    assert door(tmp_path) == 2
    out, err = capsys.readouterr()
    assert "the train and val splits are empty (0 train, 0 val, 4 test, 0 dropped, 2 refu" in err
    assert "train/1.jpg: is grey" in out and "train/2.jpg: is one picture of 75 x 75" in out
    for number in (1, 2):
        (train / f"{number}.jpg").rename(train / f"{number}.bmp")
    assert door(tmp_path) == 2
    err = capsys.readouterr().err
    assert "train: holds no JPEG or PNG picture; convert the other files (2)" in err


def test_a_mended_picture_joins_with_add(tmp_path: Path, capsys) -> None:
    write_maps(tmp_path / "maps", SIDE, train=5, val=1)
    sound = (tmp_path / "maps" / "train" / "2.jpg").read_bytes()
    (tmp_path / "maps" / "train" / "2.jpg").write_bytes(sound[:1500])
    assert door(tmp_path, "--val-from-train", 2) == 1
    before = records(tmp_path / "maps" / "32")
    (tmp_path / "maps" / "train" / "2.jpg").write_bytes(sound)
    assert door(tmp_path, "--val-from-train", 2) == 2
    assert "the list of images of maps has changed since" in capsys.readouterr().err
    assert door(tmp_path, "--val-from-train", 2, "--add") == 0
    after = records(tmp_path / "maps" / "32")
    assert len(after) == len(before) + 4
    assert all(np.array_equal(after[name], values) for name, values in before.items())


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_turned_picture_is_turned_back(tmp_path: Path, orientation: int) -> None:
    write_maps(tmp_path / "maps", SIDE, train=2, val=1)
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    stored = pair().transpose(back.get(orientation, Image.Transpose.ROTATE_270))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "maps" / "val" / "1.jpg"
    save_jpeg(path, stored, exif=exif, quality=100, subsampling="4:4:4")
    assert door(tmp_path) == 0
    found = records(tmp_path / "maps" / "32")["maps__val_1_32x0"]
    upright = side_by_side(SIDE, "odd").astype(int)
    right = np.concatenate([upright[:32, 32:64], upright[:32, SIDE + 32 : SIDE + 64]], axis=1)
    assert np.abs(found - right).max() <= 4


def test_opaque_alpha_is_left_out(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps", SIDE, train=2, val=1)
    (tmp_path / "maps" / "val" / "1.jpg").unlink()
    pair().convert("RGBA").save(tmp_path / "maps" / "val" / "1.PNG")
    assert door(tmp_path) == 0
    found = records(tmp_path / "maps" / "32")["maps__val_1_0x0"]
    assert np.array_equal(found[:, :32], side_by_side(SIDE, "odd")[:32, :32])


def test_the_real_pictures_become_the_published_patches(tmp_path: Path, capsys) -> None:
    data = data_set("MAPS_PATH")
    environment = own_environment(tmp_path)
    words = ["--data", str(data), "--dry-run", *environment]
    words += [] if (data / "val").is_dir() else ["--val-from-train", "8"]
    assert main(words) == 0
    images = len(list(data.rglob("*.jpg")))
    out = capsys.readouterr().out
    assert f"step 51: {4 * images} would be done, 0 already there, 0 failed" in out
    assert "27.18% of the pixels are in no patch" in out
