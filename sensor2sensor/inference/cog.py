"""A prediction as a Cloud-Optimised GeoTIFF, written strip by strip.

A COG has its overviews before its pixels, so it is copied from a plain file that lies in a folder
beside it meanwhile; no more than a strip and GDAL's cache is held. Equal values give equal bytes.
"""

from __future__ import annotations

import errno
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.versions import __version__
from sensor2sensor.inference.output import NODATA, Dtype, OutputBand, Storage, storage
from sensor2sensor.inference.scenes.scene import Frame

BLOCK_PX = 512
_CACHE_MIB = 64
_COG = {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "BLOCKSIZE": BLOCK_PX, "BIGTIFF": "IF_SAFER"}
# Noise in the last digits does not pack: higher levels take twice as long for the same size.
_COG |= {"LEVEL": 1}
# Of every file: what a network has made up is not told from what was measured by looking at it.
MADE = {"S2S_SYNTHETIC": "yes: made by a model, not measured"}
_VALID, _SATURATED = "S2S_VALID_SHARE", "S2S_SATURATED_VALUES"
_COG |= {"OVERVIEW_RESAMPLING": "AVERAGE"}  # nearest would show every second pixel's noise


@dataclass(frozen=True)
class WrittenCog:
    """What became of the values.

    Attributes:
        path: The file.
        frame: Its grid.
        bands: One for each channel.
        storage: How values are stored in it.
        valid_share: Of the pixels, those that have a value in every band.
        saturated: Values that the type does not hold, written as its nearest end.
    """

    path: Path
    frame: Frame
    bands: tuple[OutputBand, ...]
    storage: Storage
    valid_share: float
    saturated: int


def write_cog(
    path: Path,
    frame: Frame,
    bands: Sequence[OutputBand],
    strips: Iterable[npt.NDArray[np.float32]],
    *,
    dtype: Dtype = "float32",
    nodata: int = NODATA,
    tags: Mapping[str, str] | None = None,
    colour: tuple[int, ...] = (),
) -> WrittenCog:
    """Write a prediction.

    Args:
        path: The file; it appears when it is complete.
        frame: Its grid.
        bands: One for each channel.
        strips: ``[h, W, C]`` from top to bottom, physical, NaN where there is none; a pixel that
            lacks one band is not valid.
        dtype: Of the numbers in the file.
        nodata: Of ``int16``.
        tags: Of the file, text, beside those of every prediction.
        colour: Numbers of the red, green and blue band, or of the one shown grey.

    Raises:
        InputError: The type does not fit the bands' units.
        ValueError: The strips are not those of the frame.
        OSError: There is no room.
    """
    how = storage(dtype, bands, nodata)
    with _scratch(path) as folder, _environment(folder):
        plain = folder / "plain.tif"
        with _created(plain, frame, bands, how) as target:
            _describe(target, bands, how, dict(tags or {}), tuple(dict.fromkeys(colour)))
            valid, saturated = _fill(path, target, frame, strips, how)
            share = valid / (frame.width_px * frame.height_px)
            target.update_tags(**{_VALID: repr(share), _SATURATED: str(saturated)})
            with _writing(path):
                target.close()
        from rasterio.shutil import copy

        with files.atomic_path(path) as part, _writing(path):
            copy(plain, part, driver="COG", **_COG)
    return WrittenCog(path, frame, tuple(bands), how, share, saturated)


