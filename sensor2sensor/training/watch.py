"""Losses of the last steps, fetched together, and the stop at the first that is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sensor2sensor.core.errors import TrainingError

NamesOf = Callable[[list[int]], list[str]]
MAX_NAMES = 16


@dataclass
class LossWatch:
    """Keeps the loss tensors of some steps and looks at them all at once.

    Reading a tensor waits for the device; reading after many steps costs next to nothing, and since
    each step's values are kept, the exact step is still known.

    Attributes:
        where: The run, for the message.
        names_of: Tile names by sample number, for the message.
        unweighted: Losses of weight 0: logged, in no total, so they stop nothing.
    """

    where: str
    names_of: NamesOf
    unweighted: frozenset[str] = frozenset()
    _pending: list[tuple[int, Mapping[str, Any], Any]] = field(default_factory=list)

    def add(self, step: int, losses: Mapping[str, Any] | None, index: Any) -> None:
        """Keep the losses of ``step`` (counted from 1) and the sample numbers of its batch."""
        if losses:
            self._pending.append((step, losses, index))

    def collect(self) -> dict[str, float]:
        """Mean of each loss over the steps kept since the last call; empty without any.

        Raises:
            TrainingError: A loss is NaN or infinite; names the step and the tiles of its batch.
        """
        pending, self._pending = self._pending, []
        sums: dict[str, float] = {}
        for step, losses, index in pending:
            for name, value in losses.items():
                number = float(value)
                if not math.isfinite(number) and name not in self.unweighted:
                    raise self._stop(step, name, number, index)
                sums[name] = sums.get(name, 0.0) + number
        return {name: total / len(pending) for name, total in sums.items()}

    def _stop(self, step: int, name: str, value: float, index: Any) -> TrainingError:
        names = self.names_of([int(i) for i in index])
        shown = ", ".join(names[:MAX_NAMES]) + (" …" if len(names) > MAX_NAMES else "")
        return TrainingError(
            f"loss '{name}' is {value} at step {step} (tiles {shown})",
            where=self.where,
            hint="look at these tiles, or lower learning_rate; a checkpoint before it is sound",
        )
