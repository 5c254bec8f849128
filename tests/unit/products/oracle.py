"""Radiometry by satpy, an independent reader (GPL: for tests alone)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_READERS = {"L1C": ("msi_safe", "MTD_MSIL1C.xml"), "L2A": ("msi_safe_l2a", "MTD_MSIL2A.xml")}


def satpy_reflectance(
    folder: Path, level: str, bands: Sequence[str], resolution_m: int
) -> dict[str, np.ndarray]:
    """Reflectance [H, W] by band as satpy sees it: a fraction, +inf where saturated."""
    reader, product_xml = _READERS[level]
    suffix = f"_{resolution_m}m.jp2" if level == "L2A" else ".jp2"
    images = [
        path
        for path in (folder / "GRANULE").glob("*/IMG_DATA/**/*.jp2")
        if path.name.endswith(suffix) and any(f"_{band}" in path.name for band in bands)
    ]
    tiles = list((folder / "GRANULE").glob("*/MTD_TL.xml"))
    loaded = _load([*images, *tiles, folder / product_xml], reader, bands)
    return {name: values / 100.0 for name, values in loaded.items()}


def satpy_olci(folder: Path, names: Sequence[str], calibration: str | None = None) -> dict:
    """Data sets [H, W] of an OLCI product by satpy, radiances in mW m-2 sr-1 nm-1."""
    files = [f"{name}_radiance.nc" for name in names if name.startswith("Oa")]
    files += ["instrument_data.nc", "geo_coordinates.nc", "tie_geometries.nc"]
    return _load([folder / name for name in files], "olci_l1b", names, calibration)


def _load(
    files: Sequence[Path], reader: str, names: Sequence[str], calibration: str | None = None
) -> dict[str, np.ndarray]:
    from satpy import Scene

    options = {} if calibration is None else {"calibration": calibration}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scene = Scene(filenames=[str(path) for path in files], reader=reader)
        scene.load(list(names), **options)
        return {name: np.asarray(scene[name].values, np.float64) for name in names}
