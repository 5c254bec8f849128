"""Loss curves of two precisions over seeds: whether one leaves what chance alone does."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.sides import Case, Side, batches_of

LOSS = "gen_l1"
# Means of three seeds differ by chance by up to this many standard deviations between seeds
# (2 · √(2/3) = 1.6 at two standard errors, and the deviation is itself known from three seeds).
MOST_DEVIATIONS = 2.0
END = 5  # the last fifth of a curve is compared: a point alone is mostly the noise of its batch


def curves(
    case: Case, sides: Sequence[str], seeds: int, steps: int
) -> dict[str, list[list[float]]]:
    """The generator's L1 at every step, by side and seed, on the same batches in the same order.

    Two sides of one seed begin with the same weights and drop the same units.
    """
    batches = batches_of(case, 8)
    found: dict[str, list[list[float]]] = {}
    for name in sides:
        side = Side(name, case)
        for seed in range(seeds):
            side.begin_as(Side(name, case, seed))
            losses = [side.step(batches[number % 8])[LOSS] for number in range(steps)]
            found.setdefault(name, []).append([float(loss) for loss in losses])
    return found


def compared(found: dict[str, list[list[float]]], reference: str) -> dict[str, Any]:
    """Means of the last fifth of each curve, and by how much a side departs from the reference.

    Args:
        found: :func:`curves`.
        reference: The side that gives the spread between seeds.

    Returns:
        ``ends`` by side, ``spread`` of the reference, ``deviations`` by side, ``within``.
    """
    ends = {name: [_end(curve) for curve in runs] for name, runs in found.items()}
    spread = statistics.stdev(ends[reference])
    centre = statistics.mean(ends[reference])
    deviations = {
        name: abs(statistics.mean(values) - centre) / spread
        for name, values in ends.items()
        if name != reference
    }
    return {
        "ends": ends,
        "spread": spread,
        "deviations": deviations,
        "most": MOST_DEVIATIONS,
        "within": all(value <= MOST_DEVIATIONS for value in deviations.values()),
    }


def _end(curve: Sequence[float]) -> float:
    return statistics.mean(curve[-max(1, len(curve) // END) :])
