"""The one way to ask for a prediction, whatever makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord

Images = npt.NDArray[np.float32]


class Predictor(Protocol):
    """Maps tiles of physical values to predictions in the target's physical units."""

    @property
    def normalised(self) -> bool:
        """Whether predictions stay in the network's own units, as ``l2`` cannot be undone."""

    def __call__(self, tiles: Sequence[TileRecord], /) -> Images:
        """Predict ``[B, H, W, Ct]`` for B tiles of one size."""

    def describe(self) -> dict[str, Any]:
        """What it is, as plain JSON; of a fitted baseline every number that it predicts with."""
