"""A product's files inside a zip, whose members Python and GDAL read in place."""

from __future__ import annotations

import io
import lzma
import stat
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, BinaryIO

from sensor2sensor.core import containers
from sensor2sensor.core.archive_limits import DEFAULT_LIMITS, ArchiveLimits, refusal, refuse_bombs
from sensor2sensor.core.archives import MemberFiles, safe_name
from sensor2sensor.core.errors import ProductError, withheld
from sensor2sensor.core.paths import zip_member

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_READ_ERRORS = (
    OSError,
    RuntimeError,
    EOFError,
    NotImplementedError,  # zipfile's own word for a method or an encryption that it lacks
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


class ZipFiles(MemberFiles[zipfile.ZipInfo]):
    """The files of a product inside a zip, its top folder (if it has one) left out of the names."""

    def __init__(self, path: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> None:
        super().__init__(path)
        self._take(_inspect(path, limits))
        for name, info in self._infos.items():
            containers.refuse_method(info.compress_type, name, path)

    def size(self, name: str) -> int:
        """Size in bytes of a file, inflated."""
        return self._info(name).file_size

    def crc32(self, name: str) -> str:
        """As the archive has it, of the file inflated."""
        return f"{self._info(name).CRC:08x}"

    def open(self, name: str) -> BinaryIO:
        """A seekable stream held in memory: seeking in deflated data would inflate it anew."""
        with self._member(name) as member:
            return io.BytesIO(member.read())

    def chunks(self, name: str, chunk_bytes: int = 2**22) -> Iterator[bytes]:
        """The content of a member piece by piece; its CRC is checked at the end."""
        with self._member(name) as member:
            while piece := member.read(chunk_bytes):
                yield piece

    @contextmanager
    def _member(self, name: str) -> Iterator[IO[bytes]]:
        info = self._info(name)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(info) as member:
                yield member
        except _READ_ERRORS as error:
            where = self.where(name)
            damaged = ProductError(f"damaged archive member: {error}", where=where)
            raise withheld(error, where) or damaged from error

    def held(self, name: str) -> bool:
        """Whether GDAL cannot read a file in place."""
        return self._info(name).compress_type not in containers.GDAL_METHODS

    def gdal_path(self, name: str) -> str:
        """The `/vsizip/` path of a member."""
        # GDAL, too, takes a backslash in a member's name for a separator.
        return zip_member(self.path, _posix(self._info(name).filename))


def _inspect(path: Path, limits: ArchiveLimits) -> dict[str, zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
        archive_bytes = path.stat().st_size
    except UnicodeDecodeError as error:
        name = error.object.decode(errors="backslashreplace")
        hint = "pack it anew with a tool that writes names as UTF-8"
        raise ProductError(f"member name '{name}' is no UTF-8", where=path, hint=hint) from error
    except _READ_ERRORS as error:
        if (beyond := withheld(error, path)) is not None:
            raise beyond from error
        unknown = f"not a readable zip archive: {error}", "fetch it again"
        what, hint = containers.why_no_zip(path) or unknown
        raise ProductError(what, where=path, hint=hint) from error
    containers.refuse_part(infos, path)
    refuse_bombs(infos, archive_bytes, path, limits)
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _refuse_member(info, path)
        name = _posix(info.filename).removeprefix("./")
        if not name or name.endswith("/"):
            continue
        # Readers differ in which of two they take: a checker and GDAL could see different bytes.
        if name in found:
            raise refusal(path, f"holds {name!r} twice")
        found[name] = info
    return found


def _posix(name: str) -> str:
    return name.replace("\\", "/")


def _refuse_member(info: zipfile.ZipInfo, path: Path) -> None:
    # As stored: zipfile cuts its own filename at a NUL, behind which a second name could hide.
    name = _posix(info.orig_filename)
    if name != "./":  # the archive's own folder, which some tools list
        safe_name(name, path)
    # Unix tools keep the file's mode in the upper half; Windows leaves it 0.
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "a special file"
        raise refusal(path, f"member {info.filename!r} is {what}")
    if info.flag_bits & 0x1:  # bit 0 of the general purpose flags (APPNOTE 4.4.4)
        raise refusal(path, f"member {info.filename!r} is encrypted")
