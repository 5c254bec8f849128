"""Quantiles of scores over blocks of ground: hierarchical split-conformal prediction.

Pixels of a block are alike, those of another block are others, so blocks are what is exchangeable,
and not pixels. Each of K calibration blocks has mass 1 / (K + 1), spread evenly over its pixels,
and the last 1 / (K + 1), that of the block to come, lies at infinity. The quantile ``q`` of that
distribution gives ``P(score <= q) >= level`` for a pixel of a new block that is exchangeable with
the K: on average over blocks, and for no single one of them. The setting is that of Dunn,
Wasserman and Ramdas 2022 ("Distribution-Free Prediction Sets for Two-Layer Hierarchical Models",
pooled distribution functions), the mass at infinity that of Lee, Barber and Willett 2023
("Distribution-free inference with hierarchical data", HCP), which makes it hold for any K.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]

# A positive float32 read as an integer keeps its order: the leading 20 bits after the sign are
# exponent and 11 digits, so bins are at most 2^-11 wide, relative to where they lie.
_SHIFT = 12
BINS = (0x7F800000 >> _SHIFT) + 1  # the last one is that of infinity
_NONE = (BINS, 0)
RELATIVE_ERROR = 2.0 ** (_SHIFT - 23)
# Masses are sums of many quotients in float64: what is missing by less is not missing.
_SLACK = 1e-9


def bin_of(scores: Scores) -> npt.NDArray[np.int64]:
    """The bin of each score, which is not negative and no NaN."""
    bits = np.ascontiguousarray(scores, np.float32).view(np.uint32)
    # Rounded up: a bin ends at its own upper end, which is the quantile that is told.
    return (bits.astype(np.int64) + ((1 << _SHIFT) - 1)) >> _SHIFT


def end_of(number: int) -> float:
    """The upper end of a bin: no score in it is larger, nor smaller by more than its width."""
    return float(np.array([number << _SHIFT], np.uint32).view(np.float32)[0])


class Pooled:
    """The scores of blocks of ground, pooled so that each block weighs the same.

    Memory is two tables of :data:`BINS` numbers a band, whatever the number of pixels and blocks;
    the pixels of a block come one after the other.

    Args:
        bands: Names of the bands, each of which has its own quantile.
    """

    def __init__(self, bands: Iterable[str]) -> None:
        self.bands = tuple(bands)
        self._mass = np.zeros((len(self.bands), BINS), np.float64)
        self._block = np.zeros((len(self.bands), BINS), np.int64)
        self._seen = [_NONE] * len(self.bands)  # first bin with a score of the block, and the end
        self._blocks = np.zeros(len(self.bands), np.int64)
        self._pixels = np.zeros(len(self.bands), np.int64)

    def add(self, scores: Scores) -> None:
        """Take in scores ``[n, C]`` of the present block; NaN: there is none."""
        for band, column in enumerate(np.moveaxis(scores, -1, 0)):
            there = column[~np.isnan(column)]
            if there.size:
                bins = bin_of(there)
                low, counts = int(bins.min()), np.bincount(bins - bins.min())
                self._block[band, low : low + len(counts)] += counts
                first, end = self._seen[band]
                self._seen[band] = min(first, low), max(end, low + len(counts))

    def close(self) -> None:
        """End a block: its pixels share one mass."""
        for band, (first, end) in enumerate(self._seen):
            counts = self._block[band, first:end]
            if pixels := int(counts.sum()):
                self._mass[band, first:end] += counts / pixels
                self._blocks[band] += 1
                self._pixels[band] += pixels
                counts[:] = 0
        self._seen = [_NONE] * len(self.bands)

    @property
    def blocks(self) -> dict[str, int]:
        """K of each band: blocks with a score."""
        return dict(zip(self.bands, map(int, self._blocks), strict=True))

    @property
    def pixels(self) -> dict[str, int]:
        """Scores of each band."""
        return dict(zip(self.bands, map(int, self._pixels), strict=True))

    def quantile(self, band: str, level: float) -> float:
        """The smallest ``q`` with ``sum of masses <= q`` at least ``level`` times ``K + 1``.

        At most :data:`RELATIVE_ERROR` above the exact one and never below it; infinite where K
        blocks are too few (:func:`fewest_blocks`).
        """
        return self._reached(band, level, self.blocks[band] + 1)

    def plain_quantile(self, band: str, level: float) -> float:
        """The same without the mass at infinity, which promises nothing: an estimate."""
        return self._reached(band, level, self.blocks[band])

    def _reached(self, band: str, level: float, masses: int) -> float:
        place = self.bands.index(band)
        wanted = level * masses - _SLACK * masses
        summed = np.cumsum(self._mass[place])
        if not self._blocks[place] or summed[-1] < wanted:
            return math.inf
        return end_of(int(np.argmax(summed >= wanted)))


def fewest_blocks(level: float) -> int:
    """The least K whose quantile is finite: 9 at 90 %."""
    return math.ceil(level / (1 - level) - _SLACK / (1 - level))


@dataclass(frozen=True)
class Covered:
    """How much of test blocks lies within their intervals.

    Attributes:
        coverage: Mean over blocks of the share of a block's pixels within, which is what the
            promise is about.
        std: Standard deviation of that share over blocks (N - 1); None of one block.
        lowest: The smallest share of any block.
        highest: The largest.
        width: Mean width of an interval, mean over blocks, in the band's unit.
        blocks: Test blocks.
        pixels: Test pixels.
    """

    coverage: float
    std: float | None
    lowest: float
    highest: float
    width: float
    blocks: int
    pixels: int


class Coverage:
    """Counts what lies within intervals, block by block.

    Args:
        bands: Names of the bands.
    """

    def __init__(self, bands: Iterable[str]) -> None:
        self.bands = tuple(bands)
        self._found: dict[str, dict[Hashable, npt.NDArray[Any]]] = {b: {} for b in self.bands}

    def add(self, block: Hashable, band: str, inside: npt.NDArray[Any], width: float) -> None:
        """Take in pixels of a block.

        Args:
            block: Whose; may come again.
            band: Name.
            inside: Of the pixels that have a truth, whether it lies within.
            width: Sum of the widths of their intervals.
        """
        held = self._found[band].setdefault(block, np.zeros(3))
        held += (inside.sum(), inside.size, width)

    def result(self) -> Iterator[tuple[str, Covered]]:
        """Of each band with a pixel."""
        for band, blocks in self._found.items():
            found = np.array([one for one in blocks.values() if one[1]])
            if not found.size:
                continue
            shares = found[:, 0] / found[:, 1]
            std = float(shares.std(ddof=1)) if len(shares) > 1 else None
            width = float((found[:, 2] / found[:, 1]).mean())
            ends = float(shares.min()), float(shares.max())
            counts = len(shares), int(found[:, 1].sum())
            yield band, Covered(float(shares.mean()), std, *ends, width, *counts)
