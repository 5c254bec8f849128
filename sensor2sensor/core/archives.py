"""A product's files, whether they lie in a folder or in an archive that is read in place.

Nothing is ever unpacked: members are read, or handed to GDAL through `/vsizip/`; tars are read in
`tars`. An archive that
could harm the machine that reads it is refused by name before its first member is read: names
that leave the archive, links, bombs (by size, by ratio, by count, by overlap). Backslashes, which
some Windows tools write into zips, are read as the separators they stand for.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Generic, TypeVar

from sensor2sensor.core import containers
from sensor2sensor.core.errors import ProductError, withheld

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Member = TypeVar("Member")
_DRIVE = re.compile(r"^[A-Za-z]:")
_GLIMPSE = 2**20


class ProductFiles(ABC):
    """The files below one product folder, named by posix paths relative to it.

    Use `open_files` to make one. Instances hold no open handle between calls, so they may be
    pickled and sent to workers.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def names(self) -> list[str]:
        """Every file, sorted."""

    def top(self) -> list[str]:
        """What lies at the top, files and folders, sorted."""
        return sorted({name.partition("/")[0] for name in self.names()})

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Size in bytes of a file; ProductError when it is absent."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """A seekable binary stream over a file; ProductError when it is absent or damaged."""

    @abstractmethod
    def gdal_path(self, name: str) -> str:
        """The path by which GDAL opens a file."""

    def held(self, name: str) -> bool:
        """Whether GDAL cannot read a file in place: then its bytes are held in memory for it."""
        return False

    def local_path(self, name: str) -> Path | None:
        """Where a file lies on disk; None when it is inside an archive."""
        safe_name(name, self.path)
        return None

    def read(self, name: str, max_bytes: int) -> bytes:
        """The content of a file, at most `max_bytes`; ProductError names it otherwise."""
        size = self.size(name)
        if size > max_bytes:
            raise ProductError(
                f"holds {size} bytes, more than the {max_bytes} a file of its kind may have",
                where=self.where(name),
            )
        with self.open(name) as stream:
            return stream.read(max_bytes)

    def chunks(self, name: str, chunk_bytes: int = 2**22) -> Iterator[bytes]:
        """The content of a file piece by piece, for checksums."""
        with self.open(name) as stream:
            while piece := stream.read(chunk_bytes):
                yield piece

    def crc32(self, name: str) -> str:
        """The CRC of a file's content, eight hexadecimal digits: tells two contents of one size."""
        found = 0
        for piece in self.chunks(name):
            found = zlib.crc32(piece, found)
        return f"{found:08x}"

    def known(self, names: Iterable[str]) -> dict[str, dict[str, int | str]]:
        """Size and CRC of files, by which provenance tells them from others of their names."""
        return {one: {"bytes": self.size(one), "crc32": self.crc32(one)} for one in sorted(names)}

    def where(self, name: str) -> str:
        """How errors name a file: product, then file."""
        return f"{self.path.name}/{name}"

    def _spelt(self, name: str) -> str:
        """A name as it is spelt here: some tools write every name in one case."""
        return self._by_case.get(name.casefold(), name)

    @cached_property
    def _by_case(self) -> dict[str, str]:
        return {name.casefold(): name for name in self.names()}


