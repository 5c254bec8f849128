r"""Sentinel-2 scenes over a polygon, and the Sentinel-3 passes near them in time, into the archive.

    python examples/getting_data.py --area aoi.geojson --start 2022-07-01 --end 2022-08-01 \
        --timediff 3 --max-cloud 40

Says which pairs there are and how large their products are; with --download it fetches them by
eodag from the Copernicus Data Space, as zips, into s2_root and s3_root/YYYY/MM of environment.json.
It may be repeated: what is in the archive is not fetched again. See docs/getting_data.md.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli
from sensor2sensor.core.errors import InputError, MissingExtraError
from sensor2sensor.core.times import format_utc, parse_utc
from sensor2sensor.geo.footprints import overlap_fraction
from sensor2sensor.preprocess.inventory.options import parse_tile
from sensor2sensor.products.candidates import candidates

PROVIDER = "cop_dataspace"
PASSES = "S3_EFR"
S2_NAME = re.compile(
    r"(?P<platform>S2[A-D])_MSIL(?:1C|2A)_(?P<start>\d{8}T\d{6})_N(?P<baseline>\d{4})_R\d{3}"
    r"_(?P<tile>T\w{5})_(?P<made>\d{8}T\d{6})"
)
S3_NAME = re.compile(
    r"(?P<platform>S3[A-D])_OL_1_EFR____(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})"
    r"_(?P<made>\d{8}T\d{6})_\d{4}_(?P<frame>\d{3}_\d{3}_\w{4})_\w{3}_[A-Z]_(?P<kind>N[RT]|ST)_"
)
# A name has the start of the datatake or frame; the ground is seen some minutes later.
MARGIN = timedelta(minutes=10)
SAME_GROUND = 0.95  # share of a product that a better one of its acquisition shows


@dataclass(frozen=True)
class Item:
    """A product of the catalogue, as eodag describes it.

    Attributes:
        product: what eodag is asked to download.
        title: the product's name without extension.
        start: of sensing.
        stop: of it.
        footprint: shapely geometry, degrees.
        size: bytes, 0 where unknown.
        same: what its acquisition is known by.
        rank: of several products of one acquisition the largest is taken.
    """

    product: Any
    title: str
    start: datetime
    stop: datetime
    footprint: Any
    size: int
    same: tuple[str, ...]
    rank: tuple[bool, str, str]

    def folder(self, s2_root: Path, s3_root: Path) -> Path:
        """Where it belongs in the archive."""
        if self.title.startswith("S2"):
            return s2_root
        return s3_root / f"{self.start:%Y}" / f"{self.start:%m}"


@dataclass(frozen=True)
class Pair:
    """A scene and a pass: how far apart in time, about, and the share of the scene it covers."""

    scene: Item
    pass_: Item
    gap_h: float
    overlap: float


def read_items(products: Iterable[Any]) -> tuple[list[Item], list[str]]:
    """What can be fetched, by sensing time, and names that are left out, why.

    Of an acquisition the newest product is taken; one of other ground, a part that was received
    apart, is another acquisition.
    """
    items, left_out = [], []
    for product in products:
        feature = product.as_dict()
        title = str(feature["properties"]["title"])
        item = _item(product, title, feature)
        if item is None:
            left_out.append(f"{title}: its name is of another form")
        elif feature["properties"].get("order:status", "succeeded") != "succeeded":
            left_out.append(f"{title}: offline, to be ordered in the data space's own workspace")
        else:
            items.append(item)
    best: dict[tuple[str, ...], list[Item]] = {}
    for item in sorted(items, key=lambda item: item.rank, reverse=True):
        better = best.setdefault(item.same, [])
        near = (other for other in better if abs(other.start - item.start) < MARGIN)
        shown = (overlap_fraction(item.footprint, other.footprint) for other in near)
        if not any(share >= SAME_GROUND for share in shown):
            better.append(item)
    taken = (item for better in best.values() for item in better)
    return sorted(taken, key=lambda item: (item.start, item.title)), left_out


def _item(product: Any, title: str, feature: Mapping[str, Any]) -> Item | None:
    from shapely.geometry import shape

    known = S2_NAME.match(title) or S3_NAME.match(title)
    if known is None:
        return None
    told = known.groupdict()
    start = parse_utc(told["start"])
    if "tile" in told:
        same, stop = (told["platform"], told["start"], told["tile"]), start
        # Baselines 99.xx are those of commissioning.
        rank = (not told["baseline"].startswith("99"), told["baseline"], told["made"])
    else:
        # The start of a frame's final product differs by seconds from that of the first one.
        same, stop = (told["platform"], told["frame"]), parse_utc(told["stop"])
        rank = (told["kind"] == "NT", told["made"], title)
    size = int(feature["properties"].get("file:size") or 0)
    return Item(product, title, start, stop, shape(feature["geometry"]), size, same, rank)


def find_pairs(
    scenes: Sequence[Item], passes: Sequence[Item], hours: float, overlap: float, partners: int
) -> list[Pair]:
    """For each scene the passes nearest in time that cover enough of it.

    Args:
        scenes: of Sentinel-2.
        passes: of Sentinel-3.
        hours: largest distance in time.
        overlap: least share of the scene that a pass covers.
        partners: passes for each scene.
    """
    found = []
    for scene in scenes:
        near = []
        for one in passes:
            apart = max(one.start - scene.start, scene.start - one.stop, timedelta(0))
            if apart > timedelta(hours=hours) + MARGIN:
                continue
            share = overlap_fraction(scene.footprint, one.footprint)
            if share >= overlap:
                near.append(Pair(scene, one, apart / timedelta(hours=1), share))
        found += sorted(near, key=lambda pair: (pair.gap_h, pair.pass_.title))[:partners]
    return found


def to_fetch(pairs: Sequence[Pair], there: set[str]) -> list[Item]:
    """The products of pairs, each once, that the archive lacks."""
    every = {item.title: item for pair in pairs for item in (pair.scene, pair.pass_)}
    return [item for title, item in every.items() if title not in there]


def in_archive(*roots: Path) -> set[str]:
    """Names, without extension, of product folders and of zips that are whole to their end."""
    found = [path for root in roots if root.is_dir() for path in candidates(root)]
    return {
        path.name.partition(".")[0] for path in found if path.is_dir() or zipfile.is_zipfile(path)
    }


def search(gateway: Any, area: Any, args: argparse.Namespace) -> tuple[list[Any], list[Any]]:
    """Scenes, and passes in a window as much longer as pairs may be apart.

    Raises:
        InputError: the catalogue could not be asked; eodag keeps that in the result's ``errors``.
    """
    only: dict[str, Any] = {}
    if args.max_cloud is not None:
        only["eo:cloud_cover"] = args.max_cloud
    if args.tile is not None:
        only["grid:code"] = f"MGRS-{parse_tile(args.tile)[1:]}"
    window, apart = (args.start, args.end), timedelta(hours=args.timediff) + MARGIN
    scenes = _ask(gateway, f"S2_MSI_{args.level}", window, area, **only)
    return scenes, _ask(gateway, PASSES, (args.start - apart, args.end + apart), area)


def _ask(
    gateway: Any, collection: str, window: tuple[datetime, datetime], area: Any, **only: Any
) -> list[Any]:
    start, end = map(format_utc, window)
    result = gateway.search_all(
        provider=PROVIDER, collection=collection, start=start, end=end, geom=area, **only
    )
    for name, error in result.errors:
        raise InputError(f"{name} could not be asked for {collection} ({error})", hint="try again")
    return list(result)


def fetch(gateway: Any, items: Sequence[Item], s2_root: Path, s3_root: Path) -> Iterator[str]:
    """Download products as zips, one after the other; yields a line for each that failed."""
    for number, item in enumerate(items, start=1):
        print(f"{number}/{len(items)}  {item.title}", flush=True)
        folder = item.folder(s2_root, s3_root)
        try:
            # A zip is read in place: unpacking would double the archive.
            gateway.download(item.product, output_dir=str(folder), extract=False)
        except Exception as error:  # eodag's, and those of the libraries below it
            yield f"{item.title}: {type(error).__name__}: {error}"


def read_area(path: Path) -> Any:
    """The union of a GeoJSON file's polygons, longitude and latitude in degrees.

    Raises:
        InputError: it is no GeoJSON, or has no area.
    """
    from shapely import unary_union
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # some GIS write a BOM
        parts = content.get("features", [content])
        area = unary_union([shape(part.get("geometry", part)) for part in parts])
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from error
    except (ValueError, AttributeError, KeyError, TypeError, ShapelyError) as error:
        raise InputError(f"is no GeoJSON ({error})", where=path) from error
    if area.area <= 0.0:
        raise InputError("has no polygon", where=path, hint="draw the area, not a point or a line")
    west, south, east, north = area.bounds
    if west < -180.0 or east > 180.0 or south < -90.0 or north > 90.0:
        what = f"reaches from {west:g}, {south:g} to {east:g}, {north:g}"
        raise InputError(what, where=path, hint="give longitude, then latitude, in degrees")
    return area


def open_gateway() -> Any:
    """The gateway of eodag with its configuration.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from eodag import EODataAccessGateway
    except ImportError as error:
        hint = "pip install -r requirements/eodag.txt"
        raise MissingExtraError(f"eodag cannot be loaded ({error})", hint=hint) from error
    return EODataAccessGateway()


