"""What people, systems and tools make of products: folders around them, companions, containers.

A product is where its metadata file lies, whatever the folder above is called and however deep
(a zip unpacked on Windows is a `.SAFE` in a `.SAFE`). What cannot be read in place is named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor2sensor.core.errors import ProductError, SeveralProductsError

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterable
    from pathlib import Path

PRODUCT_SUFFIXES = (".safe", ".sen3")
# Written by macOS, by NAS systems and by Windows beside and inside what lies on their disks.
_COMPANIONS = {
    *("__macosx", ".ds_store", ".trashes", ".spotlight-v100", ".fseventsd"),
    *("@eadir", "#recycle", "thumbs.db", "desktop.ini", "$recycle.bin"),
}
_METADATA = re.compile(r"(?:.*/)?(?:MTD_MSIL(?:1C|2A)\.xml|xfdumanifest\.xml)", re.IGNORECASE)
# Until December 2016: several granules in one product, and metadata under long names.
_OLD_METADATA = re.compile(r"S2[A-D]_(?:OPER|USER)_MTD_SAFL(?:1C|2A)_.*\.xml", re.IGNORECASE)
# What a user says of products, in one or beside several of them.
SIDECAR = "s2_radiometry.json"
BESIDE = f"../{SIDECAR}"
# Of one tile, in the open buckets; a STAC item may have any name.
OPEN_METADATA = ("metadata.xml", "granule_metadata.xml", "mtd_tl.xml")
_CONTAINERS = re.compile(
    r"\.(tar|tar\.(?:gz|bz2|xz|zst)|tgz|tbz2?|txz|7z|rar|gz|bz2|xz|zst)$", re.IGNORECASE
)
_TARS = re.compile(r"\.(tar(?:\.(?:gz|bz2|xz))?|tgz|tbz2?|txz)$", re.IGNORECASE)
_UNFINISHED = re.compile(
    r"\.(part|partial|crdownload|incomplete|download|filepart|aria2|tmp|opdownload)$", re.IGNORECASE
)
_BESIDE_UNFINISHED = (".aria2", ".part", ".crdownload")
_UNFINISHED_IS = "is an unfinished download"
_PART_OF_SPLIT = re.compile(r"\.(z\d\d|zip\.\d{3}|7z\.\d{3}|part\d+\.rar|r\d\d)$", re.IGNORECASE)
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
_METHODS = {
    1: "Shrink", 6: "Implode", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz",
    98: "PPMd",
}  # fmt: skip
# Images of one band each, as the open buckets have them: called by band, or by the colour that a
# STAC item calls it, here or in a folder by resolution, maybe behind the name of the product, of
# its tile or of its item. Any `other` name that ends so may be a mask of a band, or made of it:
# then the item has to say what it is.
_BEFORE_BAND = (
    r"(?:(?:L2A_)?T\d{2}[A-Z]{3}_\d{8}T\d{6}"
    r"|S2[A-D]_\w{4}_MSI_L(?:1C|2A)_TL_\w{4}_\d{8}T\d{6}_A\d{6}_T\d{2}[A-Z]{3}"
    r"|S2[A-D]_MSIL(?:1C|2A)_\d{8}T\d{6}_N\d{4}_R\d{3}_T\d{2}[A-Z]{3}_\d{8}T\d{6}(?:\.SAFE)?"
    r"|S2[A-D]_T?\d{1,2}[A-Z]{3}_\d{8}(?:T\d{6})?(?:_\d+)?_L(?:1C|2A))[_-]"
)
BAND_IMAGE = re.compile(
    rf"(?:R(?P<folder>10|20|60)m/)?(?!MSK_)(?:{_BEFORE_BAND}|(?P<other>[^/]*[_-]))?"
    r"(?P<band>B0[1-9]|B8A|B1[0-2]|SCL|COASTAL|BLUE|GREEN|RED|REDEDGE[123]|NIR(?:08|09)?|CIRRUS"
    r"|SWIR(?:16|22))(?:[_-](?P<size>10|20|60)m)?\.(?P<kind>tiff?|jp2)",
    re.IGNORECASE,
)
BAND_FOLDERS = {"r10m", "r20m", "r60m"}
TILE_INFO = ("tileinfo.json", "tileinfo_metadata.json")
_MOST_DESCRIPTION_BYTES = 4 * 2**20
GDAL_METHODS = (0, 8)  # stored and Deflate, which GDAL reads in place
READ_METHODS = (*GDAL_METHODS, 12, 14)  # bzip2 and LZMA, which Python reads for it
_SPLIT = "is one part of a split archive"
_JOIN = "join the parts first (zip -s 0 NAME.zip --out WHOLE.zip, or 7z x NAME)"
_UNPACK = "unpack it, or pack the product again as an ordinary .zip"


def is_companion(name: str) -> bool:
    """Whether a file or folder of this name is a system's, beside those it describes."""
    return name.startswith("._") or name.lower() in _COMPANIONS


