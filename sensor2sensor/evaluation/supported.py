"""Which data sets profile ``trust`` and its kin can score, and what stands beside a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sensor2sensor.config.trust import VARIANTS
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.form import form_of
from sensor2sensor.predictors.baselines import DoNothing, Upsampled
from sensor2sensor.predictors.bilinear_fit import BilinearFit
from sensor2sensor.predictors.protocol import Images, Predictor
from sensor2sensor.predictors.support import Support, support_of

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

BICUBIC = "bicubic"


def refuse_trust(contract: DatasetContract, profile: str) -> Support:
    """What predictions of a data set are held against, or a refusal.

    Raises:
        ConfigError: The input says nothing of the target that the profile could use.
    """
    support = support_of(form_of(contract), f"profile '{profile}'")
    if not VARIANTS[profile].as_coded:
        return support
    grid = contract.input_px
    if grid is None or contract.tile_px % grid[0] or contract.tile_px % grid[1]:
        why = "the input is a swath"
        if grid is not None:
            why = f"a tile of {contract.tile_px} pixels does not end with an input pixel"
            if contract.factor != int(contract.factor):
                why = f"the factor is {contract.factor:g}"
        what = f"profile '{profile}' is coded for tiles of whole input pixels, and here {why}"
        raise ConfigError(what, where=contract.name, hint=_instead(contract))
    if contract.tile_px <= 2 * VARIANTS[profile].border_px:
        what = f"profile '{profile}' leaves out {VARIANTS[profile].border_px} pixels at each side"
        hint = f"nothing of tiles of {contract.tile_px} is left; take --profile trust"
        raise ConfigError(what, where=contract.name, hint=hint)
    return support


def _instead(contract: DatasetContract) -> str:
    """What to do about tiles that cut an input pixel."""
    factor, tile_px = int(contract.factor), contract.tile_px
    if contract.input_px is None or factor != contract.factor:
        return "take --profile trust"
    whole = tile_px // factor * factor
    return f"take --profile trust, or tiles of {whole} or {whole + factor} pixels (factor {factor})"


def calibrated(
    contract: DatasetContract, profile: str, predictors: Mapping[str, Predictor]
) -> Support:
    """What predictions are held against, in the target's unit.

    Raises:
        ConfigError: Only lines take the input to that unit, and no predictor has fitted them.
    """
    support = refuse_trust(contract, profile)
    if not support.swath:
        return support
    fit = next((one for one in predictors.values() if isinstance(one, BilinearFit)), None)
    if fit is not None:
        return support.fitted(fit)
    if support.calibrated:
        return support
    what = f"profile '{profile}' needs the baseline bilinear_fit of a swath in another unit"
    raise ConfigError(what, where=contract.name, hint="evaluate with its baselines")


def with_interpolation(
    contract: DatasetContract, profile: str, predictors: Mapping[str, Predictor]
) -> dict[str, Predictor]:
    """The predictors with interpolation last, where bands that the input lacks kept it away.

    Those bands hold their mean over the train split and are not scored.
    """
    known = (Upsampled, DoNothing, BilinearFit)
    have = any(isinstance(one, known) for one in predictors.values())
    if profile not in VARIANTS or have or BICUBIC in predictors:
        return dict(predictors)
    means = tuple(statistics.mean for statistics in contract.statistics["target"])
    return {**predictors, BICUBIC: Interpolated(refuse_trust(contract, profile), means)}


@dataclass(frozen=True)
class Interpolated:
    """``u(LR)`` in the bands in common, the mean of the train split in the others.

    Attributes:
        support: Bands and grids.
        means: Of each target band.
    """

    support: Support
    means: tuple[float, ...]
    normalised: ClassVar[bool] = False

    def __call__(self, tiles: Sequence[TileRecord], /) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        found = np.stack([np.full(tile.target.shape, self.means, np.float32) for tile in tiles])
        found[..., self.support.targets] = np.stack([self.support.up(tile) for tile in tiles])
        return found

    def describe(self) -> dict[str, Any]:
        """How it is made."""
        method = "interpolation of the low-resolution pixels in the bands that both sides measure"
        return {"method": method, **self.support.facts()}
