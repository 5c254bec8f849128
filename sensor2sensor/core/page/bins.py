"""Counts drawn: histograms of numbers, bars of things that are counted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sensor2sensor.core.page.svg import (
    FOOT,
    RIGHT,
    TOP,
    WIDTH,
    Panel,
    Scale,
    n,
    rows_of,
    text,
    tick_text,
    ticks,
)

HEIGHT = 112.0  # of the frame of a histogram
BINS = 24  # about so many, of a round width
# An axis that must hold every value makes a histogram one bar: beyond this many times the span of
# the inner 98 % values are counted at its end.
STRETCH = 1.8
LABEL_ROOM = 44.0  # right of a bar, for its number


@dataclass(frozen=True)
class Histogram:
    """Counts of values in bins of one round width.

    Attributes:
        first: Lower edge of the first bin.
        step: Width of each.
        counts: Of each bin.
        below: Values below the first bin.
        above: Values above the last.
    """

    first: float
    step: float
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0

    @property
    def last(self) -> float:
        """Upper edge of the last bin."""
        return self.first + self.step * len(self.counts)


def histogram(values: Sequence[float]) -> Histogram | None:
    """Finite values counted; None where there are none."""
    known = np.asarray([value for value in values if math.isfinite(value)], np.float64)
    if not known.size:
        return None
    low, high = _shown(known)
    step = _round_step(low, high)
    # Edges are whole multiples of the step: equal values never fall on both sides of one.
    places = np.floor(known / step + 1e-9).astype(np.int64)
    first, last = math.floor(low / step + 1e-9), math.floor(high / step + 1e-9)
    # No value lies beyond the largest: where that is an edge, the last bin holds it, too.
    if high == known.max() and last > first and math.isclose(high, last * step, rel_tol=1e-9):
        places, last = np.where(places == last, last - 1, places), last - 1
    inside = places[(places >= first) & (places <= last)]
    counts = np.bincount(inside - first, minlength=last - first + 1)
    below, above = int((places < first).sum()), int((places > last).sum())
    return Histogram(first * step, step, tuple(map(int, counts)), below, above)


def _shown(known: np.ndarray) -> tuple[float, float]:
    least, low, high, most = (float(q) for q in np.percentile(known, (0, 1, 99, 100)))
    room = (STRETCH - 1) * (high - low)
    if room <= 0:
        return least, most
    return max(least, low - room), min(most, high + room)


def _round_step(low: float, high: float) -> float:
    raw = (high - low) / BINS
    if raw <= abs(high) * 1e-9 or raw <= 0:
        return (abs(high) or 1.0) / BINS
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)


def histogram_panel(
    title: str,
    unit: str,
    values: Sequence[float],
    *,
    of: str = "tiles",
    marks: Mapping[str, float] | None = None,
) -> str:
    """A histogram as an ``<svg>``; empty without a finite value.

    Args:
        title: Above the frame.
        unit: Under the axis.
        values: Counted.
        of: What is counted.
        marks: Places on the axis that mean something, by their name.
    """
    found = histogram(values)
    if found is None:
        return ""
    most = max(found.counts)
    left = 8.0 + 6.2 * len(f"{most}")
    x = Scale(found.first, found.last, left, WIDTH - RIGHT)
    y = Scale(0.0, float(most), TOP + HEIGHT, TOP + 4)
    median = float(np.median([value for value in values if math.isfinite(value)]))
    total = sum(found.counts) + found.below + found.above
    alt = (
        f"{title}: {total} {of}, median {median:.3g} {unit}, most between "
        f"{_bin_text(found, found.counts.index(most))} {unit}"
    )
    parts = [
        f'<svg class="panel" viewBox="0 0 {n(WIDTH)} {n(TOP + HEIGHT + FOOT)}" role="img" '
        f'aria-label="{text(alt)}"><text class="t" x="0" y="13">{text(title)}</text>',
        _axes(x, y, left, unit),
        _bins(found, x, y, of, unit),
        _marks({"median": median, **(marks or {})}, x),
        _beyond(found, x),
    ]
    return "".join(parts) + "</svg>"


def _axes(x: Scale, y: Scale, left: float, unit: str) -> str:
    bottom, parts = TOP + HEIGHT, []
    for value in ticks(0.0, y.high, whole=False):
        if value != int(value):
            continue
        at = n(y(value))
        parts.append(f'<path class="grid" d="M{n(left)} {at}H{n(WIDTH - RIGHT)}"/>')
        parts.append(
            f'<text class="l" x="{n(left - 5)}" y="{n(y(value) + 3.5)}" font-size="10">'
            f"{int(value)}</text>"
        )
    for value in ticks(x.low, x.high):
        parts.append(
            f'<text class="x" x="{n(x(value))}" y="{n(bottom + 13)}">{tick_text(value)}</text>'
        )
    if unit:
        parts.append(
            f'<text class="u" x="{n(WIDTH - RIGHT)}" y="{n(bottom + 26)}">{text(unit)}</text>'
        )
    return "".join(parts)


def _bins(found: Histogram, x: Scale, y: Scale, of: str, unit: str) -> str:
    width = abs(x(found.first + found.step) - x(found.first))
    parts = []
    for place, count in enumerate(found.counts):
        if count:
            left, top = x(found.first + place * found.step), y(float(count))
            told = f"{_bin_text(found, place)} {unit}: {count} {of}"
            parts.append(
                f'<rect x="{n(left + 0.5)}" y="{n(top)}" width="{n(max(width - 1, 0.8))}" '
                f'height="{n(TOP + HEIGHT - top)}"><title>{text(told)}</title></rect>'
            )
    return f'<g class="bins">{"".join(parts)}</g>'


def _bin_text(found: Histogram, place: int) -> str:
    low = found.first + place * found.step
    return f"{tick_text(round(low, 9))} to {tick_text(round(low + found.step, 9))}"


def _marks(marks: Mapping[str, float], x: Scale) -> str:
    return "".join(
        f'<path class="at{"" if name == "median" else " limit"}" d="M{n(x(value))} {n(TOP)}'
        f'V{n(TOP + HEIGHT)}"><title>{text(name)} {value:.4g}</title></path>'
        for name, value in marks.items()
        if x.low <= value <= x.high
    )


def _beyond(found: Histogram, x: Scale) -> str:
    ends = ((found.below, x.start, "start", "← "), (found.above, x.end, "end", ""))
    return "".join(
        f'<text class="x" style="text-anchor:{anchor}" x="{n(at)}" y="{n(TOP - 1)}">'
        f"{arrow}{count} beyond{'' if arrow else ' →'}</text>"
        for count, at, anchor, arrow in ends
        if count
    )


def bar_panel(title: str, counts: Mapping[str, int], *, of: str = "") -> str:
    """Things counted, as bars from the top down in the order given; empty without any.

    Args:
        title: Above the frame; may be empty.
        counts: By what each is called.
        of: What is counted.
    """
    if not counts:
        return ""
    panel = Panel(rows_of(list(counts), [False] * len(counts)), top=TOP if title else 6)
    axis = Scale(0.0, float(max(*counts.values(), 1)), panel.left + 6, WIDTH - RIGHT - LABEL_ROOM)
    marks = []
    for position, (name, count) in enumerate(counts.items()):
        y, height = panel.y(position) - 0.34 * panel.pitch, 0.68 * panel.pitch
        end = axis(float(count))
        marks.append(
            f'<g><title>{text(name)}: {count} {text(of)}</title><rect x="{n(axis.start)}" '
            f'y="{n(y)}" width="{n(max(end - axis.start, 0.8))}" height="{n(height)}"/>'
            f'<text x="{n(end + 5)}" y="{n(panel.y(position) + 3.7)}">{count}</text></g>'
        )
    alt = f"{title or of}: " + "; ".join(f"{name} {count}" for name, count in counts.items())
    drawn = f'<g class="bins">{"".join(marks)}</g>'
    return panel.drawn(title, "", None, drawn, alt)
