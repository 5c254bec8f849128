"""A prediction's file: whole, the same each time, and what other people's tools read in it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.inference.cog import read_cog, write_cog
from sensor2sensor.inference.output import PUBLIC_NODATA, OutputBand
from sensor2sensor.inference.scenes.scene import Frame
from tests.doors import HANG_S

HEIGHT, WIDTH = 1100, 700
FRAME = Frame(WIDTH, HEIGHT, (10.0, 0.0, 499980.0, 0.0, -10.0, 6200040.0), "EPSG:32629")
NAMES = ("B02", "B03", "B04", "B08")
BANDS = tuple(OutputBand(name, "reflectance", 400.0 + 50 * i) for i, name in enumerate(NAMES))
PHOTO = tuple(OutputBand(f"band{i}", "DN", value_range=(0.0, 255.0)) for i in range(4))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    made = np.random.default_rng(0).normal(0.1, 0.2, (HEIGHT, WIDTH, 4)).astype(np.float32)
    made[:101, :33] = np.nan
    made[700, 300, 2] = np.nan
    return made


def strips(image: np.ndarray, rows: int):
    for top in range(0, len(image), rows):
        yield image[top : top + rows]


def test_values_and_what_is_said_of_them_come_back(image, tmp_path):
    from rio_cogeo import cog_validate

    out = tmp_path / "new" / "b.tif"
    tags = {"S2S_MODEL": "edsr"}
    told = write_cog(out, FRAME, BANDS, strips(image, 150), tags=tags, colour=(2, 1, 0))
    assert cog_validate(out, strict=True) == (True, [], [])
    assert list(out.parent.iterdir()) == [out]
    there = np.isfinite(image).all(axis=-1)
    assert told.valid_share == pytest.approx(there.mean()) and told.saturated == 0
    with rasterio.open(out) as source:
        wanted = np.where(there[..., None], image, np.float32(np.nan))
        np.testing.assert_array_equal(np.moveaxis(source.read(), 0, -1), wanted)
        np.testing.assert_array_equal(source.dataset_mask() > 0, there)
        assert source.crs.to_epsg() == 32629 and source.transform.to_gdal()[0] == 499980.0
        assert np.isnan(source.nodata) and source.descriptions == NAMES
        assert set(source.units) == {"reflectance"} and source.tags()["S2S_MODEL"] == "edsr"
        assert source.tags()["S2S_SYNTHETIC"].startswith("yes")
        assert source.tags(2) == {"kind": "prediction", "wavelength_nm": "450"}
        colours = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined]
        assert list(source.colorinterp) == colours


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.filterwarnings("error")
def test_a_file_says_again_what_was_written(tmp_path, dtype):
    bands = (*BANDS, OutputBand("B02", "reflectance", kind="std"))
    image = np.full((6, 7, 5), 9, np.float32)
    image[0, 0] = np.nan
    for frame in (replace(FRAME, width_px=7, height_px=6), Frame(7, 6)):
        told = write_cog(tmp_path / "a.tif", frame, bands, [image], dtype=dtype)
        again = read_cog(tmp_path / "a.tif")
        np.testing.assert_equal(asdict(again), asdict(told))
        assert again.saturated == (205 if dtype == "int16" else 0)


def test_the_file_of_another_says_nothing(tmp_path):
    with rasterio.open(tmp_path / "a.tif", "w", "GTiff", 4, 4, 1, None, None, "uint8"):
        pass
    with pytest.raises(InputError, match="no prediction of ours"):
        read_cog(tmp_path / "a.tif")


def test_overviews_are_means_of_what_there_is(image, tmp_path):
    write_cog(tmp_path / "o.tif", FRAME, BANDS, [image])
    with rasterio.open(tmp_path / "o.tif") as source:
        assert source.overviews(1) == [2, 4]
        half = source.read(1, out_shape=(HEIGHT // 2, WIDTH // 2))
    there = np.isfinite(image).all(axis=-1)
    blocks = np.where(there, image[..., 0], np.nan).reshape(HEIGHT // 2, 2, WIDTH // 2, 2)
    alone = np.isnan(blocks).all(axis=(1, 3))
    np.testing.assert_array_equal(np.isnan(half), alone)
    wanted = np.nanmean(blocks.swapaxes(1, 2).reshape(HEIGHT // 2, WIDTH // 2, 4)[~alone], axis=-1)
    np.testing.assert_allclose(half[~alone], wanted, atol=1e-6)


@pytest.mark.parametrize("write", [1, 2])
def test_a_killed_write_leaves_nothing_half_and_a_repeat_gives_the_same_bytes(
    image, tmp_path, write
):
    whole, out = tmp_path / "whole.tif", tmp_path / "out.tif"
    write_cog(whole, FRAME, BANDS, strips(image, 512), dtype="int16")
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(1):
        write_cog(out, FRAME, BANDS, strips(image, 512), dtype="int16")
    assert not out.exists()
    (tmp_path / "out.tif.part" / "strip.npy").touch()  # of who made the strips
    write_cog(out, FRAME, BANDS, strips(image, 77 * write), dtype="int16")
    assert out.read_bytes() == whole.read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {"whole.tif", "out.tif", "out.tif.part"}


@pytest.mark.parametrize("nodata", [-32768, PUBLIC_NODATA])
def test_int16_counts_reflectance_and_loses_no_sign(image, tmp_path, nodata):
    out, given = tmp_path / "i.tif", image.copy()
    given[500, 500] = (5.0, -0.25, -9.0, 1.2)
    told = write_cog(out, FRAME, BANDS, [given], dtype="int16", nodata=nodata)
    assert told.saturated == 2
    with rasterio.open(out) as source:
        stored = np.moveaxis(source.read(), 0, -1)
        assert source.nodata == nodata and set(source.scales) == {1e-4}
    assert stored[500, 500].tolist() == [32767, -2500, nodata + 1, 12000]
    there = np.isfinite(given).all(axis=-1)
    assert (stored[~there] == nodata).all()
    there[500, 500] = False
    np.testing.assert_array_equal(stored[there], np.rint(given[there] * np.float32(10000)))
    np.testing.assert_allclose(stored[there] * 1e-4, given[there], atol=5.01e-5)


@pytest.mark.parametrize(("count", "colour"), [(1, (0, 0, 0)), (3, (0, 1, 2)), (4, (0, 1, 2))])
def test_a_photo_of_8_bits_without_ground(tmp_path, recwarn, count, colour):
    out = tmp_path / "p.tif"
    values = np.random.default_rng(1).uniform(0, 255, (90, 60, count)).astype(np.float32)
    values[3, 4, 0] = 256.2
    values[8] = np.nan
    options = {"dtype": "uint8", "colour": colour}
    told = write_cog(out, Frame(60, 90), PHOTO[:count], strips(values, 40), **options)
    assert told.saturated == 1 and not recwarn.list
    with rasterio.open(out) as source:
        assert source.nodata is None and source.crs is None
        stored, mask = source.read(), source.dataset_mask()
        assert ColorInterp.alpha not in source.colorinterp
        kind = "gray" if count == 1 else "red"
        assert source.colorinterp[0].name == kind
    assert (mask[8] == 0).all() and (np.delete(mask, 8, 0) == 255).all()
    wanted = np.rint(np.minimum(values, 255))
    np.testing.assert_array_equal(np.moveaxis(stored, 0, -1)[mask > 0], wanted[mask > 0])


@pytest.mark.parametrize(
    ("dtype", "bands", "told"),
    [
        ("int16", PHOTO, "8-bit pictures are uint8"),
        ("int16", (OutputBand("VV", "dB"),), "write float32"),
        ("uint8", BANDS, "write int16 or float32"),
    ],
)
def test_a_type_that_does_not_fit_the_unit_is_refused(tmp_path, dtype, bands, told):
    with pytest.raises(InputError, match=told):
        write_cog(tmp_path / "x.tif", FRAME, bands, [], dtype=dtype)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(50, 60, 4), (90, 60, 3), (90, 59, 4), (91, 60, 4)])
def test_strips_of_another_size_are_a_mistake(tmp_path, shape):
    with pytest.raises(ValueError, match="strip"):
        write_cog(tmp_path / "x.tif", Frame(60, 90), BANDS, [np.zeros(shape, np.float32)])
    assert not list(tmp_path.iterdir())


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from sensor2sensor.inference.cog import write_cog
from sensor2sensor.inference.output import OutputBand
from sensor2sensor.inference.scenes.scene import Frame

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
image = np.random.default_rng(0).random((1024, 1024, 1)).astype("f4")  # 4 MiB, 4.5 as a COG
for limit in (1 << 20, 4_300_000, 4_400_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write_cog(Path(sys.argv[1]) / "out.tif", Frame(1024, 1024),
                  (OutputBand("B02", "reflectance"),), [image])
    except OSError as error:
        print(error.strerror.split("(")[0], Path(error.filename).name)
"""


