"""Normalisation: closed forms, inverses, bounds; numpy and TensorFlow agree."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.config.vocabulary import NORMALISATIONS
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.contract import DatasetContract, load_contract
from sensor2sensor.dataset.ranges import normalised_range
from sensor2sensor.pipeline.normalisation import Normalisation
from tests.fakes_dataset import make_dataset


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> DatasetContract:
    folder: Path = make_dataset(
        tmp_path_factory.mktemp("n"),
        name="cur_toy",
        kind="sentinel3",
        tile_px=32,
        train=4,
        val=1,
        test=1,
    )
    return load_contract(folder)


def _values(contract: DatasetContract) -> np.ndarray:
    ranges = contract.target_ranges()
    inside = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)).astype(np.float32)
    return (ranges[:, 0] + inside * (ranges[:, 1] - ranges[:, 0])).astype(np.float32)


@pytest.mark.parametrize("kind", [k for k in NORMALISATIONS if k != "l2"])
def test_restore_inverts_inside_the_range(contract: DatasetContract, kind: str) -> None:
    made, values = Normalisation(kind, contract), _values(contract)
    np.testing.assert_allclose(made.restore(made.target(values)), values, atol=1e-6)
    assert made.invertible


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_numpy_and_tensorflow_agree_and_state_travels(contract: DatasetContract, kind: str) -> None:
    made, values = Normalisation(kind, contract), _values(contract)
    same = Normalisation.from_state(json.loads(json.dumps(made.state())))
    np.testing.assert_allclose(made.target(values), made.target(tf.constant(values)), rtol=2e-6)
    assert np.array_equal(made.target(values), same.target(values))
    assert made.target(values).dtype == np.float32


def test_symmetric_maps_the_range_to_its_bounds_and_clips(contract: DatasetContract) -> None:
    made, ranges = Normalisation("symmetric", contract), contract.target_ranges()
    np.testing.assert_allclose(
        made.target(ranges.T[:, None, :]), [[[-1] * 3], [[1] * 3]], atol=1e-6
    )
    beyond = made.target((ranges.T[:, None, :] - 0.5) * 10)
    assert made.target_bounds == (-1.0, 1.0) and np.abs(beyond).max() == 1.0


def test_standard_is_the_train_split_s(contract: DatasetContract) -> None:
    made = Normalisation("standard", contract)
    mean = np.array([[s.mean for s in contract.statistics["target"]]], np.float32)
    np.testing.assert_allclose(made.target(mean), 0, atol=1e-6)
    assert made.target_bounds is None


def test_minmax_and_reflectance(contract: DatasetContract) -> None:
    ends = np.array([[s.minimum, s.maximum] for s in contract.statistics["target"]], np.float32)
    made = Normalisation("minmax", contract)
    np.testing.assert_allclose(made.target(ends.T), [[0] * 3, [1] * 3], atol=1e-6)
    values = _values(contract)
    plain = Normalisation("reflectance", contract)
    assert np.array_equal(plain.target(values), values)
    high = contract.input_ranges()[:, 1][None]
    np.testing.assert_allclose(plain.input(high), 1, rtol=1e-6)


def test_l2_has_unit_norm_and_no_way_back(contract: DatasetContract) -> None:
    made = Normalisation("l2", contract)
    norm = np.sqrt(np.square(made.target(_values(contract))).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(norm, 1, rtol=1e-5)
    assert not made.invertible
    with pytest.raises(ConfigError, match="cannot be inverted"):
        made.restore(np.zeros((1, 2, 2, 3), np.float32))


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_the_range_equals_that_of_the_experiment(contract: DatasetContract, kind: str) -> None:
    wanted = normalised_range(kind, contract)
    assert Normalisation(kind, contract).output_range == pytest.approx(wanted, rel=1e-5)


def test_a_typo_is_answered(contract: DatasetContract) -> None:
    with pytest.raises(ConfigError, match="symmetric"):
        Normalisation("symetric", contract)
