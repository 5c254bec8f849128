"""What is measured of a drift where there is none: the thresholds of ``--correct-shift``.

    python -m benchmarks.drift [--pairs 800] [--workers 2]

Each pair is a generated world of its own that stands still (no ice moves), seen by both sensors up
to three hours apart, at any time of a year, under clouds that go on with the wind, a part of it
without data. Whatever step 40 measures then (``preprocess.tiles.shift``) is error: of its
size the 99th percentile among pairs of like quality is what a shift has to exceed to be used. Left
out of that, and counted, are drifts that are faster than ground: clouds in the wind, minutes later.
Beside it, how well drifts of known size are measured: pairs whose OLCI pixels lie off by some
hundreds of metres. Takes a second of one core a pair; returns 1 where the constants in the code
are not those found.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sensor2sensor.core import files  # noqa: E402 - after the path above
from sensor2sensor.geo.grids import Grid  # noqa: E402
from sensor2sensor.geo.shift import GroundShift  # noqa: E402
from sensor2sensor.preprocess.tiles.shift import (  # noqa: E402
    FASTEST_M_S,
    SURE,
    DriftMeter,
    Overview,
    is_sure,
)
from sensor2sensor.products.olci import OlciWindow  # noqa: E402
from sensor2sensor.products.sentinel3 import open_s3  # noqa: E402
from tests.fakes import World, make_s3  # noqa: E402
from tests.fakes.landscape import View  # noqa: E402
from tests.fakes.s2 import DEFAULT_CORNER_M  # noqa: E402
from tests.fakes.world import transformer  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "drift.json"
PAIRS = 400
SCENE_PX, RESOLUTION_M, REDUCTION = 2048, 10.0, 16
FINE_M = 80.0  # the overview of Sentinel-2 is the mean of what is seen at this size
SWATH_PX = 97
PERCENTILE = 99.0
LEAST_PAIRS = 100  # of a class of quality: fewer have no 99th percentile
SLACK_M = 100.0  # a drift is faster than ground beyond what is measured of none
ROUND_M = 10.0  # thresholds are rounded up to this
DAYS = (100, 270)  # of the year, on which the sun is up over the generated world
CLOUDS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)  # 0.1 of a tile is step 40's limit, not of 20 km
WEDGES = (0.0, 0.0, 0.15, 0.35)
SIZES_M = (150.0, 300.0, 600.0, 1200.0)


@dataclass(frozen=True)
class Pair:
    """Two looks at one world.

    Attributes:
        number: Everything about it derives from this.
        drift_m: How far off OLCI shows the ground, metres east and north.
    """

    number: int
    drift_m: tuple[float, float] = (0.0, 0.0)


def measured(pair: Pair) -> dict[str, Any]:
    """What step 40 measures of a pair's drift: error and size in metres, quality; None: nothing."""
    drawn = np.random.default_rng([2026, pair.number])
    time = datetime(2022, 1, 1, 17, tzinfo=UTC) + timedelta(days=int(drawn.integers(*DAYS)))
    later = time + timedelta(hours=float(drawn.uniform(-3.0, 3.0)))
    still = replace(World(int(drawn.integers(1 << 30))), ice_drift_m_per_h=(0.0, 0.0))
    cloud, wedge = (float(drawn.choice(values)) for values in (CLOUDS, WEDGES))
    overview = _overview(still, time, cloud)
    overview[:, : round(wedge * overview.shape[1])] = np.nan
    grid = Grid(still.epsg, *DEFAULT_CORNER_M, RESOLUTION_M, SCENE_PX, SCENE_PX)
    half = 0.5 * SCENE_PX * RESOLUTION_M
    centre = transformer(still.epsg, 4326).transform(grid.ulx_m + half, grid.uly_m - half)
    with tempfile.TemporaryDirectory() as folder:
        product = make_s3(
            Path(folder), world=replace(still, moved_m=pair.drift_m), start=later, rows=SWATH_PX,
            columns=SWATH_PX, centre_lonlat=centre, seed=pair.number, sky=still.sky(time, cloud),
            collection="002",  # without uncertainties, which nobody reads here
            copies_in_place=pair.number % 2 == 0,
        )  # fmt: skip
        olci = OlciWindow(open_s3(product), grid)
        meter = DriftMeter(Overview(overview, REDUCTION, 0.5 / REDUCTION), olci)
        found = meter.measure(grid.window(896, 896, 256, 256))
    gap_h = (later - time).total_seconds() / 3600.0
    facts = {"number": pair.number, "cloud": cloud, "wedge": wedge, "drift_m": pair.drift_m}
    facts |= {"gap_h": round(gap_h, 4)}
    if found is None:
        return {**facts, "quality": None}
    error = math.hypot(found.east_m - pair.drift_m[0], found.north_m - pair.drift_m[1])
    return {
        **facts, "quality": round(found.quality, 3), "size_m": round(found.length_m, 1),
        "error_m": round(error, 1),
    }  # fmt: skip


