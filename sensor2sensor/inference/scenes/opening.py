"""From what a user names to scenes: by content, as archives are searched, never by a name alone."""

from __future__ import annotations

import glob
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sensor2sensor.core.archives import FolderFiles, ProductFiles, open_files
from sensor2sensor.core.cli import say
from sensor2sensor.core.containers import (
    PRODUCT_SUFFIXES,
    is_metadata,
    is_old_metadata,
    is_open_product,
    is_product_name,
)
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import nearest
from sensor2sensor.core.paths import expanded, fault_of
from sensor2sensor.core.tars import is_tar
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.unseen import Filled, without_unseen
from sensor2sensor.inference.stac import is_prediction

if TYPE_CHECKING:
    from sensor2sensor.dataset.form import Form
    from sensor2sensor.inference.scenes.scene import Scene

Kind = Literal["sentinel2", "sentinel3", "theia", "stack", "picture"]
ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
_UNREAD = (".bmp", ".gif", ".webp", ".heic", ".avif")  # told, not passed over in silence
_CALLED = {
    "sentinel2": "a Sentinel-2 product",
    "sentinel3": "a Sentinel-3 product",
    "theia": "a product of Theia",
    "stack": "a GeoTIFF",
    "picture": "a picture",
}
# Modules are imported when they are needed: a picture takes no reader of swaths.
_OPENERS = {
    "sentinel2": ("sentinel2", "open_sentinel2"),
    "sentinel3": ("sentinel3", "open_sentinel3"),
    "theia": ("theia", "open_theia_scene"),
    "stack": ("stack", "open_stack"),
    "picture": ("picture", "open_picture"),
}
# What each kind heeds: an option that says nothing to it was meant for something else.
_GRID, _STORED = ("like", "tile", "bbox", "crs"), ("bands", "scale", "offset")
_HEEDED: dict[Kind, tuple[str, ...]] = {
    "sentinel2": (),
    "sentinel3": _GRID,
    "theia": (),
    "stack": (*_STORED, "radar", "radar_file"),
    "picture": ("bands",),
}
_STARTS = (
    (b"II*\0", "tiff"), (b"II+\0", "tiff"), (b"MM\0*", "tiff"), (b"MM\0+", "tiff"),
    (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG", "png"),
    (b"\0\0\0\x0cjP  ", "jp2"), (b"\x89HDF", "netcdf"), (b"CDF", "netcdf"),
)  # fmt: skip
_REFUSED = {
    "jp2": ("is one image of a product", "name the whole product, the .SAFE folder or its zip"),
    "netcdf": ("is one file of a product", "name the whole product, the .SEN3 folder or its zip"),
}
_MOSAIC = {"B02", "B03", "B04", "B08"}  # names of its GeoTIFFs, beside observations.tif
_S3 = "xfdumanifest.xml"
_THEIA = re.compile(r"(?:.*/)?[^/]+_MTD_ALL\.xml", re.IGNORECASE)


def open_scene(path: Path, form: Form, options: SceneOptions = SceneOptions()) -> Scene:  # noqa: B008
    """What lies at a path, opened for a model.

    Raises:
        InputError: It is nothing that a model can be applied to, or no kind of this model's.
        ProductError: It is damaged.
    """
    said = is_metadata(path.name) or _THEIA.fullmatch(path.name)
    place = path.parent if said and path.is_file() else path
    kind = kind_of(place, form)
    if kind not in (wanted := _wanted(form)):
        what = f"is {_CALLED[kind]}, and '{form.name}' takes {_takes(form)}"
        named = " or ".join(_CALLED[one] for one in wanted)
        raise InputError(what, where=path, hint=f"name {named}")
    _refuse_unheeded(path, kind, options)
    module, opener = _OPENERS[kind]
    seen = without_unseen(form)
    made: Scene = getattr(import_module(f"{__package__}.{module}"), opener)(place, seen, options)
    return made if seen == form else Filled(made, form)


def _refuse_unheeded(path: Path, kind: Kind, options: SceneOptions) -> None:
    for name in (*_GRID, *_STORED, "radar", "radar_file"):
        if name not in _HEEDED[kind] and getattr(options, name) != getattr(SceneOptions(), name):
            option = f"--{name.replace('_', '-')}"
            what = f"says nothing to {_CALLED[kind]}"
            raise InputError(what, where=f"{option}, {path.name}", hint="leave it out")


def kind_of(path: Path, form: Form) -> Kind:
    """What lies at a path, by its content; a TIFF is a picture where the model takes pictures.

    Raises:
        InputError: It is nothing that a model can be applied to, and what it is.
    """
    if (fault := fault_of(path)) is not None:
        raise InputError(f"its path {fault}", where=path)
    if not path.exists():
        raise _missing(path)
    if path.is_dir() or is_product_name(path.name):
        return _product(path)
    with path.open("rb") as stream:
        start = stream.read(16)
    found = next((kind for mark, kind in _STARTS if start.startswith(mark)), "")
    if found in ("png", "jpeg"):
        return "picture"
    if found == "tiff":
        return "picture" if of_pictures(form) else "stack"
    if not found and (
        zipfile.is_zipfile(path) or is_tar(path)
    ):  # some providers leave the ending out
        return _product(path)
    what, hint = _REFUSED.get(found, ("is no product, GeoTIFF, PNG or JPEG", None))
    raise InputError(what, where=path, hint=hint)


def of_pictures(form: Form) -> bool:
    """Whether a model takes pictures: photos and maps of 8 bits, masks."""
    return all(band.unit == "DN" or "mask" in band.groups for band in form.input.bands)


def _wanted(form: Form) -> tuple[Kind, ...]:
    if form.kind == "sentinel3":
        return ("sentinel3",)
    return ("picture",) if of_pictures(form) else ("sentinel2", "theia", "stack")


def _takes(form: Form) -> str:
    names = [band.name for band in form.input.bands]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} others" if len(names) > 4 else "")
    units = "/".join(dict.fromkeys(band.unit for band in form.input.bands))
    return f"{shown} ({units})" if units != "1" else shown


