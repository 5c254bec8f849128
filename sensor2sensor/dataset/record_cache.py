"""Records kept near, in memory or on this machine's own disk, since a share may be slow.

What is kept are serialised records, for reading is what a share makes slow; what is made of them is
ten times their size. A record once kept stays: every epoch reads all of them in another order, so
there is none that another should give way to. Nothing depends on what is kept but the time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Literal, Protocol

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.locks import require_posix
from sensor2sensor.core.memory import available_bytes, size_in_words
from sensor2sensor.dataset.contract import CONTRACT_FILE
from sensor2sensor.dataset.recordfile import RecordRef, read_record, write_records
from sensor2sensor.dataset.records import FOOTER_BYTES, HEADER_BYTES

logger = logging.getLogger(__name__)

USED, LOCK = "used_bytes", ".lock"
MOST_OF_FREE = 0.5  # of the memory that is free: a training on the CPU needs the rest
Read = Callable[[RecordRef], bytes]


@dataclass(frozen=True)
class CacheOptions:
    """Where records are kept.

    Attributes:
        kind: In the memory of the process, or below a folder.
        limit_bytes: Most bytes to keep: of the process, or of all that lies in the folder.
        folder: Of ``disk``; all data sets may share one, and processes, too.
    """

    kind: Literal["memory", "disk"]
    limit_bytes: int
    folder: Path | None = None


class Shelf(Protocol):
    """Where records are kept."""

    @property
    def room(self) -> int:
        """Bytes that may yet be kept."""

    def __contains__(self, ref: RecordRef) -> bool: ...

    def get(self, ref: RecordRef) -> bytes | None:
        """A record that is kept, whole; None where it is not."""

    def put(self, ref: RecordRef, data: bytes) -> None:
        """Keep a record if there is room."""


class MemoryShelf:
    """Records in memory."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit, self._used, self._lock = limit_bytes, 0, Lock()
        self._held: dict[tuple[Path, int], bytes] = {}

    @property
    def room(self) -> int:
        """Bytes that may yet be kept."""
        return self._limit - self._used

    def __contains__(self, ref: RecordRef) -> bool:
        return (ref.path, ref.offset) in self._held

    def get(self, ref: RecordRef) -> bytes | None:
        """A record that is kept."""
        return self._held.get((ref.path, ref.offset))

    def put(self, ref: RecordRef, data: bytes) -> None:
        """Keep a record if there is room."""
        with self._lock:
            place = (ref.path, ref.offset)
            if place not in self._held and len(data) <= self.room:
                self._held[place] = data
                self._used += len(data)


