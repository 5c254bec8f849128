"""Forms in which products of both sensors are kept, and how each is told.

What a product is, its files say: each form has a function that sees it and one that reads it, and a
further form is a further line of `FORMS`. A name is a hint only: it decides whether something
unreadable was meant to be a product, and so whether it is reported or passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sensor2sensor.core import xml
from sensor2sensor.core.archives import FolderFiles, ProductFiles, glimpse
from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.s2_open import is_open_form, tiles_of_open
from sensor2sensor.products.sentinel2 import S2Product, read_s2
from sensor2sensor.products.sentinel3 import MANIFEST as S3_MANIFEST
from sensor2sensor.products.sentinel3 import S3Product, read_s3

_SAFE_FILES = ("MTD_MSIL1C.xml", "MTD_MSIL2A.xml")


@dataclass(frozen=True)
class Form:
    """How products of a sensor are kept.

    Attributes:
        sensor: `S2` or `S3`.
        shows: whether files are of this form: by their names, and where these leave it open by a
            STAC item among them.
        read: the product at a path, given its files; ProductError where they are damaged.
        tiles: the tiles its metadata name, at a glance; without it the product is read for that.
    """

    sensor: str
    shows: Callable[[ProductFiles], bool]
    read: Callable[[Path, ProductFiles], S2Product | S3Product]
    tiles: Callable[[ProductFiles], set[str]] | None = None


def _is_sen3(files: ProductFiles) -> bool:
    return files.exists(S3_MANIFEST)


def _is_safe(files: ProductFiles) -> bool:
    return any(files.exists(name) for name in _SAFE_FILES)


def _tiles_of_safe(files: ProductFiles) -> set[str]:
    texts = [files.read(one, xml.MAX_BYTES) for one in _SAFE_FILES if files.exists(one)]
    granules = re.findall(rb'granuleIdentifier\s*=\s*"([^"]*)"', b"".join(texts))
    return {tile for one in granules for tile in tiles_in(one.decode("latin-1"))}


def is_of_bucket(files: ProductFiles) -> bool:
    """Whether files are of an open bucket's form, if damaged: names and what describes them."""
    try:
        return is_open_form(files)
    except ProductError:  # its reader says what is wrong with it
        return True


# The first that shows counts; what a name alone calls a product is read as the first of its sensor.
FORMS = (
    Form("S3", _is_sen3, read_s3),
    Form("S2", _is_safe, read_s2, _tiles_of_safe),
    Form("S2", is_of_bucket, read_s2, tiles_of_open),
)

_TILE_HINT = re.compile(r"_(T\d{2}[A-Z]{3})(?=_|\.|$)", re.IGNORECASE)
NAME_HINTS = {
    "S2": re.compile(r"S2[A-D]_(?:(?:OPER|USER)_PRD_)?MSIL(1C|2A)_", re.IGNORECASE),
    "S3": re.compile(r"S3[A-D]_OL_1_E[FR]R_", re.IGNORECASE),
}
# Since December 2016 a product is of one tile and says of which.
_ONE_TILE = re.compile(
    r"S2[A-D]_MSIL(?:1C|2A)_\d{8}T\d{6}_N\d{4}_R\d{3}_(T\d{2}[A-Z]{3})_\d{8}T\d{6}(?:\.|$)",
    re.IGNORECASE,
)
# STAC items of Earth Search, whose zones have one digit where one is enough (`S2B_1WCQ_…`).
_ITEM = re.compile(
    r"S2[A-D]_T?(\d{1,2}[A-Z]{3})_\d{8}(?:T\d{6})?(?:_\d+)?_L(?:1C|2A)(?:\.|$)", re.I
)
# An open bucket keeps every tile as `tiles/17/X/NA/2022/7/14/0`.
_TILE_FOLDERS = re.compile(
    r"/0?(\d{1,2})/([C-HJ-NP-X])/([A-HJ-NP-Z]{2})/\d{4}/\d{1,2}/\d{1,2}/[^/]+$"
)
# Other products of these satellites share an archive's folders and are none of our failures.
OTHER_PRODUCT = re.compile(
    r"S1[A-D]_|S3[A-D]_(?!OL_1_E[FR]R)|S2[A-D]_(?!MSIL|(?:OPER|USER)_PRD_MSIL(?:1C|2A)"
    r"|T?\d{1,2}[A-Z]{3}_\d{8}|OPER_MSI_L(?:1C|2A)_TL_)",
    re.IGNORECASE,
)
# What names of members say of an archive that cannot be opened, or holds another one.
_MEMBER_HINTS = {
    "S2": re.compile(
        r"MTD_MSIL(?:1C|2A)\.xml|GRANULE[/\\]L(?:1C|2A)_T|S2[A-D]_MSIL(?:1C|2A)_\w+\.(?:SAFE|zip)"
        r"|tileInfo\.json|S2[A-D]_T?\d{1,2}[A-Z]{3}_\d{8}\w*_L(?:1C|2A)\.json"
        r"|(?<!\w)R[126]0m/|(?<!\w)B(?:0[1-9]|8A|1[0-2])\.jp2",
        re.IGNORECASE,
    ),
    "S3": re.compile(r"Oa\d\d_radiance\.nc|S3[A-D]_OL_1_E[FR]R_\w+\.(?:SEN3|zip)", re.IGNORECASE),
}
# Of a product in some form, or of the chips of a data set, which are nobody's failure.
_MAYBE = re.compile(
    r"(?<!\w)(?:B(?:0[1-9]|8A|1[0-2])|coastal|blue|green|red|nir|AOT|WVP|SCL|TCI|(?:L2A_)?PVI)\.tiff?"
    r"|S2[A-D]_T?\d{1,2}[A-Z]{3}_\d{8}\w*_L(?:1C|2A)/",
    re.IGNORECASE,
)
_SUFFIX_HINTS = {"S2": (".safe",), "S3": (".sen3",)}


