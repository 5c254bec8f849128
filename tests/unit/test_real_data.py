"""Data sets of others as they are: the properties that their sources rest on.

Each test takes the folder that its variable names (see ``tests.real_data``), or the samples.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from tests import real_data
from tests.real_data import DATA_SETS, data_set

FEW = 20  # files looked at: the whole of SEN12MS-CR has hundreds of thousands


def first(folder: Path, pattern: str) -> list[Path]:
    found = list(islice(folder.rglob(pattern), FEW))
    assert found, f"no {pattern} below {folder}"
    return found


def test_maps_stand_beside_photos_of_their_size() -> None:
    for path in first(data_set("MAPS_PATH"), "*.jpg"):
        with Image.open(path) as picture:
            assert picture.mode == "RGB" and picture.width == 2 * picture.height, path


def test_masks_lie_on_the_grid_of_their_photos() -> None:
    root = data_set("INRIA_PATH")
    for path in first(root / "train" / "gt", "*.tif"):
        with rasterio.open(path) as mask, rasterio.open(root / "train/images" / path.name) as photo:
            assert (photo.count, photo.dtypes[0], mask.count) == (3, "uint8", 1)
            assert (mask.shape, mask.transform, mask.crs) == (
                photo.shape,
                photo.transform,
                photo.crs,
            )
            window = rasterio.windows.Window(0, 0, *(min(n, 512) for n in mask.shape))
            assert set(np.unique(mask.read(1, window=window))) <= {0, 255}


def triplets(root: Path) -> Iterator[tuple[Path, Path, Path]]:
    """Radar, clear and cloudy files of the patches of which all three are there."""
    for radar in sorted(root.glob("*_s1/s1_*/*.tif")):
        clear, cloudy = (
            Path(str(radar).replace("_s1", f"_{kind}").replace("/s1_", f"/{kind}_"))
            for kind in ("s2", "s2_cloudy")
        )
        if clear.is_file() and cloudy.is_file():
            yield radar, clear, cloudy


@pytest.mark.filterwarnings("ignore", category=NotGeoreferencedWarning)
def test_radar_clear_and_cloudy_share_a_grid() -> None:
    found = list(islice(triplets(data_set("SEN12MSCR_PATH")), FEW))
    assert found
    for files in found:
        with rasterio.open(files[0]) as radar, rasterio.open(files[1]) as clear:
            assert (radar.count, clear.count, clear.dtypes[0]) == (2, 13, "uint16")
            assert radar.shape == clear.shape == (256, 256) and radar.crs == clear.crs
            assert np.nanmax(radar.read()) < 40  # dB, not linear power times a scale
            with rasterio.open(files[2]) as cloudy:
                assert cloudy.transform == clear.transform and cloudy.count == 13


def test_the_index_of_a_site_names_its_patches() -> None:
    for path in first(data_set("SEN2VENUS_PATH"), "index.csv"):
        header = path.read_text(encoding="utf-8").splitlines()[0].split("\t")
        assert {"b2b3b4b8_10m", "b2b3b4b8_05m"} <= set(header), path


def test_a_data_set_that_is_not_there_names_its_variable(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(real_data.SAMPLES, str(tmp_path))
    for variable in DATA_SETS:
        monkeypatch.delenv(variable, raising=False)
        with pytest.raises(pytest.skip.Exception, match=variable):
            data_set(variable)
        monkeypatch.setenv(variable, os.devnull)
        with pytest.raises(AssertionError, match=f"{variable}: no folder"):
            data_set(variable)
        monkeypatch.setenv(variable, str(tmp_path))
        assert data_set(variable) == tmp_path