class DiskShelf:
    """Records as files of one record each, whole or not there.

    Args:
        folder: That of all data sets.
        dataset_dir: Whose records they are; what was kept of it before it changed is removed.
        limit_bytes: Most bytes in ``folder``.

    Raises:
        OSError: The folder cannot be made or locked.
    """

    def __init__(self, folder: Path, dataset_dir: Path, limit_bytes: int) -> None:
        require_posix(folder)
        self._root, self._limit, self._full = folder, limit_bytes, False
        place = hashlib.sha256(os.fsencode(Path(dataset_dir).resolve())).hexdigest()[:8]
        own = folder / f"{dataset_dir.parent.name}-{dataset_dir.name}-{place}"
        self._folder = own / files.sha256(dataset_dir / CONTRACT_FILE).removeprefix("sha256:")[:16]
        with self._locked():
            for older in own.iterdir() if own.is_dir() else ():
                if older != self._folder:
                    shutil.rmtree(older, ignore_errors=True)  # another process removes it, too
            self._folder.mkdir(parents=True, exist_ok=True)
            files.sweep(self._folder)
            # Counted anew: a process that was killed counted what it did not write.
            self._count(sum(_size(path) for path in folder.rglob("*.tfrecord")))

    @property
    def room(self) -> int:
        """Bytes that may yet be kept, by all processes together."""
        return self._limit - self._used()

    def __contains__(self, ref: RecordRef) -> bool:
        return _size(self._path(ref)) == _framed(ref.length)

    def get(self, ref: RecordRef) -> bytes | None:
        """A record that is kept, and whole."""
        try:
            return read_record(RecordRef(ref.name, self._path(ref), 0, ref.length))
        except DatasetError:  # not kept, or damaged: it is read where it comes from
            return None

    def put(self, ref: RecordRef, data: bytes) -> None:
        """Keep a record if there is room; a disk that is full is said once."""
        if self._full:
            return
        path = self._path(ref)
        try:
            # Written under the lock, so that processes that share the folder keep its limit. What
            # stands there is damaged, or another process kept it a moment ago.
            with self._locked():
                used = self._used() - _size(path) + _framed(len(data))
                self._full = used > self._limit
                if not self._full:
                    self._count(used)
                    write_records(path, [data])
        except OSError as error:
            self._full = True
            logger.warning(
                "%s: no more records are kept (%s); the run goes on", self._root, error.strerror
            )

    def _path(self, ref: RecordRef) -> Path:
        name = hashlib.sha256(ref.name.encode()).hexdigest()[:24]
        return self._folder / f"{name}.tfrecord"

    def _used(self) -> int:
        with suppress(OSError, ValueError):  # a kill between its making and its writing
            return int((self._root / USED).read_text())
        return sum(_size(path) for path in self._root.rglob("*.tfrecord"))

    def _count(self, used: int) -> None:
        (self._root / USED).write_text(str(used))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl

        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / LOCK).open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # ends with the descriptor, and so with the process
            yield


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process removed it
        return 0


def _framed(length: int) -> int:
    """Bytes of a file with one record."""
    return HEADER_BYTES + length + FOOTER_BYTES


def reading(
    dataset_dir: Path,
    refs: Sequence[RecordRef],
    options: CacheOptions | None,
) -> Read:
    """How to read the records of a data set: from where they are kept, else from their files.

    Args:
        dataset_dir: The data set's folder.
        refs: The records that will be read.
        options: Where they are kept; None: nowhere. Not all may fit, which is said.
    """
    if options is None:
        return read_record
    shelf = _shelf(Path(dataset_dir), options)
    if shelf is None:
        return read_record
    missing = sum(_framed(ref.length) for ref in refs if ref not in shelf)
    if missing > shelf.room:
        kept = max(shelf.room, 0)
        logger.warning(
            "cache: there is room for %s of %s of records; the others are read from %s"
            " every time; raise cache_gib, or see what else lies in cache_dir",
            size_in_words(kept), size_in_words(missing), dataset_dir,
        )  # fmt: skip

    def read(ref: RecordRef) -> bytes:
        data = shelf.get(ref)
        if data is None:
            data = read_record(ref)
            shelf.put(ref, data)
        return data

    return read


def _shelf(dataset_dir: Path, options: CacheOptions) -> Shelf | None:
    if options.kind == "memory":
        digest = files.sha256(dataset_dir / CONTRACT_FILE)
        return _in_memory(dataset_dir, options.limit_bytes, digest)
    assert options.folder is not None, "refused where the settings are read"
    try:
        return DiskShelf(options.folder, dataset_dir, options.limit_bytes)
    except OSError as error:
        logger.warning(
            "cache: %s cannot be used (%s): no records are kept", options.folder, error.strerror
        )
        return None


@lru_cache(maxsize=1)  # one a process, whoever reads of it: two would be twice the limit
def _in_memory(dataset_dir: Path, limit_bytes: int, digest: str) -> MemoryShelf:
    free = available_bytes()
    most = limit_bytes if free is None else min(limit_bytes, int(MOST_OF_FREE * free))
    if most < limit_bytes:
        logger.warning(
            "cache: at most %s of records are kept, half of the memory that is free, and not"
            " the %s of cache_gib", size_in_words(most), size_in_words(limit_bytes),
        )  # fmt: skip
    return MemoryShelf(most)
