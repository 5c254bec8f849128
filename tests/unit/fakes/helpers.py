"""Readers written for these tests alone, so that they judge the generators from outside."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import defusedxml.ElementTree as ElementTree
import numpy as np


def xml(path: Path):
    """Return the root with namespaces stripped from the tags."""
    root = ElementTree.parse(path).getroot()
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
    return root


def tree_hash(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder (or of the file itself)."""
    files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder.parent).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
    }


def codestream(path: Path) -> dict[str, int]:
    """Return size, tile, bits, levels, layers and wavelet from the main header of a JP2."""
    data = path.read_bytes()
    at = data.index(b"\xff\x4f\xff\x51") + 4
    fields = struct.unpack(">HHIIIIIIIIH", data[at : at + 38])
    bits = (data[at + 38] & 0x7F) + 1
    cod = data.index(b"\xff\x52", at) + 4
    _, progression, layers, _, levels, width, _, _, wavelet = struct.unpack(
        ">BBHBBBBBB", data[cod : cod + 10]
    )
    return {
        "width": fields[2], "height": fields[3], "tile": fields[6], "bits": bits,
        "progression": progression, "layers": layers, "levels": levels,
        "code_block": 2 ** (width + 2), "reversible": wavelet,
    }  # fmt: skip


def read_dn(product: Path, band: str) -> np.ndarray:
    """Return the stored values of a 10 m band."""
    import rasterio

    names = (f"IMG_DATA/*_{band}.jp2", f"IMG_DATA/R10m/*_{band}_10m.jp2")
    path = next(p for name in names for p in product.rglob(name))
    with rasterio.open(path) as source:
        return source.read(1)
