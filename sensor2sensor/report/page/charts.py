"""Drawings of one group: gains with intervals, distributions over tiles, ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.core.page.boxes import box, box_panel
from sensor2sensor.core.page.svg import Panel, n, panels, rows_of, text
from sensor2sensor.report import compare
from sensor2sensor.report.comparison import Comparison
from sensor2sensor.report.load import Group
from sensor2sensor.report.page.view import Gains

if TYPE_CHECKING:
    import pandas as pd


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


def box_panels(group: Group, found: Sequence[compare.Entrant]) -> str:
    """Distribution over tiles: a panel per metric, a box per entrant, its mean as a diamond."""
    rows = rows_of([e.label for e in found], [e.baseline for e in found])
    titles = compare.headings(group, unit=False)
    drawings = []
    for name, definition in group.metrics.items():
        boxes = [box(compare.values(entrant, name).to_numpy()) for entrant in found]
        if any(boxes):
            drawings.append(box_panel(titles[name], definition.unit, rows, boxes))
    return panels(drawings)


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
