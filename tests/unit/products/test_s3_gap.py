"""Frames of one pass with rows missing between them: no pixel is taken from beyond the gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.preprocess.tiles.shift import DriftMeter, Overview
from sensor2sensor.products.olci import OlciTile, OlciWindow
from sensor2sensor.products.s3_pass import joined
from sensor2sensor.products.sentinel3 import open_s3
from tests.fakes import make_frames
from tests.unit.products.test_s3_pass import OPTIONS, ROWS, Pair, all_of, grid_over

GAP = slice(18, 26)  # rows that neither of two frames has


@pytest.fixture(scope="module")
def gapped(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The pass as one product, and as frames with eight rows (0.35 s) missing between them."""
    cuts = [slice(0, ROWS), slice(0, GAP.start), slice(GAP.stop, ROWS)]
    made = make_frames(tmp_path_factory.mktemp("gap"), cuts, **OPTIONS)
    whole, *frames = [open_s3(one) for one in made]
    return whole, joined(frames)


@pytest.mark.parametrize("rows", [slice(0, ROWS), slice(10, 20), slice(19, 24), slice(20, ROWS)])
def test_rows_that_no_frame_has_are_rows_without_numbers(gapped: Pair, rows: slice) -> None:
    whole, parts = gapped
    columns = slice(3, 40)
    with whole.open() as one, parts.open() as other:
        assert other.shape == one.shape
        expected, found = all_of(one, rows, columns), all_of(other, rows, columns)
        np.testing.assert_allclose(
            parts.row_times(other, rows).astype(float), whole.row_times(one, rows).astype(float)
        )
        assert np.isnan(other.tie_geolocation()[0][GAP]).all()
        none = {"flags": one.flag_masks["invalid"], "detector_index": -1}
        none["quality"] = int(one.quality(np.uint32([none["flags"]]))[0])
        gap = np.isin(np.arange(ROWS)[rows], np.arange(ROWS)[GAP])
    for name, values in expected.items():
        axis = values.ndim - (1 if name == "time_stamps" else 2)
        values = np.moveaxis(values, axis, 0)
        blank = np.datetime64("NaT") if name == "time_stamps" else none.get(name, np.nan)
        values[gap] = blank
        np.testing.assert_array_equal(np.moveaxis(found[name], axis, 0), values, name, strict=True)


def test_the_ground_of_a_gap_has_no_pixel_of_the_rows_beside_it(gapped: Pair) -> None:
    whole, parts = gapped
    grid = grid_over(whole)
    scene, other = OlciWindow(whole, grid), OlciWindow(parts, grid)
    for place, size in (((128, 128), 256), ((0, 0), 512), ((236, 220), 40)):
        one, two = (made.tile(grid.window(*place, size, size)) for made in (scene, other))
        assert two.radius_m == pytest.approx(one.radius_m, rel=0.01)
        own = _rows_used(one)
        lost = (own >= GAP.start) & (own < GAP.stop)
        assert lost.any() and (_rows_used(two) == own)[~lost].all()
        beside = (own == GAP.start) | (own == GAP.stop - 1)
        assert (two.collocation == 0)[lost & ~beside].all()
        assert two.valid_fraction == pytest.approx(1.0 - lost.mean(), abs=0.12)
    north = other.tile(grid.window(128, 16, 256, 128)).table.rowcol[:, 0]
    assert north.max() == GAP.start - 1, "no neighbour is taken from beyond the gap"


def _rows_used(tile: OlciTile) -> np.ndarray:
    """Row of the OLCI pixel of each pixel, -1 for none."""
    return np.append(-1, tile.table.rowcol[:, 0])[tile.collocation]


def test_the_drift_is_not_measured_on_a_gap(gapped: Pair) -> None:
    whole, _ = gapped
    grid = grid_over(whole)
    overview = np.ones((32, 32), np.float32)
    x, y = np.meshgrid(*grid.reduced(grid.full_window, (64, 64)).xy_centres())
    one, two = (
        DriftMeter(Overview(overview, 16, 0.5 / 16), OlciWindow(product, grid))._sentinel3(x, y)
        for product in gapped
    )
    own = OlciWindow(whole, grid).tile(grid.reduced(grid.full_window, (64, 64)))
    lost = (_rows_used(own) >= GAP.start) & (_rows_used(own) < GAP.stop)
    assert np.isnan(two[lost]).all() and np.isfinite(one).all()
    known = np.isfinite(two)
    np.testing.assert_allclose(two[known], one[known])
    assert known.mean() > 1.0 - lost.mean() - 0.2


def test_a_gap_has_as_many_rows_as_its_time_stamps_say(tmp_path: Path) -> None:
    made = make_frames(tmp_path, [slice(0, 15), slice(33, 44)], **OPTIONS)
    with joined([open_s3(one) for one in made]).open() as reader:
        assert reader.shape[0] == ROWS
