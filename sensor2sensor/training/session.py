"""A model that trains: its state, batches and writers, and what is due while it does."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import files
from sensor2sensor.core.blame import blaming, source_of
from sensor2sensor.core.decoration import decoration
from sensor2sensor.networks.chain import in_words
from sensor2sensor.training import checkpoints, run_file
from sensor2sensor.training.alarms import Alarms
from sensor2sensor.training.applied import applied_generator
from sensor2sensor.training.batches import (
    chain_of,
    options_of_looks,
    reader_options,
    sheet_batches,
    train_batches,
    train_epochs,
    train_names,
    validation_batches,
)
from sensor2sensor.training.beginning import take_up
from sensor2sensor.training.board import graph_of
from sensor2sensor.training.cadence import EpochMeans, cadence
from sensor2sensor.training.contract import (
    ExperimentView,
    GANModel,
    extras_for,
    users_files,
)
from sensor2sensor.training.histograms import Histograms
from sensor2sensor.training.interrupts import StopSignal
from sensor2sensor.training.keeping import Keeper
from sensor2sensor.training.layer_statistics import InferenceStatistics, statistics_batches
from sensor2sensor.training.lines import disk_line, end_line, look_line, report_line
from sensor2sensor.training.loop import Actions, Plan, train_loop
from sensor2sensor.training.measured import measured
from sensor2sensor.training.memory import memory_line, need_of, smaller_batch, taken_mib
from sensor2sensor.training.modules import module_identity
from sensor2sensor.training.outcome import Outcome
from sensor2sensor.training.pace import Pace
from sensor2sensor.training.pictures import write_pictures
from sensor2sensor.training.recipe import check_step, construct
from sensor2sensor.training.registration import noted
from sensor2sensor.training.replicated import step_on
from sensor2sensor.training.rows import EPOCH, FINAL
from sensor2sensor.training.samples import SampleRow
from sensor2sensor.training.sinks import sinks_for
from sensor2sensor.training.start import Start, tagged
from sensor2sensor.training.state import TrainingState, applied_rate
from sensor2sensor.training.strategy import ONE, Devices
from sensor2sensor.training.terms import Terms
from sensor2sensor.training.time_limit import LOOK, SAVE
from sensor2sensor.training.validation import Monitor, sheet_path, write_sheet
from sensor2sensor.training.watch import LossWatch, last_good
from sensor2sensor.training.writers import JSONL, Writers, read_log

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

logger = logging.getLogger(__name__)

Say = Callable[[str], None]


class Session:
    """A constructed model with its state, batches and writers."""

    def __init__(
        self,
        gan_class: Callable[[Any], GANModel],
        experiment: ExperimentView,
        environment: Environment,
        say: Say,
        stop: StopSignal,
        devices: Devices = ONE,
    ) -> None:
        self.experiment, self.environment, self.devices = experiment, environment, devices
        self.say, self.stop = say, stop
        self.folder = experiment.run.ckpt_dir
        self.options = reader_options(experiment, environment)
        self.source, self.files = source_of(gan_class), users_files(gan_class, experiment)
        with devices.scope():
            self.model = construct(gan_class, experiment)
        displaced = experiment.config.displaced(experiment.contract.extras)
        self.extras = extras_for(self.model, experiment.contract, displaced)
        self.chain = chain_of(experiment)
        measured_on = partial(
            statistics_batches, experiment, experiment.normaliser, self.options, self.chain
        )
        self.statistics = InferenceStatistics(
            self.model,
            experiment.config.inference_statistics,
            # Made once for all saves; what a chain prepares can be read once only.
            cache(measured_on) if self.chain is None else measured_on,
            applied_generator(experiment, self.model.generator),
        )
        self.state = TrainingState(self.model, statistics=self.statistics.variables)
        self.seen = seen = options_of_looks(experiment, self.options, self.model, say)
        self.monitor = Monitor(
            experiment,
            experiment.normaliser,
            validation_batches(experiment, seen),
            sheet_batches(experiment, seen),
        )
        self.begun, self.warned = 0, False
        self.epoch = EpochMeans()
        self.keeper = Keeper(self.folder, experiment.config, experiment.EPOCHS, say)

    def begin(self, start: Start, steps: int, device: str) -> None:
        """Trace the first step and restore; only then is anything of the run written."""
        form, traced = self._trace()
        self.statistics.attempt(form["input"])
        self.graph = partial(graph_of, self.model.generator, form["input"])
        for place in (self.experiment.run.logs_dir, self.experiment.run.samples_dir):
            files.sweep(place)
        for phrase in checkpoints.tidy(self.folder):
            logger.warning("%s: %s", self.folder, phrase)
        restored, taken = take_up(
            self.model, self.state, self.experiment, start, module=self.source, say=self.say
        )
        self.begun = self.devices.share(self.state, restored["step"] if restored else 0)
        self._greet(steps, device)
        self.need = need_of(
            traced.graph, self.model, self.state.nbytes, self.options.batch_size, self.devices.here
        )
        self.say(memory_line(self.need))
        self.alarms = Alarms(self.experiment, self.seen, self.monitor, steps)
        resumed = restored is not None and start.resume
        known = run_file.measured_before(self.experiment.run, self.source) if resumed else None
        asked = self.experiment, self.options
        found = measured(self.model.generator, *asked, known, self.say)
        self.run_file = run_file.begin(
            self.experiment,
            steps=steps,
            device=device,
            restored_from=restored,
            model=module_identity(self.source),
            further={
                **self.devices.facts(), **taken, **found, **noted(self.experiment),
                **self.alarms.kept(resumed),
                **tagged(self.experiment.run, start),
            },
        )  # fmt: skip

    def _trace(self) -> tuple[Any, Any]:
        """Trace the first step; returns the form of its batches, and its concrete function."""
        self.first = self._batches()
        form, config = self.first.element_spec, self.experiment.config
        self.step = step_on(self.devices, self.model, form, jit_compile=config.jit_compile)
        traced = self.step.prepare()
        check_step(self.model, self.experiment)
        return form, traced

    def run(self, steps: int) -> Outcome:
        """Train, and keep ``run.json`` true whatever happens."""
        logs_dir, model_dir = self.experiment.run.logs_dir, self.experiment.run.model_dir
        sinks = sinks_for(self.experiment, self.environment, self.graph)
        try:
            if not self.begun:
                write_pictures(self.model, model_dir, self.say)
            self.writers = Writers(logs_dir, start_step=self.begun, sinks=sinks)
            lost = self.devices.guarded(self.experiment.name)
            with blaming(*self.files), self.writers, lost:
                step = self._loop(steps)
        except BaseException as error:
            self._note_failure(error)
            raise
        early = self.keeper.worn_out() if step < steps else None
        done = early is not None or step >= steps
        reason = early if done else self.stop.reason
        told = {} if reason is None else {"reason": reason}
        self.run_file.update(status="done" if done else "interrupted", step=step, **told)
        line = end_line(step, steps, early=early, stopped=self.stop.reason)
        if line is not None:
            self.say(line)
        return Outcome(step, self.stop.exit_code, self.model)

    def _note_failure(self, error: BaseException) -> None:
        """Write the reason to ``run.json``, unless the full disk that it is about forbids that."""
        reason = f"{type(error).__name__}: {error}"[:500]
        try:
            self.run_file.update(status="failed", reason=reason)
        except OSError as second:
            logger.warning("%s: not updated (%s)", self.experiment.run.run_json, second)
        if isinstance(error, OSError):
            self.say(f"stopped: {last_good(self.folder)}")

    def _loop(self, steps: int) -> int:
        environment, experiment = self.environment, self.experiment
        asked = Plan(
            start=self.begun,
            steps=steps,
            ckpt_freq=environment.ckpt_freq,
            sample_freq=environment.sample_freq,
            log_freq=environment.log_freq,
        )
        actions = Actions(
            self._report,
            self.stop.limit.timed(SAVE, self._save),
            self.stop.limit.timed(LOOK, self._sample),
            self._stop_asked,
            self._histograms().around,
            smaller=partial(smaller_batch, need=self.need),
            enough=lambda: self.devices.any_of(self.keeper.worn_out() is not None),
        )
        weights = {**experiment.GEN_LOSS, **experiment.DISC_LOSS}
        unweighted = frozenset(name for name, weight in weights.items() if weight == 0)
        names_of = partial(train_names, experiment, self.options)
        plan = self.plan = cadence(asked, experiment)
        look_lost = self._go_on()
        way_back = partial(last_good, self.folder)
        watch = self.watch = LossWatch(experiment.name, names_of, unweighted, way_back)
        if plan.saves:
            free = shutil.disk_usage(self.folder).free
            self.say(disk_line(self.state.nbytes, plan.saves, free, self.keeper.most(plan)))
        if look_lost:
            self._sample(self.begun)  # the run was killed between its checkpoint and this look
        batches = self._batches() if self.begun else self.first
        return train_loop(self.step, batches, plan, actions, watch)

    def _stop_asked(self, step: int) -> bool:
        begun = step > self.begun
        coming = [SAVE] * (begun and self.plan.save_due(step))
        coming += [LOOK] * (begun and self.plan.sample_due(step))
        # After the last step nothing is left to be cut short.
        last = step >= self.plan.steps
        wanted = self.stop.requested if last else self.stop.asked(coming)
        return self.stop.heed(self.step.agreed(wanted))

    def _histograms(self) -> Histograms:
        return Histograms(
            self.model,
            every=self.environment.histograms,
            epochs=train_epochs(self.experiment, self.options),
            show=self.writers.histograms,
        )

    def _go_on(self) -> bool:
        """Take up what the log knows; whether a look, the row of an epoch or a sheet is lacking."""
        rows, begun = read_log(self.experiment.run.logs_dir / JSONL), self.begun
        # The look that ended a shorter run: one that was to be as long from the start had none, and
        # takes neither its best nor its patience from there.
        rows = [row for row in rows if not row.get(FINAL) or self.plan.sample_due(row["step"])]
        self.keeper.resume(rows, self.run_file.alike_since)
        self.alarms.resume(rows, self.run_file, begun)
        if self.experiment.config.monitor is not None:
            self.run_file.update(best=self.keeper.best)
        if self.plan.epochs is not None:
            held = self.writers.holds(begun, EPOCH)
            self.epoch.begin(begun if held else self.plan.epochs.began(begun), rows, done=begun)
            if self.plan.ends_epoch(begun) and not held:
                return True
        if self.plan.sheet_due(begun) and not sheet_path(self.experiment, begun).is_file():
            return True
        return self.plan.sample_due(begun) and not self.writers.holds(begun, "val")

    def _batches(self) -> Any:
        return train_batches(
            self.experiment,
            self.options,
            start_step=self.begun,
            extras=self.extras,
            chain=self.chain,
            ahead=self.devices.replicas == 1,
        )

    def _greet(self, steps: int, device: str) -> None:
        name, run = self.experiment.name, self.experiment.run.timestamp
        self.say(f"training {name} ({run}) on {device}: steps {self.begun} to {steps}")
        if self.model.discriminator is not None and (seen := in_words(self.model.discriminator)):
            self.say(f"the discriminator gives {seen}")
        if self.begun >= steps:
            self.say(f"nothing to train: all {steps} steps are done; 'steps' may be raised")

    def _report(self, step: int, losses: Mapping[str, float], pace: Pace | None) -> None:
        facts = taken_mib() | ({} if pace is None else pace.facts(self.options.batch_size))
        rate = {"learning_rate": applied_rate(self.model.generator_optimizer)}
        self.writers.scalars(step, "train", {**losses, **rate}, **facts)
        self.epoch.add(step, {**losses, **rate})
        self.say(report_line(step, self.plan.steps, losses, facts))
        self.alarms.read(step, "train", losses, self.run_file)
        # A module of ARISGAN's returns no losses: its weights have to tell.
        if not losses:
            self._refuse_unsound(step)
        if not self.warned and self.step.retraced(step - self.begun):
            self.warned = True
            logger.warning("train_step was traced anew at every step; it captures a new object")

    def _refuse_unsound(self, step: int) -> None:
        broken = self.state.unsound()
        if broken is not None:
            raise self.watch.broken(broken, step)

    def _save(self, step: int) -> None:
        # A checkpoint is used with statistics measured under its own weights.
        self.statistics.refresh(step)
        # Losses are of the weights before the update: finite ones say nothing of those after it.
        self._refuse_unsound(step)
        checkpoints.save(self.folder, self.state, step)
        self.writers.flush()
        # Last: run.json never names a step whose checkpoint is not there.
        self.run_file.update(step=step)
        self.keeper.prune()

    def _sample(self, step: int) -> None:
        terms = Terms(self.model, self.extras, step)
        with self.statistics.in_use(step) as generator:
            scores, rows, spread = self.monitor.look(generator, terms)
        if not self.writers.holds(step, "val"):
            final = {FINAL: True} if self.plan.final(step) else {}
            self.writers.scalars(step, "val", scores, **spread, **final)
            self.alarms.read(step, "val", {**scores, **spread}, self.run_file)
        self._close_epoch(step, scores, terms.means())
        self.say(look_line(step, scores))
        self._keep_best(step, scores)
        if self.plan.sheet_due(step):
            self._draw(step, rows)

    def _close_epoch(self, step: int, scores: Mapping[str, float], terms: Collection[str]) -> None:
        """Write the row of an epoch: means of training, and what its validation has found."""
        if self.plan.epochs is None or not self.plan.ends_epoch(step):
            return
        if self.writers.holds(step, EPOCH):
            return
        # A loss has one name in training and validation.
        found = {f"val_{name}" if name in terms else name: v for name, v in scores.items()}
        number = self.plan.epochs.complete(step)
        values = {**self.epoch.values(), **found}
        self.writers.scalars(step, EPOCH, values, epoch=number, **self.epoch.clock())
        self.epoch.begin(step)

    def _keep_best(self, step: int, scores: Mapping[str, float]) -> None:
        if self.experiment.config.monitor is not None:
            self.keeper.note(step, scores)
            # Before anything is deleted: run.json never names what is not there.
            self.run_file.update(best=self.keeper.best)
            self.keeper.prune()

    def _draw(self, step: int, rows: list[SampleRow]) -> None:
        with decoration(f"the sample sheet of step {step}", logger.warning):
            png = self.monitor.draw(rows, step)
            write_sheet(self.experiment, self.environment.samples_dir, step, png)
            self.writers.picture(step, "samples", png)
