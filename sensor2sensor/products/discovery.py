"""Finding products in an archive by content.

The archive may be flat or in folders like `YYYY/MM`; products may be folders or zips. A name is
a hint only: it decides whether something unreadable was meant to be a product, and so whether it
is reported or passed over.
"""

from __future__ import annotations

import logging
import re
import zipfile
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sensor2sensor.core.archives import FolderFiles, ProductFiles, open_files
from sensor2sensor.core.containers import (
    PRODUCT_SUFFIXES,
    glimpse,
    is_companion,
    is_control_file,
    is_metadata,
    is_old_metadata,
    is_open_product,
    is_unread_container,
    unfinished,
)
from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.parallel import Failure, attempt
from sensor2sensor.core.paths import fault_of
from sensor2sensor.core.progress import progress
from sensor2sensor.products.acquisitions import s2_order, s3_order
from sensor2sensor.products.s2_open import is_open_form
from sensor2sensor.products.sentinel2 import MANIFEST as S2_MANIFEST
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from sensor2sensor.products.sentinel3 import MANIFEST as S3_MANIFEST
from sensor2sensor.products.sentinel3 import S3Product, open_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

Product = TypeVar("Product", S2Product, S3Product)

_S2_FILES = ("MTD_MSIL1C.xml", "MTD_MSIL2A.xml")
_TILE_HINT = re.compile(r"_(T\d{2}[A-Z]{3})(?=_|\.|$)", re.IGNORECASE)
_NAME_HINTS = {
    "S2": re.compile(r"S2[A-D]_(?:(?:OPER|USER)_PRD_)?MSIL(1C|2A)_", re.IGNORECASE),
    "S3": re.compile(r"S3[A-D]_OL_1_E[FR]R_", re.IGNORECASE),
}
# Other products of these satellites share an archive's folders and are none of our failures.
_OTHER_PRODUCT = re.compile(
    r"S1[A-D]_|S3[A-D]_(?!OL_1_E[FR]R)|S2[A-D]_(?!MSIL|(?:OPER|USER)_PRD_MSIL(?:1C|2A)"
    r"|T?\d{1,2}[A-Z]{3}_\d{8}|OPER_MSI_L(?:1C|2A)_TL_)",
    re.IGNORECASE,
)
# What names of members say of an archive that cannot be opened, or holds another one.
_MEMBER_HINTS = {
    "S2": re.compile(
        r"MTD_MSIL(?:1C|2A)\.xml|GRANULE[/\\]L(?:1C|2A)_T|S2[A-D]_MSIL(?:1C|2A)_\w+\.(?:SAFE|zip)",
        re.IGNORECASE,
    ),
    "S3": re.compile(r"Oa\d\d_radiance\.nc|S3[A-D]_OL_1_E[FR]R_\w+\.(?:SEN3|zip)", re.IGNORECASE),
}
_SUFFIX_HINTS = {"S2": (".safe",), "S3": (".sen3",)}
MAX_DEPTH = 8
_LOG = logging.getLogger(__name__)


def find_s2(root: Path, tile: str | None = None) -> tuple[list[S2Product], list[Failure[Path]]]:
    """Every Sentinel-2 product below `root`, by sensing time, and what could not be opened.

    Args:
        root: the archive.
        tile: keep this tile alone, like `T29UNU` (`29UNU` is understood).
    """
    wanted = None if tile is None else f"T{tile.upper().removeprefix('T')}"
    found, failures = _find(root, "S2", open_s2)
    kept = [product for product in found if wanted in (None, product.tile)]
    failures = [one for one in failures if wanted is None or _may_show(one.item, wanted)]
    return sorted(kept, key=s2_order), failures


def _may_show(path: Path, tile: str) -> bool:
    """Whether an unreadable product may be of a tile, by its name or that of its granules."""
    hints = _TILE_HINT.findall(path.name)
    if not hints and path.is_file():
        hints = _TILE_HINT.findall(glimpse(path))
    if not hints and path.is_dir():  # before December 2016 the granules alone bear tiles
        hints = [tile for one in path.glob("GRANULE/*") for tile in _TILE_HINT.findall(one.name)]
    return not hints or tile in {hint.upper() for hint in hints}


