"""A panel of curves as SVG, as it stands without scripts; ``runs.js`` draws the same anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sensor2sensor.core.page.svg import (
    FOOT, LETTER, RIGHT, TOP, WIDTH, Scale, n, scale, text, tick_text, ticks,
)  # fmt: skip
from sensor2sensor.report.runs.curves import Panel, Points

HEIGHT = 190.0
COLOURS, DASHES = 6, 3  # of page.css and runs.css


def drawn(panel: Panel, keys: Mapping[int, str], names: Sequence[str]) -> str:
    """The curves of the runs that have a key: validations over reports of training.

    Args:
        panel: Their values.
        keys: Class of a run's curves, by its number.
        names: Of all runs.
    """
    train = [(run, points) for run, points in panel.train if run in keys]
    looks = [(run, points) for run, points in panel.looks if run in keys]
    every = [points for _, points in (*train, *looks)]
    y = scale([v for _, values in every for v in values], HEIGHT, TOP + 6)
    marks = ticks(y.low, y.high)
    left = max(26.0, 8 + LETTER * 0.95 * max(len(tick_text(v)) for v in marks))
    last = max((step for steps, _ in every for step in steps), default=1)
    x = Scale(0.0, float(last) or 1.0, left, WIDTH - RIGHT)
    parts = [
        f'<svg class="panel" viewBox="0 0 {n(WIDTH)} {n(HEIGHT + FOOT)}" role="img" '
        f'aria-label="{text(_alt(panel, every))}">'
        f'<text class="t" x="0" y="13">{text(panel.title)}</text>'
    ]
    for value in marks:
        parts.append(f'<path class="grid" d="M{n(left)} {n(y(value))}H{n(WIDTH - RIGHT)}"/>')
        parts.append(
            f'<text class="l" font-size="10" x="{n(left - 4)}" y="{n(y(value) + 3)}">'
            f"{tick_text(value)}</text>"
        )
    for value in ticks(0.0, float(last), whole=False):
        parts.append(
            f'<text class="x" x="{n(x(value))}" y="{n(HEIGHT + 13)}">{tick_text(value)}</text>'
        )
    faint = "thin" if looks else ""
    parts += [_line(points, x, y, f"{keys[r]} {faint}", names[r]) for r, points in train]
    parts += [_line(points, x, y, keys[r], names[r]) for r, points in looks]
    parts.append(f'<text class="u" x="{n(WIDTH - RIGHT)}" y="{n(HEIGHT + 26)}">step</text></svg>')
    return "".join(parts)


def _alt(panel: Panel, every: Sequence[Points]) -> str:
    return f"{panel.title} by step, {len(every)} curves"


def _line(points: Points, x: Scale, y: Scale, key: str, name: str) -> str:
    steps, values = points
    places = [f"{n(x(step))} {n(y(value))}" for step, value in zip(steps, values, strict=True)]
    # A line of one point is a dot.
    path = f"M{places[0]}h0" if len(places) == 1 else f"M{'L'.join(places)}"
    dot = " one" if len(places) == 1 else ""
    return f'<path class="s {key}{dot}" d="{path}"><title>{text(name)}</title></path>'
