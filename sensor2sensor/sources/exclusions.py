"""Ground that others test on, to be left out of training: lists of sites, dates or AOIs.

OpenSR-test takes its Venµs patches from SEN2VENµS and its SPOT patches from WorldStrat: who trains
on these and scores on those has seen the answers. Its tables name what to leave out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensor2sensor.core.errors import InputError

# By which heading a table has each part of a name, the first that it has. A table of WorldStrat
# calls its AOIs "tile", which is a tile of Sentinel-2 only beside a site.
_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "site": ("vns_site", "venus_site", "site"),
    "tile": ("s2_tile", "mgrs_tile", "tile"),
    "date": ("date", "s2_date", "acquisition_date"),
    "aoi": ("aoi", "aoi_id", "aoi_name"),
}
_DAY = re.compile(r"(\d{4})\D?(\d{2})\D?(\d{2})")


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
        """Whether it means a sample, by the parts of the sample's name that are known."""
        # A bare name says not whether it is a site or an AOI; a part the sample does not know
        # cannot rule it out: better one sample too few than a test that was trained on.
        if self.site is not None and self.site == self.aoi:
            return self.site in (asked["site"], asked["aoi"])
        if asked["site" if self.site is not None else "aoi"] is None:
            return False
        parts = {key: getattr(self, key) for key in _HEADINGS}
        return all(own is None or asked[key] in (None, own) for key, own in parts.items())


@dataclass(frozen=True)
class Exclusions:
    """What is left out, by the lists that were given; ``names`` are those of their files."""

    entries: tuple[Excluded, ...] = ()
    names: tuple[str, ...] = ()

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
            aoi: Of WorldStrat.
        """
        asked = {"site": site, "tile": _tile(tile), "date": _day(date), "aoi": aoi}
        found = next((entry for entry in self.entries if entry.matches(asked)), None)
        return None if found is None else f"excluded by {found.where}"


def read_exclusions(paths: Sequence[Path]) -> Exclusions:
    """Read lists: tables with a heading (comma, semicolon or tab), or one name a line.

    A table has a column of sites (``vns_site``, ``site``) or AOIs (``aoi``, or ``tile`` where there
    is no site); tile and date beside a site narrow it down. In a plain list empty lines and what
    follows a ``#`` are left out, and a name is that of a site or an AOI.

    Raises:
        InputError: A file cannot be read, lists nothing, or is a table without such a column.
    """
    entries = [entry for path in paths for entry in _read(path)]
    return Exclusions(tuple(entries), tuple(path.name for path in paths))


def _read(path: Path) -> list[Excluded]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"cannot be read ({reason})", where=path, hint="see --exclude") from error
    written = [(n, text) for n, line in enumerate(lines, 1) if (text := line.partition("#")[0])]
    rows = [(number, text.strip()) for number, text in written if text.strip()]
    between = next((mark for mark in "\t;," if rows and mark in rows[0][1]), None)
    if between or (rows and rows[0][1].lower() in (*_HEADINGS["site"], *_HEADINGS["aoi"])):
        found = list(_table(path, between or ","))
    else:
        found = [Excluded(site=t, aoi=t, where=f"{path.name}:{n}") for n, t in rows]
    if not found:
        hint = "give a site or an AOI on each line, or OpenSR-test's table"
        raise InputError("excludes nothing", where=path, hint=hint)
    return found


def _table(path: Path, between: str) -> Iterator[Excluded]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter=between)
        given = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
        columns = {
            key: given[next(n for n in names if n in given)]
            for key, names in _HEADINGS.items()
            if any(n in given for n in names)
        }
        if "site" not in columns and "tile" in columns:
            columns.setdefault("aoi", columns["tile"])
        if "site" not in columns and "aoi" not in columns:
            raise InputError(
                f"has no column of sites or AOIs, but {', '.join(given)}",
                where=path,
                hint=f"name one {' or '.join(n for k in ('site', 'aoi') for n in _HEADINGS[k])}",
            )
        for row in reader:
            told = {key: (row[name] or "").strip() or None for key, name in columns.items()}
            # Beside an AOI "tile" and "date" are not those of a pair of Venµs.
            tied = told.get("site") is not None
            entry = Excluded(
                site=told.get("site"),
                tile=_tile(told.get("tile")) if tied else None,
                date=_day(told.get("date")) if tied else None,
                aoi=told.get("aoi"),
                where=f"{path.name}:{reader.line_num}",
            )
            if entry.site or entry.aoi:
                yield entry


def _tile(named: str | None) -> str | None:
    return named.removeprefix("T") if named else None


def _day(written: str | None) -> str | None:
    found = _DAY.match(written or "")
    return "".join(found.groups()) if found else None
