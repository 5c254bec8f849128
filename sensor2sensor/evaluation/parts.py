"""Parts of a tile that are scored apart: a stratum, and what a prediction is held against there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.evaluations import part_in_words
from sensor2sensor.config.trust import VARIANTS
from sensor2sensor.config.vocabulary import CLOUD_PARTS, DSEN2CR, INPUT, TORCHSISR, TRUTH
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.strata import Stratum, strata_of
from sensor2sensor.evaluation.lowside import refuse
from sensor2sensor.evaluation.supported import refuse_trust
from sensor2sensor.predictors.baselines import DoNothing, same_bands
from sensor2sensor.predictors.protocol import Images
from sensor2sensor.predictors.registry import find

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

UNIT = "reflectance"  # of the targets that profile dsen2cr scores
Masks = Mapping[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Part(Stratum):
    """A stratum of the data set, or what a profile makes of one.

    Attributes:
        stratum: The data set's stratum whose ground it is; None where it is that stratum itself.
        against: What a prediction is held against there, ``truth`` or ``input``; of profile
            torchsisr the truth after a ``simulated`` input, or as it was ``registered``.
        variant: By which of several published rules the mask was found; empty where there is one.
        threshold: From which score of that rule a pixel is cloud; None where nobody noted it.
    """

    stratum: str | None = None
    against: str = TRUTH
    variant: str = ""
    threshold: float | None = None

    @property
    def told(self) -> str:
        """``within 'cloudy'``, or ``@clear (prediction - truth where 'clear')``."""
        return part_in_words(self.name, self.stratum, self.against)

    def facts(self) -> dict[str, Any]:
        """What the JSON says of a part that a profile made."""
        if self.stratum is None:
            return {} if self.against == TRUTH else {"against": self.against}
        rule: dict[str, Any] = {"variant": self.variant, "threshold": self.threshold}
        return {"stratum": self.stratum, "against": self.against, **rule}


def parts_of(contract: DatasetContract, profile: str) -> tuple[Part, ...]:
    """The parts of a tile that a profile scores apart, where it scores any.

    Raises:
        ConfigError: The data set lacks what the profile is about.
    """
    if profile == TORCHSISR:
        refuse(contract)
    if profile in VARIANTS:
        refuse_trust(contract, profile)
    strata = strata_of(contract)
    if profile != DSEN2CR:
        return tuple(Part(one.name, one.extra, one.values) for one in strata)
    _check(contract, [one.name for one in strata])
    known = {one.name: one for one in strata}
    variants = {extra.name: extra.variant for extra in contract.extras}
    # A free-form table: data sets of another origin may lack it.
    threshold = contract.provenance.get("options", {}).get("cloud_threshold")
    found = []
    for mark, (name, against) in CLOUD_PARTS.items():
        ground = known[name]
        rule = variants[ground.extra], threshold
        found.append(Part(mark, ground.extra, ground.values, name, against, *rule))
    return tuple(found)


def _check(contract: DatasetContract, strata: Sequence[str]) -> None:
    """Refuse what profile dsen2cr cannot score."""
    wanted = dict.fromkeys(name for name, _ in CLOUD_PARTS.values())
    lacking = [f"'{name}'" for name in wanted if name not in strata]
    why = find("do_nothing").applies(contract)
    if lacking:
        why = f"no mask of this data set has the strata {' and '.join(lacking)}"
    if (unit := contract.target_unit()) != UNIT:
        why = f"the target bands are in {unit}, not in {UNIT}"
    if why is not None:
        problem = f"profile '{DSEN2CR}' cannot score this data set: {why}"
        raise ConfigError(problem, where=contract.name, hint="score it with another --profile")


def references(
    parts: Sequence[Part], tiles: Sequence[TileRecord], contract: DatasetContract
) -> dict[str, Images]:
    """What predictions are held against, ``[B, H, W, Ct]``: the truth, the input where asked."""
    found = {TRUTH: np.stack([tile.target for tile in tiles])}
    if any(part.against == INPUT for part in parts):
        found[INPUT] = DoNothing(same_bands(contract))(tiles)
    return found


def masks_of(
    parts: Sequence[Part], tiles: Sequence[TileRecord], held: Mapping[str, Images]
) -> Masks:
    """Pixels of each part that have a truth, and an input where that is asked, ``[B, H, W]``."""
    # In every band, as a metric asks: a pixel without one is of no part.
    known = {name: np.isfinite(images).all(axis=-1) for name, images in held.items()}
    return {
        part.name: np.stack([part.of(tile) for tile in tiles]) & known[TRUTH] & known[part.against]
        for part in parts
    }
