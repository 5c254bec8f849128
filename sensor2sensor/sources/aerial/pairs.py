"""Images and masks of one name below ``images/`` and ``gt/``, and whether they fit together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.progress import progress
from sensor2sensor.sources import pictures
from sensor2sensor.sources.aerial.rasters import DTYPES, Raster, called, look
from sensor2sensor.sources.geotiffs import Place

ENDINGS = (".tif", ".tiff")
# All numbers at the end: tiles of one city are also numbered by row and column, ``austin_3_1``.
_NUMBERED = re.compile(r"(?P<city>.*?)[-_ \d]*\d")


@dataclass(frozen=True)
class Pair:
    """An image and its mask.

    Attributes:
        name: Of both files, without ending.
        image: The image.
        mask: The mask.
        fault: Why they cannot be used, empty where they can.
    """

    name: str
    image: Raster
    mask: Raster
    fault: str = ""

    @property
    def city(self) -> str:
        """``austin`` of ``austin12`` and of ``austin_3_1``; else the name itself."""
        found = _NUMBERED.fullmatch(self.name)
        return (found["city"] if found else "") or self.name

    @property
    def split(self) -> str | None:
        """By the last digit: 27 of 36 tiles of a city train, 6 validate, 3 test.

        The rule of the ldd-pix2pix project; None where the name has no number at its end.
        """
        found = _NUMBERED.fullmatch(self.name)
        return {"7": "val", "8": "val", "9": "test"}.get(self.name[-1], "train") if found else None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns; of the mask where the image cannot be read."""
        return self.image.shape if self.image.bands else self.mask.shape

    @property
    def place(self) -> Place | None:
        """Where it lies, as either file says."""
        return self.image.place or self.mask.place


@dataclass(frozen=True)
class Form:
    """What the images of a data set have in common."""

    bands: tuple[str, ...]
    dtype: str


@dataclass(frozen=True)
class Found:
    """What there is below a folder.

    Attributes:
        pairs: By name; those that do not fit say so.
        form: That of most images.
        notes: Lines on what is left alone.
    """

    pairs: tuple[Pair, ...]
    form: Form
    notes: tuple[str, ...]


def find(folder: Path, bands: tuple[str, ...] | None) -> Found:
    """The pairs below ``images/`` and ``gt/`` of a folder, or of its ``train/``.

    Args:
        folder: Of ``--data``.
        bands: Names of the image's bands; None: as the files say.

    Raises:
        InputError: A folder is missing, there is no pair, or no image can be read.
    """
    root = folder if (folder / "images").is_dir() else folder / "train"
    for kind in ("images", "gt"):
        if not (root / kind).is_dir():
            hint = "--data names the folder that holds images/ and gt/"
            raise InputError(f"has no {kind}/ folder", where=folder, hint=hint)
    images, masks = (_by_name(root / kind) for kind in ("images", "gt"))
    both = sorted(images.keys() & masks.keys())
    if not both:
        what = f"has no image and mask of one name ({len(images)} images, {len(masks)} masks)"
        raise InputError(what, where=folder)
    pairs = [
        Pair(name, look(images[name], len(bands or ())), look(masks[name]))
        for name in progress(both, desc="looking at pairs", unit="pair")
    ]
    form = _common_form(pairs, bands, folder)
    fitted = tuple(map(partial(_checked, form=form, named=bands is not None), pairs))
    notes = _notes(images.keys() - set(both), masks.keys() - set(both))
    if any(pair.image.alpha for pair in pairs):
        told = "images have a band marked as alpha, which is none of theirs; name it in --bands"
        notes = (*notes, f"{told} if it is one")
    return Found(fitted, form, notes)


def _by_name(folder: Path) -> dict[str, Path]:
    """Files by the name that both of a pair share.

    Raises:
        InputError: Two differ in their ending alone.
    """
    paths, _ = pictures.pictures_in(folder, ENDINGS)
    named = {path.stem: path for path in paths}
    if len(named) < len(paths):
        twice = next(path for path in paths if named[path.stem] != path)
        raise InputError(f"{twice.name} and {named[twice.stem].name} are one name", where=folder)
    return named


def _notes(images: set[str], masks: set[str]) -> tuple[str, ...]:
    lines = ((images, "images without a mask"), (masks, "masks without an image"))
    return tuple(
        f"{what} ({len(names)}) left alone: {', '.join(sorted(names)[:5])}"
        + (" ..." if len(names) > 5 else "")
        for names, what in lines
        if names
    )


def _common_form(pairs: Sequence[Pair], bands: tuple[str, ...] | None, folder: Path) -> Form:
    """That of most images, the first of equally many: one odd file does not decide for all.

    Raises:
        InputError: No image can be read, or has as many bands as are named.
    """
    forms = Counter(Form(p.image.bands, p.image.dtype) for p in pairs if not p.image.fault)
    if not forms:
        what = f"has no image that can be read; first of them {pairs[0].name}"
        raise InputError(f"{what}: {pairs[0].image.fault}", where=folder)
    form = forms.most_common(1)[0][0]
    if form.dtype not in DTYPES:
        what = f"has images of {form.dtype}, not of {', '.join(DTYPES)}"
        raise InputError(what, where=folder)
    if bands is None:
        return form
    if len(bands) != len(form.bands):
        what = f"--bands names {len(bands)} bands, the images have {len(form.bands)}"
        raise InputError(what, where=folder)
    return Form(bands, form.dtype)


def _checked(pair: Pair, form: Form, named: bool) -> Pair:
    """The pair with its first fault."""
    image, mask = pair.image, pair.mask
    faults = (
        *((image, image.fault), (mask, mask.fault)),
        (image, "is of a palette, not of bands; convert it first" if image.palette else ""),
        (image, _other_bands(image, form, named)),
        (mask, f"has {len(mask.bands)} bands, a mask has one" if len(mask.bands) != 1 else ""),
        (mask, _elsewhere(image, mask)),
    )
    for raster, fault in faults:
        if fault:
            return replace(pair, fault=f"{called(raster)}: {fault}")
    return pair


def _other_bands(image: Raster, form: Form, named: bool) -> str:
    """Why an image's bands are not those of the data set; the user's names stand for any."""
    if len(image.bands) == len(form.bands) and image.dtype == form.dtype:
        if named or image.bands == form.bands:
            return ""
        return f"bands are {', '.join(image.bands)}, of most images {', '.join(form.bands)}"
    most = f"most images {len(form.bands)} of {form.dtype}"
    return f"number of bands: {len(image.bands)} of {image.dtype}, {most}"


def _elsewhere(image: Raster, mask: Raster) -> str:
    """Why a mask does not lie on its image."""
    if mask.shape != image.shape:
        has = f"{mask.shape[0]} x {mask.shape[1]}"
        return f"has {has} pixels, its image {image.shape[0]} x {image.shape[1]}"
    if image.place is None or mask.place is None:
        return ""
    if image.place.epsg != mask.place.epsg:
        return f"is in EPSG:{mask.place.epsg}, its image in EPSG:{image.place.epsg}"
    apart_m = image.place.apart_m(mask.place)
    if apart_m > image.place.pixel_m / 2:
        return f"lies {apart_m:g} m from its image"
    same = abs(mask.place.pixel_m / image.place.pixel_m - 1) * max(image.shape) < 0.5
    return "" if same else f"has pixels of {mask.place.pixel_m:g} m, its image others"
