"""Finding products in an archive by content, and choosing one of several per acquisition.

The archive may be flat or in folders like `YYYY/MM`; products may be folders or zips. A name is
a hint only: it decides whether something unreadable was meant to be a product, and so whether it
is reported or passed over.
"""

from __future__ import annotations

import logging
import re
import zipfile
from bisect import bisect_left, bisect_right
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sensor2sensor.core.archives import open_files
from sensor2sensor.core.containers import (
    PRODUCT_SUFFIXES,
    is_companion,
    is_metadata,
    is_old_metadata,
    is_unread_container,
)
from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.parallel import Failure, attempt
from sensor2sensor.core.paths import fault_of
from sensor2sensor.core.progress import progress
from sensor2sensor.geo.footprints import project
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from sensor2sensor.products.sentinel3 import MANIFEST as S3_MANIFEST
from sensor2sensor.products.sentinel3 import S3Product, open_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

Product = TypeVar("Product", S2Product, S3Product)

_S2_FILES = ("MTD_MSIL1C.xml", "MTD_MSIL2A.xml")
_TILE_HINT = re.compile(r"_(T\d{2}[A-Z]{3})(?=_|\.|$)", re.IGNORECASE)
_NAME_HINTS = {
    "S2": re.compile(r"S2[A-D]_(?:(?:OPER|USER)_PRD_)?MSIL(1C|2A)_", re.IGNORECASE),
    "S3": re.compile(r"S3[A-D]_OL_1_E[FR]R_", re.IGNORECASE),
}
# Other products of the same satellites share an archive's folders and are none of our failures.
_OTHER_PRODUCT = re.compile(
    r"S3[A-D]_(?!OL_1_E[FR]R)|S2[A-D]_(?!MSIL|(?:OPER|USER)_PRD_MSIL(?:1C|2A))", re.IGNORECASE
)
_SUFFIX_HINTS = {"S2": (".safe",), "S3": (".sen3",)}
MAX_DEPTH = 8
_LOG = logging.getLogger(__name__)
# Of one acquisition the non-time-critical product is the final one.
_TIMELINESS_RANK = {"NR": 0, "ST": 1, "NT": 2}
# Frames of the same pass that share more than this part of the shorter one are the same frame.
_SAME_FRAME_SHARE = 0.5
# Footprints of one datastrip differ by baseline (the oldest are coarse outlines); another datastrip
# shows the same ground only where it covers nearly all of it.
_SAME_STRIP_SHARE, _SAME_GROUND_SHARE = 0.5, 0.95


def recognise(path: Path) -> str | None:
    """`S2` or `S3` by the files inside, None for anything else (an unreadable zip included)."""
    try:
        return _kind_of(path)
    except ProductError:
        return None


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
    return sorted(kept, key=_s2_order), failures


def _may_show(path: Path, tile: str) -> bool:
    """Whether an unreadable product may be of a tile, by its name or that of its granules."""
    hints = _TILE_HINT.findall(path.name)
    if not hints and path.is_dir():  # before December 2016 the granules alone bear tiles
        hints = [tile for one in path.glob("GRANULE/*") for tile in _TILE_HINT.findall(one.name)]
    return not hints or tile in {hint.upper() for hint in hints}


def find_s3(
    root: Path, between: tuple[datetime, datetime] | None = None
) -> tuple[list[S3Product], list[Failure[Path]]]:
    """Every OLCI product below `root`, by sensing time, and what could not be opened.

    Args:
        root: the archive, flat or `YYYY/MM`. Folders are not trusted for the date: a pass over
            midnight at a month's end is found whichever folder holds it.
        between: keep products whose sensing period meets this one (UTC, both ends included).
    """
    found, failures = _find(root, "S3", open_s3)
    kept = [one for one in found if between is None or _meets(one, between)]
    return sorted(kept, key=_s3_order), failures


def newest_per_acquisition(
    products: Sequence[Product], *, level: str | None = None
) -> list[Product]:
    """One product per acquisition, in the order of sensing: the first of each of `acquisitions`."""
    return [group[0] for group in acquisitions(products, level=level)]


