"""Who stands in a group's tables: baselines once, then every model, its seeds as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.strata import AT, PIXELS, few, split_column
from sensor2sensor.report import seeds
from sensor2sensor.report.kinds import kind
from sensor2sensor.report.load import Group, Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Entrant:
    """One line of a group's tables.

    Attributes:
        label: Experiment or baseline.
        baseline: Whether it is a baseline.
        table: Its rows, indexed by tile.
        pooled: Its scores over all pixels at once, by metric.
        given: Whether its scores hold by definition, so that it competes with nobody.
        results: What it was read from: the seeds of a model, one result of any other; none of a
            baseline that only stands beside runs.
    """

    label: str
    baseline: bool
    table: pd.DataFrame
    pooled: Mapping[str, float | None] = field(default_factory=dict)
    given: bool = False
    results: tuple[Result, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds behind it, where there are several."""
        told = [r.facts.seed for r in self.results if r.facts.seed is not None]
        return tuple(told) if len(self.results) > 1 else ()

    def of_seeds(self, metric: str) -> list[float]:
        """Mean over the tiles with a finite value, seed by seed; empty without several seeds."""
        if not self.seeds or not self.has(metric):
            return []
        columns = (rows(result.table, MODEL)[metric] for result in self.results)
        return [float(column[np.isfinite(column)].mean()) for column in columns]

    def seed_spread(self, metric: str) -> float | None:
        """Standard deviation (n - 1) of the means of its seeds; None without several."""
        means = self.of_seeds(metric)
        return float(np.std(means, ddof=1)) if means and np.isfinite(means).all() else None

    def has(self, metric: str) -> bool:
        """Whether it was scored in a metric; those of a user's module not all runs have."""
        return metric in self.table.columns


def entrants(group: Group) -> list[Entrant]:
    """Baselines once (they depend on the data set alone), then every model.

    Several seeds of a model are one entry: every tile has the mean of their values, before anything
    else is taken of it. A baseline that has a run of its own stands there only: twice, it would
    cost others a rank.

    Raises:
        InputError: The results are of different data sets, splits, filters or profiles.
    """
    refuse_mixtures(group.results)
    runs = {result.itself for result in group.results}
    taken = {MODEL, *runs}
    # The first result that has it speaks for a baseline: beside any model it scores the same.
    order: dict[str, Result] = {}
    for result in group.results:
        order |= {m: result for m in result.methods if m not in {*taken, *order}}
    found = [
        Entrant(
            name, True, _baseline(group, name),
            result.pooled(name), result.given(name, group.stratum),
        )
        for name, result in order.items()
    ]  # fmt: skip
    models, names = seeds.models(group.results), set(order)
    for model, label in zip(models, seeds.labels(group, models), strict=True):
        # Tables know everybody by the label: an experiment may be called as a baseline is.
        while label in names:
            label = f"{label} [run]"
        names.add(label)
        found.append(_model(group, model, label))
    return found


def _model(group: Group, model: Sequence[Result], label: str) -> Entrant:
    first, tables = model[0], [rows(result.table, MODEL) for result in model]
    # What one seed was not scored in, by a module that the others had, no mean can be taken of.
    shared = [c for c in group.metrics if all(c in table.columns for table in tables)]
    part = [] if group.stratum is None else [f"{PIXELS}{AT}{group.stratum}"]
    whole = dict.fromkeys(split_column(column)[0] for column in shared)
    columns = list(dict.fromkeys([*shared, *whole, *part]))
    table = tables[0] if len(tables) == 1 else seeds.averaged(tables, columns)
    given = first.given(MODEL, group.stratum)
    return Entrant(label, first.itself is not None, table, _pooled(model), given, tuple(model))


def _pooled(model: Sequence[Result]) -> Mapping[str, float | None]:
    """Scores over all pixels at once; of several seeds their mean, None where one has none."""
    first, *others = (result.pooled(MODEL) for result in model)
    if not others:
        return first
    columns = {name: [one.get(name) for one in (first, *others)] for name in first}
    return {
        name: None if None in found else float(np.mean([v for v in found if v is not None]))
        for name, found in columns.items()
    }


