"""Histograms, bars and maps of pages, against counts that are known."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sensor2sensor.core.page.bins import bar_panel, histogram, histogram_panel
from sensor2sensor.core.page.maps import Layer, legend, map_panel


def test_histogram_counts_every_value_once() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 1000).tolist()
    found = histogram([*values, float("nan")])
    assert found is not None
    assert sum(found.counts) + found.below + found.above == 1000
    edges = found.first + found.step * np.arange(len(found.counts) + 1)
    inside, _ = np.histogram(values, edges)
    assert found.counts == tuple(inside)


def test_no_bin_lies_beyond_the_largest_value() -> None:
    """Of shares that reach 100 % none is "100 to 105 %"."""
    for values in ([0.0, 2.5, 37.0, 100.0, 100.0], [*np.linspace(60, 100, 30).tolist(), 100.0]):
        found = histogram(values)
        assert found is not None and found.last == pytest.approx(100.0)
        assert sum(found.counts) == len(values) and found.counts[-1] >= 2
        assert not re.search(r"100 to|to 10[1-9]", histogram_panel("x", "%", values))
    cells = histogram([-0.1, -0.2, 0.0])
    assert cells is not None and cells.last == pytest.approx(0.0) and sum(cells.counts) == 3


def test_values_far_beyond_the_rest_are_counted_at_the_end() -> None:
    found = histogram([*np.linspace(0, 10, 500).tolist(), 1e6])
    assert found is not None and found.above == 1 and found.last < 30
    assert "1 beyond" in histogram_panel("x", "m", [*np.linspace(0, 10, 500).tolist(), 1e6])


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-3.0], [1e-12, 2e-12], [0.1, 0.2, 0.3]])
def test_few_or_equal_values_have_a_histogram(values: list[float]) -> None:
    found = histogram(values)
    assert found is not None and sum(found.counts) == len(values)
    assert histogram_panel("x", "", values).count("<rect") >= 1


def test_nothing_to_count_draws_nothing() -> None:
    assert histogram_panel("x", "", [float("nan")]) == "" == bar_panel("x", {})
    assert map_panel("x", "k", [Layer("tile", "tile")]) == "" == legend([])


def test_bars_are_as_long_as_their_counts() -> None:
    drawn = bar_panel("why", {"a<b": 40, "c": 10}, of="places")
    wide, narrow = (float(w) for w in re.findall(r'width="([\d.]+)" height', drawn))
    assert wide / narrow == pytest.approx(4.0, rel=0.01)
    assert "a&lt;b" in drawn and "a<b" not in drawn


def test_map_keeps_north_up_and_both_axes_alike() -> None:
    corners = [(0.0, 10_000.0), (19_000.0, 10_000.0), (0.0, 1000.0)]
    squares = np.array([(*corner, 1000.0) for corner in corners])
    drawn = map_panel("g", "k", [Layer("tile", "tile", squares=squares)])
    nw, ne, sw = (tuple(map(float, at)) for at in re.findall(r"M([\d.]+) ([\d.]+)h", drawn))
    assert nw[1] == ne[1] < sw[1] and nw[0] == sw[0] < ne[0]
    # 19 km across and 9 km down, to a tenth of a unit.
    assert (ne[0] - nw[0]) / (sw[1] - nw[1]) == pytest.approx(19 / 9, rel=1e-3)


def test_tiles_too_small_to_see_are_thinned_to_one_a_place() -> None:
    squares = np.random.default_rng(0).uniform(0, 1e5, (20_000, 3))
    squares[:, 2] = 100.0
    drawn = map_panel("g", "k", [Layer("tile", "tile", squares=squares)])
    assert len(drawn) < 800_000
