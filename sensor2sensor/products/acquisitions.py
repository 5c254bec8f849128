"""What was sensed, and by which of several products: copies, reprocessings, parts of a tile.

This is the one place that decides which products show the same and which of them is taken.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sensor2sensor.core.times import format_utc, parse_utc
from sensor2sensor.geo.footprints import project
from sensor2sensor.products.sentinel2 import S2Product
from sensor2sensor.products.sentinel3 import S3Product

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

Product = TypeVar("Product", S2Product, S3Product)

# NR is made within three hours of sensing, NT within a month with consolidated orbit and auxiliary
# data: of one acquisition the non-time-critical product is the final one.
_TIMELINESS_RANK = {"NR": 0, "ST": 1, "NT": 2}
# The last row of a frame and the first of the next are 44 ms apart; the times in manifests are
# rounded in many ways.
_SEAM = timedelta(seconds=1)
# Footprints of one datastrip differ by baseline (the oldest are coarse outlines); another datastrip
# shows the same ground only where it covers nearly all of it.
_SAME_STRIP_SHARE, _SAME_GROUND_SHARE = 0.5, 0.95
# An orbit takes 100 minutes: what a satellite sees of a tile within half of that, it sees at once.
_ONE_PASS = timedelta(minutes=45)
_ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Acquisition:
    """What was sensed: products that agree show the same ground at the same time.

    `scope` is the tile of a Sentinel-2 product, the product type of a Sentinel-3 one. `part` tells
    the parts of a Sentinel-2 tile apart that were received apart; empty where unknown (inventories
    of earlier versions).
    """

    platform: str
    scope: str
    start: datetime
    stop: datetime
    part: str = ""

    def same_as(self, other: Acquisition) -> bool:
        """Whether both are one acquisition."""
        if (self.platform, self.scope) != (other.platform, other.scope):
            return False
        if self.part and other.part and self.part != other.part:
            return False
        # Frames of one Sentinel-3 pass are cut a few rows apart from one processing to the next:
        # those that share more than half of the shorter one are the same. A Sentinel-2 datatake
        # has no length here, and so its start alone counts.
        shared = min(self.stop, other.stop) - max(self.start, other.start)
        shorter = min(self.stop - self.start, other.stop - other.start)
        return self.start == other.start or 2 * shared > shorter

    def goes_on_in(self, other: Acquisition) -> bool:
        """Whether `other` is the next frame of the Sentinel-3 pass that this one is a frame of.

        No two passes of a satellite touch, so its times tell; frames may share some rows.
        """
        if (self.platform, self.scope) != (other.platform, other.scope) or self.same_as(other):
            return False
        in_order = self.start < other.start and self.stop < other.stop
        return in_order and other.start - self.stop <= _SEAM

    def noted(self) -> list[str]:
        """The form it has in the manifest of step 20."""
        what = [self.platform, self.scope, format_utc(self.start), format_utc(self.stop)]
        return [*what, self.part] if self.part else what


def acquisition_of(noted: Sequence[str]) -> Acquisition:
    """The acquisition of a manifest's note."""
    platform, scope, start, stop, *part = noted
    return Acquisition(platform, scope, parse_utc(start), parse_utc(stop), *part)


def frame_of(product: S3Product) -> Acquisition:
    """What a Sentinel-3 product shows."""
    return Acquisition(product.platform, product.product_type, product.start, product.stop)


class Leaders:
    """The product taken of each acquisition leads it; found by bisection among the starts."""

    def __init__(self, leaders: Iterable[Acquisition] = ()) -> None:
        self._of: dict[tuple[str, str], list[Acquisition]] = {}
        self._all: set[Acquisition] = set()
        self._longest = timedelta(0)
        for one in leaders:
            self.add(one)

    def add(self, leader: Acquisition) -> None:
        """Let it lead those that are the same and come later."""
        insort(self._of.setdefault((leader.platform, leader.scope), []), leader, key=_start)
        self._all.add(leader)
        self._longest = max(self._longest, leader.stop - leader.start)

    def of(self, acquisition: Acquisition) -> Acquisition:
        """The leader of an acquisition; the acquisition itself where none leads it."""
        if acquisition in self._all:
            return acquisition
        group = self._of.get((acquisition.platform, acquisition.scope), [])
        low = bisect_left(group, acquisition.start - self._longest, key=_start)
        high = bisect_right(group, acquisition.stop, key=_start)
        return next((one for one in group[low:high] if one.same_as(acquisition)), acquisition)


_start = attrgetter("start")


def acquisitions(products: Sequence[Product]) -> list[list[Product]]:
    """The products of each acquisition, the one to take first; acquisitions by sensing time.

    Sentinel-2: same platform, sensing start, tile and level; the newest baseline comes first, then
    the newest generation time. Where a datatake was received in pieces, a tile on the cut is in two
    products that each hold a part of it: these are acquisitions of their own. Sentinel-3: same
    platform, type and frame; NT over NR, then the newest.
    """
    every: list[S2Product | S3Product] = list(products)
    groups: list[Any] = []
    groups += _s2_groups([one for one in every if isinstance(one, S2Product)])
    groups += _s3_groups([one for one in every if isinstance(one, S3Product)])
    return cast("list[list[Product]]", groups)


def parts_of(groups: Sequence[Sequence[S2Product]]) -> list[str]:
    """What tells the acquisitions of one tile and datatake apart: the start of their datastrip.

    It is the same whichever of the group's products are there. Two parts of one datastrip, which
    no ground segment makes, are numbered.
    """
    parts: list[str] = []
    taken: set[tuple[object, str]] = set()
    for group in groups:
        first = min((product.datastrip for product in group), default="")
        part, number = first, 1
        while (group[0].acquisition, part) in taken:
            number += 1
            part = f"{first}#{number}"
        taken.add((group[0].acquisition, part))
        parts.append(part)
    return parts