def form_of(files: ProductFiles) -> Form | None:
    """The form of a product's files; None where they are of none."""
    return next((form for form in FORMS if form.shows(files)), None)


def form_named(sensor: str) -> Form:
    """The form to read what is called a product of a sensor, whatever its files show."""
    return next(form for form in FORMS if form.sensor == sensor)


def claims(path: Path, sensor: str) -> bool:
    """Whether the name says that this was meant to be a product of a sensor."""
    named = NAME_HINTS[sensor].match(path.name) is not None
    return named or path.name.lower().endswith(_SUFFIX_HINTS[sensor])


def is_meant(path: Path, sensor: str) -> bool:
    """Whether it is called a product of a sensor, as the ground segment or an item calls it."""
    return claims(path, sensor) or (sensor == "S2" and _ITEM.match(path.name) is not None)


def claims_any(path: Path) -> bool:
    """Whether the name is that of a product of either sensor, or of an item."""
    return any(hint.match(path.name) for hint in (*NAME_HINTS.values(), _ITEM))


def shows(path: Path, sensor: str) -> bool:
    """Whether what can be seen of an archive's members, or of a folder, is of a product."""
    if path.is_dir():
        form = form_of(FolderFiles(path))
        return form is not None and form.sensor == sensor
    return _MEMBER_HINTS[sensor].search(glimpse(path)) is not None


def may_hold_any(path: Path) -> bool:
    """Whether what can be seen of an archive's members may be of a product of either sensor."""
    seen = glimpse(path)
    return any(hint.search(seen) for hint in (*_MEMBER_HINTS.values(), _MAYBE))


def shows_any(path: Path) -> bool:
    """Whether it is a product of either sensor by what can be seen of it."""
    return any(shows(path, sensor) for sensor in NAME_HINTS)


def tiles_in(name: str) -> set[str]:
    """The tiles that a name speaks of."""
    item = _ITEM.match(name)
    more = {f"T{item[1]:0>5}".upper()} if item else set()
    return more | {tile.upper() for tile in _TILE_HINT.findall(name)}


def tiles_of(path: Path) -> set[str]:
    """The tiles that the name speaks of, or else the folders of an open bucket that it lies in."""
    if tiles := tiles_in(path.name):
        return tiles
    found = _TILE_FOLDERS.search(path.absolute().as_posix())
    return {f"T{found[1]:0>2}{found[2]}{found[3]}"} if found else set()


def tile_named(path: Path) -> str | None:
    """The tile of a product by a name that is whole, as the ground segment gives it."""
    if item := _ITEM.match(path.name):
        return f"T{item[1]:0>5}".upper()
    found = _ONE_TILE.match(path.name)
    return found[1].upper() if found else None
