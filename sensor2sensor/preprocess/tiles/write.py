"""The files of one tile, as bytes: the GeoTIFF, the margin, and the table of OLCI pixels."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.geo.grids import Grid
from sensor2sensor.preprocess.tiles.olci import OlciTable
from sensor2sensor.products.sentinel2 import S2_WAVELENGTHS_NM
from sensor2sensor.products.sentinel3 import OLCI_BANDS, OLCI_WAVELENGTHS_NM

RADIANCE_UNIT = "mW m-2 sr-1 nm-1"
REFLECTANCE_UNIT = "reflectance"


@dataclass(frozen=True)
class BandInfo:
    """Description, unit and centre wavelength of one band of a tif."""

    name: str
    unit: str
    wavelength_nm: float | None

    def record(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"name": self.name, "unit": self.unit, "wavelength_nm": self.wavelength_nm}


def tile_bands(
    targets: Sequence[str],
    *,
    with_olci: bool,
    wavelengths_nm: Mapping[str, float] = S2_WAVELENGTHS_NM,
) -> list[BandInfo]:
    """Bands of a tile's tif in order: quality, collocation, targets, OLCI radiances."""
    service = [BandInfo("quality", "bits", None), BandInfo("collocation", "1 + table row", None)]
    found = [*service, *target_bands(targets, wavelengths_nm)]
    if with_olci:
        waves = OLCI_WAVELENGTHS_NM
        found += [BandInfo(band, RADIANCE_UNIT, waves[band]) for band in OLCI_BANDS]
    return found


def target_bands(targets: Sequence[str], wavelengths_nm: Mapping[str, float]) -> list[BandInfo]:
    """The Sentinel-2 bands at the wavelengths of the satellite that saw them."""
    return [BandInfo(band, REFLECTANCE_UNIT, wavelengths_nm[band]) for band in targets]


def geotiff(data: NDArray[np.float32], grid: Grid, bands: Sequence[BandInfo]) -> bytes:
    """A deflated, tiled float32 GeoTIFF; equal input gives equal bytes.

    Args:
        data: ``[bands, h, w]``, NaN for no data.
        grid: where it lies.
        bands: one for each layer.
    """
    from rasterio.io import MemoryFile

    edge = min(256, -(-max(grid.shape) // 16) * 16)
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": len(bands),
        "width": grid.width_px,
        "height": grid.height_px,
        "crs": f"EPSG:{grid.epsg}",
        "transform": grid.transform,
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


def table_npz(table: OlciTable) -> bytes:
    """The table of OLCI pixels as a compressed npz; equal input gives equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        xy_m=table.xy_m,
        rowcol=table.rowcol,
        radiance=table.radiance,
        sun_zenith_deg=table.sun_zenith_deg,
        solar_flux=table.solar_flux,
        flags=table.flags,
        quality=table.quality,
    )
    return buffer.getvalue()


def layers(
    quality: NDArray[np.uint32],
    collocation: NDArray[np.int32],
    reflectance: NDArray[np.float32],
    radiance: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Stack the layers of a tile ``[bands, h, w]`` in the order of :func:`tile_bands`."""
    service = [quality.astype(np.float32)[None], collocation.astype(np.float32)[None]]
    spectral = [reflectance] if radiance is None else [reflectance, radiance]
    return np.concatenate([*service, *(np.moveaxis(part, -1, 0) for part in spectral)])
