"""How fast a training goes, and what share of its time it waits for batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sensor2sensor.training.rows import STEPS_PER_S


@dataclass(frozen=True)
class Pace:
    """Of the steps since the last report.

    Attributes:
        steps_per_s: Steps a second; looks and checkpoints are left out.
        data_wait: Share of that time that the loop waited for a batch, 0 to 1. A GPU may compute
            meanwhile what it was given before.
    """

    steps_per_s: float
    data_wait: float

    def facts(self, batch_size: int) -> dict[str, float]:
        """As the log has it, with images a second and milliseconds a step."""
        return {
            STEPS_PER_S: round(self.steps_per_s, 4),
            "img_per_s": round(self.steps_per_s * batch_size, 2),
            "step_ms": round(1e3 / self.steps_per_s, 2),
            "data_wait": round(self.data_wait, 4),
        }


class Clock:
    """The pace of training; the first step, which traces, does not count.

    Args:
        start: Steps done before.
    """

    def __init__(self, start: int) -> None:
        self._since: float | None = None
        self._since_step, self._waited = start, 0.0

    def tick(self, step: int) -> None:
        """Count a step as done."""
        if self._since is None:
            self._since, self._since_step, self._waited = time.monotonic(), step, 0.0

    def pace(self, step: int) -> Pace | None:
        """That since the last call; None where nothing was timed."""
        now, done = time.monotonic(), step - self._since_step
        elapsed = now - self._since if self._since is not None else 0.0
        waited, self._waited = self._waited, 0.0
        self._since, self._since_step = now, step
        return Pace(done / elapsed, min(1.0, waited / elapsed)) if done and elapsed > 0 else None

    def waited(self, since: float) -> None:
        """Count the time from ``since`` (monotonic) to now as waiting for a batch."""
        self._waited += time.monotonic() - since

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time of this block out of the pace."""
        start = time.monotonic()
        yield
        if self._since is not None:
            self._since += time.monotonic() - start