def _product(path: Path) -> Kind:
    files = open_files(path)
    names = files.names()
    tops = {name.rpartition("/")[2] for name in names}
    if _S3 in tops:
        return "sentinel3"
    if any(map(_THEIA.fullmatch, names)):
        return "theia"
    # One that is too old, or without its metadata, is refused by its reader, who says why.
    if any(is_metadata(one) or is_old_metadata(one) for one in tops) or _is_of_bucket(files, names):
        return "sentinel2"
    if path.suffix.lower() in PRODUCT_SUFFIXES:
        return "sentinel3" if path.suffix.lower() == ".sen3" else "sentinel2"
    _refuse_mosaic(path, tops)
    kind = "folder" if path.is_dir() else "tar" if is_tar(path) else "zip"
    hint = "a product holds MTD_MSIL1C.xml or MTD_MSIL2A.xml, xfdumanifest.xml, or *_MTD_ALL.xml"
    raise InputError(f"is a {kind} without a product in it", where=path, hint=hint)


def _refuse_mosaic(path: Path, names: Iterable[str]) -> None:
    """Refuse a Copernicus Global Mosaic: it is no product, and each of its files lacks bands.

    Raises:
        InputError: It is one.
    """
    said = {Path(name).stem for name in names if name.lower().endswith((".tif", ".tiff"))}
    if not said >= _MOSAIC:
        return
    bands = sorted(name for name in said if re.fullmatch(r"B\d\d|B8A", name))
    what = f"is a mosaic (Copernicus Global Mosaic) of one file for each band: {', '.join(bands)}"
    made = " ".join(f"{name}.tif" for name in bands)
    hint = (
        f"put them into one, gdal_merge.py -separate -o mosaic.tif {made}, and name that with"
        f" --bands {','.join(bands)} --scale 0.0001"
    )
    raise InputError(what, where=path, hint=hint)


