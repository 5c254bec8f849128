"""A level 2A product in the format of Theia: ten FRE images, four masks and the metadata.

The angles, the orbit and the masks are there since the public tool reads them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tests.fakes.noise import rng

NAME = "SENTINEL2B_20190531-105916-927_L2A_T31TDH_C_V2-2"
RESOLUTION_M = {
    **dict.fromkeys(("B2", "B3", "B4", "B8"), 10),
    **dict.fromkeys(("B5", "B6", "B7", "B8A", "B11", "B12"), 20),
}
NODATA, EPSG, CORNER_M = -10000, 32631, (399960.0, 4800000.0)
MASKS = ("CLM", "EDG", "MG2", "SAT")


def ground(band: str, side_px: int, seed: int) -> NDArray[np.int16]:
    """Textured reflectance x 10000, ``[side, side]``, a few values below 0 and above 1."""
    draw = rng(seed, "theia", band)
    fine = ndimage.gaussian_filter(draw.standard_normal((side_px, side_px)), 1.0)
    wide = ndimage.gaussian_filter(draw.standard_normal((side_px, side_px)), 6.0)
    values = 1500 + 900 * fine / fine.std() + 600 * wide / wide.std()
    values.flat[draw.integers(values.size, size=3)] = (-250, 10900, 0)
    return np.rint(values).astype(np.int16)


def write_theia(
    folder: Path, *, side_px: int = 120, seed: int = 0, gap: tuple[slice, slice] | None = None,
    zipped: bool = False, name: str = NAME,
) -> Path:  # fmt: skip
    """Write a product of ``side_px`` pixels of 10 m; ``gap``: pixels of 20 m without a value."""
    if side_px % 2:
        raise ValueError("a pixel of 20 m holds two of 10 m")
    product = folder / name
    (product / "MASKS").mkdir(parents=True)
    for band, pixel_m in RESOLUTION_M.items():
        image = ground(band, side_px * 10 // pixel_m, seed)
        if gap is not None:
            image[tuple(_finer(part, 20 // pixel_m) for part in gap)] = NODATA
        _tif(product / f"{name}_FRE_{band}.tif", image, pixel_m)
    for mask in MASKS:
        for number, pixel_m in ((1, 10), (2, 20)):
            clear = np.zeros((side_px * 10 // pixel_m,) * 2, np.uint8)
            _tif(product / "MASKS" / f"{name}_{mask}_R{number}.tif", clear, pixel_m)
    (product / f"{name}_MTD_ALL.xml").write_text(metadata())
    return _zipped(product) if zipped else product


def _finer(part: slice, factor: int) -> slice:
    return slice(part.start * factor, part.stop * factor)


def _tif(path: Path, image: NDArray, pixel_m: int) -> None:
    import rasterio

    transform = rasterio.Affine(pixel_m, 0.0, CORNER_M[0], 0.0, -pixel_m, CORNER_M[1])
    nodata = NODATA if image.dtype == np.int16 else None
    with rasterio.open(
        path, "w", driver="GTiff", height=len(image), width=image.shape[1], count=1,
        dtype=image.dtype, crs=f"EPSG:{EPSG}", transform=transform, nodata=nodata,
    ) as file:  # fmt: skip
        file.write(image, 1)


def metadata() -> str:
    """What is read of ``*_MTD_ALL.xml``: coding, clouds, orbit, and grids of angles."""
    grid = "<Values_List><VALUES>{0} {0}</VALUES><VALUES>{0} {0}</VALUES></Values_List>"
    angles = f"<Zenith>{grid.format(30)}</Zenith><Azimuth>{grid.format(150)}</Azimuth>"
    seen = "".join(
        f'<Band_Viewing_Incidence_Angles_Grids_List band_id="{band}">'
        f'<Viewing_Incidence_Angles_Grids detector_id="4">{angles}</Viewing_Incidence_Angles_Grids>'
        "</Band_Viewing_Incidence_Angles_Grids_List>"
        for band in RESOLUTION_M
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Muscate_Metadata_Document>'
        "<Product_Characteristics><ORBIT_NUMBER>11660</ORBIT_NUMBER></Product_Characteristics>"
        '<Global_Index_List><QUALITY_INDEX name="CloudPercent">0</QUALITY_INDEX>'
        "</Global_Index_List><Radiometric_Informations>"
        "<REFLECTANCE_QUANTIFICATION_VALUE>10000</REFLECTANCE_QUANTIFICATION_VALUE>"
        f'<Special_Values_List><SPECIAL_VALUE name="nodata">{NODATA}</SPECIAL_VALUE>'
        "</Special_Values_List></Radiometric_Informations><Geometric_Informations>"
        f"<Angles_Grids_List><Sun_Angles_Grids>{angles}</Sun_Angles_Grids>"
        f"<Viewing_Incidence_Angles_Grids_List>{seen}</Viewing_Incidence_Angles_Grids_List>"
        "</Angles_Grids_List></Geometric_Informations></Muscate_Metadata_Document>\n"
    )


def _zipped(product: Path) -> Path:
    path = product.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(product.rglob("*")):
            archive.write(file, file.relative_to(product.parent).as_posix())
    return path
