"""Which checkpoints of a run stay: the newest, every so many, and those of the best validations.

Also when validations have become no better for so long that the run ends. What is best is read from
the log, which is what a resumed run knows of itself, so it costs no file that could disagree.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sensor2sensor.config.cadence import better
from sensor2sensor.dataset.order import Epochs
from sensor2sensor.training import checkpoints
from sensor2sensor.training.loop import Plan

logger = logging.getLogger(__name__)


class Keeper:
    """Deletes the checkpoints of a run that nothing keeps, after there are newer ones.

    Args:
        folder: ``ckpt/<timestamp>``.
        config: ``keep_last``, ``keep_every``, ``keep_best`` and ``monitor`` of the experiment.
        epochs: Those that ``keep_every`` counts; None: it counts steps.
        say: Takes a line before the first deletion.
    """

    def __init__(
        self, folder: Path, config: Any, epochs: Epochs | None, say: Callable[[str], None]
    ) -> None:
        self._folder, self._config, self._epochs, self._say = folder, config, epochs, say
        self._values: dict[int, float] = {}
        self._looks: set[int] = set()
        self._told, self._since = False, 0

    def resume(self, rows: Iterable[Mapping[str, Any]], since: int = 0) -> None:
        """Take up the validations that the log holds.

        Args:
            rows: Of the log.
            since: Up to this step validations looked at other tiles, and do not compare.
        """
        looks = [row for row in rows if row["kind"] == "val"]
        self._since = since
        if self._config.monitor is not None and any(row["step"] <= since for row in looks):
            self._say(
                f"validations up to step {since} looked at other tiles (sample_val was changed):"
                " they no longer count for 'best', nor keep a checkpoint"
            )
        for row in looks:
            self.note(row["step"], row)

    def note(self, step: int, scores: Mapping[str, float | None]) -> None:
        """Take in a validation; a score that is undefined or infinite is no best."""
        monitor = self._config.monitor
        # A run whose monitor was changed did not look at this metric before.
        if monitor is None or step <= self._since or monitor.metric not in scores:
            return
        self._looks.add(step)
        value = scores[monitor.metric]
        if value is not None and math.isfinite(value):
            self._values[step] = value

    @property
    def best(self) -> dict[str, Any] | None:
        """Step, metric and value of the best validation whose checkpoint is there; or None."""
        steps = self._best(checkpoints.checkpoint_steps(self._folder))
        if not steps:
            return None
        metric = self._config.monitor.metric
        return {"step": steps[0], "metric": metric, "value": self._values[steps[0]]}

    def _best(self, steps: list[int]) -> list[int]:
        """Of these steps those with a validation, the best first; of equals the earliest."""
        known = [step for step in steps if step in self._values]
        monitor = self._config.monitor
        sign = -1.0 if monitor is not None and better(monitor.metric) == "higher" else 1.0
        return sorted(known, key=lambda step: (sign * self._values[step], step))

    def worn_out(self) -> str | None:
        """Why the run ends before its last step: ``patience`` validations brought nothing better.

        An undefined value is none that is better. Each call reads what the log holds: a resumed
        run ends where an undisturbed one does, and one with a raised patience goes on.
        """
        monitor = self._config.monitor
        if monitor is None or monitor.patience is None:
            return None
        best = next(iter(self._best(list(self._values))), 0)
        vain = sum(step > best for step in self._looks)
        if vain < monitor.patience:
            return None
        since = f"since step {best} ({self._values[best]:.4g})" if best else "at all"
        return f"no better {monitor.metric} in {vain} validations {since}"

    def prune(self) -> None:
        """Delete what nothing keeps; the newest checkpoint always stays."""
        last = self._config.keep_last
        if last is None:
            return
        steps = checkpoints.checkpoint_steps(self._folder)
        kept = {*steps[-last:], *self._best(steps)[: self._config.keep_best]}
        gone = [step for step in steps if step not in kept and not self._regular(step)]
        if gone and not self._told:
            self._told = True
            self._say(
                f"checkpoints: {self._kept()}; others are deleted from here on, first"
                f' ckpt-{gone[0]} ("keep_last": null keeps all)'
            )
        for step in gone:
            try:
                checkpoints.delete(self._folder, step)
            except OSError as error:
                reason = checkpoints.reason_of(error)
                logger.warning("%s/ckpt-%s: not deleted (%s)", self._folder, step, reason)

    def _regular(self, step: int) -> bool:
        every = self._config.keep_every
        if every is None:
            return False
        return step % every == 0 if self._epochs is None else self._epochs.ended(step, every)

    def _kept(self) -> str:
        config = self._config
        parts = [f"the newest {config.keep_last}"]
        if config.keep_every is not None:
            unit = "steps" if self._epochs is None else "epochs"
            parts.append(f"one every {config.keep_every} {unit}")
        if config.monitor is not None:
            parts.append(f"the best {config.keep_best} by {config.monitor.metric}")
        return f"{' and '.join(parts)} stay"

    def most(self, plan: Plan) -> int | None:
        """Most checkpoints that are there at a time while ``plan`` is followed; None: all stay.

        One is written before another goes.
        """
        config = self._config
        if config.keep_last is None:
            return None
        bests = 0 if config.monitor is None else config.keep_best
        saves = filter(plan.save_due, range(plan.start + 1, plan.steps + 1))
        return int(config.keep_last) + 1 + bests + sum(map(self._regular, saves))
