"""Verdicts of a group: every model over the baselines, and every model against every other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sensor2sensor.core.page.section import folded, note
from sensor2sensor.core.page.svg import text
from sensor2sensor.core.page.tables import table
from sensor2sensor.report import comparison
from sensor2sensor.report.compare import (
    NOTHING,
    gain_cell,
    headings,
    shared_note,
    uncompared,
)
from sensor2sensor.report.comparison import Comparison
from sensor2sensor.report.load import Group
from sensor2sensor.report.page import charts
from sensor2sensor.report.page.view import MOST_MODELS, Gains, View, taken_over

if TYPE_CHECKING:
    import pandas as pd

UPRIGHT = 5  # so few models fit as columns beside each other
ABOUT_PAIRS = (
    "Row against column: ✓ counts metrics in which the row is better, ✗ those in which it is "
    "worse; the rest is undecided. A larger family than that of the gains: a pair may be decided "
    "there and not here. Quote the one whose question was asked beforehand. "
)


def over_baselines(view: View) -> str:
    """Gains over the reference and each baseline that beats it, as drawings and as tables."""
    told = [_over(view, over) for over in view.overs]
    inner = "".join(folded(part.title, over_baselines(part)) for part in view.strata)
    return "".join(told) + (inner if any(told) else "") or note("No baseline was evaluated.")


def _over(view: View, over: str) -> str:
    gains = view.gains(over)
    found = [one for row in gains.values() for one in row.values()]
    if not found:
        return ""
    upright = len(gains) <= UPRIGHT
    frame = _frame(view.group, gains)
    tabled = table(frame.T if upright else frame, f"Gain over {over}",
                   corner="metric" if upright else "model")  # fmt: skip
    head = f"<h4>Over {text(over)}</h4>" if len(view.overs) > 1 else ""
    drawn = _key(over) + charts.gain_panels(view.group, gains, over)
    about = _about(view.group, found) + " " + uncompared(view.group, over)
    return head + drawn + note(about) + folded("As a table", tabled)


def _frame(group: Group, gains: Gains) -> pd.DataFrame:
    import pandas as pd

    known = shared_note(one for row in gains.values() for one in row.values())
    columns = {
        head: [gain_cell(row[name], known) if name in row else NOTHING for row in gains.values()]
        for name, head in headings(group).items()
    }
    return pd.DataFrame(columns, index=list(gains))


def _key(over: str) -> str:
    marks = {
        "better": '<circle cx="7" cy="6" r="4"/>',
        "worse": '<rect x="3.4" y="2.4" width="7.2" height="7.2"/>',
        "open": '<circle class="hollow" cx="7" cy="6" r="4"/>',
    }
    words = {"better": f"better than {over}", "worse": f"worse than {over}", "open": "undecided"}
    items = "".join(
        f'<li><svg viewBox="0 0 14 12" aria-hidden="true"><g class="v {kind}">{mark}</g></svg>'
        f"{text(words[kind])}</li>"
        for kind, mark in marks.items()
    )
    return f'<ul class="legend">{items}</ul>'


def _about(group: Group, found: Sequence[Comparison]) -> str:
    few = ", unless too few of its pixels lie within the stratum"
    within = "" if group.stratum is None else few
    return (
        "Models from the best mean rank down. Mean paired difference per tile, signed so that "
        "right of zero is better for every metric, with its 95 % interval: Student's t with the "
        f"cluster-robust variances of blocks of ground and of scenes; here {taken_over(found)}. "
        f"{comparison.told(found)} No verdict where a side fails on a tile that the metric is "
        f"defined on{within}. A scene is "
        f"told from others by {group.facts.scene_unit}."
    )


def between_models(view: View) -> str:
    """How many metrics each model wins and loses against every other; empty of one model."""
    if len(view.models) < 2:
        return ""
    if not view.pairs:
        return note(f"More than {MOST_MODELS} models are compared with the baselines alone.")
    if not comparison.tests(view.pairs):
        return note(f"No verdict between models: {view.board.why or 'too little ground'}.")
    import pandas as pd

    names = [entrant.label for entrant in view.models]
    others = [label for label in view.ordered(e.label for e in view.found) if label in view.grey]
    frame = pd.DataFrame(NOTHING, index=names, columns=[*names, *others])
    # A pair without a test has won and lost nothing: it keeps its dash.
    tested = [one for one in view.pairs if one.p is not None]
    for (first, second), counts in _counted(tested).items():
        if first in frame.index and second in frame.columns:
            frame.loc[first, second] = _cell(counts["better"], counts["worse"])
        if second in frame.index and first in frame.columns:
            frame.loc[second, first] = _cell(counts["worse"], counts["better"])
    caption = f"Metrics won and lost, of {len(view.group.metrics)}"
    told = ABOUT_PAIRS + comparison.told(view.pairs)
    return table(frame, caption, baselines=view.grey, corner="model", note=told)


def _counted(found: Sequence[Comparison]) -> dict[tuple[str, str], Counter[str]]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for one in found:
        counts.setdefault((one.first, one.second), Counter())[one.verdict] += 1
    return counts


def _cell(won: int, lost: int) -> str:
    told = [f"{won} ✓"] * bool(won) + [f"{lost} ✗"] * bool(lost)
    return " ".join(told) or "0"
