"""Finding products in an archive by content, whatever names and folders people gave them."""

from __future__ import annotations

import logging
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.archives import open_files
from sensor2sensor.core.containers import glimpse, is_unread_container, unfinished
from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.parallel import Failure, attempt
from sensor2sensor.core.paths import fault_of
from sensor2sensor.core.progress import progress
from sensor2sensor.products.acquisitions import s2_order, s3_order
from sensor2sensor.products.candidates import candidates, has_metadata
from sensor2sensor.products.forms import (
    NAME_HINTS,
    TILE_HINT,
    claims,
    form_named,
    form_of,
    shows,
    shows_any,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sensor2sensor.products.sentinel2 import S2Product
    from sensor2sensor.products.sentinel3 import S3Product

_LOG = logging.getLogger(__name__)


def find_s2(root: Path, tile: str | None = None) -> tuple[list[S2Product], list[Failure[Path]]]:
    """Every Sentinel-2 product below `root`, by sensing time, and what could not be opened.

    Args:
        root: the archive.
        tile: keep this tile alone, like `T29UNU` (`29UNU` is understood).
    """
    wanted = None if tile is None else f"T{tile.upper().removeprefix('T')}"
    found, failures = _find(root, "S2")
    kept = [product for product in found if wanted in (None, product.tile)]
    failures = [one for one in failures if wanted is None or _may_show(one.item, wanted)]
    return sorted(kept, key=s2_order), failures


def _may_show(path: Path, tile: str) -> bool:
    """Whether an unreadable product may be of a tile, by its name or that of its granules."""
    hints = TILE_HINT.findall(path.name)
    if not hints and path.is_file():
        hints = TILE_HINT.findall(glimpse(path))
    if not hints and path.is_dir():  # before December 2016 the granules alone bear tiles
        hints = [tile for one in path.glob("GRANULE/*") for tile in TILE_HINT.findall(one.name)]
    return not hints or tile in {hint.upper() for hint in hints}


def find_s3(root: Path) -> tuple[list[S3Product], list[Failure[Path]]]:
    """Every OLCI product below `root`, by sensing time, and what could not be opened.

    Args:
        root: the archive, flat or `YYYY/MM`. Folders are not trusted for the date: a pass over
            midnight at a month's end is found whichever folder holds it.
    """
    found, failures = _find(root, "S3")
    return sorted(found, key=s3_order), failures


def _find(root: Path, sensor: str) -> tuple[list[Any], list[Failure[Path]]]:
    if not root.is_dir():
        raise InputError("no such archive folder", where=root, hint="see environment.json")
    found: list[S2Product | S3Product] = []
    failures: list[Failure[Path]] = []
    for path in progress(candidates(root), desc=f"looking for {sensor} products", unit="item"):
        made = attempt(partial(_opened, root, sensor), path)
        if isinstance(made, Failure):
            failures.append(made)
        elif made is not None:
            found.append(made)
    # A download kept beside what was unpacked from it is nothing to be told of.
    have = {_stem(product.path.name) for product in found} | {_stem(one.name) for one in found}
    return found, [one for one in failures if not _is_spare(one.item, have)]


def _is_spare(path: Path, have: set[str]) -> bool:
    spare = is_unread_container(path.name) or unfinished(path) is not None
    return spare and _stem(path.name) in have


def _stem(name: str) -> str:
    return name.partition(".")[0].upper()


def _opened(root: Path, sensor: str, path: Path) -> S2Product | S3Product | None:
    """The product at a path; None where nothing says that it is, or was to be, of this sensor."""
    try:
        files = open_files(path)
        form = form_of(files)
    except Exception as error:  # what never was to be a product is nobody's failure
        if claims(path, sensor) or shows(path, sensor):
            raise
        if not (shows_any(path) or zipfile.is_zipfile(path)):
            _LOG.warning("%s: passed over (%s)", path, getattr(error, "what", error))
        return None
    if form is None and (claims(path, sensor) or _promises(path, sensor)):
        form = form_named(sensor)
    if form is None or form.sensor != sensor:
        return None
    _refuse_faulty(root, path)
    return form.read(path, files)


def _refuse_faulty(root: Path, path: Path) -> None:
    """ProductError where a path cannot be handed on: libraries that read images take text alone."""
    fault = fault_of(path) or _fault_in_a_table(path.relative_to(root).as_posix())
    if fault is not None:
        raise ProductError(f"its path {fault}", where=path)


def _fault_in_a_table(below_root: str) -> str | None:
    """Why an inventory cannot name a path; there / divides folders, and blanks around are none."""
    if "\\" in below_root:
        return "holds a backslash; rename it"
    return "begins or ends with a blank; rename it" if below_root != below_root.strip() else None


def _promises(path: Path, sensor: str) -> bool:
    """Whether what holds no product that is read holds one that is not: packed, old or gutted."""
    if path.is_dir():
        return sensor == "S2" and has_metadata(list(path.iterdir()))
    inner = [name.rpartition("/")[2] for name in open_files(path).names()]
    return any(name.lower().endswith(".zip") and NAME_HINTS[sensor].match(name) for name in inner)
