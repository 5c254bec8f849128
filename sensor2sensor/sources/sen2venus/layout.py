"""What lies in a download of SEN2VENµS v2: sites, their indices, and the patches in their zips.

A site is a folder that holds ``index.csv``: tab-separated, a line for each patch, with columns of
the files of its band groups. Files stay inside the zips beside it and are read through
``/vsizip/``.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sensor2sensor.core.archive_limits import ArchiveLimits, refuse_bombs
from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.paths import zip_member

INDEX = "index.csv"
ZIP = ".zip"
_PACKED = {ZIP, ".7z"}
_OVERWRITTEN = "is in several zips: unpack each into a folder of its name"
# Of the largest site some 16,000 patches of 0.5 MB lie in one zip.
LIMITS = ArchiveLimits(members=200_000, total_bytes=256 * 2**30)
_TILES, _DATES = ("s2_tile", "tile"), ("date", "acquisition_date", "s2_date")
_SITES = ("vns_site", "site")
_IN_NAME = re.compile(r"_T?(?P<tile>\d{2}[A-Z]{3})_(?P<date>\d{4}-?\d{2}-?\d{2})(?!\d)")
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


@dataclass(frozen=True)
class Member:
    """A file of a patch: how GDAL opens it, its name for messages, and what tells it changed."""

    path: str
    called: str
    key: tuple[str, int, int]


@dataclass(frozen=True)
class Patch:
    """A line of an index.

    Attributes:
        site: Its site, the last component of the folder.
        name: Of its sample: site, and the name of its file of 5 m.
        members: Its files by column.
        missing: Why it cannot be read, empty where it can.
        tile: Of Sentinel-2, without a ``T``; None where neither index nor name says.
        date: ``YYYYMMDD``; None likewise.
    """

    site: str
    name: str
    members: Mapping[str, Member]
    missing: str
    tile: str | None
    date: str | None


def sites_in(folder: Path) -> list[Path]:
    """Folders with an index: the one given, or those right below it.

    Raises:
        InputError: There is none.
    """
    if (folder / INDEX).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{INDEX}"))
    if not found:
        stacks, packed = any(folder.rglob("*.pt")), packed_sites(folder)
        hint = "--data names the folder that holds the sites' folders"
        if stacks:
            hint = "these are stacks of version 1: convert them with s2s convert-sen2venus"
        elif packed:
            hint = f"unpack {', '.join(packed[:3])} there first: the zips inside stay as they are"
        raise InputError(f"holds no site with an {INDEX}", where=folder, hint=hint)
    return found


def packed_sites(folder: Path) -> list[str]:
    """Archives that lie where sites' folders should, fetched and not unpacked, by name."""
    if (folder / INDEX).is_file():
        return []
    found = (path for path in folder.glob("*") if path.suffix.lower() in _PACKED)
    # Beside the folder of that name with an index it was unpacked already.
    return sorted(path.name for path in found if not (folder / path.stem / INDEX).is_file())


def patches_of(folder: Path, columns: Sequence[str]) -> list[Patch]:
    """The patches of a site.

    Args:
        folder: Of the site.
        columns: Of the files that are needed.

    Raises:
        InputError: The index cannot be read, lacks a column, or says it is of another site.
    """
    path = folder / INDEX
    # Its exact last component: a path split elsewhere equals no site, and test sites would train.
    site = folder.resolve().name
    rows = _rows(path, columns)
    _refuse_other_site(rows, site, path)
    archives = _Archives(folder)
    found = [_patch(row, number, site, columns, archives) for number, row in enumerate(rows, 2)]
    told = [replace(one, missing=one.missing or archives.overwritten(one)) for one in found]
    return list(_named_apart(told))


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"cannot be read ({reason})", where=path) from error
    between = "\t" if "\t" in text.partition("\n")[0] else ","
    # With newline="" a CR would stay at the end of every last cell.
    reader = csv.DictReader(io.StringIO(text, newline=None), delimiter=between)
    named = [(name or "").strip() for name in reader.fieldnames or ()]
    if lacking := [column for column in columns if column not in named]:
        what = f"has no column '{lacking[0]}'"
        raise InputError(what, where=path, hint=suggestion(lacking[0], named))
    reader.fieldnames = named
    rows = [{k: (v or "").strip() for k, v in row.items() if k is not None} for row in reader]
    if not rows:
        raise InputError("lists no patch", where=path, hint="fetch it again")
    return rows


def _refuse_other_site(rows: Sequence[Mapping[str, str]], site: str, path: Path) -> None:
    said = {row[column] for row in rows for column in _SITES if row.get(column)} - {site}
    if said:
        what = f"is of site {', '.join(sorted(said)[:3])}, and its folder is called {site}"
        raise InputError(what, where=path, hint="call the folder as its site: splits go by it")


