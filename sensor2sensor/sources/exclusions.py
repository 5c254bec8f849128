"""Ground that others test on, to be left out of training: lists of sites, dates or AOIs.

OpenSR-test takes its Venµs patches from SEN2VENµS and its SPOT patches from WorldStrat: who trains
on these and scores on those has seen the answers. Its tables name what to leave out.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import nearest

# By which heading a table has each part of a name, the first that it has. A table of WorldStrat
# calls its AOIs "tile", which is a tile of Sentinel-2 only beside a site.
_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "site": ("vns_site", "venus_site", "site"),
    "tile": ("s2_tile", "mgrs_tile", "tile"),
    "date": ("date", "s2_date", "acquisition_date"),
    "aoi": ("aoi", "aoi_id", "aoi_name"),
}
_DAY = re.compile(r"(\d{4})\D?(\d{2})\D?(\d{2})")
# What files of an AOI or a site have behind its name: `_ps.tiff`, `-3-L2A_data.tiff`, `_hr.tif`.
_EXTENSION = re.compile(r"\.(?:7z|[a-z][a-z0-9]{1,4})$")
_KIND = re.compile(r"-(?:ps|pan|rgbn|hr|lr|\d+-(?:l[12]a-data|clm|clp|datamask))$")
_TOLD = 5

Name = tuple[str | None, str | None, str | None, str | None]


@dataclass(frozen=True)
class Excluded:
    """One entry of a list; what it leaves open is None and matches anything.

    Attributes:
        site: Site of Venµs.
        tile: Sentinel-2 tile, without the ``T`` before it.
        date: ``YYYYMMDD``.
        aoi: Area of interest of WorldStrat.
        where: ``file:line``.
    """

    site: str | None = None
    tile: str | None = None
    date: str | None = None
    aoi: str | None = None
    where: str = ""

    def matches(self, asked: Mapping[str, str | None]) -> bool:
        """Whether it means a sample, by the parts of the sample's name as :func:`_asked` has them.

        A part the sample does not know cannot rule it out: better one sample too few than a test
        that was trained on.
        """
        # A bare name says not whether it is a site or an AOI.
        if self.site is not None and self.site == self.aoi:
            return _plain(self.site) in (asked["site"], asked["aoi"])
        if asked["site" if self.site is not None else "aoi"] is None:
            return False
        own = _asked(self.site, self.tile, self.date, self.aoi)
        return all(part is None or asked[key] in (None, part) for key, part in own.items())

    def __str__(self) -> str:
        """``list.csv:3 (FR-LAM 31TDH 20180615)``."""
        parts = dict.fromkeys((self.site or self.aoi, self.tile, self.date))
        return f"{self.where} ({' '.join(part for part in parts if part)})"


@dataclass(frozen=True)
class Exclusions:
    """What is left out: the entries of each list, and the ``names`` of their files.

    Folders that are added have the lists of the first: of these ``partial`` is true.

    Names are compared without case; blank, ``_`` and ``-`` are one, and what files have behind the
    name of an AOI is none of it: copies of one data set differ in these.
    """

    lists: tuple[tuple[Excluded, ...], ...] = ()
    names: tuple[str, ...] = ()
    partial: bool = False

    @property
    def entries(self) -> tuple[Excluded, ...]:
        """Those of all lists."""
        return tuple(entry for entries in self.lists for entry in entries)

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Excluded]]:
        found: defaultdict[str, list[Excluded]] = defaultdict(list)
        for entry in self.entries:
            found[_plain(entry.site or entry.aoi) or ""].append(entry)
        return found

    def _meaning(self, asked: Mapping[str, str | None]) -> Iterator[Excluded]:
        for name in dict.fromkeys((asked["site"], asked["aoi"])):
            entries = self._by_name.get(name, ()) if name else ()
            yield from (entry for entry in entries if entry.matches(asked))

    def reason(
        self,
        *,
        site: str | None = None,
        tile: str | None = None,
        date: str | None = None,
        aoi: str | None = None,
    ) -> str | None:
        """Why a sample is left out, None where no list names it.

        Args:
            site: Of Venµs.
            tile: Of Sentinel-2, with or without a ``T`` before it.
            date: Any text that begins with year, month and day.
            aoi: Of WorldStrat, or a file of it.
        """
        found = next(self._meaning(_asked(site, tile, date, aoi)), None)
        return None if found is None else f"excluded by {found.where}"

    def unmatched(self, samples: Iterable[Name]) -> tuple[Excluded, ...]:
        """Entries that mean none of the samples: misspelt, or of ground that is not there.

        Args:
            samples: Site, tile, date and AOI of all that there are, left out or not.

        Raises:
            InputError: A list of which no entry means any: it would be said to have been used. Not
            of one that may be of other folders.
        """
        every = set(samples)
        asked = [_asked(*sample) for sample in every]
        meant = {id(entry) for one in asked for entry in self._meaning(one)}
        left = [[e for e in entries if id(e) not in meant] for entries in self.lists]
        for idle, entries, name in zip(left, self.lists, self.names, strict=True):
            if len(idle) == len(entries) and not self.partial:
                known = sorted({part for site, *_, aoi in every for part in (site, aoi) if part})
                raise InputError(
                    f"none of its {len(idle)} entries is in the data: {_few(idle)}",
                    where=name,
                    hint=_near(idle[0], known),
                )
        return tuple(entry for entries in left for entry in entries)


def told_unmatched(idle: Sequence[Excluded], exclusions: Exclusions) -> Iterator[str]:
    """What is to be said of entries that mean nothing."""
    if idle:
        yield (
            f"warning: {len(idle)} of {len(exclusions.entries)} entries of --exclude are not in"
            f" the data and leave nothing out: {_few(idle)}"
        )


def facts_of(idle: Sequence[Excluded]) -> dict[str, int]:
    """What provenance says of them: their count, nothing where there is none."""
    return {"exclusions_unmatched": len(idle)} if idle else {}


def _few(entries: Sequence[Excluded]) -> str:
    return ", ".join(map(str, entries[:_TOLD])) + (" ..." if len(entries) > _TOLD else "")


def _near(entry: Excluded, known: Sequence[str]) -> str:
    near = nearest(entry.site or entry.aoi or "", known)
    return f"nearest: '{near}'" if near else f"it has {', '.join(known[:_TOLD])}"


def read_exclusions(
    paths: Sequence[Path], *, of: Sequence[str] = ("site", "aoi"), partial: bool = False
) -> Exclusions:
    """Read lists: tables with a heading (comma, semicolon or tab), or one name a line.

    A table has a column of sites (``vns_site``, ``site``) or AOIs (``aoi``, or ``tile`` where there
    is no site); tile and date beside a site narrow it down. In a plain list empty lines and what
    follows a ``#`` are left out, and a name is that of a site or an AOI.

    Args:
        paths: The lists.
        of: By which columns a table may name what the data set has: ``site``, ``aoi`` or either.
        partial: They may be of other folders of the data set alone.

    Raises:
        InputError: A file cannot be read, lists nothing, or is a table without such a column or
            with a date that is none.
    """
    lists = tuple(tuple(_read(path, of)) for path in paths)
    return Exclusions(lists, tuple(path.name for path in paths), partial)


def _read(path: Path, of: Sequence[str]) -> list[Excluded]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"cannot be read ({reason})", where=path, hint="see --exclude") from error
    written = [(n, text) for n, line in enumerate(lines, 1) if (text := line.partition("#")[0])]
    rows = [(number, text.strip()) for number, text in written if text.strip()]
    between = next((mark for mark in "\t;," if rows and mark in rows[0][1]), None)
    if between or (rows and rows[0][1].lower() in (*_HEADINGS["site"], *_HEADINGS["aoi"])):
        found = list(_table(path, between or ",", of))
    else:
        found = [Excluded(site=t, aoi=t, where=f"{path.name}:{n}") for n, t in rows]
    if not found:
        hint = "give a site or an AOI on each line, or OpenSR-test's table"
        raise InputError("excludes nothing", where=path, hint=hint)
    return found


def _table(path: Path, between: str, of: Sequence[str]) -> Iterator[Excluded]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter=between)
        given = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
        columns = {
            key: given[next(n for n in names if n in given)]
            for key, names in _HEADINGS.items()
            if any(n in given for n in names)
        }
        # Where sites are asked for it is Sentinel-2's, beside a column that is misspelt.
        if "aoi" in of and "site" not in columns and "tile" in columns:
            columns.setdefault("aoi", columns["tile"])
        if not set(of) & set(columns):
            kinds = " or ".join({"site": "sites", "aoi": "AOIs"}[key] for key in of)
            raise InputError(
                f"has no column of {kinds}, but {', '.join(given)}",
                where=path,
                hint=f"name one {' or '.join(n for key in of for n in _HEADINGS[key])}",
            )
        for row in reader:
            told = {key: (row[name] or "").strip() or None for key, name in columns.items()}
            # Beside an AOI "tile" and "date" are not those of a pair of Venµs.
            tied = told.get("site") is not None
            if tied and told.get("date") and not _day(told["date"]):
                where = f"{path.name}:{reader.line_num}"
                raise InputError(f"'{told['date']}' is no date", where=where, hint="2018-06-15")
            entry = Excluded(
                site=told.get("site"),
                tile=_tile(told.get("tile")) if tied else None,
                date=_day(told.get("date")) if tied else None,
                aoi=told.get("aoi"),
                where=f"{path.name}:{reader.line_num}",
            )
            if entry.site or entry.aoi:
                yield entry


def _plain(named: str | None) -> str | None:
    """A name as it is compared: ``amnesty-poi-20-2-2`` of ``Amnesty_POI-20-2-2_ps.tiff``."""
    if not named:
        return None
    last = named.strip().replace("\\", "/").rstrip("/").rpartition("/")[2].casefold()
    return _KIND.sub("", re.sub(r"[\s_-]+", "-", _EXTENSION.sub("", last)))


def _asked(
    site: str | None, tile: str | None, date: str | None, aoi: str | None
) -> dict[str, str | None]:
    return {"site": _plain(site), "tile": _tile(tile), "date": _day(date), "aoi": _plain(aoi)}


def _tile(named: str | None) -> str | None:
    return re.sub(r"^T(?=\d)", "", named.strip().upper()) if named else None


def _day(written: str | None) -> str | None:
    found = _DAY.match(written or "")
    return "".join(found.groups()) if found else None
