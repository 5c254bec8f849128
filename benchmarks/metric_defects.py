"""Planted defects: what each metric makes of a truth that is spoilt in one known way.

A metric *recognises* a defect where it takes the spoilt truth for worse than the truth by at least
a quarter of what it takes bicubic interpolation for worse: where
abs(m(defect) - m(truth)) >= 0.25 abs(m(bicubic) - m(truth)). Of PSNR, which is infinite for the
truth, m is the relative error 10^(-PSNR / 20). FRO and FDA noise are 0 for both the truth and
bicubic: they recognise a defect from one percentage point on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from benchmarks.metric_sensitivity import patches

SIDE_PX, COUNT, FACTOR = 176, 1, 4
BANDS = ("blue", "green", "red", "nir")
COLOUR, RED_NIR = (2, 1, 0), (2, 3)
RANGES = ((0.0, 0.4), (0.0, 0.4), (0.0, 0.4), (0.0, 0.6))
ASKED: dict[str, Any] = {
    "value_ranges": RANGES, "profile": "extended", "colour": COLOUR, "red_nir": RED_NIR,
}  # fmt: skip
PARCELS = 60
SOIL, CROP = np.array([0.08, 0.11, 0.15, 0.22]), np.array([0.03, 0.07, 0.04, 0.42])
SHARE, POINT = 0.25, 1.0
ABSOLUTE = ("fro", "fda_noise")
Image = np.ndarray[Any, Any]
Scores = dict[str, float]


def truth(count: int = COUNT, side_px: int = SIDE_PX) -> Image:
    """Generated reflectance of parcels, each a mixture of soil and crop: ``[B, N, N, 4]``."""
    generator = np.random.default_rng(1)
    texture = patches(count, side_px, seed=2)[..., 0].astype(float) / 0.15 - 1.0
    y, x = np.mgrid[:side_px, :side_px]
    made = []
    for number in range(count):
        corners = generator.uniform(0, side_px, (PARCELS, 2, 1, 1))
        parcel = ((corners[:, 0] - y) ** 2 + (corners[:, 1] - x) ** 2).argmin(axis=0)
        share = generator.uniform(0, 1, (PARCELS, 1))
        colour = share * CROP + (1.0 - share) * SOIL
        made.append(colour[parcel] * (1.0 + 0.3 * texture[number, ..., None]))
    return np.stack(made).astype(np.float32)


def bicubic(target: Image, factor: int = FACTOR) -> Image:
    """The truth seen by a coarser sensor and enlarged again."""
    from sensor2sensor.pipeline import bicubic as cubic
    from sensor2sensor.pipeline import psf

    small = psf.degrade(target, factor, 0.2)
    return np.asarray(cubic.resize(small, *target.shape[1:3]))


def half_pixel(target: Image) -> Image:
    """Half a pixel to the side, by bicubic interpolation."""
    from sensor2sensor.pipeline import bicubic as cubic

    flow = np.zeros((*target.shape[:3], 2), np.float32)
    flow[..., 1] = 0.5
    return np.asarray(cubic.warp(target, flow))


def blurred(target: Image) -> Image:
    """A Gaussian with an MTF of 0.3 at the input's Nyquist frequency."""
    from sensor2sensor.pipeline import psf

    return np.asarray(psf.blur(target, float(psf.sigma_px(0.3, FACTOR))))


def noisy(target: Image) -> Image:
    """White noise of 0.005."""
    noise = np.random.default_rng(3).normal(0, 0.005, target.shape)
    return (target + noise).astype(np.float32)


def scrambled(target: Image) -> Image:
    """The amplitudes of each band's spectrum with the phases of noise, the mean kept."""
    noise = np.random.default_rng(4).normal(size=target.shape[:3])
    phase = np.exp(1j * np.angle(np.fft.fft2(noise)))
    phase[:, 0, 0] = 1.0
    spectrum = np.fft.fft2(np.moveaxis(target, -1, 1).astype(float))
    made = np.fft.ifft2(np.abs(spectrum) * phase[:, None]).real
    return np.moveaxis(made, 1, -1).astype(np.float32)


def offset(target: Image) -> Image:
    """0.01 brighter everywhere."""
    return target + np.float32(0.01)


def gain(target: Image) -> Image:
    """5 % brighter."""
    return target * np.float32(1.05)


def reversed_bands(target: Image) -> Image:
    """The bands in reversed order."""
    return np.ascontiguousarray(target[..., ::-1])


DEFECTS: Mapping[str, Callable[[Image], Image]] = {
    "offset of 0.01": offset,
    "gain of 1.05": gain,
    "half a pixel's shift": half_pixel,
    "blur": blurred,
    "noise of 0.005": noisy,
    "bands reversed": reversed_bands,
    "phases scrambled": scrambled,
}


def scores(target: Image, made: Image, low: Image) -> Scores:
    """Mean of each metric over the patches, and the rates of frequency analysis."""
    from sensor2sensor.metrics import compute, fda

    values = compute(target, made, factor=float(FACTOR), **ASKED)
    found = {name: float(np.mean(value)) for name, value in values.items()}
    found["psnr"] = float(np.mean(10.0 ** (-np.asarray(values["psnr"]) / 20.0)))
    levels = [fda.level_db(fda.amplitudes(i).mean(axis=0)) for i in (target, low, made)]
    rates = fda.rates(*levels)
    return found | {name: float(np.mean(rates[name])) for name in ("frr", *ABSOLUTE)}


@cache
def shares() -> dict[str, Scores]:
    """By defect and metric, its loss as a share of bicubic's; of FRO and noise percent points."""
    target = truth()
    low = bicubic(target)
    perfect, poor = scores(target, target, low), scores(target, low, low)
    found = {}
    for name, spoil in DEFECTS.items():
        own = scores(target, spoil(target), low)
        found[name] = {
            metric: abs(own[metric] - perfect[metric])
            / (1.0 if metric in ABSOLUTE else abs(poor[metric] - perfect[metric]))
            for metric in own
        }
    return found


def recognised(metric: str, share: float) -> bool:
    """Whether a metric tells a defect, by the rule of this module."""
    return share >= (POINT if metric in ABSOLUTE else SHARE)
