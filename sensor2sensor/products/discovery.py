"""Finding products in an archive by content, whatever names and folders people gave them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from sensor2sensor.core.archives import glimpse
from sensor2sensor.core.containers import is_unread_container, unfinished
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.core.watched import say
from sensor2sensor.products.acquisitions import s2_order, s3_order
from sensor2sensor.products.candidates import walked
from sensor2sensor.products.examination import Examined, Search, examined, remembered
from sensor2sensor.products.facts import product_of
from sensor2sensor.products.forms import claims_any, is_meant, tiles_in, tiles_of
from sensor2sensor.products.known import Known, record_of
from sensor2sensor.products.sentinel2 import S2Product
from sensor2sensor.products.sentinel3 import S3Product

_P = TypeVar("_P", S2Product, S3Product)
# Starting a process takes as long as reading so many products.
_WORTH_A_WORKER = 100
_BANDS_ALONE = (
    "%s%s: passed over: images of bands, but no STAC item or metadata.xml of Sentinel-2 with them"
)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen(Generic[_P]):
    """A product, and what closer looks found, in their order up to the first unsound one."""

    product: _P
    looks: dict[str, tuple[bool, str | None]]


def find_s2(root: Path, tile: str | None = None) -> tuple[list[S2Product], list[Failure[Path]]]:
    """Every Sentinel-2 product below `root`, by sensing time, and what could not be opened.

    Args:
        root: the archive.
        tile: keep this tile alone, like `T29UNU` (`29UNU` is understood).
    """
    wanted = None if tile is None else f"T{tile.upper().removeprefix('T')}"
    seen, failures = find(Search(root, "S2", wanted))
    return [one.product for one in seen], failures


def find_s3(root: Path) -> tuple[list[S3Product], list[Failure[Path]]]:
    """Every OLCI product below `root`, by sensing time, and what could not be opened.

    Args:
        root: the archive, flat or `YYYY/MM`. Folders are not trusted for the date: a pass over
            midnight at a month's end is found whichever folder holds it.
    """
    seen, failures = find(Search(root, "S3"))
    return [one.product for one in seen], failures


def find(
    search: Search, *, workers: int = 1, memory: Path | None = None, keep: bool = True
) -> tuple[list[Seen[Any]], list[Failure[Path]]]:
    """Products of an archive by sensing time, and what could not be opened.

    Args:
        search: what is looked for.
        workers: processes.
        memory: the folder `_inventory`, where what is found is known to the next run.
        keep: whether this run writes there.

    Raises:
        InputError: there is no such archive.
    """
    root = search.root
    if not root.is_dir():
        raise InputError("no such archive folder", where=root, hint="see environment.json")
    there = walked(root)
    paths, copies = there.candidates, there.copies
    known = Known(memory, root)
    made = _examined_all(search, known, paths, workers)
    lost = [tar for tar, others in copies.items() if _is_missed(search, tar, others, made)]
    if lost:
        made |= _examined_all(search, known, lost, workers)
    if keep:
        known.forget_others(map(search.below, [*paths, *copies]))
        known.save()
    if search.sensor == "S2":
        alone = [path for path, found in made.items() if found.bands_alone]
        _tell_of_bands([*alone, *there.bands])
    return _sorted_out(search, made)


def _tell_of_bands(alone: Sequence[Path]) -> None:
    if alone:
        more = len(alone) - 1
        others = f" and {more} other{'s' * (more > 1)}" if more else ""
        _LOG.warning(_BANDS_ALONE, alone[0], others)


def _examined_all(
    search: Search, known: Known, paths: Sequence[Path], workers: int
) -> dict[Path, Examined]:
    """What came of paths, of what is known as far as it holds."""
    made = {path: remembered(search, known.get(search.below(path)), path) for path in paths}
    new = [(path, found.line) for path, found in made.items() if not found.complete]
    several = workers if len(new) >= _WORTH_A_WORKER else 1
    examine, desc = partial(examined, search), f"looking for {search.sensor} products"
    for (path, _), found in parallel_map(
        examine, new, workers=several, label=lambda item: str(item[0]), desc=desc
    ):
        one = Examined(failed=found.reason) if isinstance(found, Failure) else found
        made[path] = _kept(search, known, path, one)
    return made


def _is_missed(
    search: Search, tar: Path, others: Sequence[Path], made: Mapping[Path, Examined]
) -> bool:
    """Whether a tar is of what is looked for, and nothing unpacked from it is sound."""
    tiles = tiles_of(tar)
    if search.tile and tiles and search.tile not in tiles:
        return False
    found = [made[path] for path in others]
    # An open bucket calls every tile `0`: what came of the others says what it was to be.
    if not (is_meant(tar, search.sensor) or any(map(_was_of_sensor, found))):
        return False
    return not any(
        one.product is not None and all(sound for sound, _ in one.looks.values()) for one in found
    )


def _was_of_sensor(found: Examined) -> bool:
    return found.product is not None or found.failed is not None or found.bands_alone


def _kept(search: Search, known: Known, path: Path, found: Examined) -> Examined:
    """What was found of a path, kept for the next run, with its product in place of its record."""
    if found.line is None:
        return found
    record = record_of(found.line)
    if record.basis is not None:
        known.set(search.below(path), found.line)
    # What is told of cold and of warm runs is the same: both make products of records.
    facts = record.facts if search.wants(record) else None
    product = None if facts is None else product_of(search.sensor, facts, path)
    return replace(found, product=product, line=None)


def _sorted_out(
    search: Search, made: Mapping[Path, Examined]
) -> tuple[list[Seen[Any]], list[Failure[Path]]]:
    """What came of all paths, in their order, as products and failures."""
    seen: list[Seen[Any]] = []
    failures: list[Failure[Path]] = []
    said: set[str] = set()
    for path, found in made.items():
        say(found.told, said)
        if found.failed is not None:
            failures.append(Failure(path, found.failed))
        elif found.product is not None:
            seen.append(Seen(found.product, found.looks))
    # A download kept beside what was unpacked from it is nothing to be told of.
    have = {
        _kept_as(product.path.with_name(name))
        for product in (one.product for one in seen)
        for name in (product.path.name, product.name)
    }
    failures = [one for one in failures if not _is_spare(one.item, have)]
    if search.tile is not None:
        failures = [one for one in failures if _may_show(one.item, search.tile)]
    order: Callable[[Any], Any] = s2_order if search.sensor == "S2" else s3_order
    return sorted(seen, key=lambda one: order(one.product)), failures


def _may_show(path: Path, tile: str) -> bool:
    """Whether an unreadable product may be of a tile, by its name or that of its granules."""
    hints = tiles_of(path)
    if not hints and path.is_file():
        hints = tiles_in(glimpse(path))
    if not hints and path.is_dir():  # before December 2016 the granules alone bear tiles
        hints = {found for one in path.glob("GRANULE/*") for found in tiles_in(one.name)}
    return not hints or tile in hints


def _is_spare(path: Path, have: set[tuple[Path | None, str]]) -> bool:
    spare = is_unread_container(path.name) or unfinished(path) is not None
    return spare and _kept_as(path) in have


def _kept_as(path: Path) -> tuple[Path | None, str]:
    """What a product is kept as: by a name of its own wherever it lies, else in its folder."""
    return None if claims_any(path) else path.parent, path.name.partition(".")[0].upper()
