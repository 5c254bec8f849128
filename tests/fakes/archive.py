"""A small archive of both sensors over one tile, as a user's disk would hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.landscape import View
from tests.fakes.s2 import DEFAULT_CORNER_M, make_s2
from tests.fakes.s3 import make_s3
from tests.fakes.sky import Sky
from tests.fakes.world import World, transformer

TILE = "T17XNA"
EPSG = 32617
DEMO_BANDS = ("B02", "B03", "B04")


@dataclass(frozen=True)
class Plan:
    """One Sentinel-2 acquisition and the OLCI passes near it."""

    platform: str
    baseline: str
    sensing: datetime
    cloud: float
    wedge: float
    gaps_h: tuple[float, ...]  # OLCI start minus Sentinel-2 sensing
    collection: str
    reprocessed: str | None = None  # a second product of the acquisition: its baseline
    also_near_real_time: bool = False


def _plan(
    platform: str, baseline: str, day: tuple[int, int, int], cloud: float,
    gaps_h: tuple[float, ...], collection: str, wedge: float = 0.0, **extra: Any,
) -> Plan:  # fmt: skip
    sensing = datetime(*day, 17, 19, 11, 24000, tzinfo=UTC) + timedelta(minutes=7 * (day[2] % 9))
    return Plan(platform, baseline, sensing, cloud, wedge, gaps_h, collection, **extra)


PLANS = (
    _plan("S2A", "03.01", (2021, 6, 12), 0.02, (-1.30,), "002", reprocessed="05.00"),
    _plan("S2B", "03.01", (2021, 7, 3), 0.55, (0.45,), "002"),
    _plan("S2A", "03.01", (2021, 8, 19), 0.00, (-2.60, -0.92), "002"),
    _plan("S2B", "04.00", (2022, 6, 27), 0.05, (-0.75,), "003", also_near_real_time=True),
    _plan("S2A", "04.00", (2022, 7, 31), 0.00, (-1.10,), "003", wedge=0.22),
    _plan("S2B", "04.00", (2022, 9, 4), 0.80, (0.20,), "003"),
    _plan("S2A", "05.09", (2023, 6, 9), 0.03, (-1.85, 0.60), "003"),
    _plan("S2B", "05.09", (2023, 7, 22), 0.00, (-0.35,), "003"),
    _plan("S2A", "05.10", (2024, 5, 30), 0.30, (1.25,), "004"),
    _plan("S2B", "05.11", (2024, 8, 2), 0.01, (-3.40,), "004"),
    _plan("S2C", "05.11", (2025, 6, 18), 0.00, (-0.55,), "004"),
    _plan("S2C", "05.11", (2025, 7, 26), 0.06, (-1.45,), "004", wedge=0.12),
)


@dataclass(frozen=True)
class _Job:
    plan: Plan
    root: Path
    size_px: int
    seed: int


def _month(root: Path, sensor: str, time: datetime) -> Path:
    return root / sensor / f"{time:%Y}" / f"{time:%m}"


def _frame_pixels(size_px: int) -> int:
    """Return rows and columns that cover the tile and some 7 km around it, as 32 k + 1."""
    reach_m = size_px * 10.0 * 1.45 + 14000.0
    return 32 * int(np.ceil(reach_m / 270.0 / 32.0)) + 1


def _make(job: _Job) -> list[str]:
    """Write the products of one acquisition; return their names."""
    plan, world = job.plan, World(job.seed, epsg=EPSG)
    west, north = DEFAULT_CORNER_M
    extent = job.size_px * 10.0
    steps = np.arange(30.0, extent, 60.0)
    box = View(west + steps, north - steps, 60.0)
    sky = world.sky(plan.sensing, plan.cloud, box)
    centre = transformer(EPSG, 4326).transform(west + extent / 2, north - extent / 2)
    made = []
    for baseline in filter(None, (plan.baseline, plan.reprocessed)):
        folder = _month(job.root, "s2", plan.sensing)
        later = plan.sensing + timedelta(days=700) if baseline == plan.reprocessed else None
        made.append(
            make_s2(
                folder, world=world, tile=TILE, baseline=baseline, platform=plan.platform,
                sensing=plan.sensing, size_px=job.size_px, bands=DEMO_BANDS, resolutions=(10,),
                nodata_wedge=plan.wedge, epsg=EPSG, seed=job.seed, sky=sky, quality_masks=False,
                generated=later,
            )
        )  # fmt: skip
    made += [_pass(job, world, sky, centre, i) for i in range(len(plan.gaps_h))]
    if plan.also_near_real_time:
        made.append(_pass(job, world, sky, centre, 0, timeliness="NR"))
    return [path.name for path in made]


def _pass(
    job: _Job, world: World, sky: Sky, centre: tuple[float, float], index: int,
    timeliness: str = "NT",
) -> Path:  # fmt: skip
    plan, side = job.plan, _frame_pixels(job.size_px)
    start = plan.sensing + timedelta(hours=plan.gaps_h[index])
    return make_s3(
        _month(job.root, "s3", start), world=world, platform=("S3A", "S3B")[index], start=start,
        rows=side, columns=side, collection=plan.collection, timeliness=timeliness,
        centre_lonlat=centre, seed=job.seed, sky=sky,
    )  # fmt: skip


def _plans(scenes: int) -> Iterator[Plan]:
    """Yield the plans, repeated two days later where more scenes are asked for."""
    for i in range(scenes):
        plan = PLANS[i % len(PLANS)]
        yield replace(plan, sensing=plan.sensing + timedelta(days=2 * (i // len(PLANS))))


def make_archive(
    root: Path, *, scenes: int = 12, size_px: int = 1920, seed: int = 0, workers: int = 1,
    report: Callable[[int, int, list[str]], None] | None = None,
) -> dict[str, object]:  # fmt: skip
    """Write an archive of Sentinel-2 scenes and OLCI passes over T17XNA.

    All scenes show the same ground on different dates (season, light, ice drift, clouds); old
    and new baselines, three platforms, one reprocessed and one near-real-time duplicate.

    Args:
        root: gets `s2/YYYY/MM` and `s3/YYYY/MM`.
        scenes: number of Sentinel-2 acquisitions.
        size_px: side of the tile in 10 m pixels.
        seed: of the world and all noise.
        workers: processes; the result does not depend on it.
        report: called after each acquisition with (done, total, product names).

    Returns:
        `s2_root` and `s3_root` (Path) and `tile`.
    """
    jobs = [_Job(plan, Path(root), size_px, seed) for plan in _plans(scenes)]
    for done, names in enumerate(_run(jobs, workers), start=1):
        if report is not None:
            report(done, len(jobs), names)
    return {"s2_root": Path(root) / "s2", "s3_root": Path(root) / "s3", "tile": TILE}


def _run(jobs: list[_Job], workers: int) -> Iterator[list[str]]:
    if workers <= 1:
        yield from map(_make, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_make, jobs)
