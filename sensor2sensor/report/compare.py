"""Tables of one group: mean ± std, ranks, gain over the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.config.evaluations import BY_DEFINITION
from sensor2sensor.config.vocabulary import ARROWS
from sensor2sensor.core.page.svg import NOTHING, number
from sensor2sensor.report.comparison import Comparison, told
from sensor2sensor.report.entrants import Entrant, compared, competing, entrants, means, values
from sensor2sensor.report.file import Definition, Gain
from sensor2sensor.report.load import Group
from sensor2sensor.report.paired import over_baseline

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "NOTHING",
    "UNRANKED",
    "Entrant",
    "best_cells",
    "compared",
    "compared_with",
    "competing",
    "correction",
    "entrants",
    "gain_cell",
    "gain_table",
    "gaining",
    "gains_of",
    "heading",
    "headings",
    "independent_groups",
    "interval",
    "labels",
    "lacking",
    "means",
    "number",
    "of_a_profile",
    "rank_table",
    "ranked",
    "scene_table",
    "share",
    "shared_note",
    "summary_table",
    "uncompared",
    "values",
]
UNRANKED = (
    "No ranks: what adds nothing is consistent by construction and hallucinates nothing, so a mean "
    "over these scores would reward it."
)


def heading(definition: Definition, *, unit: bool = True) -> str:
    """Label and direction, and the unit on a second line: ``PSNR ↑``, ``(dB)``."""
    text = f"{definition.label} {ARROWS[definition.better]}"
    shown = definition.undefined or definition.unit
    return f"{text}\n({shown})" if unit and shown != "1" else text


def headings(group: Group, *, unit: bool = True) -> dict[str, str]:
    """Heading of each metric; with its name where modules of two users chose one label."""
    return _apart({name: heading(d, unit=unit) for name, d in group.metrics.items()})


def labels(group: Group) -> dict[str, str]:
    """Label of each metric for a sentence; with its name where two have one."""
    return _apart({name: d.label for name, d in group.metrics.items()})


def _apart(told: dict[str, str]) -> dict[str, str]:
    twice = {text for text, count in Counter(told.values()).items() if count > 1}
    return {name: f"{name}: {text}" if text in twice else text for name, text in told.items()}


def of_a_profile(part: Group) -> bool:
    """Whether the parts of a group are a profile's own, and not the data set's strata."""
    return any(stratum.stratum for stratum in part.facts.strata.values())


def share(count: int, total: int) -> str:
    """``20 of 40`` where some tiles have no finite value; empty where all have one."""
    return "" if count == total else f"{count} of {total}"


def lacking(group: Group) -> str:
    """Who was not scored in which metric, as a sentence; empty where all were in all."""
    found, spoken = entrants(group), labels(group)
    told = {
        spoken[name]: [entrant.label for entrant in found if not entrant.has(name)]
        for name in group.metrics
        if name not in group.shared
    }
    parts = [f"{label} of {', '.join(names)}" for label, names in told.items() if names]
    if not parts:
        return ""
    return f"No {'; no '.join(parts)}: not among the metrics of these runs (–). "


def uncompared(group: Group, over: str) -> str:
    """Which models were scored without a baseline and so have no gain; empty where none."""
    having = {one.first for one in over_baseline(group, over)}
    names = [e.label for e in entrants(group) if e.results and not e.baseline]
    missing = [name for name in names if name not in having]
    if not having or not missing:
        return ""
    return f"Not compared, since scored without {over}: {', '.join(missing)}. "


def _mean_cell(entrant: Entrant, metric: str) -> str:
    if not entrant.has(metric):
        return NOTHING
    if entrant.given:
        return BY_DEFINITION
    finite = values(entrant, metric)
    part = share(len(finite), len(entrant.table))
    pooled = f", pooled {number(entrant.pooled[metric])}" if metric in entrant.pooled else ""
    spread = entrant.seed_spread(metric)
    luck = "" if spread is None else f", seeds ± {number(spread)}"
    # pandas' std has n - 1 below it, as that of the evaluation's own tables.
    return f"{number(finite.mean())}\n± {number(finite.std())}{part and f' ({part})'}{luck}{pooled}"


def summary_table(group: Group) -> pd.DataFrame:
    """Mean, and ± std beneath it, over the tiles with a finite value; how many were left out."""
    import pandas as pd

    found = entrants(group)
    columns = {text: [_mean_cell(e, name) for e in found] for name, text in headings(group).items()}
    cells = [e.table[[m for m in group.metrics if e.has(m)]].to_numpy() for e in found]
    columns["tiles"] = [str(len(e.table)) for e in found]
    columns["undefined"] = [str(int(np.isnan(own).sum())) for own in cells]
    columns["infinite"] = [str(int(np.isinf(own).sum())) for own in cells]
    return pd.DataFrame(columns, index=[e.label for e in found])


def best_cells(group: Group, table: pd.DataFrame) -> pd.DataFrame:
    """True for the best mean of each metric, in the shape of a :func:`summary_table`."""
    import pandas as pd

    # NaN, and so never best, where tiles are lacking or scores hold by definition.
    found, marks = means(group).reindex(table.index), table.map(lambda _: False)
    for name, text in headings(group).items():
        column = found[name]
        target = column.max() if group.metrics[name].better == "higher" else column.min()
        # Equal and not near: who shares the best mean shares the bold.
        marks[text] = (column == target).to_numpy()
    return pd.DataFrame(marks, dtype=bool)


def ranked(group: Group) -> bool:
    """Whether a mean rank says who is better: no share of trust is good by itself."""
    return group.facts.trust is None


def rank_table(group: Group) -> pd.DataFrame:
    """Rank of the mean per metric, 1 is best, on the tiles of :func:`compared`.

    Sorted by the mean rank, over the metrics that all have; ties share the better rank. An entrant
    that cannot be compared comes last; one that was never scored in a metric has no rank in it, and
    one whose scores hold by definition none at all.
    """
    import pandas as pd

    found, scores = competing(group), means(group)
    ranks: dict[str, list[int | str]] = {}
    shown = headings(group, unit=False)
    for name, definition in group.metrics.items():
        if not definition.undefined:
            having = [entrant.has(name) for entrant in found]
            # All would share the first place in what nobody has a value of.
            having = having if scores[name].notna().any() else [False] * len(found)
            lower = definition.better == "lower"
            # At the bottom without a mean: nobody must gain a rank by failing on hard tiles.
            order = scores.loc[having, name].rank(ascending=lower, method="min", na_option="bottom")
            places = iter(order.astype(int))
            column = [next(places) if known else NOTHING for known in having]
            ranks[shown[name]] = column
    table = pd.DataFrame(ranks, index=scores.index)
    # First of two runs that have a metric is no achievement beside first of ten.
    whole = [name for name, column in ranks.items() if NOTHING not in column]
    table.insert(0, "mean rank", table[whole].mean(axis=1).round(2))
    return table.sort_values("mean rank", kind="stable")


def interval(gain: Gain) -> tuple[float, float] | None:
    """The 95 % interval by Student's t, or None where there is no verdict."""
    # Evaluations from before scenes counted have ends too, and those are too narrow to be shown.
    if gain.verdict == "none" or gain.t_low is None or gain.t_high is None:
        return None
    return gain.t_low, gain.t_high


