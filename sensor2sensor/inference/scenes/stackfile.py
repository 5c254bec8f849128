"""One GeoTIFF of several bands: their names, how they are stored, and windows of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.rasters import frame_of_raster
from sensor2sensor.inference.scenes.scene import Frame
from sensor2sensor.sources.geotiffs import readable

Stored = npt.NDArray[Any]
# As GDAL ("B2, central wavelength 490 nm"), SNAP ("Sigma0_VV_db"), Theia and others write them.
_OPTICAL = re.compile(r"(?:.*[_\s-])?B0?(\d{1,2})(A?)(?:[_\s-]?\d+m)?(?:,.*)?", re.IGNORECASE)
_RADAR = re.compile(r"(?:.*[_\s-])?([VH][VH])(?:[_\s-].*)?", re.IGNORECASE)
_INFRARED = re.compile("nir|swir|infra|edge", re.IGNORECASE)
_OPACITY = re.compile("alpha|mask|opaci|transp|valid|cover", re.IGNORECASE)


def band_name(said: str) -> str:
    """A band's name as contracts have it: ``B02`` of ``B2`` and ``B02_10m``, ``VV`` of radar."""
    said = said.strip()
    if found := _OPTICAL.fullmatch(said):
        return f"B{found[1]}A".upper() if found[2] else f"B{int(found[1]):02d}"
    found = _RADAR.fullmatch(said)
    return found[1].upper() if found else said


@dataclass(frozen=True)
class StackFile:
    """A file as its header describes it.

    Attributes:
        path: The file.
        frame: Its grid.
        names: Of its bands, as contracts have them; ``band1`` where nobody says.
        named: Whether somebody says.
        dtypes: Of each band.
        scales: ``value = stored * scale + offset``, by its tags; 1 and 0 where it has none.
        offsets: Of the same.
        no_alpha: Whether GDAL takes a band for an alpha channel that is none.
    """

    path: Path
    frame: Frame
    names: tuple[str, ...]
    named: bool
    dtypes: tuple[str, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    no_alpha: bool = False

    def tagged(self, number: int) -> bool:
        """Whether tags say how a band is stored."""
        return (self.scales[number], self.offsets[number]) != (1.0, 0.0)

    def numbers(self, names: Sequence[str]) -> list[int]:
        """Positions of bands, all of which are there."""
        return [self.names.index(name) for name in names]

    def read(
        self, numbers: Sequence[int], window: PixelWindow
    ) -> tuple[Stored, npt.NDArray[np.bool_]]:
        """Bands of a window as stored ``[h, w, C]``, and where each has data.

        Raises:
            InputError: The file is damaged behind its header.
        """
        from rasterio.windows import Window

        part = Window(window.x, window.y, window.width, window.height)
        bands = [number + 1 for number in numbers]
        with readable(self.path, InputError, self.path) as source:
            stored = np.moveaxis(source.read(bands, window=part), 0, -1)
            there = np.ones(stored.shape, np.bool_)
            if not self.no_alpha:
                there = np.moveaxis(source.read_masks(bands, window=part), 0, -1) != 0
        valid = np.isfinite(stored) & there
        if stored.dtype.kind != "f" and len(bands) > 1:
            # No tag need say so, but ground that is black in all bands is none: step 53's rule.
            valid &= (stored != 0).any(axis=-1, keepdims=True)
        return stored, valid


def _is_band(name: str, wanted: Collection[str], *, given: bool) -> bool:
    """Whether a name is that of a band, not of an alpha channel."""
    if given or name in wanted:
        return _OPACITY.search(name) is None
    return any(kind.fullmatch(name) for kind in (_OPTICAL, _RADAR)) or bool(_INFRARED.search(name))


def open_stack_file(
    path: Path,
    names: Sequence[str] = (),
    published: Sequence[str] = (),
    wanted: Collection[str] = (),
) -> StackFile:
    """Read a file's header.

    Args:
        path: The file.
        names: Of its bands, against what it says.
        published: Of its bands where it says nothing, as its data set orders them.
        wanted: Of bands that a model takes.

    Raises:
        InputError: It is damaged, or has another number of bands than are named.
    """
    with readable(path, InputError, path) as source:
        count = source.count
        said = [one or "" for one in source.descriptions]
        frame = frame_of_raster(source)
        dtypes, scales, offsets = source.dtypes, source.scales, source.offsets
        # Only where it is what masks: a nodata value or a mask of its own comes before it.
        by_alpha = any(flag.name == "alpha" for flag in source.mask_flag_enums[0])
        kinds = [kind.name for kind in source.colorinterp]
    if names and len(names) != count:
        raise InputError(f"number of bands: {count}, --bands names {len(names)}", where=path)
    given = list(names) or (said if all(said) else [])
    if not given and len(published) == count:
        given = list(published)
    found = tuple(map(band_name, given)) or tuple(f"band{n}" for n in range(1, count + 1))
    if len(set(found)) < count:
        twice = next(name for name in found if found.count(name) > 1)
        raise InputError(f"has two bands {twice}", where=path, hint="name them by --bands")
    # GDAL marks the fourth of four 8-bit bands so; what has a band's name is none.
    no_alpha = by_alpha and bool(given) and all(
        _is_band(name, wanted, given=bool(names))
        for name, kind in zip(found, kinds, strict=True) if kind == "alpha"
    )  # fmt: skip
    return StackFile(path, frame, found, bool(given), dtypes, scales, offsets, no_alpha)
