"""Two pictures side by side in one file: what its header says, and its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.sources import pictures

ENDINGS = (".jpg", ".jpeg", ".png")
FORMATS = ("JPEG", "PNG")
_TURNED = range(5, 9)  # EXIF orientations that swap rows and columns
_ORIENTATION = 0x0112
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SidePicture:
    """One file as its header describes it.

    Attributes:
        path: The file.
        sha256: Of it; empty where it cannot be read.
        side_px: Edge of each half.
        fault: Why it cannot be used, empty where it can.
    """

    path: Path
    sha256: str = ""
    side_px: int = 0
    fault: str = ""


def look(path: Path) -> SidePicture:
    """What a file is, from its header and its digest; no pixels are decoded."""
    from PIL import Image

    try:
        digest = files.sha256(path)
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            deep = too_deep(picture)  # first: EXIF of a PNG is behind its pixels
            # As a viewer shows it: whoever put two pictures side by side saw them so.
            if picture.getexif().get(_ORIENTATION) in _TURNED:
                width, height = height, width
            fault = _fault(width, height, picture.mode) or deep
    except Exception as error:  # Pillow raises many kinds, and one bad file must not end the run
        what = f"is no picture that can be read ({pictures.said(error, path)})"
        return SidePicture(path, fault=what)
    return SidePicture(path, digest, height, fault)


def _fault(width: int, height: int, mode: str) -> str:
    if mode not in ("RGB", "RGBA"):
        kinds = {"L": "grey", "LA": "grey with alpha", "1": "black and white", "P": "of a palette"}
        return f"is {kinds.get(mode, mode)}, not of red, green and blue; convert it first"
    if width == height:
        return f"is one picture of {width} x {height} pixels: its other half is missing"
    if width != 2 * height:
        return f"is {width} x {height} pixels, not two squares side by side"
    return ""


def too_deep(picture: Any) -> str:
    """Pillow gives the upper 8 of 16 bits of a PNG without a word; the file's own header tells."""
    bits = picture.tile[0][3] if picture.format == "PNG" and picture.tile else ""
    if "16" not in str(bits):
        return ""
    return "has 16 bits a band, and pictures of 8 are stored; convert it first"


def halves(picture: SidePicture) -> tuple[Bytes, Bytes]:
    """The left and the right picture of a file, ``[side, side, 3]`` each.

    Raises:
        DatasetError: It cannot be used, or it is damaged behind its header.
    """
    path, side = picture.path, picture.side_px
    where = f"{path.parent.name}/{path.name}"
    if picture.fault:
        raise DatasetError(picture.fault, where=where)
    try:
        pixels = _pixels(path, picture.sha256)
    except (OSError, ValueError, SyntaxError) as error:
        what = f"cannot be decoded ({pictures.said(error, path)})"
        raise DatasetError(what, where=where, hint="fetch it again") from error
    return pixels[:, :side], pixels[:, side:]


@lru_cache(maxsize=1)  # the patches of a picture come one after the other
def _pixels(path: Path, sha256: str) -> Bytes:
    """``[side, 2 side, 3]``, turned as EXIF says."""
    from PIL import Image, ImageOps

    with Image.open(path, formats=FORMATS) as picture:
        turned = ImageOps.exif_transpose(picture)
        if "transparency" in picture.info:  # a colour that stands for none
            turned = turned.convert("RGBA")
        if turned.mode == "RGBA" and turned.getextrema()[3] != (255, 255):
            what = "is transparent in places, where nobody knows its colours"
            where = f"{path.parent.name}/{path.name}"
            raise DatasetError(what, where=where, hint="fill them or leave the alpha band out")
        return np.asarray(turned.convert("RGB"))
