"""Weights out of PyTorch's files without PyTorch, and without running what is in them.

A checkpoint of PyTorch is a pickle, which is a program, beside the numbers as they are: a zip since
version 1.6, and before it one file of five pickles and the numbers. The opcodes are listed
(``pickletools.genops`` executes none) and followed on a stack of plain values; the only calls that
are known are those of a tensor, of a parameter and of an ordered dictionary. Anything else is
refused.
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import InputError

Arrays = dict[str, npt.NDArray[Any]]
_TYPES = {"torch FloatStorage": "<f4", "torch DoubleStorage": "<f8", "torch HalfStorage": "<f2"}
_TYPES |= {"torch LongStorage": "<i8", "torch IntStorage": "<i4"}
_TENSOR, _PARAMETER = "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"
_ORDERED = "collections OrderedDict"
_KNOWN = {*_TYPES, _TENSOR, _PARAMETER, _ORDERED}
_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file from before version 1.6
# Whatever zipfile, struct and a stack of the wrong things raise for damaged or odd files.
_DAMAGED = (
    OSError, EOFError, ValueError, RuntimeError, KeyError, IndexError, TypeError, AttributeError,
    zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
_SILENT = {"PROTO", "FRAME"}
_PUT, _GET = {"BINPUT", "LONG_BINPUT", "PUT"}, {"BINGET", "LONG_BINGET", "GET"}
_SAID = {
    "BININT", "BININT1", "BININT2", "LONG1", "INT", "LONG", "BINFLOAT", "BINUNICODE",
    "SHORT_BINUNICODE", "UNICODE", "SHORT_BINSTRING", "BINSTRING", "STRING",
}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_LIST": list,
}  # fmt: skip
_MARK = object()


@dataclass(frozen=True)
class _Name:
    """A function or class that a pickle names; it is never looked up."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """Numbers in an entry of their own, which the pickle names; read as bytes, never unpickled."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A view of them."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state(path: Path) -> Arrays:
    """The tensors of a checkpoint's dictionary by their names.

    Args:
        path: A ``.pth`` or ``.pt`` file with a dictionary of tensors, of any version of PyTorch.

    Raises:
        InputError: It is damaged, or holds anything but plain tensors.
    """
    try:
        if zipfile.is_zipfile(path):
            return _zipped(path)
        return _bare(path.read_bytes())
    except _DAMAGED as error:
        hint = "it is not run; wanted is the file of a state_dict as torch.save wrote it"
        raise InputError(f"is no plain checkpoint ({error})", where=path.name, hint=hint) from error