def run(args: argparse.Namespace, gateway: Any = None) -> int:
    """Search, pair, tell, and fetch what is asked for; returns the exit code."""
    if args.end <= args.start:
        raise InputError("--end is not after --start")
    env, area = load_environment(args.environment), read_area(args.area)
    gateway = gateway or open_gateway()
    (scenes, odd), (passes, odd_passes) = map(read_items, search(gateway, area, args))
    for line in [*odd, *odd_passes]:
        print(f"left out: {line}")
    pairs = find_pairs(scenes, passes, args.timediff, args.overlap, args.partners)
    for pair in pairs:
        print(f"{pair.scene.title}  {pair.pass_.title}  {pair.gap_h:.1f} h  {pair.overlap:.2f}")
    items = to_fetch(pairs, in_archive(env.s2_root, env.s3_root))[: args.limit]
    size = sum(item.size for item in items)
    print(f"{len(scenes)} scenes, {len(passes)} passes, {len(pairs)} pairs")
    print(f"{len(items)} products to fetch, {size / 1e9:.1f} GB")
    if not (args.download and items):
        return 0
    _check_room(items, env.s2_root, env.s3_root)
    failed = list(fetch(gateway, items, env.s2_root, env.s3_root))
    for line in failed:
        print(f"failed: {line}")
    return 1 if failed else 0


