"""Quantiles over blocks: closed cases, what they promise on generated ground, and an oracle."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from sensor2sensor.predictors.conformal import (
    BINS,
    RELATIVE_ERROR,
    Coverage,
    Pooled,
    bin_of,
    end_of,
    fewest_blocks,
)


def pooled(blocks, bands=("B02",)) -> Pooled:
    made = Pooled(bands)
    for block in blocks:
        made.add(np.asarray(block, np.float32).reshape(len(block), -1))
        made.close()
    return made


def exact(blocks, level: float) -> float:
    """The quantile by the definition, from all scores at once."""
    scores = np.concatenate(blocks).astype(np.float64)
    mass = np.concatenate([np.full(len(b), 1 / len(b)) for b in blocks])
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(mass[order]) >= level * (len(blocks) + 1) - 1e-9
    return float(scores[order][reached][0]) if reached.any() else math.inf


def test_a_quantile_is_the_exact_one_or_a_bin_above_it():
    rng = np.random.default_rng(1)
    for trial in range(20):
        count = int(rng.integers(9, 40))
        sizes = rng.integers(1, 400, count)
        blocks = [rng.gamma(2, 10.0 ** rng.integers(-4, 4), n).astype(np.float32) for n in sizes]
        for level in (0.5, 0.8, 0.9):
            wanted, found = exact(blocks, level), pooled(blocks).quantile("B02", level)
            assert wanted <= found <= wanted * (1 + RELATIVE_ERROR), trial
    assert RELATIVE_ERROR < 5e-4


def test_blocks_weigh_the_same_whatever_their_size():
    # Nine small blocks of score 1 and a large one of score 5: by pixels the median would be 5.
    blocks = [[1.0]] * 9 + [[5.0] * 1000]
    assert pooled(blocks).quantile("B02", 0.8) == 1.0
    assert pooled(blocks).quantile("B02", 0.9) == 5.0
    # The pixels of one block may come in parts, and a pixel without a truth is none.
    parts = Pooled(["B02"])
    parts.add(np.array([[1.0], [np.nan]], np.float32))
    parts.add(np.array([[3.0]], np.float32))
    parts.close()
    parts.add(np.array([[np.nan]], np.float32))
    parts.close()
    assert parts.blocks == {"B02": 1} and parts.pixels == {"B02": 2}
    assert [parts.plain_quantile("B02", level) for level in (0.5, 0.51)] == [1.0, 3.0]


def test_memory_depends_on_neither_pixels_nor_blocks():
    peaks = []
    for blocks in (2, 40):
        tracemalloc.start()
        rng, made = np.random.default_rng(0), Pooled(["B02"])
        for _ in range(blocks):
            made.add(rng.gamma(2, 0.01, (100_000, 1)).astype(np.float32))
            made.close()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0] < 40 * 100_000 * 4  # of scores that were never held at once


@pytest.mark.parametrize(("level", "fewest"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19)])
def test_too_few_blocks_promise_nothing(level, fewest):
    assert fewest_blocks(level) == fewest
    blocks = [[float(n + 1)] for n in range(fewest)]
    assert pooled(blocks).quantile("B02", level) == fewest  # all of them, and no more
    assert pooled(blocks[:-1]).quantile("B02", level) == math.inf
    if fewest > 1:
        assert math.isfinite(pooled(blocks[:-1]).plain_quantile("B02", level))
    assert Pooled(["B02"]).quantile("B02", level) == math.inf


def test_bins_hold_every_score_below_their_end():
    scores = np.array([0, 1e-30, 1e-3, 0.1, 1, 255, 3e38, np.inf], np.float32)
    ends = np.array([end_of(int(number)) for number in bin_of(scores)])
    assert (ends >= scores).all() and ends[0] == 0 and ends[-1] == math.inf
    # 3e38 lies in the last finite bin, whose end is the first number that float32 has not.
    assert (ends[1:6] <= scores[1:6] * (1 + RELATIVE_ERROR)).all()
    assert bin_of(scores).max() == BINS - 1


def blocks_of(rng: np.random.Generator, count: int, sizes: tuple[int, int]):
    """Exchangeable blocks: each has an error of its own scale and offset, and a size."""
    scales, offsets = rng.gamma(3, 1, count), rng.uniform(0.5, 2, count)
    spans = rng.integers(*sizes, count)
    return [
        (offset + scale * rng.exponential(size=n)).astype(np.float32)
        for scale, offset, n in zip(scales, offsets, spans, strict=True)
    ]


def coverage(rng: np.random.Generator, calibration: int, test: int) -> float:
    q = pooled(blocks_of(rng, calibration, (5, 60))).quantile("B02", 0.9)
    counted = Coverage(["B02"])
    for number, block in enumerate(blocks_of(rng, test, (5, 60))):
        counted.add(number, "B02", block <= q, 2 * q * len(block))
    ((_, found),) = counted.result()
    return found.coverage


def test_coverage_of_generated_blocks_is_what_is_promised():
    """200 draws of 100 blocks a side: 89.5 to 92 %; K = 20: 90 % or more; K = 8: infinite."""
    rng = np.random.default_rng(7)
    of_hundred = [coverage(rng, 100, 100) for _ in range(200)]
    assert 0.895 <= np.mean(of_hundred) <= 0.92
    assert np.mean([coverage(rng, 20, 100) for _ in range(200)]) >= 0.9
    assert pooled(blocks_of(rng, 8, (5, 60))).quantile("B02", 0.9) == math.inf


def test_coverage_counts_blocks_and_not_pixels():
    counted = Coverage(["B02", "B03"])
    counted.add("a", "B02", np.array([True, True, False, False]), 8.0)
    counted.add("b", "B02", np.ones(1000, bool), 1000.0)
    counted.add("a", "B02", np.array([True, True, False, False]), 8.0)
    counted.add("c", "B03", np.zeros(0, bool), 0.0)
    ((band, found),) = counted.result()
    assert band == "B02" and found.coverage == 0.75
    assert (found.lowest, found.highest, found.blocks, found.pixels) == (0.5, 1.0, 2, 1008)
    assert found.width == 1.5 and found.std == pytest.approx(0.5 / math.sqrt(2))


@pytest.mark.parametrize("count", [11, 19, 57, 200])  # it refuses fewer
def test_one_pixel_a_block_is_split_conformal_prediction_as_mapie_has_it(count):
    regression = pytest.importorskip("mapie.regression", reason="MAPIE is a development extra")

    class Zero:
        """A fitted regressor that says 0."""

        fitted_ = True

        def fit(self, x, y):
            return self

        def predict(self, x):
            return np.zeros(len(x))

    rng = np.random.default_rng(count)
    truth = rng.standard_normal(count)
    made = regression.SplitConformalRegressor(Zero(), confidence_level=0.9, prefit=True)
    made.conformalize(np.zeros((count, 1)), truth)
    _, ends = made.predict_interval(np.zeros((1, 1)))
    found = pooled(np.abs(truth)[:, None]).quantile("B02", 0.9)
    assert ends[0, 1, 0] * (1 - 1e-7) <= found <= ends[0, 1, 0] * (1 + RELATIVE_ERROR)
