"""The second stage of ``train.py --check``: all that precedes the first step, and nothing kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.blame import blaming, source_of
from sensor2sensor.metrics.compute import try_own_metrics
from sensor2sensor.training.applied import applied_generator
from sensor2sensor.training.batches import chain_of, options_of_looks, reader_options, train_batches
from sensor2sensor.training.beginning import take_up
from sensor2sensor.training.contract import (
    ExperimentView,
    GANModel,
    extras_for,
    users_files,
)
from sensor2sensor.training.layer_statistics import InferenceStatistics
from sensor2sensor.training.normaliser import normaliser_for
from sensor2sensor.training.recipe import check_step, construct
from sensor2sensor.training.replicated import step_on
from sensor2sensor.training.run_file import choose_device
from sensor2sensor.training.start import Start
from sensor2sensor.training.state import TrainingState
from sensor2sensor.training.strategy import ONE, Devices

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment


def rehearse(
    gan_class: Callable[[Any], GANModel],
    experiment: ExperimentView,
    environment: Environment,
    start: Start,
    say: Callable[[str], None],
    devices: Devices = ONE,
) -> str:
    """Construct the model, trace its first step on batches of its form, fill it as asked.

    Args:
        gan_class: ``class GAN`` of the model's module.
        experiment: The experiment; its folder of logs is replaced by one that is removed.
        environment: Whether a GPU is required.
        start: What the run would begin with; the model is thrown away.
        say: Takes the lines of that.
        devices: What it would train on.

    Returns:
        How large the networks are.

    Raises:
        ConfigError: The model refuses a setting, or there is no GPU.
        ModelContractError: The model does not keep its contract, or raises an error of its own.
        CheckpointError: The run could not begin with what is asked for.
    """
    choose_device(environment.require_gpu, devices.here)
    module, weights = source_of(gan_class), start.weights_of(experiment.run)
    files = users_files(gan_class, experiment)
    try_own_metrics(experiment.contract)
    with tempfile.TemporaryDirectory() as folder, blaming(*files):
        experiment.output.LOGS = str(Path(folder) / "logs")  # a module may write as it is made
        experiment = experiment.normalised_by(normaliser_for(gan_class, experiment, weights))
        with devices.scope():
            model = construct(gan_class, experiment)
        options = reader_options(experiment, environment)
        displaced = experiment.config.displaced(experiment.contract.extras)
        extras = extras_for(model, experiment.contract, displaced)
        chain = chain_of(experiment)
        form = train_batches(experiment, options, extras=extras, chain=chain).element_spec
        jit_compile = experiment.config.jit_compile
        step_on(devices, model, form, jit_compile=jit_compile).prepare()
        check_step(model, experiment)
        options_of_looks(experiment, options, model, say)
        kind = experiment.config.inference_statistics
        used = applied_generator(experiment, model.generator)
        InferenceStatistics(model, kind, list, used).attempt(form["input"])  # list(): no batch
        state = TrainingState(model)
        take_up(model, state, experiment, start, module=module, say=say, repair=False)
    sizes = {"generator": model.generator, "discriminator": model.discriminator}
    parts = [f"{name} {net.count_params():,}" for name, net in sizes.items() if net is not None]
    return f"model constructed with {' + '.join(parts)} parameters, first step traced"
