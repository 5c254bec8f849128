"""A prediction held against its input and its truth at once, after OpenSR-test.

Aybar et al. 2024 (doi:10.1109/LGRS.2024.3401394) ask three things of a super-resolved image SR of
an input LR and a truth HR: does it agree with LR, how much does it add, and is what it adds true?
For the last, with a distance D between two pixels' spectra,

    r = D(u(LR), HR),  a = D(SR, HR) / r,  b = D(SR, u(LR)) / r,  H = a + b - 1,
    improvement  a + b (1 - exp(-gamma H)),
    omission     b + a (1 - exp(-gamma H)),
    hallucination  exp(-gamma a b)

are distances to three corners: the smallest names the pixel's class. The truth itself has a = 0 and
b = 1, interpolation a = 1 and b = 0; what is far from both is a hallucination.

Two settings differ from the published program unless ``Variant.as_coded`` asks for them: the
normalised difference divides by |x| + |y|, which no negative reflectance brings near 0, and nothing
is done to SR first, so that a shifted or too bright prediction is judged as what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.trust import CLASSES, Variant
from sensor2sensor.geo.shift import phase_shift

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def distance(x: Floats, y: Floats, variant: Variant) -> Floats:
    """The distance between the spectra of each pixel, ``[..., C] -> [...]``.

    ``nd`` and ``l1`` are means over bands of the absolute difference, relative and in the bands'
    unit; ``l2`` of its square; ``sam`` the angle in degrees.
    """
    gap = np.abs(x - y)
    if variant.distance == "l1":
        return np.asarray(gap.mean(axis=-1))
    if variant.distance == "l2":
        return np.asarray((gap**2).mean(axis=-1))
    if variant.distance == "sam":
        return angle(x, y)
    if variant.as_coded:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((gap / np.abs(x + y)).mean(axis=-1))
    size = np.abs(x) + np.abs(y)
    part = np.divide(gap, size, out=np.zeros_like(gap), where=size > 0)
    return np.asarray(part.mean(axis=-1))


def angle(x: Floats, y: Floats) -> Floats:
    """The angle between two spectra in degrees, ``[..., C] -> [...]``; NaN where one is zero."""
    norms = (np.linalg.norm(one, axis=-1, keepdims=True) for one in (x, y))
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = (one / norm for one, norm in zip((x, y), norms, strict=True))
    # Kahan's form, as profile standard has it: an arc cosine loses all digits near zero.
    half = np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))
    return np.asarray(np.degrees(2.0 * half))


def shift_px(reference: Floats, moved: Floats, limit_px: float) -> float:
    """Length of the translation between two images ``[h, w, C]``, in their pixels.

    By phase correlation of their means over bands; NaN where there is none: fewer than 8 pixels a
    side, no structure, too many unknown ones.
    """
    found = phase_shift(reference.mean(axis=-1), moved.mean(axis=-1), limit_px=limit_px)
    return float("nan") if found is None else float(np.hypot(found.rows, found.columns))


@dataclass(frozen=True)
class Judged:
    """Each pixel's place between truth, input and neither.

    Attributes:
        scores: ``[H, W, 3]``, by :data:`~sensor2sensor.config.trust.CLASSES`: the smallest counts.
        counted: ``[H, W]``: pixels that are judged.
        variant: By which rules.
    """

    scores: Floats
    counted: Bools
    variant: Variant

    @property
    def classes(self) -> npt.NDArray[np.int8]:
        """``[H, W]``: 0 improvement, 1 omission, 2 hallucination, -1 not judged."""
        best = np.argmin(np.where(np.isnan(self.scores), np.inf, self.scores), axis=-1)
        return np.where(self.counted, best, -1).astype(np.int8)

    def shares(self, within: Bools | None = None) -> dict[str, float]:
        """How much is of each class; the three add up to 1, or are NaN without a pixel judged.

        Args:
            within: The pixels ``[H, W]`` that are asked about; all by default.
        """
        where = self.counted if within is None else self.counted & within
        if not where.any():
            return dict.fromkeys(CLASSES, float("nan"))
        if self.variant.temperature is None:
            counts = np.bincount(self.classes[where], minlength=len(CLASSES))
            shares = counts / counts.sum()
        else:
            # Less the smallest, which leaves the probabilities as they are and exp in its range.
            scores = self.scores[where]
            weight = np.exp(
                -(scores - scores.min(axis=-1, keepdims=True)) / self.variant.temperature
            )
            shares = (weight / weight.sum(axis=-1, keepdims=True)).mean(axis=0)
        return {name: float(share) for name, share in zip(CLASSES, shares, strict=True)}


def judge(large: Floats, image: Floats, truth: Floats, valid: Bools, variant: Variant) -> Judged:
    """Which pixels are improved, left as the input has them, or made up.

    Args:
        large: ``u(LR)``, ``[H, W, C]``.
        image: ``SR``.
        truth: ``HR``.
        valid: Pixels ``[H, W]`` that have a truth and an input.
        variant: By which rules; its quantile is that of r over these pixels.
    """
    # Nothing else is looked at: what a hole holds may be NaN or stand for it.
    clean = (
        np.where(valid[..., None], one, 0.0).astype(np.float64) for one in (large, image, truth)
    )
    large, image, truth = clean
    apart = distance(large, truth, variant)
    to_truth, to_input = distance(image, truth, variant), distance(image, large, variant)
    counted = np.zeros_like(valid)
    if valid.any():
        ends = np.stack([apart, to_truth, to_input])
        counted = valid & _reached(ends, apart[valid], variant)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a, b = to_truth / apart, to_input / apart
        scores = _scores(a, b, variant.gamma)
    # 0 / 0: input and truth agree and the prediction with them, so there is nothing to judge.
    return Judged(scores, counted & np.isfinite(scores[..., 2]), variant)


def _reached(ends: Floats, apart: Floats, variant: Variant) -> Bools:
    """Pixels where any of three distances ``[3, H, W]`` reaches the quantile of the first."""
    if variant.as_coded:  # the published order statistic, and beyond it
        finite = np.sort(apart)
        place = max(int(variant.quantile * len(finite)), 1) - 1
        return np.asarray((ends > finite[place]).any(axis=0))
    limit = np.nanquantile(apart, variant.quantile)
    # At least, not beyond: of a tile whose distances are all one there would be none.
    return np.asarray((ends >= limit).any(axis=0))


def _scores(a: Floats, b: Floats, gamma: float) -> Floats:
    beyond = 1.0 - np.exp(-gamma * (a + b - 1.0))
    far = np.isinf(a) | np.isinf(b)
    improvement, omission = a + b * beyond, b + a * beyond
    hallucination = np.exp(-gamma * a * b)
    # Where input and truth agree and the prediction does not, both ratios are infinite together.
    scores = np.stack([improvement, omission, hallucination], axis=-1)
    return np.asarray(np.where(far[..., None], [np.inf, np.inf, 0.0], scores))


def matched_histogram(image: Floats, like: Floats) -> Floats:
    """An image ``[H, W, C]`` with each band's values given those of another at equal ranks."""
    made = np.empty_like(image)
    for band in range(image.shape[-1]):
        one, other = image[..., band].ravel(), like[..., band].ravel()
        _, back, counts = np.unique(one, return_inverse=True, return_counts=True)
        theirs, their_counts = np.unique(other, return_counts=True)
        ranks = np.cumsum(counts) / one.size
        found = np.interp(ranks, np.cumsum(their_counts) / other.size, theirs)
        made[..., band] = found[back].reshape(image.shape[:2])
    return made


