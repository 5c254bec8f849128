"""One training run from its first checks to its last checkpoint."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from sensor2sensor.core import files
from sensor2sensor.core.blame import blaming, source_of
from sensor2sensor.core.decoration import decoration
from sensor2sensor.core.errors import TrainingError
from sensor2sensor.core.seeds import Purpose, derive
from sensor2sensor.dataset.recordfile import list_records
from sensor2sensor.metrics.compute import try_own_metrics
from sensor2sensor.networks.reach import reach
from sensor2sensor.pipeline.clipping import clipped_share, in_words
from sensor2sensor.pipeline.reader import (
    ReaderOptions,
    fixed_batches,
    training_batches,
)
from sensor2sensor.training import checkpoints, run_file
from sensor2sensor.training.beginning import take_up
from sensor2sensor.training.contract import (
    ExperimentView,
    GANModel,
    extras_for,
    retraced,
    trace_step,
    users_files,
)
from sensor2sensor.training.interrupts import StopSignal
from sensor2sensor.training.layer_statistics import InferenceStatistics, statistics_batches
from sensor2sensor.training.lines import disk_line, look_line, report_line
from sensor2sensor.training.loop import Actions, Plan, train_loop
from sensor2sensor.training.normaliser import normaliser_for, unstated_bound
from sensor2sensor.training.pictures import write_pictures
from sensor2sensor.training.recipe import construct
from sensor2sensor.training.start import Start, refuse_overwriting
from sensor2sensor.training.state import TrainingState, applied_rate
from sensor2sensor.training.validation import Monitor, write_sheet
from sensor2sensor.training.watch import LossWatch
from sensor2sensor.training.writers import Writers

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

logger = logging.getLogger(__name__)

Say = Callable[[str], None]
LOCK = ".lock"
AFRESH = Start()


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        step: Steps done in all.
        exit_code: 0; 143 or 130 after a signal and a clean save.
        model: The trained model.
    """

    step: int
    exit_code: int
    model: GANModel


def train(
    gan_class: Callable[[Any], GANModel],
    experiment: ExperimentView,
    environment: Environment,
    *,
    start: Start = AFRESH,
    steps: int | None = None,
    say: Say = logger.info,
) -> Outcome:
    """Train ``experiment`` in its run folder until ``steps`` are done or a signal comes.

    Args:
        gan_class: ``class GAN`` of the model's module.
        experiment: The experiment with the timestamp of the run.
        environment: Frequencies, folders and whether a GPU is required.
        start: Afresh, resumed, or from another run's state.
        steps: Total steps; the experiment's by default.
        say: Where lines for the user go.

    Raises:
        OutputExistsError: The folder holds checkpoints and the run is not resumed.
        CheckpointError: The state asked for cannot be restored.
        ModelContractError: The model does not offer what is called.
        TrainingError: A loss is not finite, memory or disk is full.
        InputError: Another process trains in this folder.
    """
    device = run_file.choose_device(environment.require_gpu)
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal(say))
        stack.enter_context(files.lock(experiment.run.ckpt_dir / LOCK))
        refuse_overwriting(experiment.run, start)
        make_repeatable(experiment.SEED, device)
        own = users_files(gan_class, experiment)
        with files.undone_on_failure(experiment.run.logs_dir), blaming(*own):
            try_own_metrics(experiment.contract)
            weights = start.weights_of(experiment.run)
            experiment = experiment.normalised_by(normaliser_for(gan_class, experiment, weights))
            session = _Session(gan_class, experiment, environment, say, stop)
            session.begin(start, steps or experiment.STEPS, device)
        return session.run(steps or experiment.STEPS)


def make_repeatable(seed: int, device: str) -> None:
    """Fix the seeds of weights and dropout; on CPU also the order of every sum."""
    keras.utils.set_random_seed(derive(seed, Purpose.INIT) % 2**32)  # NumPy's seed has 32 bits
    # On a GPU it slows convolutions down and refuses operations that have no ordered kernel.
    if device == "CPU":
        tf.config.experimental.enable_op_determinism()


