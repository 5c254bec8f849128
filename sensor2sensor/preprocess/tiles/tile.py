"""One tile: what was read for it, its files as bytes, and its row of ``tiles.csv``."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.shift import GroundShift
from sensor2sensor.preprocess.tiles.pair import OpenPair
from sensor2sensor.preprocess.tiles.table import (
    ALIGNED_SUFFIX,
    MARGIN_SUFFIX,
    OLCI_SUFFIX,
    TileRow,
)
from sensor2sensor.products.bands import OLCI_BANDS, OLCI_WAVELENGTHS_NM, S2_WAVELENGTHS_NM
from sensor2sensor.products.olci import OlciTable, OlciTile
from sensor2sensor.products.quality import CLOUD, Quality

RADIANCE_UNIT = "mW m-2 sr-1 nm-1"
REFLECTANCE_UNIT = "reflectance"
_UNUSABLE = Quality.S2_NODATA | Quality.S2_SATURATED | Quality.OLCI_NONE | Quality.OLCI_INVALID


@dataclass(frozen=True)
class CutTile:
    """A tile that passed: where it lies, and all that was read for it.

    Attributes:
        x: column of its upper-left pixel in the scene's grid.
        y: row of it.
        grid: its own.
        reflectance: ``[h, w, bands]``, NaN for no data.
        margin: the same with the pixels around it ``[h + 2 margin_px, w + 2 margin_px, bands]``.
        quality: the quality word ``[h, w]``.
        inside_mask: whether one mask covers it; None where no masks were given.
        olci: its Sentinel-3 pixels; None for Sentinel-2 alone.
        drift: of the ground between the two looks; None where not measured.
        aligned: its Sentinel-3 pixels where they show its ground; None where no pixel moved.
        time_gap_h: hours from Sentinel-2 to Sentinel-3; None for Sentinel-2 alone.
    """

    x: int
    y: int
    grid: Grid
    reflectance: NDArray[np.float32]
    margin: NDArray[np.float32]
    quality: NDArray[np.uint32]
    inside_mask: bool | None
    olci: OlciTile | None = None
    drift: GroundShift | None = None
    aligned: OlciTile | None = None
    time_gap_h: float | None = None

    def stem(self, scene: int) -> str:
        """What the names of its files begin with."""
        outside = "_notinmask" if self.inside_mask is False else ""
        return f"{scene:05d}_{self.x}x{self.y}{outside}"


@dataclass(frozen=True)
class BandInfo:
    """Description, unit and centre wavelength of one band of a tif."""

    name: str
    unit: str
    wavelength_nm: float | None

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def tile_bands(
    targets: Sequence[str],
    *,
    with_olci: bool,
    wavelengths_nm: Mapping[str, float] = S2_WAVELENGTHS_NM,
) -> list[BandInfo]:
    """Bands of a tile's tif in order: quality, collocation, targets, OLCI radiances."""
    service = [BandInfo("quality", "bits", None), BandInfo("collocation", "1 + table row", None)]
    found = [*service, *_target_bands(targets, wavelengths_nm)]
    if with_olci:
        waves = OLCI_WAVELENGTHS_NM
        found += [BandInfo(band, RADIANCE_UNIT, waves[band]) for band in OLCI_BANDS]
    return found


def _target_bands(targets: Sequence[str], wavelengths_nm: Mapping[str, float]) -> list[BandInfo]:
    """The Sentinel-2 bands at the wavelengths of the satellite that saw them."""
    return [BandInfo(band, REFLECTANCE_UNIT, wavelengths_nm[band]) for band in targets]


def file_names(tile: CutTile, pair: OpenPair) -> list[str]:
    """Names of the files of a tile, whether its OLCI pixels were found yet or not."""
    given = (True, pair.s3 is not None, pair.options.margin_px > 0)
    suffixes = (".tif", OLCI_SUFFIX, MARGIN_SUFFIX)
    stem = tile.stem(pair.task.scene)
    return [f"{stem}{suffix}" for suffix, has in zip(suffixes, given, strict=True) if has]


def tile_files(tile: CutTile, pair: OpenPair) -> dict[str, bytes]:
    """The files of a tile by name: the tif, the table of OLCI pixels, the margin."""
    options, wavelengths_nm = pair.options, pair.s2.wavelengths_nm
    stem = tile.stem(pair.task.scene)
    bands = tile_bands(
        options.bands, with_olci=tile.olci is not None, wavelengths_nm=wavelengths_nm
    )
    found = {f"{stem}.tif": geotiff(_layers(tile), tile.grid, bands)}
    if tile.olci is not None:
        found[f"{stem}{OLCI_SUFFIX}"] = _table_npz(tile.olci.table)
    if tile.aligned is not None:
        # Beside, not in place of: headline scores are of inputs as they come.
        parts = {"collocation": tile.aligned.collocation}
        found[f"{stem}{ALIGNED_SUFFIX}"] = _table_npz(tile.aligned.table, **parts)
    if margin := options.margin_px:
        wide = options.tile_px + 2 * margin
        grid = tile.grid.window(-margin, -margin, wide, wide)
        around = np.ascontiguousarray(np.moveaxis(tile.margin, -1, 0))
        bands = _target_bands(options.bands, wavelengths_nm)
        found[f"{stem}{MARGIN_SUFFIX}"] = geotiff(around, grid, bands)
    return found


