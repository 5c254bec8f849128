"""Pictures as scenes: maps and photos of 8 bits, masks of buildings, with or without ground.

Values are those of steps 51 and 52: digital numbers from 0 to 255, and 0 and 1 of a mask. A
GeoTIFF is read window by window; a PNG or JPEG is decoded whole, a byte for each value.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.form import Form
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.gridded import Layer
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.rasters import (
    KnownScene,
    Resampled,
    digests,
    frame_of_raster,
    looked_at,
    pixel_m,
    scale_notices,
)
from sensor2sensor.inference.scenes.reading import Read, Remembered
from sensor2sensor.inference.scenes.scene import Frame, Image
from sensor2sensor.sources import pictures
from sensor2sensor.sources.aerial.rasters import Raster, look, reading, values_of
from sensor2sensor.sources.maps.halves import FORMATS, too_deep

HALVES = ("left", "right")
_GREY = ("1", "L", "LA")
_SAME = 1e-6  # edges of a pixel
_ADVICE = "convert it to 8 bits: grey, or red, green and blue"


@dataclass(frozen=True)
class Picture:
    """A file whose pixels can be read.

    Attributes:
        path: The file.
        frame: Its grid.
        bands: Names of its bands, in order.
        read: Its values as stored ``[h, w, C]``, float32, NaN where there is none.
    """

    path: Path
    frame: Frame
    bands: tuple[str, ...]
    read: Read

    def part(self, place: PixelWindow) -> Picture:
        """A window of it as a picture of its own."""

        def read(window: PixelWindow) -> Image:
            x, y = window.x + place.x, window.y + place.y
            return self.read(PixelWindow(x, y, window.width, window.height))

        return Picture(self.path, self.frame.window(place), self.bands, read)

    def of(self, numbers: Sequence[int]) -> Read:
        """Reads some of its bands."""
        chosen = list(numbers)
        return lambda window: self.read(window)[..., chosen]


def open_picture(path: Path, form: Form, options: SceneOptions) -> KnownScene:
    """A picture for a model of pictures.

    Two squares side by side, as step 51 reads them, are one picture where ``--bands`` names its
    bands; ``left`` or ``right`` takes one of them, and the other is the truth.

    Raises:
        InputError: It is damaged, or none that the model takes.
    """
    whole = _opened(path)
    picture, other = _halves(whole, options)
    mask = "mask" in form.input.bands[0].groups
    names = tuple(band.name for band in form.input.bands)
    named = () if other else options.bands
    read = picture.of(_numbers(picture, names, named))
    if mask:
        read = _Binary(path, read)
        for place in looked_at(picture.frame):
            read(place)
    frame = _resized(picture, options)
    notices = scale_notices(pixel_m(frame), form.input_m, options, path, resamples=True)
    known = _truth(other or _photo_beside(path, mask), form, picture.frame)
    if frame != picture.frame:
        read = Resampled(read, picture.frame.shape, frame.shape, mask=mask)
        known = known and Resampled(known, picture.frame.shape, frame.shape)
    facts = {"product": path.stem, "sensor": "picture", "files": digests(path)}
    if other:
        facts["half"] = options.bands[0]
    layer = Layer(tuple(range(len(names))), 1, frame.shape, Remembered(read))
    return KnownScene(path.stem, form, frame, (layer,), facts=facts, notices=notices, known=known)


def _resized(picture: Picture, options: SceneOptions) -> Frame:
    """The grid of the pixels that ``--input-m`` asks for, over the same ground.

    Raises:
        InputError: Nobody knows how large they are.
    """
    frame, asked_m = picture.frame, options.input_m
    has_m = pixel_m(frame)
    if asked_m is None:
        return frame
    if has_m is None or frame.transform is None:
        what = "does not say how large its pixels are"
        raise InputError(what, where=picture.path, hint="leave out --input-m")
    a, b, c, d, e, f = frame.transform
    along, across = math.hypot(a, d), math.hypot(b, e)
    edge = math.sqrt(abs(a * e - b * d)) * asked_m / has_m
    width, height = (
        max(1, round(side * has / edge))
        for side, has in ((frame.width_px, along), (frame.height_px, across))
    )
    if frame.shape == (height, width) and math.isclose(along, across, rel_tol=_SAME):
        return frame
    # Not the old extent over the new sides: those are rounded, and pixels that are not square have
    # no place in step 52. The upper left corner stays, the far ends move by half a pixel at most.
    transform = (a / along * edge, b / across * edge, c, d / along * edge, e / across * edge, f)
    return Frame(width, height, transform, frame.crs)


class _Binary:
    """A mask as 0 and 1, refused where it has a third value: step 52's rule.

    What was met is kept, for each window alone may have but two of three.
    """

    def __init__(self, path: Path, read: Read) -> None:
        self._path, self._read, self._seen = path, read, {0.0}

    def __call__(self, window: PixelWindow) -> Image:
        values = self._read(window)
        there = np.isfinite(values)
        self._seen.update(np.unique(values[there])[:4].tolist())
        if len(self._seen) > 2:
            few = ", ".join(f"{value:g}" for value in sorted(self._seen)[:4])
            hint = "is it stored without loss?"
            what = f"has the values {few}, a mask has 0 and one other"
            raise InputError(what, where=self._path, hint=hint)
        return np.where(there, values != 0, np.nan).astype(np.float32)


def _halves(picture: Picture, options: SceneOptions) -> tuple[Picture, Picture | None]:
    """What is given to the model, and its other half where it is one of two side by side."""
    height, width = picture.frame.shape
    asked = options.bands[0] if len(options.bands) == 1 and options.bands[0] in HALVES else None
    if width != 2 * height or len(picture.bands) < 3:
        if asked:
            what = f"is {width} x {height} pixels, not two squares side by side"
            raise InputError(what, where=picture.path, hint=f"leave out --bands {asked}")
        return picture, None
    if asked:
        left, right = (picture.part(PixelWindow(x, 0, height, height)) for x in (0, height))
        return (left, right) if asked == "left" else (right, left)
    if not options.bands:
        what = f"is {width} x {height} pixels, like two squares side by side as step 51 reads them"
        whole = f"--bands {','.join(picture.bands)} takes all of it"
        hint = f"--bands right (or left) takes one of them, {whole}"
        raise InputError(what, where=picture.path, hint=hint)
    return picture, None


def _numbers(picture: Picture, wanted: Sequence[str], named: Sequence[str]) -> list[int]:
    """Positions of the model's bands: by name, or in order where there are as many.

    Raises:
        InputError: There are others.
    """
    has = list(named or picture.bands)
    if len(has) != len(picture.bands):
        what = f"has {len(picture.bands)} bands, --bands names {len(has)}"
        raise InputError(what, where=picture.path)
    plain = [name.removeprefix("map_") for name in wanted]
    if set(plain) <= set(has):
        return [has.index(name) for name in plain]
    if set(wanted) <= set(has) or (not named and len(has) == len(wanted)):
        return [has.index(n) if n in has else i for i, n in enumerate(wanted)]
    what = f"has the bands {', '.join(has)}, the model takes {', '.join(wanted)}"
    hint = "a mask has one band" if len(wanted) == 1 else "--bands names those of the file"
    if len(has) < len(wanted):  # no name makes three bands of one
        hint = f"convert it to {len(wanted)} bands: {', '.join(plain)}"
    raise InputError(what, where=picture.path, hint=hint)


def _photo_beside(path: Path, mask: bool) -> Picture | None:
    """The photo of a mask in the layout of step 52: ``images/a.tif`` of ``gt/a.tif``."""
    photo = path.parent.parent / "images" / path.name
    if not mask or path.parent.name != "gt" or not photo.is_file():
        return None
    return _opened(photo)


def _truth(picture: Picture | None, form: Form, frame: Frame) -> Read | None:
    """Reads the target's bands of a picture of the same ground; None where it has others."""
    if picture is None or picture.frame.shape != frame.shape:
        return None
    try:
        return picture.of(_numbers(picture, [band.name for band in form.target.bands], ()))
    except InputError:  # another kind of photo is no truth, and no fault of the input
        return None


