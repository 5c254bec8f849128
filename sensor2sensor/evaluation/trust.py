"""Profiles ``trust`` and ``opensr-test``: a prediction held against its input and its truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.trust import (
    CLASSES,
    REFLECTANCE,
    SPATIAL,
    SPECTRAL,
    SYNTHESIS,
    VARIANTS,
    Variant,
)
from sensor2sensor.config.vocabulary import TRUTH
from sensor2sensor.evaluation.parts import Masks
from sensor2sensor.evaluation.scoring import References, Scorer, Scores
from sensor2sensor.evaluation.supported import calibrated
from sensor2sensor.predictors.protocol import Predictor
from sensor2sensor.predictors.support import Floats, Support

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord
    from sensor2sensor.metrics.trust import Judged


@dataclass(frozen=True)
class Seen:
    """What one tile's predictions are held against, of the bands in common.

    Attributes:
        tile: The tile.
        large: ``u(LR)``, ``[H, W, C]``.
        low: ``LR``, ``[K, C]``.
        truth: ``HR``, ``[H, W, C]``.
        valid: ``[H, W]``: pixels with a truth and an input.
    """

    tile: TileRecord
    large: Floats
    low: Floats
    truth: Floats
    valid: npt.NDArray[np.bool_]


class TrustScorer(Scorer):
    """Scores of predictions beside their input.

    Args:
        contract: The data set's contract.
        profile: One of ``config.trust.VARIANTS``.
        predictors: Of the evaluation: the baseline of a swath has the lines to the target's unit.

    Raises:
        ConfigError: The profile cannot score such a data set, or lines are lacking.
    """

    def __init__(
        self, contract: DatasetContract, profile: str, predictors: Mapping[str, Predictor]
    ) -> None:
        super().__init__(contract, profile)
        self.variant = VARIANTS[profile]
        self.support = calibrated(contract, profile, predictors)
        self._judged = self.support.judged
        self.undefined = _undefined(self.support, self.variant)
        self._held: list[Seen] = []

    def references(self, views: Mapping[str, Sequence[TileRecord]]) -> References:
        """The truth; the input is taken to its grid once for all methods."""
        self._held = [self.seen(tile) for tile in views[TRUTH]]
        return super().references(views)

    def seen(self, tile: TileRecord) -> Seen:
        """What predictions of one tile are held against."""
        large = self.support.up(tile)
        truth = tile.target[..., self.support.targets].astype(np.float64)
        known = [np.isfinite(one[..., self._judged]).all(axis=-1) for one in (large, truth)]
        valid = np.logical_and(known[0], known[1])
        return Seen(tile, large, self.support.low(tile), truth, valid)

    def __call__(
        self, held: References, guesses: References, masks: Masks, *, normalised: bool
    ) -> tuple[Scores, list[str]]:
        """Values by column, and the state, of each tile."""
        from sensor2sensor.metrics import states

        images = guesses[TRUTH][..., self.support.targets].astype(np.float64)
        rows = []
        for place, (seen, image) in enumerate(zip(self._held, images, strict=True)):
            inside = {part.name: masks[part.name][place] for part in self.strata}
            rows.append(self.row(seen, image, inside))
        return rows, states(held[TRUTH], self._known(guesses[TRUTH]))

    def row(
        self, seen: Seen, image: Floats, inside: Mapping[str, npt.NDArray[np.bool_]] | None = None
    ) -> dict[str, float]:
        """Every column of one prediction ``[H, W, C]`` of the bands in common.

        Args:
            seen: What it is held against.
            image: The prediction.
            inside: Pixels of each stratum, by its name.
        """
        inside = inside or {}
        if not seen.valid.any() or not np.isfinite(image).all():
            columns = [*self.names, *(part.column(n) for part in self.strata for n in self.inner)]
            return dict.fromkeys(columns, float("nan"))
        if self.variant.as_coded:
            coded = AsCoded.of(self.support, seen, image, self.variant)
            nothing = dict.fromkeys(self.names, float("nan"))
            return nothing if coded is None else coded.row()
        found = _consistency(self.support, seen, image, self.variant)
        judged = self._whole(seen, image)
        found |= self._added(seen, image, judged, seen.valid)
        for part in self.strata:
            values = self._added(seen, image, judged, inside[part.name] & seen.valid)
            found |= {part.column(name): value for name, value in values.items()}
        return found

    def classes(self, seen: Seen, image: Floats) -> npt.NDArray[np.int8]:
        """Each pixel's class ``[H, W]``, as ``metrics.trust.Judged`` has it."""
        if not self.variant.as_coded:
            return self._whole(seen, image).classes
        found = np.full(seen.valid.shape, -1, np.int8)
        coded = AsCoded.of(self.support, seen, image, self.variant)
        if coded is not None:
            found[coded.inner, coded.inner] = coded.judged.classes
        return found

    def _whole(self, seen: Seen, image: Floats) -> Judged:
        from sensor2sensor.metrics.trust import judge

        return judge(*self._of_measured(seen, image), seen.valid, self.variant)

    def _of_measured(self, seen: Seen, image: Floats) -> tuple[Floats, Floats, Floats]:
        bands = self._judged
        return seen.large[..., bands], image[..., bands], seen.truth[..., bands]

    def _added(
        self, seen: Seen, image: Floats, judged: Judged, where: npt.NDArray[np.bool_]
    ) -> dict[str, float]:
        large, made, _ = self._of_measured(seen, image)
        gap = np.abs(made - large)[where]
        shares = judged.shares(where)
        named = {f"{name}_{self.variant.distance}": shares[name] for name in CLASSES}
        return {SYNTHESIS: float(gap.mean()) if gap.size else float("nan"), **named}

    def facts(self) -> dict[str, Any]:
        """What was compared, and how, for JSON."""
        up = "linear between the swath's pixels" if self.support.swath else "bicubic (a = -0.5)"
        how = self._contract.degradation
        down = "mean over each input pixel"
        if how is not None and how.method == "mtf":
            down = f"the Gaussian of the input (MTF {how.mtf_nyquist:g} at Nyquist)"
        if self.variant.as_coded:
            up, down = "bilinear", "bilinear with antialiasing"
        lines = None
        if self.support.lines is not None:
            names = [one["target"] for one in self.support.facts()["matched"]]
            lines = {n: list(line) for n, line in zip(names, self.support.lines, strict=True)}
        return {
            **self.variant.facts(), **self.support.facts(), "unit": self.support.unit,
            "up": up, "down": down, "lines": lines,
        }  # fmt: skip


