"""What lies below a folder of WorldStrat, raw or derived, by its tables and the names of files.

Raw: ``hr_dataset/<AOI>/<AOI>_ps.tiff`` (SPOT, pan-sharpened to 1.5 m) and
``lr_dataset/<AOI>/L2A/<AOI>-<n>-L2A_data.tiff`` (Sentinel-2, 16 revisits), with ``metadata.csv``
and ``stratified_train_val_test_split.csv``; the copy on Kaggle has ``12bit/`` between. Derived
(wsx2, wsx4): ``index.csv`` between tabs, two files a pair.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.sources.worldstrat.tables import FIRST_LINE, Row, read_table

INDEX, METADATA = "index.csv", "metadata.csv"
SPLIT = "stratified_train_val_test_split.csv"
_DATES = ("tile", "n", "lowres_date", "highres_date")
_INDEX = ("hr_img", "lr_img", "split", "correlation")
_OTHER_WORDS = {"validation": "val", "valid": "val"}
# Names of AOIs as the authors gave them; in a grid around one point row and column are behind.
_AOI = re.compile(r"(?:Amnesty[ _]POI|ASMSpotter)-\d+-\d+-\d+|Landcover-\d+|UNHCR-[A-Za-z]+\d+")
_GRID = re.compile(r"(?P<place>.+)-\d+-\d+")
_TOLD = 5


@dataclass(frozen=True)
class Revisit:
    """One look of Sentinel-2 at an AOI.

    Attributes:
        number: The ``n`` of its files.
        days: From the date of SPOT to its own, signed.
        path: Its image of level 2A; its masks lie beside.
    """

    number: int
    days: int
    path: Path

    def beside(self, kind: str) -> Path:
        """Its file of another kind: ``CLM``, ``dataMask``."""
        return self.path.with_name(self.path.name.replace("-L2A_data", f"-{kind}"))


@dataclass(frozen=True)
class Aoi:
    """One area of the raw data set.

    Attributes:
        name: ``Landcover-769970``.
        split: As published.
        high: Image of SPOT, pan-sharpened; None where it is not there.
        revisits: Those that are there, the nearest in time first.
    """

    name: str
    split: str
    high: Path | None
    revisits: tuple[Revisit, ...]

    @property
    def place(self) -> str:
        """What its neighbours share: AOIs of one grid lie side by side."""
        return place_of(self.name)


@dataclass(frozen=True)
class Pair:
    """One line of the derived data set; the AOI is empty where the files' names tell none."""

    line: int
    high: Path
    low: Path
    split: str
    correlation: float
    aoi: str


def is_derived(folder: Path) -> bool:
    """Whether a folder is of wsx2 or wsx4.

    Raises:
        InputError: It is of neither layout.
    """
    if (folder / INDEX).is_file():
        return True
    if (folder / "hr_dataset").is_dir() and (folder / "lr_dataset").is_dir():
        return False
    hint = f"--data names the folder that holds hr_dataset/ and lr_dataset/, or {INDEX}"
    raise InputError("has nothing of WorldStrat", where=folder, hint=hint)


def find_aois(folder: Path) -> list[Aoi]:
    """The AOIs that the published split lists, by name, whole or not.

    Raises:
        InputError: A table is damaged, an AOI is in two splits, or no AOI has any file.
    """
    splits = _published(folder / SPLIT)
    dates = _dates(folder / METADATA)
    high, low = (_below(folder / side) for side in ("hr_dataset", "lr_dataset"))
    aois = [_aoi(name, splits[name], high, low, dates.get(name, {})) for name in sorted(splits)]
    if not any(aoi.high and aoi.revisits for aoi in aois):
        hint = f"{SPLIT} names {aois[0].name} first; are its folders there?"
        raise InputError("has no AOI with both images", where=folder, hint=hint)
    return aois


def _aoi(name: str, split: str, high: Path, low: Path, dates: Mapping[int, int]) -> Aoi:
    image = high / name / f"{name}_ps.tiff"
    revisits = [
        Revisit(number, days, path)
        for number, days in dates.items()
        if (path := low / name / "L2A" / f"{name}-{number}-L2A_data.tiff").is_file()
    ]
    # The later of two that are as near would be as good: by number, the same in every run.
    ordered = sorted(revisits, key=lambda one: (abs(one.days), one.number))
    return Aoi(name, split, image if image.is_file() else None, tuple(ordered))


