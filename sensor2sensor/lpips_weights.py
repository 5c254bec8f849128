"""The file of weights that LPIPS looks through, made of the public ones without PyTorch."""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.lpips_file import BACKBONES, shapes, write_lpips
from sensor2sensor.core.paths import expanded
from sensor2sensor.core.torchfile import read_state

DOC = """
Make the file of weights for LPIPS of two public ones, without PyTorch and without a download.

  s2s lpips-weights --net alex --backbone alexnet-owt-7be5be79.pth --heads alex.pth --out lpips.npz

--backbone is torchvision's AlexNet or VGG16 trained on ImageNet
(https://download.pytorch.org/models/alexnet-owt-7be5be79.pth, vgg16-397923af.pth), --heads the
linear layers of LPIPS version 0.1 (weights/v0.1/ of the package lpips on PyPI, whose wheel is a
zip). Both may be .pth, .safetensors or .npz with the same names of arrays; no pickle is run. One
file that holds both may be given twice. Then name the result in environment.json:
"lpips_weights": "lpips.npz", relative to data_root.
"""
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
_HEADER_BYTES = 1 << 24


def main(argv: Sequence[str] | None = None) -> int:
    """Convert what the command line names; returns the exit code."""
    parser = cli.parser(DOC, prog="s2s lpips-weights")
    parser.add_argument("--net", choices=tuple(BACKBONES), default="alex", help="alex (default)")
    parser.add_argument("--backbone", required=True, metavar="FILE", help="torchvision's weights")
    parser.add_argument("--heads", required=True, metavar="FILE", help="LPIPS' linear layers")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .npz to write")
    return cli.main_guard(_run, parser, argv)


def _run(asked: argparse.Namespace) -> int:
    backbone, heads, out = (expanded(i) for i in (asked.backbone, asked.heads, asked.out))
    arrays = converted(asked.net, read(backbone), read(heads))
    if out.suffix != ".npz":
        raise InputError(f"{out.name} does not end with .npz", hint="--out lpips_alex.npz")
    write_lpips(out, asked.net, arrays)
    sys.stdout.write(f"wrote {out}, {files.sha256(out)}\n")
    return 0


def read(path: Path) -> Mapping[str, npt.NDArray[Any]]:
    """The arrays of a file by name.

    Raises:
        InputError: It is missing, damaged, or none of the three kinds.
    """
    if not path.is_file():
        raise InputError(f"no file {path}")
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as held:
                return {name: held[name] for name in held.files}
        except (OSError, ValueError) as error:
            raise InputError(f"is no .npz of plain arrays ({error})", where=path.name) from error
    if path.suffix in (".pth", ".pt"):
        return read_state(path)
    raise InputError(f"{path.name} is no .pth, .pt, .safetensors or .npz")


def _safetensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    data = path.read_bytes()
    try:
        (size,) = struct.unpack("<Q", data[:8])
        if size > _HEADER_BYTES:
            raise ValueError(f"a header of {size} bytes")
        header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
        found = {}
        for name, entry in header.items():
            if name == "__metadata__" or entry["dtype"] not in _TYPES:
                continue
            start, end = entry["data_offsets"]
            values = np.frombuffer(body[start:end], _TYPES[entry["dtype"]])
            found[name] = values.reshape(entry["shape"])
        return found
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise InputError(f"is no whole .safetensors ({error})", where=path.name) from error


def converted(
    net: str, backbone: Mapping[str, npt.NDArray[Any]], heads: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """Arrays as the file has them, of arrays as PyTorch names them.

    Args:
        net: A key of ``BACKBONES``.
        backbone: ``features.<i>.weight`` ``[out, in, rows, columns]`` and ``.bias``.
        heads: ``lin<l>.model.1.weight`` ``[1, channels, 1, 1]``.

    Raises:
        InputError: An array is missing.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    for number, one in enumerate(BACKBONES[net]):
        kernel = _named(backbone, f"features.{one.index}.weight", net)
        found[f"kernel_{number}"] = np.transpose(kernel, (2, 3, 1, 0))
        found[f"bias_{number}"] = _named(backbone, f"features.{one.index}.bias", net)
    for place in range(sum(name.startswith("head") for name in shapes(net))):
        found[f"head_{place}"] = _named(heads, f"lin{place}.model.1.weight", net).reshape(-1)
    return found


def _named(arrays: Mapping[str, npt.NDArray[Any]], name: str, net: str) -> npt.NDArray[Any]:
    if name not in arrays:
        there = ", ".join(list(arrays)[:3])
        hint = f"it begins with {there}; --net {net} says which network is meant"
        raise InputError(f"the weights have no '{name}'", hint=hint)
    return arrays[name]
