"""Distributions as boxes: quartiles, whiskers and what lies beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.page.svg import Panel, Row, n, number, text

WHISKER = 1.5  # interquartile ranges, Tukey 1977
# An axis that must hold every outlier makes boxes into lines: beyond this many ranges of the
# whiskers they are counted at its end.
STRETCH = 1.6


@dataclass(frozen=True)
class Box:
    """Quartiles, whiskers and what lies beyond them, of finite values."""

    low: float
    first: float
    median: float
    third: float
    high: float
    mean: float
    beyond: NDArray[Any]
    count: int


def box(values: NDArray[Any]) -> Box | None:
    """The box of values ``[N]``, whiskers at most 1.5 interquartile ranges long; None of none."""
    if not len(values):
        return None
    first, median, third = (float(q) for q in np.percentile(values, (25, 50, 75)))
    reach = WHISKER * (third - first)
    inside = values[(values >= first - reach) & (values <= third + reach)]
    low, high = float(min(inside.min(), first)), float(max(inside.max(), third))
    beyond = values[(values < low) | (values > high)]
    return Box(low, first, median, third, high, float(values.mean()), beyond, len(values))


def box_panel(title: str, unit: str, rows: Sequence[Row], boxes: Sequence[Box | None]) -> str:
    """A panel with a box for each row that has one, its mean as a diamond."""
    panel, known = Panel(rows), [b for b in boxes if b]
    axis = panel.axis(_shown(known))
    marks = [
        _drawn_box(panel, axis, position, one)
        for position, one in enumerate(boxes)
        if one is not None
    ]
    told = "; ".join(
        f"{row.full} median {number(one.median)}, quartiles "
        f"{number(one.first)} to {number(one.third)}"
        for row, one in zip(rows, boxes, strict=True)
        if one is not None
    )
    return panel.drawn(title, unit, axis, "".join(marks), f"{title} over tiles. {told}")


def _shown(known: Sequence[Box]) -> list[float]:
    """Ends of an axis: every value, unless outliers would take most of it."""
    ends = [end for b in known for end in (b.low, b.high, b.mean)]
    low, high = min(ends), max(ends)
    every = [v for b in known if len(b.beyond) for v in (b.beyond.min(), b.beyond.max())]
    room = (STRETCH - 1) * (high - low)
    return [max(min([low, *every]), low - room), min(max([high, *every]), high + room)]


def _drawn_box(panel: Panel, axis: Any, position: int, one: Box) -> str:
    y, half = panel.y(position), 0.31 * panel.pitch
    kind = panel.rows[position].kind
    first, third = axis(one.first), axis(one.third)
    told = f"{panel.rows[position].full}: median {number(one.median)}, mean "
    told += f"{number(one.mean)}, {one.count} tiles"
    middle, mean = axis(one.median), axis(one.mean)
    return (
        f'<g class="box {kind}"><title>{text(told)}</title>'
        f'<path class="w" d="M{n(axis(one.low))} {n(y)}H{n(first)}M{n(third)} {n(y)}'
        f'H{n(axis(one.high))}"/>{_beyond(axis, one, y)}'
        f'<rect x="{n(first)}" y="{n(y - half)}" width="{n(max(third - first, 0.8))}" '
        f'height="{n(2 * half)}"/>'
        f'<path class="m" d="M{n(middle)} {n(y - half)}V{n(y + half)}"/>'
        f'<path class="d" d="M{n(mean - 3)} {n(y)}l3-3l3 3l-3 3z"/></g>'
    )


def _beyond(axis: Any, one: Box, y: float) -> str:
    """Outliers as dots of one path, each place once; those off the axis as arrows at its ends."""
    inside = one.beyond[(one.beyond >= axis.low) & (one.beyond <= axis.high)]
    places = sorted({round(axis(value), 1) for value in inside.tolist()})
    dots = "".join(f"M{n(x)} {n(y)}h0" for x in places)
    left, right = int((one.beyond < axis.low).sum()), int((one.beyond > axis.high).sum())
    ends = [(left, axis.start, -4), (right, axis.end, 4)]
    arrows = "".join(
        f'<path class="off" d="M{n(x)} {n(y - 3)}l{way} 3l{-way} 3z"><title>{count} beyond the '
        "axis</title></path>"
        for count, x, way in ends
        if count
    )
    return (f'<path class="o" d="{dots}"/>' if dots else "") + arrows
