"""The training loop: one step after the other, and what is due after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from sensor2sensor.core.errors import TrainingError
from sensor2sensor.training.memory import smaller_batch
from sensor2sensor.training.pace import Clock, Pace
from sensor2sensor.training.watch import LossWatch

# Not at every step: reading losses waits for the device.
REPORT_EVERY = 20


@dataclass(frozen=True)
class Plan:
    """When to do what, in steps.

    Attributes:
        start: Steps done before.
        steps: Steps in total.
        ckpt_freq: Steps between checkpoints.
        sample_freq: Steps between looks at the validation tiles.
        log_freq: Steps between rows of the logs.
    """

    start: int
    steps: int
    ckpt_freq: int
    sample_freq: int
    log_freq: int = REPORT_EVERY

    def report_due(self, step: int) -> bool:
        """Whether losses are logged after ``step`` steps; before every checkpoint they are too."""
        return step % self.log_freq == 0 or self.save_due(step)

    def sample_due(self, step: int) -> bool:
        """Whether the validation tiles are looked at after ``step`` steps."""
        return step > 0 and (step == self.steps or step % self.sample_freq == 0)

    def final(self, step: int) -> bool:
        """Whether a look is due because ``step`` is the last one: a longer run has none there."""
        return self.sample_due(step) and not replace(self, steps=0).sample_due(step)

    def save_due(self, step: int) -> bool:
        """Whether a checkpoint is written after ``step`` steps."""
        return step == self.steps or step % self.ckpt_freq == 0

    @property
    def saves(self) -> int:
        """Checkpoints that are still to be written."""
        last_is_extra = self.steps % self.ckpt_freq != 0
        due = self.steps // self.ckpt_freq - self.start // self.ckpt_freq + last_is_extra
        return due if self.start < self.steps else 0


@dataclass(frozen=True)
class Actions:
    """What the loop calls; each takes the number of steps done.

    Attributes:
        report: ``(step, mean losses, pace or None)``.
        save: Write a checkpoint.
        sample: Look at the validation tiles.
        stop_requested: Whether to end after this step: a signal has come, or the time is up.
        around: Given the number of a step, counted from 1: what it is made within.
        smaller: What to do where memory was exhausted, given the batch size.
        enough: Whether looks have shown that no further step is worth it.
    """

    report: Callable[[int, Mapping[str, float], Pace | None], None]
    save: Callable[[int], None]
    sample: Callable[[int], None]
    stop_requested: Callable[[int], bool]
    around: Callable[[int], AbstractContextManager[Any]] = nullcontext
    smaller: Callable[[int], str] = smaller_batch
    enough: Callable[[], bool] = lambda: False


def train_loop(
    call: Callable[[Any, Any], Any], batches: Any, plan: Plan, actions: Actions, watch: LossWatch
) -> int:
    """Train from ``plan.start`` to ``plan.steps``, until asked to stop or until it is enough.

    The state after the last step is always saved, and never one with a non-finite loss before it.
    A stop leaves out the look that is due: it may last, and a resumed run makes up for it.

    Args:
        call: One step, ``(batch, step) -> losses``: a :class:`~.compiled.Step`.
        batches: Endless batches of dict(input, target, index, ...), the first for ``plan.start``.
        plan: When to do what.
        actions: What to do.
        watch: Keeps the losses between reports.

    Returns:
        Steps done in all.

    Raises:
        TrainingError: A loss is not finite, or memory runs out.
    """
    iterator = iter(batches)
    clock = Clock(plan.start)
    step = plan.start
    stopping = actions.stop_requested(step) or actions.enough()
    while step < plan.steps and not stopping:
        asked = time.monotonic()
        batch = next(iterator)
        clock.waited(asked)
        with actions.around(step + 1):
            losses = _one_step(call, batch, step, watch, actions)
        step += 1
        watch.add(step, losses, batch["index"])
        clock.tick(step)
        # Asked once a step: a signal between two questions would end the run without its save.
        stopping = actions.stop_requested(step)
        if stopping or plan.report_due(step):
            # Before the save: a loss that is not finite stops the run here.
            actions.report(step, watch.collect(), clock.pace(step))
        if stopping or plan.save_due(step):
            with clock.paused():
                actions.save(step)
        # After it: a kill during a look costs the look, which is made up for on resume.
        if plan.sample_due(step) and (step == plan.steps or not stopping):
            with clock.paused():
                actions.sample(step)
            stopping = stopping or actions.enough()
    return step


def _one_step(
    call: Callable[[Any, Any], Any], batch: Any, step: int, watch: LossWatch, actions: Actions
) -> Any:
    """Run one step; ``step`` is passed as a tensor, as a Python number would be traced anew."""
    try:
        return call(batch, tf.constant(step, tf.int64))
    except tf.errors.ResourceExhaustedError as error:
        size = int(batch["input"].shape[0])
        problem = f"out of memory at step {step + 1} with batch_size {size}"
        raise TrainingError(problem, where=watch.where, hint=actions.smaller(size)) from error
