"""Frequency-domain analysis: how much of the detail an input lacks a prediction restores.

From spectra of a whole data set, one band at a time, come percentages: PRR what could be restored,
ARR what was, FRR their ratio, FRO and FRU the energy above the target and below the input. They
look at amounts of detail and not at places, so they forgive a shift; and for the same reason white
noise or scrambled phases score well. FRR is therefore never shown without the others.

Two modes, which never share a table: ``torchsisr`` repeats the published rule (zero-padded spectra
of the image as it is, every second ring, the last one left out); ``windowed`` removes the mean,
multiplies by a Hann window and takes every ring, so that neither an offset nor the step between
opposite borders passes for detail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TORCHSISR, WINDOWED = "torchsisr", "windowed"
# Keys' coefficient of the bicubic enlargement that is the input's curve: PyTorch's, and ours.
COEFFICIENT = {WINDOWED: -0.5, TORCHSISR: -0.75}
RATES = ("prr", "arr", "frr", "fro", "fru", "fda_noise")
ROUNDING = 4 * float(np.finfo(np.float32).eps)
_MIDDLE, _UPPER = (0.6, 0.8), (0.8, 1.0)  # parts of the axis, 1 = Nyquist, that fda_noise compares


@lru_cache(maxsize=4)
def _rings(side_px: int, mode: str) -> tuple[npt.NDArray[np.int64], Floats, int]:
    """Ring of each bin of a half plane (-1: none), its weight in the whole plane, and their count.

    ``torchsisr``: spectra are padded to 2 N, so that bin k is k / N of the Nyquist frequency; ring
    i is the open interval from 2 i to 2 i + 1 bins. Ring 0 holds no bin in either mode.
    """
    size = 2 * side_px if mode == TORCHSISR else side_px
    down, across = np.fft.fftfreq(size) * size, np.fft.rfftfreq(size) * size
    radius = np.hypot(down[:, None], across[None, :])
    if mode == TORCHSISR:
        count = side_px // 2
        ring = np.floor(radius / 2).astype(np.int64)
        inside = (radius > 2 * ring) & (radius < 2 * ring + 1) & (ring < count)
    else:
        count = side_px // 2 + 1
        ring = np.rint(radius).astype(np.int64)
        # Ring 0 is what the mean left, which was taken out.
        inside = (ring > 0) & (ring < count)
    # Of a real image the other half plane mirrors this one, but for what lies on its own border.
    weight = np.where((across == 0) | (2 * across == size), 1.0, 2.0)
    return np.where(inside, ring, -1).ravel(), np.tile(weight, size), count


def amplitudes(images: npt.NDArray[Any], mode: str = WINDOWED) -> Floats:
    """Mean spectral amplitude by ring: ``[B, N, N, C]`` -> ``[B, C, rings]``, NaN without a bin.

    Amplitude and not power, as published, so that decibels below are half the usual ones. A mean
    over images is linear in it: sites can be summed and drawn anew.
    """
    side = images.shape[1]
    ring, weight, count = _rings(side, mode)
    kept = ring >= 0
    total = np.bincount(ring[kept], weight[kept], count)
    found = np.empty((len(images), images.shape[-1], count))
    for b, image in enumerate(images):
        # One image at a time: padded to twice its side, a batch of complex spectra is large.
        spectrum = np.abs(_spectra(np.moveaxis(image.astype(np.float64), -1, 0), mode))
        for c, plane in enumerate(spectrum.reshape(len(spectrum), -1)):
            found[b, c] = np.bincount(ring[kept], (weight * plane)[kept], count)
    with np.errstate(invalid="ignore"):
        return found / total


def _spectra(bands: Floats, mode: str) -> npt.NDArray[np.complex128]:
    """``[C, N, N]`` -> half planes of their Fourier transforms."""
    side = bands.shape[1]
    if mode == TORCHSISR:
        return np.fft.rfft2(bands, s=(2 * side, 2 * side))
    hann = np.sin(math.pi * (np.arange(side) + 0.5) / side) ** 2
    window = hann[:, None] * hann
    # The mean under the window: the plain one would leave a rest of it at the lowest frequencies.
    mean = (bands * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    detail = bands - mean
    # What float32 sources round away is no detail: of a constant it would draw a spectrum.
    detail[np.abs(detail) <= ROUNDING * np.abs(mean)] = 0.0
    return np.fft.rfft2(detail * window)


def level_db(amplitude: npt.NDArray[Any]) -> Floats:
    """Mean amplitudes ``[..., rings]`` in dB of the first ring that has any, 10 log10."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level = 10.0 * np.log10(np.where(amplitude > 0, amplitude, np.nan))
    return np.asarray(level - level[..., 1:2], np.float64)