class FolderFiles(ProductFiles):
    """The files of a product folder."""

    @cached_property
    def _names(self) -> tuple[str, ...]:
        walked = self._walk()
        return tuple(sorted(folder + name for folder, _, names in walked for name in names))

    def _walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        """Every folder, as a prefix of names, with the names of its folders and of its files."""
        root = len(str(self.path)) + 1
        # Without onerror a folder that may not be read would count as empty.
        for folder, below, files in os.walk(self.path, onerror=self._not_listed):
            below[:] = [name for name in below if not containers.is_companion(name)]
            inside = folder[root:].replace(os.sep, "/")
            names = [name for name in files if not containers.is_companion(name)]
            yield f"{inside}/" if inside else "", below, names

    def top(self) -> list[str]:
        """What lies at the top, files and folders, sorted; nothing below is looked at."""
        _, folders, names = next(self._walk(), ("", [], []))
        return sorted([*folders, *names])

    def _spelt(self, name: str) -> str:
        if "/" in name or "_by_case" in vars(self):
            return super()._spelt(name)
        # Most that are asked for in vain, like the other sensor's metadata, would lie on top.
        return {one.casefold(): one for one in self.top()}.get(name.casefold(), name)

    def _not_listed(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise self._unreadable(error, error.filename) from error

    def names(self) -> list[str]:
        """Every file, sorted."""
        return list(self._names)

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        target = self._target(name)
        try:
            return stat.S_ISREG(target.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._unreadable(error, self.where(name)) from error

    def size(self, name: str) -> int:
        """Size in bytes of a file."""
        try:
            return self._target(name).stat().st_size
        except OSError as error:
            raise self._unreadable(error, self.where(name)) from error

    def open(self, name: str) -> BinaryIO:
        """A seekable binary stream over a file."""
        target = self._target(name)
        try:
            # Whoever opens a pipe waits for ever.
            if not stat.S_ISREG(target.stat().st_mode):
                raise ProductError("is no regular file", where=self.where(name))
            return target.open("rb")
        except OSError as error:
            raise self._unreadable(error, self.where(name)) from error

    def gdal_path(self, name: str) -> str:
        """The path by which GDAL opens a file."""
        return str(self._target(name))

    def local_path(self, name: str) -> Path | None:
        """Where a file lies on disk."""
        return self._target(name)

    def _target(self, name: str) -> Path:
        target = self.path / safe_name(name, self.path)
        if os.path.exists(target):  # noqa: PTH110 - Path.exists raises for a missing right
            return target
        return self.path / self._spelt(name.removeprefix("./"))

    def _unreadable(self, error: OSError, where: str) -> ProductError:
        what = "file is missing" if isinstance(error, FileNotFoundError) else f"unreadable: {error}"
        return withheld(error, where) or ProductError(what, where=where)


class MemberFiles(ProductFiles, Generic[Member]):
    """The files of a product among the members of an archive, without the product's own folder."""

    def _take(self, members: Mapping[str, Member]) -> None:
        self._prefix = containers.product_root(members, self.path)
        self._infos = {
            name[len(self._prefix) :]: info
            for name, info in members.items()
            if name.startswith(self._prefix) and not containers.within_companion(name)
        }

    def names(self) -> list[str]:
        """Every file, sorted."""
        return sorted(self._infos)

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self._found(name) is not None

    def _found(self, name: str) -> str | None:
        plain = safe_name(name, self.path)
        return next((one for one in (plain, self._spelt(plain)) if one in self._infos), None)

    def _info(self, name: str) -> Member:
        found = self._found(name)
        if found is None:
            raise ProductError("file is missing", where=self.where(name))
        return self._infos[found]


def open_files(path: Path) -> ProductFiles:
    """The files of a product folder, zip or tar, wherever in it the product lies.

    Raises:
        ProductError: nothing is there, it is no archive, or it is hostile; names the member.
    """
    from sensor2sensor.core.tars import TarFiles, is_tar
    from sensor2sensor.core.zips import ZipFiles

    containers.refuse_unfinished(path)
    if path.is_dir():
        return FolderFiles(containers.product_folder(path))
    if path.is_symlink() and not path.exists():
        hint = "fetch what it leads to (git annex get), attach its disk, or delete the link"
        raise ProductError(
            f"is a link to {path.readlink()}, where nothing is", where=path, hint=hint
        )
    if not path.exists():
        raise ProductError("no such product", where=path)
    if not path.is_file():
        raise ProductError("is neither a folder nor a file", where=path)
    return TarFiles(path) if is_tar(path) else ZipFiles(path)


def glimpse(path: Path) -> str:
    """Member names of a zip or tar as far as they are seen at once, among other text.

    It takes no sound archive: names lie open in a damaged one, too. Of a zip and a plain tar it is
    what stands at the beginning and at the end; of any tar the names of its first members. Empty
    for other files and where nothing can be read.
    """
    from sensor2sensor.core.tars import first_names, is_tar

    try:
        with path.open("rb") as stream:
            head = stream.read(_GLIMPSE)
            stream.seek(max(len(head), path.stat().st_size - _GLIMPSE))
            tail = stream.read()
    except OSError:
        return ""
    seen = head + tail if head.startswith(b"PK") or head[257:262] == b"ustar" else b""
    names = first_names(path) if is_tar(path) else []
    return "\n".join([*names, seen.decode("latin-1")])


def safe_name(name: str, where: object) -> str:
    """A member name (a leading `./` dropped) that stays below the product, else ProductError."""
    plain = name.removeprefix("./")
    parts = PurePosixPath(plain).parts
    leaves = not parts or plain.startswith("/") or ".." in parts or _DRIVE.match(plain)
    if leaves or "\\" in plain or "\0" in plain:
        raise ProductError(
            f"refused: the name {name!r} leaves the product",
            where=where,
            hint="fetch the product anew from its provider",
        )
    return plain
