"""JPEG 2000 files coded like those of Sentinel-2 products."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# resolution_m: (tile, code block, precinct) as read from real codestreams
_BANDS = {10: (1024, 64, 256), 20: (640, 8, 128), 60: (192, 4, 64)}
_MASKS = {10: (1024, 64, 256), 20: (640, 8, 128), 60: (256, 16, 128)}
_PREVIEW = (64, 16, 64)
LEVELS = 5  # one full resolution and four decompositions


def _coding(kind: str, resolution_m: int, side_px: int) -> dict[str, str | int]:
    tile, block, precinct = {"band": _BANDS, "mask": _MASKS}.get(kind, {}).get(
        resolution_m, _PREVIEW
    )
    levels = LEVELS
    while levels > 1 and side_px < 2**levels:
        levels -= 1
    tile = min(tile, side_px)
    options: dict[str, str | int] = {
        "blockxsize": tile,
        "blockysize": tile,
        "RESOLUTIONS": levels,
        "CODEBLOCK_WIDTH": block,
        "CODEBLOCK_HEIGHT": block,
    }
    if kind != "preview":
        options["PRECINCTS"] = f"{{{precinct},{precinct}}}"
    return options


def write_jp2(
    path: Path, data: NDArray, *, resolution_m: float, epsg: int, ulx_m: float, uly_m: float,
    kind: str = "band",
) -> None:  # fmt: skip
    """Write [H, W] or [bands, H, W] losslessly (5-3 wavelet, LRCP, PLT markers, GMLJP2).

    Args:
        path: the file to write.
        data: uint8 or uint16.
        resolution_m: pixel size; 10, 20 and 60 choose the tiling of real products.
        epsg: the reference system.
        ulx_m: easting of the upper-left corner.
        uly_m: northing of the upper-left corner.
        kind: "band", "mask" or "preview".
    """
    import rasterio
    from affine import Affine

    layers = data[None] if data.ndim == 2 else data
    options = _coding(kind, int(resolution_m), min(layers.shape[1:]))
    if layers.dtype == np.uint16 and int(layers.max(initial=0)) < 2**15:
        options["NBITS"] = 15
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", dtype=layers.dtype, count=layers.shape[0],
        height=layers.shape[1], width=layers.shape[2], crs=f"EPSG:{epsg}",
        transform=Affine(resolution_m, 0.0, ulx_m, 0.0, -resolution_m, uly_m),
        tiled=True, QUALITY=100, REVERSIBLE="YES", PROGRESSION="LRCP", YCBCR420="NO", YCC="NO",
        PLT="YES", TLM="NO", GMLJP2="YES", GeoJP2="NO", **options,
    ) as target:  # fmt: skip
        target.write(layers)