def acquisitions(products: Sequence[Product], *, level: str | None = None) -> list[list[Product]]:
    """The products of each acquisition, the one to take first; acquisitions by sensing time.

    Sentinel-2: same platform, sensing start and tile; the newest baseline comes first, then the
    newest generation time. Where a datatake was received in pieces, a tile on the cut is in two
    products that each hold a part of it: these are acquisitions of their own. Sentinel-3: same
    platform, type and frame; NT over NR, then the newest.

    Args:
        products: of one sensor.
        level: `L1C` or `L2A`; needed where both are present, since they are never mixed.

    Raises:
        InputError: both levels are present and none was asked for.
    """
    every: list[S2Product | S3Product] = list(products)
    groups: list[Any] = []
    groups += _s2_groups([one for one in every if isinstance(one, S2Product)], level)
    groups += _s3_groups([one for one in every if isinstance(one, S3Product)])
    return cast("list[list[Product]]", groups)


def _s2_groups(products: list[S2Product], level: str | None) -> list[list[S2Product]]:
    levels = sorted({product.level for product in products})
    if level is None and len(levels) > 1:
        raise InputError(
            "the archive holds L1C and L2A products, which are never mixed",
            hint="choose one with --level L1C or --level L2A",
        )
    kept = [product for product in products if level in (None, product.level)]
    # Of copies the path decides, so that every run makes the same choice.
    kept.sort(
        key=lambda one: (_baseline_rank(one.baseline), one.generation_time, _s2_order(one)),
        reverse=True,
    )
    parts: dict[tuple[str, datetime, str], list[list[S2Product]]] = {}
    for product in kept:
        groups = parts.setdefault(product.acquisition, [])
        same = next((group for group in groups if _same_ground(product, group[0])), None)
        if same is None:
            groups.append([product])
        else:
            same.append(product)
    every = (group for groups in parts.values() for group in groups)
    return sorted(every, key=lambda group: _s2_order(group[0]))


def _same_ground(product: S2Product, better: S2Product) -> bool:
    """Whether a better product of the same datatake and tile shows what this one shows."""
    crs = f"EPSG:{next(iter(better.grids.values())).epsg}"
    one, other = project(product.footprint, crs), project(better.footprint, crs)
    shared = one.intersection(other).area
    if product.datastrip and product.datastrip == better.datastrip:
        return bool(shared >= _SAME_STRIP_SHARE * min(one.area, other.area))
    return bool(shared >= _SAME_GROUND_SHARE * one.area)


def _baseline_rank(baseline: str) -> tuple[int, str]:
    # Baselines 99.xx are those of commissioning: never better than an operational one.
    return (0 if baseline.startswith("99") else 1, baseline)


def _s3_groups(products: list[S3Product]) -> list[list[S3Product]]:
    kept: dict[tuple[str, str], _Frames] = {}
    for product in sorted(products, key=_s3_rank, reverse=True):
        kept.setdefault((product.platform, product.product_type), _Frames()).add(product)
    every = (group for frames in kept.values() for group in frames.groups)
    return sorted(every, key=lambda group: _s3_order(group[0]))


class _Frames:
    """Frames of one platform and type by start, each with its products, found by bisection."""

    def __init__(self) -> None:
        self.groups: list[list[S3Product]] = []
        self._starts: list[datetime] = []
        self._longest = timedelta(0)

    def add(self, product: S3Product) -> None:
        """Put a product to its frame, or make it the first of a new one."""
        low = bisect_left(self._starts, product.start - self._longest)
        high = bisect_right(self._starts, product.stop)
        for group in self.groups[low:high]:
            if _same_frame(product, group[0]):
                group.append(product)
                return
        place = bisect_left(self._starts, product.start)
        self._starts.insert(place, product.start)
        self.groups.insert(place, [product])
        self._longest = max(self._longest, product.stop - product.start)


def _s3_rank(product: S3Product) -> tuple[int, datetime, tuple[datetime, str, str]]:
    return _TIMELINESS_RANK[product.timeliness], product.creation_time, _s3_order(product)


