"""Statistics and order: numpy as the judge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.order import augmentation_seed, chosen_sample, epoch_order, sample_at
from sensor2sensor.dataset.statistics import band_statistics, output_range


def _check(parts: list[np.ndarray]) -> None:
    found = band_statistics(lambda: parts, parts[0].shape[1])
    values = np.concatenate(parts).astype(np.float64)
    low, high = np.quantile(values, [0.001, 0.999], axis=0)
    for band, stat in enumerate(found):
        scale = max(1e-30, np.abs(values[:, band]).max())
        assert stat.low == pytest.approx(low[band], rel=1e-9, abs=1e-12 * scale)
        assert stat.high == pytest.approx(high[band], rel=1e-9, abs=1e-12 * scale)
        assert stat.minimum == values[:, band].min() and stat.maximum == values[:, band].max()
        assert stat.mean == pytest.approx(values[:, band].mean(), rel=1e-9, abs=1e-9 * scale)
        assert stat.std == pytest.approx(values[:, band].std(), rel=1e-6, abs=1e-9 * scale)
        assert stat.count == len(values)
        assert stat.output_low is None and stat.output_high is None


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3000), st.sampled_from(["normal", "ties", "wide"]))
def test_quantiles_are_exact(seed: int, n: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.normal(0, 1, (n, 2)),
        "ties": rng.integers(-2, 3, (n, 2)) / 4,
        "wide": rng.normal(0, 1, (n, 2)) * 10.0 ** rng.integers(-20, 20, (n, 2)),
    }[kind]
    cut = int(rng.integers(0, n + 1))
    parts = [values[:cut].astype(np.float32), values[cut:].astype(np.float32)]
    _check([part for part in parts if len(part)])


@pytest.mark.parametrize(
    ("tail", "upper"),
    [
        (1.1, 1.0 + 0.1),  # nothing beyond the margin: the margin
        (2.2, 2.2),  # the 99.99 % quantile
        (9.0, 1.0 + 2.0),  # at most two spans
    ],
)
def test_the_output_range_has_room_for_what_lies_beyond(tail: float, upper: float) -> None:
    """0 to 1 with a tail of 0.05 % of the values; 99.9 % are below it, 99.99 % are not."""
    values = np.concatenate([np.linspace(0, 1, 19990), np.full(10, tail)]).astype(np.float32)
    (stat,) = band_statistics(lambda: [values[:, None]], 1, outputs=True)
    low, high, highest = np.quantile(values, [0.001, 0.999, 0.9999])
    assert stat.output_low == pytest.approx(low - 0.1 * (high - low))
    assert stat.output_high == pytest.approx(upper, abs=5e-3)
    assert (stat.output_low, stat.output_high) == pytest.approx(output_range(low, high, highest))


def test_statistics_refuse_nothing_and_nan() -> None:
    with pytest.raises(DatasetError, match="no value"):
        band_statistics(list, 2)
    with pytest.raises(DatasetError, match="NaN"):
        band_statistics(lambda: [np.full((3, 1), np.nan, np.float32)], 1)


def test_every_epoch_shows_every_sample_once_in_another_order() -> None:
    drawn = [sample_at(4, k, 10) for k in range(30)]
    for epoch in range(3):
        part = [index for e, _, index in drawn if e == epoch]
        assert sorted(part) == list(range(10))
    assert len({tuple(epoch_order(4, e, 10)) for e in range(6)}) > 1
    assert not np.array_equal(epoch_order(4, 0, 10), epoch_order(5, 0, 10))


def test_without_shuffling_the_order_is_that_of_the_names() -> None:
    assert [sample_at(4, k, 3, shuffle=False)[2] for k in range(6)] == [0, 1, 2, 0, 1, 2]


def test_augmentation_seeds_differ_by_sample_and_epoch() -> None:
    seeds = {augmentation_seed(1, e, i) for e in range(20) for i in range(50)}
    assert len(seeds) == 1000
    assert all(0 <= part < 2**31 for pair in seeds for part in pair)


def test_a_choice_is_fixed_by_the_seed_and_in_order() -> None:
    chosen = chosen_sample(3, 100, 10)
    assert np.array_equal(chosen, chosen_sample(3, 100, 10)) and len(set(chosen)) == 10
    assert list(chosen) == sorted(chosen)
    assert not np.array_equal(chosen, chosen_sample(4, 100, 10))
    assert np.array_equal(chosen_sample(3, 5, None), np.arange(5))
