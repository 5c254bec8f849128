"""Tables of one group: mean ± std, ranks, gain over the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.report.file import Definition, Gain
from sensor2sensor.report.load import Group

if TYPE_CHECKING:
    import pandas as pd

ARROWS = {"higher": "↑", "lower": "↓"}
MODEL = "model"


def heading(definition: Definition, *, unit: bool = True) -> str:
    """Label and direction, and the unit on a second line: ``PSNR ↑``, ``(dB)``."""
    text = f"{definition.label} {ARROWS[definition.better]}"
    shown = definition.undefined or definition.unit
    return f"{text}\n({shown})" if unit and shown != "1" else text


def number(value: float | None) -> str:
    """Enough digits to tell neighbours apart, a dash for no value."""
    if value is None or not np.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 10:
        return f"{value:.1f}" if size >= 100 else f"{value:.2f}"
    if 0 < size < 0.001:
        return f"{value:.1e}"
    return f"{value:.4f}" if size < 0.1 else f"{value:.3f}"


@dataclass(frozen=True)
class Entrant:
    """One line of a group's tables.

    Attributes:
        label: Experiment or baseline.
        baseline: Whether it is a baseline.
        table: Its rows, indexed by tile.
    """

    label: str
    baseline: bool
    table: pd.DataFrame


def entrants(group: Group) -> list[Entrant]:
    """Baselines once (they depend on the data set alone), then every run."""
    first = group.results[0]
    names = [method for method in first.methods if method != MODEL]
    found = [Entrant(name, True, _rows(first.table, name)) for name in names]
    for result in group.results:
        found.append(Entrant(group.label(result), False, _rows(result.table, MODEL)))
    return found


def _rows(table: pd.DataFrame, method: str) -> pd.DataFrame:
    return table[table["method"] == method].set_index("name")


def values(entrant: Entrant, metric: str) -> pd.Series:
    """Finite values of one metric; undefined and infinite tiles are left out."""
    column = entrant.table[metric]
    return column[np.isfinite(column)]


def means(group: Group) -> pd.DataFrame:
    """Mean of the finite values: a row per entrant, a column per metric."""
    import pandas as pd

    found = entrants(group)
    data = {name: [values(e, name).mean() for e in found] for name in group.facts.metrics}
    return pd.DataFrame(data, index=[e.label for e in found])


def summary_table(group: Group) -> pd.DataFrame:
    """Mean, and ± std beneath it, over the tiles with a finite value; how many were left out."""
    import pandas as pd

    found = entrants(group)
    columns = {}
    for name, definition in group.facts.metrics.items():
        cells = [values(e, name) for e in found]
        columns[heading(definition)] = [f"{number(c.mean())}\n± {number(c.std())}" for c in cells]
    metrics = list(group.facts.metrics)
    columns["tiles"] = [str(len(e.table)) for e in found]
    columns["undefined"] = [str(int(e.table[metrics].isna().to_numpy().sum())) for e in found]
    columns["infinite"] = [str(int(np.isinf(e.table[metrics]).to_numpy().sum())) for e in found]
    return pd.DataFrame(columns, index=[e.label for e in found])


def rank_table(group: Group) -> pd.DataFrame:
    """Rank of the mean per metric, 1 is best, over the tiles where every entrant has a value.

    Sorted by the mean rank; ties share the better rank. An entrant without any value comes last.
    """
    import pandas as pd

    found = entrants(group)
    ranks = {}
    for name, definition in group.facts.metrics.items():
        if definition.undefined:
            continue
        frame = pd.DataFrame({i: values(e, name) for i, e in enumerate(found)})
        common = frame.dropna()
        scores = (common if len(common) else frame).mean()
        ascending = definition.better == "lower"
        ranks[heading(definition, unit=False)] = scores.rank(
            ascending=ascending, method="min", na_option="bottom"
        ).to_numpy()
    table = pd.DataFrame(ranks, index=[e.label for e in found]).astype(int)
    table.insert(0, "mean rank", table.mean(axis=1).round(2))
    return table.sort_values("mean rank", kind="stable")


def interval(gain: Gain) -> tuple[float, float] | None:
    """The 95 % interval shown: the wider end of t and bootstrap on each side."""
    if gain.t_low is None or gain.t_high is None:
        return None
    lows = [v for v in (gain.t_low, gain.bootstrap_low) if v is not None]
    highs = [v for v in (gain.t_high, gain.bootstrap_high) if v is not None]
    return min(lows), max(highs)


def verdict(gain: Gain) -> str:
    """``better``, ``worse`` or ``open``: whether the whole interval lies on one side of zero."""
    ends = interval(gain)
    if ends is None:
        return "open"
    return "better" if ends[0] > 0 else "worse" if ends[1] < 0 else "open"


def _gain_cell(gain: Gain) -> str:
    ends = interval(gain)
    if gain.mean is None:
        return "–"
    spread = "no interval" if ends is None else f"{ends[0]:.2g} to {ends[1]:.2g}"
    mark = {"better": " ✓", "worse": " ✗", "open": ""}[verdict(gain)]
    return f"{gain.mean:+.3g}{mark}\n{spread}"


def gain_table(group: Group) -> pd.DataFrame | None:
    """Gain of each run over the strongest baseline, positive is better; None without baselines."""
    import pandas as pd

    reference = group.facts.reference
    if reference is None:
        return None
    labels = [group.label(result) for result in group.results]
    columns = {
        heading(definition): [_gain_cell(r.facts.gain[reference][name]) for r in group.results]
        for name, definition in group.facts.metrics.items()
    }
    return pd.DataFrame(columns, index=labels)


def independent_groups(group: Group) -> str:
    """What the intervals of :func:`gain_table` are taken over: ``6 blocks``."""
    reference = group.facts.reference
    if reference is None:
        return ""
    found = {
        f"{gain.clusters} {gain.cluster_unit}s"
        for result in group.results
        for gain in result.facts.gain[reference].values()
        if gain.count
    }
    return " or ".join(sorted(found))


def scene_table(group: Group) -> pd.DataFrame:
    """Mean of the first metric by scene: a row per entrant, a column per scene.

    A mean over all tiles hides a scene on which a method fails.
    """
    import pandas as pd

    name = next(iter(group.facts.metrics))
    found = entrants(group)
    columns = {}
    for entrant in found:
        column = values(entrant, name)
        columns[entrant.label] = column.groupby(entrant.table.loc[column.index, "scene"]).mean()
    table = pd.DataFrame(columns).T.reindex([entrant.label for entrant in found])
    return table.map(number)
