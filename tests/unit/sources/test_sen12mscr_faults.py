"""SEN12MS-CR files that do not fit, hold something else or are damaged: each is one clear line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.sen12mscr.layout import find
from sensor2sensor.sources.sen12mscr.source import Sen12Source
from tests.fakes.sen12mscr import FIRST_PATCH, KINDS, triplet_paths, write_tif, write_triplets
from tests.unit.sources.test_sen12mscr import SIDE, asked, door

pytestmark = pytest.mark.filterwarnings("ignore", category=NotGeoreferencedWarning)
SOUND = {"spring_1": 1, "spring_17": 1, "spring_31": 1}


def rewritten(change: Callable[[np.ndarray], np.ndarray], **profile: Any):
    """Damage that changes pixels ``[C, H, W]`` or what the header says of them."""

    def damage(path: Path) -> None:
        with rasterio.open(path) as source:
            values, kept = source.read(), {"crs": source.crs, "transform": source.transform}
        values = change(values)
        size = {"height": values.shape[1], "width": values.shape[2], "driver": "GTiff"}
        write_tif(path, values, {**size, **kept, **profile})

    return damage


def moved(pixels: float, size: float = 1.0):
    def damage(path: Path) -> None:
        with rasterio.open(path) as source:
            grid = source.transform
        a = grid.a * size
        there = rasterio.Affine(a, 0, grid.c + pixels * grid.a, 0, -a, grid.f)
        rewritten(lambda values: values, transform=there)(path)

    return damage


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def at(*places: tuple[int, int, int], to: float):
    def change(values: np.ndarray) -> np.ndarray:
        for place in places:
            values[place] = to
        return values

    return change


def linear(values: np.ndarray) -> np.ndarray:
    return 10 ** (values / 10)


def black(values: np.ndarray) -> np.ndarray:
    values[:, 3, 4:7] = 0
    return values


L2A = "has 12 bands, as level 2A, which lacks B10; SEN12MS-CR is level 1C and has 13"
REFUSED = {
    "spring_6": ("s2", rewritten(lambda v: np.delete(v, 10, axis=0)), L2A),
    "spring_8": ("s2_cloudy", rewritten(lambda v: np.delete(v, 10, axis=0)), L2A),
    "spring_9": ("s2_cloudy", rewritten(lambda v: v[:10]), "10 bands; an image of level 1C has 13"),
    "spring_15": ("s1", rewritten(lambda v: v[:1]), "has 1 band; radar has two, VV and VH"),
    "spring_21": ("s1", rewritten(lambda v: v[:, :-1]), "has 31 x 32 pixels, most images 32 x 32"),
    "spring_26": ("s2", rewritten(lambda v: v[:, 1:, 1:]), "has 31 x 31 pixels, most images 32 x"),
    "spring_39": ("s1", moved(1.5), "lies 1.5 pixels from the clear image"),
    "spring_40": ("s2_cloudy", moved(0, 2), "has pixels of 20 m, most images of 10 m"),
    "spring_45": ("s1", rewritten(lambda v: v, crs="EPSG:3857"), "is in EPSG:3857, the clear"),
    "spring_58": ("s1", rewritten(linear), "is linear power and no dB; pass --s1-unit linear"),
    "spring_63": ("s2", rewritten(lambda v: v / np.float32(1e4)), "is of float32; a clear image"),
    "spring_66": ("s2", cut, "cannot be read, or is cut short ("),
    "spring_75": ("s1", folder, "is a folder, not a GeoTIFF"),
    "spring_77": ("s2_cloudy", lambda p: p.write_text("<html>"), "does not begin as a TIFF does)"),
    "spring_97": ("s1", lambda path: path.write_bytes(b""), "does not begin as a TIFF does)"),
    "spring_100": ("s1", rewritten(at((0,), (1,), to=-9)), "holds no radar: each band is one"),
    "spring_115": (
        "s2",
        rewritten(lambda v: v * 0 + 65535),
        "each band is one value throughout; it holds 65535 to 65535; fetch it again",
    ),
    "spring_117": ("s2_cloudy", rewritten(lambda v: v * 0 + 7), "clipped to 0 to 10000 each band"),
    "spring_119": (
        "s2",
        rewritten(lambda v: (v.astype(int) - 2**15).astype("int16")),
        "shows nothing: clipped to 0 to 10000 each band is one value throughout; it holds -",
    ),
}
NO_DATA = {
    "spring_101": ("s1", rewritten(at((0, 5, 6), (1, 7, 7), to=np.nan)), "2 of 1024 pixels of its"
                   " radar image have no data"),
    "spring_109": ("s2", rewritten(black), "3 of 1024 pixels of its clear image have no data"),
    "spring_110": ("s2_cloudy", rewritten(at((4, 0, 0), to=9), nodata=9), " of 1024 pixels of its"
                   " cloudy image have no data"),
    "spring_113": ("s1", rewritten(at((0, 5, 6), (1, 7, 7), (1, 9, 7), to=-9999)), "3 of 1024"
                   " pixels of its radar image have no data"),
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faults")
    write_triplets(
        root / "clouds", {**SOUND, **dict.fromkeys([*REFUSED, *NO_DATA], 1)}, side_px=SIDE
    )
    for roi, (kind, damage, _) in {**REFUSED, **NO_DATA}.items():
        damage(triplet_paths(root / "clouds", roi, FIRST_PATCH)[kind])
    return root


@pytest.fixture(scope="module")
def rows(root: Path) -> dict[str, SplitRow]:
    assert door(root) == 1
    verify_dataset(root / "sen12mscr" / str(SIDE))
    return {row.overpass: row for row in read_split(root / "sen12mscr" / str(SIDE))}


@pytest.mark.parametrize("roi", REFUSED)
def test_what_cannot_be_used_is_refused_by_name(root: Path, rows: dict[str, SplitRow], roi) -> None:
    kind, _, says = REFUSED[roi]
    path = triplet_paths(root, roi, FIRST_PATCH)[kind]
    assert rows[roi].split == "refused"
    assert rows[roi].reason.startswith(f"{path.parent.name}/{path.name}: ")
    assert says in rows[roi].reason and str(root) not in rows[roi].reason


@pytest.mark.parametrize("roi", NO_DATA)
def test_pixels_without_data_leave_a_triplet_out(rows: dict[str, SplitRow], roi: str) -> None:
    assert rows[roi].split == "dropped" and NO_DATA[roi][2] in rows[roi].reason


def test_the_others_are_made(rows: dict[str, SplitRow]) -> None:
    assert {roi: rows[roi].split for roi in SOUND} == {
        "spring_1": "train", "spring_17": "val", "spring_31": "test",
    }  # fmt: skip


@pytest.fixture
def sound(root: Path, tmp_path: Path) -> Path:
    """The sound triplets, to be changed."""
    for roi in SOUND:
        for path in triplet_paths(root / "clouds", roi, FIRST_PATCH).values():
            there = tmp_path / "clouds" / path.relative_to(root / "clouds")
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, there)
    return tmp_path / "clouds"


def source(folder: Path, **options: Any) -> Sen12Source:
    return Sen12Source(folder, find(folder), asked(**options))


def change_all(folder: Path, kind: str, damage: Callable[[Path], None]) -> None:
    for roi in SOUND:
        damage(triplet_paths(folder, roi, FIRST_PATCH)[kind])


def test_radar_of_another_unit_everywhere_ends_the_run_at_once(sound: Path) -> None:
    with pytest.raises(InputError, match=r"radar has negative values.*pass --s1-unit db"):
        source(sound, s1_unit="linear")
    change_all(sound, "s1", rewritten(linear))
    with pytest.raises(InputError, match=r"no value of its radar is negative.*--s1-unit linear"):
        source(sound)
    assert source(sound, s1_unit="linear").plan().notes == ()


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("s2", lambda v: np.delete(v, 10, axis=0), L2A),
        ("s2_cloudy", lambda v: np.delete(v, 10, axis=0), L2A),
        ("s2_cloudy", lambda v: v[:10], "has 10 bands; an image of level 1C has 13"),
        ("s1", lambda v: v[:1], "has 1 band; radar has two, VV and VH"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_other_bands_everywhere_end_the_run_at_once(
    sound: Path, capsys, kind: str, change, says: str, dry: tuple[str, ...]
) -> None:
    change_all(sound, kind, rewritten(change))
    cut(triplet_paths(sound, "spring_17", FIRST_PATCH)[kind])  # says nothing of its bands
    assert door(sound.parent, *dry) == 2
    first = triplet_paths(sound, "spring_1", FIRST_PATCH)[kind]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"{first.parent.name}/{first.name}: {says}")
    assert sorted(path.name for path in sound.parent.iterdir()) == ["clouds", "environment.json"]


def test_the_offset_of_newer_products_is_warned_about(sound: Path) -> None:
    assert source(sound).plan().notes == ()
    damage = rewritten(lambda values: values + np.uint16(1000))
    for roi in list(SOUND)[:2]:
        damage(triplet_paths(sound, roi, FIRST_PATCH)["s2"])
    (note,) = source(sound).plan().notes
    assert note.startswith(
        "warning: 2 of 3 clear images that were looked at are nowhere below 1000"
    )
    assert "offset of processing baseline 04.00" in note and "\n" not in note


@pytest.mark.parametrize("kind", ["s2", "s2_cloudy"])
@pytest.mark.parametrize(
    "change",
    [
        lambda values: values * np.uint16(8),
        lambda values: values * np.uint16(8) + np.uint16(1000),  # nowhere below 1000, either
        lambda values: np.minimum(values.astype(np.int16) - np.median(values) - 1, 9).astype("i2"),
    ],
)
def test_optical_images_of_another_scale_are_warned_about(sound: Path, kind, change) -> None:
    rewritten(change)(triplet_paths(sound, "spring_17", FIRST_PATCH)[kind])
    (note,) = source(sound).plan().notes
    called = {"s2": "clear", "s2_cloudy": "cloudy"}[kind]
    says = f"warning: 1 of 3 {called} images that were looked at have most values below 0 or above"
    assert note.startswith(says) and "offset" not in note and "\n" not in note


def test_an_image_of_one_value_is_not_called_lifted(sound: Path) -> None:
    change_all(sound, "s2", rewritten(lambda values: values * 0 + np.uint16(65535)))
    assert source(sound).plan().notes == ()


def test_radar_is_averaged_over_whole_pixels_that_are_known(sound: Path) -> None:
    multiple = "is no whole multiple of a radar pixel of 10 m"
    blocks = "makes blocks of 5 pixels, and 32 are no whole number of them"
    for metres, says in ((15, multiple), (4, multiple), (50, blocks)):
        with pytest.raises(InputError, match=f"--s1-resolution {metres} {says}"):
            source(sound, s1_resolution_m=float(metres))
    assert source(sound, s1_resolution_m=40.0)._block_px == 4
    for kind in KINDS:
        change_all(sound, kind, moved(0, 2))
    coarse = source(sound, s1_resolution_m=40.0)
    assert coarse._block_px == 2 and coarse.drafts[0].resolution_m == 20
    for kind in KINDS:
        change_all(
            sound,
            kind,
            rewritten(lambda values: values, crs=None, transform=rasterio.Affine.identity()),
        )
    with pytest.raises(InputError, match="needs radar that says how large a pixel is"):
        source(sound, s1_resolution_m=40.0)
    unplaced = source(sound)
    items = unplaced.plan().items
    assert [item.place for item in items] == [None] * 3
    assert unplaced.drafts[0].resolution_m is None and len(unplaced.read(items[0])) == 1


def test_no_square_image_and_none_that_can_be_read_are_one_line(sound: Path) -> None:
    change_all(sound, "s2", rewritten(lambda values: values[:, :20]))
    with pytest.raises(InputError, match="has no square image, the first 20 x 32 pixels"):
        source(sound)
    for kind in KINDS:
        change_all(sound, kind, lambda path: path.write_bytes(b"II*\0"))
    with pytest.raises(InputError, match="has no image that can be read"):
        source(sound)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--s1-domain", "db"), "--s1-domain db would do nothing without --s1-resolution"),
        (("--train_ratio", 0.5), "--train_ratio would do nothing without --split roi"),
        (("--val-from-train", 2), "--val-from-train is for --split-list alone"),
        (("--cloud-threshold", 0), "--cloud-threshold 0 is not in (0, 1]"),
        (("--s1-resolution", "inf"), "--s1-resolution inf is not finite"),
        (("--s1-resolution", "nan"), "--s1-resolution nan is not above 0"),
        (("--s1-resolution", -40), "--s1-resolution -40.0 is not above 0"),
        (("--dataset", "a/b"), "--dataset 'a/b' is no plain name"),
    ],
)
def test_options_that_make_no_sense_are_one_line(root: Path, capsys, words, says: str) -> None:
    assert door(root, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_other_options_of_what_is_there_are_said_alone(root: Path, rows, capsys) -> None:
    words = ("--bands", "10m20m", "--dataset", "sen12mscr", "--cloud-threshold", 0.25)
    assert door(root, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    said = line.partition("holds a data set of other options: ")[2].partition("; repeat with")[0]
    assert said == (
        "bands: all (there) against 10m20m (asked);"
        " cloud_threshold: 0.2 (there) against 0.25 (asked)"
    )
