"""Products packed as people and tools pack them, and what became of them."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sensor2sensor.products.discovery import find_s2
from sensor2sensor.products.sentinel2 import S2Product

NAME = "S2A_MSIL1C_20220714T171911_N0400_R026_T17XNA_20220714T211911"


def members(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Files of a product by name."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.read_bytes()


def pack(folder: Path, path: Path, top: str = "", separator: str = "/", method: int = 8) -> Path:
    """A zip without directory entries, and the folder gone."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members(folder):
            archive.writestr((top + name).replace("/", separator), data)
    shutil.rmtree(folder)
    return path


def only(root: Path, tile: str | None = "T17XNA") -> S2Product:
    """The one product below a folder, its checksums right and its bands readable."""
    found, failures = find_s2(root, tile)
    assert failures == []
    assert len(found) == 1
    product = found[0]
    assert product.verify() == []
    values, _ = product.read_reflectance(("B02", "B03"), 10)
    assert np.isfinite(values).any()
    return product


def told(root: Path, find: Callable = find_s2) -> list[str]:
    """What is said of products none of which could be opened."""
    found, failures = find(root)
    assert found == []
    return [failure.reason for failure in failures]
