"""The scores of one batch of one method, over whole tiles and within each stratum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.vocabulary import undefined
from sensor2sensor.dataset.strata import strata_of
from sensor2sensor.evaluation.definitions import within_strata
from sensor2sensor.predictors.protocol import Images

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

Masks = Mapping[str, npt.NDArray[np.bool_]]
Scores = list[dict[str, float]]
PLAIN = "ordinary"  # of the states of a tile, the one that explains nothing
WHOLE = ""  # beside the names of strata, which are words


@dataclass(frozen=True)
class Ground:
    """What is behind the scores within one stratum, besides its pixels.

    Attributes:
        sam_left_out: Share of its pixels that SAM leaves out because their truth is zero.
        windows: How many windows lie wholly inside it, for each metric that is made of windows.
    """

    sam_left_out: float
    windows: Mapping[str, int]


class Scorer:
    """Scores one batch of one method under the data set's fixed value ranges.

    Args:
        contract: The data set's contract.
        profile: Metric conventions.

    Attributes:
        names: Metrics of a whole tile, in table order.
        strata: Parts of the ground that the contract tells apart.
        inner: Metrics that are scored within each of them.
        undefined: Metrics that these bands cannot have, and why.
    """

    def __init__(self, contract: DatasetContract, profile: str) -> None:
        from sensor2sensor.metrics import profile_metrics

        self.names = profile_metrics(profile, colour=contract.colour() is not None)
        self.undefined = undefined(profile, len(contract.target.bands))
        self.inner = within_strata(profile, self.names)
        # Without metrics for them (profile arisgan) there are no strata: no column would be theirs.
        self.strata = strata_of(contract) if self.inner else ()
        self._zero: Counter[str] = Counter()
        self._valid: Counter[str] = Counter()
        self._windows: dict[str, Counter[str]] = {s.name: Counter() for s in self.strata}
        self._contract = contract
        self._profile = profile

    def __call__(
        self, target: Images, prediction: Images, masks: Masks, *, normalised: bool
    ) -> tuple[Scores, list[str]]:
        """Values by column, and the state, of each tile."""
        from sensor2sensor.metrics import states

        rows = self._scores(target, prediction, self.names, normalised)
        # One after the other: in one batch they would need as many times the memory.
        for stratum in self.strata:
            inside = within(target, masks[stratum.name])
            found = self._scores(inside, prediction, self.inner, normalised)
            for row, values in zip(rows, found, strict=True):
                row |= {stratum.column(name): value for name, value in values.items()}
        return rows, states(target, prediction)

    def _scores(
        self, target: Images, prediction: Images, names: Sequence[str], normalised: bool
    ) -> Scores:
        from sensor2sensor.metrics import compute

        values = compute(
            target,
            prediction,
            # Fixed for the data set: an image's own would hide any error of gain and offset.
            value_ranges=self._contract.target_ranges(),
            factor=self._contract.factor,
            profile=self._profile,
            names=names,
            colour=self._contract.colour(),
            prediction_is_normalised=normalised,
        )
        columns = {name: value.numpy() for name, value in values.items()}
        tiles = range(len(target))
        return [{name: float(column[i]) for name, column in columns.items()} for i in tiles]

    def masks(self, tiles: Sequence[TileRecord]) -> Masks:
        """Pixels of each stratum that have a truth, ``[B, H, W]``."""
        # In every band, as a metric asks: a pixel without one is of no stratum.
        known = [np.isfinite(tile.target).all(axis=-1) for tile in tiles]
        return {
            stratum.name: np.stack(
                [stratum.of(tile) & valid for tile, valid in zip(tiles, known, strict=True)]
            )
            for stratum in self.strata
        }

    def see(self, target: Images, masks: Masks) -> None:
        """Count what is behind the scores of a batch of truth, whole and within each stratum."""
        from sensor2sensor.metrics import windows_within, zero_truth

        parts = {name: within(target, mask) for name, mask in masks.items()}
        for name, truth in {WHOLE: target, **parts}.items():
            zero, valid = zero_truth(truth)
            self._zero[name] += zero
            self._valid[name] += valid
        for name, mask in masks.items():
            self._windows[name].update(windows_within(self.inner, mask))

    @property
    def sam_left_out(self) -> float:
        """Share of the pixels seen that SAM leaves out."""
        return self._left_out(WHOLE)

    def _left_out(self, name: str) -> float:
        # The published rule of another profile leaves out none.
        scored = self._profile == "standard" and "sam" not in self.undefined
        return self._zero[name] / max(self._valid[name], 1) if scored else 0.0

    @property
    def grounds(self) -> dict[str, Ground]:
        """What is behind the scores within each stratum."""
        return {n: Ground(self._left_out(n), dict(seen)) for n, seen in self._windows.items()}


def over_draws(scored: Sequence[tuple[Scores, list[str]]]) -> tuple[Scores, list[str]]:
    """Mean scores of one batch over draws of one predictor, and the first state that is not plain.

    Each draw is scored by itself: their mean image would be smoother than any of them.
    """
    if len(scored) == 1:
        return scored[0]
    scores, states = zip(*scored, strict=True)
    means = [
        {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for rows in zip(*scores, strict=True)
    ]
    odd = [[one for one in found if one != PLAIN] for found in zip(*states, strict=True)]
    return means, [found[0] if found else PLAIN for found in odd]


def counted(masks: Masks, tiles: int) -> list[dict[str, int]]:
    """Pixels within each stratum, tile by tile."""
    return [{name: int(mask[i].sum()) for name, mask in masks.items()} for i in range(tiles)]


def within(target: Images, mask: npt.NDArray[np.bool_]) -> Images:
    """A truth without the pixels outside a stratum.

    NaN and not 0: metrics leave NaN out as ground nobody saw, whereas a 0 would be scored as black.

    Args:
        target: ``[B, H, W, C]``.
        mask: ``[B, H, W]``.
    """
    return np.where(mask[..., None], target, np.float32(np.nan))
