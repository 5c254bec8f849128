"""Triplets of radar, clear and cloudy image in the layouts of SEN12MS-CR."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fakes.cloudy import COARSEST_PX, Patch, look, patch
from tests.fakes.landscape import View
from tests.fakes.noise import rng

SEASON_CODES = {
    "spring": "ROIs1158",
    "summer": "ROIs1868",
    "fall": "ROIs1970",
    "winter": "ROIs2017",
}
KINDS = ("s1", "s2", "s2_cloudy")
FLAT_FOLDERS = {"s1": "s1", "s2": "s2_cloudFree", "s2_cloudy": "s2_cloudy"}
FIRST_PATCH = 30
PATCHES_A_ROW = 8
LEAST_COVER, MOST_COVER = 0.1, 0.9


def triplet_paths(root: Path, roi: str, number: int, layout: str = "public") -> dict[str, Path]:
    """Where the three files of a patch lie: ``fall_139``, 839 in the public or the flat layout."""
    season, _, scene = roi.partition("_")
    code = f"{SEASON_CODES[season]}_{season}"
    if layout == "flat":
        name = f"{code}_{scene}_p{number}.tif"
        return {kind: root / folder / name for kind, folder in FLAT_FOLDERS.items()}
    return {
        kind: root / f"{code}_{kind}" / f"{kind}_{scene}" / f"{code}_{kind}_{scene}_p{number}.tif"
        for kind in KINDS
    }


def _whole(side_px: int) -> int:
    return -(-side_px // COARSEST_PX) * COARSEST_PX


def render(roi: str, index: int, *, seed: int = 0, side_px: int = 256) -> Patch:
    """Return patch ``index`` of a ROI, ``side_px`` pixels wide; clouds cover 10 to 90 % of it."""
    row, column = divmod(index, PATCHES_A_ROW)
    steps = (np.arange(_whole(side_px)) + 0.5) * 10.0
    side_m = side_px * 10.0
    view = View(column * side_m + steps, -row * side_m - steps, 10.0)
    # Golden steps spread the covers of a few patches evenly, whatever their number.
    place = (rng(seed, roi, "cover").random() + index * 0.6180339887) % 1.0
    cover = LEAST_COVER + (MOST_COVER - LEAST_COVER) * place
    made = patch(look(seed, roi, view, cover, index))
    cut = {name: value[..., :side_px, :side_px] for name, value in vars(made).items()}
    return Patch(**cut)


def _profile(roi: str, index: int, seed: int, side_px: int) -> dict[str, Any]:
    import rasterio

    draw = rng(seed, roi, "place")
    zone = 32601 + int(draw.integers(60))
    # The published patches do not lie on the grid of the Sentinel-2 tiles.
    east, north = draw.uniform(3e5, 6e5), draw.uniform(2e6, 6e6)
    row, column = divmod(index, PATCHES_A_ROW)
    corner = east + column * side_px * 10.0, north - row * side_px * 10.0
    transform = rasterio.Affine(10.0, 0.0, corner[0], 0.0, -10.0, corner[1])
    size = {"height": side_px, "width": side_px}
    return {"driver": "GTiff", "crs": f"EPSG:{zone}", "transform": transform, **size}


def write_tif(path: Path, pixels: NDArray[Any], profile: Mapping[str, Any]) -> None:
    """Write ``[C, H, W]`` as the published files are: plain strips, pixel by pixel, no nodata."""
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    how = {**profile, "count": len(pixels), "dtype": pixels.dtype, "interleave": "pixel"}
    with rasterio.open(path, "w", **how) as file:
        file.write(pixels)


def write_triplets(
    root: Path,
    rois: Mapping[str, int],
    *,
    seed: int = 0,
    side_px: int = 256,
    layout: str = "public",
    bands: int = 13,
) -> list[Path]:
    """Write triplets of generated ground; every file is a function of seed, ROI and number alone.

    Args:
        root: The folder that a data set's root names.
        rois: Season and number of each region, with how many patches: ``{"fall_139": 2}``.
        seed: Of ground, weather and noise.
        side_px: Side of a patch.
        layout: ``public`` or ``flat``.
        bands: How many of the 13 bands of the optical files are written, from the first.

    Returns:
        The files, of each patch the radar, the clear and the cloudy image.
    """
    written = []
    for roi, count in rois.items():
        for index in range(count):
            made = render(roi, index, seed=seed, side_px=side_px)
            profile = _profile(roi, index, seed, side_px)
            paths = triplet_paths(root, roi, FIRST_PATCH + index, layout)
            pixels = (made.radar_db, made.clear[:bands], made.cloudy[:bands])
            for kind, image in zip(KINDS, pixels, strict=True):
                write_tif(paths[kind], image, profile)
                written.append(paths[kind])
    return written
