"""The scores in the card of an exported model, and the limits that follow from them.

Those of the data set that a model was trained on come first; those of any other are said to be of
another, with what training has seen of its ground.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sensor2sensor.config.evaluations import mode_in_words
from sensor2sensor.report.baselines import stronger, unproven
from sensor2sensor.report.compare import NOTHING, interval, number
from sensor2sensor.report.kinds import other_data_in_words, seen_in_words
from sensor2sensor.report.load import Result

Row = Sequence[object]
ALONE = "each by its own interval, uncorrected for their number"


def score_lines(results: Sequence[Result]) -> Iterator[str]:
    """The section of the scores, a table for each evaluation and baseline.

    Args:
        results: Evaluations of these weights.
    """
    yield "## Scores"
    if not results:
        yield "These weights were not evaluated: `evaluate.py` scores them."
    if any(gain.over for r in results for own in r.facts.gain.values() for gain in own.values()):
        # Unlike those of the report, which are of all its metrics and methods together.
        yield f"Verdicts on metrics are {ALONE}; `s2s report` corrects them."
    for result in results:
        facts, first = result.facts, result.facts.reference or ""
        mode = "" if facts.inference is None else f" ({mode_in_words(facts.inference)})"
        other = other_data_in_words(facts)
        where = f" of {other}" if other else ""
        yield (
            f"Profile `{facts.profile}`{mode}, {facts.tiles} tiles of split `{facts.split}`{where},"
            " means over tiles; positive gains are better, with their 95 % intervals."
        )
        if other:
            yield f"Not the data set it was trained on: {seen_in_words(facts)}."
        for over in (first, *stronger(result, first)):
            heads = "metric", "model", over or "baseline", f"gain over {over}" if over else "gain"
            yield table((*heads, "verdict"), list(_rows(result, over)))
            gains = facts.gain.get(over, {}).values()
            over_what = sorted({gain.over for gain in gains if gain.over})
            told = [f"Intervals over {' or '.join(over_what)}"] if over_what else []
            if told := [*told, *sorted({gain.note for gain in gains if gain.note})]:
                yield f"{'; '.join(told)}."


def score_limits(results: Sequence[Result]) -> Iterator[str]:
    """What of the scores belongs to a model's limits, for each data set by itself.

    Args:
        results: Evaluations of these weights.
    """
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(other_data_in_words(result.facts), []).append(result)
    if not results:
        yield "No score is known."
    elif "" not in found:
        yield "No score on the data set it was trained on is known."
    for other, own in found.items():
        yield from (f"On {other}: {line}" if other else line for line in _limits(own))


def table(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(one) for one in line)} |" for line in lines)


def _cell(value: object) -> str:
    text = NOTHING if value is None else str(value)
    return " ".join(text.split()).replace("|", "\\|")


def _limits(results: Sequence[Result]) -> Iterator[str]:
    if over := unproven(results):
        yield f"No gain over {' or '.join(over)} is proven: no interval lies above zero."
    if worse := _worse(results):
        yield f"Worse than a baseline in {worse}; {ALONE}."
    if behind := _worse(results, proven=False):
        yield f"Behind a baseline in the mean, which no interval proves: {behind}."


def _rows(result: Result, over: str) -> Iterator[Row]:
    facts, own = result.facts, result.facts.summary["model"]
    other, gains = facts.summary.get(over, {}), facts.gain.get(over, {})
    for name, metric in ((n, m) for n, m in facts.metrics.items() if not m.undefined):
        unit = "" if metric.unit == "1" else f" ({metric.unit})"
        base = number(other[name].mean) if name in other else NOTHING
        gain = gains.get(name)
        ends = None if gain is None else interval(gain)
        spread = "" if ends is None else f" [{ends[0]:.2g}, {ends[1]:.2g}]"
        mean = NOTHING if gain is None or gain.mean is None else f"{gain.mean:+.3g}{spread}"
        verdict = NOTHING if gain is None else gain.verdict
        others = [one for one in _worse_than(result, name) if one != over]
        verdict += f", worse than {', '.join(others)}" if others else ""
        yield metric.label + unit, number(own[name].mean), base, mean, verdict


def _worse(results: Sequence[Result], *, proven: bool = True) -> str:
    """Labels of metrics with the baselines that are better, whichever they are."""
    found: dict[str, dict[str, None]] = {}
    for result in results:
        for name, metric in result.facts.metrics.items():
            if overs := _worse_than(result, name, proven=proven):
                found.setdefault(metric.label, {}).update(dict.fromkeys(overs))
    return ", ".join(f"{label} ({', '.join(overs)})" for label, overs in found.items())


def _worse_than(result: Result, name: str, *, proven: bool = True) -> list[str]:
    """The baselines that are better in a metric; those of a mean without a verdict otherwise."""
    gains = {over: said[name] for over, said in result.facts.gain.items() if name in said}
    if proven:
        return sorted(over for over, gain in gains.items() if gain.verdict == "worse")
    unsure = {over: g.mean for over, g in gains.items() if g.verdict in ("open", "none")}
    return sorted(over for over, mean in unsure.items() if mean is not None and mean < 0)
