"""How a training ended."""

from __future__ import annotations

from dataclasses import dataclass

from sensor2sensor.training.contract import GANModel


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        step: Steps done in all.
        exit_code: 0; after a clean save 143, 130 or 129 by a signal, 124 where the time ended it.
        model: The trained model.
    """

    step: int
    exit_code: int
    model: GANModel
