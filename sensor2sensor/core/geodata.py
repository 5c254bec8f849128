"""Data of PROJ and GDAL: those that came with the libraries, not those of another program.

PostGIS, OSGeo4W, QGIS and conda set ``PROJ_DATA`` (or ``PROJ_LIB``) and ``GDAL_DATA`` for their own
versions; the libraries here then find no coordinate system they know.
"""

from __future__ import annotations

import importlib.util
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

PROJ_VARIABLES, GDAL_VARIABLE = ("PROJ_DATA", "PROJ_LIB"), "GDAL_DATA"
SKIP_VARIABLE = "GDAL_SKIP"
_JPEG_2000_DRIVERS = {"JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID"}
_CARRIERS = ("rasterio", "pyogrio")  # whose wheels bring data; pyproj looks into its own first
_GDAL_MARK = "gdalvrt.xsd"


@cache
def set_aside() -> tuple[str, ...]:
    """Take variables that point to another program's data out of this process's environment.

    Done once, before a library reads them; worker processes inherit the rest. Nothing is done
    where the libraries brought no data of their own (conda), for then the variables are theirs.

    Returns:
        A line for each variable that was set aside.
    """
    found = list(_foreign()) if any(name in os.environ for name in _all()) else []
    for name, _ in found:
        del os.environ[name]
    return tuple(line for _, line in found)


def suspicion(error: BaseException) -> str:
    """The end of a line for an error of coordinate systems; empty for others or without a cause."""
    named = ", ".join(f"{name}={os.environ[name]}" for name in _all() if name in os.environ)
    if not named or type(error).__name__ not in ("CRSError", "ProjError"):
        return ""
    return f"; {named} may be another program's: unset it"


def drivers() -> set[str]:
    """The short names of GDAL's drivers, less those it was told to skip."""
    from rasterio.env import Env

    with Env() as gdal:
        return set(gdal.drivers())


def lacking_driver(error: BaseException, name: str) -> str | None:
    """The way out where GDAL cannot know a JPEG 2000 file for one, having no driver of the kind."""
    unknown = "not recognized as being in a supported file format" in str(error)
    if not (unknown and name.lower().endswith(".jp2")) or _JPEG_2000_DRIVERS & drivers():
        return None
    return driver_hint()


def driver_hint() -> str:
    """How to get a driver that is not there."""
    skipped = os.environ.get(SKIP_VARIABLE)
    if skipped:
        return f"{SKIP_VARIABLE}={skipped} switches drivers off: unset it"
    return "install rasterio from its wheel"


def _all() -> tuple[str, ...]:
    return *PROJ_VARIABLES, GDAL_VARIABLE


def _foreign() -> Iterator[tuple[str, str]]:
    own = [folder for name in _CARRIERS if (folder := _package(name)) is not None]
    layouts = [layout for folder in own if (layout := _layout(folder / "proj_data"))]
    for name in PROJ_VARIABLES:
        value = os.environ.get(name)
        if value is not None and layouts and not _fits(value, max(layouts)):
            why = "holds no proj.db that the PROJ here can use"
            yield name, f"{name}={value} {why}; it is another program's and was not used"
    value = os.environ.get(GDAL_VARIABLE)
    brought = any((folder / "gdal_data" / _GDAL_MARK).is_file() for folder in own)
    if value is not None and brought and not Path(value, _GDAL_MARK).is_file():
        why = "holds no data of GDAL"
        yield GDAL_VARIABLE, f"{GDAL_VARIABLE}={value} {why}; it was not used"


def _package(name: str) -> Path | None:
    """The folder of an installed package, which is not imported for that."""
    spec = importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _fits(value: str, wanted: tuple[int, int]) -> bool:
    """As PROJ does: the first proj.db on the way must have this layout, or a later minor one."""
    databases = [Path(part) for part in value.split(os.pathsep) if Path(part, "proj.db").is_file()]
    layout = _layout(databases[0]) if databases else None
    return layout is not None and layout[0] == wanted[0] and layout[1] >= wanted[1]


def _layout(folder: Path) -> tuple[int, int] | None:
    """Major and minor version of the layout of a folder's proj.db; None without a sound one."""
    key = "DATABASE.LAYOUT.VERSION"
    address = f"{(folder / 'proj.db').absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            rows = dict(database.execute("SELECT key, value FROM metadata"))
        return int(rows[f"{key}.MAJOR"]), int(rows[f"{key}.MINOR"])
    except (sqlite3.Error, KeyError, ValueError):
        return None
