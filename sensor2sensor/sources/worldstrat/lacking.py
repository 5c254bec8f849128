"""Why AOIs are left out before they are read, and what would bring them back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from sensor2sensor.sources.worldstrat.layout import Aoi, Revisit
from sensor2sensor.sources.worldstrat.options import WorldstratOptions

DAYS, SIZE = "days between the looks", "size"
_FAR, _SMALL = "the nearest look is", re.compile(r"has (\d+) x (\d+) pixels of 10 m")


def lacks(aoi: Aoi, candidates: Sequence[Revisit], max_days: int) -> str:
    """What an AOI lacks beside pixels, empty where it is nothing."""
    if aoi.high is None:
        return f"has no {aoi.name}_ps.tiff"
    if not aoi.revisits:
        return "has no look of Sentinel-2 that the metadata date"
    if not candidates:
        return f"{_FAR} {aoi.revisits[0].days:+d} d away, more than {max_days}"
    return ""


def too_small(shape: tuple[int, int], side: int) -> str:
    """What is said of an image smaller than a sample."""
    return f"has {shape[0]} x {shape[1]} pixels of 10 m, not {side}"


def kind_of(reason: str) -> str:
    """What kind of reason one is, in a word or two."""
    if reason.startswith("excluded by"):
        return "--exclude"
    if reason.startswith(_FAR):
        return DAYS
    return SIZE if _SMALL.match(reason) else "missing files or dates"


def advice(reasons: Sequence[str], asked: WorldstratOptions) -> Iterator[str]:
    """What would bring back those that are left out."""
    sides = [min(map(int, found.groups())) for r in reasons if (found := _SMALL.match(r))]
    # A sample as large as its image could not be moved.
    room = min(sides, default=0) - 2 * math.ceil(asked.max_shift)
    if room >= 8:
        most, there = (side * asked.factor for side in (room, min(sides)))
        yield f"--tilesize {most} or less (the images have {there}, and --max-shift needs room)"
    if DAYS in map(kind_of, reasons):
        yield "--max-days with a larger number"