def _s2_groups(products: list[S2Product]) -> list[list[S2Product]]:
    best_first = _with_starts(sorted(products, key=s2_rank, reverse=True))
    parts: dict[object, list[list[S2Product]]] = {}
    for product in best_first:
        groups = parts.setdefault((product.acquisition, product.level), [])
        same = next((group for group in groups if _same_ground(product, group[0])), None)
        if same is None:
            groups.append([product])
        else:
            same.append(product)
    every = (group for groups in parts.values() for group in groups)
    return sorted(every, key=lambda group: s2_order(group[0]))


def _with_starts(products: Sequence[S2Product]) -> list[S2Product]:
    """The products; those that do not know the start of their datatake have it from the others."""
    known: dict[tuple[str, str], list[S2Product]] = {}
    made: dict[int, S2Product] = {}
    # By their times, whatever else they are: guessed starts agree however many forms there are.
    for product in sorted(products, key=lambda one: (not _knows_start(one), s2_order(one))):
        of_tile, own = known.setdefault((product.platform, product.tile), []), product
        if not _knows_start(product):
            same = [one for one in of_tile if same_datatake(one, product)]
            nearest = min(same, key=lambda one: _apart(one, product), default=product)
            own = replace(product, sensing_start=nearest.sensing_start)
        of_tile.append(own)
        made[id(product)] = own
    return [made[id(product)] for product in products]


def _knows_start(product: S2Product) -> bool:
    """Whether the start of the datatake is known: a tile's own metadata do not say it."""
    start = product.sensing_start
    guessed = start == product.tile_time or f"{start:%Y%m%dT%H%M%S}" == product.datastrip
    return product.layout == "SAFE" or not guessed


def same_datatake(one: S2Product, other: S2Product) -> bool:
    """Whether two products show one tile at one time, in whatever form they are kept."""
    if one.acquisition == other.acquisition:
        return True
    if (one.platform, one.tile) != (other.platform, other.tile):
        return False
    return not (_knows_start(one) and _knows_start(other)) and _apart(one, other) < _ONE_PASS


def _apart(one: S2Product, other: S2Product) -> timedelta:
    return abs(one.tile_time - other.tile_time)


def _same_ground(product: S2Product, better: S2Product) -> bool:
    """Whether a better product of the same datatake and tile shows what this one shows."""
    crs = f"EPSG:{next(iter(better.grids.values())).epsg}"
    one, other = project(product.footprint, crs), project(better.footprint, crs)
    if product.datastrip and product.datastrip == better.datastrip:
        return _alike(one, other)
    shared = one.intersection(other).area
    # Outlines of items may be wider than what was seen, and no two parts are made at once.
    if "" in (product.datastrip, better.datastrip) and "COG" in (product.layout, better.layout):
        at_once = abs(product.generation_time - better.generation_time) < _ONE_SECOND
        return bool(at_once or shared >= _SAME_GROUND_SHARE * min(one.area, other.area))
    return bool(shared >= _SAME_GROUND_SHARE * one.area)


def shown_by(footprint: Any, others: Sequence[Any], epsg: int) -> bool:
    """Whether products together show the ground of another of their datatake and tile.

    Args:
        footprint: of that other one, longitude and latitude.
        others: footprints.
        epsg: of the tile's grid.
    """
    from shapely import union_all

    one, *rest = (project(shown, f"EPSG:{epsg}") for shown in (footprint, *others))
    return bool(one.intersection(union_all(rest)).area >= _SAME_GROUND_SHARE * one.area)


def same_part(footprint: Any, other: Any, epsg: int) -> bool:
    """Whether products that a better one shows hold one part of its tile, not two."""
    return _alike(project(footprint, f"EPSG:{epsg}"), project(other, f"EPSG:{epsg}"))


def _alike(one: Any, other: Any) -> bool:
    return bool(one.intersection(other).area >= _SAME_STRIP_SHARE * min(one.area, other.area))


def s2_rank(product: S2Product) -> tuple[object, ...]:
    """The better a product of one acquisition, the larger; first of all by its baseline."""
    # Baselines 99.xx are those of commissioning: never better than an operational one. What does
    # not say its baseline, or when its datatake began, comes after what does.
    known = 0 if product.baseline.startswith("99") else 1
    rank = -1 if product.baseline == "unknown" else known, product.baseline
    return rank, _knows_start(product), product.generation_time, s2_order(product)


def _s3_groups(products: list[S3Product]) -> list[list[S3Product]]:
    leaders = Leaders()
    frames: dict[Acquisition, list[S3Product]] = {}
    for product in sorted(products, key=_s3_rank, reverse=True):
        leader = leaders.of(frame_of(product))
        if leader not in frames:
            leaders.add(leader)
        frames.setdefault(leader, []).append(product)
    return sorted(frames.values(), key=lambda group: s3_order(group[0]))


def _s3_rank(product: S3Product) -> tuple[int, datetime, tuple[datetime, str, str]]:
    return _TIMELINESS_RANK[product.timeliness], product.creation_time, s3_order(product)


def s2_order(product: S2Product) -> tuple[datetime, str, str]:
    """By sensing time; of copies the path decides, so that every run makes the same choice."""
    return product.sensing_start, product.name, product.path.as_posix()


def s3_order(product: S3Product) -> tuple[datetime, str, str]:
    """By sensing time, then name and path."""
    return product.start, product.name, product.path.as_posix()
