"""WorldStrat in its layouts: AOIs of SPOT with looks of Sentinel-2, and pairs that were cut."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fakes.noise import octaves

LOW_M, HIGH_M, RGBN_M = 10.0, 1.5, 6.0
HIGH_DATE = dt.date(2020, 5, 17)
_DEGREE_M = 111_320.0
_SUBSAMPLES = 8  # along a low pixel: the mean of so many points is its area's
_MEANS = np.array([0.12, 0.14, 0.16, 0.32])  # B2, B3, B4, B8: six deviations above 0
_SPREADS = np.array([0.02, 0.022, 0.026, -0.05])  # near infrared rises where red falls


@dataclass(frozen=True)
class Look:
    """One revisit of Sentinel-2.

    Attributes:
        days: After SPOT.
        moved: SPOT lies so many low pixels down and to the right of it.
        cloud: Share of its rows under clouds.
        other: Another ground: nothing correlates.
        blind: Share of its rows that the data mask leaves out.
    """

    days: int = 1
    moved: tuple[float, float] = (0.0, 0.0)
    cloud: float = 0.0
    other: bool = False
    blind: float = 0.0


def ground(seed: int, key: str, rows_m: NDArray[Any], columns_m: NDArray[Any]) -> NDArray[Any]:
    """Reflectance ``[H, W, 4]`` of B2, B3, B4, B8 at ground positions."""
    field = octaves(seed, key, columns_m, rows_m, 170.0, 5, 0.6)
    own = octaves(seed, key + ".own", columns_m, rows_m, 90.0, 3, 0.5)
    return np.stack(
        [m + s * (0.9 * field + 0.4 * own) for m, s in zip(_MEANS, _SPREADS, strict=True)], axis=-1
    ).astype(np.float64)


def low_truth(seed: int, key: str, side: int, pixel_m: float = LOW_M) -> NDArray[Any]:
    """Means of the ground over square pixels from the AOI's corner ``[side, side, 4]``."""
    n = _SUBSAMPLES
    at = (np.arange(side * n) + 0.5) * pixel_m / n
    return ground(seed, key, at, at).reshape(side, n, side, n, 4).mean(axis=(1, 3))


def write_raw(
    root: Path,
    aois: Mapping[str, tuple[str, Sequence[Look]]],
    *,
    seed: int = 0,
    low_px: int = 40,
    twelve_bit: bool = False,
) -> None:
    """Write AOIs as published: name, split, and looks numbered from 1.

    Args:
        root: Folder of the data set.
        aois: By name the split and the looks.
        seed: Of the ground.
        low_px: Edge in pixels of 10 m.
        twelve_bit: As the copy on Kaggle has it.
    """
    inner = "12bit" if twelve_bit else ""
    metadata, splits = [",tile,n,lon,lat,lowres_date,highres_date"], [",tile,IPCC Class,split"]
    for place, (name, (split, looks)) in enumerate(aois.items()):
        corner = (10.0 + place, 45.0)
        _write_high(root / "hr_dataset" / inner / name, name, seed, low_px, corner)
        splits.append(f"{place * 16},{name},Settlement,{split}")
        for number, look in enumerate(looks, start=1):
            folder = root / "lr_dataset" / name / "L2A"
            _write_low(folder, f"{name}-{number}", name, seed, low_px, corner, look)
            day = HIGH_DATE + dt.timedelta(days=look.days)
            metadata.append(f"{number},{name},{number},{corner[0]},{corner[1]},{day},{HIGH_DATE}")
    (root / "metadata.csv").write_text("\n".join(metadata) + "\n")
    (root / "stratified_train_val_test_split.csv").write_text("\n".join(splits) + "\n")


