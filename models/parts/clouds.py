"""What a model that clears images of clouds asks of a data set: radar beside optics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor2sensor.core.errors import ConfigError

if TYPE_CHECKING:
    from experiment import Experiment

OPTICAL, RADAR = "S2", "S1"


def seen_bands(experiment: Experiment, sar: bool) -> list[int]:
    """Positions of the input bands that the network sees, the optical ones first.

    Optical are those of group S2; in a data set without that group, all that are not radar.

    Raises:
        ConfigError: Radar is asked for and no band is of group S1, or nothing else is there.
    """
    groups = [band.groups for band in experiment.contract.input.bands]
    radar = [place for place, found in enumerate(groups) if RADAR in found]
    optical = [place for place, found in enumerate(groups) if OPTICAL in found]
    optical = optical or [place for place in range(len(groups)) if place not in radar]
    if sar and not radar:
        raise ConfigError(
            f"radar is asked for, and no input band of '{experiment.contract.name}' is of group "
            f"{RADAR}",
            where="params.sar",
            hint="set it to false, or choose a data set of optical images and radar (step 53)",
        )
    return [*optical, *(radar if sar else ())]
