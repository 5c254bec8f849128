"""When a training looks, saves and reports, as its experiment asks for it; its epochs' rows."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensor2sensor.dataset.order import Epochs
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.loop import Plan
from sensor2sensor.training.rows import GAUGES, SECONDS

RATE = "learning_rate"
FACTS = GAUGES | {"step", "kind"}  # of a row of kind train: no means


@dataclass(frozen=True)
class Cadence(Plan):
    """When to do what, in steps or epochs.

    Attributes:
        epochs: How steps make epochs; None where the experiment counts steps. With them a look and
            a sheet end every epoch, and ``sample_freq`` and ``ckpt_freq`` say nothing.
        save_epochs: Epochs between checkpoints.
        val_freq: Steps between validations beside those of the sheets.
        monitored: A checkpoint is written before every validation, which may prove it the best.
    """

    epochs: Epochs | None = None
    save_epochs: int = 1
    val_freq: int | None = None
    monitored: bool = False

    def report_due(self, step: int) -> bool:
        """Whether losses are logged; at the end of an epoch for its means."""
        return super().report_due(step) or self.ends_epoch(step)

    def ends_epoch(self, step: int) -> bool:
        """Whether ``step`` steps complete an epoch of an experiment that counts them."""
        return self.epochs is not None and self.epochs.ended(step)

    def sheet_due(self, step: int) -> bool:
        """Whether a validation also draws the sample sheet."""
        if self.epochs is None:
            return super().sample_due(step)
        return step > 0 and (step == self.steps or self.epochs.ended(step))

    def sample_due(self, step: int) -> bool:
        """Whether the validation tiles are looked at."""
        own = self.val_freq is not None and step > 0 and step % self.val_freq == 0
        return own or self.sheet_due(step)

    def save_due(self, step: int) -> bool:
        """Whether a checkpoint is written."""
        if self.monitored and self.sample_due(step):
            return True
        if self.epochs is None:
            return super().save_due(step)
        return step == self.steps or self.epochs.ended(step, self.save_epochs)

    @property
    def saves(self) -> int:
        """Checkpoints that are still to be written."""
        return sum(map(self.save_due, range(self.start + 1, self.steps + 1)))


def cadence(plan: Plan, experiment: ExperimentView) -> Cadence:
    """The plan of a training with what its experiment says of epochs and validation."""
    config = experiment.config
    return Cadence(
        **vars(plan),
        epochs=experiment.EPOCHS,
        save_epochs=config.save_every_epochs,
        val_freq=config.val_freq,
        monitored=config.monitor is not None,
    )


class EpochMeans:
    """Means of the losses over the epoch that is under way, from the rows of the log.

    A row holds the means of the steps since the row before it, and every epoch ends with one: a
    resumed run takes up what the log holds of its epoch.
    """

    def __init__(self) -> None:
        self._step = 0
        self._since: float | None = None
        self._rows: list[tuple[int, Mapping[str, Any]]] = []

    def begin(
        self, step: int, rows: Iterable[Mapping[str, Any]] = (), *, done: int | None = None
    ) -> None:
        """Start an epoch.

        Args:
            step: Steps done when it began.
            rows: Of the log; those of kind ``train`` that are of the epoch are taken up.
            done: Steps done by now; ``step`` by default.
        """
        self._step, self._rows = step, []
        # How long another process was at it is not known.
        self._since = time.monotonic() if done in (None, step) else None
        for row in rows:
            if row["kind"] == "train" and row["step"] > step:
                self.add(row["step"], {k: v for k, v in row.items() if k not in FACTS})
        # Another run's steps are in no row of this one.
        self._step = max(self._step, step if done is None else done)

    def add(self, step: int, means: Mapping[str, Any]) -> None:
        """Take in the means of the steps since the last call."""
        self._rows.append((step - self._step, means))
        self._step = step

    def values(self) -> dict[str, float]:
        """Mean of each loss over the epoch, and its last learning rate."""
        names = dict.fromkeys(name for _, means in self._rows for name in means)
        found = {name: self._mean(name) for name in names if name != RATE}
        return found | ({RATE: self._rows[-1][1][RATE]} if RATE in names else {})

    def clock(self) -> dict[str, float]:
        """Seconds since the epoch began, with looks and checkpoints; none if resumed in it."""
        if self._since is None:
            return {}
        return {SECONDS: round(time.monotonic() - self._since, 3)}

    def _mean(self, name: str) -> float:
        # The log has null for what is not finite.
        held = [(n, means[name]) for n, means in self._rows if name in means]
        if any(value is None for _, value in held):
            return math.nan
        # Losses are float32, so is their mean: the rows that a signal adds move its last bits.
        mean = math.fsum(n * value for n, value in held) / sum(n for n, _ in held)
        return float(np.float32(mean))
