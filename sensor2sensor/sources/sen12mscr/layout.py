"""Triplets of radar, clear and cloudy images, found by the names of their folders and files.

Public: ``ROIs1158_spring_s1/s1_1/ROIs1158_spring_s1_1_p407.tif``, and so with ``s2`` and
``s2_cloudy``. Flat: ``s1/ROIs1158_spring_1_p407.tif``, and so in ``s2_cloudFree/`` and
``s2_cloudy/``. Every part of a name is read whole: a loader in wide use looks for ``s1_1`` within
paths, finds it in ``s1_106`` too, and so trains on six of the ten ROIs for testing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sensor2sensor.core.errors import InputError

SEASONS = {
    "spring": "ROIs1158",
    "summer": "ROIs1868",
    "fall": "ROIs1970",
    "winter": "ROIs2017",
}
RADAR, CLEAR, CLOUDY = KINDS = ("s1", "s2", "s2_cloudy")
CALLED = {RADAR: "radar image", CLEAR: "clear image", CLOUDY: "cloudy image"}
_FLAT = {"s1": RADAR, "s2_cloudfree": CLEAR, "s2_cloudy": CLOUDY}
_SEASON = "|".join(f"{series}_{season}" for season, series in SEASONS.items())
_FOLDER = re.compile(rf"(?P<season>{_SEASON})_(?P<kind>{'|'.join(KINDS)})")
_ROI_FOLDER = re.compile(rf"(?P<kind>{'|'.join(KINDS)})_(?P<roi>\d+)")
_FILE = re.compile(
    rf"(?P<season>{_SEASON})(?:_(?P<kind>{'|'.join(KINDS)}))?_(?P<roi>\d+)_(?P<p>p?)(?P<patch>\d+)"
    r"\.(?i:tiff?)"
)
_TOLD = 5


@dataclass(frozen=True, order=True)
class Patch:
    """One place of the data set.

    Attributes:
        season: ``fall``.
        roi: Number of its region in that season.
        number: Its own, within the region.
    """

    season: str
    roi: int
    number: int

    @property
    def unit(self) -> str:
        """``fall_139``: the region, which is another one in another season."""
        return f"{self.season}_{self.roi}"

    @property
    def name(self) -> str:
        """``ROIs1970_fall_139_p839``."""
        return f"{SEASONS[self.season]}_{self.season}_{self.roi}_p{self.number}"


@dataclass(frozen=True)
class Triplet:
    """The images of a patch that are there, by kind."""

    patch: Patch
    paths: Mapping[str, Path]

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not there: ``clear image``."""
        return tuple(CALLED[kind] for kind in KINDS if kind not in self.paths)


@dataclass(frozen=True)
class Found:
    """What there is below a folder.

    Attributes:
        triplets: By patch, whole or not.
        notes: Lines on what is missing and what is left alone.
    """

    triplets: tuple[Triplet, ...]
    notes: tuple[str, ...]

    def whole(self) -> list[Triplet]:
        """The triplets of which nothing is missing."""
        return [triplet for triplet in self.triplets if not triplet.missing]


def find(folder: Path) -> Found:
    """The triplets of a folder in either layout, or of the folders in it.

    Raises:
        InputError: There is none, or two files are one image.
    """
    images: dict[Patch, dict[str, Path]] = {}
    odd: list[str] = []
    for kind, patch, path in _images(_roots(folder), odd):
        there = images.setdefault(patch, {})
        if kind in there:
            first, second = (_short(one, folder) for one in (there[kind], path))
            what = f"{first} and {second} are both the {CALLED[kind]} of {patch.name}"
            raise InputError(what, where=folder, hint="take one of them away")
        there[kind] = path
    triplets = tuple(Triplet(patch, images[patch]) for patch in sorted(images))
    found = Found(triplets, tuple(_notes(triplets, odd)))
    if not found.whole():
        told = "; ".join(found.notes) or "its folders are empty"
        raise InputError(f"has no whole triplet ({told})", where=folder)
    return found


def images_in(folder: Path) -> list[tuple[str, Patch, Path]]:
    """Kind, patch and path of every image in either layout; none where there is neither.

    A folder of a season and kind (``ROIs1970_fall_s2_cloudy``) gives what is in it.
    """
    if match := _FOLDER.fullmatch(folder.resolve().name):
        return list(_season(folder, match["season"], match["kind"], []))
    with suppress(InputError):
        return list(_images(_roots(folder), []))
    return []


