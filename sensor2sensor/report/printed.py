"""The tables of one group as sheets for papers: scores, ranks, gains, pairs, breakdowns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.report import breakdown, compare, pages
from sensor2sensor.report.baselines import gained_over
from sensor2sensor.report.board import board_of
from sensor2sensor.report.comparison import Comparison, many, tests, told
from sensor2sensor.report.entrants import Entrant, values
from sensor2sensor.report.load import Group
from sensor2sensor.report.paired import over_baseline, pairs
from sensor2sensor.report.sheets import Sheet

if TYPE_CHECKING:
    import pandas as pd

FEW = 12  # models whose pairs fit a table
TURNED = {"better": "worse", "worse": "better", "open": "open", "none": "none"}


def behind(group: Group) -> str:
    """What all numbers of a group are of: data set, tiles, blocks, scenes, profile."""
    facts, board = group.facts, board_of(group)
    places = ""
    if board.facts is not None:
        blocks, scenes = board.facts["block"].nunique(), board.facts["scene"].nunique()
        places = f" in {many(blocks, 'block')} of ground and {many(scenes, 'scene')}"
    seeds = [f"{e.label}: {', '.join(map(str, e.seeds))}" for e in board.entrants if e.seeds]
    averaged = f" Seeds are averaged tile by tile first ({'; '.join(seeds)})." if seeds else ""
    return (
        f"{group.title}: {len(board.names)} tiles{places}, metrics of version "
        f"{facts.metrics_version}. {pages.ground(group)}{averaged}"
    )


def scores(group: Group) -> Sheet:
    """Mean ± standard deviation, the best mean in bold."""
    table = compare.summary_table(group)
    caption = (
        "Mean ± standard deviation over tiles; “seeds ±” is the standard deviation of the means of "
        "seeds. Undefined and infinite values are counted, never averaged. Bold is best by the "
        "mean on the tiles that all share: without those where one is perfect. "
        f"{compare.lacking(group)}{behind(group)}"
    )
    numbers = _frame(row for e in compare.entrants(group) for row in _scores(group, e))
    return Sheet("scores", "Scores", table, caption, numbers, compare.best_cells(group, table))


def _scores(group: Group, entrant: Entrant) -> Iterable[dict[str, Any]]:
    for name, definition in group.metrics.items():
        if not entrant.has(name):
            continue
        column, finite = entrant.table[name], values(entrant, name)
        yield {
            **_named(entrant),
            "metric": name,
            "unit": definition.unit,
            "better": definition.better,
            "mean": _number(finite.mean()),
            "std": _number(finite.std()),
            "median": _number(finite.median()),
            "tiles": len(column),
            "finite": len(finite),
            "undefined": int(np.isnan(column).sum()),
            "infinite": int(np.isinf(column).sum()),
            "by_definition": entrant.given,
            "std_of_seeds": entrant.seed_spread(name),
            "means_of_seeds": " ".join(map(repr, entrant.of_seeds(name))),
            "pooled": entrant.pooled.get(name),
        }


def _named(entrant: Entrant) -> dict[str, Any]:
    kind = "baseline" if entrant.baseline else "model"
    return {"entry": entrant.label, "kind": kind, "seeds": " ".join(map(str, entrant.seeds))}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def ranks(group: Group) -> Sheet:
    """Rank of the mean in every metric."""
    table = compare.rank_table(group)
    caption = (
        "Rank of the mean on the tiles that all share, 1 is best; who lacks a finite value on one "
        f"of them comes last. A rank is no verdict. {behind(group)}"
    )
    numbers = table.reset_index(names="entry").astype(object)
    return Sheet("ranks", "Ranks of the means", table.astype(str), caption, numbers)


def gains(group: Group, over: str) -> Sheet | None:
    """Gain of every model over a baseline, verdicts after the correction; None without any."""
    table = compare.gain_table(group, over)
    if table is None:
        return None
    found = over_baseline(group, over)
    caption = (
        f"Mean paired difference per tile to {over}, positive is better in every metric, with its "
        "95 % interval (Student's t, cluster-robust variances of blocks of ground and of scenes) "
        f"and its corrected p-value; {compare.independent_groups(group, over)}. ✓ better, ✗ worse. "
        f"{told(found)} {compare.uncompared(group, over)}{behind(group)}"
    )
    numbers = comparisons(group, found)
    return Sheet(f"gain_over_{_plain(over)}", f"Gain over {over}", table, caption, numbers)


def comparisons(group: Group, found: Sequence[Comparison]) -> pd.DataFrame:
    """Comparisons of one family with everything that is known of each."""
    count, seeds = tests(found), {e.label: e for e in board_of(group).entrants}
    return _frame(
        {
            "first": one.first,
            "second": one.second,
            "metric": one.metric,
            "unit": group.metrics[one.metric].unit if one.metric in group.metrics else "",
            "mean_difference": one.mean,
            "low_95": one.low,
            "high_95": one.high,
            "degrees_of_freedom": one.freedom,
            "p": one.p,
            "p_holm": one.corrected,
            "tests_in_family": count,
            "verdict": one.verdict,
            "p_signed_rank": one.ranked,
            "p_signed_rank_holm": one.ranked_corrected,
            "better_share": one.better_share,
            "tiles": one.count,
            "left_out": one.left_out,
            "failed_first": one.failed[0],
            "failed_second": one.failed[1],
            "blocks": one.blocks,
            "scenes": one.scenes,
            "interval_over": one.over,
            "note": one.note,
            "seeds_first": " ".join(map(str, seeds[one.first].seeds)),
        }
        for one in found
    )


def against_each_other(group: Group) -> Sheet | None:
    """Every model against every other and each baseline; None of a single model."""
    found = pairs(group)
    models = [e.label for e in compare.competing(group) if e.results]
    if len(models) < 2 or not tests(found):
        return None
    verdicts: dict[tuple[str, str], Counter[str]] = {}
    for one in found:
        verdicts.setdefault((one.first, one.second), Counter())[one.verdict] += 1
        verdicts.setdefault((one.second, one.first), Counter())[TURNED[one.verdict]] += 1
    few = len(models) <= FEW
    table = _matrix(group, models, verdicts) if few else _totals(models, verdicts)
    row = "Row against column: metrics" if few else "Comparisons with all others"
    caption = (
        f"{row} in which it is better : worse of those tested, paired per tile. {told(found)} "
        f"{behind(group)}"
    )
    title = "Models against each other and baselines"
    return Sheet("pairs", title, table, caption, comparisons(group, found))


def left_out(group: Group) -> str:
    """Why no table holds models against each other, though there are several; else empty."""
    several = sum(bool(e.results) for e in compare.competing(group)) > 1
    if not several or tests(pairs(group)):
        return ""
    notes = Counter(one.note for one in pairs(group)).most_common(1)
    return f"Models against each other: {notes[0][0]}" if notes else ""


def _matrix(
    group: Group, models: Sequence[str], verdicts: Mapping[tuple[str, str], Counter[str]]
) -> pd.DataFrame:
    import pandas as pd

    others = [e.label for e in compare.competing(group)]
    cells = {b: [_counted(verdicts.get((a, b))) for a in models] for b in others}
    return pd.DataFrame(cells, index=list(models))


def _totals(
    models: Sequence[str], verdicts: Mapping[tuple[str, str], Counter[str]]
) -> pd.DataFrame:
    import pandas as pd

    own = {a: [count for (first, _), count in verdicts.items() if first == a] for a in models}
    totals = [_counted(sum(counts, Counter())) for counts in own.values()]
    return pd.DataFrame({"better : worse": totals}, index=list(models))


def _counted(verdicts: Counter[str] | None) -> str:
    """``5 : 1 of 13``; a dash of what was not compared."""
    tested = 0 if verdicts is None else verdicts.total() - verdicts["none"]
    if verdicts is None or not tested:
        return compare.NOTHING
    return f"{verdicts['better']} : {verdicts['worse']} of {tested}"


def broken_down(group: Group, by: str) -> Sheet:
    """The first metric by one fact; the CSV has every metric, each a family of its own."""
    every = [breakdown.breakdown(group, by, name) for name in group.metrics]
    first = every[0]
    label = compare.headings(group, unit=False)[first.metric]
    edges = f" Terciles of the tiles, at {_edges(first)}." if first.edges else ""
    caption = (
        f"{label}: mean over the tiles of each part, and beneath it the gain over "
        f"{first.over or 'a baseline'} with its 95 % interval; none below the minimum of blocks."
        f"{edges} {told(first.comparisons(), 'parts')} {behind(group)}"
    )
    numbers = _frame(row for one in every for row in _parts(group, one))
    title = f"{label} by {by.replace('_', ' ')}"
    return Sheet(f"by_{_plain(by)}", title, breakdown.frame(first), caption, numbers)


def _edges(found: breakdown.Breakdown) -> str:
    unit = f" {found.unit}" if found.unit else ""
    return " and ".join(f"{edge:.3g}{unit}" for edge in found.edges)


def _parts(group: Group, found: breakdown.Breakdown) -> Iterable[dict[str, Any]]:
    count = tests(found.comparisons())
    for cell in found.cells:
        one = cell.comparison
        yield {
            "by": found.by,
            "part": cell.part.label,
            "unit_of_part": found.unit,
            "edges": " ".join(map(repr, found.edges)),
            "tiles": len(cell.part.tiles),
            "blocks": cell.part.blocks,
            "scenes": cell.part.scenes,
            "entry": cell.label,
            "metric": found.metric,
            "unit": group.metrics[found.metric].unit,
            "mean": cell.mean,
            "finite": cell.count,
            "over": None if one is None else one.second,
            "gain": None if one is None else one.mean,
            "low_95": None if one is None else one.low,
            "high_95": None if one is None else one.high,
            "p": None if one is None else one.p,
            "p_holm": None if one is None else one.corrected,
            "tests_in_family": count,
            "verdict": None if one is None else one.verdict,
            "left_out": None if one is None else one.left_out,
            "failed": None if one is None else one.failed[0],
            "note": None if one is None else one.note,
        }


def _plain(name: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("_")


def _frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    # As objects: a count beside a missing one would become 3.0.
    return pd.DataFrame(list(rows), dtype=object)


def sheets(group: Group) -> list[Sheet]:
    """Every table of a group."""
    gained = [gains(group, over) for over in gained_over(group)]
    parts = [broken_down(group, by) for by in breakdown.facts(group)]
    ranked = [ranks(group)] if compare.ranked(group) else []
    made = [scores(group), *ranked, *gained, against_each_other(group), *parts]
    return [sheet for sheet in made if sheet is not None]