def moved_onto(image: Floats, like: Floats, limit_px: float) -> Floats:
    """An image ``[H, W, C]`` moved by the translation to another; as it is where none is found."""
    from scipy.ndimage import shift

    found = phase_shift(like.mean(axis=-1), image.mean(axis=-1), limit_px=limit_px)
    if found is None:
        return image
    way = (-found.rows, -found.columns, 0)
    return np.asarray(shift(image, way, order=1, mode="nearest"))


def triangles(n_in: int, n_out: int) -> Floats:
    """Weights ``[n_out, n_in]`` of bilinear interpolation of one axis, aligned by outer edges.

    Where the axis gets coarser the triangle is as wide as the new pixels (antialiasing); weights
    beyond a border are left out and the rest adds up to 1.
    """
    ratio = n_in / n_out
    centre = (np.arange(n_out)[:, None] + 0.5) * ratio - 0.5
    weight = np.maximum(1.0 - np.abs(centre - np.arange(n_in)) / max(ratio, 1.0), 0.0)
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True))


def resized(image: npt.NDArray[Any], height: int, width: int) -> Floats:
    """An image ``[h, w, C]`` on another grid of the same ground, by :func:`triangles`."""
    rows, columns = triangles(image.shape[0], height), triangles(image.shape[1], width)
    return np.asarray(np.einsum("ih,hwc,jw->ijc", rows, image, columns, optimize=True))