def within_companion(name: str) -> bool:
    """Whether any part of a path is a companion."""
    return any(is_companion(part) for part in name.split("/"))


def is_metadata(name: str) -> bool:
    """Whether the file at a path (or of a name) makes its folder a product."""
    return _METADATA.fullmatch(name) is not None and not within_companion(name)


def is_open_product(names: Iterable[str]) -> bool:
    """Whether files, or what lies in one folder, may be a product as the open buckets have them.

    By names alone: images of single bands, and a STAC item or what describes a tile beside them.
    """
    listed = {name for name in names if not within_companion(name)}
    described = any(
        "/" not in name and (name.lower().endswith(".json") or name.lower() in OPEN_METADATA)
        for name in listed
    )
    return described and any(
        name.lower() in BAND_FOLDERS or BAND_IMAGE.fullmatch(name) for name in listed
    )


def is_old_metadata(name: str) -> bool:
    """Whether a file name is that of product metadata from before December 2016."""
    return _OLD_METADATA.fullmatch(name) is not None


def product_root(names: Iterable[str], where: Path) -> str:
    """The folder that holds the product among all files of an archive, with its slash; '' on top.

    Raises:
        SeveralProductsError: there are several products.
    """
    listed = [name for name in names if not within_companion(name)]
    roots = sorted({_folder(name) for name in listed if is_metadata(name)}, key=len)
    # A copy inside a product belongs to it.
    outer = [root for root in roots if not any(root != r and root.startswith(r) for r in roots)]
    found = outer or _open_roots(listed) or _named_tops(listed)
    if len(found) > 1:
        shown = ", ".join(sorted(root.rstrip("/") or "." for root in found))
        raise SeveralProductsError(
            f"holds {len(found)} products ({shown})",
            where=where,
            hint="keep one product in one archive",
        )
    if found:
        return found[0]
    tops = {name.split("/")[0] for name in listed if "/" in name}
    at_top = [name for name in listed if "/" not in name]
    return f"{next(iter(tops))}/" if len(tops) == 1 and not at_top else ""


def product_folder(folder: Path) -> Path:
    """The folder that holds the product: the one given, or the only one of them just inside it."""
    try:
        content = [one for one in folder.iterdir() if not is_companion(one.name)]
        if any(is_metadata(one.name) for one in content) or _is_described(content):
            return folder
        inner = [
            one
            for one in content
            if one.is_dir() and any(is_metadata(below.name) for below in one.iterdir())
        ]
    except OSError:  # told when a file is asked for
        return folder
    return inner[0] if len(inner) == 1 else folder


def _is_described(content: list[Path]) -> bool:
    """Whether bands that lie open in a folder are a product of their own: by what describes it."""
    return is_open_product(one.name for one in content) and any(map(_describes, content))


def _describes(path: Path) -> bool:
    name = path.name.lower()
    if name in OPEN_METADATA or name in TILE_INFO:
        return True
    if not name.endswith(".json") or not path.is_file():
        return False
    with path.open("rb") as stream:
        return b'"stac_version"' in stream.read(_MOST_DESCRIPTION_BYTES)


def _folder(name: str) -> str:
    return name[: name.rfind("/") + 1]


def _open_roots(names: list[str]) -> list[str]:
    """Folders, with their slash, that hold a product as the open buckets have them."""
    by_folder: dict[str, set[str]] = {}
    for name in names:
        folder, image = _folder(name), BAND_IMAGE.search(name)
        by_folder.setdefault(folder, set()).add(name[len(folder) :])
        if image is not None and image["folder"]:
            by_folder.setdefault(name[: image.start()], set()).add(name[image.start() :])
    return sorted(folder for folder, inside in by_folder.items() if is_open_product(inside))


def _named_tops(names: list[str]) -> list[str]:
    """Top folders that are called products, of an archive that holds no metadata."""
    tops = {name.split("/")[0] for name in names if "/" in name}
    return [f"{top}/" for top in sorted(tops) if top.lower().endswith(PRODUCT_SUFFIXES)]


def is_unread_container(name: str) -> bool:
    """Whether a file name is that of another container than a zip, or a part of one."""
    kinds = (_CONTAINERS, _UNFINISHED, _PART_OF_SPLIT)
    return any(kind.search(name) is not None for kind in kinds)


