"""Parts of the ground that a mask of the data set tells apart: cloudy and clear, built and not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

AT = "@"  # rmse@cloudy
PIXELS = "pixels"


@dataclass(frozen=True)
class Stratum:
    """One part of the ground.

    Attributes:
        name: ``cloudy``.
        extra: The mask that tells it apart.
        values: Values of the mask that belong to it.
    """

    name: str
    extra: str
    values: tuple[int, ...]

    def of(self, tile: TileRecord) -> npt.NDArray[np.bool_]:
        """Its pixels of a tile, ``[H, W]``."""
        return np.isin(tile.extras[self.extra], self.values)

    def column(self, metric: str) -> str:
        """``rmse@cloudy``."""
        return f"{metric}{AT}{self.name}"


def strata_of(contract: DatasetContract) -> tuple[Stratum, ...]:
    """The strata of a data set, in the order of its extras."""
    return tuple(
        Stratum(name, extra.name, values)
        for extra in contract.extras
        for name, values in extra.strata.items()
    )


def few(pixels: npt.NDArray[np.float64], factor: float) -> npt.NDArray[np.bool_]:
    """Whether so many pixels of a stratum may all lie in one pixel of the input.

    What a coarse image shows as one pixel has no correlation there, however good it is.

    Args:
        pixels: Counts, NaN where unknown.
        factor: Input pixel over target pixel.
    """
    return np.asarray(pixels <= factor**2)


def split_column(column: str) -> tuple[str, str | None]:
    """Metric and stratum of a column; None for the whole tile."""
    metric, _, stratum = column.partition(AT)
    return metric, stratum or None
