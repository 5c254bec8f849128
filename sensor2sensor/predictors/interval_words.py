"""Intervals and their coverage in lines for people: terminal, model card and pages say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensor2sensor.predictors.intervals import SPREAD, Intervals, percent


def quantile_lines(made: Intervals) -> list[str]:
    """The quantiles of a model, and what they promise."""
    unit = "times the spread" if made.score == SPREAD else ""
    each = ", ".join(f"{one.name} ± {one.q:.4g} {unit or one.unit}" for one in made.bands)
    edge = f"; {made.edge_px} px at the edges of tiles left out" if made.edge_px else ""
    return [f"{percent(made.level)} intervals ({made.called}{edge}): {each}", made.promise]


def coverage_lines(section: Mapping[str, Any]) -> list[str]:
    """What section ``intervals`` of an evaluation says."""
    blocks, level = section["test_blocks"], percent(section["level"])
    lines = [f"{level} intervals ({section['called']}) on {blocks} test blocks, by band:"]
    for name, one in section["bands"].items():
        over = "" if one["std"] is None else f", std over blocks {100 * one['std']:.1f} %"
        ends = f"{100 * one['lowest']:.1f} to {100 * one['highest']:.1f} %"
        lines.append(
            f"  {name}: {100 * one['coverage']:.1f} % within (blocks {ends}{over}), mean width"
            f" {one['width']:.4g} {one['unit']}"
        )
    if out := section.get("left_out_blocks"):
        lines.append(f"  left out: {out} more blocks, on whose ground they were calibrated")
    lines.append(f"intervals are {section['promise']}")
    return [*lines, *(f"shifted domain, so not even that: {one}" for one in section["shift"])]
