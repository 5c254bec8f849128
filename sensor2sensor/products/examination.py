"""What a path of an archive is: read once, and known as long as it stands as it did.

A name excludes nothing by itself. A product whose whole name is that of another tile is looked at
for a glance: where its metadata name that tile too, it is not read any further.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from sensor2sensor.core.archives import FolderFiles, ProductFiles
from sensor2sensor.core.containers import PRODUCT_SUFFIXES, is_open_product
from sensor2sensor.core.errors import ProductError, SeveralProductsError
from sensor2sensor.core.parallel import Failure, attempt
from sensor2sensor.core.paths import below, fault_of
from sensor2sensor.core.watched import Watch, open_watched, overheard
from sensor2sensor.products.candidates import are_bands_alone, has_metadata
from sensor2sensor.products.facts import facts_of, product_of
from sensor2sensor.products.forms import (
    NAME_HINTS,
    Form,
    claims,
    form_named,
    form_of,
    is_meant,
    shows,
    shows_any,
    tile_named,
)
from sensor2sensor.products.known import Look, Record, record_of, text_of

_LOG = logging.getLogger(__name__)


MOST_LOOKS = 8  # at a product that are known to the next run


@dataclass(frozen=True)
class Closer:
    """A closer look at products, taken in the process that reads them.

    Attributes:
        name: by which it is known from one run to the next: with everything that it depends on
            beside the product.
        takes: whether a product is looked at, by its facts.
        look: whether it is sound, and a word: what is wrong with it, or what was found.
        kept: whether what was found of a sound one is known to the next run.
    """

    name: str
    takes: Callable[[Any], bool]
    look: Callable[[Any], tuple[bool, str | None]]
    kept: bool = True


@dataclass(frozen=True)
class Search:
    """What is looked for below an archive.

    Attributes:
        root: the archive.
        sensor: `S2` or `S3`.
        tile: of Sentinel-2, like `T29UNU`; None for all.
        closer: looks at each product that is found, each at those that were sound so far.
    """

    root: Path
    sensor: str
    tile: str | None = None
    closer: Sequence[Closer] = ()

    def wants(self, record: Record) -> bool:
        """Whether what is known of a path is of the sensor and tile."""
        return record.sensor == self.sensor and self.tile in (None, record.tile)

    def below(self, path: Path) -> str:
        """A path as an inventory names it."""
        return below(path, self.root)


@dataclass
class Examined:
    """What came of a path.

    Attributes:
        product: of the sensor and tile, if it is one; only where it was known already.
        line: the record of what was found, as text; it holds the facts of a product.
        looks: what closer looks found, by name.
        told: what reading it logged.
        failed: why it cannot be read, though it is or was to be such a product.
        complete: whether nothing is left to look at.
        bands_alone: whether it looks like a product of an open bucket, and nothing describes one.
    """

    product: Any = None
    line: str | None = None
    looks: dict[str, tuple[bool, str | None]] = field(default_factory=dict)
    told: list[tuple[str, int, str]] = field(default_factory=list)
    failed: str | None = None
    complete: bool = True
    bands_alone: bool = False


def remembered(search: Search, line: str | None, path: Path) -> Examined:
    """What came of a path the last time, as far as all that it rests on stands the same."""
    if line is None:
        return Examined(complete=False)
    record = record_of(line)
    if record.basis is None or not record.basis.holds(path):
        return Examined(complete=False)
    if not search.wants(record):
        return Examined()
    if record.facts is None:
        return Examined(complete=False)
    product: Any = product_of(search.sensor, record.facts, path)
    found = Examined(product, told=[*record.told])
    for closer in search.closer:
        if not closer.takes(product):
            break
        if not _holds(closer, record, found, path):
            return Examined(line=line, complete=False)
    return found


def examined(search: Search, item: tuple[Path, str | None]) -> Examined:
    """What a path is: read anew, or of what is known of it, but for looks not taken yet."""
    path, line = item
    with overheard() as told:
        made = attempt(partial(_looked_at, search, line), path)
    if isinstance(made, Failure):
        return Examined(failed=made.reason, told=told)
    return made if made.line is not None else replace(made, told=told)


def _looked_at(search: Search, line: str | None, path: Path) -> Examined:
    if line is not None:
        known = record_of(line)
        files, watch = open_watched(path)
        product: Any = product_of(search.sensor, known.facts or {}, path)
        return _closer(search, replace(product, files=files), watch, known)
    opened = _opened(search, path)
    if opened is None:
        return Examined()
    files, watch, form = opened
    if form is None:
        names = files.top()
        # Of folders the walk has told: it knows which are a part of a product.
        bands = is_open_product(names) or (path.is_file() and are_bands_alone(names))
        return Examined(bands_alone=search.sensor == "S2" and bands)
    if form.sensor != search.sensor:
        return Examined(line=text_of(Record(form.sensor, watch.basis())))
    if (tile := _other_tile(search, form, path, files)) is not None:
        return Examined(line=text_of(Record(form.sensor, watch.basis(), tile)))
    _refuse_faulty(search, path)
    with overheard() as told:
        product = form.read(path, files)
    facts, tile = facts_of(product), getattr(product, "tile", None)
    record = Record(form.sensor, watch.basis(), tile, facts, tuple(told))
    return _closer(search, product, watch, record)


def _closer(search: Search, product: Any, watch: Watch, record: Record) -> Examined:
    """Take the closer looks at a product, up to the first that finds it unsound."""
    found = Examined(told=[*record.told])
    for closer in search.closer if search.wants(record) else ():
        if not closer.takes(product):
            break
        if _holds(closer, record, found, product.path):
            continue
        watch.begin()
        with overheard() as told:
            looked = attempt(closer.look, product)
        sound, value = (False, looked.reason) if isinstance(looked, Failure) else looked
        found.looks[closer.name] = sound, value
        found.told += told
        if not sound:
            break
        basis = watch.basis()
        if closer.kept and basis is not None:
            record.looks[closer.name] = Look(value, basis, tuple(told))
            # Each tile is another look at every frame, and an archive may have a thousand tiles.
            for oldest in list(record.looks)[:-MOST_LOOKS]:
                del record.looks[oldest]
    return replace(found, line=text_of(record))


def _holds(closer: Closer, record: Record, found: Examined, path: Path) -> bool:
    """Take over what is known of a closer look; whether it is, and holds still."""
    look = record.looks.get(closer.name)
    if look is None or not (closer.kept and look.basis.holds(path)):
        return False
    found.looks[closer.name] = True, look.value
    found.told += look.told
    return True


def _other_tile(search: Search, form: Form, path: Path, files: ProductFiles) -> str | None:
    """Another tile than the one asked for, where a product's whole name and its metadata agree."""
    named = tile_named(path)
    if form.tiles is None or search.tile is None or named in (None, search.tile):
        return None
    return named if form.tiles(files) == {named} else None


