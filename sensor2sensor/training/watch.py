"""Losses of the last steps, fetched together, and the stop at the first that is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import TrainingError
from sensor2sensor.training.checkpoints import checkpoint_steps

NamesOf = Callable[[list[int]], list[str]]
MAX_NAMES = 16


def no_way_back() -> str:
    """What is left of a run that has no checkpoint."""
    return "there is no checkpoint yet"


def last_good(folder: Path) -> str:
    """The newest checkpoint of a run: none is written over weights or losses that are not finite.

    Args:
        folder: Of its checkpoints.
    """
    steps = checkpoint_steps(folder)
    if not steps:
        return no_way_back()
    return f"the last good checkpoint is ckpt-{steps[-1]}, from which --resume goes on"


@dataclass
class LossWatch:
    """Keeps the loss tensors of some steps and looks at them all at once.

    Reading a tensor waits for the device; reading after many steps costs next to nothing, and since
    each step's values are kept, the exact step is still known.

    Attributes:
        where: The run, for the message.
        names_of: Tile names by sample number, for the message.
        unweighted: Losses of weight 0: logged, in no total, so they stop nothing.
        way_back: The last good checkpoint in words, for the message.
    """

    where: str
    names_of: NamesOf
    unweighted: frozenset[str] = frozenset()
    way_back: Callable[[], str] = no_way_back
    _pending: list[tuple[int, Mapping[str, Any], Any]] = field(default_factory=list)
    _seen: list[tuple[int, Any]] = field(default_factory=list)

    def add(self, step: int, losses: Mapping[str, Any] | None, index: Any) -> None:
        """Keep the losses of ``step`` (counted from 1) and the sample numbers of its batch."""
        self._pending.append((step, losses or {}, index))

    def collect(self) -> dict[str, float]:
        """Mean of each loss over the steps kept since the last call; empty without any.

        Raises:
            TrainingError: A loss is NaN or infinite; names the step and the tiles of its batch.
        """
        pending, self._pending = self._pending, []
        told = [kept for kept in pending if kept[1]]
        # Finite losses vouch for the weights before their step: only the last may have broken them.
        self._seen = [(step, index) for step, _, index in (told[-1:] or pending)]
        sums: dict[str, float] = {}
        for step, losses, index in told:
            for name, value in losses.items():
                number = float(value)
                if not math.isfinite(number) and name not in self.unweighted:
                    what, advice = f"loss '{name}' is {number}", "look at these tiles, or lower"
                    raise self._stop(what, [(step, index)], advice)
                sums[name] = sums.get(name, 0.0) + number
        return {name: total / len(told) for name, total in sums.items()}

    def broken(self, variable: str, step: int) -> TrainingError:
        """What to raise where a variable is not finite after ``step`` steps."""
        return self._stop(f"variable {variable} is not finite", self._seen or [(step, [])], "lower")

    def _stop(self, what: str, seen: list[tuple[int, Any]], advice: str) -> TrainingError:
        first, last = seen[0][0], seen[-1][0]
        when = f"at step {last}" if first == last else f"after one of the steps {first} to {last}"
        names = self.names_of([int(i) for _, index in seen for i in index])
        shown = ", ".join(names[:MAX_NAMES]) + (" …" if len(names) > MAX_NAMES else "")
        return TrainingError(
            f"{what} {when}{f' (tiles {shown})' if shown else ''}; {self.way_back()}",
            where=self.where,
            hint=f"{advice} learning_rate",
        )