def _below(folder: Path) -> Path:
    inner = folder / "12bit"
    return inner if inner.is_dir() else folder


def _published(path: Path) -> dict[str, str]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for number, row in enumerate(read_table(path, ("tile", "split")), start=FIRST_LINE):
        found[row["tile"]].add(_split(row["split"], path, number))
    return {name: "+".join(sorted(splits)) for name, splits in found.items()}


def refuse_two_splits(splits: Mapping[str, str], where: Path) -> None:
    """Refuse AOIs that a table gives to more than one split, joined by ``+``.

    Raises:
        InputError: With their names. The published table has such: stratified drawing repeated rare
            classes.
    """
    twice = sorted(name for name, split in splits.items() if "+" in split)
    if twice:
        raise InputError(
            f"has {len(twice)} AOIs in two splits: {few(twice)}",
            where=where,
            hint="train would show what is tested; name them in a file, one a line, and give it"
            " as --exclude",
        )


def _split(word: str, path: Path, number: int) -> str:
    split = _OTHER_WORDS.get(word, word)
    if split not in SPLITS:
        where = f"{path.name}:{number}"
        raise InputError(f"has the split '{word}'", where=where, hint=suggestion(word, SPLITS))
    return split


def _dates(path: Path) -> Mapping[str, Mapping[int, int]]:
    """Days from the high to the low look, by AOI and revisit."""
    found: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for number, row in enumerate(read_table(path, _DATES), start=FIRST_LINE):
        where = f"{path.name}:{number}"
        try:
            # As pandas writes a column of integers that lacks one: 3.0.
            revisit = int(float(row["n"]))
        except (ValueError, OverflowError):
            raise InputError(f"n '{row['n']}' is no number", where=where) from None
        low, high = (_day(row[key], where) for key in ("lowres_date", "highres_date"))
        found[row["tile"]][revisit] = (low - high).days
    return found


def _day(text: str, where: str) -> date:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise InputError(f"'{text}' is no date", where=where, hint="2020-05-17") from None


def find_pairs(folder: Path) -> list[Pair]:
    """The pairs that the index lists.

    Raises:
        InputError: The index is damaged.
    """
    path = folder / INDEX
    rows = enumerate(read_table(path, _INDEX, "\t"), start=FIRST_LINE)
    return [_pair(row, number, path) for number, row in rows]


def _pair(row: Row, number: int, path: Path) -> Pair:
    where = f"{path.name}:{number}"
    try:
        correlation = float(row["correlation"])
    except ValueError:
        correlation = math.nan
    if math.isnan(correlation):
        raise InputError(f"correlation '{row['correlation']}' is no number", where=where)
    # The index of another machine may hold its own paths: below the folder their end is meant.
    high, low = (_inside(path.parent, row[key], where) for key in ("hr_img", "lr_img"))
    named = _AOI.search(row["hr_img"]) or _AOI.search(row["lr_img"])
    aoi = named[0].replace("_", " ") if named else ""
    return Pair(number, high, low, _split(row["split"], path, number), correlation, aoi)


def _inside(folder: Path, text: str, where: str) -> Path:
    path = Path(text)
    if not text or ".." in path.parts:
        raise InputError(f"names the file '{text}'", where=where, hint="a path below the folder")
    if path.is_absolute():
        ends = (folder.joinpath(*path.parts[k:]) for k in range(1, len(path.parts)))
        return next((end for end in ends if end.is_file()), folder / path.name)
    return folder / path


def place_of(aoi: str) -> str:
    """``Amnesty POI-20`` of ``Amnesty POI-20-2-2``; other AOIs stand alone."""
    match = _GRID.fullmatch(aoi)
    return match["place"] if match else aoi


def split_places(splits: Mapping[str, str], advice: str) -> Iterator[str]:
    """What is to be said of places whose AOIs are in several splits, and what helps."""
    of_place: defaultdict[str, set[str]] = defaultdict(set)
    for aoi, split in splits.items():
        of_place[place_of(aoi)].add(split)
    shared = sorted(place for place, found in of_place.items() if len(found) > 1)
    if shared:
        yield (
            f"warning: AOIs of {len(shared)} places are in more than one split ({few(shared)}):"
            f" they lie side by side; {advice}"
        )


def few(names: Iterable[str]) -> str:
    """The first of many names."""
    every: Sequence[str] = list(names)
    return ", ".join(every[:_TOLD]) + (" ..." if len(every) > _TOLD else "")
