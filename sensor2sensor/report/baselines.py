"""Which baselines gains are shown over: the reference, and each that beats it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensor2sensor.config import evaluations
from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.report.board import of_gain
from sensor2sensor.report.comparison import family
from sensor2sensor.report.entrants import means
from sensor2sensor.report.load import Group, Result


def gained_over(group: Group) -> tuple[str, ...]:
    """The group's reference, then those that beat it, the strongest last; empty without one.

    The strongest is that of the best mean rank among them.
    """
    reference = group.reference
    if reference is None:
        return ()
    # Once each, in the order of the results: a baseline scores the same beside any model.
    found = (
        over for result in group.results for over in stronger(result, reference, group.stratum)
    )
    others = tuple(dict.fromkeys(name for name in found if name != reference))
    return (reference, *(_weakest_first(group, others) if others[1:] else others))


def _weakest_first(group: Group, names: Sequence[str]) -> list[str]:
    """Baselines by their mean rank among each other, the best last; of equals in their order."""
    every = means(group)
    scores = every.loc[[name for name in names if name in every.index]]
    placed = dict.fromkeys(names, 0.0)
    for name, definition in group.metrics.items():
        if not definition.undefined:
            lower = definition.better == "lower"
            order = scores[name].rank(ascending=lower, method="min", na_option="bottom")
            for base in scores.index:
                placed[base] += order[base]
    # One without a mean of its own to compare stands first.
    return sorted(names, key=lambda base: -placed[base] if base in scores.index else -np.inf)


def stronger(result: Result, reference: str, stratum: str | None = None) -> tuple[str, ...]:
    """Baselines of a result that beat a reference, by the rule of ``evaluate.py``.

    Args:
        result: Of whole tiles, or within the stratum.
        reference: What they are to beat; in a run of that very baseline nothing is told.
        stratum: That of the result; None for whole tiles.
    """
    facts = result.facts
    if reference not in facts.summary:
        return ()
    given = result.given(reference, stratum)
    better = {} if given else {name: d.better for name, d in facts.metrics.items()}
    others = [name for name in result.methods if name not in {MODEL, reference}]
    return evaluations.stronger(
        reference, others, better, lambda method, name: facts.summary[method][name].mean
    )


def unproven(results: Sequence[Result]) -> list[str]:
    """Of the strongest baselines those that no gain over is proven; of whole tiles, not strata."""
    overs: dict[str, bool] = {}
    for result in results:
        reference = result.facts.reference or ""
        for over in (reference, *stronger(result, reference)):
            overs[over] = overs.get(over, False) or _better(result, over)
    return [over or "a baseline" for over, proven in overs.items() if not proven]


def _better(result: Result, over: str) -> bool:
    """Whether any gain is proven, after Holm's correction over the metrics of the result."""
    gains = result.facts.gain.get(over, {})
    names = [name for name in result.facts.metrics if name in gains]
    found = family([of_gain("", over, name, gains[name]) for name in names])
    return any(one.verdict == "better" for one in found)
