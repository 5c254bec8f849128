"""What a model that clears images of clouds asks of a data set: radar beside optics, and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor2sensor.core.errors import ConfigError

if TYPE_CHECKING:
    from experiment import Experiment

OPTICAL, RADAR, MASK = "S2", "S1", "cloud_mask"


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


def refuse_other_mask(experiment: Experiment, wanted: str) -> None:
    """Refuse cloud masks of another published rule than the experiment was made for.

    Raises:
        ConfigError: The data set's are others, or it has none.
    """
    contract = experiment.contract
    found = [extra.variant for extra in contract.extras if extra.name == MASK]
    if wanted == "any" or found == [wanted]:
        return
    has = f"has those of variant '{found[0]}'" if found and found[0] else "names no variant of any"
    raise ConfigError(
        f"made for cloud masks of variant '{wanted}', and the data set '{contract.name}' {has}",
        where="params.mask",
        hint=f"make the data set with step 53 --mask {wanted}, or set params.mask to 'any'",
    )
