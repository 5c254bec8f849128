"""What a reader can conclude from the results and what not, in ten lines computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sensor2sensor.report import compare
from sensor2sensor.report.file import Gain
from sensor2sensor.report.load import Group, Results
from sensor2sensor.report.page.svg import text
from sensor2sensor.report.page.view import View

LINES = 5  # on each side


@dataclass(frozen=True)
class Conclusions:
    """Sentences, at most five on each side.

    Attributes:
        can: What the results say.
        cannot: What they do not say.
    """

    can: tuple[str, ...]
    cannot: tuple[str, ...]


def conclusions(results: Results, views: Sequence[View]) -> Conclusions:
    """Sentences about all groups.

    Args:
        results: All that was read.
        views: Its groups, in their order.
    """
    # The groups with most runs first: what was compared most is what is asked about.
    order = sorted(views, key=lambda view: -len(view.group.results))
    told = [sentence for view in order if (sentence := _of_group(view))]
    can = (_scope(results), *told)
    if len(can) > LINES:
        can = (*can[: LINES - 1], _of_others(order[LINES - 2 :]))
    return Conclusions(can, tuple(filter(None, _cannot(results, views)))[:LINES])


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _scope(results: Results) -> str:
    runs = {(r.facts.experiment, r.facts.timestamp) for r in results.results}
    sets = {r.facts.dataset.sha256 for r in results.results}
    groups = len(results.groups)
    together = (
        "all comparable with each other"
        if groups == 1
        else f"in {groups} groups; only within one group are numbers comparable"
    )
    return (
        f"{_count(len(results.results), 'evaluation')} of {_count(len(runs), 'run')} on "
        f"{_count(len(sets), 'data set')}, {together}."
    )


def _first(view: View) -> tuple[str, Mapping[str, Gain]]:
    """The run of the best mean rank and its gains over the strongest baseline; both empty."""
    gains = view.gains(view.overs[-1]) if view.overs else {}
    if not gains:
        return "", {}
    order = [str(label) for label in view.ranks.index if label in gains]
    run = order[0] if order else next(iter(gains))
    return run, gains[run]


def _verdicts(gains: Mapping[str, Gain]) -> Counter[str]:
    return Counter(gain.verdict for gain in gains.values())


def _of_group(view: View) -> str:
    """How the run of the best mean rank fares against the strongest baseline."""
    run, gains = _first(view)
    if not gains:
        return ""
    over, counts = view.overs[-1], _verdicts(gains)
    total = _count(len(gains), "metric")
    told = {
        "better than": counts["better"],
        "worse than": counts["worse"],
        "not told apart from": counts["open"] + counts["none"],
    }
    known = [(words, count) for words, count in told.items() if count]
    (words, count), *others = known
    parts = [f"{words} {over} in {count} of {total}"]
    parts += [f"{words.split(' than')[0].split(' from')[0]} in {count}" for words, count in others]
    first = f"{run} has the best mean rank and is" if len(view.group.results) > 1 else f"{run} is"
    behind = compare.independent_groups(view.group, over)
    return f"{view.title}: {first} {', '.join(parts)} ({behind})."


def _of_others(views: Sequence[View]) -> str:
    """Groups that have no line of their own, counted."""
    first = [_first(view) for view in views]
    known = [gains for _, gains in first if gains]
    most = sum(2 * _verdicts(gains)["better"] > len(gains) for gains in known)
    return (
        f"In {most} of {_count(len(known), 'further group')} the run of the best mean rank is "
        "better than the strongest baseline in most metrics."
    )


def _cannot(results: Results, views: Sequence[View]) -> list[str]:
    groups = [view.group for view in views]
    every = [g for v in views for over in v.overs for g in compare.gains_of(v.group, over)]
    few = [g for g in groups if any("only" in x.note for x in compare.gains_of(g))]
    silent = sum(gain.verdict in ("open", "none") for gain in every)
    seen = [g for g in groups if (_seen(g) or 0) > 0]
    return [
        f"Nothing about other scenes in {len(few)} of {_count(len(groups), 'group')}: fewer than "
        "four scenes are behind their intervals, which speak of these scenes only."
        if few
        else "",
        f"Nothing from {silent} of {len(every)} comparisons with a baseline: their intervals "
        "include 0, or a tile has no finite value."
        if silent
        else "",
        "Nothing about one model against another beyond their ranks, which have no interval."
        if any(len(g.results) > 1 for g in groups)
        else "",
        f"Nothing about new ground in {len(seen)} of {_count(len(groups), 'group')}: training saw "
        "part of what is scored."
        if seen
        else "",
        f"Nothing about {_count(len(results.skipped), 'file')} that could not be read: see Skipped."
        if results.skipped
        else "",
        "Nothing about other sensors, regions or seasons than those of the data sets, and nothing "
        "about single pixels: a good score is a mean.",
    ]


def _seen(group: Group) -> float | None:
    shared: float | None = group.facts.dataset.split_policy["ground_shared"].get(group.facts.split)
    return shared


def drawn(found: Conclusions) -> str:
    """Both sides beside each other."""
    sides = (
        ("can", "What one can conclude", found.can),
        ("cannot", "What one cannot", found.cannot),
    )
    return '<div class="sides">' + "".join(
        f'<section class="{kind}" id="{kind}" aria-labelledby="{kind}-h"><h2 id="{kind}-h">{title}'
        f"</h2><ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul></section>"
        for kind, title, lines in sides
    ) + "</div>"  # fmt: skip
