"""Archives of thousands of products with whole metadata and nothing in their images.

What steps 10 and 20 read is in the real format: names, XML, the netCDF files of tie points and
times. Images are stubs of some bytes, listed by the manifests with their sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from tests.fakes import olci, s2xml, s3xml
from tests.fakes.netcdf import Variable, write_netcdf
from tests.fakes.packaging import pack, write
from tests.fakes.s2manifest import manifest_xml
from tests.fakes.s2tile import tile_xml
from tests.fakes.s2xml import BANDS, stamp
from tests.fakes.s3pixels import row_times_us
from tests.fakes.swath import Swath
from tests.fakes.world import transformer

EPSG = 32633
FIRST_DAY = datetime(2019, 1, 1, tzinfo=UTC)
DAYS = 1826
_TILE_M, _PITCH_M = 109_800.0, 100_000.0
_EAST, _NORTH = 399_960.0, 5_900_040.0
_COLUMNS = "UVWXY"
_SIDE = 65  # rows and columns of a frame, 72 times as large as real ones
_STUB = b"no image, but a file of its size\n"
_FLAGS = dict.fromkeys(olci.flag_bits("002"), (0, 0.0))


@dataclass(frozen=True)
class Archive:
    """How large an archive is, and what lies where: the same for the same numbers.

    Attributes:
        root: gets `s2/YYYY/MM` and `s3/YYYY/MM`.
        s2: Sentinel-2 products, of all tiles in turn.
        s3: Sentinel-3 frames; every second one lies over the tiles.
        tiles: of Sentinel-2, side by side, five in a row.
        seed: of places and times.
    """

    root: Path
    s2: int = 10_000
    s3: int = 10_000
    tiles: int = 20
    seed: int = 0

    def tile(self, number: int) -> str:
        """The name of a tile."""
        row, column = divmod(number % self.tiles, len(_COLUMNS))
        return f"T33{_COLUMNS[column]}{'VUTSRQPNM'[row]}{'ABCDEFGHJK'[row]}"

    def make_s2(self, number: int) -> Path:
        """Write one Sentinel-2 product; every second one is a zip."""
        tile, date = number % self.tiles, number // self.tiles
        dates = max(1, self.s2 // self.tiles)
        day = FIRST_DAY + timedelta(days=(date * DAYS) // dates)
        # A datatake is as old as its tiles: the first of a row is seen first.
        sensing = day + timedelta(hours=10, minutes=date % 30, seconds=number % 7)
        baseline = ("02.07", "04.00", "05.09", "05.11")[date % 4]
        platform = ("S2A", "S2B")[date % 2]
        identity = s2xml.Identity("L1C", platform, baseline, self.tile(tile), sensing)
        row, column = divmod(tile, len(_COLUMNS))
        corner = _EAST + column * _PITCH_M, _NORTH - row * _PITCH_M
        return s2_metadata(self._month("s2", day), identity, corner, zip=number % 2 == 1)

    def make_s3(self, number: int) -> Path:
        """Write one frame; half of them are zips."""
        random = np.random.default_rng((self.seed, number))
        start = FIRST_DAY + timedelta(days=number * DAYS / max(1, self.s3))
        start = start.replace(hour=8, minute=0, second=0, microsecond=0)
        start += timedelta(seconds=number * 997 % (4 * 3600))  # no two frames of a day alike
        centre = (float(random.uniform(10, 22)), float(random.uniform(46, 58)))
        if number % 2:
            centre = (float(random.uniform(-179, 179)), float(random.uniform(-60, 30)))
        identity = s3xml.Identity(
            ("S3A", "S3B")[number % 2], "OL_1_EFR", start, _SIDE, _SIDE, 72, "002", "NT"
        )
        folder, over = self._month("s3", start), number % 2 == 0
        return s3_metadata(folder, identity, centre, ties=over, zip=number % 4 > 1)

    def _month(self, sensor: str, day: datetime) -> Path:
        return self.root / sensor / f"{day:%Y}" / f"{day:%m}"


def s2_metadata(
    folder: Path, identity: s2xml.Identity, corner_m: tuple[float, float], *, zip: bool = False
) -> Path:
    """Write a Sentinel-2 product of stubs; return the `.SAFE` folder or the `.zip`.

    Args:
        folder: where it goes.
        identity: its names and numbers.
        corner_m: upper left of the tile in `EPSG`.
        zip: pack it.
    """
    product = folder / identity.name
    granule = f"GRANULE/{identity.granule}"
    prefix = f"{identity.tile}_{stamp(identity.sensing)}"
    images = [f"{granule}/IMG_DATA/{prefix}_{band}" for band in (*BANDS, "TCI")]
    kind, suffix = ("MSK_CLASSI", "jp2") if identity.new else ("MSK_CLOUDS", "gml")
    mask = f"{granule}/QI_DATA/{kind}_B00.{suffix}"
    facts = s2xml.Facts(
        files=tuple(images), masks=(("", kind, mask),), preview=f"{granule}/QI_DATA/PVI.jp2",
        footprint=_outline_of_tile(corner_m), cloud_percent=float(identity.sensing.day),
        nodata_percent=0.0, snow_percent=0.0, epsg=EPSG, ulx_m=corner_m[0], uly_m=corner_m[1],
        size_px=10980, sun=(40.0, 160.0),
    )  # fmt: skip
    write(product / f"MTD_MSI{identity.level}.xml", s2xml.product_xml(identity, facts))
    write(product / granule / "MTD_TL.xml", tile_xml(identity, facts))
    for name in (*(f"{image}.jp2" for image in images), mask):
        (product / name).parent.mkdir(parents=True, exist_ok=True)
        (product / name).write_bytes(_STUB)
    manifest = manifest_xml(product, identity, facts.footprint, "SHA3-256")
    write(product / "manifest.safe", manifest)
    return pack(product) if zip else product


@lru_cache(maxsize=64)
def _outline_of_tile(corner_m: tuple[float, float]) -> str:
    x, y = corner_m
    ring = [(x, y), (x + _TILE_M, y), (x + _TILE_M, y - _TILE_M), (x, y - _TILE_M), (x, y)]
    places = [transformer(EPSG, 4326).transform(*point) for point in ring]
    return " ".join(f"{lat:.12f} {lon:.12f}" for lon, lat in places)


def s3_metadata(
    folder: Path, identity: s3xml.Identity, centre_lonlat: tuple[float, float], *,
    ties: bool = True, zip: bool = False,
) -> Path:  # fmt: skip
    """Write an OLCI product of stubs, but for its tie points and times; return its path.

    Args:
        folder: where it goes.
        identity: its names and numbers.
        centre_lonlat: the middle of the frame.
        ties: tie points and times that can be read, not stubs of them too.
        zip: pack it.
    """
    product = folder / identity.name
    product.mkdir(parents=True)
    swath = Swath(identity.rows, identity.columns, centre_lonlat, identity.factor)
    lon, lat = swath.lonlat(np.arange(swath.rows)[:, None], np.arange(swath.columns)[None, :])
    stubs = [f"{band}_radiance" for band in olci.BANDS]
    stubs += ["geo_coordinates", "qualityFlags", "instrument_data", "tie_geometries", "tie_meteo"]
    if ties:
        _write_ties(product, swath, lon, lat, identity.start)
    else:
        stubs += ["tie_geo_coordinates", "time_coordinates"]
    for name in stubs:
        (product / f"{name}.nc").write_bytes(_STUB)
    manifest = s3xml.manifest_xml(product, identity, _outline(lon, lat), 1, _FLAGS)
    write(product / "xfdumanifest.xml", manifest)
    return pack(product) if zip else product


def _write_ties(
    product: Path, swath: Swath, lon: np.ndarray, lat: np.ndarray, start: datetime
) -> None:
    steps = {f"{way}_subsampling_factor": np.array([1], np.int16) for way in ("al", "ac")}
    tie, fill = ("tie_rows", "tie_columns"), np.int32(-2147483648)
    degrees = {"latitude": np.rint(lat * 1e6), "longitude": np.rint(lon * 1e6)}
    places = [
        Variable(name, tie, values.astype(np.int32), {"scale_factor": 1e-6}, fill)
        for name, values in degrees.items()
    ]
    write_netcdf(product / "tie_geo_coordinates.nc", places, steps)
    unit = {"units": "microseconds since 2000-01-01 00:00:00"}
    stamps = Variable("time_stamp", ("rows",), row_times_us(swath, start), unit)
    write_netcdf(product / "time_coordinates.nc", [stamps], {})


def _outline(lon: np.ndarray, lat: np.ndarray) -> str:
    """Return the border of a frame as `lat lon ...`, closed, 48 points."""
    last = len(lon) - 1
    along = np.linspace(0, last, 13).astype(int)
    ring = [(0, c) for c in along] + [(r, last) for r in along[1:]]
    ring += [(last, c) for c in along[-2::-1]] + [(r, 0) for r in along[-2::-1]]
    return " ".join(f"{lat[p]:.6g} {lon[p]:.6g}" for p in ring)


def make_metadata(archive: Archive, *, workers: int = 1, part: int = 200) -> Iterator[int]:
    """Write an archive; yields how many products are written.

    Args:
        archive: what to write.
        workers: processes; the archive does not depend on them.
        part: products in one go of a process.
    """
    jobs = [
        (archive, sensor, range(first, min(first + part, count)))
        for sensor, count in (("s2", archive.s2), ("s3", archive.s3))
        for first in range(0, count, part)
    ]
    done = 0
    if workers < 2:
        for job in jobs:
            yield (done := done + _make(job))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for count in pool.map(_make, jobs):
            yield (done := done + count)


def _make(job: tuple[Archive, str, range]) -> int:
    archive, sensor, numbers = job
    make = archive.make_s2 if sensor == "s2" else archive.make_s3
    for number in numbers:
        make(number)
    return len(numbers)
