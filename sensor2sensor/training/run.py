"""One training run from its first checks to its last checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from sensor2sensor.core import files
from sensor2sensor.core.blame import blaming
from sensor2sensor.core.seeds import Purpose, derive
from sensor2sensor.metrics.compute import try_own_metrics
from sensor2sensor.training import run_file
from sensor2sensor.training.contract import ExperimentView, GANModel, users_files
from sensor2sensor.training.follower import Follower
from sensor2sensor.training.interrupts import StopSignal
from sensor2sensor.training.memory import one_line_without_memory
from sensor2sensor.training.normaliser import normaliser_for
from sensor2sensor.training.outcome import Outcome
from sensor2sensor.training.session import Say, Session
from sensor2sensor.training.start import Start, refuse_overwriting
from sensor2sensor.training.strategy import ONE, Devices
from sensor2sensor.training.time_limit import TimeLimit

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

logger = logging.getLogger(__name__)

AFRESH = Start()


def train(
    gan_class: Callable[[Any], GANModel],
    experiment: ExperimentView,
    environment: Environment,
    *,
    start: Start = AFRESH,
    steps: int | None = None,
    limit: TimeLimit | None = None,
    say: Say = logger.info,
    devices: Devices = ONE,
) -> Outcome:
    """Train ``experiment`` in its run folder until ``steps`` are done, or something ends it.

    Args:
        gan_class: ``class GAN`` of the model's module.
        experiment: The experiment with the timestamp of the run.
        environment: Frequencies, folders and whether a GPU is required.
        start: Afresh, resumed, or from another run's state.
        steps: Total steps; the experiment's by default.
        limit: When it has to end by itself; None: no limit.
        say: Where lines for the user go.
        devices: What it trains on; a worker that is not the chief writes nothing.

    Raises:
        OutputExistsError: The folder holds checkpoints and the run is not resumed.
        CheckpointError: The state asked for cannot be restored.
        ModelContractError: The model does not offer what is called.
        TrainingError: A loss is not finite, memory or disk is full, or a worker is gone.
        InputError: Another process trains in this folder.
    """
    device = run_file.choose_device(environment.require_gpu, devices.here)
    kind = Session if devices.chief else Follower
    with ExitStack() as stack:
        stack.enter_context(devices.guarded(experiment.name))
        stop = stack.enter_context(StopSignal(say, limit))
        if devices.chief:
            # Before anything is tidied: what another process writes looks like a kill's leftovers.
            stack.enter_context(files.lock(experiment.run.lock))
            refuse_overwriting(experiment.run, start)
        else:
            # A module may write summaries by itself.
            experiment.output.LOGS = stack.enter_context(TemporaryDirectory())
        # Before the model is made: layers without a seed of their own draw from the global one.
        make_repeatable(experiment.SEED, device, experiment.config.deterministic)
        own = users_files(gan_class, experiment)
        undone: AbstractContextManager[None] = nullcontext()
        if devices.chief:
            undone = files.undone_on_failure(experiment.run.logs_dir)
        memory = partial(one_line_without_memory, experiment.name, experiment.config.batch_size)
        with memory("before the first step"), undone, blaming(*own):
            try_own_metrics(experiment.contract)
            # The map of the weights that are taken up, not that of the data set as it is now.
            weights = start.weights_of(experiment.run)
            experiment = experiment.normalised_by(normaliser_for(gan_class, experiment, weights))
            session = kind(gan_class, experiment, environment, say, stop, devices)
            session.begin(start, steps or experiment.STEPS, device)
        with memory("at a look or a checkpoint"):
            return session.run(steps or experiment.STEPS)


def make_repeatable(seed: int, device: str, deterministic: bool | None = None) -> None:
    """Fix the seeds of weights and dropout, and the order of every sum.

    ``deterministic`` says whether that too; None: on a CPU, where it costs next to nothing.

    Names of layers decide on the order of some sums in TensorFlow's graphs, and Keras numbers them
    through a process: a training after others would differ by rounding from the same one alone.
    """
    policy = keras.config.dtype_policy()  # a user's module may have set it
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(derive(seed, Purpose.INIT) % 2**32)  # NumPy's seed has 32 bits
    # On a GPU it slows convolutions down and refuses operations that have no ordered kernel.
    if device == "CPU" if deterministic is None else deterministic:
        tf.config.experimental.enable_op_determinism()