def _opened(path: Path) -> Picture:
    with path.open("rb") as stream:
        start = stream.read(4)
    if start[:2] in (b"II", b"MM"):
        return _tiff(path, look(path))
    return _decoded(path)


def _tiff(path: Path, raster: Raster) -> Picture:
    """A GeoTIFF, read window by window."""
    from rasterio.windows import Window

    fault = raster.fault or ("is of a palette, not of bands; convert it first" * raster.palette)
    if not fault and raster.dtype != "uint8" and len(raster.bands) > 1:
        fault = f"is of {raster.dtype}, and pictures have 8 bits a band; {_ADVICE}"
    if fault:
        raise InputError(fault, where=path)
    with reading(raster) as source:
        frame = frame_of_raster(source)

    def read(window: PixelWindow) -> Image:
        part = Window(window.x, window.y, window.width, window.height)
        with reading(raster) as source:
            values, valid = values_of(source, raster.numbers, part)
            # 0 is no building, whatever it is called.
            if len(raster.bands) == 1 and source.nodata == 0:
                valid = np.ones_like(valid)
        image = values.astype(np.float32)
        image[~valid] = np.nan
        return image

    return Picture(path, frame, raster.bands, read)


def _decoded(path: Path) -> Picture:
    """A PNG or JPEG, turned as EXIF says; what is transparent has no data.

    Raises:
        InputError: It is damaged, or of another kind than 8-bit grey or colours.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(path, formats=FORMATS) as picture:
                if (fault := too_deep(picture)) or (fault := _other_mode(picture)):
                    # Step 51 gives its own advice behind the fault; one is enough.
                    raise InputError(fault.partition(";")[0], where=path, hint=_ADVICE)
                driver = str(picture.format)  # GDAL's names of both are Pillow's
                turned = ImageOps.exif_transpose(picture)
                upright = turned.size == picture.size and 0x0112 not in picture.getexif()
                values, opaque = _arrays(turned)
    except Pillow.DecompressionBombError:
        what = "is too large to be decoded whole"
        hint = "convert it to GeoTIFF, which is read in windows"
        raise InputError(what, where=path, hint=hint) from None
    except (OSError, ValueError, SyntaxError) as error:
        what = f"cannot be decoded ({pictures.said(error, path)})"
        raise InputError(what, where=path, hint="fetch it again") from error
    names = ("grey",) if values.shape[-1] == 1 else pictures.COLOURS
    frame = _placed(path, driver) if upright else None

    def read(window: PixelWindow) -> Image:
        image = values[window.rows, window.columns].astype(np.float32)
        if opaque is not None:
            image[~opaque[window.rows, window.columns]] = np.nan
        return image

    return Picture(path, frame or Frame(values.shape[1], values.shape[0]), names, read)


def _other_mode(picture: Any) -> str:
    kinds = {"P": "of a palette", "CMYK": "CMYK", "YCCK": "CMYK"}
    mode = picture.mode
    return "" if mode in (*_GREY, "RGB", "RGBA") else f"is {kinds.get(mode, mode)}"


def _arrays(picture: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_] | None]:
    """Values ``[H, W, C]``, and where they are opaque; None: everywhere."""
    if "transparency" in picture.info:  # a colour that stands for none
        picture = picture.convert("LA" if picture.mode in _GREY else "RGBA")
    plain = np.asarray(picture.convert("L" if picture.mode in _GREY else "RGB"))
    values = plain[..., None] if plain.ndim == 2 else plain
    if picture.mode not in ("LA", "RGBA"):
        return values, None
    return values, np.asarray(picture.getchannel("A")) == 255


def _placed(path: Path, driver: str) -> Frame:
    """Where a world file or an ``.aux.xml`` beside it says that it lies."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, driver=driver) as source:
            return frame_of_raster(source)
