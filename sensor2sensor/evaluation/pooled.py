"""Scores over all pixels of a split at once, as published numbers of cloud removal are.

They are no means of the images' own: the root of a mean of squares is larger than the mean of the
roots, and an image that is all but clear has little part in a score below clouds.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sensor2sensor.dataset.strata import split_column

Counts = Mapping[str, int]  # by column


@dataclass(frozen=True)
class Pooled:
    """Pooled scores, and what they are means over.

    Attributes:
        counts: By column the pixels, windows (SSIM) or pixels with an angle (SAM).
        scores: By method and column; NaN without a pixel, and where a prediction is not finite on
            one of the images; +inf perfect (PSNR).
    """

    counts: Counts
    scores: Mapping[str, Mapping[str, float]]

    def plain(self) -> dict[str, object]:
        """For JSON, which holds no NaN and no infinity."""
        scores = {
            method: {name: value if math.isfinite(value) else None for name, value in row.items()}
            for method, row in self.scores.items()
        }
        return {"counts": dict(self.counts), "scores": scores}


@dataclass
class Pool:
    """Adds up scores of images, each weighted by what it is a mean over.

    Attributes:
        powers: By metric the power that is averaged; empty: nothing is pooled.
        counts: What was seen so far, by column.
        sums: By method and column.
    """

    powers: Mapping[str, int]
    counts: Counter[str] = field(default_factory=Counter)
    sums: dict[str, defaultdict[str, float]] = field(default_factory=dict)

    def add(
        self, draws: Mapping[str, Sequence[Sequence[Mapping[str, float]]]], images: Sequence[Counts]
    ) -> None:
        """Add a batch.

        Args:
            draws: By method, of each of its draws, the scores of each image by column.
            images: What these are means over, image by image.
        """
        for counts in images:
            self.counts.update(counts)
        for method, drawn in draws.items():
            for scores in drawn:
                self._add(method, scores, images, 1 / len(drawn))

    def _add(
        self, method: str, scores: Sequence[Mapping[str, float]], images: Sequence[Counts],
        share: float,
    ) -> None:  # fmt: skip
        sums = self.sums.setdefault(method, defaultdict(float))
        for row, counts in zip(scores, images, strict=True):
            for column, count in counts.items():
                # An image without such a pixel has no score and adds nothing: 0 * NaN is NaN.
                if count:
                    sums[column] += share * count * row[column] ** self._power(column)

    def result(self) -> Pooled | None:
        """The pooled scores, with the PSNR that follows from each RMSE; None where none are."""
        if not self.powers:
            return None
        counts, scores = dict(self.counts), {}
        for method, sums in self.sums.items():
            row = {name: self._root(name, sums[name], count) for name, count in counts.items()}
            psnr = {_psnr(name): _decibel(row[name]) for name in row if _is_rmse(name)}
            scores[method] = row | psnr
        return Pooled(counts | {_psnr(n): c for n, c in counts.items() if _is_rmse(n)}, scores)

    def _power(self, column: str) -> int:
        return self.powers[split_column(column)[0]]

    def _root(self, column: str, total: float, count: int) -> float:
        mean = total / count if count else math.nan
        return float(mean ** (1 / self._power(column)))


def _is_rmse(column: str) -> bool:
    return split_column(column)[0] == "rmse"


def _psnr(column: str) -> str:
    return column.replace("rmse", "psnr", 1)


def _decibel(rmse: float) -> float:
    """20 log10(1 / RMSE) of reflectance, whose range is 1."""
    return -20 * math.log10(rmse) if rmse > 0 else math.nan if math.isnan(rmse) else math.inf