def find_s3(root: Path) -> tuple[list[S3Product], list[Failure[Path]]]:
    """Every OLCI product below `root`, by sensing time, and what could not be opened.

    Args:
        root: the archive, flat or `YYYY/MM`. Folders are not trusted for the date: a pass over
            midnight at a month's end is found whichever folder holds it.
    """
    found, failures = _find(root, "S3", open_s3)
    return sorted(found, key=s3_order), failures


def _find(
    root: Path, kind: str, opener: Callable[[Path], Product]
) -> tuple[list[Product], list[Failure[Path]]]:
    if not root.is_dir():
        raise InputError("no such archive folder", where=root, hint="see environment.json")
    found: list[Product] = []
    failures: list[Failure[Path]] = []
    for path in progress(candidates(root), desc=f"looking for {kind} products", unit="item"):
        made = attempt(partial(_opened, root, kind, opener), path)
        if isinstance(made, Failure):
            failures.append(made)
        elif made is not None:
            found.append(made)
    # A download kept beside what was unpacked from it is nothing to be told of.
    have = {_stem(product.path.name) for product in found} | {_stem(one.name) for one in found}
    return found, [one for one in failures if not _is_spare(one.item, have)]


def candidates(root: Path) -> list[Path]:
    """What may be a product below a folder: its folders and zips, by name, none opened."""
    return [path for path in _candidates(root) if not _OTHER_PRODUCT.match(path.name)]


def _is_spare(path: Path, have: set[str]) -> bool:
    spare = is_unread_container(path.name) or unfinished(path) is not None
    return spare and _stem(path.name) in have


def _stem(name: str) -> str:
    return name.partition(".")[0].upper()


def _opened(root: Path, kind: str, opener: Callable[[Path], Product], path: Path) -> Product | None:
    """The product at a path; None where nothing says that it is, or was to be, of this kind."""
    if not _recognised_or_claimed(path, kind):
        return None
    # The libraries that read images take text alone.
    fault = fault_of(path) or _fault_in_a_table(path.relative_to(root).as_posix())
    if fault is not None:
        raise ProductError(f"its path {fault}", where=path)
    return opener(path)


def _fault_in_a_table(below_root: str) -> str | None:
    """Why an inventory cannot name a path; there / divides folders, and blanks around are none."""
    if "\\" in below_root:
        return "holds a backslash; rename it"
    return "begins or ends with a blank; rename it" if below_root != below_root.strip() else None


def _recognised_or_claimed(path: Path, kind: str) -> bool:
    """Whether to open a path as this kind: by its files, or its name where they tell nothing."""
    try:
        known = _kind_by(open_files(path))
    except Exception as error:  # what never was to be a product is nobody's failure
        if _claims(path, kind) or _shows(path, kind):
            raise
        if not (any(_shows(path, one) for one in _MEMBER_HINTS) or zipfile.is_zipfile(path)):
            _LOG.warning("%s: passed over (%s)", path, getattr(error, "what", error))
        return False
    if known is not None:
        return known == kind
    return _claims(path, kind) or _promises(path, kind)


def _shows(path: Path, kind: str) -> bool:
    """Whether what can be seen of an archive's members, or of a folder, is of a product."""
    if path.is_dir():
        return _kind_by(FolderFiles(path)) == kind
    return _MEMBER_HINTS[kind].search(glimpse(path)) is not None


def _promises(path: Path, kind: str) -> bool:
    """Whether what holds no product that is read holds one that is not: packed, old or gutted."""
    if path.is_dir():
        return kind == "S2" and _has_metadata(list(path.iterdir()))
    inner = [name.rpartition("/")[2] for name in open_files(path).names()]
    return any(name.lower().endswith(".zip") and _NAME_HINTS[kind].match(name) for name in inner)


