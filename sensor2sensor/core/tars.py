"""A product's files inside a tar, plain or packed by gzip, bzip2 or xz; nothing is unpacked.

What holds for zips holds here: names that leave the archive, links, special and sparse files, names
held twice and bombs are refused before a member is read. A tar has no list of its members: finding
them reads all its headers, and of a packed one all of its bytes. Of a plain tar GDAL reads members
in place; those of a packed one are inflated up to the member, and held in memory.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO

from sensor2sensor.core import containers
from sensor2sensor.core.archive_limits import DEFAULT_LIMITS, ArchiveLimits, refusal
from sensor2sensor.core.archives import MemberFiles, safe_name
from sensor2sensor.core.errors import ProductError, withheld

_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_READ_ERRORS = (OSError, EOFError, ValueError, tarfile.TarError, zlib.error, lzma.LZMAError)
# No header is larger, long names and all: more would be read into memory at once.
_HEADER_BYTES = 2**20
# What describes a product is read at once and again: it is kept from the reading that finds it.
_DESCRIBES = re.compile(r"\.(?:xml|safe|json)$", re.IGNORECASE)
_KEPT_BYTES = 2**21
# A glimpse goes from header to header of a plain tar; of a packed one it inflates all between them.
_GLIMPSE = ArchiveLimits(members=256, total_bytes=2**23)


@dataclass(frozen=True)
class TarMember:
    """Where the bytes of a member lie in the tar, inflated."""

    offset: int
    size: int


class TarFiles(MemberFiles[TarMember]):
    """The files of a product inside a tar, its top folder (if it has one) left out of the names."""

    def __init__(self, path: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> None:
        super().__init__(path)
        self._packed = _packing(path) is not None
        found = _Inspection(path, limits, packed=self._packed)
        with _reading(path, str(path)):
            found.run()
        self._take(found.members)
        start = len(self._prefix)
        self._kept = {name[start:]: data for name, data in found.kept.items()}

    def size(self, name: str) -> int:
        """Size in bytes of a file."""
        return self._info(name).size

    def open(self, name: str) -> BinaryIO:
        """A seekable stream held in memory: seeking in packed data would inflate it anew."""
        return io.BytesIO(b"".join(self.chunks(name)))

    def chunks(self, name: str, chunk_bytes: int = 2**22) -> Iterator[bytes]:
        """The content of a member piece by piece."""
        member, where = self._info(name), self.where(name)
        if (kept := self._kept.get(self._found(name) or "")) is not None:
            yield from (kept[at : at + chunk_bytes] for at in range(0, len(kept), chunk_bytes))
            return
        with _reading(self.path, where), _stream(self.path) as stream:
            stream.seek(member.offset)
            left = member.size
            while left:
                piece = stream.read(min(left, chunk_bytes))
                if not piece:
                    raise ProductError("damaged archive member: it ends early", where=where)
                left -= len(piece)
                yield piece

    def held(self, name: str) -> bool:
        """Whether GDAL cannot read a file in place."""
        return self._packed

    def gdal_path(self, name: str) -> str:
        """The path by which GDAL opens a member of a plain tar."""
        # By its bytes: GDAL's own reader of tars does not know all that Python's knows.
        member = self._info(name)
        return f"/vsisubfile/{member.offset}_{member.size},{self.path.absolute()}"


def is_tar(path: Path) -> bool:
    """Whether a file is a tar, or packed as tars are, by its first bytes or by its name."""
    try:
        with path.open("rb") as stream:
            head = stream.read(262)
    except OSError:  # told by whoever opens it
        return False
    if head.startswith(tuple(_OPENERS)) or head[257:262] == b"ustar":
        return True
    return bool(head) and containers.is_tar_name(path.name)


def first_names(path: Path) -> list[str]:
    """Names of the first members and folders of a tar, up to where it is damaged.

    Of a packed one they are those of its first 8 MiB (and headers), so it may be of any size.
    """
    names: list[str] = []
    with suppress(ProductError, *_READ_ERRORS), _stream(path) as stream:
        packed = _packing(path) is not None
        bounded = _Inspection(path, _GLIMPSE if packed else DEFAULT_LIMITS, packed=packed)
        for info in islice(bounded.headers(stream), _GLIMPSE.members):
            names.append(f"{info.name}/" if info.isdir() else info.name)
    return names


def _packing(path: Path) -> Any:
    """What opens a packed tar; None for a plain one."""
    with path.open("rb") as stream:
        head = stream.read(8)
    return next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)


@contextmanager
def _stream(path: Path) -> Iterator[IO[bytes]]:
    opener = _packing(path)
    with opener(path, "rb") if opener else path.open("rb") as stream:
        yield stream


@contextmanager
def _reading(path: Path, where: str) -> Iterator[None]:
    try:
        yield
    except ProductError:
        raise
    except _READ_ERRORS as error:
        if (beyond := withheld(error, where)) is not None:
            raise beyond from error
        what, hint = f"not a readable tar archive: {error}", "fetch it again, or unpack it"
        raise ProductError(what, where=where, hint=hint) from error


class _Inspection:
    """One reading of all headers; of a packed tar, of all bytes.

    Attributes:
        members: where the members lie, by name.
        kept: content of the small files that describe a product, of a packed tar.
    """

    def __init__(self, path: Path, limits: ArchiveLimits, *, packed: bool) -> None:
        self.path, self.limits, self._packed = path, limits, packed
        self._bytes = path.stat().st_size
        self.members: dict[str, TarMember] = {}
        self.kept: dict[str, bytes] = {}
        self._total, self._count = 0, 0

    def run(self) -> None:
        with _stream(self.path) as stream:
            for info in self.headers(stream):
                self._judge(info)
            self._require_end(self._end)
            # A packed tar has its checksum at its very end.
            while self._packed and self.read(_HEADER_BYTES):
                pass

    def headers(self, stream: IO[bytes]) -> Iterator[tarfile.TarInfo]:
        """The header of each member, within what the tar may inflate to."""
        self._stream = stream
        with tarfile.open(fileobj=self, mode="r:") as archive:  # type: ignore[call-overload]
            for info in archive:
                yield info
                archive.members.clear()
            self._end: int = archive.offset

    def read(self, size: int = -1) -> bytes:
        """Bytes of the tar for its reader: no more than a header has, and no bomb."""
        if not 0 <= size <= _HEADER_BYTES:
            raise refusal(self.path, f"a header of it claims {size} bytes")
        data = self._stream.read(size)
        self._bound(self._stream.tell())
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place in the tar, unless that is beyond what it may inflate to."""
        self._bound(offset)
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def _bound(self, reached: int) -> None:
        limits = self.limits
        most = limits.total_bytes + limits.members * _HEADER_BYTES // 64
        if reached > most:
            raise refusal(self.path, f"inflates to more than {limits.total_bytes} bytes")
        ratio = reached / max(self._bytes, 1)
        if self._packed and reached > limits.ratio_from_bytes and ratio > limits.ratio:
            raise refusal(self.path, f"inflates {ratio:.0f} times")

    def _judge(self, info: tarfile.TarInfo) -> None:
        path, limits = self.path, self.limits
        self._count += 1
        if self._count > limits.members:
            raise refusal(path, f"holds more than {limits.members} members")
        name = info.name
        try:
            name.encode()
        except UnicodeEncodeError as error:
            shown = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
            hint = "pack it anew with a tool that writes names as UTF-8"
            what = f"member name '{shown}' is no UTF-8"
            raise ProductError(what, where=path, hint=hint) from error
        if name not in (".", "./"):
            name = safe_name(name, path)
        if info.isdir():
            return
        if not info.isreg() or info.issparse():
            kind = "a link" if info.issym() or info.islnk() else "a special file"
            what = "is sparse" if info.issparse() else f"is {kind}"
            raise refusal(path, f"member {name!r} {what}")
        if info.size > limits.member_bytes:
            raise refusal(path, f"member {name!r} inflates to {info.size} bytes")
        self._total += info.size
        if self._total > limits.total_bytes:
            raise refusal(path, f"inflates to {self._total} bytes, more than {limits.total_bytes}")
        # Readers differ in which of two they take.
        if name in self.members:
            raise refusal(path, f"holds {name!r} twice")
        self.members[name] = TarMember(info.offset_data, info.size)
        if self._packed and info.size <= _KEPT_BYTES // 2 and _DESCRIBES.search(name):
            self._keep(name, info)

    def _keep(self, name: str, info: tarfile.TarInfo) -> None:
        if sum(map(len, self.kept.values())) + info.size > 8 * _KEPT_BYTES:
            return
        self.seek(info.offset_data)
        data = self.read(info.size)
        if len(data) == info.size:
            self.kept[name] = data

    def _require_end(self, end: int) -> None:
        """A damaged header in the middle ends the list of members like the end of the archive.

        So does the end of the file: one that was cut off between two members has fewer of them, and
        only lacks the blocks of zeros that close every tar.
        """
        self.seek(end)
        closing = self.read(tarfile.BLOCKSIZE)
        if closing.strip(b"\0"):
            what = f"not a readable tar archive: no header at byte {end}"
            raise ProductError(what, where=self.path, hint="fetch it again")
        if len(closing) < tarfile.BLOCKSIZE:
            what = f"cut off: it ends at byte {end} without what closes a tar"
            raise ProductError(what, where=self.path, hint="fetch it again")
