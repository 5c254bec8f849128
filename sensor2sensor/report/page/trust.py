"""Trust of a group: what each prediction improves, leaves out and makes up, and where."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sensor2sensor.config.trust import CLASSES
from sensor2sensor.core.page.section import folded, note
from sensor2sensor.core.page.svg import Panel, Scale, n, panels, rows_of, text
from sensor2sensor.report import compare
from sensor2sensor.report.load import Result
from sensor2sensor.report.page.pictures import Album
from sensor2sensor.report.page.view import View

OPEN = 3  # models whose maps are open
ABOUT = (
    "Mean shares of the pixels that are judged: improvement is nearest to the truth, omission "
    "nearest to what the input shows, hallucination far from both. A method that adds nothing is "
    "all omission, so read it beside its synthesis. Distance: {distance}."
)
CODED = (
    "Means of the weights that OpenSR-test gives every pixel: each has part in all three, and "
    "bicubic, which adds nothing, is not all omission. No shares of pixels. Distance: {distance}."
)


def trust(view: View, album: Album) -> str:
    """Shares of improvement, omission and hallucination, and the maps of the gallery's tiles."""
    known = [result for result in view.group.results if result.facts.trust is not None]
    if not known or known[0].facts.trust is None:
        return ""
    first = known[0].facts.trust
    shares = shares_of(view)
    unit = "% of the weight" if first.as_coded else "% of the pixels judged"
    drawn = _bars(view, shares, unit) if shares else ""
    told = "".join(
        folded(f"Maps of {view.group.label(result)}", _maps(result, album), shown=number < OPEN)
        for number, result in enumerate(known)
    )
    bands = ", ".join(f"{one.target} of {one.input}" for one in first.matched)
    about = (CODED if first.as_coded else ABOUT).format(distance=first.distance_in_words)
    left = f" Not held against the input: {', '.join(first.left_out)}." if first.left_out else ""
    return drawn + note(f"{about} Bands: {bands}.{left}") + told


def _maps(result: Result, album: Album) -> str:
    """Sheets of the gallery's tiles with each pixel's class and the departure from the input."""
    maps = result.facts.trust.maps if result.facts.trust is not None else []
    return "".join(
        f"<figure>{album.image(result, entry, entry.caption)}<figcaption>{text(entry.caption)}"
        "</figcaption></figure>"
        for entry in maps
    )


def shares_of(view: View) -> dict[str, dict[str, float]]:
    """Mean share of each class by entrant; those without all three left out."""
    names = {c: m for c in CLASSES for m in view.group.metrics if m.startswith(f"{c}_")}
    if len(names) < len(CLASSES):
        return {}
    order = [e for e in view.found if e.baseline] + list(view.models)
    found = {
        e.label: {c: float(compare.values(e, m).mean()) for c, m in names.items()} for e in order
    }
    return {k: v for k, v in found.items() if all(math.isfinite(share) for share in v.values())}


def _bars(view: View, shares: Mapping[str, Mapping[str, float]], unit: str) -> str:
    rows = rows_of(list(shares), [label in view.grey for label in shares])
    panel = Panel(rows, top=6)
    axis = Scale(0.0, 100.0, panel.left + 6, panel.axis([0.0, 1.0]).end)
    marks = "".join(
        _bar(panel, axis, position, label, row)
        for position, (label, row) in enumerate(shares.items())
    )
    alt = "; ".join(f"{label}: {_words(row)}" for label, row in shares.items())
    legend = "".join(
        f'<li><svg viewBox="0 0 14 10" aria-hidden="true"><rect class="k-{name}" width="14" '
        f'height="10"/></svg>{name}</li>'
        for name in CLASSES
    )
    drawn = panel.drawn("", unit, axis, marks, alt)
    return f'<ul class="legend">{legend}</ul>' + panels([drawn])


def _words(row: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in row.items())


def _bar(panel: Panel, axis: Scale, position: int, label: str, row: Mapping[str, float]) -> str:
    y, height, start = panel.y(position) - 0.34 * panel.pitch, 0.68 * panel.pitch, 0.0
    parts = []
    for name, share in row.items():
        left, right = axis(start), axis(start + 100 * share)
        start += 100 * share
        parts.append(
            f'<rect class="k-{name}" x="{n(left)}" y="{n(y)}" width="{n(right - left)}" '
            f'height="{n(height)}"/>'
        )
    return f"<g><title>{text(label)}: {_words(row)}</title>{''.join(parts)}</g>"