def reader_options(experiment: ExperimentView, environment: Environment) -> ReaderOptions:
    """The reader's options for the training split of an experiment."""
    config = experiment.config
    return ReaderOptions(
        batch_size=config.batch_size,
        seed=config.seed,
        shuffle=config.shuffle,
        random_resize=config.random_resize,
        random_rotate=config.random_rotate,
        random_crop=config.random_crop,
        img_height=experiment.IMG_HEIGHT,
        img_width=experiment.IMG_WIDTH,
        input_upsampling=config.input_upsampling,
        sample=config.sample_train,
        enforce_suffix=config.enforce_suffix,
        exclude_suffix=config.exclude_suffix,
        decoded_cap=environment.max_shuffle_buffer,
    )


def tiles_as_trained(experiment: Any) -> tf.data.Dataset:
    """Batches for the statistics of a checkpoint from before these were kept."""
    options = reader_options(experiment, experiment.environment)
    return statistics_batches(experiment, experiment.normaliser, options)


class _Session:
    """A constructed model with its state, batches and writers."""

    def __init__(
        self,
        gan_class: Callable[[Any], GANModel],
        experiment: ExperimentView,
        environment: Environment,
        say: Say,
        stop: StopSignal,
    ) -> None:
        self.experiment, self.environment = experiment, environment
        self.say, self.stop = say, stop
        self.folder = experiment.run.ckpt_dir
        self.normalisation = experiment.normaliser
        self.options = reader_options(experiment, environment)
        self.source, self.files = source_of(gan_class), users_files(gan_class, experiment)
        self.model = construct(gan_class, experiment)
        self.extras = extras_for(self.model, experiment.contract)
        self.statistics = InferenceStatistics(
            self.model,
            experiment.config.inference_statistics,
            lambda: statistics_batches(experiment, self.normalisation, self.options),
        )
        self.state = TrainingState(self.model, statistics=self.statistics.variables)
        self.monitor = Monitor(experiment, self.normalisation, self._validation())
        self.begun, self.warned = 0, False

    def begin(self, start: Start, steps: int, device: str) -> None:
        """Trace the first step and restore; only then is anything of the run written."""
        trace_step(self.model, form := self._training().element_spec)
        self.statistics.attempt(form["input"])
        for phrase in checkpoints.tidy(self.folder):
            logger.warning("%s: %s", self.folder, phrase)
        restored, pretrained = take_up(
            self.model, self.state, self.experiment, start, module=self.source, say=self.say
        )
        self.begun = restored["step"] if restored else 0
        self._greet(steps, device)
        resumed = restored is not None and start.resume
        known = run_file.measured_before(self.experiment.run, self.source) if resumed else None
        self.run_file = run_file.begin(
            self.experiment,
            steps=steps,
            device=device,
            restored_from=restored,
            model=run_file.module_identity(self.source),
            pretrained=pretrained,
            further=self._measured(known),
        )

    def run(self, steps: int) -> Outcome:
        """Train, and keep ``run.json`` true whatever happens."""
        logs_dir, model_dir = self.experiment.run.logs_dir, self.experiment.run.model_dir
        try:
            if not self.begun:
                write_pictures(self.model, model_dir, self.say)
            with blaming(*self.files), Writers(logs_dir, start_step=self.begun) as self.writers:
                step = self._loop(steps)
        except BaseException as error:
            self._note_failure(error)
            raise
        done = step >= steps
        self.run_file.update(status="done" if done else "interrupted", step=step)
        return Outcome(step, self.stop.exit_code, self.model)

    def _note_failure(self, error: BaseException) -> None:
        """Write the reason to ``run.json``, unless the full disk that it is about forbids that."""
        reason = f"{type(error).__name__}: {error}"[:500]
        try:
            self.run_file.update(status="failed", reason=reason)
        except OSError as second:
            logger.warning("%s: not updated (%s)", self.experiment.run.run_json, second)

    def _loop(self, steps: int) -> int:
        environment, experiment = self.environment, self.experiment
        plan = self.plan = Plan(
            start=self.begun,
            steps=steps,
            ckpt_freq=environment.ckpt_freq,
            sample_freq=environment.sample_freq,
        )
        actions = Actions(self._report, self._save, self._sample, lambda: self.stop.requested)
        weights = {**experiment.GEN_LOSS, **experiment.DISC_LOSS}
        unweighted = frozenset(name for name, weight in weights.items() if weight == 0)
        watch = LossWatch(experiment.name, self._names_of, unweighted)
        if plan.saves:
            free = shutil.disk_usage(self.folder).free
            self.say(disk_line(self.state.nbytes, plan.saves, free))
        if plan.sample_due(self.begun) and not self.writers.holds(self.begun, "val"):
            self._sample(self.begun)  # the run was killed between its checkpoint and this look
        return train_loop(self.model, self._training(), plan, actions, watch)

    def _training(self) -> tf.data.Dataset:
        return training_batches(
            self.experiment.dataset_dir,
            self.experiment.contract,
            self.normalisation,
            self.options,
            start_step=self.begun,
            extras=self.extras,
        )

    def _validation(self) -> tf.data.Dataset:
        return fixed_batches(
            self.experiment.dataset_dir,
            self.experiment.contract,
            self.normalisation,
            replace(self.options, sample=self.experiment.config.sample_val),
            split="val",
            extras=(),
        )

    def _names_of(self, numbers: list[int]) -> list[str]:
        names = self.options.enforce_suffix, self.options.exclude_suffix
        place = self.experiment.dataset_dir, self.experiment.contract
        records = list_records(*place, "train", *names)
        return [records[number].name for number in numbers]

    def _greet(self, steps: int, device: str) -> None:
        name, run = self.experiment.name, self.experiment.run.timestamp
        self.say(f"training {name} ({run}) on {device}: steps {self.begun} to {steps}")
        if self.begun >= steps:
            self.say(f"nothing to train: {self.begun} of {steps} steps are done; raise 'steps'")

    def _measured(self, known: dict[str, Any] | None) -> dict[str, Any]:
        """What ``run.json`` keeps of the data and of the generator, unless that is known."""
        clipped = self._clipped()
        found: dict[str, Any] = {} if clipped is None else {"clipped_pixels": clipped}
        # Tiled prediction needs it for its margins and strides, long after training.
        with decoration("the receptive field of the generator", logger.warning):
            found["generator"] = known or asdict(reach(self.model.generator))
        return found

    def _clipped(self) -> dict[str, float] | None:
        """Say what share of the target pixels the model cannot reach, by split; else None."""
        activation = unstated_bound(self.model.generator, self.normalisation)
        if activation is not None:
            self.say(
                f"the generator ends in {activation}, but class GAN does not state OUTPUT_BOUNDS:"
                " it cannot reach beyond the value range, and targets there are not clipped"
            )
        if self.normalisation.bounds is None:
            return None
        names = self.options.enforce_suffix, self.options.exclude_suffix
        place = self.experiment.dataset_dir, self.experiment.contract
        shares = {
            split: clipped_share(*place, self.normalisation, split, *names)
            for split in ("train", "val")
        }
        self.say(in_words(shares, legacy=self.normalisation.legacy))
        return shares

    def _report(self, step: int, losses: Mapping[str, float], speed: float | None) -> None:
        facts = {} if speed is None else {"steps_per_s": round(speed, 4)}
        rate = {"learning_rate": applied_rate(self.model.generator_optimizer)}
        self.writers.scalars(step, "train", {**losses, **rate}, **facts)
        size = self.options.batch_size
        self.say(report_line(step, self.plan.steps, losses, steps_per_s=speed, batch_size=size))
        if not losses:
            self._refuse_unsound(step)
        if not self.warned and retraced(self.model, step - self.begun):
            self.warned = True
            logger.warning("train_step was traced anew at every step; it captures a new object")

    def _refuse_unsound(self, step: int) -> None:
        broken = self.state.unsound()
        if broken is not None:
            raise TrainingError(
                f"variable {broken} is not finite at step {step}",
                where=self.experiment.name,
                hint="lower learning_rate; a checkpoint before it is sound",
            )

    def _save(self, step: int) -> None:
        self.statistics.refresh(step)
        self._refuse_unsound(step)
        checkpoints.save(self.folder, self.state, step)
        self.writers.flush()
        self.run_file.update(step=step)

    def _sample(self, step: int) -> None:
        with self.statistics.in_use(step) as generator:
            scores, rows = self.monitor.look(generator)
        self.writers.scalars(step, "val", scores)
        self.say(look_line(step, scores))
        with decoration(f"the sample sheet of step {step}", logger.warning):
            png = self.monitor.draw(rows, step)
            write_sheet(self.experiment, self.environment.samples_dir, step, png)
            self.writers.picture(step, "samples", png)
