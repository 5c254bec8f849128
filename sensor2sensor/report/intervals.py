"""Calibrated intervals in reports: a table of coverages, and the section of a model card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from sensor2sensor.predictors.interval_words import quantile_lines
from sensor2sensor.predictors.intervals import Intervals
from sensor2sensor.report.kinds import other_data_in_words, seen_in_words
from sensor2sensor.report.load import Result

if TYPE_CHECKING:
    from sensor2sensor.report.file import Intervals as Tried

COLUMNS = (
    "experiment", "timestamp", "step", "band", "unit", "level", "called", "q", "coverage", "std",
    "lowest", "highest", "width", "test_blocks", "shift", "promise",
)  # fmt: skip


def coverage_frame(results: Sequence[Result]) -> pd.DataFrame:
    """Coverage by run and band, a row each; empty where no run has intervals.

    ``coverage`` is the mean over test blocks, ``std``, ``lowest`` and ``highest`` are over blocks;
    ``promise`` belongs wherever the numbers are shown, and ``shift`` says where it does not hold.
    """
    rows = [
        (
            *(result.facts.experiment, result.facts.timestamp, result.facts.step),
            *(name, band.unit, tried.level, tried.called, band.q, band.coverage, band.std),
            *(band.lowest, band.highest, band.width, band.blocks),
            *("; ".join(tried.shift), tried.promise),
        )
        for result in results
        if (tried := result.facts.intervals) is not None
        for name, band in tried.bands.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def card_lines(held: Intervals | None, results: Sequence[Result]) -> Iterator[str]:
    """The section of a model card; nothing of a model without intervals.

    Args:
        held: The quantiles that travel with the export.
        results: Evaluations of these weights.
    """
    if held is None:
        return
    about, promise = quantile_lines(held)
    yield "## Intervals"
    yield f"{about}. They are {promise}. `--intervals` writes their lower and upper ends."
    tried = [(one.facts, own) for one in results if (own := one.facts.intervals) is not None]
    if not tried:
        yield "They were not tried on test: `evaluate.py` does it."
    several = any(facts.scored_on is not None for facts, _ in tried)
    for facts, one in tried:
        if several:
            other = other_data_in_words(facts)
            yield f"On {other}: {seen_in_words(facts)}." if other else "On its own data set:"
        yield _table(one)
        if one.shift:
            yield f"Shifted domain, where nothing is promised: {'; '.join(one.shift)}."


def _table(tried: Tried) -> str:
    heads = "band", "within", "std over blocks", "lowest block", "mean width", "test blocks"
    lines = [heads, ("---",) * len(heads)]
    for name, band in tried.bands.items():
        std = "–" if band.std is None else f"{100 * band.std:.1f} %"
        shares = f"{100 * band.coverage:.1f} %", std, f"{100 * band.lowest:.1f} %"
        lines.append((name, *shares, f"{band.width:.4g} {band.unit}", str(band.blocks)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