def frequencies(rings: int) -> Floats:
    """Place of each ring on the axis that ends with 1 at the Nyquist frequency of the target."""
    return np.linspace(0.0, 1.0, rings)


def rates(
    target: npt.NDArray[Any], low: npt.NDArray[Any], guess: npt.NDArray[Any], mode: str = WINDOWED
) -> Mapping[str, Floats]:
    """The six values, in percent, of levels ``[..., rings]`` by :func:`level_db`.

    Args:
        target: The target's.
        low: That of the input, enlarged bicubically.
        guess: The prediction's.
        mode: ``torchsisr`` leaves out the last ring of PRR, ARR and FRR, as published.

    Returns:
        ``[...]`` by name. ``prr``: 100 |ΣT - ΣB| / |ΣB| with B = min(T, I) ring by ring. ``arr``:
        the same of min(P, T) where that is above B. ``frr``: 100 ARR / PRR, NaN where PRR is 0.
        ``fro``: 100 (ΣT - Σmax(P, T)) / ΣT, at least 0. ``fru``: 100 Σ(I - min(P, I)) / ΣI, at most
        0, since the levels are negative. ``fda_noise``: by how much FRR of the upper fifth of the
        axis exceeds that of the fifth below, at least 0.
    """
    place = frequencies(target.shape[-1])
    whole = place > 0
    counted = whole & ((place < 1.0) | (mode != TORCHSISR))
    potential, achieved, restored = _restored(target, low, guess, counted)
    middle, upper = (
        _restored(target, low, guess, counted & (place >= start) & ((place < end) | (end == 1.0)))
        for start, end in (_MIDDLE, _UPPER)
    )
    t, i, p = target[..., whole], low[..., whole], guess[..., whole]
    with np.errstate(divide="ignore", invalid="ignore"):
        over = 100.0 * (t.sum(-1) - np.maximum(p, t).sum(-1)) / t.sum(-1)
        under = 100.0 * (i - np.minimum(p, i)).sum(-1) / i.sum(-1)
        noise = np.maximum(0.0, upper[2] - middle[2])
    found = (potential, achieved, restored, over, under, noise)
    # Not -0, which a quotient of two negative sums is.
    return {name: value + 0.0 for name, value in zip(RATES, found, strict=True)}


def _restored(
    target: Floats, low: Floats, guess: Floats, rings: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """PRR, ARR and FRR over some of the rings."""
    t, i, p = target[..., rings], low[..., rings], guess[..., rings]
    base = np.minimum(t, i)
    known = base.sum(-1)
    # Capped by the target: what lies above it is overshoot, and FRO's.
    reached = np.maximum(np.minimum(p, t), base).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        potential = 100.0 * np.abs((t.sum(-1) - known) / known)
        achieved = 100.0 * np.abs((reached - known) / known)
        return potential, achieved, np.where(potential > 0, 100.0 * achieved / potential, np.nan)


def signed_potential(
    target: npt.NDArray[Any], low: npt.NDArray[Any], mode: str = WINDOWED
) -> Floats:
    """PRR with the sign that its absolute value hides: negative where the input has more detail.

    An interval of it that includes 0 leaves FRR, a ratio to it, without one.
    """
    place = frequencies(target.shape[-1])
    counted = (place > 0) & ((place < 1.0) | (mode != TORCHSISR))
    t, i = target[..., counted].sum(-1), low[..., counted].sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100.0 * (t - i) / np.abs(i), np.float64)
