"""SEN12MS-CR: triplets found by whole names, and the lists that say who trains and who tests."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.sources.sen12mscr.layout import SEASONS, Patch, find, patch_of
from sensor2sensor.sources.sen12mscr.splits import (
    PUBLISHED,
    published_split,
    read_list,
    unmatched,
)
from tests.fakes.sen12mscr import triplet_paths
from tests.real_data import data_set


def touch(root: Path, roi: str, number: int, *, layout: str = "public", without: str = "") -> None:
    for kind, path in triplet_paths(root, roi, number, layout).items():
        if kind != without:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def test_the_published_lists_are_disjoint_and_complete() -> None:
    units = {
        split: {f"{season}_{roi}" for season, rois in seasons.items() for roi in rois}
        for split, seasons in PUBLISHED.items()
    }
    listed = {split: sum(map(len, rois.values())) for split, rois in PUBLISHED.items()}
    assert listed == {"train": 155, "val": 10, "test": 10}
    assert {split: len(found) for split, found in units.items()} == listed  # none twice
    assert not any(one & other for one, other in combinations(units.values(), 2))
    per_season = {season: len(rois) for season, rois in PUBLISHED["train"].items()}
    assert per_season == {"spring": 35, "summer": 43, "fall": 56, "winter": 21}
    assert all(set(seasons) == set(SEASONS) for seasons in PUBLISHED.values())
    some = ("fall_139", "winter_22", "spring_1", "spring_2")
    assert [published_split(unit) for unit in some] == ["test", "val", "train", None]


def test_a_region_is_never_the_beginning_of_another(tmp_path: Path) -> None:
    """A loader in wide use finds s1_1 within s1_106, and so trains on what it tests."""
    for roi in ("spring_1", "spring_106", "spring_17", "summer_1"):
        touch(tmp_path, roi, 30)
    found = {triplet.patch.unit: triplet for triplet in find(tmp_path).triplets}
    assert {unit: published_split(unit) for unit in found} == {
        "spring_1": "train", "spring_106": "test", "spring_17": "val", "summer_1": None,
    }  # fmt: skip
    # The rule of that loader, on all 175 regions: 164 are "train", six of them for testing.
    paths = {
        f"{season}_{roi}": f"ROIs_{season}_s1/s1_{roi}/x"
        for seasons in PUBLISHED.values()
        for season, rois in seasons.items()
        for roi in rois
    }
    looked_for = [
        f"{season}_s1/s1_{roi}" for season, rois in PUBLISHED["train"].items() for roi in rois
    ]
    leaked = {unit for unit, path in paths.items() if any(part in path for part in looked_for)}
    assert len(leaked) == 164 and sum(published_split(unit) == "test" for unit in leaked) == 6


@pytest.mark.parametrize("layout", ["public", "flat"])
@pytest.mark.parametrize("above", ["", "SEN12MSCR"])
def test_both_layouts_are_found_and_half_a_triplet_is_told(
    tmp_path: Path, layout: str, above: str
) -> None:
    for number in (30, 4):
        touch(tmp_path / above, "fall_139", number, layout=layout)
    touch(tmp_path / above, "winter_8", 1, layout=layout, without="s2")
    touch(tmp_path / above, "winter_8", 2, layout=layout, without="s1")
    found = find(tmp_path)
    names = [triplet.patch.name for triplet in found.triplets]
    whole = ["ROIs1970_fall_139_p4", "ROIs1970_fall_139_p30"]
    assert names == [*whole, "ROIs2017_winter_8_p1", "ROIs2017_winter_8_p2"]
    assert [triplet.patch.name for triplet in found.whole()] == whole
    expected = triplet_paths(tmp_path / above, "fall_139", 30, layout)
    assert found.triplets[1].paths == expected
    assert found.notes == (
        "left out (1), no clear image beside it: ROIs2017_winter_8_p1",
        "left out (1), no radar image beside it: ROIs2017_winter_8_p2",
    )


def test_what_is_in_a_foreign_folder_is_told_and_left_alone(tmp_path: Path) -> None:
    touch(tmp_path, "fall_139", 30)
    folder = tmp_path / "ROIs1970_fall_s1" / "s1_139"
    odd = [
        "ROIs1970_fall_s1_13_p30.tif",  # of another region
        "ROIs1970_fall_s2_139_p30.tif",  # of another kind
        "ROIs1158_fall_s1_139_p30.tif",  # a season with the number of another
        "ROIs1970_fall_s1_139_p30.tif.part",
        "readme.txt",
    ]
    for name in (*odd, "._ROIs1970_fall_s1_139_p31.tif"):
        (folder / name).touch()
    (folder / "ROIs1970_fall_s1_139_p32.tif").symlink_to("nowhere")
    found = find(tmp_path)
    assert [triplet.patch.number for triplet in found.triplets] == [30]
    (note,) = found.notes
    assert note.startswith("files that are no images of SEN12MS-CR (5) left alone: s1_139/ROIs1158")


@pytest.mark.parametrize("ending", [".TIF", ".tiff", ".TIFF"])
@pytest.mark.parametrize("layout", ["public", "flat"])
def test_other_endings_of_a_tiff_are_taken(tmp_path: Path, layout: str, ending: str) -> None:
    touch(tmp_path, "fall_139", 30, layout=layout)
    for path in triplet_paths(tmp_path, "fall_139", 30, layout).values():
        path.rename(path.with_suffix(ending))
    (triplet,) = find(tmp_path).whole()
    assert {path.suffix for path in triplet.paths.values()} == {ending}
    assert find(tmp_path).notes == ()
    touch(tmp_path, "fall_139", 30, layout=layout)
    with pytest.raises(InputError, match="are both the radar image of ROIs1970_fall_139_p30;"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: (root / "x").mkdir(), "has no folders of SEN12MS-CR; --data names the"),
        (lambda root: (root / "s1").mkdir(), "has no whole triplet (its folders are empty)"),
        (
            lambda root: touch(root, "fall_1", 2, without="s2_cloudy"),
            "has no whole triplet (left out (1), no cloudy image beside it: ROIs1970_fall_1_p2)",
        ),
        (
            lambda root: [touch(root, "fall_1", 2, layout=kind) for kind in ("flat", "public")],
            "are both the radar image of ROIs1970_fall_1_p2",
        ),
    ],
)
def test_nothing_to_read_is_one_line(tmp_path: Path, make, says: str) -> None:
    make(tmp_path)
    with pytest.raises(InputError) as caught:
        find(tmp_path)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_the_real_sample_lacks_a_clear_image() -> None:
    found = find(data_set("SEN12MSCR_PATH"))
    whole = {triplet.patch for triplet in found.whole()}
    assert Patch("fall", 139, 839) in whole
    told = [note for note in found.notes if "no clear image beside it" in note]
    assert told and Patch("summer", 19, 30) not in whole


FOLDERS = ("s1", "s2_cloudFree", "s2_cloudy")


def line(between: str, code: int | str, name: str) -> str:
    return between.join([str(code), *FOLDERS, name])


def listed(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("between", ["\t", ",", ", "])
@pytest.mark.parametrize("p", ["p", ""])
def test_a_list_is_read_with_each_separator_and_either_name(
    tmp_path: Path, between: str, p: str
) -> None:
    lines = [
        "\ufeff" + line(between, 1, f"ROIs1158_spring_1_{p}407.tif"),
        line(between, 2, f"ROIs1868_summer_17_{p}8.tif") + "\r",
        "",
        line(between, 3, f"ROIs1970_fall_139_{p}839.tif"),
    ]
    found = read_list(listed(tmp_path / "list.csv", *lines))
    expected = {("spring", 1, 407): "train", ("summer", 17, 8): "val", ("fall", 139, 839): "test"}
    assert found == {Patch(*key): split for key, split in expected.items()}
    assert patch_of("ROIs1970_fall_s2_cloudy_139_p839.tif") in found  # the public name
    assert unmatched(found, [Patch("fall", 139, 839), Patch("fall", 139, 1)]) == [
        "lines of the list that name no file here (2): ROIs1158_spring_1_p407,"
        " ROIs1868_summer_17_p8",
        "patches that the list does not name (1) left alone",
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([line(";", 1, "ROIs1158_spring_1_p4.tif")], "list.csv:1: has 1 columns, not split code"),
        ([line(",", 4, "ROIs1158_spring_1_p4.tif")], "list.csv:1: has the split code '4'; 1 is"),
        (
            [line(",", 1, "ROIs1158_spring_1_p4.tif"), line(",", 1, "ROIs1158_summer_1_p4.tif")],
            "list.csv:2: 'ROIs1158_summer_1_p4.tif' names no patch of SEN12MS-CR; it is to be",
        ),
        (
            [line(",", code, "ROIs1158_spring_1_p4.tif") for code in (1, 1, 3)],
            "list.csv:3: ROIs1158_spring_1_p4 is for test here and for train above",
        ),
        (
            [line(",", 1 + n % 2, f"ROIs1158_spring_{n // 4}_p{n}.tif") for n in range(8)],
            "gives patches of 2 regions to more than one split (8 patches): spring_0, spring_1;"
            " they are neighbours",
        ),
        ([""], "lists nothing"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_line(tmp_path: Path, lines: list[str], says) -> None:
    with pytest.raises(InputError) as caught:
        read_list(listed(tmp_path / "list.csv", *lines))
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_list_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read \\(No such file or directory\\)"):
        read_list(tmp_path / "list.csv")
