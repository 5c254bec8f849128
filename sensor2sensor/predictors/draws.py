"""Several draws of one predictor that is not the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sensor2sensor.predictors.protocol import Images, Predictor

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord


class Draws:
    """A predictor with further draws of it; asked for a prediction it gives the first one.

    Args:
        draws: The predictors, one a draw.

    Attributes:
        draws: The same.
        normalised: As of :class:`Predictor`.
    """

    def __init__(self, draws: Sequence[Predictor]) -> None:
        self.draws = tuple(draws)
        self.normalised = self.draws[0].normalised

    def __call__(self, tiles: Sequence[TileRecord], /) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        return self.draws[0](tiles)

    def describe(self) -> dict[str, Any]:
        """How the predictor is applied, and how often."""
        return {**self.draws[0].describe(), "draws": len(self.draws)}


def draws_of(predictor: Predictor) -> tuple[Predictor, ...]:
    """The draws of a predictor; itself alone where it has none."""
    return predictor.draws if isinstance(predictor, Draws) else (predictor,)