def _s2_order(product: S2Product) -> tuple[datetime, str, str]:
    return product.sensing_start, product.name, product.path.as_posix()


def _s3_order(product: S3Product) -> tuple[datetime, str, str]:
    return product.start, product.name, product.path.as_posix()


def _same_frame(one: S3Product, other: S3Product) -> bool:
    shared = min(one.stop, other.stop) - max(one.start, other.start)
    shorter = min(one.stop - one.start, other.stop - other.start)
    return shared > _SAME_FRAME_SHARE * shorter


def _meets(product: S3Product, between: tuple[datetime, datetime]) -> bool:
    return product.start <= between[1] and product.stop >= between[0]


def _find(
    root: Path, kind: str, opener: Callable[[Path], Product]
) -> tuple[list[Product], list[Failure[Path]]]:
    if not root.is_dir():
        raise InputError("no such archive folder", where=root, hint="see environment.json")
    found: list[Product] = []
    failures: list[Failure[Path]] = []
    paths = [path for path in _candidates(root) if not _OTHER_PRODUCT.match(path.name)]
    for path in progress(paths, desc=f"looking for {kind} products", unit="item"):
        made = attempt(partial(_opened, kind, opener), path)
        if isinstance(made, Failure):
            failures.append(made)
        elif made is not None:
            found.append(made)
    # A download kept beside what was unpacked from it is nothing to be told of.
    have = {_stem(product.path.name) for product in found} | {_stem(one.name) for one in found}
    return found, [one for one in failures if not _is_spare(one.item, have)]


def _is_spare(path: Path, have: set[str]) -> bool:
    return is_unread_container(path.name) and _stem(path.name) in have


def _stem(name: str) -> str:
    return name.partition(".")[0].upper()


def _opened(kind: str, opener: Callable[[Path], Product], path: Path) -> Product | None:
    """The product at a path; None where nothing says that it is, or was to be, of this kind."""
    if not _recognised_or_claimed(path, kind):
        return None
    if (fault := fault_of(path)) is not None:  # the libraries that read images take text alone
        raise ProductError(f"its path {fault}", where=path)
    return opener(path)


def _recognised_or_claimed(path: Path, kind: str) -> bool:
    """Whether to open a path as this kind: by its files, or its name where they tell nothing."""
    try:
        known = _kind_of(path)
    except Exception:  # whatever ails an archive that never was to be a product is nobody's failure
        if _claims(path, kind):
            raise
        return False
    return known == kind or (known is None and _claims(path, kind))


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
                is_folder = path.is_dir()
                is_item = (_is_product_folder if is_folder else _is_archive)(path)
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
    if any(is_metadata(one.name) or is_old_metadata(one.name) for one in content):
        return True
    return named and not any(_is_inner_product(one) for one in content)


def _is_inner_product(path: Path) -> bool:
    """Whether something inside a folder called a product is the product (unpacked on Windows)."""
    inner = path.name.lower().endswith(PRODUCT_SUFFIXES) or _claims_any(path)
    if is_companion(path.name) or not (inner or path.is_dir()):
        return False
    return _is_product_folder(path) if path.is_dir() else _is_archive(path)


def _is_archive(path: Path) -> bool:
    if path.suffix.lower() in (".zip", *PRODUCT_SUFFIXES):
        return path.is_file()
    # Some providers hand out zips without a suffix; chips and exports bear product names too.
    return _claims_any(path) and (is_unread_container(path.name) or zipfile.is_zipfile(path))


def _claims_any(path: Path) -> bool:
    return any(hint.match(path.name) for hint in _NAME_HINTS.values())


def _claims(path: Path, kind: str) -> bool:
    """Whether the name says that this was meant to be a product of a kind."""
    named = _NAME_HINTS[kind].match(path.name) is not None
    return named or path.name.lower().endswith(_SUFFIX_HINTS[kind])


def _kind_of(path: Path) -> str | None:
    """The kind of product at a path, by its files; ProductError for an unreadable archive."""
    files = open_files(path)
    if files.exists(S3_MANIFEST):
        return "S3"
    return "S2" if any(files.exists(name) for name in _S2_FILES) else None