def gain_cell(one: Comparison, known: str = "") -> str:
    """Mean and verdict, then interval and limits: ``+0.1 ✓``, ``0.02 to 0.2, p 0.01 for this …``.

    A gain on some tiles only says on how many. The p-value is the corrected one.

    Args:
        one: The comparison.
        known: A note that stands beneath the table, and in no cell.
    """
    gain, mark = one.gain(), {"better": " ✓", "worse": " ✗"}.get(one.verdict, "")
    ends = interval(gain)
    mean = NOTHING if gain.mean is None else f"{brief(gain.mean, 3, '+')}{mark}"
    spread = [] if ends is None else [f"{brief(ends[0])} to {brief(ends[1])}, {p_in_words(one)}"]
    part = share(gain.count, gain.count + gain.left_out)
    told = [f"({part})"] if part and part not in gain.note else []
    note = "" if gain.note == known else gain.note
    return f"{mean}\n{' '.join([*spread, *told, note])}".rstrip()


def brief(value: float, digits: int = 2, sign: str = "") -> str:
    """So many digits that count, whole numbers in full: ``0.0012``, ``-160``."""
    whole = 10**digits <= abs(float(f"{value:.{digits}g}")) < 1e6  # 99.6 is 100 and not 1e+02
    return f"{value:{sign}.0f}" if whole else f"{value:{sign}.{digits}g}"