def _check_room(items: Sequence[Item], s2_root: Path, s3_root: Path) -> None:
    need: dict[Path, int] = {}
    for item in items:
        root = item.folder(s2_root, s3_root)
        there = next(folder for folder in (root, *root.parents) if folder.is_dir())
        need[there] = need.get(there, 0) + item.size
    for folder, size in need.items():
        free = shutil.disk_usage(folder).free
        if size > free:
            what = f"{size / 1e9:.1f} GB are to be fetched, {free / 1e9:.1f} GB are free"
            raise InputError(what, where=folder, hint="make room, or fetch a part with --limit")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__, prog="getting_data.py")
    add = parser.add_argument_group("products").add_argument
    add("--area", type=Path, required=True, metavar="FILE", help="GeoJSON with polygons")
    add("--start", type=_day, required=True, metavar="YYYY-MM-DD", help="first day")
    add("--end", type=_day, required=True, metavar="YYYY-MM-DD", help="the day after the last")
    hours, percent, share = _within(0.0, 8760.0), _within(0.0, 100.0), _within(0.0, 1.0)
    add("--timediff", type=hours, default=3.0, metavar="H", help="hours between the two (3)")
    add("--level", choices=("L1C", "L2A"), default="L1C", help="of Sentinel-2 (L1C)")
    add("--max-cloud", type=percent, metavar="PERCENT", help="largest cloud cover of a scene")
    add("--tile", metavar="CODE", help="this tile alone, like T17XNA")
    add("--overlap", type=share, default=0.5, help="least share of a scene a pass covers (0.5)")
    add("--partners", type=cli.positive, default=1, metavar="N", help="passes for each scene (1)")
    add("--limit", type=cli.positive, metavar="N", help="fetch the first N products alone")
    add("--download", action="store_true", help="fetch them; without it they are only listed")
    return parser


def _within(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        with suppress(ValueError):
            if least <= (value := float(text)) <= most:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")

    return number


def _day(text: str) -> datetime:
    try:
        return parse_utc(f"{text}T00:00:00Z")
    except InputError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date like 2022-07-01") from error


if __name__ == "__main__":
    sys.exit(cli.main_guard(run, arguments()))
