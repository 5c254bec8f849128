"""Drawings of frequencies: spectra by band, and the share of detail that a method restores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.core.page.svg import (
    FOOT,
    RIGHT,
    TOP,
    WIDTH,
    Panel,
    Row,
    Scale,
    n,
    panels,
    rows_of,
    scale,
    shortened,
    text,
    tick_text,
    ticks,
    told_apart,
)
from sensor2sensor.report.load import Group, Result

TARGET, INPUT = "target", "input"
COLOURS = 6  # of page.css, Okabe & Ito 2008 adapted to both grounds; later runs share a thin line
HEIGHT = 190.0
LEFT = 38.0
# What FRR must not stand without: white noise raises it, and overshoot tells.
RATES = {
    "frr": ("FRR ↑", "% of the detail beyond the input"),
    "fro": ("overshoot FRO ↓", "% of the truth's energy, too much"),
}
Levels = Mapping[str, Mapping[str, Sequence[float | None]]]


def methods_of(results: Sequence[Result], group: Group, mode: str) -> dict[str, Mapping[str, Any]]:
    """Spectra and rates by label: every run's model, each baseline once.

    Returns:
        ``{"levels": {band: [...]}, "rates": {band: {...}}, "kind": "c0" | "baseline"}`` by label.
    """
    found: dict[str, Mapping[str, Any]] = {}
    runs: dict[str, Mapping[str, Any]] = {}
    for result in results:
        facts = result.facts.cross_sensor
        analysis = facts.fda.get(mode, {}) if facts is not None else {}
        for method, rates in analysis.get("rates", {}).items():
            entry = {"levels": analysis["levels"][method], "rates": rates}
            if method == MODEL:
                colour = f"c{len(runs)}" if len(runs) < COLOURS else "more"
                runs[group.label(result)] = {**entry, "kind": colour}
            else:
                found.setdefault(method, {**entry, "kind": "baseline"})
    return found | runs


def spectra(results: Sequence[Result], group: Group, mode: str) -> str:
    """Mean spectra on real inputs: a panel per band; truth solid, input dotted, both in ink."""
    for result in results:
        facts = result.facts.cross_sensor
        if facts is not None and facts.fda.get(mode, {}).get("levels"):
            analysis = facts.fda[mode]
            break
    else:
        return ""
    fixed = {
        "target": {"levels": analysis["levels"][TARGET], "kind": TARGET},
        "input": {"levels": analysis["levels"][INPUT], "kind": INPUT},
    }
    lines = {**methods_of(results, group, mode), **fixed}
    bands = list(analysis["levels"][TARGET])
    drawings = [
        _spectrum(band, analysis["frequencies"], {k: v["levels"][band] for k, v in lines.items()},
                  {k: str(v["kind"]) for k, v in lines.items()})
        for band in bands
    ]  # fmt: skip
    return _legend({label: str(entry["kind"]) for label, entry in lines.items()}) + panels(drawings)


def _legend(kinds: Mapping[str, str]) -> str:
    """One for all panels; a method without a spectrum in any band still has its line here."""
    runs = [label for label, kind in kinds.items() if kind not in ("baseline", TARGET, INPUT)]
    short = dict(zip(runs, told_apart(runs), strict=True))
    items = "".join(
        f'<li title="{text(label)}"><svg viewBox="0 0 26 8" aria-hidden="true">'
        f'<path class="s {kind}" d="M1 4H25"/></svg>{text(short.get(label, shortened(label)))}</li>'
        for label, kind in kinds.items()
    )
    return f'<ul class="legend">{items}</ul>'


def _spectrum(
    band: str, frequencies: Sequence[float], levels: Mapping[str, Sequence[float | None]],
    kinds: Mapping[str, str],
) -> str:  # fmt: skip
    known = [v for line in levels.values() for v in line if v is not None and math.isfinite(v)]
    x = Scale(0.0, max(frequencies, default=1.0) or 1.0, LEFT, WIDTH - RIGHT)
    y = scale(known, HEIGHT, TOP + 4)
    parts = [
        f'<svg class="panel" viewBox="0 0 {n(WIDTH)} {n(HEIGHT + FOOT)}" role="img" '
        f'aria-label="{text(f"Mean spectrum of band {band} in dB by spatial frequency")}">'
        f'<text class="t" x="0" y="13">{text(band)}</text>'
    ]
    for value in ticks(y.low, y.high):
        parts.append(f'<path class="grid" d="M{n(LEFT)} {n(y(value))}H{n(WIDTH - RIGHT)}"/>')
        parts.append(
            f'<text class="l" font-size="10" x="{n(LEFT - 3)}" y="{n(y(value) + 3)}">'
            f"{tick_text(value)}</text>"
        )
    for value in ticks(x.low, x.high):
        parts.append(
            f'<text class="x" x="{n(x(value))}" y="{n(HEIGHT + 13)}">{tick_text(value)}</text>'
        )
    for label, line in levels.items():
        points = [
            f"{n(x(f))} {n(y(v))}"
            for f, v in zip(frequencies, line, strict=True)
            if v is not None and math.isfinite(v)
        ]
        if len(points) > 1:
            parts.append(
                f'<path class="s {kinds[label]}" d="M{"L".join(points)}"><title>{text(label)}'
                "</title></path>"
            )
    unit = "spatial frequency (1 = Nyquist of the target)"
    parts.append(f'<text class="u" x="{n(WIDTH - RIGHT)}" y="{n(HEIGHT + 26)}">{unit}</text>')
    return "".join(parts) + "</svg>"


def rate_panels(results: Sequence[Result], group: Group, mode: str) -> str:
    """FRR and overshoot, mean over bands, in percent with their intervals."""
    found = methods_of(results, group, mode)
    if not found:
        return ""
    rows = rows_of(list(found), [entry["kind"] == "baseline" for entry in found.values()])
    return panels([_rates(rows, found, key, *told) for key, told in RATES.items()])


def _rates(rows: Sequence[Row], found: Mapping[str, Any], key: str, title: str, unit: str) -> str:
    cells = [entry["rates"].get("mean", {}).get(key, {}) for entry in found.values()]
    known = [cell for cell in cells if cell.get("value") is not None]
    ends = [cell[e] for cell in known for e in ("low", "high", "value") if cell[e] is not None]
    panel = Panel(rows)
    axis = panel.axis([0.0, *ends])
    marks, told = [], []
    for position, (row, cell) in enumerate(zip(rows, cells, strict=True)):
        value, low, high = (cell.get(end) for end in ("value", "low", "high"))
        if value is None:
            continue
        y, spread = panel.y(position), ""
        line = ""
        if low is not None and high is not None:
            line = f'<path d="M{n(axis(low))} {n(y)}H{n(axis(high))}"/>'
            spread = f" ({low:.1f} to {high:.1f})"
        words = f"{row.full}: {value:.1f} %{spread}"
        told.append(words)
        hollow = "" if line else ' class="hollow"'
        marks.append(
            f'<g class="v {row.kind or "run"}"><title>{text(words)}</title>{line}'
            f'<circle{hollow} cx="{n(axis(value))}" cy="{n(y)}" r="4"/></g>'
        )
    alt = f"{title}, mean over bands: " + "; ".join(told)
    return panel.drawn(title, unit, axis, "".join(marks), alt)
