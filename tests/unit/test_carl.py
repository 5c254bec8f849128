"""CARL against L1: the table of its trainings, against numbers that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.carl import METRICS, PARTS, Scored, places, table
from sensor2sensor.dataset.ledger import SplitRow

TILES = 12


def scored(value: float, names: list[str] | None = None) -> Scored:
    columns = {f"{m}{part}": [value + 0.001 * (i % 3) for i in range(TILES)]
               for part in PARTS for m in METRICS}  # fmt: skip
    return Scored(names or [f"t{i}" for i in range(TILES)], columns)


def where() -> dict[str, list[str]]:
    return {
        "blocks": [f"b{i % 6}" for i in range(TILES)],
        "scenes": [f"s{i % 3}" for i in range(TILES)],
    }


def test_a_gain_is_an_improvement_whatever_the_direction() -> None:
    lines = table([scored(0.2), scored(0.3)], [scored(0.1), scored(0.1)], where())
    assert len(lines) == 2 + len(PARTS) * len(METRICS)
    mae, _, psnr = (line.split(" | ") for line in lines[2:5])
    assert mae[2] == "0.251 ± 0.071" and mae[3] == "0.101 ± 0"
    assert mae[4].startswith("-0.15 (") and psnr[4].startswith("+0.15 (")
    assert mae[5] == "-0.1, -0.2 |" and psnr[5] == "+0.1, +0.2 |"


def test_a_tile_that_no_network_has_a_value_for_costs_no_verdict() -> None:
    first, second = scored(0.2), scored(0.1)
    for run in (first, second):
        run.columns["ssim"][0] = np.nan
    line = table([first], [second], where())[2 + METRICS.index("ssim")]
    assert "+0.1 (" in line and "± nan" in line  # one seed has no spread


def test_runs_on_other_tiles_are_refused() -> None:
    rows: dict[str, SplitRow] = {}
    with pytest.raises(ValueError, match="other tiles"):
        places({"carl": [scored(1.0)], "l1": [scored(1.0, ["x"] * TILES)]}, rows)
