"""A town seen from above, as a photo, as a map and as a mask of its buildings: files of all three.

Files are those of the published data sets: JPEGs with photo and map side by side (JFIF, 4:2:0), and
``images/`` and ``gt/`` with GeoTIFFs of one name, the photos as plain strips, the masks compressed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sensor2sensor.core.seeds import Purpose, rng

PIXEL_M = 0.3
BLOCK_PX, STREET_PX = 64, 10  # from one street to the next, and how wide one is


def town(height: int, width: int, *key: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photo ``[H, W, 3]`` uint8, streets and buildings ``[H, W]`` bool; equal for equal keys."""
    draw = rng(0, Purpose.FAKES, "town", *map(str, key))
    rows, columns = np.arange(height), np.arange(width)
    streets = (rows % BLOCK_PX < STREET_PX)[:, None] | (columns % BLOCK_PX < STREET_PX)
    photo = np.empty((height, width, 3), np.int16)
    photo[:] = (74, 92, 58)
    photo[streets] = (120, 118, 116)
    buildings = np.zeros((height, width), bool)
    for top in range(STREET_PX, height, BLOCK_PX):
        for left in range(STREET_PX, width, BLOCK_PX):
            high, wide = draw.integers(12, BLOCK_PX - STREET_PX - 4, 2)
            place = slice(top + 2, top + 2 + high), slice(left + 2, left + 2 + wide)
            buildings[place] = True
            photo[place] = draw.integers((120, 90, 80), (230, 180, 170))
    photo += draw.integers(-12, 13, (height, width, 1), dtype=np.int16)
    return photo.clip(0, 255).astype(np.uint8), streets, buildings


def drawn(streets: np.ndarray, buildings: np.ndarray) -> np.ndarray:
    """The town as a web map draws it, ``[H, W, 3]`` uint8."""
    sheet = np.empty((*streets.shape, 3), np.uint8)
    sheet[:] = (235, 230, 220)
    sheet[streets] = 255
    sheet[buildings] = (217, 208, 201)
    return sheet


def side_by_side(side_px: int, *key: object) -> np.ndarray:
    """Photo and map of a town, ``[side, 2 side, 3]`` uint8."""
    photo, streets, buildings = town(side_px, side_px, *key)
    return np.concatenate([photo, drawn(streets, buildings)], axis=1)


def save_jpeg(path: Path, picture: np.ndarray | Image.Image, **how: Any) -> None:
    """Save as the published pictures are: quality 75, colours at half the resolution."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path, "JPEG", **{"quality": 75, "subsampling": "4:2:0", "dpi": (1, 1), **how})


def write_maps(root: Path, side_px: int = 600, **numbers: int) -> Path:
    """Folders of side-by-side JPEGs: ``train=8, val=4``; numbered from 1, as published."""
    for kind, count in numbers.items():
        (root / kind).mkdir(parents=True)
        for number in range(1, count + 1):
            save_jpeg(root / kind / f"{number}.jpg", side_by_side(side_px, kind, number))
    return root


def aerial_profile(height: int, width: int, corner: tuple[float, float] | None) -> dict[str, Any]:
    """Of a GeoTIFF whose upper-left corner lies there, in metres of UTM zone 33 north."""
    import rasterio

    place: dict[str, Any] = {}
    if corner is not None:
        east, north = corner
        place["transform"] = rasterio.Affine(PIXEL_M, 0, east, 0, -PIXEL_M, north)
        place["crs"] = "EPSG:32633"
    return {"driver": "GTiff", "height": height, "width": width, "dtype": "uint8", **place}


def save_tif(path: Path, bands: np.ndarray, profile: dict[str, Any], **how: Any) -> None:
    """Write ``[C, H, W]``."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", count=len(bands), **{**profile, **how}) as file:
            file.write(bands)


def write_aerial(
    root: Path,
    names: Sequence[str],
    size: int | tuple[int, int] = 120,
    *,
    placed: bool = True,
    photo_how: dict[str, Any] | None = None,
) -> Path:
    """``images/`` and ``gt/`` of the Inria data set, all tiles of a city side by side.

    Args:
        root: The folder for both.
        names: ``austin1``; the number says where in its city a tile lies.
        size: Pixels of a tile, or its height and width.
        placed: Whether the files say where they lie.
        photo_how: Options of rasterio for the photos.
    """
    height, width = (size, size) if isinstance(size, int) else size
    cities = sorted({name.rstrip("0123456789") for name in names})
    for name in names:
        city = name.rstrip("0123456789")
        number = int(name[len(city) :] or 0)
        # Ten tiles a row, a row of cities apart: none overlaps another.
        east = 400_000 + (number % 10) * width * PIXEL_M
        north = 5_000_000 - (number // 10 + 10 * cities.index(city)) * height * PIXEL_M
        profile = aerial_profile(height, width, (east, north) if placed else None)
        photo, _, buildings = town(height, width, name)
        bands = np.moveaxis(photo, -1, 0)
        how = {"photometric": "RGB", "interleave": "pixel", **(photo_how or {})}
        save_tif(root / "images" / f"{name}.tif", bands, profile, **how)
        mask = np.where(buildings, 255, 0).astype(np.uint8)[None]
        save_tif(root / "gt" / f"{name}.tif", mask, profile, compress="lzw")
    return root