def refuse_mixtures(results: Sequence[Result]) -> None:
    """Results of one table must be of one data set, split, filters, profile and metrics version.

    Raises:
        InputError: They are not.
    """
    first = results[0]
    for other in results[1:]:
        if kind(other.facts) != kind(first.facts):
            problem = f"no table holds both {first.path.name} and {other.path.name}"
            told = "; ".join(f"{n} {a} and {b}" for n, a, b in _differing(first, other))
            raise InputError(f"{problem}: {told}", hint="compare within a group of report.load")


def _differing(first: Result, other: Result) -> list[tuple[str, str, str]]:
    one, two = first.facts, other.facts
    pairs = {
        "profile": (one.profile, two.profile),
        "metrics version": (one.metrics_version, two.metrics_version),
        "data set": (one.dataset.name, two.dataset.name),
        "hash of the data set": (one.dataset.sha256, two.dataset.sha256),
        "split": (one.split, two.split),
        "filters": (one.filters, two.filters),
        "masks and inputs": (kind(one)[1], kind(two)[1]),
    }
    # The last holds all of the others in words, and is said only where it alone tells them apart.
    found = [(name, f"'{a}'", f"'{b}'") for name, (a, b) in pairs.items() if a != b]
    return found[:-1] or found


def competing(group: Group) -> list[Entrant]:
    """The entrants whose scores say something about them."""
    return [entrant for entrant in entrants(group) if not entrant.given]


def _baseline(group: Group, name: str) -> pd.DataFrame:
    """A baseline's rows of the first result, with the metrics that only others scored it in."""
    first, *others = (r.table for r in group.results if name in r.methods)
    found = rows(first, name)
    for other in others:
        lacking = [column for column in other.columns if column not in {*found.columns, "name"}]
        if lacking:
            # By name of the tile: what a baseline scores there is the same beside any model.
            found = found.join(rows(other, name)[lacking])
    return found


def rows(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """The rows of one method, indexed by tile."""
    return table[table["method"] == method].set_index("name")


def values(entrant: Entrant, metric: str) -> pd.Series:
    """Finite values of one metric; undefined and infinite tiles are left out."""
    import pandas as pd

    if not entrant.has(metric):
        return pd.Series(dtype=float)
    column = entrant.table[metric]
    finite: pd.Series = column[np.isfinite(column)]
    return finite


def defined_within(table: pd.DataFrame, metric: str, factor: float) -> pd.Series:
    """Tiles where an entrant has a value, or lacks it only since a stratum has few pixels there.

    By the rule of the evaluation: the whole tile has a value, and one pixel of the input may show
    all that the tile has of the stratum.

    Args:
        table: Its rows.
        metric: Column of the scores.
        factor: Input pixel over target pixel.
    """
    values, (name, part) = table[metric], split_column(metric)
    counted = f"{PIXELS}{AT}{part}"
    found: pd.Series = np.isfinite(values)
    if counted in table.columns:
        small = few(table[counted].to_numpy(dtype=np.float64), factor)
        found |= values.isna() & np.isfinite(table[name]) & small
    return found


def compared(group: Group, found: list[Entrant], metric: str) -> list[pd.Series]:
    """One metric of each entrant, all on the same tiles.

    Left out for all are tiles where it is NaN for every entrant, since the truth leaves it so, and
    tiles where one is perfect, since no mean holds an infinite PSNR. Within a stratum also those
    with too few of its pixels for one (:func:`defined_within`). An entrant without a finite value
    on one of the others cannot be compared: its column is empty, as without the metric.
    """
    import pandas as pd

    having = {i: e.table[metric] for i, e in enumerate(found) if e.has(metric)}
    frame = pd.DataFrame(having)
    # An infinite error is no perfection and stays: its owner has failed there.
    perfect = (frame == np.inf).any(axis=1) & (group.metrics[metric].better == "higher")
    shared = ~(frame.isna().all(axis=1) | perfect)
    factor = group.facts.dataset.factor
    defined = pd.DataFrame({i: defined_within(found[i].table, metric, factor) for i in having})
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
        name: [column.mean() for column in compared(group, found, name)] for name in group.metrics
    }
    return pd.DataFrame(data, index=[e.label for e in found])
