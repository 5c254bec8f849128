"""A worker that is not the chief: it computes its part of every step, and writes nothing.

It takes its state from the chief, so it needs no checkpoint, and ends where all agree to. While the
chief saves or looks, it waits in its next step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sensor2sensor.training.batches import train_names
from sensor2sensor.training.cadence import cadence
from sensor2sensor.training.loop import Actions, Plan, train_loop
from sensor2sensor.training.outcome import Outcome
from sensor2sensor.training.session import Session
from sensor2sensor.training.start import Start
from sensor2sensor.training.watch import LossWatch


class Follower(Session):
    """A session that only trains."""

    def begin(self, start: Start, steps: int, device: str) -> None:
        """Trace the first step and take over the chief's state."""
        self._trace()
        self.begun = self.devices.share(self.state, 0)

    def run(self, steps: int) -> Outcome:
        """Train for as long as the chief does."""
        environment, experiment = self.environment, self.experiment
        frequencies = environment.ckpt_freq, environment.sample_freq, environment.log_freq
        plan = self.plan = cadence(Plan(self.begun, steps, *frequencies), experiment)
        watch = LossWatch(experiment.name, partial(train_names, experiment, self.options))
        nothing: Callable[..., None] = lambda *given: None  # noqa: E731
        actions = Actions(
            nothing,
            nothing,
            nothing,
            self._stop_asked,
            enough=lambda: self.devices.any_of(False),
        )
        batches = self._batches() if self.begun else self.first
        step = train_loop(self.step, batches, plan, actions, watch)
        return Outcome(step, self.stop.exit_code, self.model)
