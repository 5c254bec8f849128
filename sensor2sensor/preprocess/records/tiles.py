"""From the files of one tile to its record in each of the data sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.contract import DatasetContract, Degradation
from sensor2sensor.dataset.degradation import MTF_NYQUIST, degrade
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.preprocess.records.inputs import Tile
from sensor2sensor.preprocess.tiles.table import ALIGNED_SUFFIX, MARGIN_SUFFIX, OLCI_SUFFIX

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TileArrays:
    """The pixels of one tile.

    Attributes:
        target: ``[H, W, Ct]`` reflectance.
        collocation: ``[H, W]`` 0 or 1 + row of the table.
        margin: ``[H + 2 m, W + 2 m, Ct]``, NaN for no data, or None.
        radiance: ``[K, Ci]``, or None without Sentinel-3.
        xy_m: ``[K, 2]`` in the tile's projection, or None.
    """

    target: Floats
    collocation: npt.NDArray[np.int32]
    margin: Floats | None
    radiance: Floats | None
    xy_m: npt.NDArray[np.float64] | None


def read_arrays(
    tile: Tile, contract: DatasetContract, *, with_s3: bool, aligned: bool = False
) -> TileArrays:
    """Read a tile's files and check them against the contract.

    Args:
        tile: What to read.
        contract: Of a data set of the run.
        with_s3: Sentinel-3 is asked for.
        aligned: Its pixels are to be those that show the tile's ground, where step 40 found any.

    Raises:
        DatasetError: A file changed since step 40, is of another form, or holds NaN.
    """
    for name, digest in tile.digests.items():
        if not (tile.folder / name).is_file():
            raise DatasetError(f"{name} is missing", where=tile.name, hint="run step 40 again")
        if files.sha256(tile.folder / name) != digest:
            raise DatasetError(
                f"{name} changed since step 40 (SHA-256 differs)",
                where=tile.name,
                hint="delete that file and run step 40 again",
            )
    targets = [band.name for band in contract.target.bands]
    layers = _read_bands(tile.folder / f"{tile.stem}.tif", [*targets, "collocation"])
    target = layers[..., :-1]
    _finite(target, targets, tile.name)
    margin = _read_margin(tile, targets, target)
    # The row numbers went through float32, which holds whole numbers up to 2**24.
    collocation = layers[..., -1].astype(np.int32)
    if not with_s3:
        return TileArrays(target, collocation, margin, None, None)
    if aligned and tile.is_aligned:
        table = _read_table(tile, ALIGNED_SUFFIX)
        collocation = table["collocation"].astype(np.int32)
    else:
        table = _read_table(tile, OLCI_SUFFIX)
    radiance, xy_m = table["radiance"].astype(np.float32), table["xy_m"].astype(np.float64)
    return TileArrays(target, collocation, margin, radiance, xy_m)


def _read_bands(path: Path, names: list[str]) -> Floats:
    """Bands by name, ``[H, W, C]`` float32."""
    import rasterio

    with rasterio.open(path) as source:
        described = list(source.descriptions)
        missing = [name for name in names if name not in described]
        if missing:
            raise DatasetError(
                f"lacks the bands {', '.join(missing)}", where=path.name, hint="run step 40 again"
            )
        # By description, never by place; GDAL counts bands from 1.
        data = source.read([described.index(name) + 1 for name in names])
    return np.ascontiguousarray(np.moveaxis(data, 0, -1), dtype=np.float32)


def _finite(values: Floats, names: list[str], where: str) -> None:
    bad = [name for i, name in enumerate(names) if not np.isfinite(values[..., i]).all()]
    if bad:
        raise DatasetError(
            f"NaN or infinity in {', '.join(bad)}",
            where=where,
            hint="run step 40 with --max-nodata 0",
        )


def _read_margin(tile: Tile, targets: list[str], target: Floats) -> Floats | None:
    path = tile.folder / f"{tile.stem}{MARGIN_SUFFIX}"
    if path.name not in tile.digests:
        return None
    wide = _read_bands(path, targets)
    pad = (wide.shape[0] - target.shape[0]) // 2
    inner = wide[pad : pad + target.shape[0], pad : pad + target.shape[1]]
    if inner.shape != target.shape or not np.array_equal(inner, target):
        raise DatasetError(
            "its margin does not surround it", where=tile.name, hint="run step 40 again"
        )
    return np.where(np.isfinite(wide), wide, np.float32(np.nan))


def _read_table(tile: Tile, suffix: str) -> dict[str, npt.NDArray[Any]]:
    path = tile.folder / f"{tile.stem}{suffix}"
    wanted = ("radiance", "xy_m", *(("collocation",) if suffix == ALIGNED_SUFFIX else ()))
    try:
        with np.load(path, allow_pickle=False) as table:
            return {name: table[name] for name in wanted}
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(
            f"its table of OLCI pixels cannot be read ({error})",
            where=tile.name,
            hint="run step 40 again",
        ) from None


def sentinel3_record(tile: Tile, arrays: TileArrays) -> TileRecord:
    """The record with the native Sentinel-3 pixels as input.

    Pixels of the table without a value stay out; a target pixel that has none is refused.

    Raises:
        DatasetError: Target pixels without a valid Sentinel-3 pixel.
    """
    assert arrays.radiance is not None and arrays.xy_m is not None
    # Whole or not at all: a network takes every band, and one NaN would be in all it returns.
    usable = np.isfinite(arrays.radiance).all(axis=1)
    # Row 0 of the collocation means none; so does a pixel without a value from here on.
    renumbered = np.concatenate([[0], np.where(usable, np.cumsum(usable), 0)])
    if int(arrays.collocation.max(initial=0)) >= len(renumbered):
        raise DatasetError(
            "its collocation points beyond the table", where=tile.name, hint="run step 40 again"
        )
    index = renumbered[arrays.collocation].astype(np.int32)
    lost = int((index == 0).sum())
    if lost:
        raise DatasetError(f"{lost} pixels have no valid Sentinel-3 value (NaN)", where=tile.name)
    place = tile.place
    # Northing falls downwards, y of a record grows.
    xy = (arrays.xy_m[usable] - [place.ulx_m, place.uly_m]) * [1.0, -1.0]
    # NaN stands for not known: an array of numbers has no null.
    gap = np.array(np.nan if tile.time_gap_h is None else tile.time_gap_h, dtype=np.float32)
    return TileRecord(
        tile.name, arrays.target, arrays.radiance[usable], xy, index, {"time_gap_h": gap}
    )


def degraded_record(tile: Tile, arrays: TileArrays, how: Degradation) -> TileRecord:
    """The record with the degraded target as input."""
    low = degrade(
        arrays.target,
        how.factor,
        resolution_m=tile.resolution_m,
        margin=arrays.margin,
        method=how.method,
        mtf_nyquist=MTF_NYQUIST if how.mtf_nyquist is None else how.mtf_nyquist,
    )
    return TileRecord(
        tile.name,
        arrays.target,
        low.pixels,
        low.xy,
        low.index,
        incomplete_blocks=low.incomplete,
    )


def record_for(tile: Tile, arrays: TileArrays, contract: DatasetContract) -> TileRecord:
    """The record of a tile in one data set."""
    how = contract.degradation
    return sentinel3_record(tile, arrays) if how is None else degraded_record(tile, arrays, how)