def read_cog(path: Path) -> WrittenCog:
    """What a file that :func:`write_cog` wrote says of itself.

    Raises:
        InputError: It is another's.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    from sensor2sensor.inference.scenes.rasters import frame_of_raster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        source = rasterio.open(path)
    with source:
        tags = source.tags()
        if _VALID not in tags:
            raise InputError("is no prediction of ours: its tags are gone", where=path)
        how = Storage(source.dtypes[0], source.scales[0], source.nodata)
        bands = tuple(_band(source, number) for number in source.indexes)
        frame = frame_of_raster(source)
    return WrittenCog(path, frame, bands, how, float(tags[_VALID]), int(tags[_SATURATED]))


def _band(source: Any, number: int) -> OutputBand:
    tags, place = source.tags(number), number - 1
    name = source.descriptions[place].removesuffix(f"_{tags['kind']}")
    nm = tags.get("wavelength_nm")
    return OutputBand(name, source.units[place], None if nm is None else float(nm), tags["kind"])


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """An empty folder beside a file, within the one where its strips may lie already."""
    files.sweep_of(path)  # of a run that was killed while it copied
    folder = path.with_name(f"{path.name}{files.PART_SUFFIX}") / "cog"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    except files.SimulatedCrash:
        raise
    except BaseException:
        _tidied(folder)
        raise
    _tidied(folder)


def _tidied(folder: Path) -> None:
    shutil.rmtree(folder)
    with suppress(OSError):  # strips are the business of who put them there
        folder.parent.rmdir()


@contextmanager
def _environment(scratch: Path) -> Iterator[None]:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    # rasterio hands the number of bytes on, other than GDAL's own reading of the option.
    settings = {"GDAL_CACHEMAX": _CACHE_MIB * 2**20, "CPL_TMPDIR": str(scratch)}
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, **settings):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What GDAL says of a full disk, as an error of the system that names the file."""
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        why = " ".join(str(error.__cause__ or error).split())
        raise OSError(errno.EIO, f"cannot be written; is there room? ({why})", str(path)) from error


def _created(path: Path, frame: Frame, bands: Sequence[OutputBand], how: Storage) -> Any:
    import rasterio

    place = {}
    if frame.transform is not None:
        place = {"transform": rasterio.Affine(*frame.transform), "crs": frame.crs}
    return rasterio.open(
        path, "w", driver="GTiff", count=len(bands), dtype=how.dtype, nodata=how.nodata,
        height=frame.height_px, width=frame.width_px, tiled=True, blockxsize=BLOCK_PX,
        blockysize=BLOCK_PX, BIGTIFF="IF_SAFER", **place,
    )  # fmt: skip


def _describe(
    target: Any,
    bands: Sequence[OutputBand],
    how: Storage,
    tags: dict[str, str],
    colour: tuple[int, ...],
) -> None:
    from rasterio.enums import ColorInterp

    target.descriptions = tuple(band.description for band in bands)
    target.units = tuple(band.unit for band in bands)
    target.scales, target.offsets = (how.scale,) * len(bands), (0.0,) * len(bands)
    # Said of all: GDAL takes the fourth of four 8-bit bands for transparency.
    shown = [ColorInterp.undefined] * len(bands)
    kinds = {1: ("gray",), 3: ("red", "green", "blue")}.get(len(colour), ())
    for number, kind in zip(colour, kinds, strict=True):
        shown[number] = ColorInterp[kind]
    target.colorinterp = shown
    target.update_tags(TIFFTAG_SOFTWARE=f"sensor2sensor {__version__}", **(MADE | tags))
    for number, band in enumerate(bands, start=1):
        known = {} if band.wavelength_nm is None else {"wavelength_nm": f"{band.wavelength_nm:g}"}
        target.update_tags(number, kind=band.kind, **known)


def _fill(
    path: Path,
    target: Any,
    frame: Frame,
    strips: Iterable[npt.NDArray[np.float32]],
    how: Storage,
) -> tuple[int, int]:
    """Write the strips; pixels that are valid, and values beyond the type."""
    from rasterio.windows import Window

    channels = target.count
    top = valid = saturated = 0
    for strip in strips:
        height = len(strip)
        if strip.shape[1:] != (frame.width_px, channels) or top + height > frame.height_px:
            what = f"a strip {strip.shape} from row {top} on is none of {frame.shape}"
            raise ValueError(f"{what} with {channels} bands")
        window = Window(0, top, frame.width_px, height)
        there = np.asarray(np.isfinite(strip).all(axis=-1))
        # Whole or not at all: what lacks one band has a value in none.
        stored, beyond = how.stored(np.where(there[..., None], strip, np.float32(np.nan)))
        with _writing(path):
            target.write(np.moveaxis(stored, -1, 0), window=window)
            # Beside a nodata value GDAL averages mask and values apart, and overviews of odd
            # sides then hold pixels that are nodata and valid: a mask where there is no number.
            if how.nodata is None:
                target.write_mask(there.astype(np.uint8) * 255, window=window)
        top, valid, saturated = top + height, valid + int(there.sum()), saturated + beyond
    if top != frame.height_px:
        raise ValueError(f"the strips end at row {top} of {frame.height_px}")
    return valid, saturated
