"""Plots of one group: distributions per metric, and gains with their intervals."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from sensor2sensor.report.compare import (
    Entrant,
    entrants,
    gaining,
    headings,
    independent_groups,
    interval,
    labels,
    share,
    values,
)
from sensor2sensor.report.load import Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito 2008: told apart with any colour vision. Baselines are grey.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
BASELINE = "#9A9A9A"
VERDICTS = {"better": "#0072B2", "worse": "#D55E00", "open": "#6E6E6E", "none": "#6E6E6E"}
COLUMNS = 4
PANEL_INCH = (3.0, 0.34)


def figure(rows: int, columns: int, lines: int) -> tuple[Figure, Any]:
    """A grid of panels, each ``lines`` lines high; no global state is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = rows * (lines * PANEL_INCH[1] + 0.85)
    made = Figure(figsize=(columns * PANEL_INCH[0] + 1.2, height), dpi=110, layout="constrained")
    FigureCanvasAgg(made)  # no pyplot, which would keep every figure of a notebook alive
    axes = made.subplots(rows, columns, squeeze=False, sharey=True)
    return made, axes


def png(made: Figure) -> bytes:
    """The figure as PNG."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_names(axes: Axes, names: list[str]) -> None:
    """Write names of experiments beside lines 1, 2, ...; a dollar sign is a dollar sign."""
    axes.set_yticks(range(1, len(names) + 1), names, parse_math=False)


def _clean(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("" if unit == "1" else unit, fontsize=8)
    axes.tick_params(labelsize=8, length=2)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E4E4E4", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.locator_params(axis="x", nbins=4)


def _say_empty(axes: Axes, words: str) -> None:
    """Of a panel in which nothing is drawn: bare, its axis would pass for one with a mark at 0."""
    axes.set_xticks([])
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, 0.5, words, fontsize=8, color="#555555", **place)


def colours(found: list[Entrant]) -> list[str]:
    """A colour per entrant: grey for baselines, then the palette."""
    runs = [e for e in found if not e.baseline]
    # By place among the runs: each keeps its colour in every panel.
    palette = {e.label: COLOURS[i % len(COLOURS)] for i, e in enumerate(runs)}
    return [BASELINE if e.baseline else palette[e.label] for e in found]


def _boxes(axes: Axes, found: list[Entrant], metric: str) -> None:
    cells = [values(e, metric).to_numpy() for e in found]
    drawn = axes.boxplot(
        [c if len(c) else [math.nan] for c in cells],
        orientation="horizontal",
        widths=0.6,
        patch_artist=True,
        showmeans=True,  # what the tables compare; a median is blind to a tail of bad tiles
        meanprops={"marker": "D", "markerfacecolor": "white", "markeredgecolor": "black"}
        | {"markersize": 4},
        medianprops={"color": "black", "linewidth": 1.2},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": "#777777"},
    )
    for box, colour in zip(drawn["boxes"], colours(found), strict=True):
        box.set(facecolor=colour, edgecolor="#333333", linewidth=0.8, alpha=0.85)
    for position, (entrant, finite) in enumerate(zip(found, cells, strict=True), start=1):
        if len(finite):
            _note_share(axes, finite.mean(), position, share(len(finite), len(entrant.table)))


def box_plots(group: Group) -> Figure:
    """Distribution over tiles: a panel per metric, a box per entrant, its mean as a diamond."""
    found, titles = entrants(group), headings(group, unit=False)
    metrics = group.metrics
    made, grid = figure(math.ceil(len(metrics) / COLUMNS), min(COLUMNS, len(metrics)), len(found))
    panels = list(grid.flat)
    for axes, (name, definition) in zip(panels, metrics.items(), strict=False):
        _boxes(axes, found, name)
        _clean(axes, titles[name], definition.unit)
        draw_names(axes, [entrant.label for entrant in found])
        if not any(len(values(entrant, name)) for entrant in found):
            _say_empty(axes, "finite on no tile")
    for axes in panels[len(metrics) :]:
        axes.set_visible(False)
    panels[0].invert_yaxis()  # baselines on top, as in the tables
    return made


def gain_plot(group: Group, over: str | None = None) -> Figure | None:
    """Mean paired gain over a baseline with its 95 % interval; right of 0 is better.

    Over the reference by default. A hollow mark has no interval and no verdict.
    """
    base, found = over or group.reference, gaining(group, over)
    if not found:
        return None
    metrics, lines, titles = group.metrics, len(found), labels(group)
    made, grid = figure(math.ceil(len(metrics) / COLUMNS), min(COLUMNS, len(metrics)), lines)
    panels = list(grid.flat)
    for axes, (name, definition) in zip(panels, metrics.items(), strict=False):
        for position, gains in enumerate(found.values(), start=1):
            if name in gains:
                _gain_line(axes, position, gains[name])
        _clean(axes, titles[name], definition.unit)
        if any(name in gains and gains[name].mean is not None for gains in found.values()):
            axes.axvline(0.0, color="#333333", linewidth=0.9)
        else:
            _say_empty(axes, "finite for both on no tile")
        draw_names(axes, list(found))
        # Downwards, as the tables are read.
        axes.set_ylim(lines + 0.6, 0.4)
    for axes in panels[len(metrics) :]:
        axes.set_visible(False)
    sides = f"worse than {base}  ←  0  →  better than {base}"
    made.supxlabel(f"{sides}\n{independent_groups(group, over)}", fontsize=9)
    return made


def _gain_line(axes: Axes, position: int, gain: Any) -> None:
    if gain.mean is None:
        return
    # From the verdict, never from the sign of the mean: a gain within its interval is none.
    colour, ends = VERDICTS[gain.verdict], interval(gain)
    if ends is not None:
        axes.plot(ends, [position, position], color=colour, linewidth=2.0)
    fill = "white" if ends is None else colour
    axes.plot([gain.mean], [position], marker="o", color=colour, markerfacecolor=fill, markersize=6)
    _note_share(axes, gain.mean, position, share(gain.count, gain.count + gain.left_out))


def _note_share(axes: Axes, x: float, y: float, text: str) -> None:
    """``20 of 40`` above a mark."""
    above = (0, 11)
    axes.annotate(text, (x, y), above, textcoords="offset points", ha="center", fontsize=7)
