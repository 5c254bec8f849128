"""Inputs on their own grid: each target pixel keeps lying in its input pixel, exactly."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.upsampling import bicubic_matrix, interpolate
from sensor2sensor.pipeline.augmentation import AugmentSpec, Picture, augment
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.pipeline.own_grid import own_grid_problems
from sensor2sensor.pipeline.reader import fixed_batches, training_batches
from sensor2sensor.pipeline.tensors import enlarge
from tests.fakes_dataset import toy_contract
from tests.fakes_extras import make_positions, position_contract, positions

OWN = ReaderOptions(batch_size=4, seed=1, input_upsampling="none", random_rotate=True)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same tiles stored as images and as tables of pixels."""
    root = tmp_path_factory.mktemp("toys")
    return {layout: make_positions(root, layout=layout) for layout in ("dense", "pixels")}


def _blocks(values: np.ndarray, factor: int) -> np.ndarray:
    """``[B, h f, w f, C]`` as ``[B, h, w, f * f, C]``."""
    count, height, width, bands = values.shape
    split = values.reshape(count, height // factor, factor, width // factor, factor, bands)
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(
        count, height // factor, width // factor, factor * factor, bands
    )


def _same_ground(image: np.ndarray, target: np.ndarray, factor: int) -> None:
    """Every input pixel holds the ``factor`` squared target pixels around its centre, each once."""
    offsets = _blocks(np.asarray(target), factor) - np.asarray(image)[..., np.newaxis, :]
    wanted = positions(factor).reshape(-1, 2) - factor / 2
    found = np.sort(offsets[..., 0] * 100 + offsets[..., 1], axis=-1)
    assert np.array_equal(found, np.broadcast_to(np.sort(wanted @ [100, 1]), found.shape))


@pytest.mark.parametrize("factor", [2, 3, 4, 6])
def test_all_symmetries_and_windows_keep_both_grids_on_the_same_ground(factor: int) -> None:
    """Three input pixels a side, windows of two: four places in eight symmetries."""
    spec = AugmentSpec(2 * factor, 2 * factor, random_rotate=True, random_crop=True, factor=factor)
    image, target = tf.constant(positions(3, factor)), tf.constant(positions(3 * factor))
    fine, coarse = Picture(target[..., :1], "nearest"), Picture(image, "nearest", coarse=True)

    def drawn(seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        pair = tf.stack([seed, 7])
        return augment(image, target, pair, spec, extras=[fine, coarse])

    draws = tf.data.Dataset.range(400, output_type=tf.int32).map(drawn).batch(400)
    images, targets, fines, coarses = (part.numpy() for part in next(iter(draws)))
    assert images.shape == (400, 2, 2, 2) and targets.shape == (400, 2 * factor, 2 * factor, 2)
    _same_ground(images, targets, factor)
    assert np.array_equal(fines, targets[..., :1]) and np.array_equal(coarses, images)
    assert len({image.tobytes() for image in images}) == 4 * 8


@pytest.mark.parametrize(("layout", "size"), [("dense", None), ("pixels", 6)])
def test_the_reader_gives_the_input_on_its_own_grid(
    toys: dict[str, Path], layout: str, size: int | None
) -> None:
    folder, contract = toys[layout], load_contract(toys[layout])
    options = replace(OWN, random_crop=True, img_height=size, img_width=size)
    given = [
        *training_batches(folder, contract, None, options).take(8),
        *fixed_batches(folder, contract, None, options, split="val"),
    ]
    side = (size or 12) // 3
    for batch in given:
        assert batch["input"].shape[1:] == (side, side, 2)
        assert batch["target"].shape[1:] == (3 * side, 3 * side, 2)
        _same_ground(batch["input"].numpy(), batch["target"].numpy(), 3)


def test_tiles_resized_to_another_size_show_the_same_ground(toys: dict[str, Path]) -> None:
    """Bilinear interpolation keeps positions; only the outermost pixels have no neighbour."""
    options = replace(OWN, img_height=24, img_width=24)
    contract = load_contract(toys["dense"])
    for batch in training_batches(toys["dense"], contract, None, options).take(2):
        means = _blocks(batch["target"].numpy(), 3).mean(axis=-2)
        inside = (slice(None), slice(1, -1), slice(1, -1))
        np.testing.assert_allclose(means[inside], batch["input"].numpy()[inside], atol=1e-3)


@pytest.mark.parametrize("mode", ["nearest", "bicubic", "none"])
def test_both_layouts_give_the_same_batches(toys: dict[str, Path], mode: str) -> None:
    """Whatever brings the input to the target's grid, by closed forms for a tile not turned."""
    options = replace(OWN, input_upsampling=mode)
    normalised = [Normalisation("symmetric", load_contract(folder)) for folder in toys.values()]
    left, right = (
        training_batches(folder, load_contract(folder), made, options).take(3)
        for folder, made in zip(toys.values(), normalised, strict=True)
    )
    for a, b in zip(left, right, strict=True):
        assert all(np.array_equal(a[key], b[key]) for key in a)
    folder, grid = toys["dense"], positions(4, 3, (4000, 0))
    batch = next(iter(fixed_batches(folder, load_contract(folder), None, options, split="val")))
    weights = bicubic_matrix(12, 4, 3.0)
    wanted = {
        "nearest": np.kron(grid, np.ones((3, 3, 1), np.float32)),
        "bicubic": interpolate(grid, weights, weights),
        "none": grid,
    }
    np.testing.assert_allclose(batch["input"][0], wanted[mode], rtol=1e-6)


def test_an_input_of_a_broken_factor_takes_the_nearest_centre() -> None:
    """Five pixels over twelve: 2.4 target pixels each."""
    contract = position_contract("p", factor=3, layout="dense", tile_px=12)
    spec = contract.input.model_copy(update={"grid": (5, 5)})
    contract = contract.model_copy(update={"factor": 2.4, "input": spec})
    numbers = tf.reshape(tf.range(25), [5, 5, 1])
    found = enlarge(numbers, contract, bicubic=False)[..., 0].numpy()
    assert found[0].tolist() == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4]
    assert np.array_equal(found, found[:1] + 5 * found[0][:, np.newaxis])


PROBLEMS = {
    "input_upsampling": (toy_contract("cur", "sentinel3", 30, 32, 0), (32, 32), 1.0, "swath"),
    "input_upsampling ": (toy_contract("alt", "degraded", 6, 32, 0), (32, 32), 1.0, "32 pixels"),
    "img_height": (None, (10, 12), 1.0, "10 is not a multiple of the factor 3.*take 9"),
    "img_width": (None, (12, 2), None, "2 is not a multiple of the factor 3.*take 3"),
    "random_resize": (None, (12, 12), 1.11, 'write "random_resize": 1.0'),
}


@pytest.mark.parametrize("key", PROBLEMS)
def test_what_cannot_be_whole_is_named_by_its_key(key: str) -> None:
    contract, size, resize, words = PROBLEMS[key]
    contract = contract or position_contract("p", factor=3, layout="dense", tile_px=12)
    found = own_grid_problems(contract, *size, resize)
    assert list(found) == [key.strip()]
    assert re.search(words, found[key.strip()])


def test_the_reader_refuses_it_too(toys: dict[str, Path]) -> None:
    options = replace(OWN, random_resize=1.2)
    with pytest.raises(ConfigError, match="random_resize"):
        training_batches(toys["dense"], load_contract(toys["dense"]), None, options)
