"""Drawings of one group: gains with intervals, distributions over tiles, ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.report import compare
from sensor2sensor.report.comparison import Comparison
from sensor2sensor.report.load import Group
from sensor2sensor.report.page.svg import Panel, Row, n, panels, rows_of, text
from sensor2sensor.report.page.view import Gains

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

WHISKER = 1.5  # interquartile ranges, Tukey 1977
# An axis that must hold every outlier makes boxes into lines: beyond this many ranges of the
# whiskers they are counted at its end.
STRETCH = 1.6


def gain_panels(group: Group, gains: Gains, over: str) -> str:
    """Mean paired gain with its interval, a panel per metric; right of 0 is better.

    Args:
        group: Whose metrics have panels.
        gains: By model and metric.
        over: The baseline.
    """
    titles = compare.labels(group)
    drawings = []
    for name, definition in group.metrics.items():
        known = {model: row[name] for model, row in gains.items() if name in row}
        if any(one.mean is not None for one in known.values()):
            drawings.append(_gain_panel(titles[name], definition.unit, known, over))
    return panels(drawings)


def _gain_panel(title: str, unit: str, gains: Mapping[str, Comparison], over: str) -> str:
    panel = Panel(rows_of(list(gains), [False] * len(gains)))
    ends = [end for one in gains.values() for end in (one.mean, one.low, one.high)]
    axis = panel.axis([0.0, *(end for end in ends if end is not None)])
    top, bottom = panel.top, panel.y(len(gains) - 1) + panel.pitch / 2
    marks = [f'<path class="zero" d="M{n(axis(0))} {n(top - 2)}V{n(bottom)}"/>']
    for position, (model, one) in enumerate(gains.items()):
        if one.mean is None:
            continue
        y, told, line = panel.y(position), f"{model}: {in_words(one)}", ""
        if one.low is not None and one.high is not None:
            line = f'<path d="M{n(axis(one.low))} {n(y)}H{n(axis(one.high))}"/>'
        # Shape and fill too, since not everybody sees the colours.
        mark = _mark(one.verdict, axis(one.mean), y)
        marks.append(f'<g class="v {one.verdict}"><title>{text(told)}</title>{line}{mark}</g>')
    alt = f"{title}: gain over {over}. " + "; ".join(
        f"{model} {in_words(one)}" for model, one in gains.items()
    )
    return panel.drawn(title, unit, axis, "".join(marks), alt)


def _mark(verdict: str, x: float, y: float) -> str:
    if verdict == "worse":
        return f'<rect x="{n(x - 3.6)}" y="{n(y - 3.6)}" width="7.2" height="7.2"/>'
    hollow = "" if verdict == "better" else ' class="hollow"'
    return f'<circle{hollow} cx="{n(x)}" cy="{n(y)}" r="4"/>'


def in_words(one: Comparison) -> str:
    """``+0.12 (0.02 to 0.2), p 0.01, better``."""
    if one.mean is None:
        return "no value"
    words = {"open": "undecided", "none": "no verdict"}.get(one.verdict, one.verdict)
    spread = "" if one.low is None else f" ({one.low:.3g} to {one.high:.3g})"
    return ", ".join(filter(None, (f"{one.mean:+.3g}{spread}", compare.p_in_words(one), words)))


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


def box_panels(group: Group, found: Sequence[compare.Entrant]) -> str:
    """Distribution over tiles: a panel per metric, a box per entrant, its mean as a diamond."""
    rows = rows_of([e.label for e in found], [e.baseline for e in found])
    titles = compare.headings(group, unit=False)
    drawings = []
    for name, definition in group.metrics.items():
        boxes = [box(compare.values(entrant, name).to_numpy()) for entrant in found]
        if any(boxes):
            drawings.append(_box_panel(titles[name], definition.unit, rows, boxes))
    return panels(drawings)


def _box_panel(title: str, unit: str, rows: Sequence[Row], boxes: Sequence[Box | None]) -> str:
    panel, known = Panel(rows), [b for b in boxes if b]
    axis = panel.axis(_shown(known))
    marks = [
        _drawn_box(panel, axis, position, one)
        for position, one in enumerate(boxes)
        if one is not None
    ]
    told = "; ".join(
        f"{row.full} median {compare.number(one.median)}, quartiles "
        f"{compare.number(one.first)} to {compare.number(one.third)}"
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
    told = f"{panel.rows[position].full}: median {compare.number(one.median)}, mean "
    told += f"{compare.number(one.mean)}, {one.count} tiles"
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


def rank_panel(table: pd.DataFrame, grey: Collection[str]) -> str:
    """Ranks of the means: a circle for each place, larger for more metrics, a bar at their mean.

    Args:
        table: Of :func:`sensor2sensor.report.compare.rank_table`.
        grey: Labels of the baselines.
    """
    if table.empty or len(table.columns) < 2:
        return ""
    labels = [str(label) for label in table.index]
    panel = Panel(rows_of(labels, [label in grey for label in labels]), top=6, whole=True)
    axis = panel.axis([1.0, float(max(len(labels), 2))])
    marks, told = [], []
    for position, label in enumerate(labels):
        row = table.iloc[position]
        places = Counter(int(p) for p in row.iloc[1:] if p != compare.NOTHING)
        kind, y = panel.rows[position].kind, panel.y(position)
        for place, count in sorted(places.items()):
            share = count / max(sum(places.values()), 1)
            who = ", ".join(str(c) for c in table.columns[1:] if row[c] == place)
            marks.append(
                f'<circle class="r {kind}" cx="{n(axis(place))}" cy="{n(y)}" '
                f'r="{n(2 + 0.42 * panel.pitch * share**0.5)}"><title>{text(label)}: rank {place} '
                f"of {text(who)}</title></circle>"
            )
        mean = float(row.iloc[0])
        if np.isfinite(mean):
            marks.append(f'<path class="k" d="M{n(axis(mean))} {n(y - 6)}v12"/>')
            told.append(f"{label} {mean:g}")
    alt = "Mean rank, 1 is best: " + "; ".join(told)
    return panels([panel.drawn("", "rank of the mean, 1 is best", axis, "".join(marks), alt)])
