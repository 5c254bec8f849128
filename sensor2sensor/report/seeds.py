"""Seeds of one model: runs of one recipe that stand in a table as one entry.

They tell how much a training's luck moves a mean. They are no samples of tiles: taken for such,
five seeds would make an interval less than half as wide with nothing new seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.config.evaluations import mode_in_words
from sensor2sensor.report.load import Group, Result

if TYPE_CHECKING:
    import pandas as pd

Models = list[tuple[Result, ...]]
SHORT = 8  # digits of a recipe that tell two of one name apart


def models(results: Sequence[Result]) -> Models:
    """The results, seeds of one model together and in their order; models by their firsts.

    Seeds share the recipe, how the generator was applied and how long it was trained, and differ in
    the seed. A run that was repeated with one seed says nothing about seeds: it stands alone. Of
    runs that were scored at steps of their own, those at their best validations go together.
    """
    found: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        found.setdefault(_recipe(result), []).append(result)
    place = {id(result): number for number, result in enumerate(results)}
    every = [model for alike in found.values() for model in map(_by_seed, _apart(alike))]
    return sorted(every, key=lambda model: min(place[id(result)] for result in model))


def _by_seed(model: tuple[Result, ...]) -> tuple[Result, ...]:
    # Not by file: "…-2.json", a second run of one minute, comes before "….json".
    return tuple(sorted(model, key=lambda result: result.facts.seed or 0))


def _recipe(result: Result) -> tuple[object, ...]:
    """What results must share to be seeds of one model; one of its own for what is no seed."""
    facts = result.facts
    # Evaluations from before the recipe was kept stay apart: a name is no proof of equal settings.
    if facts.recipe is None or facts.seed is None or facts.model_is_baseline:
        return ("alone", id(result))
    mode = None if facts.inference is None else repr(facts.inference)
    return (facts.recipe, facts.weights, facts.inference_statistics, mode, *sorted(facts.options))


def _apart(alike: Sequence[Result]) -> Models:
    """Those of one step as one model where every seed is there once; then those at their best."""
    steps: dict[int, list[Result]] = {}
    for result in alike:
        steps.setdefault(result.facts.step, []).append(result)
    # A training that was stopped half way has the recipe of a whole one, and is no seed of it.
    found = [model for own in steps.values() for model in _model(own)]
    alone = [result for model in found if len(model) == 1 for result in model]
    best = [result for result in alone if result.facts.at_best]
    if len(best) < 2 or not _once(best):
        return found
    taken = {id(result) for result in best}
    return [*(model for model in found if id(model[0]) not in taken), tuple(best)]


def _model(results: Sequence[Result]) -> Models:
    """The results as one model; each alone where a seed is there twice."""
    return [tuple(results)] if _once(results) else [(result,) for result in results]


def _once(results: Sequence[Result]) -> bool:
    return len({result.facts.seed for result in results}) == len(results)


def label(group: Group, model: Sequence[Result]) -> str:
    """Name of an entry: that of its run, or what its seeds' names share and how many there are."""
    if len(model) == 1:
        return group.label(model[0])
    names = sorted({result.facts.experiment for result in model})
    common = _beginning(names)
    shared = names[0] if len(names) == 1 else f"{common}*" if common else f"{names[0]} and others"
    told = f"{shared} ({len(model)} seeds)"
    if len({result.facts.step for result in model}) > 1:
        told = f"{told}, each at its best validation"
    if (mode := model[0].facts.inference) is not None:
        told = f"{told}, {mode_in_words(mode)}"
    return told


def _beginning(names: Sequence[str]) -> str:
    """What all names begin with."""
    alike = 0
    for signs in zip(*names, strict=False):
        if len(set(signs)) > 1:
            break
        alike += 1
    return names[0][:alike]


def labels(group: Group, found: Models) -> list[str]:
    """Names of entries; with what tells them apart where several would be called alike."""
    told = [label(group, model) for model in found]
    for more in (_weights, _options, _place):
        told = [
            f"{name} [{more(model)}]" if told.count(name) > 1 and more(model) else name
            for name, model in zip(told, found, strict=True)
        ]
    return told


def _weights(model: Sequence[Result]) -> str:
    return f"step {model[0].facts.step}, recipe {_digest(model[0])}"


def _options(model: Sequence[Result]) -> str:
    return ", ".join(sorted(model[0].facts.options))


def _place(model: Sequence[Result]) -> str:
    """Where it was read: no two are of one file."""
    return model[0].path.stem


def _digest(result: Result) -> str:
    return str(result.facts.recipe).split(":")[-1][:SHORT]


def averaged(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Mean over seeds of every tile's values; a tile that one seed failed on has no value.

    Args:
        tables: A table for each seed, indexed by tile.
        columns: The columns of values; the others are those of the first.
    """
    import pandas as pd

    first = tables[0]
    if len(tables) == 1:
        return first
    # By name: a tile that is missing from one seed's table is a tile without a value.
    stacked = np.stack([table.reindex(first.index)[list(columns)].to_numpy() for table in tables])
    with np.errstate(invalid="ignore"):  # of two infinities that differ in sign there is no mean
        means = pd.DataFrame(stacked.mean(axis=0), index=first.index, columns=list(columns))
    return pd.concat([first.drop(columns=list(columns)), means], axis=1)[list(first.columns)]