def _missing(path: Path) -> InputError:
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    # Whatever lies in a folder is no list of what may be named: /nope is not /opt misspelt.
    near = nearest(path.name, [one.name for one in there], alike=0.65)
    return InputError("is not there", where=path, hint=f"nearest: '{near}'" if near else None)


def paths_of(words: Sequence[str]) -> list[Path]:
    """The scenes that the words of a command line name, each once, in their order.

    A word is a file, a product, a folder that holds some, or a pattern; what is there under the
    word itself is no pattern, whatever brackets it has in its name.

    Raises:
        InputError: A word names nothing.
    """
    found = [path for word in words for path in _named(word)]
    return list(dict.fromkeys(found))


def _named(word: str) -> list[Path]:
    path = expanded(word)
    if path.exists() or not glob.has_magic(word):
        if not path.exists():
            raise _missing(path)
        return _within(path)
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - takes absolute patterns
    found = [one for match in matches for one in _within(Path(match), of_pattern=True)]
    if not found:
        raise InputError("no file or product fits this pattern", where=word)
    return found


def _within(path: Path, *, of_pattern: bool = False) -> list[Path]:
    """A path itself, or what a folder that is no product holds."""
    if not path.is_dir() or _is_product(path):
        return [] if of_pattern and path.is_file() and is_prediction(path) else [path]
    # The archive's walk knows products in folders of months, companions and unfinished downloads.
    found = [*_cloudy(path)] or sorted({*_products(path), *_rasters(path)})
    _refuse_mosaic(path, (one.name for one in found))
    if not found and path.suffix.lower() in PRODUCT_SUFFIXES:
        return [path]  # its reader says what is missing
    if not found and not of_pattern:
        hint = f"it may hold products, or files ending in {', '.join(ENDINGS)}"
        raise InputError("holds nothing to predict of", where=path, hint=hint)
    return found


def _is_product(folder: Path) -> bool:
    names = [one.name for one in folder.iterdir()]
    marks = (*map(is_metadata, names), *map(is_old_metadata, names))
    told = any(marks) or _S3 in names or any(map(_THEIA.fullmatch, names))
    return told or _is_of_bucket(FolderFiles(folder), names)


def _is_of_bucket(files: ProductFiles, names: Iterable[str]) -> bool:
    from sensor2sensor.products.forms import is_of_bucket

    # By what lies on top first: below a folder of pictures there may be thousands.
    return is_open_product(names) and is_of_bucket(files)


def _products(folder: Path) -> Iterator[Path]:
    from sensor2sensor.products.candidates import candidates

    for one in candidates(folder):
        # Pictures named like bands, and a JSON file: no product, if nothing describes one.
        names = [inner.name for inner in one.iterdir()] if one.is_dir() else ()
        if not is_open_product(names) or _is_product(one):
            yield one
    for below in sorted(folder.iterdir()):  # Theia's products, which archives do not hold
        if below.is_dir() and any(map(_THEIA.fullmatch, (one.name for one in below.iterdir()))):
            yield below


def _rasters(folder: Path) -> Iterator[Path]:
    from sensor2sensor.sources.pictures import pictures_in

    if unread := pictures_in(folder, _UNREAD)[0]:
        what = f"{len(unread)} pictures that are no TIFF, PNG or JPEG left out"
        say(f"{folder.name}/: {what}, first of them {unread[0].name}")
    # What an earlier prediction left in the folder is no input, unless it is named itself.
    yield from (path for path in pictures_in(folder, ENDINGS)[0] if not is_prediction(path))


def _cloudy(folder: Path) -> Iterator[Path]:
    """The cloudy images of a folder laid out as SEN12MS-CR is; their radar is found beside them."""
    from sensor2sensor.sources.sen12mscr.layout import CLOUDY, images_in

    yield from sorted(path for kind, _, path in images_in(folder) if kind == CLOUDY)