def _opened(search: Search, path: Path) -> tuple[ProductFiles, Watch, Form | None] | None:
    """Files and form of a path, None where nothing says that it is, or was to be, a product."""
    sensor = search.sensor
    try:
        files, watch = open_watched(path)
        form = form_of(files)
    except Exception as error:  # what never was to be a product is nobody's failure
        if is_meant(path, sensor) or shows(path, sensor):
            raise
        other = zipfile.is_zipfile(path) and not isinstance(error, SeveralProductsError)
        if not (shows_any(path) or other):
            _LOG.warning("%s: passed over (%s)", path, getattr(error, "what", error))
        return None
    if form is None and (_is_called(path, sensor) or _promises(path, files, sensor)):
        form = form_named(sensor)
    return files, watch, form


def _refuse_faulty(search: Search, path: Path) -> None:
    """ProductError where a path cannot be handed on: libraries that read images take text alone."""
    fault = fault_of(path) or _fault_in_a_table(search.below(path))
    if fault is not None:
        raise ProductError(f"its path {fault}", where=path)


def _fault_in_a_table(below_root: str) -> str | None:
    """Why an inventory cannot name a path; there / divides folders, and blanks around are none."""
    if "\\" in below_root:
        return "holds a backslash; rename it"
    return "begins or ends with a blank; rename it" if below_root != below_root.strip() else None


def _is_called(path: Path, sensor: str) -> bool:
    """Whether a name alone calls it a product: of patches of a data set it calls whole folders."""
    patch = path.is_dir() and path.suffix.lower() not in PRODUCT_SUFFIXES
    return claims(path, sensor) and not (patch and is_open_product(FolderFiles(path).top()))


def _promises(path: Path, files: ProductFiles, sensor: str) -> bool:
    """Whether what holds no product that is read holds one that is not: packed, old or gutted."""
    if path.is_dir():
        return sensor == "S2" and has_metadata(list(path.iterdir()))
    inner = [name.rpartition("/")[2] for name in files.names()]
    return any(name.lower().endswith(".zip") and NAME_HINTS[sensor].match(name) for name in inner)
