"""What a reader can conclude from the results and what not, in ten lines computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sensor2sensor.core.page.svg import text
from sensor2sensor.report import compare
from sensor2sensor.report.comparison import Comparison, tests
from sensor2sensor.report.load import Results
from sensor2sensor.report.page import trust
from sensor2sensor.report.page.view import View, taken_over

LINES = 5  # on each side
NAMED = 3  # models of a line


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
    told = [(view, sentence) for view in order if (sentence := _of_group(view))]
    lines = [sentence for _, sentence in told]
    if len(lines) > LINES - 1:
        lines = [*lines[: LINES - 2], _of_others([view for view, _ in told[LINES - 2 :]])]
    elif len(lines) < LINES - 1 and told:
        lines[1:1] = filter(None, [_of_models(told[0][0])])
    cannot = tuple(_cannot(results, views))[:LINES]
    return Conclusions((_scope(results), *lines), cannot)


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


def _first(view: View) -> tuple[str, Mapping[str, Comparison]]:
    """The model of the best mean rank of those compared with the strongest baseline, and how."""
    gains = view.gains(view.overs[-1]) if view.overs else {}
    return next(iter(gains.items()), ("", {}))


def _ahead(view: View) -> list[str]:
    """The models of the best mean rank: several where they share it."""
    ranks = view.ranks["mean rank"]
    own = {model.label: ranks[model.label] for model in view.models if model.label in ranks.index}
    return [label for label, rank in own.items() if rank == min(own.values())]


def _verdicts(found: Iterable[Comparison]) -> Counter[str]:
    return Counter(one.verdict for one in found)


def _of_group(view: View) -> str:
    """How the model of the best mean rank fares against the strongest baseline."""
    if not compare.ranked(view.group):
        return _of_trust(view)
    model, row = _first(view)
    if not row:
        return ""
    over, ahead = view.overs[-1], _ahead(view)
    many = f"of {len(view.models)} models"
    if len(view.models) == 1:
        first = f"{model} is"
    elif model not in ahead:
        # It was scored without this baseline, or holds by definition.
        best = f"{ahead[0]} has the best mean rank" if ahead else "none has a rank"
        first = f"{many} {best}, and is not compared with {over}; {model} is"
    elif ahead[1:]:
        first = f"{many} {len(ahead)} share the best mean rank; {model} among them is"
    else:
        first = f"{many} {model} has the best mean rank; it is"
    tested = taken_over(row.values())
    return f"{view.title}: {first} {_fared(over, row.values(), len(row))} ({tested})."


def _of_trust(view: View) -> str:
    """What the models improve, leave out and make up: no rank says which is to be trusted."""
    shares = trust.shares_of(view)
    known = {m.label: shares[m.label].values() for m in view.models if m.label in shares}
    told = [
        f"{label} {' / '.join(f'{100 * share:.0f}' for share in own)}"
        for label, own in list(known.items())[:NAMED]
    ]
    first = view.group.facts.trust
    of = "weight" if first is not None and first.as_coded else "pixels judged"
    if not told:
        return ""
    return f"{view.title}: improved / left out / made up, % of the {of}: {'; '.join(told)}."


def _fared(other: str, found: Iterable[Comparison], total: int) -> str:
    """``better than bicubic in 7 of 12 metrics, worse in 1, undecided in 4``."""
    counts = _verdicts(found)
    told = {
        "better than": counts["better"],
        "worse than": counts["worse"],
        "not told apart from": counts["open"],
        "without a verdict against": counts["none"],
    }
    (words, count), *others = [(words, count) for words, count in told.items() if count]
    short = {"worse than": "worse", "not told apart from": "undecided"}
    short |= {"without a verdict against": "without a verdict"}
    return ", ".join([
        f"{words} {other} in {count} of {_count(total, 'metric')}",
        *(f"{short[words]} in {count}" for words, count in others),
    ])  # fmt: skip


def _of_models(view: View) -> str:
    """How the two models of the best mean ranks fare against each other."""
    if len(view.models) < 2:
        return ""
    first, second = (entrant.label for entrant in view.models[:2])
    forth = [one for one in view.pairs if (one.first, one.second) == (first, second)]
    back = [one for one in view.pairs if (one.first, one.second) == (second, first)]
    if not tests([*forth, *back]):
        return ""
    if forth:
        return f"{view.title}: {first} is {_fared(second, forth, len(forth))}."
    return f"{view.title}: {second} is {_fared(first, back, len(back))}."


def _of_others(views: Sequence[View]) -> str:
    """Groups that have no line of their own, counted."""
    rows = [row for view in views if compare.ranked(view.group) and (row := _first(view)[1])]
    if not rows:
        return (
            f"{_count(len(views), 'further group')} of profiles that rank nobody: see their Trust."
        )
    most = sum(2 * _verdicts(row.values())["better"] > len(row) for row in rows)
    return (
        f"In {most} of {_count(len(rows), 'further group')} the first of the models by mean rank "
        "is better than the strongest baseline in most metrics."
    )


def _cannot(results: Results, views: Sequence[View]) -> list[str]:
    every = [one for view in views for one in view.every]
    groups = _count(len(views), "group")
    few = sum(any("only" in one.note for one in view.every) for view in views)
    counts = _verdicts(every)
    silent = counts["open"] + counts["none"]
    reasons = {
        "not significant after Holm's correction": counts["open"],
        "not tested, for the reason beneath its gain": counts["none"],
    }
    seen = sum((view.seen or 0) > 0 for view in views)
    # By name: a model that was scored by two profiles was trained once all the same.
    models: dict[str, int] = {}
    for view in views:
        for model in view.models:
            models[model.label] = max(len(model.results), models.get(model.label, 0))
    once = sum(seeds < 2 for seeds in models.values())
    # Only so many find room: what spoils the numbers first, what holds of every report last.
    lines = {
        f"Nothing about new ground in {seen} of {groups}: training saw part of what is "
        "scored.": seen,
        f"Nothing about {_count(len(results.skipped), 'file')} that could not be read: see "
        "Skipped.": results.skipped,
        f"Nothing about other scenes in {few} of {groups}: fewer than four scenes are behind their "
        "intervals, which speak of these scenes only.": few,
        f"Nothing about another training: {once} of {_count(len(models), 'model')} "
        f"{'was' if once == 1 else 'were'} trained once, and another seed may change the "
        "order.": once,
        **dict.fromkeys(_uncovered(views), True),
        f"Nothing from {silent} of {len(every)} comparisons with a baseline: "
        f"{', '.join(f'{number} {why}' for why, number in reasons.items() if number)}.": silent,
        "Nothing about other sensors, regions or seasons than those of the data sets, and nothing "
        "about single pixels: a score is a mean.": True,
        "Nothing about another training from an interval: it is of ground, for the seeds that were "
        "trained; what a seed changes stands beside the means as “seeds ±”.": not once,
    }
    return [line for line, holds in lines.items() if holds]


def _uncovered(views: Sequence[View]) -> Iterator[str]:
    """Calibrated intervals that held less of test than they aim at."""
    # Once a run: a profile tries the same intervals again, and elsewhere they promise nothing.
    tried = {
        (r.facts.experiment, r.facts.timestamp): r.facts.intervals
        for view in views
        for r in view.group.results
        if r.facts.scored_on is None
    }
    known = [one for one in tried.values() if one and one.bands]
    held = [(min(band.coverage for band in one.bands.values()), one.level) for one in known]
    if short := [(share, level) for share, level in held if share < level]:
        least, level = min(short)
        yield (
            f"Nothing from intervals as if they held {100 * level:g} %: {len(short)} of "
            f"{_count(len(held), 'run')} with intervals held less of test in some band, the least "
            f"{100 * least:.0f} %; see Coverage."
        )


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