def is_tar_name(name: str) -> bool:
    """Whether a file name is that of a tar that is read."""
    return _TARS.search(name) is not None


def is_product_name(name: str) -> bool:
    """Whether a file name is that of an archive that is read, or of a product."""
    return name.lower().endswith((".zip", *PRODUCT_SUFFIXES)) or is_tar_name(name)


def bare_name(name: str) -> str:
    """The name of a product without the endings of archives and of its kind: `.SAFE.zip`."""
    plain = _TARS.sub("", name)
    for ending in (".zip", *PRODUCT_SUFFIXES):
        if plain.lower().endswith(ending):
            plain = plain[: -len(ending)]
    return plain


def unfinished(path: Path) -> str | None:
    """What says that a download is still under way (None: nothing): its name, or a file beside it.

    Some tools reserve the whole length first, so that an archive may open, its last bytes be there
    and its first ones not.
    """
    beside = (".aria2",) if path.is_dir() else _BESIDE_UNFINISHED
    for ending in beside:
        if _sibling(path, ending).is_file():
            return f"{_UNFINISHED_IS} ({path.name}{ending} lies beside it)"
    # Safari downloads `X.zip` into a folder `X.zip.download`.
    within = path.parent.name.lower().startswith(f"{path.name.lower()}.")
    names = (path.name, path.parent.name) if within else (path.name,)
    return _UNFINISHED_IS if any(_UNFINISHED.search(name) for name in names) else None


def refuse_unfinished(path: Path) -> None:
    """Refuse a download that is still under way.

    Raises:
        ProductError: it is one.
    """
    if (what := unfinished(path)) is not None:
        raise ProductError(what, where=path, hint="finish it, or delete it")


def is_whole(path: Path) -> bool:
    """Whether nothing beside a product says that it is unfinished, or one part of several."""
    return unfinished(path) is None and not _has_parts(path)


def is_control_file(path: Path) -> bool:
    """Whether a file tells of an unfinished one that lies beside it, and is no more than that."""
    whole = path.with_suffix("")
    return path.suffix.lower() in _BESIDE_UNFINISHED and whole.exists()


def _sibling(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def why_no_zip(path: Path) -> tuple[str, str] | None:
    """What a file is that cannot be opened as a zip, and the way out; None where unknown."""
    if _PART_OF_SPLIT.search(path.name) or _has_parts(path):
        return _SPLIT, _JOIN
    try:
        with path.open("rb") as stream:
            head = stream.read(262)
    except OSError:
        return None
    if not head:
        return "is an empty file", "fetch it again"
    kind = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
    if kind is None and head[257:262] == b"ustar":
        kind = "tar"  # whose mark stands behind the first member's name
    if kind is None and (match := _CONTAINERS.search(path.name)):
        kind = f".{match[1].lower()}"
    what = f"is a {kind} archive; read are zip, and tar (packed by gzip, bzip2 or xz, too)"
    return None if kind is None else (what, _UNPACK)


def _has_parts(path: Path) -> bool:
    return any(path.with_suffix(suffix).is_file() for suffix in (".z01", ".Z01"))


def refuse_part(infos: Iterable[zipfile.ZipInfo], path: Path) -> None:
    """Refuse the last part of a split zip: it opens, but its members begin before it.

    Raises:
        ProductError: it is one.
    """
    if _has_parts(path) or any(one.volume or one.header_offset < 0 for one in infos):
        raise ProductError(_SPLIT, where=path, hint=_JOIN)


def refuse_method(method: int, member: str, where: Path) -> None:
    """Refuse a member that is compressed in a way that is not read in place.

    Raises:
        ProductError: names the method.
    """
    if method not in READ_METHODS:
        name = _METHODS.get(method, f"method {method}")
        what = f"{member!r} is compressed with {name}; read are Deflate, bzip2 and LZMA"
        raise ProductError(what, where=where, hint=_UNPACK)


def no_metadata(names: Iterable[str], kind: str, wanted: str) -> tuple[str, str | None]:
    """What is wrong with a product without its metadata file, and the way out.

    Args:
        names: its files.
        kind: how the sensor is called.
        wanted: the file that is lacking.
    """
    listed = list(names)
    if any(is_old_metadata(name.rsplit("/", 1)[-1]) for name in listed):
        return (
            "is of the old format (before December 2016), which is not supported",
            "order the product of Collection 1 (baseline 05.00) in its place",
        )
    inner = [name for name in listed if name.lower().endswith(".zip")]
    if inner:
        return f"holds another archive inside ({inner[0]})", "unpack the outer one"
    return f"no {wanted}: not a {kind} product, or an incomplete one", None
