"""Generated WorldStrat lies and looks as the published one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from tests.fakes.worldstrat import Look, low_truth, write_derived, write_raw


def test_files_lie_and_are_made_as_published(tmp_path: Path) -> None:
    aois = {"Amnesty POI-8-2-1": ("train", [Look(), Look(-3, cloud=0.25)])}
    write_raw(tmp_path, aois, low_px=20, twelve_bit=True)
    high, low = tmp_path / "hr_dataset/12bit/Amnesty POI-8-2-1", tmp_path / "lr_dataset"
    stem = low / "Amnesty POI-8-2-1/L2A/Amnesty POI-8-2-1-2-"
    shapes = {}
    for name in ("ps", "rgbn", "pan"):
        with rasterio.open(high / f"Amnesty POI-8-2-1_{name}.tiff") as file:
            shapes[name] = (file.count, file.height, file.dtypes[0], file.crs.to_epsg())
            west, south, east, north = file.bounds
    assert shapes == {
        "ps": (4, 133, "uint16", 4326), "rgbn": (4, 33, "uint16", 4326),
        "pan": (1, 133, "uint16", 4326),
    }  # fmt: skip
    with rasterio.open(f"{stem}L2A_data.tiff") as file:
        assert (file.count, file.height, file.dtypes[0]) == (12, 20, "float32")
        assert np.allclose(file.bounds, (west, south, east, north), atol=1e-9)
    with rasterio.open(f"{stem}CLM.tiff") as file:
        assert file.read(1).mean() == 0.25
    assert (tmp_path / "metadata.csv").read_text().count("2020-05-14") == 1


def test_both_sides_show_the_same_ground(tmp_path: Path) -> None:
    write_raw(tmp_path, {"A": ("train", [Look()])}, low_px=20)
    with rasterio.open(tmp_path / "lr_dataset/A/L2A/A-1-L2A_data.tiff") as file:
        seen = np.moveaxis(file.read([2, 3, 4, 8]), 0, -1)
    assert np.abs(seen - low_truth(0, "A", 20)).max() < 1e-4
    ((high, low),) = write_derived(tmp_path / "wsx", [("A", "train", 0.5)], factor=4, low_px=8)
    with rasterio.open(high) as fine, rasterio.open(low) as coarse:
        means = fine.read().reshape(4, 8, 4, 8, 4).mean(axis=(2, 4))
        assert np.abs(means - coarse.read()).max() <= 5
