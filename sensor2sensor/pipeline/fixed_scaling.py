"""The scaling of DSen2-CR: fixed limits and two numbers, whatever the data set has measured.

Meraner et al. 2020: reflectance x 10000 is clipped to 0..10000 and divided by ``scale``, radar in
dB is clipped to the limits of its band and mapped to 0..``max_val_sar``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.scaling import Scaling
from sensor2sensor.config.vocabulary import DSEN2CR
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.ranges import Bounds

Column = npt.NDArray[np.float64]
DN = 10000.0  # digital numbers to a reflectance of 1
REFLECTANCE, DECIBEL = "reflectance", "dB"


@dataclass(frozen=True)
class FixedScaling:
    """The map of every band, complete without the data set.

    Attributes:
        scaling: The two numbers.
        limits: Physical values to which each band is clipped, by side.
    """

    scaling: Scaling
    limits: dict[str, tuple[Bounds, ...]]

    def line(self, side: str, units: list[str]) -> tuple[Column, Column, Column, Column]:
        """Of every band: origin and span of the map, lower and upper end of what it makes."""
        low, high = np.array(self.limits[side], np.float64).T
        optical = np.array([unit == REFLECTANCE for unit in units])
        origin = np.where(optical, 0.0, low)
        span = np.where(optical, self.scaling.scale / DN, (high - low) / self.scaling.max_val_sar)
        return origin, span, (low - origin) / span, (high - origin) / span


def fixed_scaling(contract: DatasetContract, scaling: Scaling | None) -> FixedScaling:
    """The scaling of a data set's bands.

    Args:
        contract: Gives units and the fixed ranges of the bands.
        scaling: The two numbers; None: as published.

    Raises:
        ConfigError: A band is neither reflectance nor radar in dB of a fixed range.
    """
    sides = {"input": contract.input.bands, "target": contract.target.bands}
    limits = {side: tuple(_limits(band, side) for band in bands) for side, bands in sides.items()}
    return FixedScaling(scaling or Scaling(), limits)


def _limits(band: BandSpec, side: str) -> Bounds:
    if band.unit == REFLECTANCE:
        return band.value_range or (0.0, 1.0)
    if band.unit == DECIBEL and band.value_range is not None:
        return band.value_range
    without = " without a fixed value range" if band.unit == DECIBEL else ""
    raise ConfigError(
        f"'{DSEN2CR}' has no rule for the {side} band '{band.name}' in {band.unit}{without}: it "
        f"scales {REFLECTANCE}, and radar in {DECIBEL} of a fixed value range",
        where="normalisation",
        hint="use 'symmetric', or a data set of optical images and radar (step 53)",
    )
