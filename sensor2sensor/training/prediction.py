"""A trained run as what whole products are predicted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensor2sensor.core.runs import Run
from sensor2sensor.predictors.protocol import Predictor
from sensor2sensor.predictors.tiling import Tiling, scene_predictor
from sensor2sensor.training.applied import applied_generator
from sensor2sensor.training.averages import weights_in_use
from sensor2sensor.training.exporting import applied, facts
from sensor2sensor.training.trained import trained


@dataclass(frozen=True)
class Led:
    """The generator of a run, to be led over scenes.

    Attributes:
        predictors: One for each draw of dropout; one where nothing is drawn.
        tiling: How they are led.
        provenance: Plain JSON: where the weights come from, and how they are applied.
    """

    predictors: tuple[Predictor, ...]
    tiling: Tiling
    provenance: dict[str, Any]


def led(
    experiment: Any, run: Run, gan_class: type, at: int | None, draws: int = 1, gan: Any = None
) -> Led:
    """Restore a run's generator, as evaluation applies it but for the size it is given at once.

    Args:
        experiment: The ``Experiment`` of the run, as the run has it.
        run: The run.
        gan_class: The class of the model.
        at: The checkpoint's step; the newest by default.
        draws: Of its dropout.
        gan: A model already built; its generator's weights are restored all the same.

    Raises:
        CheckpointError: The weights were not restored.
    """
    # What was edited since was said when the model was built.
    say = print if gan is None else _silent
    built, gan, step = trained(experiment, run, gan_class, gan, at, say=say)
    network = gan.generator
    drawn = (applied_generator(built, network, draw) for draw in range(draws))
    predictors, tilings = zip(*(scene_predictor(built, network, one) for one in drawn), strict=True)
    weights = {"weights": weights_in_use(gan), "applied": applied(experiment)}
    said = {**facts(experiment, run, step), **weights}
    return Led(predictors, tilings[0], {**said, "draws": draws} if draws > 1 else said)


def _silent(line: str) -> None:
    """Say nothing."""
