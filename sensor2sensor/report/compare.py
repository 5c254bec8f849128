"""Tables of one group: mean ± std, ranks, gain over the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.config.evaluations import BY_DEFINITION, MODEL
from sensor2sensor.config.vocabulary import ARROWS
from sensor2sensor.dataset.strata import split_column
from sensor2sensor.report.file import Definition, Gain
from sensor2sensor.report.load import Group, Result

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "–"


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


def number(value: float | None) -> str:
    """Enough digits to tell neighbours apart, a dash for no value."""
    if value is None or not np.isfinite(value):
        return NOTHING
    size = abs(value)
    # Runs differ in the third digit: of SSIM the third decimal, of reflectance the fourth.
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
        pooled: Its scores over all pixels at once, by metric.
        given: Whether its scores hold by definition, so that it competes with nobody.
    """

    label: str
    baseline: bool
    table: pd.DataFrame
    pooled: Mapping[str, float | None] = field(default_factory=dict)
    given: bool = False

    def has(self, metric: str) -> bool:
        """Whether it was scored in a metric; those of a user's module not all runs have."""
        return metric in self.table.columns


def entrants(group: Group) -> list[Entrant]:
    """Baselines once (they depend on the data set alone), then every run.

    A baseline that has a run of its own stands there only: twice, it would cost others a rank.
    """
    runs = {result.itself for result in group.results}
    taken = {MODEL, *runs}
    # The first result that has it speaks for a baseline: beside any model it scores the same.
    order: dict[str, Result] = {}
    for result in group.results:
        order |= {m: result for m in result.methods if m not in {*taken, *order}}
    found = [
        Entrant(name, True, _baseline(group, name), *_told(result, name, group.stratum))
        for name, result in order.items()
    ]
    for result in group.results:
        own, baseline = _rows(result.table, MODEL), result.itself is not None
        told = _told(result, MODEL, group.stratum)
        found.append(Entrant(group.label(result), baseline, own, *told))
    return found


def _told(
    result: Result, method: str, stratum: str | None
) -> tuple[Mapping[str, float | None], bool]:
    return result.pooled(method), result.given(method, stratum)


def of_a_profile(part: Group) -> bool:
    """Whether the parts of a group are a profile's own, and not the data set's strata."""
    return any(stratum.stratum for stratum in part.facts.strata.values())


def competing(group: Group) -> list[Entrant]:
    """The entrants whose scores say something about them."""
    return [entrant for entrant in entrants(group) if not entrant.given]


def _baseline(group: Group, name: str) -> pd.DataFrame:
    """A baseline's rows of the first result, with the metrics that only others scored it in."""
    first, *others = (_rows(r.table, name) for r in group.results if name in r.methods)
    for other in others:
        # By name of the tile: what a baseline scores there is the same beside any model.
        first = first.join(other[[c for c in other.columns if c not in first.columns]])
    return first


def _rows(table: pd.DataFrame, method: str) -> pd.DataFrame:
    return table[table["method"] == method].set_index("name")


def values(entrant: Entrant, metric: str) -> pd.Series:
    """Finite values of one metric; undefined and infinite tiles are left out."""
    import pandas as pd

    if not entrant.has(metric):
        return pd.Series(dtype=float)
    column = entrant.table[metric]
    finite: pd.Series = column[np.isfinite(column)]
    return finite


def compared(found: list[Entrant], metric: str, better: str) -> list[pd.Series]:
    """One metric of each entrant, all on the same tiles.

    Left out for all are tiles where it is NaN for every entrant, since the truth leaves it so, and
    tiles where one is perfect, since no mean holds an infinite PSNR. Within a stratum also those
    with too few of its pixels for one that has a value on the whole tile. An entrant without a
    finite value on one of the others cannot be compared: its column is empty, as without the
    metric.
    """
    import pandas as pd

    having = {i: e.table[metric] for i, e in enumerate(found) if e.has(metric)}
    frame = pd.DataFrame(having)
    # An infinite error is no perfection and stays: its owner has failed there.
    perfect = (frame == np.inf).any(axis=1) & (better == "higher")
    shared = ~(frame.isna().all(axis=1) | perfect)
    name = split_column(metric)[0]
    # A value on the whole tile and none within: too few pixels, and no fault of the method's.
    whole = pd.DataFrame({i: found[i].table[name] for i in having})
    defined = np.isfinite(frame) | (frame.isna() & np.isfinite(whole))
    # Who fails on the hard tiles must not be judged on the easy ones that are left to it.
    usable = [i for i in having if defined[i][shared].all()]
    rest = frame.loc[shared, usable].dropna()  # tiles with too few pixels for one of those left
    empty = pd.Series(dtype=float)
    return [rest[i] if i in rest.columns else empty for i in range(len(found))]


def means(group: Group) -> pd.DataFrame:
    """Mean on the tiles all share: a row per entrant, a column per metric.

    NaN for an entrant that cannot be compared; without those whose scores hold by definition.
    """
    import pandas as pd

    found = competing(group)
    data = {
        name: [column.mean() for column in compared(found, name, definition.better)]
        for name, definition in group.metrics.items()
    }
    return pd.DataFrame(data, index=[e.label for e in found])


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


def _mean_cell(entrant: Entrant, metric: str) -> str:
    if not entrant.has(metric):
        return NOTHING
    if entrant.given:
        return BY_DEFINITION
    finite = values(entrant, metric)
    part = share(len(finite), len(entrant.table))
    pooled = f", pooled {number(entrant.pooled[metric])}" if metric in entrant.pooled else ""
    # pandas' std has n - 1 below it, as that of the evaluation's own tables.
    return f"{number(finite.mean())}\n± {number(finite.std())}{part and f' ({part})'}{pooled}"


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


def _gain_cell(gain: Gain) -> str:
    """Mean and verdict, then interval and limits: ``+0.1 ✓``, ``0.02 to 0.2 for this scene only``.

    A gain on some tiles only says on how many.
    """
    ends, mark = interval(gain), {"better": " ✓", "worse": " ✗"}.get(gain.verdict, "")
    mean = NOTHING if gain.mean is None else f"{gain.mean:+.3g}{mark}"
    spread = [] if ends is None else [f"{ends[0]:.2g} to {ends[1]:.2g}"]
    part = share(gain.count, gain.count + gain.left_out)
    told = [f"({part})"] if part and part not in gain.note else []
    return f"{mean}\n{' '.join([*spread, *told, gain.note])}".rstrip()


def gain_table(group: Group, over: str | None = None) -> pd.DataFrame | None:
    """Gain of each run over a baseline, the reference by default; None without baselines."""
    import pandas as pd

    found = gaining(group, over)
    if not found:
        return None
    columns = {
        text: [_gain_cell(gains[name]) if name in gains else NOTHING for gains in found.values()]
        for name, text in headings(group).items()
    }
    return pd.DataFrame(columns, index=list(found))


def gaining(group: Group, over: str | None = None) -> dict[str, dict[str, Gain]]:
    """Gains over a baseline by run and metric, without a run that is it; over the reference."""
    base = over or group.reference
    return {
        group.label(result): {n: result.facts.gain[base][n] for n in result.facts.metrics}
        for result in group.results
        # The baseline's own run has no gain over itself: 0 on every tile would tell nothing.
        if base is not None and base in result.facts.gain
    }


def gains_of(group: Group, over: str | None = None) -> list[Gain]:
    """Every gain of :func:`gain_table`."""
    return [gain for gains in gaining(group, over).values() for gain in gains.values()]


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
