"""Profile ``torchsisr``: predictions from real and from simulated inputs, and what both hide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.trust import VARIANTS
from sensor2sensor.config.vocabulary import LR_RMSE, REGISTERED, SIMULATED, TORCHSISR, TRUTH
from sensor2sensor.evaluation.detail import Detail, Motion
from sensor2sensor.evaluation.lowside import LowSide
from sensor2sensor.evaluation.parts import Masks, Part
from sensor2sensor.evaluation.scoring import References, Scorer, Scores
from sensor2sensor.evaluation.trust import TrustScorer
from sensor2sensor.predictors.protocol import Images, Predictor

if TYPE_CHECKING:
    from sensor2sensor.core.lpips_file import LpipsFile
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord


@dataclass(frozen=True)
class Sisr:
    """How profile ``torchsisr`` scores.

    Attributes:
        compat: As the key of ``experiment.json``: the published kernels and rings.
        mtf: Of the input bands, as ``fidelity_mtf``.
        register: Of inputs ``[B, h, w, Ci]`` on their own grid and targets ``[B, H, W, Ct]``, the
            targets in the geometry of the inputs.
        motion: Of the same two, or of inputs and predictions: mean and standard deviation of the
            length of the flow between them, ``[B]`` each, in pixels of the input.
    """

    compat: str | None = None
    mtf: float | Mapping[str, float] | None = None
    register: Callable[[Images, Images], Images] | None = None
    motion: Motion | None = None


class Whole(Part):
    """All of every tile, seen another way."""

    def of(self, tile: TileRecord) -> npt.NDArray[np.bool_]:
        """Its pixels of a tile, ``[H, W]``."""
        return np.ones(tile.target.shape[:2], bool)


class SisrScorer(Scorer):
    """Scores of real inputs, and in parts of their own those of simulated ones.

    Args:
        contract: The data set's contract.
        how: Options.
    """

    def __init__(self, contract: DatasetContract, how: Sisr) -> None:
        super().__init__(contract, TORCHSISR)
        self._how = how
        self.low = LowSide(contract, how.mtf, how.compat)
        against = (SIMULATED, *((REGISTERED,) if how.register else ()))
        parts = tuple(Whole(name, "", (), against=name) for name in against)
        self.strata = (*self.strata, *parts)
        self._windows |= {part.name: type(self._zero)() for part in parts}

    def detail(self, tiles: int) -> Detail:
        """Keeps the scores of single bands, sites and frequencies of so many tiles."""
        bands, compat = self._bands, self._how.compat
        return Detail(self._contract, self.low, bands, compat, self._how.motion, tiles)

    def views(self, tiles: Sequence[TileRecord]) -> Mapping[str, Sequence[TileRecord]]:
        """A batch as it is, and with its input made from its target."""
        return {TRUTH: tiles, SIMULATED: self.low.simulated(tiles)}

    def references(self, views: Mapping[str, Sequence[TileRecord]]) -> References:
        """The truth, whatever a prediction is made from; registered where that is asked."""
        found = dict(super().references(views))
        found[SIMULATED] = found[TRUTH]
        if self._how.register is not None:
            tiles = views[TRUTH]
            moved = self._how.register(self.low.whole(tiles), np.stack([t.target for t in tiles]))
            found[REGISTERED] = self._known(moved)
        self._seen = {view: self.low.of(tiles) for view, tiles in views.items()}
        return found

    def __call__(
        self, held: References, guesses: References, masks: Masks, *, normalised: bool
    ) -> tuple[Scores, list[str]]:
        """As of every profile, and the RMSE on the input's side."""
        rows, states = super().__call__(held, guesses, masks, normalised=normalised)
        for view, images in guesses.items():
            mark = "" if view == TRUTH else f"@{view}"
            for row, error in zip(rows, self._behind(view, images), strict=True):
                row[f"{LR_RMSE}{mark}"] = error
        if self._how.register is not None:
            # The same prediction on the same input: only the target was moved.
            for row in rows:
                row[f"{LR_RMSE}@{REGISTERED}"] = row[LR_RMSE]
        return rows, states

    def _behind(self, view: str, images: Images) -> list[float]:
        from sensor2sensor.metrics import compute

        unit = [(0.0, 1.0)] * images.shape[-1]
        pair = self._seen[view], self.low.degraded(images)
        asked: dict[str, Any] = {"profile": TORCHSISR, "names": (LR_RMSE,)}
        found = compute(*pair, value_ranges=unit, factor=1.0, **asked)[LR_RMSE]
        return [float(value) for value in found]

    def _scores(
        self,
        target: Images,
        prediction: Images,
        names: Sequence[str],
        normalised: bool,
        mask: npt.NDArray[np.bool_] | None = None,
    ) -> Scores:
        rest = tuple(name for name in names if name != LR_RMSE)
        return super()._scores(target, prediction, rest, normalised, mask)


def sisr_of(experiment: Any) -> Sisr:
    """How an experiment's own keys ask for it; its registration is read here, where it has one."""
    config, registrar = experiment.config, experiment.REGISTRAR
    how = Sisr(config.compat, config.fidelity_mtf)
    if registrar is None:
        return how

    def moved(inputs: Images, target: Images) -> Images:
        return np.asarray(registrar(inputs, target)[0])

    def motion(inputs: Images, image: Images) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        mean, std = registrar.misfit(inputs, image)
        return np.asarray(mean), np.asarray(std)

    return replace(how, register=moved if config.registration.test else None, motion=motion)


def scorer_of(
    contract: DatasetContract,
    profile: str,
    how: Sisr | None = None,
    predictors: Mapping[str, Predictor] | None = None,
    lpips: LpipsFile | None = None,
) -> Scorer:
    """The scorer of a profile.

    Args:
        contract: The data set's contract.
        profile: Metric conventions.
        how: How profile ``torchsisr`` scores.
        predictors: Those of the evaluation.
        lpips: The weights of ``lpips``.

    Raises:
        ConfigError: The profile cannot score such a data set.
    """
    if profile == TORCHSISR:
        return SisrScorer(contract, how or Sisr())
    if profile in VARIANTS:
        return TrustScorer(contract, profile, predictors or {})
    return Scorer(contract, profile, lpips)
