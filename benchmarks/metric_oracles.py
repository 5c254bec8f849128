"""Our metrics beside those of scikit-image, sewar, TensorFlow and piq, on fixed generated images.

An agreement is given as the power of ten that the difference stays below, a difference that is
meant as it is, with its reason.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from benchmarks.metric_defects import ASKED, COLOUR, RANGES, blurred, truth

FACTOR = 6.0
LIBRARIES = {"skimage": "scikit-image", "sewar": "sewar", "tensorflow": "TensorFlow", "piq": "piq"}
DOUBLE, SINGLE = 1e-9, 1e-4  # what rounding may do in float64, and through a float32
Array = np.ndarray[Any, Any]


class Pair:
    """A truth of reflectance and a prediction that is blurred, brighter and noisy."""

    def __init__(self) -> None:
        self.truth = truth(1)
        noise = np.random.default_rng(5).normal(0, 0.005, self.truth.shape)
        self.guess = (1.05 * blurred(self.truth) + noise).astype(np.float32)

    @cached_property
    def ours(self) -> dict[str, float]:
        """Scores of the profile extended."""
        from sensor2sensor.metrics import compute

        # All of the profile, as the defects are scored: one graph serves both.
        found = compute(self.truth, self.guess, factor=FACTOR, **ASKED)
        return {name: float(value[0]) for name, value in found.items()}

    @property
    def plain(self) -> tuple[Array, Array]:
        """Reflectance, ``[H, W, C]`` float64."""
        return self.truth[0].astype(np.float64), self.guess[0].astype(np.float64)

    @property
    def unit(self) -> tuple[Array, Array]:
        """Value ranges as [0, 1]."""
        low, high = (np.asarray(RANGES)[:, end] for end in (0, 1))
        one, other = ((image - low) / (high - low) for image in self.plain)
        return one, other


@dataclass(frozen=True)
class Oracle:
    """One metric of another library.

    Attributes:
        metric: Ours.
        library: Its module's name.
        call: What is called, in words.
        value: Its number for a pair.
        reason: Why it is meant to differ; empty where the two agree.
        within: What they agree to.
    """

    metric: str
    library: str
    call: str
    value: Callable[[Pair], float]
    reason: str = ""
    within: float = DOUBLE


def _skimage(pair: Pair, **options: Any) -> float:
    from skimage.metrics import structural_similarity

    return float(structural_similarity(*pair.unit, data_range=1.0, channel_axis=-1, **options))


def _skimage_psnr(pair: Pair) -> float:
    from skimage.metrics import peak_signal_noise_ratio

    return float(peak_signal_noise_ratio(*pair.unit, data_range=1.0))


def _skimage_rmse(pair: Pair) -> float:
    from skimage.metrics import mean_squared_error

    return math.sqrt(mean_squared_error(*pair.plain))


def _sewar(name: str, images: str = "plain", **options: Any) -> Callable[[Pair], float]:
    def value(pair: Pair) -> float:
        found = getattr(importlib.import_module("sewar.full_ref"), name)(
            *getattr(pair, images), **options
        )
        return float(np.real(found))

    return value


def _sewar_ssim(pair: Pair) -> float:
    from sewar.full_ref import ssim
    from sewar.utils import Filter

    gaussian = {"fltr": Filter.GAUSSIAN, "sigma": 1.5, "ws": 11}
    return float(ssim(*pair.unit, MAX=1.0, fltr_specs=gaussian)[0])


def _tensorflow(name: str) -> Callable[[Pair], float]:
    def value(pair: Pair) -> float:
        import tensorflow as tf

        images = (tf.constant(image[None], tf.float32) for image in pair.unit)
        return float(getattr(tf.image, name)(*images, max_val=1.0)[0])

    return value


def _piq(name: str, **options: Any) -> Callable[[Pair], float]:
    def value(pair: Pair) -> float:
        import piq
        import torch

        images = []
        for image in pair.unit:
            chosen = np.clip(image[..., list(COLOUR)] if name == "haarpsi" else image, 0.0, 1.0)
            images.append(torch.from_numpy(np.moveaxis(chosen, -1, 0)[None].copy()))
        return float(getattr(piq, name)(*images, data_range=1.0, **options))

    return value


GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
ORACLES = (
    Oracle("psnr", "skimage", "peak_signal_noise_ratio, data_range 1 on [0, 1]", _skimage_psnr),
    Oracle("psnr", "sewar", "psnr, MAX 1 on [0, 1]", _sewar("psnr", "unit", MAX=1.0)),
    Oracle("rmse", "skimage", "√ mean_squared_error", _skimage_rmse),
    Oracle("rmse", "sewar", "rmse", _sewar("rmse")),
    Oracle(
        "ssim", "skimage", "structural_similarity, Gaussian, σ 1.5, population covariance",
        lambda pair: _skimage(pair, **GAUSSIAN),
    ),
    Oracle(
        "ssim", "skimage", "structural_similarity as it comes", _skimage,
        "its default is a uniform window of 7 with sample covariance; Wang et al. 2004 have a"
        " Gaussian of 11",
    ),
    Oracle("ssim", "sewar", "ssim, Gaussian, σ 1.5", _sewar_ssim),
    Oracle("ssim", "tensorflow", "image.ssim (float32)", _tensorflow("ssim"), within=SINGLE),
    Oracle(
        "ms_ssim", "tensorflow", "image.ssim_multiscale (float32)", _tensorflow("ssim_multiscale"),
        within=SINGLE,
    ),
    Oracle(
        "ms_ssim", "sewar", "msssim, real part", _sewar("msssim", "unit", MAX=1.0),
        "it takes the bands' mean at every scale and then the powers, ours are powers of each band"
        " and then their mean, as in TensorFlow; its 2 × 2 means lie one pixel off; negative means"
        " make it complex",
    ),
    Oracle(
        "uiqi", "sewar", "uqi", _sewar("uqi"),
        "it puts means of windows where the formula has sums: its variances are n E[x²] - E[x]²",
    ),
    Oracle(
        "scc", "sewar", "scc", _sewar("scc"),
        "mean of correlations in windows of 8, zeros around them, of mirrored responses; Zhou et"
        " al. 1998 have one correlation for the image, and ours leaves out the border",
    ),
    Oracle(
        "sam", "sewar", "sam, in degrees",
        lambda pair: math.degrees(_sewar("sam")(pair)),
    ),
    Oracle(
        "ergas", "sewar", "ergas, r = 1 / 6", _sewar("ergas", r=1.0 / FACTOR),
    ),
    Oracle(
        "ergas", "sewar", "ergas as it comes", _sewar("ergas"),
        "its default is the ratio 0.25 of pan-sharpening; ours is the data set's, here 1 / 6",
    ),
    Oracle("ssim", "piq", "ssim, downsample False", _piq("ssim", downsample=False)),
    Oracle("ms_ssim", "piq", "multi_scale_ssim", _piq("multi_scale_ssim")),
    Oracle("hpsi", "piq", "haarpsi", _piq("haarpsi"), within=SINGLE),
)  # fmt: skip


def installed(library: str) -> bool:
    """Whether a library is there."""
    return importlib.util.find_spec(library) is not None


def gap(oracle: Oracle, pair: Pair) -> tuple[float, float, float]:
    """Our value, theirs, and the difference, relative where ours is above 1."""
    ours, other = pair.ours[oracle.metric], oracle.value(pair)
    return ours, other, abs(ours - other) / max(1.0, abs(ours))


def row(oracle: Oracle, pair: Pair) -> tuple[str, ...]:
    """Metric, library, call, our value, its value, difference, and why."""
    ours, other, difference = gap(oracle, pair)
    agrees = difference < oracle.within
    shown = f"< {oracle.within:.0e}" if agrees else f"{difference:.3f}"
    why = oracle.reason or ("agrees" if agrees else "NOT EXPECTED")
    words = oracle.metric, LIBRARIES[oracle.library], oracle.call
    return (*words, f"{ours:.4f}", f"{other:.4f}", shown, why)


@cache
def rows() -> Mapping[Oracle, tuple[str, ...] | None]:
    """A row for each comparison; None where the library is not installed."""
    pair = Pair()
    return {o: row(o, pair) if installed(o.library) else None for o in ORACLES}