def _candidates(root: Path) -> Iterator[Path]:
    """Product folders and zips below an archive, without descending into products."""
    pending = [(root, 0)]
    seen: set[tuple[int, int]] = set()
    while pending:
        folder, depth = pending.pop()
        try:
            status = folder.stat()
            content = sorted(folder.iterdir(), reverse=True)
        except OSError as error:
            _LOG.warning("%s: passed over, it cannot be listed (%s)", folder, error)
            continue
        # A link that leads back up must not make the walk endless.
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for path in content:
            if path.name.startswith(".") or is_companion(path.name):
                continue
            try:
                if is_control_file(path):
                    continue
                is_folder = path.is_dir()
                is_item = (_is_product_folder if is_folder else _is_archive)(path)
                is_item = is_item or _is_lost_link(path)
            except OSError as error:
                _LOG.warning("%s: passed over, it cannot be looked at (%s)", path, error)
                continue
            if is_item or (is_folder and depth >= MAX_DEPTH):
                yield path
            elif is_folder:
                pending.append((path, depth + 1))


def _is_product_folder(path: Path) -> bool:
    """Whether metadata lie in a folder, or its name promises them and no product lies inside."""
    named = path.name.lower().endswith(PRODUCT_SUFFIXES)
    try:
        content = list(path.iterdir())
    except OSError:  # told when the walk, or a reader, comes to it
        return named
    if _has_metadata(content) or is_open_product([one.name for one in content]):
        return True
    return named and not any(_holds_product(one) for one in content)


def _has_metadata(content: Iterable[Path]) -> bool:
    names = {one.name for one in content}
    if any(is_metadata(name) or is_old_metadata(name) for name in names):
        return True
    return {S2_MANIFEST, "granule"} <= {name.lower() for name in names}  # all but the metadata


def _holds_product(path: Path, depth: int = 0) -> bool:
    """Whether something inside a folder called a product is or holds it (unpacked on Windows)."""
    named = path.name.lower().endswith(PRODUCT_SUFFIXES) or _claims_any(path)
    if is_companion(path.name):
        return False
    if not path.is_dir():
        return named and _is_archive(path)
    try:
        content = list(path.iterdir())
    except OSError:
        return False
    if _has_metadata(content) or is_open_product([one.name for one in content]):
        return True
    if depth >= MAX_DEPTH:
        return False
    # What a product itself has inside, like GRANULE, is not searched to its end.
    return (named or depth == 0) and any(_holds_product(one, depth + 1) for one in content)


def _is_archive(path: Path) -> bool:
    # A pipe may bear any name, and whoever opens it waits for ever.
    if not path.is_file() or path.name.lower() == S2_MANIFEST:
        return False
    if path.suffix.lower() in (".zip", *PRODUCT_SUFFIXES):
        return True
    # Some providers hand out zips without a suffix; chips and exports bear product names too.
    if _claims_any(path):
        return is_unread_container(path.name) or zipfile.is_zipfile(path)
    return is_unread_container(path.name) and any(_shows(path, one) for one in _MEMBER_HINTS)


def _is_lost_link(path: Path) -> bool:
    """Whether a link that leads nowhere (a share that is away, git-annex) is called a product."""
    if not path.is_symlink() or path.exists():
        return False
    ending = path.suffix.lower()
    if ending in PRODUCT_SUFFIXES:
        return path.name.lower() != S2_MANIFEST
    return _claims_any(path) and (ending in ("", ".zip") or is_unread_container(path.name))


def _claims_any(path: Path) -> bool:
    return any(hint.match(path.name) for hint in _NAME_HINTS.values())


def _claims(path: Path, kind: str) -> bool:
    """Whether the name says that this was meant to be a product of a kind."""
    named = _NAME_HINTS[kind].match(path.name) is not None
    return named or path.name.lower().endswith(_SUFFIX_HINTS[kind])


def _kind_by(files: ProductFiles) -> str | None:
    if files.exists(S3_MANIFEST):
        return "S3"
    if any(files.exists(name) for name in _S2_FILES):
        return "S2"
    try:
        return "S2" if is_open_form(files) else None
    except ProductError:  # its reader says what is wrong with it
        return "S2"