def _consistency(support: Support, seen: Seen, image: Floats, variant: Variant) -> dict[str, float]:
    """How the prediction agrees with its input, over the input pixels that lie wholly inside."""
    from sensor2sensor.metrics.trust import angle, shift_px

    down = support.down(image, seen.tile)
    whole = down.whole & np.isfinite(seen.low).all(axis=-1)
    given, made = seen.low[whole], down.values[whole]
    found = dict.fromkeys((REFLECTANCE, SPECTRAL, SPATIAL), float("nan"))
    if whole.any():
        found[REFLECTANCE] = float(np.abs(given - made).mean())
        angles = angle(given, made)
        if image.shape[-1] > 1 and np.isfinite(angles).any():
            found[SPECTRAL] = float(np.nanmean(angles))
    if not support.swath:
        grid = support.grid_px(seen.tile)[:2]
        known = np.where(down.whole[:, None], [[1.0]], np.nan)
        given, made = (one.reshape(*grid, -1) for one in (seen.low * known, down.values * known))
        found[SPATIAL] = shift_px(given, made, variant.shift_limit_px)
    return found


@dataclass(frozen=True)
class AsCoded:
    """The published way: cropped, bilinear both ways, matched and aligned to the truth.

    Attributes:
        low: ``LR``, ``[h, w, C]``.
        down: ``d(SR)``.
        large: ``u(LR)``, ``[H, W, C]``, of the bands with a truth.
        matched: ``SR*``.
        judged: Its pixels' classes.
        inner: The rows, and the columns, that are left of a tile.
        variant: By which rules.
    """

    low: Floats
    down: Floats
    large: Floats
    matched: Floats
    judged: Judged
    inner: slice
    variant: Variant

    @classmethod
    def of(cls, support: Support, seen: Seen, image: Floats, variant: Variant) -> AsCoded | None:
        """Of one tile; None where its truth has a hole, which has no rank and no place."""
        from sensor2sensor.metrics import trust

        rows, columns, factor = support.grid_px(seen.tile)
        edge = variant.border_px // factor  # whole pixels of both grids
        inner, own = (slice(side, -side or None) for side in (edge * factor, edge))
        low = seen.low.reshape(rows, columns, -1)[own, own]
        made, truth = image[inner, inner], seen.truth[inner, inner, support.judged]
        if not np.isfinite(truth).all():
            return None
        down = trust.resized(made, *low.shape[:2])
        large = trust.resized(low, *made.shape[:2])[..., support.judged]
        matched = trust.matched_histogram(made[..., support.judged], truth)
        matched = trust.moved_onto(matched, truth, variant.shift_limit_px)
        everywhere = np.ones(truth.shape[:2], bool)
        judged = trust.judge(large, matched, truth, everywhere, variant)
        return cls(low, down, large, matched, judged, inner, variant)

    def row(self) -> dict[str, float]:
        """Every column."""
        from sensor2sensor.metrics.trust import angle, shift_px

        angles, shares = angle(self.low, self.down), self.judged.shares()
        defined = self.low.shape[-1] > 1 and np.isfinite(angles).any()
        return {
            REFLECTANCE: float(np.abs(self.low - self.down).mean()),
            SPECTRAL: float(np.nanmean(angles)) if defined else float("nan"),
            SPATIAL: shift_px(self.low, self.down, self.variant.shift_limit_px),
            SYNTHESIS: float(np.abs(self.large - self.matched).mean()),
            **{f"{name}_{self.variant.distance}": shares[name] for name in CLASSES},
        }


def _undefined(support: Support, variant: Variant) -> dict[str, str]:
    """Metrics that no tile can have, and why."""
    found: dict[str, str] = {}
    if len(support.matches) == 1:
        found[SPECTRAL] = "undefined for one band"
    if len(support.judged) == 1 and variant.distance == "sam":
        found |= dict.fromkeys((f"{n}_sam" for n in CLASSES), "undefined for one band")
    if support.swath:
        found[SPATIAL] = "undefined in a swath"
    return found
