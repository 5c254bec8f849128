"""A run's model as it was trained, to be applied: constructed, with its weights restored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sensor2sensor.config.experiment_file import located
from sensor2sensor.core.blame import source_of
from sensor2sensor.core.runs import Run
from sensor2sensor.training.batches import tiles_as_trained
from sensor2sensor.training.modules import module_changes
from sensor2sensor.training.normaliser import normaliser_for
from sensor2sensor.training.recipe import construct
from sensor2sensor.training.restoring import restore_for_inference
from sensor2sensor.training.run_file import edited_since


def trained(
    experiment: Any,
    run: Run,
    gan_class: type,
    gan: Any = None,
    at: int | None = None,
    *,
    say: Callable[[str], None] = print,
) -> tuple[Any, Any, int]:
    """The model of a run; what was edited since it began is said.

    Args:
        experiment: The ``Experiment`` of the run, as the run has it.
        run: The run.
        gan_class: The class of the model.
        gan: A model already built; its generator's weights are restored all the same.
        at: The checkpoint's step; the newest by default.
        say: Where lines go.

    Returns:
        The experiment as this model normalises, the model, and the step of its weights.

    Raises:
        CheckpointError: The weights were not restored.
    """
    if gan is None:
        for line in edited_since(run, gan_class):
            say(f"{run.resolved}: scored as it was trained; experiment.json {line}")
    for line in module_changes(run, source_of(gan_class), experiment.config.modules):
        say(line)
    experiment = experiment.normalised_by(normaliser_for(gan_class, experiment, run))
    if gan is None:
        with located(experiment.document):
            gan = construct(gan_class, experiment)
    kind = experiment.config.applied_statistics
    step = restore_for_inference(
        gan, run, at, kind=kind, batches=lambda: tiles_as_trained(experiment), say=say
    )
    return experiment, gan, step