def _layers(tile: CutTile) -> NDArray[np.float32]:
    """The layers of a tile's tif ``[bands, h, w]`` in the order of :func:`tile_bands`."""
    empty = np.zeros(tile.quality.shape, np.float32)
    collocation = empty if tile.olci is None else tile.olci.collocation.astype(np.float32)
    # A float32 holds whole numbers up to 2**24 exactly: every bit of the word, every row of a table
    service = [tile.quality.astype(np.float32)[None], collocation[None]]
    spectral = [tile.reflectance] if tile.olci is None else [tile.reflectance, tile.olci.radiance]
    return np.concatenate([*service, *(np.moveaxis(part, -1, 0) for part in spectral)])


def geotiff(data: NDArray[np.float32], grid: Grid, bands: Sequence[BandInfo]) -> bytes:
    """A deflated, tiled float32 GeoTIFF; equal input gives equal bytes.

    Args:
        data: ``[bands, h, w]``, NaN for no data.
        grid: where it lies.
        bands: one for each layer.
    """
    from rasterio.io import MemoryFile

    edge = min(256, -(-max(grid.shape) // 16) * 16)  # TIFF wants multiples of 16
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": len(bands),
        "width": grid.width_px,
        "height": grid.height_px,
        "crs": f"EPSG:{grid.epsg}",
        "transform": grid.transform,
        # Noise over dark water goes below 0 since baseline 04.00 (an offset keeps it from being
        # clipped): no number is left to stand for no data.
        "nodata": np.nan,
        "compress": "deflate",
        "zlevel": 4,
        "tiled": True,
        "blockxsize": edge,
        "blockysize": edge,
        "interleave": "band",
    }
    with MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(data)
            target.descriptions = tuple(band.name for band in bands)
            target.units = tuple(band.unit for band in bands)
            for number, band in enumerate(bands, start=1):
                if band.wavelength_nm is not None:
                    target.update_tags(number, wavelength_nm=f"{band.wavelength_nm:g}")
        return bytes(memory.getbuffer())


def _table_npz(table: OlciTable, **others: NDArray[np.int32]) -> bytes:
    """The table of OLCI pixels as a compressed npz; equal input gives equal bytes."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {**vars(table), **others}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def tile_row(tile: CutTile, pair: OpenPair, *, sha256: str) -> TileRow:
    """The line of a tile in ``tiles.csv``; no cell is -0.0.

    Args:
        tile: what was read.
        pair: from where.
        sha256: of its tif.
    """
    options = pair.options
    return TileRow(
        tile=tile.stem(pair.task.scene),
        scene=pair.task.scene,
        x=tile.x,
        y=tile.y,
        size_px=options.tile_px,
        inside_mask=tile.inside_mask,
        epsg=tile.grid.epsg,
        ulx_m=tile.grid.ulx_m,
        uly_m=tile.grid.uly_m,
        resolution_m=options.resolution_m,
        **pair.names.columns(),
        time_gap_h=_rounded(tile.time_gap_h, 4),
        **_shares(tile, cloud_known=pair.cloud_known),
        olci_pixels=None if tile.olci is None else tile.olci.used,
        **shift_cells(tile.drift),
        margin_px=options.margin_px,
        sha256=sha256,
        overpass=pair.s2.overpass,
        aligned_pixels=None if tile.aligned is None else tile.aligned.used,
        cloud_source=pair.cloud_source,
    )


def valid_fraction(tile: CutTile) -> float:
    """Share of pixels with every band of both sensors, unsaturated, as ``tiles.csv`` has it."""
    usable = (tile.quality & np.uint32(_UNUSABLE)) == 0
    if tile.olci is not None:
        usable &= tile.olci.measured
    return round(float(usable.mean()), 6)


def _shares(tile: CutTile, *, cloud_known: bool) -> dict[str, Any]:
    word, olci = tile.quality, tile.olci
    # A bit that no mask gives stays 0, which is no answer: the share is unknown then, not 0.
    cloud = float(((word & np.uint32(CLOUD)) != 0).mean()) if cloud_known else None
    nodata = float(((word & np.uint32(Quality.S2_NODATA)) != 0).mean())
    return {
        "valid_fraction": valid_fraction(tile),
        "cloud_fraction": _rounded(cloud, 6),
        "nodata_fraction": _rounded(nodata, 6),
        "olci_valid_fraction": _rounded(None if olci is None else olci.valid_fraction, 6),
    }


def shift_cells(drift: GroundShift | None) -> dict[str, Any]:
    """The drift as the columns of ``tiles.csv`` have it."""
    if drift is None:
        return {"shift_m": None}
    return {
        "shift_m": _rounded(drift.length_m, 3),
        "shift_east_m": _rounded(drift.east_m, 3),
        "shift_north_m": _rounded(drift.north_m, 3),
        "shift_quality": _rounded(drift.quality, 3),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    # What rounds to zero from below is zero; adding 0.0 drops the sign.
    return None if value is None else round(value, digits) + 0.0
