"""Results apart where one name of a metric means two things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sensor2sensor.config import declared
from sensor2sensor.report.file import Definition

if TYPE_CHECKING:
    from sensor2sensor.report.load import Result

# What their words mean is fixed by the metrics version; one of a user's module means its own words.
BUILT_IN = frozenset(entry["name"] for entry in declared.METRICS)


def _meaning(name: str, definition: Definition) -> dict[str, str]:
    """What two metrics of one name must agree in to share a column."""
    # Not the label: a new name for a column changes no number in it.
    meaning = {"unit": definition.unit, "better": definition.better}
    if definition.weights is not None:  # another network is another metric
        meaning["weights"] = definition.weights["sha256"]
    return meaning if name in BUILT_IN else {**meaning, "paper": definition.paper}


def parted(results: Sequence[Result]) -> list[tuple[list[Result], list[str]]]:
    """Results apart where one name means two metrics, and words for what each part means by it.

    A result without that metric stands in the first part.
    """
    # Results are in the order of their files: one folder always gives the same parts.
    parts: list[list[Result]] = []
    meanings: list[dict[str, dict[str, str]]] = []
    for result in results:
        own = {name: _meaning(name, d) for name, d in result.facts.metrics.items()}
        for part, known in zip(parts, meanings, strict=True):
            if all(known[name] == own[name] for name in known.keys() & own.keys()):
                part.append(result)
                known |= own
                break
        else:
            parts.append([result])
            meanings.append(own)
    return list(zip(parts, _differing(meanings), strict=True))


def _differing(meanings: Sequence[dict[str, dict[str, str]]]) -> list[list[str]]:
    """``bias of unit 'percent'`` for each part and metric whose meaning is another elsewhere."""
    said: list[list[str]] = [[] for _ in meanings]
    for name in dict.fromkeys(name for known in meanings for name in known):
        having = [known[name] for known in meanings if name in known]
        facts = [f for f in having[0] if len({meaning[f] for meaning in having}) > 1]
        for words, known in zip(said, meanings, strict=True):
            if facts and name in known:
                told = " and ".join(f"{fact} {known[name][fact]!r}" for fact in facts)
                words.append(f"{name} of {told}")
    return said
