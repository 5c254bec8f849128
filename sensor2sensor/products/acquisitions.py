"""Choosing one of several products per acquisition: copies, reprocessings, parts of a tile."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.footprints import project
from sensor2sensor.products.sentinel2 import S2Product
from sensor2sensor.products.sentinel3 import S3Product

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

Product = TypeVar("Product", S2Product, S3Product)

# Of one acquisition the non-time-critical product is the final one.
_TIMELINESS_RANK = {"NR": 0, "ST": 1, "NT": 2}
# Frames of the same pass that share more than this part of the shorter one are the same frame.
_SAME_FRAME_SHARE = 0.5
# Footprints of one datastrip differ by baseline (the oldest are coarse outlines); another datastrip
# shows the same ground only where it covers nearly all of it.
_SAME_STRIP_SHARE, _SAME_GROUND_SHARE = 0.5, 0.95


def newest_per_acquisition(
    products: Sequence[Product], *, level: str | None = None
) -> list[Product]:
    """One product per acquisition, in the order of sensing: the first of each of `acquisitions`."""
    return [group[0] for group in acquisitions(products, level=level)]


def acquisitions(products: Sequence[Product], *, level: str | None = None) -> list[list[Product]]:
    """The products of each acquisition, the one to take first; acquisitions by sensing time.

    Sentinel-2: same platform, sensing start and tile; the newest baseline comes first, then the
    newest generation time. Where a datatake was received in pieces, a tile on the cut is in two
    products that each hold a part of it: these are acquisitions of their own. Sentinel-3: same
    platform, type and frame; NT over NR, then the newest.

    Args:
        products: of one sensor.
        level: `L1C` or `L2A`; needed where both are present, since they are never mixed.

    Raises:
        InputError: both levels are present and none was asked for.
    """
    every: list[S2Product | S3Product] = list(products)
    groups: list[Any] = []
    groups += _s2_groups([one for one in every if isinstance(one, S2Product)], level)
    groups += _s3_groups([one for one in every if isinstance(one, S3Product)])
    return cast("list[list[Product]]", groups)


def _s2_groups(products: list[S2Product], level: str | None) -> list[list[S2Product]]:
    levels = sorted({product.level for product in products})
    if level is None and len(levels) > 1:
        raise InputError(
            "the archive holds L1C and L2A products, which are never mixed",
            hint="choose one with --level L1C or --level L2A",
        )
    kept = [product for product in products if level in (None, product.level)]
    # Of copies the path decides, so that every run makes the same choice.
    kept.sort(
        key=lambda one: (_baseline_rank(one.baseline), one.generation_time, s2_order(one)),
        reverse=True,
    )
    parts: dict[tuple[str, datetime, str], list[list[S2Product]]] = {}
    for product in kept:
        groups = parts.setdefault(product.acquisition, [])
        same = next((group for group in groups if _same_ground(product, group[0])), None)
        if same is None:
            groups.append([product])
        else:
            same.append(product)
    every = (group for groups in parts.values() for group in groups)
    return sorted(every, key=lambda group: s2_order(group[0]))


def _same_ground(product: S2Product, better: S2Product) -> bool:
    """Whether a better product of the same datatake and tile shows what this one shows."""
    crs = f"EPSG:{next(iter(better.grids.values())).epsg}"
    one, other = project(product.footprint, crs), project(better.footprint, crs)
    shared = one.intersection(other).area
    if product.datastrip and product.datastrip == better.datastrip:
        return bool(shared >= _SAME_STRIP_SHARE * min(one.area, other.area))
    return bool(shared >= _SAME_GROUND_SHARE * one.area)


def _baseline_rank(baseline: str) -> tuple[int, str]:
    # Baselines 99.xx are those of commissioning: never better than an operational one.
    return (0 if baseline.startswith("99") else 1, baseline)


def _s3_groups(products: list[S3Product]) -> list[list[S3Product]]:
    kept: dict[tuple[str, str], _Frames] = {}
    for product in sorted(products, key=_s3_rank, reverse=True):
        kept.setdefault((product.platform, product.product_type), _Frames()).add(product)
    every = (group for frames in kept.values() for group in frames.groups)
    return sorted(every, key=lambda group: s3_order(group[0]))


class _Frames:
    """Frames of one platform and type by start, each with its products, found by bisection."""

    def __init__(self) -> None:
        self.groups: list[list[S3Product]] = []
        self._starts: list[datetime] = []
        self._longest = timedelta(0)

    def add(self, product: S3Product) -> None:
        """Put a product to its frame, or make it the first of a new one."""
        low = bisect_left(self._starts, product.start - self._longest)
        high = bisect_right(self._starts, product.stop)
        for group in self.groups[low:high]:
            if _same_frame(product, group[0]):
                group.append(product)
                return
        place = bisect_left(self._starts, product.start)
        self._starts.insert(place, product.start)
        self.groups.insert(place, [product])
        self._longest = max(self._longest, product.stop - product.start)


def _s3_rank(product: S3Product) -> tuple[int, datetime, tuple[datetime, str, str]]:
    return _TIMELINESS_RANK[product.timeliness], product.creation_time, s3_order(product)


def _same_frame(one: S3Product, other: S3Product) -> bool:
    shared = min(one.stop, other.stop) - max(one.start, other.start)
    shorter = min(one.stop - one.start, other.stop - other.start)
    return shared > _SAME_FRAME_SHARE * shorter


def s2_order(product: S2Product) -> tuple[datetime, str, str]:
    """By sensing time; of copies the path decides, so that every run makes the same choice."""
    return product.sensing_start, product.name, product.path.as_posix()


def s3_order(product: S3Product) -> tuple[datetime, str, str]:
    """By sensing time, then name and path."""
    return product.start, product.name, product.path.as_posix()
