"""Splits of SEN12MS-CR: the published lists of regions, and lists of patches in a file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from sensor2sensor.core.errors import InputError
from sensor2sensor.sources.sen12mscr.layout import Patch, few, patch_of

# The 175 regions as public loaders of the data set list them; facts, in our own form.
PUBLISHED: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "train": {
        "spring": (
            *(1, 6, 8, 9, 15, 21, 26, 39, 40, 45, 58, 63, 66, 75, 77, 97, 100, 101, 109, 110),
            *(113, 115, 117, 119, 120, 121, 124, 126, 128, 132, 134, 141, 142, 145, 147),
        ),
        # 100 is a region for testing of SEN12MS-CR-TS: leave it out where both are combined.
        "summer": (
            *(4, 7, 11, 15, 25, 27, 31, 36, 40, 42, 43, 47, 55, 56, 72, 76, 86, 87, 89, 90, 93),
            *(95, 100, 101, 102, 113, 114, 115, 120, 121, 123, 124, 125, 126, 132, 133, 135),
            *(137, 139, 140, 143, 146, 147),
        ),
        "fall": (
            *(1, 3, 4, 6, 11, 14, 19, 22, 26, 27, 28, 30, 31, 33, 35, 37, 39, 40, 41, 42, 57),
            *(64, 71, 77, 81, 82, 83, 85, 88, 91, 93, 100, 104, 105, 107, 109, 110, 112, 114),
            *(116, 119, 120, 122, 125, 128, 131, 133, 134, 135, 136, 141, 142, 144, 147, 148),
            149,
        ),
        "winter": (
            *(8, 21, 25, 42, 47, 49, 55, 59, 61, 62, 64, 68, 75, 81, 94, 102, 104, 112, 116),
            *(135, 146),
        ),
    },
    "val": {
        "spring": (17,),
        "summer": (17, 19, 80, 127),
        "fall": (65,),
        "winter": (22, 84, 107, 130),
    },
    "test": {
        "spring": (31, 44, 106, 123, 140),
        "summer": (73, 119),
        "fall": (139,),
        "winter": (63, 108),
    },
}
_SPLIT_OF = {
    f"{season}_{roi}": split
    for split, seasons in PUBLISHED.items()
    for season, rois in seasons.items()
    for roi in rois
}
_CODES = {"1": "train", "2": "val", "3": "test"}
_COLUMNS = "split code, three folders and a file name"
_SEPARATOR = re.compile(r"\t|,")


def published_split(unit: str) -> str | None:
    """The split of a region (``fall_139``), None where no list has it."""
    return _SPLIT_OF.get(unit)


def read_list(path: Path) -> dict[Patch, str]:
    """The split of each patch that a file lists, as the original of DSen2-CR lists them.

    A line has a split code (1 train, 2 val, 3 test), the folders of the radar, the clear and the
    cloudy image, and the name that all three have, between tabs or commas. The older build of the
    data set wrote its numbers without a ``p``.

    Raises:
        InputError: A line cannot be read, a patch has two splits, or patches of a region have.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"cannot be read ({reason})", where=path) from error
    splits: dict[Patch, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        patch, split = _entry(line, f"{path.name}:{number}")
        if splits.setdefault(patch, split) != split:
            what = f"{patch.name} is for {split} here and for {splits[patch]} above"
            raise InputError(what, where=f"{path.name}:{number}", hint="leave one of the two out")
    if not splits:
        raise InputError("lists nothing", where=path, hint=f"a line has {_COLUMNS}")
    _refuse_shared(splits, path)
    return splits


def _entry(line: str, where: str) -> tuple[Patch, str]:
    columns = [part.strip() for part in _SEPARATOR.split(line)]
    if len(columns) != 5:
        what = f"has {len(columns)} columns, not {_COLUMNS}"
        raise InputError(what, where=where, hint="they stand between tabs or commas")
    code, name = columns[0], columns[4]
    if code not in _CODES:
        what = f"has the split code '{code}'"
        raise InputError(what, where=where, hint="1 is train, 2 is val, 3 is test")
    patch = patch_of(name)
    if patch is None:
        hint = "it is to be like ROIs1158_spring_1_p407.tif"
        raise InputError(f"'{name}' names no patch of SEN12MS-CR", where=where, hint=hint)
    return patch, _CODES[code]


def _refuse_shared(splits: Mapping[Patch, str], path: Path) -> None:
    """Patches of a region are neighbours: one in train shows what another one tests."""
    of_unit: defaultdict[str, set[str]] = defaultdict(set)
    for patch, split in splits.items():
        of_unit[patch.unit].add(split)
    leaking = sorted(unit for unit, found in of_unit.items() if len(found) > 1)
    if leaking:
        patches = sum(patch.unit in leaking for patch in splits)
        raise InputError(
            f"gives patches of {len(leaking)} regions to more than one split ({patches} patches):"
            f" {few(leaking)}",
            where=path,
            hint="they are neighbours: give a region to one split, or take --split roi",
        )


def unmatched(listed: Mapping[Patch, str], there: Sequence[Patch]) -> list[str]:
    """What is to be said of lines without files and of files without a line."""
    without = [patch.name for patch in sorted(listed.keys() - set(there))]
    others = len(set(there) - listed.keys())
    told = []
    if without:
        told.append(f"lines of the list that name no file here ({len(without)}): {few(without)}")
    if others:
        told.append(f"patches that the list does not name ({others}) left alone")
    return told
