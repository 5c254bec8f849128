"""Normalisation: closed forms, inverses, bounds; numpy and TensorFlow agree."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.config.vocabulary import NORMALISATIONS
from sensor2sensor.core.errors import ConfigError, DatasetError
from sensor2sensor.dataset.bands import BandStatistics
from sensor2sensor.dataset.contract import DatasetContract, load_contract
from sensor2sensor.pipeline.normalisation import Normalisation
from tests.fakes_dataset import glinting, make_dataset, toy_contract


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
        picture=glinting,
    )
    return load_contract(folder)


def _values(contract: DatasetContract) -> np.ndarray:
    ranges = contract.target_ranges()
    inside = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)).astype(np.float32)
    return (ranges[:, 0] + inside * (ranges[:, 1] - ranges[:, 0])).astype(np.float32)


# dsen2cr wants a data set of its own: test_fixed_scaling.py.
KINDS = [kind for kind in NORMALISATIONS if kind != "dsen2cr"]
AFFINE = [kind for kind in KINDS if kind != "l2"]
BOUNDED = {"symmetric": (-1.0, 1.0), "minmax": (0.0, 1.0)}
RELU = (0.0, math.inf)


def _beyond(contract: DatasetContract, side: str) -> np.ndarray:
    """Values from a span below the value range to three above it, ``[1, 41, 1, C]``."""
    low, high = (contract.input_ranges() if side == "input" else contract.target_ranges()).T
    steps = np.linspace(-1, 4, 41, dtype=np.float32)[None, :, None, None]
    return (low + steps * (high - low)).astype(np.float32)


def _output_range(contract: DatasetContract) -> tuple[np.ndarray, np.ndarray]:
    known = contract.statistics["target"]
    return np.array([s.output_low for s in known]), np.array([s.output_high for s in known])


@pytest.mark.parametrize("kind", AFFINE)
@pytest.mark.parametrize("bounds", [None, (-1.0, 1.0), RELU])
def test_inputs_are_never_clipped(
    contract: DatasetContract, kind: str, bounds: tuple[float, float] | None
) -> None:
    """Equal steps stay equal, however far from the range."""
    made = Normalisation(kind, contract, bounds)
    steps = np.diff(made.input(_beyond(contract, "input")).astype(np.float64), axis=1)
    np.testing.assert_allclose(steps / steps[:, :1], 1.0, rtol=1e-4)
    assert (steps > 0).all()


@pytest.mark.parametrize("kind", AFFINE)
def test_what_lies_beyond_the_range_survives_where_the_model_is_unbounded(
    contract: DatasetContract, kind: str
) -> None:
    made, values = Normalisation(kind, contract), _beyond(contract, "target")
    np.testing.assert_allclose(made.restore(made.target(values)), values, rtol=1e-5, atol=1e-6)
    assert made.bounds is None and not made.clipped(values).any()


@pytest.mark.parametrize("kind", BOUNDED)
def test_bounds_stand_for_the_output_range(contract: DatasetContract, kind: str) -> None:
    made, (low, high) = Normalisation(kind, contract, BOUNDED[kind]), _output_range(contract)
    ends = np.stack([low, high])[None, :, None].astype(np.float32)
    wanted = np.broadcast_to(np.array(BOUNDED[kind])[None, :, None, None], ends.shape)
    np.testing.assert_allclose(made.target(ends), wanted, atol=1e-6)
    values = _beyond(contract, "target")
    clipped = np.clip(values, low.astype(np.float32), high.astype(np.float32))
    np.testing.assert_allclose(made.restore(made.target(values)), clipped, rtol=1e-5, atol=1e-6)
    outside = (values < low - 1e-5) | (values > high + 1e-5)
    assert np.array_equal(made.clipped(values), outside.any(axis=-1)) and outside.any()


def test_truth_a_tenth_of_a_span_beyond_the_range_survives_a_bounded_model(
    contract: DatasetContract,
) -> None:
    made, (low, high) = Normalisation("symmetric", contract, (-1, 1)), contract.target_ranges().T
    for values in (low - 0.0999 * (high - low), high + 0.0999 * (high - low)):
        image = values[None, None, None].astype(np.float32)
        np.testing.assert_allclose(made.restore(made.target(image)), image, atol=1e-6)


def test_a_model_without_an_upper_bound_reaches_everything_above(contract: DatasetContract) -> None:
    made, values = Normalisation("minmax", contract, RELU), _beyond(contract, "target")
    low, _ = _output_range(contract)
    clipped = np.maximum(values, low.astype(np.float32))
    np.testing.assert_allclose(made.restore(made.target(values)), clipped, rtol=1e-5, atol=1e-6)
    same = Normalisation.from_state(json.loads(json.dumps(made.state(), allow_nan=False)))
    assert same.bounds == RELU and np.array_equal(same.target(values), made.target(values))


@pytest.mark.parametrize("kind", KINDS)
def test_runs_from_before_keep_their_mapping(contract: DatasetContract, kind: str) -> None:
    """Whatever bounds the model states now; the formula is that of then."""
    made = Normalisation(kind, contract, (-1, 1), legacy=True)
    ends = {"symmetric": ("low", "high"), "minmax": ("minimum", "maximum")}.get(kind)
    for side, mapped in (("input", made.input), ("target", made.target)):
        values, known = _beyond(contract, side), contract.statistics[side]
        if ends is None:
            plain = Normalisation(kind, contract)
            wanted = (plain.input if side == "input" else plain.target)(values)
        else:
            low, high = (np.array([getattr(s, name) for s in known]) for name in ends)
            unit = np.clip((values - low) / (high - low), 0, 1)
            wanted = 2 * unit - 1 if kind == "symmetric" else unit
        np.testing.assert_allclose(mapped(values), wanted, atol=2e-6)
    assert made.bounds == BOUNDED.get(kind)
    assert Normalisation.from_state(json.loads(json.dumps(made.state()))).legacy


@pytest.mark.parametrize(
    ("kind", "bounds"), [*((kind, None) for kind in AFFINE), *((k, (-1.0, 1.0)) for k in BOUNDED)]
)
def test_the_value_range_is_the_image_of_the_quantiles(
    contract: DatasetContract, kind: str, bounds: tuple[float, float] | None
) -> None:
    made = Normalisation(kind, contract, bounds)
    ends = contract.target_ranges().T[None, :, None]
    np.testing.assert_allclose(
        np.array(made.value_ranges).T[None, :, None], made.target(ends), atol=2e-6
    )


def test_a_bounded_map_needs_the_output_range(contract: DatasetContract) -> None:
    bare = [
        s.model_copy(update={"output_low": None, "output_high": None})
        for s in contract.statistics["target"]
    ]
    old = contract.model_copy(update={"statistics": {**contract.statistics, "target": tuple(bare)}})
    with pytest.raises(DatasetError, match="no output range"):
        Normalisation("symmetric", old, (-1, 1))
    Normalisation("reflectance", old, (0, 1))


@pytest.mark.parametrize("kind", AFFINE)
def test_restore_inverts_inside_the_range(contract: DatasetContract, kind: str) -> None:
    made, values = Normalisation(kind, contract), _values(contract)
    np.testing.assert_allclose(made.restore(made.target(values)), values, atol=1e-6)
    assert made.invertible


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_and_tensorflow_agree_and_state_travels(contract: DatasetContract, kind: str) -> None:
    made, values = Normalisation(kind, contract), _values(contract)
    same = Normalisation.from_state(json.loads(json.dumps(made.state())))
    np.testing.assert_allclose(made.target(values), made.target(tf.constant(values)), rtol=2e-6)
    assert np.array_equal(made.target(values), same.target(values))
    assert made.target(values).dtype == np.float32


def test_symmetric_maps_the_value_range_to_one_either_side(contract: DatasetContract) -> None:
    made, ranges = Normalisation("symmetric", contract), contract.target_ranges()
    np.testing.assert_allclose(
        made.target(ranges.T[:, None, :]), [[[-1] * 3], [[1] * 3]], atol=1e-6
    )


def test_standard_is_the_train_split_s(contract: DatasetContract) -> None:
    made = Normalisation("standard", contract)
    mean = np.array([[s.mean for s in contract.statistics["target"]]], np.float32)
    np.testing.assert_allclose(made.target(mean), 0, atol=1e-6)
    assert made.bounds is None


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


def _fixed(unit: str, low: float, high: float) -> DatasetContract:
    """Three bands whose source fixes their range, which is narrower than what train holds."""
    draft = toy_contract("fixed", "degraded", 6, 32, 0)
    known = BandStatistics(
        low=low, high=high, minimum=low + 1, maximum=high - 1, mean=(low + high) / 2, std=1.0,
        count=9, output_low=low, output_high=high,
    )  # fmt: skip
    bands = tuple(b.model_copy(update={"unit": unit}) for b in draft.target.bands)
    sides = {s: getattr(draft, s).model_copy(update={"bands": bands}) for s in ("input", "target")}
    statistics = {"input": (known,) * 3, "target": (known,) * 3}
    return draft.model_copy(update={**sides, "statistics": statistics, "resolution_m": None})


@pytest.mark.parametrize("bounds", [None, (-1.0, 1.0)])
def test_every_number_of_a_photo_has_its_place_and_nothing_is_clipped(
    bounds: tuple[float, float] | None,
) -> None:
    made = Normalisation("symmetric", _fixed("DN", 0, 255), bounds)
    values = np.repeat(np.arange(256, dtype=np.float32)[None, :, None], 3, axis=-1)
    wanted = (values - 127.5) / 127.5
    np.testing.assert_allclose(made.target(values), wanted, atol=1e-7)
    assert np.array_equal(np.rint(made.restore(made.target(values))), values)
    assert not made.clipped(values).any() and made.value_ranges == [(-1.0, 1.0)] * 3
    scaled = Normalisation("reflectance", _fixed("DN", 0, 255)).input(values)
    assert (scaled.min(), scaled.max()) == (0.0, 1.0)
    # minmax is about what was measured, 1 to 254; bounds about what can be.
    extremes = Normalisation("minmax", _fixed("DN", 0, 255), bounds)
    assert extremes.input(values).min() == np.float32(-1 / 253)
    assert extremes.target(values).min() == (np.float32(-1 / 253) if bounds is None else 0.0)


def test_decibels_below_zero_are_left_by_reflectance_and_mapped_by_their_limits() -> None:
    contract = _fixed("dB", -25, 0)
    values = np.linspace(-40, 5, 10, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    assert np.array_equal(Normalisation("reflectance", contract).input(values), values)
    np.testing.assert_allclose(
        Normalisation("symmetric", contract).input(values), (values + 12.5) / 12.5, rtol=1e-6
    )


def test_a_typo_is_answered(contract: DatasetContract) -> None:
    with pytest.raises(ConfigError, match="symmetric"):
        Normalisation("symetric", contract)