def write_derived(
    root: Path,
    rows: Sequence[tuple[str, str, float]],
    *,
    factor: int = 2,
    low_px: int = 32,
    seed: int = 0,
) -> list[tuple[Path, Path]]:
    """Write pairs as wsx2 and wsx4 have them: name, split and correlation of each."""
    paths = []
    lines = ["hr_img\tlr_img\tsplit\tcorrelation"]
    for place, (name, split, correlation) in enumerate(rows):
        pair = []
        for side, count in (("hr", low_px * factor), ("lr", low_px)):
            path = root / side / f"{name}_{side}.tif"
            truth = low_truth(seed, name, count, LOW_M * low_px / count)
            numbers = np.rint(truth * 10_000).astype(np.int16)
            _write(path, numbers, low_px * LOW_M / count, None, 5e6 - place * low_px * LOW_M)
            pair.append(path)
        paths.append((pair[0], pair[1]))
        lines.append(
            f"{pair[0].relative_to(root)}\t{pair[1].relative_to(root)}\t{split}\t{correlation}"
        )
    (root / "index.csv").write_text("\n".join(lines) + "\n")
    return paths


def _write_high(folder: Path, name: str, seed: int, low_px: int, corner: Any) -> None:
    for pixel_m, kinds in (
        (HIGH_M, {"ps": [2, 1, 0, 3], "pan": [1]}),
        (RGBN_M, {"rgbn": [2, 1, 0, 3]}),
    ):
        # No whole number of its pixels fits the box that was ordered in degrees.
        count = round(low_px * LOW_M / pixel_m)
        at = (np.arange(count) + 0.5) * low_px * LOW_M / count
        numbers = np.rint(ground(seed, name, at, at) * 10_000).astype(np.uint16)
        for kind, order in kinds.items():
            path = folder / f"{name}_{kind}.tiff"
            _write(path, numbers[..., order], low_px * LOW_M / count, corner)


def _write_low(
    folder: Path, stem: str, name: str, seed: int, low_px: int, corner: Any, look: Look
) -> None:
    margin = 8
    key = name + (".other" if look.other else "")
    n, side = _SUBSAMPLES, low_px + 2 * margin
    at = (np.arange(side * n) + 0.5) * LOW_M / n - margin * LOW_M
    down, right = (part * LOW_M for part in look.moved)
    means = ground(seed, key, at + down, at + right).reshape(side, n, side, n, 4).mean(axis=(1, 3))
    four = means[margin:-margin, margin:-margin]
    cloudy = np.zeros((low_px, low_px), np.uint8)
    cloudy[: round(look.cloud * low_px)] = 1
    four = np.where(cloudy[..., None] == 1, 0.8, np.rint(four * 10_000) / 10_000)
    every = np.full((low_px, low_px, 12), 0.1, np.float32)
    every[..., [1, 2, 3, 7]] = four
    seen = np.ones((low_px, low_px), np.uint8)
    seen[low_px - round(look.blind * low_px) :] = 0
    _write(folder / f"{stem}-L2A_data.tiff", every, LOW_M, corner)
    for kind, mask in (("CLM", cloudy), ("CLP", cloudy * 255), ("dataMask", seen)):
        _write(folder / f"{stem}-{kind}.tiff", mask[..., None], LOW_M, corner)


def _write(
    path: Path, pixels: NDArray[Any], pixel_m: float, corner: Any, north_m: float = 5e6
) -> None:
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = pixels.shape
    where: dict[str, Any] = {"crs": "EPSG:32631"}
    transform = rasterio.Affine(pixel_m, 0.0, 4e5, 0.0, -pixel_m, north_m)
    if corner is not None:
        # Ordered by a box in degrees: pixels are square on the ground, not in degrees.
        tall = pixel_m / _DEGREE_M
        wide = tall / np.cos(np.deg2rad(corner[1]))
        where = {"crs": "EPSG:4326"}
        transform = rasterio.Affine(wide, 0.0, corner[0], 0.0, -tall, corner[1])
    size = {"height": height, "width": width, "count": count, "dtype": pixels.dtype}
    with rasterio.open(path, "w", driver="GTiff", transform=transform, **where, **size) as file:
        file.write(np.moveaxis(pixels, -1, 0))
