"""One full-size pair of products for the benchmarks."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

from tests.fakes.s2 import DEFAULT_CORNER_M, DEFAULT_SENSING, make_s2
from tests.fakes.s3 import make_s3
from tests.fakes.sky import Sky
from tests.fakes.world import World, transformer

_BANDS = ("B02", "B03", "B04")
_GAP_H = -1.2


@dataclass(frozen=True)
class _Job:
    root: Path
    size_px: int
    rows: int
    columns: int
    seed: int
    sky: Sky

    @property
    def world(self) -> World:
        return World(self.seed)

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of the tile's middle."""
        half = self.size_px * 5.0
        west, north = DEFAULT_CORNER_M
        return transformer(self.world.epsg, 4326).transform(west + half, north - half)


def _sentinel2(job: _Job) -> Path:
    return make_s2(
        job.root / "s2", world=job.world, size_px=job.size_px, bands=_BANDS, resolutions=(10,),
        quality_masks=False, seed=job.seed, sky=job.sky,
    )  # fmt: skip


def _sentinel3(job: _Job) -> Path:
    return make_s3(
        job.root / "s3", world=job.world, start=DEFAULT_SENSING + timedelta(hours=_GAP_H),
        rows=job.rows, columns=job.columns, single_chunk=True, centre_lonlat=job.centre,
        seed=job.seed, sky=job.sky,
    )  # fmt: skip


def make_pair(
    root: Path, *, size_px: int = 10980, rows: int = 4091, columns: int = 4865, seed: int = 0,
    cloud: float = 0.05, workers: int = 2,
) -> tuple[Path, Path]:  # fmt: skip
    """Write a Sentinel-2 tile and an OLCI frame around it, full size by default.

    The OLCI variables are one deflated chunk each, the worst case for windowed reading. At full
    size this takes about two minutes on two idle cores and 5 GiB of memory.

    Args:
        root: gets `s2/` and `s3/`.
        size_px: side of the tile in 10 m pixels.
        rows: rows of the OLCI frame.
        columns: columns of it.
        seed: of the world and all noise.
        cloud: cloud cover of the 20 km around the world's centre.
        workers: 2 makes both products at the same time.

    Returns:
        The Sentinel-2 and the Sentinel-3 product.
    """
    world = World(seed)
    job = _Job(Path(root), size_px, rows, columns, seed, world.sky(DEFAULT_SENSING, cloud))
    if workers <= 1:
        return _sentinel2(job), _sentinel3(job)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        first, second = pool.submit(_sentinel2, job), pool.submit(_sentinel3, job)
        return first.result(), second.result()
