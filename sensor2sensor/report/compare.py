"""Tables of one group: mean ± std, ranks, gain over the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.config.vocabulary import ARROWS
from sensor2sensor.report.file import Definition, Gain
from sensor2sensor.report.load import Group

if TYPE_CHECKING:
    import pandas as pd


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
    """Baselines once (they depend on the data set alone), then every run.

    A baseline that has a run of its own stands there only: twice, it would cost others a rank.
    """
    runs = {result.itself for result in group.results}
    source = {
        method: result.table
        # The last entry of a key stays: reversed, it is that of the first result.
        for result in reversed(group.results)
        for method in result.methods
        if method != MODEL and method not in runs
    }
    order = dict.fromkeys(m for result in group.results for m in result.methods if m in source)
    found = [Entrant(name, baseline=True, table=_rows(source[name], name)) for name in order]
    for result in group.results:
        own, baseline = _rows(result.table, MODEL), result.itself is not None
        found.append(Entrant(group.label(result), baseline=baseline, table=own))
    return found


def _rows(table: pd.DataFrame, method: str) -> pd.DataFrame:
    return table[table["method"] == method].set_index("name")


def values(entrant: Entrant, metric: str) -> pd.Series:
    """Finite values of one metric; undefined and infinite tiles are left out."""
    column = entrant.table[metric]
    finite: pd.Series = column[np.isfinite(column)]
    return finite


def compared(found: list[Entrant], metric: str, better: str) -> list[pd.Series]:
    """One metric of each entrant, all on the same tiles.

    Left out for all are tiles where it is NaN for every entrant, since the truth leaves it so, and
    tiles where one is perfect, since no mean holds an infinite PSNR. An entrant without a finite
    value on one of the others cannot be compared: its column is empty.
    """
    import pandas as pd

    frame = pd.DataFrame({i: entrant.table[metric] for i, entrant in enumerate(found)})
    perfect = (frame == np.inf).any(axis=1) & (better == "higher")
    # Who fails on the hard tiles must not be judged on the easy ones that are left to it.
    shared = frame[~(frame.isna().all(axis=1) | perfect)]
    return [c if np.isfinite(c).all() else c.iloc[:0] for _, c in shared.items()]


def means(group: Group) -> pd.DataFrame:
    """Mean on the tiles all share: a row per entrant, a column per metric.

    NaN for an entrant that cannot be compared.
    """
    import pandas as pd

    found = entrants(group)
    data = {
        name: [column.mean() for column in compared(found, name, definition.better)]
        for name, definition in group.facts.metrics.items()
    }
    return pd.DataFrame(data, index=[e.label for e in found])


def share(count: int, total: int) -> str:
    """``20 of 40`` where some tiles have no finite value; empty where all have one."""
    return "" if count == total else f"{count} of {total}"


def _mean_cell(entrant: Entrant, metric: str) -> str:
    finite = values(entrant, metric)
    part = share(len(finite), len(entrant.table))
    return f"{number(finite.mean())}\n± {number(finite.std())}{part and f' ({part})'}"


def summary_table(group: Group) -> pd.DataFrame:
    """Mean, and ± std beneath it, over the tiles with a finite value; how many were left out."""
    import pandas as pd

    found = entrants(group)
    columns = {}
    for name, definition in group.facts.metrics.items():
        columns[heading(definition)] = [_mean_cell(e, name) for e in found]
    metrics = list(group.facts.metrics)
    columns["tiles"] = [str(len(e.table)) for e in found]
    columns["undefined"] = [str(int(e.table[metrics].isna().to_numpy().sum())) for e in found]
    columns["infinite"] = [str(int(np.isinf(e.table[metrics].to_numpy()).sum())) for e in found]
    return pd.DataFrame(columns, index=[e.label for e in found])


def rank_table(group: Group) -> pd.DataFrame:
    """Rank of the mean per metric, 1 is best, on the tiles of :func:`compared`.

    Sorted by the mean rank; ties share the better rank. An entrant that cannot be compared comes
    last.
    """
    import pandas as pd

    scores, ranks = means(group), {}
    for name, definition in group.facts.metrics.items():
        if definition.undefined:
            continue
        ascending = definition.better == "lower"
        ranks[heading(definition, unit=False)] = scores[name].rank(
            ascending=ascending, method="min", na_option="bottom"
        )
    table = pd.DataFrame(ranks, index=scores.index).astype(int)
    table.insert(0, "mean rank", table.mean(axis=1).round(2))
    return table.sort_values("mean rank", kind="stable")


def interval(gain: Gain) -> tuple[float, float] | None:
    """The 95 % interval by Student's t, or None where there is no verdict."""
    if gain.verdict == "none" or gain.t_low is None or gain.t_high is None:
        return None
    return gain.t_low, gain.t_high


def _gain_cell(gain: Gain) -> str:
    """Mean and verdict, then interval and limits: ``+0.1 ✓``, ``0.02 to 0.2 for this scene only``.

    A gain on some tiles only says on how many.
    """
    ends, mark = interval(gain), {"better": " ✓", "worse": " ✗"}.get(gain.verdict, "")
    mean = "–" if gain.mean is None else f"{gain.mean:+.3g}{mark}"
    spread = [] if ends is None else [f"{ends[0]:.2g} to {ends[1]:.2g}"]
    part = share(gain.count, gain.count + gain.left_out)
    told = [f"({part})"] if part and part not in gain.note else []
    return f"{mean}\n{' '.join([*spread, *told, gain.note])}".rstrip()


def gain_table(group: Group) -> pd.DataFrame | None:
    """Gain of each run over the strongest baseline, positive is better; None without baselines."""
    import pandas as pd

    found = gaining(group)
    if not found:
        return None
    columns = {
        heading(definition): [_gain_cell(gains[name]) for gains in found.values()]
        for name, definition in group.facts.metrics.items()
    }
    return pd.DataFrame(columns, index=list(found))


def gaining(group: Group) -> dict[str, dict[str, Gain]]:
    """Gains over the group's reference by run and metric, without a run that is the reference."""
    reference, metrics = group.reference, group.facts.metrics
    return {
        group.label(result): {name: result.facts.gain[reference][name] for name in metrics}
        for result in group.results
        if reference is not None and reference in result.facts.gain
    }


def gains_of(group: Group) -> list[Gain]:
    """Every gain of :func:`gain_table`."""
    return [gain for gains in gaining(group).values() for gain in gains.values()]


def independent_groups(group: Group) -> str:
    """What intervals are taken over, and for what: ``intervals over 6 blocks, for …``."""
    found = {", ".join(filter(None, (g.over, g.note))) for g in gains_of(group) if g.over}
    return f"intervals over {' or '.join(sorted(found))}" if found else "no interval"


def scene_table(group: Group) -> pd.DataFrame:
    """Mean of the first metric by scene: a row per entrant, a column per scene.

    A mean over all tiles hides a scene on which a method fails.
    """
    import pandas as pd

    name = next(iter(group.facts.metrics))
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