def _zipped(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise ValueError("a member is compressed, which torch.save never does")
        names = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
        if len(names) != 1:
            raise ValueError("it has no one data.pkl")
        root = names[0].removesuffix("data.pkl")
        state = _followed(io.BytesIO(archive.read(names[0])))
        return _arrays(state, lambda storage: archive.read(f"{root}data/{storage.key}"))


def _bare(data: bytes) -> Arrays:
    stream = io.BytesIO(data)
    if _followed(stream) != _MAGIC:
        raise ValueError("it begins as no checkpoint")
    _followed(stream)  # the version of the protocol
    _followed(stream)  # sizes of the machine that wrote it
    state, keys = _followed(stream), _followed(stream)
    found: dict[str, bytes] = {}
    sizes = {tensor.storage.key: tensor.storage for _, tensor in _tensors(state)}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        if key not in sizes or sizes[key].count != count:
            raise ValueError(f"it has {count} numbers where its header says otherwise")
        found[key] = stream.read(count * np.dtype(sizes[key].dtype).itemsize)
    return _arrays(state, lambda storage: found[storage.key])


def _tensors(state: Any) -> Iterator[tuple[str, _Tensor]]:
    """Named tensors of a dictionary; what is no tensor beside them is left out."""
    if not isinstance(state, dict):
        raise TypeError("it is no dictionary of tensors")
    for name, value in state.items():
        if isinstance(value, _Tensor):
            yield str(name), value


def _arrays(state: Any, numbers: Callable[[_Storage], bytes]) -> Arrays:
    found = {}
    for name, tensor in _tensors(state):
        values = np.frombuffer(numbers(tensor.storage), tensor.storage.dtype)
        whole = tuple(math.prod(tensor.shape[axis + 1 :]) for axis in range(len(tensor.shape)))
        size = math.prod(tensor.shape)
        # PyTorch gives an axis of one pixel any stride.
        steps = zip(tensor.shape, tensor.strides, whole, strict=True)
        if any(length > 1 and one != other for length, one, other in steps):
            raise ValueError(f"{name} is a view of its numbers with strides")
        end = tensor.offset + size
        if values.size != tensor.storage.count or not 0 <= tensor.offset <= end <= values.size:
            raise ValueError(f"the numbers of {name} are cut off")
        found[name] = values[tensor.offset : end].reshape(tensor.shape)
    if not found:
        raise ValueError("it has no tensor")
    return found


def _followed(stream: io.BytesIO) -> Any:
    """What one pickle describes, in plain values; the stream is left behind its end."""
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for op, said, _ in pickletools.genops(stream):
        name = op.name
        if name == "STOP":
            return stack.pop()
        place = len(memo) if said is None else said
        if name in _PUT or name == "MEMOIZE":
            memo[place] = stack[-1]
        elif name in _GET:
            stack.append(memo[place])
        elif name not in _SILENT:
            _follow(name, said, stack)
    raise EOFError("it breaks off")


def _follow(name: str, said: Any, stack: list[Any]) -> None:
    """One opcode that changes the stack."""
    if name in _SAID:
        stack.append(said)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _EMPTY:
        stack.append(_EMPTY[name]())
    elif name == "MARK":
        stack.append(_MARK)
    elif name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
        items = _marked(stack) if name == "TUPLE" else [stack.pop() for _ in range(int(name[-1]))]
        stack.append(tuple(items if name == "TUPLE" else reversed(items)))
    elif name in ("APPEND", "APPENDS"):
        items = _marked(stack) if name == "APPENDS" else [stack.pop()]
        stack[-1].extend(items)
    elif name in ("SETITEM", "SETITEMS"):
        items = _marked(stack) if name == "SETITEMS" else [stack.pop(), stack.pop()][::-1]
        stack[-1].update(zip(items[::2], items[1::2], strict=True))
    elif name == "GLOBAL":
        if said not in _KNOWN:
            raise ValueError(f"it names {said!r:.60}")
        stack.append(_Name(said))
    elif name == "REDUCE":
        arguments = stack.pop()
        stack.append(_called(stack.pop(), arguments))
    elif name == "BINPERSID":
        stack.append(_stored(stack.pop()))
    elif name == "BUILD":
        stack.pop()  # versions of layers, kept as an attribute of the dictionary
    else:
        raise ValueError(f"it has the opcode {name}")


def _marked(stack: list[Any]) -> list[Any]:
    """What lies above the last mark, which goes too."""
    place = max(i for i, item in enumerate(stack) if item is _MARK)
    items = stack[place + 1 :]
    del stack[place:]
    return items


def _called(function: Any, arguments: tuple[Any, ...]) -> Any:
    name = function.name
    if name == _ORDERED:
        return dict(*arguments)
    if name == _PARAMETER:
        return arguments[0]
    if name == _TENSOR:
        storage, offset, shape, strides = arguments[:4]
        if not isinstance(storage, _Storage):
            raise TypeError("a tensor without numbers")
        return _Tensor(storage, int(offset), tuple(shape), tuple(strides))
    raise ValueError(f"it calls {name}")


def _stored(said: tuple[Any, ...]) -> _Storage:
    word, kind, key, _, count, *_rest = said
    if word != "storage":
        raise ValueError(f"it points at {word!r:.60}")
    return _Storage(_TYPES[kind.name], str(key), int(count))
