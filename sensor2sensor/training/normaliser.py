"""Which normalisation a run trains and is evaluated with: its weights' own, for ever."""

from __future__ import annotations

from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.dataset.ranges import output_bounds, with_output_ranges
from sensor2sensor.pipeline.normalisation import INTERVALS, Normalisation, refuse_beyond
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.record import dataset_identity

SATURATING = frozenset({"tanh", "sigmoid", "hard_tanh", "hard_sigmoid"})


def normaliser_for(
    gan_class: Any, experiment: ExperimentView, source: Run | None = None
) -> Normalisation:
    """The map between physical values and those of a model.

    Args:
        gan_class: The model's class GAN, which may state OUTPUT_BOUNDS.
        experiment: The experiment.
        source: The run whose weights are used: resumed, taken over or evaluated. They keep the map
            they learned, in runs from before that recorded none the one of then. Of another data
            set or kind nothing is kept.

    Raises:
        ConfigError: The targets leave the bounds that the class states.
    """
    kept = _recorded(source, experiment) if source is not None else None
    if kept is not None:
        return kept
    kind, contract = experiment.config.normalisation, experiment.contract
    bounds = output_bounds(gan_class, experiment.config.params)
    if bounds is not None and kind in INTERVALS:
        contract = with_output_ranges(experiment.dataset_dir, contract)
    made = Normalisation(kind, contract, bounds)
    lows, highs = zip(*made.value_ranges, strict=True)
    refuse_beyond(kind, bounds, (min(lows), max(highs)))
    return made


def _recorded(run: Run, experiment: ExperimentView) -> Normalisation | None:
    if not run.run_json.is_file():
        return None
    content, kind = read_run_json(run), experiment.config.normalisation
    if content["dataset"] != dataset_identity(experiment):
        return None
    if "normalisation" in content:
        made = Normalisation.from_state(content["normalisation"])
        return made if made.kind == kind else None
    then = files.read_json(run.resolved)["normalisation"]
    return Normalisation(kind, experiment.contract, legacy=True) if then == kind else None


def unstated_bound(generator: Any, normalisation: Normalisation) -> str | None:
    """The activation that bounds an output whose class does not say so, or None.

    It leaves targets unclipped that such a model cannot reach.
    """
    if normalisation.bounds is not None or normalisation.kind not in INTERVALS:
        return None
    layer = generator
    while getattr(layer, "layers", None):
        layer = layer.layers[-1]
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return name if name in SATURATING else None