def patch_of(name: str) -> Patch | None:
    """The patch that a file is named after in either layout, with or without the ``p``."""
    match = _FILE.fullmatch(name)
    return None if match is None else _patch(match)


def beside(path: Path, kind: str) -> Path | None:
    """Another image of the patch that a file is named after, in either layout; None: it lacks."""
    patch = patch_of(path.name)
    if patch is None:
        return None
    code = f"{SEASONS[patch.season]}_{patch.season}"
    name = f"{code}_{kind}_{patch.roi}_p{patch.number}{path.suffix}"
    # As it is named first, from wherever that is; through a link its neighbours lie elsewhere.
    for place in (path.absolute(), path.resolve()):
        if len(place.parents) < 3:
            continue
        public = place.parents[2] / f"{code}_{kind}" / f"{kind}_{patch.roi}" / name
        flat = [
            folder / same
            for folder in _folders(place.parents[1])
            if _FLAT.get(folder.name.casefold()) == kind
            for same in (path.name, name)
        ]
        if found := next((one for one in (public, *flat) if one.is_file()), None):
            return found
    return None


def _patch(match: re.Match[str]) -> Patch:
    season = match["season"].partition("_")[2]
    return Patch(season, int(match["roi"]), int(match["patch"]))


def _roots(folder: Path) -> list[Path]:
    """The folder itself, or those in it that hold what it lacks, as the archive's own does.

    Raises:
        InputError: Neither does.
    """
    for roots in ([folder], _folders(folder)):
        holding = [root for root in roots if any(map(_is_ours, _folders(root)))]
        if holding:
            return holding
    hint = "--data names the folder that holds ROIs1158_spring_s1/ and its like, or s1/, "
    raise InputError(
        "has no folders of SEN12MS-CR", where=folder, hint=f"{hint}s2_cloudFree/ and s2_cloudy/"
    )


def _is_ours(folder: Path) -> bool:
    return bool(_FOLDER.fullmatch(folder.name)) or folder.name.casefold() in _FLAT


def _images(roots: Iterable[Path], odd: list[str]) -> Iterator[tuple[str, Patch, Path]]:
    """Kind, patch and path of every image; what fits in no layout goes to ``odd``."""
    for folder in (folder for root in roots for folder in _folders(root)):
        if match := _FOLDER.fullmatch(folder.name):
            yield from _season(folder, match["season"], match["kind"], odd)
        elif kind := _FLAT.get(folder.name.casefold()):
            for path in _entries(folder):
                match = _FILE.fullmatch(path.name)
                if match and match["kind"] in (None, kind):
                    yield kind, _patch(match), path
                else:
                    odd.append(f"{folder.name}/{path.name}")


def _season(
    folder: Path, season: str, kind: str, odd: list[str]
) -> Iterator[tuple[str, Patch, Path]]:
    for roi in _folders(folder):
        named = _ROI_FOLDER.fullmatch(roi.name)
        for path in _entries(roi):
            match = _FILE.fullmatch(path.name)
            expected = (season, kind, named["roi"]) if named and named["kind"] == kind else None
            if match and (match["season"], match["kind"], match["roi"]) == expected:
                yield kind, _patch(match), path
            else:
                odd.append(f"{roi.name}/{path.name}")


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, by name, without what is hidden and links to nothing."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.name[0] != ".")
    return [path for path in map(folder.joinpath, names) if path.exists()]


def _notes(triplets: Iterable[Triplet], odd: list[str]) -> Iterator[str]:
    lacking: dict[str, list[str]] = {}
    for triplet in triplets:
        if triplet.missing:
            lacking.setdefault(lacks(triplet), []).append(triplet.patch.name)
    for what, names in sorted(lacking.items()):
        yield f"left out ({len(names)}), {what}: {few(names)}"
    if odd:
        yield f"files that are no images of SEN12MS-CR ({len(odd)}) left alone: {few(odd)}"


def lacks(triplet: Triplet) -> str:
    """``no clear image beside it``, ``no radar image and no cloudy image beside it``."""
    return f"no {' and no '.join(triplet.missing)} beside it"


def few(names: Iterable[str]) -> str:
    """The first of many names."""
    every = list(names)
    return ", ".join(every[:_TOLD]) + (" ..." if len(every) > _TOLD else "")


def _short(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
