"""Stacks of patches as version 1 of SEN2VENµS has them: ``.pt`` files, read without unpickling.

Such a file is a zip of ``data.pkl`` and of the numbers, stored as they are. A pickle is a program,
and who runs one from elsewhere runs whatever its author wrote; the one of a plain tensor is always
the same few dozen opcodes. They are listed (``pickletools.genops`` executes none), held against
that one form, and anything else is refused.
"""

from __future__ import annotations

import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError

_PICKLE_BYTES = 1 << 16
_ORDER_BYTES = 16
# A patch is read whole. Those of SEN2VENµS have 4 bands and 256 pixels of 5 m along an edge.
_BANDS, _SIDE_PX, _INTEGER = 16, 2048, 1 << 62
# Whatever zipfile and what it calls raise for damaged, encrypted or odd archives.
_DAMAGED = (
    OSError, EOFError, ValueError, RuntimeError, OverflowError, zipfile.BadZipFile, zlib.error,
    struct.error,
)  # fmt: skip
_TYPES = {"ShortStorage": "<i2", "IntStorage": "<i4", "FloatStorage": "<f4"}
# Opcodes that only number, frame or remember what others said.
_SILENT = {"PROTO", "FRAME", "BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"}
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "UNICODE"}
_INTEGERS = {"BININT", "BININT1", "BININT2", "LONG1", "INT", "LONG"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

Token = tuple[str, Any]


@dataclass(frozen=True)
class Stack:
    """A tensor in a file, without its numbers.

    Attributes:
        shape: Patches, bands, rows, columns.
        dtype: Of its numbers.
        member: The file in the zip that holds them.
    """

    shape: tuple[int, int, int, int]
    dtype: str
    member: str


class _Reader:
    """The opcodes of one pickle, taken in the one order that a plain tensor has."""

    def __init__(self, data: bytes, where: Path) -> None:
        self._where = where
        try:
            listed = [(op.name, arg) for op, arg, _ in pickletools.genops(data)]
        except Exception as error:  # of any type: pickletools raises what its parts do
            raise self.refused(f"ends or breaks off ({error})") from error
        self._tokens = iter([token for token in listed if token[0] not in _SILENT])

    def refused(self, what: str) -> DatasetError:
        """The error of a pickle that is no plain tensor."""
        hint = "it is not run; stacks of SEN2VENµS hold one contiguous tensor and nothing else"
        return DatasetError(f"its data.pkl {what}", where=self._where.name, hint=hint)

    def next(self) -> Token:
        """The next opcode with what it says."""
        return next(self._tokens, ("nothing", None))

    def take(self, name: str, said: object = None) -> None:
        """One opcode, and no other."""
        found = self.next()
        if found != (name, said):
            what = f"has {found[0]} {_shown(found[1] or '')} where {name} {said or ''} is due"
            raise self.refused(what)

    def text(self) -> str:
        """A text."""
        name, said = self.next()
        if name not in _TEXTS:
            raise self.refused(f"has {name} where a text is due")
        return str(said)

    def storage(self) -> str:
        """The type of the numbers."""
        name, said = self.next()
        kind = str(said).removeprefix("torch ")
        if name != "GLOBAL" or kind not in _TYPES or said == kind:
            raise self.refused(f"has {name} {_shown(said)} where the type of numbers is due")
        return _TYPES[kind]

    def integer(self) -> int:
        """A number that is not below 0."""
        name, said = self.next()
        return self._integer(name, said)

    def _integer(self, name: str, said: object) -> int:
        if name not in _INTEGERS or not isinstance(said, int) or not 0 <= said < _INTEGER:
            raise self.refused(f"has {name} {_shown(said)} where a number is due")
        return said

    def integers(self) -> tuple[int, ...]:
        """A tuple of numbers, with or without a mark before it."""
        found: list[int] = []
        name, said = self.next()
        marked = name == "MARK"
        if marked:
            name, said = self.next()
        while name != "TUPLE" and name not in _TUPLES:
            found.append(self._integer(name, said))
            name, said = self.next()
        if marked != (name == "TUPLE") or (not marked and _TUPLES[name] != len(found)):
            raise self.refused("has an odd tuple")
        return tuple(found)


def _shown(said: object) -> str:
    """What a foreign pickle says, as part of one short line."""
    return ascii(str(said)[:60])[1:-1]


def _parsed(data: bytes, where: Path) -> tuple[str, str, int, tuple[int, ...]]:
    """Type, key, count and shape of a contiguous tensor from the start of its storage.

    ``_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())``.
    """
    read = _Reader(data, where)
    read.take("GLOBAL", "torch._utils _rebuild_tensor_v2")
    read.take("MARK")
    read.take("MARK")
    if read.text() != "storage":
        raise read.refused("holds no storage")
    dtype, key = read.storage(), read.text()
    read.text()  # the device
    count = read.integer()
    read.take("TUPLE")
    read.take("BINPERSID")
    offset, shape, strides = read.integer(), read.integers(), read.integers()
    read.take("NEWFALSE")
    read.take("GLOBAL", "collections OrderedDict")
    for name in ("EMPTY_TUPLE", "REDUCE", "TUPLE", "REDUCE", "STOP"):
        read.take(name)
    whole = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if len(shape) != 4:
        raise read.refused(f"is {list(shape)[:8]}, not patches, bands, rows, columns")
    _, bands, rows, columns = shape
    if not all(shape) or bands > _BANDS or max(rows, columns) > _SIDE_PX:
        raise read.refused(f"is {list(shape)}, which is no stack of patches")
    if offset or strides != whole or math.prod(shape) != count:
        raise read.refused(f"has a view of {list(shape)} with strides {list(strides)}")
    if not key.isdigit():
        raise read.refused(f"names its storage '{_shown(key)}'")
    return dtype, key, count, shape


def look(path: Path) -> Stack:
    """What a stack holds, by its header alone.

    Raises:
        DatasetError: It is damaged or compressed, or holds anything but one plain tensor of four
            dimensions of a sane size.
    """
    with _archive(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        _refuse_bombs(archive, path)
        pickles = [name for name in sizes if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1 or sizes[pickles[0]] > _PICKLE_BYTES:
            what = "has no one data.pkl of a plain tensor"
            raise DatasetError(what, where=path.name, hint="fetch it again")
        root = pickles[0].removesuffix("data.pkl")
        order = f"{root}byteorder"
        if order in sizes and (sizes[order] > _ORDER_BYTES or archive.read(order) != b"little"):
            raise DatasetError("is not of little-endian numbers", where=path.name)
        dtype, key, count, shape = _parsed(archive.read(pickles[0]), path)
        member, wanted = f"{root}data/{key}", count * np.dtype(dtype).itemsize
        if sizes.get(member) != wanted:
            what = f"holds {sizes.get(member, 'no')} bytes of numbers, not {wanted}"
            raise DatasetError(what, where=path.name, hint="fetch it again")
    n, bands, rows, columns = shape
    return Stack((n, bands, rows, columns), dtype, member)


def _refuse_bombs(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse what torch never writes: a few deflated bytes may be more than the memory.

    Raises:
        DatasetError: A member is compressed, or says it is larger than the file.
    """
    for info in archive.infolist():
        stored = info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
        if not stored or info.file_size > path.stat().st_size:
            what = f"has the member '{_shown(info.filename)}', which is not stored as it is"
            raise DatasetError(what, where=path.name, hint="torch.save compresses nothing")


def patches(path: Path, stack: Stack) -> Iterator[npt.NDArray[Any]]:
    """Its patches ``[C, H, W]`` one by one: a whole stack may be larger than the memory.

    Raises:
        DatasetError: The file is damaged; its CRC is checked at the end.
    """
    dtype = np.dtype(stack.dtype)
    size = math.prod(stack.shape[1:]) * dtype.itemsize
    with _archive(path) as archive, archive.open(stack.member) as stream:
        for _ in range(stack.shape[0]):
            yield np.frombuffer(_exactly(stream, size), dtype).reshape(stack.shape[1:])
        # zipfile compares the CRC where a member ends.
        stream.read(1)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("it ends too early")
    return data


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _DAMAGED as error:
        old = False
        with suppress(OSError), path.open("rb") as stream:
            old = stream.read(1) == b"\x80"
        if old:
            what, hint = "is a bare pickle, as of before torch 1.6", "save it again with torch"
        else:
            what, hint = f"is no whole stack ({error})", "fetch it again"
        raise DatasetError(what, where=path.name, hint=hint) from error
