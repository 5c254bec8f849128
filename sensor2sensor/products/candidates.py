"""What may be a product below an archive's folder: folders and zips, none of them opened.

The archive may be flat or in folders like `YYYY/MM`. Bands that lie open with a JSON file may be a
product, or a few pictures in a folder of products: such a folder is looked into, too. Bands that
nothing describes are no candidate, and named, for nobody would find a product there.
"""

from __future__ import annotations

import logging
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensor2sensor.core.containers import (
    BAND_FOLDERS,
    BAND_IMAGE,
    PRODUCT_SUFFIXES,
    bare_name,
    is_companion,
    is_control_file,
    is_metadata,
    is_old_metadata,
    is_open_product,
    is_product_name,
    is_tar_name,
    is_unread_container,
    product_folder,
)
from sensor2sensor.products.forms import OTHER_PRODUCT, claims_any, may_hold_any
from sensor2sensor.products.sentinel2 import MANIFEST as S2_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MAX_DEPTH = 8
_OF_BANDS = {*BAND_FOLDERS, "qi", "qi_data"}
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Walked:
    """What a walk through an archive came by; nothing was opened.

    Attributes:
        candidates: folders and archives that may be products.
        copies: tars beside what was unpacked from them, with that; such a tar takes long to read,
            and is to be read only where none of the others is sound.
        bands: folders with images of bands that nothing describes.
    """

    candidates: list[Path]
    copies: dict[Path, list[Path]] = field(default_factory=dict)
    bands: list[Path] = field(default_factory=list)


def candidates(root: Path) -> list[Path]:
    """What may be a product below a folder: its folders and archives, by name, none opened."""
    return walked(root).candidates


def walked(root: Path) -> Walked:
    """What may be a product below a folder."""
    bands: list[Path] = []
    found = [path for path in _candidates(root, bands) if not OTHER_PRODUCT.match(path.name)]
    unpacked: dict[tuple[Path, str], list[Path]] = {}
    for path in found:
        if not is_tar_name(path.name):
            unpacked.setdefault((path.parent, bare_name(path.name)), []).append(path)
    copies = {
        path: unpacked[path.parent, bare_name(path.name)]
        for path in found
        if is_tar_name(path.name) and (path.parent, bare_name(path.name)) in unpacked
    }
    return Walked([path for path in found if path not in copies], copies, bands)


def _candidates(root: Path, bands: list[Path]) -> Iterator[Path]:
    """Product folders and zips below an archive, without descending into what surely is one.

    Args:
        root: the archive.
        bands: is given the folders of bands that nothing describes.
    """
    pending = [(root, 0, False)]
    seen: set[tuple[int, int]] = set()
    while pending:
        folder, depth, told = pending.pop()
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
        if not told and _holds_bands_alone(content):
            bands.append(folder)
            told = True
        for path in content:
            if path.name.startswith(".") or is_companion(path.name):
                continue
            try:
                if is_control_file(path):
                    continue
                is_folder = path.is_dir()
                is_item, more = _folder(path) if is_folder else (_is_archive(path), False)
                is_item = is_item or _is_lost_link(path)
                deep = depth >= MAX_DEPTH
                if is_folder and deep and not (told or is_item):
                    bands += [path] if _holds_bands_alone(list(path.iterdir())) else []
            except OSError as error:
                _LOG.warning("%s: passed over, it cannot be looked at (%s)", path, error)
                continue
            if is_item or (is_folder and deep):
                yield path
            if is_folder and not deep and (more or not is_item):
                # Previews of a product that something describes are a part of it.
                pending.append((path, depth + 1, told or is_item or more))


def _folder(path: Path) -> tuple[bool, bool]:
    """Whether a folder may be a product, and whether others may lie in it though it is.

    It may where metadata lie in it, or its name promises them and no product lies inside.
    """
    named = path.name.lower().endswith(PRODUCT_SUFFIXES)
    try:
        content = list(path.iterdir())
    except OSError:  # told when the walk, or a reader, comes to it
        return named, False
    if has_metadata(content):
        return True, False
    if is_open_product([one.name for one in content]):
        more = any(map(_may_be_another, content))
        # Opened, a folder that is none stands for the one product in it, which is found anyway.
        return not more or product_folder(path) == path, more
    return named and not any(_holds_product(one) for one in content), False


