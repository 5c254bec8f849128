"""What earlier runs found out of the products of an archive, each as long as it stands the same.

One file an archive. It holds nothing that could not be found out again: a damaged one, or one of
another version, is made anew, and of two runs at once the one that ends last is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.locks import InUseError
from sensor2sensor.core.versions import __version__
from sensor2sensor.core.watched import Basis

FOLDER = "_known"  # below `_inventory`
_WHAT = "sensor2sensor: products of an archive, found anew where this file is deleted"
_PACKAGE = Path(__file__).resolve().parents[1]
# Whatever reads products: with another line of it, other facts may be found.
_READERS = ("products/*.py", "core/*.py", "geo/*.py", "preprocess/inventory/scan.py")
_WAIT_S = 10.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """What was found at a closer look at a product: a word, and what it rests on."""

    value: str | None
    basis: Basis
    told: tuple[tuple[str, int, str], ...] = ()


@dataclass
class Record:
    """What is known of a path.

    Attributes:
        sensor: of the product there.
        basis: what this rests on; None where some of it changed a moment ago.
        tile: of a Sentinel-2 product.
        facts: `products.facts.facts_of` the product; None where it was not opened, since it is
            of another tile or sensor than was asked for.
        told: what reading it logged.
        looks: closer looks by their names; each rests on the facts as well.
    """

    sensor: str
    basis: Basis | None
    tile: str | None = None
    facts: dict[str, Any] | None = None
    told: tuple[tuple[str, int, str], ...] = ()
    looks: dict[str, Look] = field(default_factory=dict)


class Known:
    """Records by path below an archive.

    Args:
        folder: `_inventory`; None keeps nothing.
        root: of the archive.
    """

    def __init__(self, folder: Path | None, root: Path) -> None:
        place = str(root.absolute())
        name = f"{zlib.crc32(place.encode(errors='surrogateescape')):08x}.jsonl"
        self._path = None if folder is None else folder / FOLDER / name
        self._head = {"what": _WHAT, "root": place, "readers": _readers()}
        # As text: thousands of them take a tenth of the memory, and most are looked at once.
        self._lines: dict[str, str] = {}
        self._changed = False
        self._load()

    def get(self, path: str) -> str | None:
        """What is known of a path (`record_of`); whether it holds is for the caller to say."""
        return self._lines.get(path)

    def set(self, path: str, line: str) -> None:
        """Keep what is known of a path (`text_of`)."""
        if self._lines.get(path) != line:
            self._lines[path] = line
            self._changed = True

    def forget_others(self, paths: Iterable[str]) -> None:
        """Forget the paths that are not there any more."""
        here = set(paths)
        gone = [path for path in self._lines if path not in here]
        for path in gone:
            del self._lines[path]
        self._changed |= bool(gone)

    def save(self) -> None:
        """Write what is known, if it changed; what stands in the way costs the next run time."""
        if self._path is None or not self._changed:
            return
        crc = 0
        for line in self._text():
            crc = zlib.crc32(line, crc)
        try:
            with files.lock(self._path.with_suffix(".lock"), wait_s=_WAIT_S):
                files.sweep_of(self._path)
                with files.atomic_path(self._path) as part, part.open("wb") as stream:
                    stream.write(json.dumps({**self._head, "crc32": crc}).encode() + b"\n")
                    stream.writelines(self._text())
        except InUseError:
            return
        except (OSError, InputError) as error:
            _LOG.warning("%s: not written, the next run looks again (%s)", self._path, error)

    def _text(self) -> Iterator[bytes]:
        return (f"{json.dumps(p)}\t{line}\n".encode() for p, line in sorted(self._lines.items()))

    def _load(self) -> None:
        if self._path is None or not self._path.is_file():
            return
        lines: dict[str, str] = {}
        crc = 0
        try:
            with self._path.open("rb") as stream:
                stated = json.loads(stream.readline())
                stated_crc = stated.pop("crc32")
                if stated != self._head:
                    return
                for line in stream:
                    crc = zlib.crc32(line, crc)
                    path, _, text = line.decode().rstrip("\n").partition("\t")
                    lines[json.loads(path)] = text
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            stated_crc = None
        if crc == stated_crc:
            self._lines = lines
        else:
            _LOG.warning("%s: damaged, made anew", self._path)


def text_of(record: Record) -> str:
    """A record as one line of text."""
    return json.dumps(asdict(record), separators=(",", ":"), allow_nan=False)


def record_of(line: str) -> Record:
    """The record of a line of text."""
    noted = json.loads(line)
    looks = {
        name: Look(one["value"], _basis(one["basis"]), _told(one["told"]))
        for name, one in noted["looks"].items()
    }
    basis = None if noted["basis"] is None else _basis(noted["basis"])
    return Record(**{**noted, "basis": basis, "told": _told(noted["told"]), "looks": looks})


def _basis(noted: dict[str, Any]) -> Basis:
    return Basis(tuple(noted["names"]), noted["digest"])


def _told(noted: list[list[Any]]) -> tuple[tuple[str, int, str], ...]:
    return tuple((name, level, message) for name, level, message in noted)


@cache
def _readers() -> str:
    """A digest of the code that reads products; the version where there is no code to read."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=8)
    for pattern in _READERS:
        for path in sorted(_PACKAGE.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()
