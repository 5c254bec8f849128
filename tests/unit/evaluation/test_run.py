"""Scoring: every tile once, whatever the batch size, by fixed value ranges."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.ledger import read_split, write_split
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.metrics import compute, profile_metrics
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.predictors.model import ModelPredictor, window_starts
from tests.fakes_dataset import make_dataset
from tests.unit.evaluation import toys


def scored(predictors, **options):
    folder, contract = toys.dataset()
    return evaluate(predictors, folder, contract, **options)


@pytest.fixture(scope="module")
def evaluation():
    return scored({"model": toys.noisy(0.01), "nearest": toys.noisy(0.05)})


def test_every_test_tile_has_a_row_per_method(evaluation):
    folder, contract = toys.dataset()
    names = [tile.name for tile in iterate_tiles(folder, contract, "test")]
    assert [row.name for row in evaluation.of("model")] == names
    assert [row.name for row in evaluation.of("nearest")] == names
    assert len(names) == contract.splits["test"].count == 5
    assert all(row.split == "test" for row in evaluation.rows)
    assert {row.scene.split("/")[0] for row in evaluation.rows} == {"inv_toy"}


def test_the_split_table_is_read_once(monkeypatch):
    opened, ordinary = [], Path.open

    def watched(path, *args, **options):
        opened.append(path.name)
        return ordinary(path, *args, **options)

    folder, contract = toys.dataset()
    monkeypatch.setattr(Path, "open", watched)
    evaluate({"model": toys.perfect}, folder, contract, limit=1)
    assert opened.count("split.csv") == 1


def test_values_are_those_of_the_metrics(evaluation):
    folder, contract = toys.dataset()
    tiles = list(iterate_tiles(folder, contract, "test"))
    expected = compute(
        toys.truth(tiles),
        toys.noisy(0.01)(tiles),
        value_ranges=contract.target_ranges(),
        factor=6.0,
        colour=(2, 1, 0),
    )
    for name in profile_metrics("standard"):
        np.testing.assert_allclose(evaluation.values("model", name), expected[name], rtol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_changes_no_value(evaluation, batch_size):
    again = scored({"model": toys.noisy(0.01), "nearest": toys.noisy(0.05)}, batch_size=batch_size)
    for one, other in zip(evaluation.rows, again.rows, strict=True):
        assert one.name == other.name
        assert one.values == pytest.approx(other.values, rel=1e-9)


def test_gains_are_paired_and_clustered_by_ground(evaluation):
    gain = evaluation.gains["nearest"]["rmse"]
    assert gain.mean > 0 and gain.t_low > 0 and gain.bootstrap_low > 0
    # Every toy tile is a block in a scene of its own.
    assert (gain.over, gain.blocks, gain.count, gain.verdict) == ("5 scenes", 5, 5, "better")
    assert evaluation.reference == "nearest"


def test_perfect_and_broken_predictions_are_counted_apart():
    def half(tiles):
        images = toys.truth(tiles).copy()
        for image, tile in zip(images, tiles, strict=True):
            if "00008" in tile.name:
                image[5, 5, 0] = np.nan
        return images

    got = scored({"model": toys.Made(half)})
    assert got.states["model"] == {"perfect": 4, "not_finite": 1}
    psnr = got.summary["model"]["psnr"]
    assert (psnr.count, psnr.undefined, psnr.infinite, psnr.mean) == (0, 1, 4, None)
    ssim = got.summary["model"]["ssim"]
    assert (ssim.count, ssim.undefined) == (4, 1) and ssim.mean == pytest.approx(1.0)


def test_a_model_that_is_not_finite_on_some_tiles_gets_no_verdict_in_any_metric():
    def half(tiles):
        images = toys.noisy(0.001)(tiles)
        for image, tile in zip(images, tiles, strict=True):
            if "00008" in tile.name or "00009" in tile.name:
                image[3, 3] = np.inf
        return images

    got = scored({"model": toys.Made(half), "nearest": toys.noisy(0.05)})
    for name, gain in got.gains["nearest"].items():
        assert (gain.verdict, gain.t_low) == ("none", None), name
        assert gain.note == "no verdict: finite on 3 of 5 tiles"


def test_a_scene_is_an_overpass_whatever_inventory_it_came_from(tmp_path):
    folder = make_dataset(tmp_path, train=2, val=1, test=6)
    rows = [replace(row, inventory=f"inv_{row.name[-3:]}") for row in read_split(folder)]
    contract = load_contract(folder)
    write_split(folder, rows)
    without = evaluate({"m": toys.perfect}, folder, contract)
    assert len({row.scene for row in without.rows}) == 6 and "not recorded" in without.scene_unit
    write_split(folder, [replace(row, overpass="S2A_20221005T115411") for row in rows])
    recorded = evaluate({"m": toys.perfect, "n": toys.noisy(0.05)}, folder, contract)
    assert {row.scene for row in recorded.rows} == {"S2A_20221005T115411"}
    assert recorded.scene_unit == "overpass"
    assert recorded.gains["n"]["rmse"].note == "for this scene only"


def test_suffix_filters_and_limit():
    names = {row.name for row in scored({"m": toys.perfect}, enforce_suffix="notinmask").rows}
    others = {row.name for row in scored({"m": toys.perfect}, exclude_suffix="notinmask").rows}
    assert names and others and len(names | others) == 5 and not names & others
    assert all(name.endswith("notinmask") for name in names)
    assert scored({"m": toys.perfect}, limit=2).tiles == 2
    with pytest.raises(InputError):
        scored({"m": toys.perfect}, enforce_suffix="nowhere")


def test_a_predictor_of_another_shape_is_refused():
    with pytest.raises(InputError, match="target bands"):
        scored({"model": toys.Made(lambda tiles: toys.truth(tiles)[..., :2])})


def test_an_l2_model_is_scored_under_its_own_profile_only():
    _, contract = toys.dataset()
    normalisation = Normalisation("l2", contract)
    model = ModelPredictor(lambda x, training: x, normalisation, "nearest", 4)
    with pytest.raises(ConfigError, match="arisgan"):
        scored({"model": model})
    got = scored({"model": model}, profile="arisgan")
    assert got.metrics == profile_metrics("arisgan")
    assert all(math.isfinite(value) for value in got.values("model", "rmse"))


def generator(seen=None):
    """Stands for a network: hands on the first three channels."""

    def call(x, training):
        assert training is False
        if seen is not None:
            seen.append(x.shape)
        return x[..., :3]

    return call


def tiles_of(count=5):
    folder, contract = toys.dataset()
    return list(iterate_tiles(folder, contract, "test", limit=count)), contract


def test_the_model_predictor_normalises_and_restores():
    tiles, contract = tiles_of()
    seen = []
    predictor = ModelPredictor(
        generator(seen), Normalisation("symmetric", contract), "nearest", batch_size=2
    )
    got = predictor(tiles)
    assert [shape[0] for shape in seen] == [2, 2, 1]
    low, high = contract.input_ranges()[:, 0], contract.input_ranges()[:, 1]
    inputs = np.stack([tile.input_pixels[tile.input_index - 1] for tile in tiles])
    assert (inputs > high).any()  # and nothing is clipped
    scaled = (inputs - low) / (high - low)
    target_low, target_high = contract.target_ranges().T
    np.testing.assert_allclose(got, target_low + scaled * (target_high - target_low), atol=1e-5)


def test_a_generator_of_another_size_sees_resized_tiles():
    tiles, contract = tiles_of(2)
    seen = []
    normalisation = Normalisation("reflectance", contract)
    predictor = ModelPredictor(generator(seen), normalisation, "bicubic", 4, (32, 32))
    assert predictor(tiles).shape == (2, 64, 64, 3)
    assert seen == [(2, 32, 32, 3)]


def test_a_generator_trained_on_crops_sees_windows():
    tiles, contract = tiles_of(2)
    seen = []
    normalisation = Normalisation("reflectance", contract)
    predictor = ModelPredictor(generator(seen), normalisation, "bicubic", 4, (48, 32), crops=True)
    whole = ModelPredictor(generator(), normalisation, "bicubic", 4)
    np.testing.assert_allclose(predictor(tiles), whole(tiles), atol=1e-6)
    assert set(seen) == {(2, 48, 32, 3)} and len(seen) == 4
    assert window_starts(64, 48) == [0, 16] and window_starts(64, 32) == [0, 32]
