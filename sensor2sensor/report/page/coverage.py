"""Calibrated intervals of a group's runs: how much of the test blocks they cover, band by band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sensor2sensor.core.page.section import note
from sensor2sensor.core.page.svg import Panel, n, panels, rows_of, text
from sensor2sensor.core.page.tables import table
from sensor2sensor.report.compare import number
from sensor2sensor.report.load import Group

if TYPE_CHECKING:
    from sensor2sensor.report.file import BandCoverage, Intervals

ABOUT = (
    "Disc: mean over blocks of the share of a block's pixels within their interval; line: lowest "
    "to highest block; upright: what the intervals aim at."
)


def coverage(group: Group) -> str:
    """Coverage of every run with intervals; empty without any."""
    found = {
        group.label(result): result.facts.intervals
        for result in group.results
        if result.facts.intervals is not None
    }
    if not found:
        return ""
    bands = dict.fromkeys(band for own in found.values() for band in own.bands)
    drawn = panels([_panel(band, list(found.items())) for band in bands])
    promised: dict[str, list[str]] = {}
    for run, own in found.items():
        promised.setdefault(own.promise, []).append(run)
    shifted = [
        f"{run}: a shifted domain ({'; '.join(own.shift)}), where nothing is promised."
        for run, own in found.items()
        if own.shift
    ]
    warned = "".join(f'<p class="warn">{text(line)}</p>' for line in shifted)
    promise = "".join(note(f"{', '.join(runs)}: {told}") for told, runs in promised.items())
    return warned + drawn + note(ABOUT) + promise + _table(found)


def _panel(band: str, found: Sequence[tuple[str, Intervals]]) -> str:
    panel = Panel(rows_of([run for run, _ in found], [False] * len(found)))
    known = [(run, own, own.bands.get(band)) for run, own in found]
    ends = [
        100 * end for _, _, one in known if one is not None for end in (one.lowest, one.highest)
    ]
    axis = panel.axis([*ends, *(100 * own.level for _, own, _ in known), 100.0])
    bottom = panel.y(len(found) - 1) + panel.pitch / 2
    marks, told = [], []
    for position, (run, own, one) in enumerate(known):
        if one is None:
            continue
        y, aim = panel.y(position), n(axis(100 * own.level))
        words = f"{run}: {100 * one.coverage:.1f} %, blocks {100 * one.lowest:.1f} to "
        words += f"{100 * one.highest:.1f} %, aims at {100 * own.level:g} %"
        told.append(words)
        hollow = "" if own.calibrated else ' class="hollow"'
        marks.append(
            f'<path class="zero" d="M{aim} {n(panel.top - 2)}V{n(bottom)}"/>'
            f'<g class="v run"><title>{text(words)}</title>'
            f'<path d="M{n(axis(100 * one.lowest))} {n(y)}H{n(axis(100 * one.highest))}"/>'
            f'<circle{hollow} cx="{n(axis(100 * one.coverage))}" cy="{n(y)}" r="4"/></g>'
        )
    alt = f"Coverage of band {band}: " + "; ".join(told)
    return panel.drawn(band, "% of pixels within", axis, "".join(marks), alt)


def _table(found: dict[str, Intervals]) -> str:
    import pandas as pd

    rows = [
        {"run": run, "band": band, **_cells(own, one)}
        for run, own in found.items()
        for band, one in own.bands.items()
    ]
    frame = pd.DataFrame(rows).set_index("run")
    return table(frame, "Coverage of calibrated intervals on test", corner="run")


def _cells(own: Intervals, one: BandCoverage) -> dict[str, str]:
    spread = "" if one.std is None else f"\n± {100 * one.std:.1f}"
    return {
        "coverage %": f"{100 * one.coverage:.1f}{spread}",
        "lowest block": f"{100 * one.lowest:.1f}",
        "highest block": f"{100 * one.highest:.1f}",
        f"mean width\n({one.unit})": number(one.width),
        "test blocks": str(one.blocks),
        "calibration blocks": str(one.calibration_blocks),
        "called": own.called,
    }
