"""Files of a product on disk: written, listed with checksums, packed into a zip."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

_BLOCK = 1 << 20


def digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file as the manifests write it ("SHA3-256" or "MD5")."""
    h = hashlib.sha3_256() if algorithm == "SHA3-256" else hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            h.update(block)
    text = h.hexdigest()
    return text.upper() if algorithm == "SHA3-256" else text


def write(path: Path, text: str) -> None:
    """Write a text file, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def members(folder: Path) -> list[str]:
    """Return the files below a folder, sorted, with forward slashes."""
    above = len(str(folder)) + 1
    walk = os.walk(folder)
    return sorted(
        f"{at}/{name}"[above:].replace(os.sep, "/") for at, _, names in walk for name in names
    )


def pack(folder: Path) -> Path:
    """Replace a product folder by a zip that holds it; identical input gives identical bytes.

    Images and netCDF files are stored (they are compressed already), text is deflated.
    """
    archive = folder.with_name(folder.name + ".zip") if folder.suffix == ".SEN3" else (
        folder.with_suffix(".zip")
    )  # fmt: skip
    with zipfile.ZipFile(archive, "w") as target:
        for name in members(folder):
            info = zipfile.ZipInfo(f"{folder.name}/{name}", (2024, 1, 1, 0, 0, 0))
            stored = name.endswith((".jp2", ".nc"))
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with target.open(info, "w") as out, (folder / name).open("rb") as source:
                shutil.copyfileobj(source, out, _BLOCK)
    shutil.rmtree(folder)
    return archive
