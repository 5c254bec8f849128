"""Bands stored on a finer grid than their own stay whole, wherever windows lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.contract import DatasetContract, load_contract
from sensor2sensor.dataset.recordfile import list_records, read_record
from sensor2sensor.dataset.records import decode
from sensor2sensor.dataset.upsampling import upsample
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.own_grid import own_grid_problems
from sensor2sensor.pipeline.reader import fixed_batches, training_batches
from sensor2sensor.pipeline.tensors import expand, physical
from sensor2sensor.predictors.baselines import Upsampled, same_bands
from tests.fakes.sen2venus import write_sites
from tests.unit.sources.test_sen2venus import SIDE, SITES, door

CROPS = ReaderOptions(
    batch_size=2, random_crop=True, random_rotate=True, img_height=16, img_width=16,
    input_upsampling="none",
)  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DatasetContract]:
    root = tmp_path_factory.mktemp("native")
    data = write_sites(root / "V", SITES, side_px=SIDE)
    assert door(data, root, "--bands", "all") == 0
    folder = root / "sen2venus_x2_all" / str(SIDE)
    return folder, load_contract(folder)


def test_windows_lie_on_whole_pixels_of_every_band(stored: tuple[Path, DatasetContract]) -> None:
    """In an uneven window the 2 x 2 equal values would be those of two pixels."""
    places = set()
    for batch in training_batches(*stored, None, CROPS).take(12):
        low, high = batch["input"].numpy(), batch["target"].numpy()
        blocks = low[..., 4:].reshape(2, 4, 2, 4, 2, 6)
        assert (blocks == blocks[:, :, :1, :, :1]).all()
        # Where a band has no reference its target is that very pixel: both show the same ground.
        np.testing.assert_array_equal(high[..., 8:], low[..., 8:].repeat(2, 1).repeat(2, 2))
        places |= {float(value) for value in low[:, 0, 0, 0]}
    assert len(places) > 8


def test_without_such_bands_windows_lie_as_ever(stored: tuple[Path, DatasetContract]) -> None:
    folder, contract = stored
    bands = tuple(band.model_copy(update={"native_px": 1}) for band in contract.input.bands)
    free = contract.model_copy(update={"input": contract.input.model_copy(update={"bands": bands})})
    odd = False
    for batch in training_batches(folder, free, None, CROPS).take(6):
        blocks = batch["input"].numpy()[..., 4:].reshape(2, 4, 2, 4, 2, 6)
        odd |= bool((blocks != blocks[:, :, :1, :, :1]).any())
    assert odd


def test_windows_that_would_cut_or_blend_them_are_refused(
    stored: tuple[Path, DatasetContract],
) -> None:
    found = own_grid_problems(stored[1], 18, 16, None)
    assert list(found) == ["img_height"] and "take 16" in found["img_height"]
    assert "factor 2 times the 2 pixels of the coarsest band" in found["img_height"]
    with pytest.raises(ConfigError, match=r'random_crop.*write "random_crop": true'):
        training_batches(*stored, None, replace(CROPS, random_crop=False))
    batch = next(iter(fixed_batches(*stored, None, CROPS, split="test")))
    assert batch["input"].shape[1:3] == (8, 8)


def test_bicubic_starts_from_a_bands_own_pixels(stored: tuple[Path, DatasetContract]) -> None:
    """Else it would show steps of 10 m between copies of one value; against TensorFlow's kernel."""
    folder, contract = stored
    options = ReaderOptions(batch_size=1, input_upsampling="bicubic")
    batch = next(iter(fixed_batches(folder, contract, None, options, split="test")))
    record = decode(read_record(list_records(folder, "test")[0]), contract)
    assert record.input_dense is not None
    native_px = [band.native_px for band in contract.input.bands]
    found = upsample(record, "bicubic", native_px)
    # tf.image.resize leaves taps beyond the border out, the house repeats the border: inside only.
    inside = slice(8, -8)
    for bands, px in ((slice(0, 4), 1), (slice(4, 10), 2)):
        own = record.input_dense[::px, ::px, bands]
        wanted = tf.image.resize(own, [SIDE, SIDE], "bicubic").numpy()
        np.testing.assert_allclose(found[inside, inside, bands], wanted[inside, inside], atol=2e-6)
    np.testing.assert_allclose(batch["input"][0], found, atol=1e-6)
    baseline = Upsampled("bicubic", same_bands(contract), tuple(native_px))([record])[0]
    np.testing.assert_array_equal(baseline, found)
    np.testing.assert_array_equal(
        upsample(record, "nearest", native_px), record.input_dense.repeat(2, 0).repeat(2, 1)
    )


def test_on_the_targets_own_grid_coarser_bands_are_enlarged_as_well(
    stored: tuple[Path, DatasetContract],
) -> None:
    """Training must see what prediction does, whatever the ratio of the sensors' pixels."""
    contract = stored[1]
    dense = contract.model_copy(
        update={"input": contract.input.model_copy(update={"grid": None, "dtype": "float32"})}
    )
    image = np.random.default_rng(0).uniform(0, 1e4, (SIDE, SIDE, 10)).astype(np.float32)
    given = physical(tf.constant(image), dense.input.bands)
    record: Any = SimpleNamespace(input_dense=given.numpy(), target=image)
    wanted = upsample(record, "bicubic", [band.native_px for band in dense.input.bands])
    assert np.abs(wanted - given)[..., 4:].max() > 0.1
    made = expand({"input": tf.constant(image)}, dense, bicubic=True)
    np.testing.assert_allclose(made, wanted, atol=1e-6)
    np.testing.assert_array_equal(made[..., :4], given[..., :4])
