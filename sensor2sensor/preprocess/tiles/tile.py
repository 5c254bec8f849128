"""One tile: what was read for it, its files, and its row of ``tiles.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.shift import GroundShift
from sensor2sensor.preprocess.tiles.draw import CLOUD
from sensor2sensor.preprocess.tiles.folder import Row
from sensor2sensor.preprocess.tiles.olci import OlciTile
from sensor2sensor.preprocess.tiles.options import TileOptions
from sensor2sensor.preprocess.tiles.write import (
    geotiff,
    layers,
    table_npz,
    target_bands,
    tile_bands,
)
from sensor2sensor.products.quality import Quality

_UNUSABLE = Quality.S2_NODATA | Quality.S2_SATURATED | Quality.OLCI_NONE | Quality.OLCI_INVALID


@dataclass(frozen=True)
class Candidate:
    """A tile that passed: where it lies, all that was read for it, and which bits were given."""

    x: int
    y: int
    grid: Grid
    reflectance: NDArray[np.float32]
    quality: NDArray[np.uint32]
    given: Quality
    margin: NDArray[np.float32]
    inside_mask: bool | None
    olci: OlciTile | None


def tile_files(
    stem: str, candidate: Candidate, options: TileOptions, wavelengths_nm: Mapping[str, float]
) -> dict[str, bytes]:
    """The files of a tile by name: the tif, the table of OLCI pixels, the margin.

    Args:
        stem: name of the tile.
        candidate: what was read.
        options: bands and margin.
        wavelengths_nm: central wavelength of each target band, of the satellite that saw it.
    """
    margin, olci = options.margin_px, candidate.olci
    empty = np.zeros(candidate.quality.shape, np.int32)
    data = layers(
        candidate.quality,
        empty if olci is None else olci.collocation,
        candidate.reflectance,
        None if olci is None else olci.radiance,
    )
    found = {
        f"{stem}.tif": geotiff(
            data,
            candidate.grid,
            tile_bands(options.bands, with_olci=olci is not None, wavelengths_nm=wavelengths_nm),
        )
    }
    if olci is not None:
        found[f"{stem}_olci.npz"] = table_npz(olci.table)
    if margin:
        wide = options.tile_px + 2 * margin
        grid = candidate.grid.window(-margin, -margin, wide, wide)
        around = np.ascontiguousarray(np.moveaxis(candidate.margin, -1, 0))
        found[f"{stem}_margin.tif"] = geotiff(
            around, grid, target_bands(options.bands, wavelengths_nm)
        )
    return found


def tile_row(
    candidate: Candidate, options: TileOptions, drift: GroundShift | None, facts: Row
) -> Row:
    """Every column of ``tiles.csv`` for one tile; None is an empty cell, no cell is -0.0.

    Args:
        candidate: what was read.
        options: size, resolution and margin.
        drift: of the ground between the two looks.
        facts: the columns known otherwise: name, scene, products, dates, checksum.
    """
    grid, inside = candidate.grid, candidate.inside_mask
    row = {
        **facts,
        "x": candidate.x,
        "y": candidate.y,
        "size_px": options.tile_px,
        "inside_mask": None if inside is None else str(inside).lower(),
        "epsg": grid.epsg,
        "ulx_m": grid.ulx_m,
        "uly_m": grid.uly_m,
        "resolution_m": options.resolution_m,
        **_fractions(candidate),
        **_drift(drift),
        "margin_px": options.margin_px,
    }
    # What rounds to zero from below is zero; adding 0.0 drops the sign.
    return {key: v + 0.0 if isinstance(v, float) else v for key, v in row.items()}


def _fractions(candidate: Candidate) -> Row:
    word, olci = candidate.quality, candidate.olci
    usable = (word & np.uint32(_UNUSABLE)) == 0
    if olci is not None:
        usable &= np.isfinite(olci.radiance).all(axis=-1)
    return {
        "valid_fraction": _rounded(usable),
        "cloud_fraction": _rounded((word & np.uint32(CLOUD)) != 0)
        if candidate.given & CLOUD
        else None,
        "nodata_fraction": _rounded((word & np.uint32(Quality.S2_NODATA)) != 0),
        "olci_valid_fraction": None if olci is None else round(olci.valid_fraction, 6),
        "olci_pixels": None if olci is None else olci.used,
    }


def _rounded(mask: NDArray[np.bool_]) -> float:
    return round(float(mask.mean()), 6)


def _drift(drift: GroundShift | None) -> Row:
    names = ("shift_m", "shift_east_m", "shift_north_m", "shift_quality")
    if drift is None:
        return dict.fromkeys(names)
    values = (drift.length_m, drift.east_m, drift.north_m, drift.quality)
    return dict(zip(names, (round(value, 3) for value in values), strict=True))
