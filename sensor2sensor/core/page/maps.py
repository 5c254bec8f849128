"""Maps of ground in metres: outlines and squares, each kind with its own line and fill."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.page.svg import Scale, n, text, tick_text, ticks

SIDE = 520.0  # of the longer side of a map, in units of its own
LEFT, TOP, RIGHT, FOOT = 44.0, 22.0, 8.0, 34.0
LEAST = 1.6  # units: squares that would be smaller are drawn so large, and thinned to one a place
Ring = NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """Shapes of one kind, over those of the layers before.

    Attributes:
        kind: Class of their line and fill, ``tile``, ``train``, ``mask`` …
        label: In the legend.
        rings: Closed outlines ``[N, 2]`` in metres, east and north.
        lines: Open ones.
        squares: Upper-left corner and edge ``[N, 3]`` in metres.
    """

    kind: str
    label: str
    rings: Sequence[Ring] = ()
    lines: Sequence[Ring] = ()
    squares: Ring = field(default_factory=lambda: np.empty((0, 3)))

    @property
    def empty(self) -> bool:
        """Whether nothing is drawn."""
        return not (len(self.rings) or len(self.lines) or len(self.squares))


def bounds(layers: Iterable[Layer]) -> tuple[float, float, float, float] | None:
    """West, south, east, north of all that layers hold; None of nothing."""
    points = [line for layer in layers for line in (*layer.rings, *layer.lines)]
    for layer in layers:
        if len(layer.squares):
            corner, edge = layer.squares[:, :2], layer.squares[:, 2:]
            points += [corner, corner + np.concatenate([edge, -edge], axis=1)]
    if not points:
        return None
    every = np.concatenate(points)
    (west, south), (east, north) = every.min(axis=0), every.max(axis=0)
    return float(west), float(south), float(east), float(north)


def map_panel(
    title: str, key: str, layers: Sequence[Layer], *, within: Sequence[Layer] = ()
) -> str:
    """A map as an ``<svg>``, north up, axes in kilometres; empty without a shape.

    Args:
        title: Above it.
        key: Of this map, once on the page: a word of letters, digits and hyphens.
        layers: From the lowest to the uppermost.
        within: Layers whose bounds are shown; all by default.
    """
    ends = bounds(within or layers)
    if ends is None:
        return ""
    west, south, east, north = ends
    span = max(east - west, north - south, 1.0)
    air, unit = 0.02 * span, (SIDE) / (1.04 * span)
    width, height = ((e - s + 2 * air) * unit for s, e in ((west, east), (south, north)))
    x = Scale(west - air, east + air, LEFT, LEFT + width)
    y = Scale(south - air, north + air, TOP + height, TOP)
    shapes = "".join(_layer(layer, x, y, unit) for layer in layers if not layer.empty)
    counted = ", ".join(
        f"{len(layer.rings) + len(layer.lines) + len(layer.squares)} {layer.label}"
        for layer in layers
        if not layer.empty
    )
    return (
        f'<svg class="panel map" viewBox="0 0 {n(LEFT + width + RIGHT)} {n(TOP + height + FOOT)}" '
        f'role="img" aria-label="{text(f"Map of {title}: {counted}")}">'
        f'<text class="t" x="0" y="13">{text(title)}</text>'
        f'<clipPath id="{key}"><rect x="{n(x.start)}" y="{n(y.end)}" width="{n(width)}" '
        f'height="{n(height)}"/></clipPath>'
        f'<rect class="ground" x="{n(x.start)}" y="{n(y.end)}" width="{n(width)}" '
        f'height="{n(height)}"/>{_axes(x, y)}<g clip-path="url(#{key})">{shapes}</g></svg>'
    )


def _axes(x: Scale, y: Scale) -> str:
    parts = []
    for value in ticks(x.low / 1000, x.high / 1000):
        at = n(x(1000 * value))
        parts.append(f'<path class="grid" d="M{at} {n(y.end)}V{n(y.start)}"/>')
        parts.append(f'<text class="x" x="{at}" y="{n(y.start + 13)}">{tick_text(value)}</text>')
    for value in ticks(y.low / 1000, y.high / 1000):
        up = y(1000 * value)
        parts.append(f'<path class="grid" d="M{n(x.start)} {n(up)}H{n(x.end)}"/>')
        parts.append(
            f'<text class="l" x="{n(x.start - 5)}" y="{n(up + 3.5)}" font-size="10">'
            f"{tick_text(value)}</text>"
        )
    parts.append(
        f'<text class="u" x="{n(x.end)}" y="{n(y.start + 27)}">easting and northing, km</text>'
    )
    return "".join(parts)


def _layer(layer: Layer, x: Scale, y: Scale, unit: float) -> str:
    drawn = dict.fromkeys(f"{_line(ring, x, y)}z" for ring in layer.rings)
    drawn |= dict.fromkeys(_line(line, x, y) for line in layer.lines)
    drawn |= dict.fromkeys(_square(square, x, y, unit) for square in layer.squares)
    told = f"<title>{text(layer.label)}</title>"
    return f'<g class="m {layer.kind}">{told}<path d="{"".join(drawn)}"/></g>'


def _line(ring: Ring, x: Scale, y: Scale) -> str:
    # Not Scale itself, which would press what lies beyond the map onto its edge.
    across = x.start + (ring[:, 0] - x.low) / (x.high - x.low) * (x.end - x.start)
    down = y.start + (ring[:, 1] - y.low) / (y.high - y.low) * (y.end - y.start)
    places = [f"{n(a)} {n(d)}" for a, d in zip(across, down, strict=True)]
    kept = [place for at, place in enumerate(places) if not at or place != places[at - 1]]
    return f"M{'L'.join(kept)}"


def _square(square: NDArray[np.float64], x: Scale, y: Scale, unit: float) -> str:
    west, north, edge = (float(part) for part in square)
    side = edge * unit
    if side < LEAST:
        step = LEAST
        left, top = (math.floor(at / step) * step for at in (x(west), y(north)))
        return f"M{n(left)} {n(top)}h{n(step)}v{n(step)}h-{n(step)}z"
    return f"M{n(x(west))} {n(y(north))}h{n(side)}v{n(side)}h-{n(side)}z"


def legend(layers: Iterable[Layer]) -> str:
    """A line that says what each kind of shape is, each once."""
    kinds: Mapping[str, str] = {layer.kind: layer.label for layer in layers if not layer.empty}
    items = "".join(
        f'<li><svg viewBox="0 0 14 10" aria-hidden="true"><g class="m {kind}"><path '
        f'd="M1.5 1h11v8h-11z"/></g></svg>{text(label)}</li>'
        for kind, label in kinds.items()
    )
    return f'<ul class="legend">{items}</ul>' if items else ""
