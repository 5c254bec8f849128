"""Evaluations of metrics version 1: ``hpsi`` did not say whether it was taken in colour or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from sensor2sensor.config.vocabulary import METRICS
from sensor2sensor.report.file import EvaluationFile

if TYPE_CHECKING:
    import pandas as pd

Value = TypeVar("Value")
# Version 1 took the bands of these names for red, green and blue.
NAMES_OF_VERSION_1 = {"B04", "B03", "B02"}


def upgraded(facts: EvaluationFile, table: pd.DataFrame) -> tuple[EvaluationFile, pd.DataFrame]:
    """The same evaluation under today's name of the HPSI that its bands recorded.

    Args:
        facts: The JSON as it was written.
        table: The rows as they were written.
    """
    if facts.metrics_version != 1 or facts.profile != "standard":
        return facts, table
    colour = set(facts.dataset.value_ranges) >= NAMES_OF_VERSION_1
    today = {"hpsi": "hpsi" if colour else "hpsi_bands"}

    def moved(row: Mapping[str, Value]) -> dict[str, Value]:
        return {today.get(name, name): value for name, value in row.items()}

    # Names alone: a number stays what it was when it was scored.
    metrics = moved(facts.metrics)
    for name in set(today.values()) & set(metrics):
        metrics[name] = metrics[name].model_copy(update={"label": METRICS[name].label})
    changes = {
        "metrics": metrics,
        "summary": {method: moved(row) for method, row in facts.summary.items()},
        "gain": {method: moved(row) for method, row in facts.gain.items()},
    }
    return facts.model_copy(update=changes), table.rename(columns=today)
