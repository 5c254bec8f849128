"""Names, units and directions of losses and metrics, free of TensorFlow.

A loss or metric is declared once, beside its function (``models.objectives.registry.register``,
``sensor2sensor.metrics.register``). ``declared.py`` holds what is declared in this repository, as
``python -m models terms`` writes it, so that a configuration can be checked without TensorFlow;
what a module of the user's declares is added when that module is imported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sensor2sensor.config import declared, trust
from sensor2sensor.core.errors import ModelContractError

# Of one published model: the normalisation with the table `scaling`, and the profile of its scores.
DSEN2CR = "dsen2cr"
NORMALISATIONS = ("symmetric", "reflectance", "standard", "minmax", "l2", DSEN2CR)
STANDARD, ARISGAN, PIX2PIX_MAPS = "standard", "arisgan", "pix2pix-maps"
TORCHSISR = "torchsisr"
EXTENDED = "extended"  # standard's metrics, and behind them what costs more or needs more
PROFILES = (STANDARD, ARISGAN, PIX2PIX_MAPS, DSEN2CR, TORCHSISR, EXTENDED, *trust.VARIANTS)
BASE_LAYER = "base"  # the frozen layer of a generator that adds to its upsampled input
NATIVE_LAYER = "native_grid"  # behind it all bands have the input grid's pixel; files begin there
# Stands for what only a data set's contract knows: the unit of its target bands.
BAND_UNIT = "unit of the bands"
TERM = re.compile(r"[a-z][a-z0-9_]*")  # a key of JSON, a column of CSV, a tag of TensorBoard


@dataclass(frozen=True)
class MetricInfo:
    """What a metric is called, measured in, and which way is better.

    ``profile`` is where it belongs: ``standard``, or the one that alone computes it.
    """

    name: str
    label: str
    unit: str
    better: Literal["higher", "lower"]
    paper: str
    profile: str = STANDARD


@dataclass(frozen=True)
class LossInfo:
    """What a loss term belongs to and which inputs it cannot do without.

    Attributes:
        name: Its key in ``gen_loss`` or ``disc_loss``.
        side: The network it trains.
        needs: Fields of ``LossInputs``; ``extras.NAME`` is an extra of the data set.
        paper: Where it comes from.
        about: What an editor shows at its key.
    """

    name: str
    side: Literal["generator", "discriminator"]
    needs: frozenset[str]
    paper: str
    about: str = ""


# Raised whenever a profile gains a metric or a definition changes: different versions never meet.
# A new profile changes no number of another (ADR 19).
METRICS_VERSION = 2
ARROWS = {"higher": "↑", "lower": "↓"}  # beside a metric: which way is better
_KNOWN = {entry["name"]: MetricInfo(**entry) for entry in declared.METRICS}
# Of profile standard, and those that another one alone has.
METRICS = {name: info for name, info in _KNOWN.items() if info.profile == STANDARD}
MAPS_METRICS = {name: info for name, info in _KNOWN.items() if info.profile == PIX2PIX_MAPS}
CLOUD_METRICS = {name: info for name, info in _KNOWN.items() if info.profile == DSEN2CR}
SISR_METRICS = {name: info for name, info in _KNOWN.items() if info.profile == TORCHSISR}
EXTENDED_METRICS = {name: info for name, info in _KNOWN.items() if info.profile == EXTENDED}
# Of three images, on two grids: no function of target and prediction alone, so not registered.
TRUST_METRICS = {entry["name"]: MetricInfo(**entry) for entry in trust.ENTRIES}
# Profile pix2pix-maps: what was published, by its published names, and what stands beside it.
PUBLISHED_MAPS = {"ssim": "ssim_compat", "psnr": "psnr", "l1": "l1_compat", "hp_l1": "hp_l1_compat"}
MAPS_TABLE = (*PUBLISHED_MAPS.values(), "ssim", "l1_scaled", "laplacian_l1")
# Profile dsen2cr: its columns, and by their marks the parts of a tile that it scores: the stratum
# whose ground it is, and what a prediction is held against there.
CLOUD_TABLE = ("mae", "rmse", "psnr", "ssim", "sam")
TRUTH, INPUT = "truth", "input"
CLOUD_PARTS = {
    "reconstruction": ("covered", TRUTH),
    "reproduction": ("clear", INPUT),
    "clear": ("clear", TRUTH),
}
# Profile torchsisr: means of the bands' own scores, and a PSNR from their pooled error.
LR_RMSE = "lr_rmse"  # against the coarser input: all others are against the target
SISR_TABLE = ("psnr_bands", "psnr", "rmse_bands", "l1", "ssim", "hp_l1", LR_RMSE)
# What it also holds a prediction against: the target, after its input was made from that target;
# the target as a registration moved it.
SIMULATED, REGISTERED = "simulated", "registered"
LOSSES = {
    entry["name"]: LossInfo(**{**entry, "needs": frozenset(entry["needs"])})
    for entry in declared.LOSSES
}
TABLES = {STANDARD: METRICS, PIX2PIX_MAPS: MAPS_METRICS, DSEN2CR: CLOUD_METRICS}
TABLES |= {TORCHSISR: SISR_METRICS, EXTENDED: EXTENDED_METRICS}
_EVERY = (*TABLES.values(), TRUST_METRICS)
# The metric that needs a file of weights, and the one of five scales with the pixels that it needs:
# the coarsest, a sixteenth, must hold a window of 11.
LPIPS, LPIPS_PX, MS_SSIM, MS_SSIM_PX = "lpips", 64, "ms_ssim", 161
NDVI = "ndvi_error"
_ANSWERS = frozenset({"disc_real", "disc_fake"})
FEATURES = frozenset({"features_real", "features_fake"})


def undefined(
    profile: str,
    bands: int,
    tile_px: int | None = None,
    no_ndvi: str | None = None,
    *,
    colour: bool = True,
) -> dict[str, str]:
    """Metrics that no tile of a data set can have, and why.

    Args:
        profile: Metric conventions.
        bands: How many target bands there are.
        tile_px: Pixels along the edge of a target.
        no_ndvi: Why these bands have no NDVI; None where they have one.
        colour: Whether red, green and blue are declared.
    """
    found = {} if bands > 1 else dict.fromkeys(_angles(profile), "undefined for one band")
    if profile != EXTENDED:
        return found
    for name, least_px in ((MS_SSIM, MS_SSIM_PX), (LPIPS, LPIPS_PX)):
        if tile_px is not None and tile_px < least_px:
            found[name] = f"undefined below {least_px} px"
    if not colour:
        found[LPIPS] = "undefined without red, green and blue"
    if no_ndvi is not None:
        found[NDVI] = no_ndvi
    return found


def _angles(profile: str) -> list[str]:
    """Metrics of a profile that are angles between spectra."""
    if profile in trust.VARIANTS:
        angles = [trust.SPECTRAL, *(f"{name}_sam" for name in trust.CLASSES)]
        return sorted(set(angles).intersection(trust.VARIANTS[profile].metrics))
    return ["sam"] if profile in (STANDARD, DSEN2CR, EXTENDED) else []


def metric_info(name: str) -> MetricInfo | None:
    """What is known of a metric of any profile; None for one that is not declared."""
    return next((table[name] for table in _EVERY if name in table), None)


def adversarial(name: str) -> bool:
    """Whether a generator's loss looks at the discriminator; False for one not declared yet."""
    # By what it needs, so that a loss of the user's is judged like ours.
    return name in LOSSES and bool(LOSSES[name].needs & (_ANSWERS | FEATURES))


def check_term(kind: str, name: str, maker: str, makers: dict[str, str]) -> None:
    """Refuse a name that cannot be declared.

    Args:
        kind: ``loss`` or ``metric``, for the message.
        name: The name.
        maker: Module of the function that wants it.
        makers: Module that has it, by name; ``maker`` is entered. A module imported anew may
            declare its names again.

    Raises:
        ModelContractError: It is no name, or another module has it.
    """
    if not TERM.fullmatch(name):
        hint = "small letters, digits and '_', a letter first"
        raise ModelContractError(f"'{name}' is no name of a {kind}", where=maker, hint=hint)
    if makers.setdefault(name, maker) != maker:
        problem = f"the {kind} '{name}' is declared in {makers[name]} already"
        raise ModelContractError(problem, where=maker, hint="give it a name of its own")
