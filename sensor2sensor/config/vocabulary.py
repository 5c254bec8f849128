"""Names, units and directions of losses and metrics, free of TensorFlow.

A test keeps these tables equal to the registries of ``models.losses`` and
``sensor2sensor.metrics``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NORMALISATIONS = ("symmetric", "reflectance", "standard", "minmax", "l2")
PROFILES = ("standard", "arisgan")
BASE_LAYER = "base"  # the frozen layer of a generator that adds to its upsampled input
# Stands for what only a data set's contract knows: the unit of its target bands.
BAND_UNIT = "unit of the bands"


@dataclass(frozen=True)
class MetricInfo:
    """What a metric is called, measured in, and which way is better."""

    name: str
    label: str
    unit: str
    better: Literal["higher", "lower"]
    paper: str


@dataclass(frozen=True)
class LossInfo:
    """What a loss term belongs to and which inputs it cannot do without."""

    name: str
    side: Literal["generator", "discriminator"]
    needs: frozenset[str]
    paper: str


def _metrics(*entries: MetricInfo) -> dict[str, MetricInfo]:
    return {entry.name: entry for entry in entries}


METRICS = _metrics(
    MetricInfo("hpsi", "HPSI (colour)", "1", "higher", "Reisenhofer et al. 2018, SPIC 61:33-43"),
    MetricInfo(
        "hpsi_bands",
        "HPSI (mean of bands)",
        "1",
        "higher",
        "Reisenhofer et al. 2018, SPIC 61:33-43, grey, band by band",
    ),
    MetricInfo("ergas", "ERGAS", "1", "lower", "Wald 2000, Fusion of Earth Data"),
    MetricInfo("scc", "SCC", "1", "higher", "Zhou, Civco, Silander 1998, IJRS 19(4)"),
    MetricInfo("ssim", "SSIM", "1", "higher", "Wang et al. 2004, IEEE TIP 13(4)"),
    MetricInfo("psnr", "PSNR", "dB", "higher", "10 log10(L²/MSE), L the value range"),
    MetricInfo("hp_l1", "HP-L1", "value range", "lower", "mean |Δ Laplacian|, 3×3, reflected"),
    MetricInfo("sam", "SAM", "degrees", "lower", "Yuhas, Goetz, Boardman 1992"),
    MetricInfo("cc", "CC", "1", "higher", "Pearson correlation, mean over bands"),
    MetricInfo("uiqi", "UIQI", "1", "higher", "Wang, Bovik 2002, IEEE SPL 9(3)"),
    MetricInfo("rmse", "RMSE", BAND_UNIT, "lower", "root of the mean squared difference"),
    MetricInfo("l1", "L1", BAND_UNIT, "lower", "mean absolute difference"),
    MetricInfo(
        "lsd_hf",
        "HF-LSD",
        "dB",
        "lower",
        "mean |Δ log power| beyond the input's Nyquist frequency; Durall et al. 2020, CVPR",
    ),
)


def undefined(profile: str, bands: int) -> dict[str, str]:
    """Metrics that no tile of ``bands`` target bands can have, and why."""
    lone = profile == "standard" and bands == 1
    return {"sam": "undefined for one band"} if lone else {}


def _losses(*entries: LossInfo) -> dict[str, LossInfo]:
    return {entry.name: entry for entry in entries}


_IMAGES = frozenset({"target", "output"})
_FAKE = frozenset({"disc_fake"})
_BOTH = frozenset({"disc_real", "disc_fake"})
_FEATURES = frozenset({"features_real", "features_fake"})
_CRITIC = frozenset({"discriminator", "input", "target", "output", "step"})

LOSSES = _losses(
    LossInfo("gen_gan", "generator", _FAKE, "Goodfellow et al. 2014, non-saturating"),
    LossInfo("gen_nll", "generator", _FAKE, "Goodfellow et al. 2014, -log D(G(x))"),
    LossInfo("gen_ssim", "generator", _IMAGES | {"value_range"}, "Wang et al. 2004"),
    LossInfo("gen_l1", "generator", _IMAGES, "Isola et al. 2017"),
    LossInfo("gen_l2", "generator", _IMAGES, "mean squared error"),
    LossInfo("gen_rmse", "generator", _IMAGES, "root of the mean squared error of the batch"),
    LossInfo("gen_wstein", "generator", _FAKE, "Arjovsky et al. 2017, -mean D(G(x)) alone"),
    LossInfo("gen_lsgan", "generator", _FAKE, "Mao et al. 2017, least squares"),
    LossInfo("gen_ragan", "generator", _BOTH, "Jolicoeur-Martineau 2019, relativistic average"),
    LossInfo("gen_fm", "generator", _FEATURES, "Wang et al. 2018 (pix2pixHD), feature matching"),
    LossInfo("disc_bce", "discriminator", _BOTH, "Goodfellow et al. 2014"),
    LossInfo("disc_nll", "discriminator", _BOTH, "Goodfellow et al. 2014, minimax form"),
    LossInfo("disc_wstein", "discriminator", _BOTH, "Arjovsky et al. 2017, critic"),
    LossInfo("disc_gp", "discriminator", _CRITIC, "Gulrajani et al. 2017, gradient penalty"),
    LossInfo("disc_lsgan", "discriminator", _BOTH, "Mao et al. 2017, least squares"),
    LossInfo("disc_ragan", "discriminator", _BOTH, "Jolicoeur-Martineau 2019"),
)

GENERATOR_LOSSES = tuple(n for n, info in LOSSES.items() if info.side == "generator")
DISCRIMINATOR_LOSSES = tuple(n for n, info in LOSSES.items() if info.side == "discriminator")


def adversarial(name: str) -> bool:
    """Whether a generator's loss looks at the discriminator."""
    return bool(LOSSES[name].needs & (_BOTH | _FEATURES))