def _is_product(content: Sequence[Path]) -> bool:
    return has_metadata(content) or is_open_product([one.name for one in content])


def _may_be_another(path: Path) -> bool:
    """Whether something in a folder of bands may be, or hold, a product of its own."""
    name = path.name.lower()
    # Most of what lies there is not looked at: on a distant disk that takes long.
    if BAND_IMAGE.fullmatch(name) or name in _OF_BANDS or name.endswith((".json", ".xml")):
        return False
    named = is_product_name(name) or is_unread_container(name) or claims_any(path)
    return named or (path.is_dir() and not is_companion(name))


def are_bands_alone(names: Iterable[str]) -> bool:
    """Whether what lies in one folder looks like bands of a product, and nothing describes it."""
    listed = {name for name in names if not is_companion(name)}
    bands = any(name.lower() in BAND_FOLDERS or _is_band(name) for name in listed)
    return bands and not is_open_product(listed)


def _is_band(name: str) -> bool:
    # Bare, or behind the name of a product, tile or item: others may be anything, as a user's mask.
    image = BAND_IMAGE.fullmatch(name)
    return image is not None and not image["other"] and image["band"].upper() != "SCL"


def _holds_bands_alone(content: Sequence[Path]) -> bool:
    if has_metadata(content) or not are_bands_alone(one.name for one in content):
        return False
    inner = [one for one in content if one.name.lower() in BAND_FOLDERS and one.is_dir()]
    try:  # a folder of resolutions may hold anything
        below = [two.name for one in inner for two in one.iterdir()]
    except OSError:  # told when the walk comes to it
        below = []
    return any(map(_is_band, [*below, *(one.name for one in content)]))


def has_metadata(content: Iterable[Path]) -> bool:
    """Whether the metadata of a product, in whatever state, are among a folder's content."""
    names = {one.name for one in content}
    if any(is_metadata(name) or is_old_metadata(name) for name in names):
        return True
    return {S2_MANIFEST, "granule"} <= {name.lower() for name in names}  # all but the metadata


def _holds_product(path: Path, depth: int = 0) -> bool:
    """Whether something inside a folder called a product is or holds it (unpacked on Windows)."""
    named = path.name.lower().endswith(PRODUCT_SUFFIXES) or claims_any(path)
    if is_companion(path.name):
        return False
    if not path.is_dir():
        return named and _is_archive(path)
    try:
        content = list(path.iterdir())
    except OSError:
        return False
    if _is_product(content) or depth >= MAX_DEPTH:
        return _is_product(content)
    # What a product itself has inside, like GRANULE, is not searched to its end.
    return (named or depth == 0) and any(_holds_product(one, depth + 1) for one in content)


def _is_archive(path: Path) -> bool:
    # A pipe may bear any name, and whoever opens it waits for ever.
    if not path.is_file() or path.name.lower() == S2_MANIFEST:
        return False
    if path.suffix.lower() in (".zip", *PRODUCT_SUFFIXES):
        return True
    # Some providers hand out zips without a suffix; chips and exports bear product names too.
    if claims_any(path):
        return is_unread_container(path.name) or zipfile.is_zipfile(path)
    return is_unread_container(path.name) and may_hold_any(path)


def _is_lost_link(path: Path) -> bool:
    """Whether a link that leads nowhere (a share that is away, git-annex) is called a product."""
    if not path.is_symlink() or path.exists():
        return False
    ending = path.suffix.lower()
    if ending in PRODUCT_SUFFIXES:
        return path.name.lower() != S2_MANIFEST
    return claims_any(path) and (ending in ("", ".zip") or is_unread_container(path.name))