def _overview(world: World, time: datetime, cloud: float) -> np.ndarray:
    """Sentinel-2 in red over the scene, as means over the pixels of its overview."""
    step, times = FINE_M, round(REDUCTION * RESOLUTION_M / FINE_M)
    at = (np.arange(round(SCENE_PX * RESOLUTION_M / step)) + 0.5) * step
    # A wavelet's low-pass sample sits on the first pixel of those it stands for.
    at -= 0.5 * (REDUCTION - 1) * RESOLUTION_M
    west, north = DEFAULT_CORNER_M
    view = View(west + at, north - at, step)
    seen = world.reflectance(view, 665.0, time, sky=world.sky(time, cloud))
    size = len(at) // times
    return seen.reshape(size, times, size, times).mean(axis=(1, 3)).astype(np.float32)


def faster(one: dict[str, Any]) -> bool:
    """Whether a measured drift is faster than ground moves."""
    return bool(one["size_m"] > FASTEST_M_S * 3600.0 * abs(one["gap_h"]) + SLACK_M)


def thresholds(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The classes of quality of ``SURE`` with the percentile of sizes found in each."""
    edges = [least for least, _ in SURE] + [math.inf]
    rows = []
    for low, high, (_, used_m) in zip(edges[:-1], edges[1:], SURE, strict=True):
        own = [one for one in found if one["quality"] is not None and low <= one["quality"] < high]
        sizes = [one["size_m"] for one in own if not faster(one)]
        rows.append({
            "quality": low, "pairs": len(sizes), "faster": len(own) - len(sizes),
            "median_m": round(float(np.median(sizes)), 1),
            "percentile_m": round(float(np.percentile(sizes, PERCENTILE)), 1), "used_m": used_m,
        })  # fmt: skip
    return rows


def accuracy(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By size of a known drift: how many would be corrected, and what is left of it then."""
    rows = []
    for size in SIZES_M:
        own = [f for f in found if math.isclose(math.hypot(*f["drift_m"]), size, rel_tol=1e-3)]
        used = [f for f in own if f["quality"] is not None and is_sure(
            GroundShift(f["size_m"], 0.0, f["quality"]), f["gap_h"])]  # fmt: skip
        errors = [f["error_m"] for f in used]
        rows.append({
            "drift_m": size, "pairs": len(own), "corrected": len(used),
            "median_left_m": round(float(np.median(errors)), 1) if errors else None,
            "most_left_m": max(errors, default=None),
        })  # fmt: skip
    return rows


def result_of(still: list[dict[str, Any]], moved: list[dict[str, Any]]) -> dict[str, Any]:
    """What the benchmark keeps: the tables, and every measurement they are made of."""
    kept = ("number", "gap_h", "cloud", "quality", "size_m")
    return {
        "pairs": len(still), "percentile": PERCENTILE, "slack_m": SLACK_M,
        "classes": thresholds(still), "drifts": accuracy(moved),
        "still": [[one.get(key) for key in kept] for one in still],
        "moved": [[*(one.get(key) for key in kept), one.get("error_m")] for one in moved],
    }  # fmt: skip


def drifted(count: int) -> list[Pair]:
    """Pairs of known drifts, the sizes of ``SIZES_M`` in turn, in every direction."""
    angles = np.random.default_rng(7).uniform(0.0, 2.0 * np.pi, count)
    return [
        Pair(100_000 + i, (SIZES_M[i % 4] * math.cos(a), SIZES_M[i % 4] * math.sin(a)))
        for i, a in enumerate(angles)
    ]


def main() -> int:
    """Simulate, print and write the results; returns 1 where a threshold is not what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    pairs = [Pair(number) for number in range(args.pairs)] + drifted(args.pairs // 8)
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(measured, pairs, chunksize=4))
    result = result_of(found[: args.pairs], found[args.pairs :])
    files.write_json(RESULTS, result)
    for row in [*result["classes"], *result["drifts"]]:
        sys.stdout.write("  ".join(f"{key} {value}" for key, value in row.items()) + "\n")
    return 0 if holds(result) else 1


def holds(result: dict[str, Any]) -> bool:
    """Whether every threshold in the code is the percentile found, rounded up."""
    return all(
        row["pairs"] >= LEAST_PAIRS
        and row["used_m"] == math.ceil(row["percentile_m"] / ROUND_M) * ROUND_M
        for row in result["classes"]
    )


if __name__ == "__main__":
    sys.exit(main())
