"""The scores of one batch of one method, over whole tiles and within each of their parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.vocabulary import DSEN2CR, EXTENDED, STANDARD, TRUTH, undefined
from sensor2sensor.dataset.bands import among
from sensor2sensor.dataset.vegetation import red_and_nir
from sensor2sensor.evaluation.definitions import within_strata
from sensor2sensor.evaluation.parts import Masks, masks_of, parts_of, references
from sensor2sensor.predictors.protocol import Images

if TYPE_CHECKING:
    from sensor2sensor.core.lpips_file import LpipsFile
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

References = Mapping[str, Images]  # by what they are, TRUTH and INPUT
Scores = list[dict[str, float]]
PLAIN = "ordinary"  # of the states of a tile, the one that explains nothing
WHOLE = ""  # beside the names of strata, which are words


@dataclass(frozen=True)
class Ground:
    """What is behind the scores within one part, besides its pixels.

    Attributes:
        sam_left_out: Share of its pixels that SAM leaves out because their truth is zero.
        windows: How many windows lie wholly inside it (of a profile that scores whole images: have
            their centre there), for each metric that is made of windows.
    """

    sam_left_out: float
    windows: Mapping[str, int]


@dataclass(frozen=True)
class Seen:
    """What is behind the scores of some tiles: plain numbers, which add up in any order.

    Attributes:
        counts: Of each tile what its pooled scores are means over, by column; empty without any.
        zero: Pixels that SAM leaves out, of whole tiles (:data:`WHOLE`) and within each part.
        valid: Pixels with a truth, of the same.
        windows: As of :class:`Ground`, by part.
    """

    counts: list[dict[str, int]]
    zero: dict[str, int]
    valid: dict[str, int]
    windows: dict[str, dict[str, int]]


class Scorer:
    """Scores one batch of one method under the data set's fixed value ranges.

    Args:
        contract: The data set's contract.
        profile: Metric conventions.
        lpips: The weights of ``lpips``, of profile ``extended``; None leaves it out.

    Raises:
        ConfigError: The profile cannot score such a data set.

    Attributes:
        names: Metrics of a whole tile, in table order.
        strata: Parts of a tile that are scored apart: the strata that the contract tells apart, or
            what the profile makes of them.
        inner: Metrics that are scored within each of them.
        powers: Metrics that are pooled over all pixels, too, and which power of each.
        undefined: Metrics that these bands cannot have, and why.
    """

    def __init__(
        self, contract: DatasetContract, profile: str, lpips: LpipsFile | None = None
    ) -> None:
        from sensor2sensor.metrics import POOLED, profile_metrics

        bands = contract.target.bands
        # A target band that nobody measured is its input: a score would be that of the input.
        self._bands = [place for place, band in enumerate(bands) if band.reference]
        self._colour = among(contract.colour(), self._bands)
        self._lpips = lpips
        has = {"colour": self._colour is not None, "lpips": lpips is not None}
        self.names = profile_metrics(profile, **has)
        self._red_nir, no_ndvi = red_and_nir([bands[place] for place in self._bands])
        facts = len(self._bands), contract.tile_px, no_ndvi or None
        never = undefined(profile, *facts, colour=self._colour is not None)
        self.undefined = {name: why for name, why in never.items() if name in self.names}
        self.inner = within_strata(profile, self.names)
        # Without metrics for them (profile arisgan) there are no strata: no column would be theirs.
        self.strata = parts_of(contract, profile) if self.inner else ()
        # Windows of whole images count by their centres, and 0 to 1 is the literature's range.
        self._whole_images = profile == DSEN2CR
        self.powers = {n: POOLED[n][1] for n in POOLED} if self._whole_images else {}
        unit = [(0.0, 1.0)] * len(self._bands)
        self._ranges = unit if self._whole_images else contract.target_ranges()[self._bands]
        self._zero: Counter[str] = Counter()
        self._valid: Counter[str] = Counter()
        self._windows: dict[str, Counter[str]] = {s.name: Counter() for s in self.strata}
        self._contract = contract
        self._profile = profile

    def __call__(
        self, held: References, guesses: References, masks: Masks, *, normalised: bool
    ) -> tuple[Scores, list[str]]:
        """Values by column, and the state, of each tile.

        Args:
            held: Of :meth:`references`.
            guesses: What is predicted from each of :meth:`views`, ``[B, H, W, C]``.
            masks: Of :meth:`masks`.
            normalised: Whether the prediction is in units of its own norm.
        """
        from sensor2sensor.metrics import states

        guesses = {view: self._known(images) for view, images in guesses.items()}
        rows = self._scores(held[TRUTH], guesses[TRUTH], self.names, normalised)
        # One after the other: in one batch they would need as many times the memory.
        for part in self.strata:
            target, mask = held[part.against], masks[part.name]
            place = (target, mask) if self._whole_images else (within(target, mask), None)
            guess = guesses.get(part.against, guesses[TRUTH])
            found = self._scores(place[0], guess, self.inner, normalised, place[1])
            for row, values in zip(rows, found, strict=True):
                row |= {part.column(name): value for name, value in values.items()}
        return rows, states(held[TRUTH], guesses[TRUTH])

    def views(self, tiles: Sequence[TileRecord]) -> Mapping[str, Sequence[TileRecord]]:
        """A batch as predictors are given it, by what the prediction is held against."""
        return {TRUTH: tiles}

    def _known(self, images: Images) -> Images:
        """The bands that have a reference, ``[..., C]``."""
        whole = len(self._bands) == images.shape[-1]
        return images if whole else images[..., self._bands]

    def _scores(
        self,
        target: Images,
        prediction: Images,
        names: Sequence[str],
        normalised: bool,
        mask: npt.NDArray[np.bool_] | None = None,
    ) -> Scores:
        from sensor2sensor.metrics import compute

        values = compute(
            target,
            prediction,
            # Fixed for the data set: an image's own would hide any error of gain and offset.
            value_ranges=self._ranges,
            factor=self._contract.factor,
            profile=self._profile,
            # What no tile can have is not asked for: some of it would be refused.
            names=[name for name in names if name not in self.undefined],
            colour=self._colour,
            prediction_is_normalised=normalised,
            within=mask,
            red_nir=self._red_nir,
            lpips=self._lpips,
        )
        columns = {name: value.numpy() for name, value in values.items()}
        tiles, lacking = range(len(target)), dict.fromkeys(self.undefined, math.nan)
        found = [{name: float(column[i]) for name, column in columns.items()} for i in tiles]
        return [{name: (row | lacking)[name] for name in names} for row in found]

    def references(self, views: Mapping[str, Sequence[TileRecord]]) -> References:
        """What predictions of a batch are held against: its truth, its input where asked."""
        found = references(self.strata, views[TRUTH], self._contract)
        return {name: self._known(images) for name, images in found.items()}

    def masks(self, tiles: Sequence[TileRecord], held: References) -> Masks:
        """Pixels of each part that have a truth, ``[B, H, W]``."""
        return masks_of(self.strata, tiles, held)

    def see(self, held: References, masks: Masks) -> Seen:
        """What is behind the scores of a batch, whole and within each part."""
        from sensor2sensor.metrics import windows_within, zero_truth

        parts = {p.name: within(held[p.against], masks[p.name]) for p in self.strata}
        whole = {WHOLE: held[TRUTH], **parts}
        pixels = {name: zero_truth(truth) for name, truth in whole.items()}
        zero, valid = ({name: found[i] for name, found in pixels.items()} for i in range(2))
        if self._whole_images:
            counts, windows = self._counts(held, masks)
            return Seen(counts, zero, valid, windows)
        defined = [metric for metric in self.inner if metric not in self.undefined]
        windows = {name: windows_within(defined, mask) for name, mask in masks.items()}
        return Seen([{} for _ in held[TRUTH]], zero, valid, windows)

    def take(self, seen: Seen) -> None:
        """Add up what was seen, here or by another process."""
        self._zero.update(seen.zero)
        self._valid.update(seen.valid)
        for name, windows in seen.windows.items():
            self._windows[name].update(windows)

    def _counts(
        self, held: References, masks: Masks
    ) -> tuple[list[dict[str, int]], dict[str, dict[str, int]]]:
        """Of each image what pooled scores are means over, and the windows of each part."""
        from sensor2sensor.metrics import POOLED, support

        known = np.isfinite(held[TRUTH]).all(axis=-1)
        behind = {"": support(held[TRUTH], known)}
        windows = {}
        for part in self.strata:
            mark = part.column("")
            behind[mark] = support(held[part.against], masks[part.name])
            windows[part.name] = {"ssim": int(behind[mark]["windows"].sum())}
        kinds = {f"{n}{mark}": (mark, kind) for mark in behind for n, (kind, _) in POOLED.items()}
        images = range(len(held[TRUTH]))
        counts = [{c: int(behind[m][kind][i]) for c, (m, kind) in kinds.items()} for i in images]
        return counts, windows

    @property
    def sam_left_out(self) -> float:
        """Share of the pixels seen that SAM leaves out."""
        return self._left_out(WHOLE)

    def _left_out(self, name: str) -> float:
        # The published rule of another profile leaves out none.
        scored = self._profile in (STANDARD, DSEN2CR, EXTENDED) and "sam" not in self.undefined
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