def test_a_full_disk_is_told_and_nothing_is_left(tmp_path):
    words = [sys.executable, "-c", FULL, str(tmp_path)]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=HANG_S)
    assert told.stdout.splitlines() == ["cannot be written; is there room?  out.tif"] * 3
    assert not list(tmp_path.iterdir())


def test_deviations_stand_beside_their_means(tmp_path):
    bands = (BANDS[0], OutputBand("B02", "reflectance", kind="std"))
    write_cog(tmp_path / "s.tif", Frame(8, 8), bands, [np.zeros((8, 8, 2), np.float32)])
    with rasterio.open(tmp_path / "s.tif") as source:
        assert source.descriptions == ("B02", "B02_std") and source.tags(2)["kind"] == "std"


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_overviews_of_odd_sides_are_means_of_what_is_valid(tmp_path, dtype):
    """None is both no data and valid, nor pulled towards the number that stands for that."""
    rng = np.random.default_rng(3)
    side = 1101
    values = rng.uniform(0.1, 0.3, (side, side, 3)).astype(np.float32)
    y, x = np.mgrid[:side, :side]
    values[(x + y < 700) | (rng.random((side, side)) < 0.02)] = np.nan
    out = tmp_path / "o.tif"
    write_cog(out, Frame(side, side), BANDS[:3], [values], dtype=dtype)
    with rasterio.open(out) as source:
        factors, scale = source.overviews(1), source.scales[0]
    for level, factor in enumerate(factors):
        with rasterio.open(out, overview_level=level) as source:
            stored = source.read().astype(np.float64) * scale
            valid = source.read_masks() > 0
        assert np.isfinite(stored[valid]).all() and valid.any() and not valid.all()
        assert 0.09995 <= stored[valid].min() and stored[valid].max() <= 0.30005
        # A block without a value has none, one full of values has their mean.
        whole = values[: side // factor * factor, : side // factor * factor]
        blocks = whole.reshape(side // factor, factor, side // factor, factor, 3)
        full = np.isfinite(blocks).all(axis=(1, 3, 4))[2:-2, 2:-2]
        assert valid[0, 2 : 2 + full.shape[0], 2 : 2 + full.shape[1]][full].all()
