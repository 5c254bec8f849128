"""Which normalisation a run trains and is evaluated with: its weights' own, for ever."""

from __future__ import annotations

from typing import Any

from sensor2sensor.config.scaling import Scaling
from sensor2sensor.config.vocabulary import DSEN2CR
from sensor2sensor.core import files
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.dataset.ranges import output_bounds, with_output_ranges
from sensor2sensor.pipeline.normalisation import INTERVALS, Normalisation, refuse_beyond
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.run_file import dataset_identity

# With 'symmetric' and 'minmax' they end where the value range does; glint and cloud go on beyond.
SATURATING = frozenset({"tanh", "sigmoid", "hard_tanh", "hard_sigmoid"})


def normaliser_for(
    gan_class: Any, experiment: ExperimentView, source: Run | None = None
) -> Normalisation:
    """The map between physical values and those of a model.

    Args:
        gan_class: The model's class GAN, which may state OUTPUT_BOUNDS.
        experiment: The experiment.
        source: The run whose weights are used: resumed, taken over or evaluated. They keep the map
            they learned, in runs from before that noted none the one of then. Of another data
            set or kind nothing is kept.

    Raises:
        ConfigError: The targets leave the bounds that the class states.
    """
    kept = _learned_map(source, experiment) if source is not None else None
    if kept is not None:
        return kept
    kind, contract = experiment.config.normalisation, experiment.contract
    bounds = output_bounds(gan_class, experiment.config.params)
    if bounds is not None and kind in INTERVALS:
        contract = with_output_ranges(experiment.dataset_dir, contract)
    made = Normalisation(kind, contract, bounds, scaling=experiment.config.scaling)
    lows, highs = zip(*made.value_ranges, strict=True)
    refuse_beyond(kind, bounds, (min(lows), max(highs)))
    return made


def _learned_map(run: Run, experiment: ExperimentView) -> Normalisation | None:
    if not run.run_json.is_file():
        return None
    if learned(run) != _asked(experiment):
        return None
    content, kind = read_run_json(run), experiment.config.normalisation
    if "normalisation" in content:
        return Normalisation.from_state(content["normalisation"])
    return Normalisation(kind, experiment.contract, legacy=True)


def learned(run: Run) -> dict[str, Any]:
    """The kind of normalisation and the data set that the weights of a run were trained with.

    With the numbers of a kind that has some.
    """
    content = read_run_json(run)
    noted = content.get("normalisation")
    kind = noted["kind"] if noted else files.read_json(run.resolved)["normalisation"]
    numbers = {"scaling": noted["scaling"]} if noted and kind == DSEN2CR else {}
    return {"normalisation": kind, **numbers, "dataset": content["dataset"]}


def _asked(experiment: ExperimentView) -> dict[str, Any]:
    kind, dataset = experiment.config.normalisation, dataset_identity(experiment)
    asked = experiment.config.scaling or Scaling()
    numbers = {"scaling": asked.model_dump()} if kind == DSEN2CR else {}
    return {"normalisation": kind, **numbers, "dataset": dataset}


def another_map(there: dict[str, Any], experiment: ExperimentView) -> str | None:
    """A phrase where weights that :func:`learned` so meet another kind or data set, else None."""
    here = _asked(experiment)
    if there == here:
        return None
    kinds = _kind(there), _kind(here)
    names = there["dataset"]["name"], here["dataset"]["name"]
    built = " as it was built before" if there["dataset"] != here["dataset"] else ""
    then = f"'{names[0]}'{built if names[0] == names[1] else ''}"
    return f"the weights learned {kinds[0]} on {then}, this run maps {kinds[1]} on '{names[1]}'"


def _kind(said: dict[str, Any]) -> str:
    numbers = ", ".join(f"{key} {value:g}" for key, value in said.get("scaling", {}).items())
    return f"'{said['normalisation']}'{f' ({numbers})' if numbers else ''}"


def unstated_bound(generator: Any, normalisation: Normalisation) -> str | None:
    """The activation that bounds an output whose class does not say so, or None.

    It leaves targets unclipped that such a model cannot reach.
    """
    if normalisation.bounds is not None or normalisation.kind not in INTERVALS:
        return None
    layer = generator
    # Into nested networks: the last layer may be one itself.
    while getattr(layer, "layers", None):
        layer = layer.layers[-1]
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return name if name in SATURATING else None