def shared_note(found: Iterable[Comparison]) -> str:
    """The note of all comparisons with an interval, where it is one: told beneath the table."""
    notes = {one.note for one in found if one.over}
    return notes.pop() if len(notes) == 1 else ""


def p_in_words(one: Comparison) -> str:
    """The p-value after the correction: ``p 0.012``, ``p < 0.0001``."""
    p = one.corrected
    return "" if p is None else "p < 0.0001" if p < 1e-4 else f"p {p:.2g}"


def gain_table(group: Group, over: str | None = None) -> pd.DataFrame | None:
    """Gain of each model over a baseline, the reference by default; None without baselines.

    Verdicts are those after Holm's correction over the whole table.
    """
    import pandas as pd

    found = compared_with(group, over)
    if not found:
        return None
    known = shared_note(one for own in found.values() for one in own.values())
    columns = {
        text: [gain_cell(own[name], known) if name in own else NOTHING for own in found.values()]
        for name, text in headings(group).items()
    }
    return pd.DataFrame(columns, index=list(found))


def compared_with(group: Group, over: str | None = None) -> dict[str, dict[str, Comparison]]:
    """Comparisons with a baseline by model and metric, of one family; over the reference."""
    found: dict[str, dict[str, Comparison]] = {}
    for one in over_baseline(group, over or group.reference or ""):
        found.setdefault(one.first, {})[one.metric] = one
    return found


def gaining(group: Group, over: str | None = None) -> dict[str, dict[str, Gain]]:
    """Gains over a baseline by model and metric, verdicts corrected; over the reference."""
    return {
        label: {name: one.gain() for name, one in own.items()}
        for label, own in compared_with(group, over).items()
    }


def gains_of(group: Group, over: str | None = None) -> list[Gain]:
    """Every gain of :func:`gain_table`."""
    return [gain for gains in gaining(group, over).values() for gain in gains.values()]


def correction(group: Group, over: str | None = None) -> str:
    """What stands beneath :func:`gain_table`: how verdicts were corrected; empty without any."""
    found = [one for own in compared_with(group, over).values() for one in own.values()]
    return told(found) if found else ""


def independent_groups(group: Group, over: str | None = None) -> str:
    """What intervals are taken over, and for what: ``intervals over 6 blocks, for …``."""
    found = {", ".join(filter(None, (g.over, g.note))) for g in gains_of(group, over) if g.over}
    return f"intervals over {' or '.join(sorted(found))}" if found else "no interval"


def scene_table(group: Group) -> pd.DataFrame:
    """Mean of the first metric by scene: a row per entrant, a column per scene.

    A mean over all tiles hides a scene on which a method fails.
    """
    import pandas as pd

    name = next(iter(group.metrics))  # the first that all have
    found = entrants(group)
    rows = {
        entrant.label: {
            scene: _scene_cell(tiles[name]) for scene, tiles in entrant.table.groupby("scene")
        }
        for entrant in found
    }
    return pd.DataFrame.from_dict(rows, orient="index").reindex([e.label for e in found])


def _scene_cell(column: pd.Series) -> str:
    finite = column[np.isfinite(column)]
    part = share(len(finite), len(column))
    # chr(10): before Python 3.12 an f-string's expression may not hold a backslash.
    return f"{number(finite.mean())}{part and f'{chr(10)}({part})'}"
