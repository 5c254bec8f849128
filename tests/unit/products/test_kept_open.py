"""Rasters kept open for a scene give the same values, are opened once and closed at the end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.archives import ProductFiles
from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.products import s2_images
from sensor2sensor.products.sentinel2 import S2Product, open_s2

WINDOWS = (PixelWindow(0, 0, 60, 60), PixelWindow(40, 80, 60, 60), PixelWindow(-5, 150, 60, 60))


def read_all(product: S2Product) -> list[np.ndarray]:
    read = [product.read_reflectance(("B02", "B04"), 10, window) for window in WINDOWS]
    quality = [product.read_quality(10, window)[0] for window in WINDOWS]
    return [array for pair in read for array in pair] + quality


@pytest.mark.parametrize("packed", [False, True])
def test_each_raster_is_opened_once(
    s2_product: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    product = open_s2(s2_product(level="L1C", nodata_wedge=0.2, zip=packed))
    expected = read_all(product)
    opened = []
    original = s2_images._opened

    def counting(files: ProductFiles, member: str) -> object:
        opened.append((member, original(files, member)))
        return opened[-1][1]

    monkeypatch.setattr(s2_images, "_opened", counting)
    with s2_images.kept_open():
        values = read_all(product)
        assert not any(source.closed for _, source in opened)
    for one, other in zip(values, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    paths = [path for path, _ in opened]
    assert len(paths) == len(set(paths)) == 3, "two bands and a mask"
    assert all(source.closed for _, source in opened)
    product.read_dn("B02", 10, WINDOWS[0])
    assert opened[-1][1].closed, "outside, nothing stays open"


def test_damage_is_named_and_leaves_nothing_open(
    s2_product: Callable[..., Path], tmp_path: Path
) -> None:
    import shutil

    folder = Path(shutil.copytree(s2_product(level="L1C"), tmp_path / "x.SAFE"))
    product = open_s2(folder)
    image = folder / product.band_member("B04", 10)
    image.write_bytes(image.read_bytes()[:-2000])
    with pytest.raises(ProductError, match=r"_B04\.jp2: unreadable"), s2_images.kept_open():
        read_all(product)
    assert s2_images._shelf.get() is None


@pytest.mark.parametrize("kept", [False, True])
def test_no_block_of_a_cut_image_is_taken_for_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], kept: bool
) -> None:
    """Of several blocks at once: GDAL's own threads lose what fails in them."""
    import rasterio

    from sensor2sensor.core.archives import FolderFiles
    from sensor2sensor.geo.grids import Grid

    numbers = np.random.default_rng(0).integers(0, 5000, (1, 300, 300), np.uint16)
    grid = Grid(32617, 500_000, 8_100_000, 10, 300, 300)
    how = {"dtype": "uint16", "REVERSIBLE": "YES", "QUALITY": "100", "BLOCKXSIZE": 64}
    path = tmp_path / "b.jp2"
    with rasterio.open(
        path, "w", "JP2OpenJPEG", 300, 300, 1, crs="EPSG:32617",
        transform=rasterio.Affine(10, 0, 500_000, 0, -10, 8_100_000), BLOCKYSIZE=64, **how,
    ) as target:  # fmt: skip
        target.write(numbers)
    files = FolderFiles(tmp_path)
    read = partial(s2_images.read_window, files, "b.jp2", grid, PixelWindow(0, 0, 300, 300))
    with s2_images.kept_open() if kept else nullcontext():
        np.testing.assert_array_equal(read(), numbers[0])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with s2_images.kept_open() if kept else nullcontext(), ThreadPoolExecutor(1) as pool:
        here = copy_context()
        for attempt in (read, lambda: pool.submit(here.run, read).result()):
            with pytest.raises(ProductError, match=r"b\.jp2: unreadable"):
                attempt()
    assert capfd.readouterr().err == ""