def _patch(
    row: Mapping[str, str], number: int, site: str, columns: Sequence[str], archives: _Archives
) -> Patch:
    members, missing = {}, ""
    for column in columns:
        try:
            members[column] = archives.member(row[column], f"line {number} has no {column}")
        except ProductError as error:
            missing = missing or str(error)
    # Of 5 m where there is one: all files of a patch share its date, this one names it.
    named = next((row[c] for c in columns if c.endswith("05m") and row[c]), f"line{number}")
    stem = Path(named.replace("\\", "/")).stem
    tile, date = _told(row, _TILES), _told(row, _DATES)
    if found := _IN_NAME.search(stem):
        tile, date = tile or found["tile"], date or found["date"]
    day = _DAY.match(date)
    return Patch(
        site=site,
        name=f"{site}__{stem}",
        members=members,
        missing=missing,
        tile=tile.removeprefix("T") or None,
        date="".join(day.groups()) if day else None,
    )


def _told(row: Mapping[str, str], columns: Sequence[str]) -> str:
    return next((row[column] for column in columns if row.get(column)), "")


def _named_apart(patches: Sequence[Patch]) -> Iterator[Patch]:
    """Patches whose files have one name in several zips are told apart by their number."""
    counts: dict[str, int] = {}
    for patch in patches:
        counts[patch.name] = counts.get(patch.name, 0) + 1
    for number, patch in enumerate(patches):
        alone = counts[patch.name] == 1
        yield patch if alone else Patch(**{**vars(patch), "name": f"{patch.name}__{number:05d}"})


class _Archives:
    """The zips of one site, each listed once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: dict[Path, dict[str, zipfile.ZipInfo] | str] = {}
        self._zips_of: dict[str, set[str]] = {}  # by file that was unpacked

    def overwritten(self, patch: Patch) -> str:
        """Whether files of several zips were unpacked to one place: it holds those of one alone."""
        paths = {member.path: member.called for member in patch.members.values()}
        shared = [called for path, called in paths.items() if len(self._zips_of.get(path, ())) > 1]
        return f"{shared[0]}: {_OVERWRITTEN}" if shared else ""

    def member(self, cell: str, empty: str) -> Member:
        """The file that a cell of the index names, inside a zip or beside it.

        Raises:
            ProductError: It is not there, or the zip is damaged.
        """
        plain = cell.replace("\\", "/").removeprefix("/vsizip/").removeprefix("./")
        if not plain:
            raise ProductError(empty, where=INDEX)
        before, mark, inner = plain.partition(f"{ZIP}/")
        if mark:
            zipped = self._zip(before + ZIP)
            # Unpacked: into a folder called as the zip, or right into that of the site.
            places = () if zipped.is_file() else (zipped.with_suffix("").name, "")
            beside = (self._beside(f"{place}/{inner}".lstrip("/")) for place in places)
            if found := next(filter(None, beside), None):
                self._zips_of.setdefault(found.path, set()).add(zipped.name)
                return found
            return self._inside(zipped, inner)
        if found := self._beside(plain):
            return found
        holding = [zipped for zipped in self._zips if plain in self._names(zipped)]
        if len(holding) != 1:
            what = f"is in {len(holding)} zips beside it" if holding else "is missing"
            raise ProductError(what, where=plain, hint="fetch it again")
        return self._inside(holding[0], plain)

    def _beside(self, plain: str) -> Member | None:
        """A file of its own below the site's folder, if it is one."""
        path = self._folder / plain
        if path.is_file() and path.resolve().is_relative_to(self._folder.resolve()):
            state = path.stat()
            return Member(str(path), plain, (plain, state.st_mtime_ns, state.st_size))
        return None

    @cached_property
    def _zips(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{ZIP}"))

    def _zip(self, named: str) -> Path:
        # Some indices name their zips from the site's folder, some from the one above.
        path = self._folder / Path(named).name
        return path if path.is_file() else self._folder / named

    def _names(self, path: Path) -> dict[str, zipfile.ZipInfo]:
        found = self._listing(path)
        return {} if isinstance(found, str) else found

    def _inside(self, path: Path, inner: str) -> Member:
        found = self._listing(path)
        if isinstance(found, str):
            raise ProductError(found, where=path.name, hint="fetch it again")
        info = found.get(inner)
        if info is None:
            what = f"lacks {inner}, which {INDEX} names"
            raise ProductError(what, where=path.name, hint="fetch it again")
        # By its CRC: that a copy of the download is younger changes no sample.
        key = (f"{path.name}/{inner}", info.CRC, info.file_size)
        return Member(zip_member(path, inner), f"{path.name}/{inner}", key)

    def _listing(self, path: Path) -> dict[str, zipfile.ZipInfo] | str:
        if path not in self._listed:
            self._listed[path] = _listing(path)
        return self._listed[path]


def _listing(path: Path) -> dict[str, zipfile.ZipInfo] | str:
    """The members of a zip by name, or why there are none."""
    if not path.is_file():
        return "is missing"
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
        refuse_bombs(infos, path.stat().st_size, path, LIMITS)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        return f"is no whole zip ({error})"
    except ProductError as error:
        return error.what
    return {info.filename: info for info in infos if not info.is_dir()}
