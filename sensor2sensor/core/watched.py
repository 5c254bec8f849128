"""What was read of a product, so that it can be told later whether it would be read the same.

A watch notes how each file and folder stands when it is first asked for, before it is read. What
was found out rests on these and on nothing else: as long as they stand the same, so does it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from sensor2sensor.core import containers
from sensor2sensor.core.archives import FolderFiles, ProductFiles, open_files

# A file that is written twice within a tick of its disk's clock shows the same times both times:
# what changed this recently is read again. FAT counts in steps of two seconds.
SETTLED_S = 2.0


@dataclass(frozen=True)
class Basis:
    """What something rests on: names below a product's path, and a digest of how they stand."""

    names: tuple[str, ...]
    digest: str

    def holds(self, path: Path) -> bool:
        """Whether everything stands as it did; a download begun anew beside it is noticed too."""
        if self.digest != _digest(_stamp(path, name) for name in self.names):
            return False
        return containers.is_whole(path)


class Watch:
    """Notes how what is asked for stands.

    Args:
        path: Of the product's folder or zip.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.begin()

    def begin(self) -> None:
        """Begin anew: what is asked for from now on counts, and the path itself."""
        self._stamps: dict[str, str] = {}
        self._newest_ns = 0
        self.note("")

    def note(self, name: str) -> None:
        """Note a file or folder, or that there is none; `name` is below the product's path."""
        if name not in self._stamps:
            stamp = _stamp(self._path, name)
            self._stamps[name] = stamp
            if stamp:
                self._newest_ns = max(self._newest_ns, *map(int, stamp.split()[-2:]))

    def basis(self) -> Basis | None:
        """What rests on all that was noted; None where some of it changed a moment ago."""
        if time.time_ns() - self._newest_ns < SETTLED_S * 1e9:
            return None
        return Basis(tuple(self._stamps), _digest(iter(self._stamps.values())))


class _WatchedFolder(FolderFiles):
    """The files of a product folder, each noted when it is asked for."""

    def __init__(self, path: Path, watch: Watch, below: str) -> None:
        super().__init__(path)
        self._watch, self._below = watch, below

    def _target(self, name: str) -> Path:
        self._watch.note(self._below + name.removeprefix("./"))
        target = super()._target(name)
        self._watch.note(self._below + str(target)[len(str(self.path)) + 1 :])
        return target

    def _walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        for folder, below, names in super()._walk():
            self._watch.note(self._below + folder)
            yield folder, below, names


def open_watched(path: Path) -> tuple[ProductFiles, Watch]:
    """The files of a product as `core.archives.open_files` gives them, and the watch over them."""
    watch = Watch(path)
    watch.note(containers.BESIDE)
    # All of a zip is one file, which is noted already.
    files = open_files(path)
    if not isinstance(files, FolderFiles):
        return files, watch
    if files.path == path:
        return _WatchedFolder(path, watch, ""), watch
    # The product lies inside; another one may come to lie beside it.
    for one in path.iterdir():
        watch.note(one.name)
    return _WatchedFolder(files.path, watch, f"{files.path.name}/"), watch


class LaterFiles(ProductFiles):
    """The files of a product that is known from before, opened when the first of them is asked for.

    Thousands of products can be held this way: the directory of a zip alone takes 100 kB.
    """

    @cached_property
    def _files(self) -> ProductFiles:
        return open_files(self.path)

    def names(self) -> list[str]:
        """Every file, sorted."""
        return self._files.names()

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self._files.exists(name)

    def size(self, name: str) -> int:
        """Size in bytes of a file."""
        return self._files.size(name)

    def open(self, name: str) -> BinaryIO:
        """A seekable binary stream over a file."""
        return self._files.open(name)

    def chunks(self, name: str, chunk_bytes: int = 2**22) -> Iterator[bytes]:
        """The content of a file piece by piece."""
        return self._files.chunks(name, chunk_bytes)

    def crc32(self, name: str) -> str:
        """The CRC of a file's content."""
        return self._files.crc32(name)

    def gdal_path(self, name: str) -> str:
        """The path by which GDAL opens a file."""
        return self._files.gdal_path(name)

    def held(self, name: str) -> bool:
        """Whether GDAL cannot read a file in place."""
        return self._files.held(name)

    def local_path(self, name: str) -> Path | None:
        """Where a file lies on disk; None when it is inside an archive."""
        return self._files.local_path(name)

    def where(self, name: str) -> str:
        """How errors name a file: product, then file."""
        return self._files.where(name)


def _stamp(path: Path, name: str) -> str:
    """How a file or folder stands; empty where there is none, or it cannot be looked at."""
    place = path.parent / name[3:] if name.startswith("../") else f"{path}/{name}"
    try:
        found = os.stat(place if name else path)  # noqa: PTH116 - many, and fast
    except OSError:
        return ""
    # The time of change is the system's own: copying a file's time of writing does not alter it.
    return f"{found.st_mode} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def _digest(stamps: Iterator[str]) -> str:
    return hashlib.blake2b("\n".join(stamps).encode(), digest_size=12).hexdigest()


Told = Sequence[tuple[str, int, str]]
# In a message between the name of a product and what holds for all that are like it.
AND_OTHERS = ", and maybe others: "
_listening: ContextVar[bool] = ContextVar("what is logged is overheard", default=False)


class _Ears(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append((record.name, record.levelno, record.getMessage()))


@contextmanager
def overheard() -> Iterator[list[tuple[str, int, str]]]:
    """Keep what this package logs inside the block, so that `say` can say it elsewhere and again.

    A worker process has no log of its own, and what is known from before says nothing by itself.
    """
    logger: Any = logging.getLogger("sensor2sensor")
    ears, passes = _Ears(), logger.propagate
    logger.addHandler(ears)
    logger.propagate = False
    token = _listening.set(True)
    try:
        yield ears.heard
    finally:
        _listening.reset(token)
        logger.removeHandler(ears)
        logger.propagate = passes


def listening() -> bool:
    """Whether what is logged is overheard, and said later (`say`)."""
    return _listening.get()


def say(told: Told, said: set[str]) -> None:
    """Log what was overheard.

    Args:
        told: of one product.
        said: what holds for products alike and was said of another one; what is said now is added.
    """
    for name, level, message in told:
        _, others, text = message.partition(AND_OTHERS)
        if not others or text not in said:
            logging.getLogger(name).log(level, "%s", message)
        if others:
            said.add(text)
