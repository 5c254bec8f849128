"""Checkpoints as PyTorch writes them, opcode by opcode, and as safetensors does."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROTOCOL = b"\x80\x02"
Arrays = Mapping[str, NDArray[np.float32]]


def _text(words: str) -> bytes:
    data = words.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _integers(values: Sequence[int]) -> bytes:
    return b"(" + b"".join(map(_integer, values)) + b"t"


def tensor(key: str, values: NDArray[Any], strides: Sequence[int] | None = None) -> bytes:
    """Opcodes of one tensor whose numbers lie under a key."""
    whole = [int(np.prod(values.shape[axis + 1 :])) for axis in range(values.ndim)]
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text(key) + _text("cpu")
    parts = (
        b"ctorch._utils\n_rebuild_tensor_v2\n(", storage, _integer(values.size), b"tQ",
        _integer(0), _integers(values.shape), _integers(strides or whole), b"\x89",
        b"ccollections\nOrderedDict\n)R", b"tR",
    )  # fmt: skip
    return b"".join(parts)


def state(arrays: Arrays, **options: Any) -> bytes:
    """The pickle of an ordered dictionary of tensors."""
    items = b"".join(
        _text(name) + tensor(str(i), values, **options)
        for i, (name, values) in enumerate(arrays.items())
    )
    return PROTOCOL + b"ccollections\nOrderedDict\n)R(" + items + b"u."


def zipped(arrays: Arrays, pickled: bytes | None = None) -> bytes:
    """The file of a ``state_dict``, as of version 1.6 and later."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickled or state(arrays))
        for i, values in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{i}", values.astype("<f4").tobytes())
    return stream.getvalue()


def bare(arrays: Arrays) -> bytes:
    """The same as of before version 1.6."""
    magic = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
    keys = b"".join(_text(str(i)) for i in range(len(arrays)))
    numbers = b"".join(
        struct.pack("<q", values.size) + values.astype("<f4").tobytes()
        for values in arrays.values()
    )
    parts = (
        PROTOCOL + b"\x8a\x0a" + magic + b".", PROTOCOL + b"M\xe9\x03.", PROTOCOL + b"}.",
        state(arrays), PROTOCOL + b"](" + keys + b"e.", numbers,
    )  # fmt: skip
    return b"".join(parts)


def safetensors(arrays: Arrays) -> bytes:
    """The same in the form of safetensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, values in arrays.items():
        data = values.astype("<f4").tobytes()
        ends = [len(body), len(body) + len(data)]
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": ends}
        body += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body
