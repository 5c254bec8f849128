"""A trained run as what whole products are predicted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensor2sensor.core.runs import Run
from sensor2sensor.predictors.model import ModelPredictor
from sensor2sensor.predictors.protocol import Predictor
from sensor2sensor.predictors.tiling import Tiling, tiling_of
from sensor2sensor.training.applied import applied_generator
from sensor2sensor.training.averages import weights_in_use
from sensor2sensor.training.trained import trained


@dataclass(frozen=True)
class Led:
    """The generator of a run, to be led over scenes.

    Attributes:
        predictors: One for each draw of dropout; one where nothing is drawn.
        tiling: How they are led.
        step: Of the weights.
        weights: ``last``, or ``ema <decay>``.
    """

    predictors: tuple[Predictor, ...]
    tiling: Tiling
    step: int
    weights: str


def led(experiment: Any, run: Run, gan_class: type, at: int | None, draws: int = 1) -> Led:
    """Restore a run's generator, as evaluation applies it but for the size it is given at once.

    Args:
        experiment: The ``Experiment`` of the run, as the run has it.
        run: The run.
        gan_class: The class of the model.
        at: The checkpoint's step; the newest by default.
        draws: Of its dropout.

    Raises:
        CheckpointError: The weights were not restored.
    """
    experiment, gan, step = trained(experiment, run, gan_class, at=at)
    tiling = tiling_of(experiment, gan.generator)
    own = experiment.IMG_HEIGHT, experiment.IMG_WIDTH
    predictors = tuple(
        ModelPredictor(
            applied_generator(experiment, gan.generator, draw),
            experiment.normaliser,
            experiment.INPUT_UPSAMPLING,
            experiment.BATCH_SIZE,
            own if tiling.halo_px is None else None,
            crops=experiment.config.random_crop,
            native_px=[band.native_px for band in experiment.contract.input.bands],
        )
        for draw in range(draws)
    )
    return Led(predictors, tiling, step, weights_in_use(gan))
