"""Quantiles as they are kept: what several processes write, and what is said of them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sensor2sensor.predictors import intervals
from sensor2sensor.predictors.intervals import (
    BandQuantile,
    Intervals,
    keep_intervals,
    read_intervals,
)


def quantiles_of(draws: int = 1, **changes: object) -> Intervals:
    band = BandQuantile(name="B02", unit="reflectance", q=0.02, blocks=12, pixels=99)
    said = {"level": 0.9, "score": "absolute", "calibrated": True, "blocks": 12, "bands": (band,)}
    return Intervals.model_validate({**said, "draws": draws, **changes})


def test_calibrations_at_once_keep_each_others_modes(tmp_path: Path, monkeypatch):
    path = tmp_path / "ckpt-3.intervals.json"

    def slowly(at: Path) -> tuple[Intervals, ...]:
        found = read_intervals(at)
        time.sleep(0.01)  # so that without a lock all of them read what is there before any writes
        return found

    monkeypatch.setattr(intervals, "read_intervals", slowly)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda draws: keep_intervals(path, quantiles_of(draws)), range(1, 7)))
    assert sorted(one.draws for one in read_intervals(path)) == [1, 2, 3, 4, 5, 6]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
