"""What each metric is called and measured in, whether built in or not, and where it is defined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sensor2sensor.config.trust import CLASSES, OPENSR_TEST, SYNTHESIS, VARIANTS, as_coded
from sensor2sensor.config.vocabulary import (
    BAND_UNIT,
    DSEN2CR,
    EXTENDED,
    LPIPS,
    LR_RMSE,
    STANDARD,
    TORCHSISR,
    MetricInfo,
    metric_info,
)
from sensor2sensor.dataset.strata import split_column

# Where profile arisgan departs from the vocabulary's unit or definition.
ARISGAN = {
    "hpsi": {"label": "HPSI"},
    "sam": {
        "unit": "radians",
        "paper": "as coded in ARISGAN: not clipped, a pixel without an angle counts 0",
    },
    "rmse": {"unit": "l2-normalised"},
}
# And pix2pix-maps from its label, beside one of the same name on another range.
MAPS = {"ssim": {"label": "SSIM on [0, 1]"}}
# And dsen2cr from what the range is.
CLOUDS = {
    "psnr": {"paper": "20 log10(1 / RMSE): the range of reflectance is 1"},
    "ssim": {"paper": "Wang et al. 2004, IEEE TIP 13(4), L = 1: the range of reflectance"},
}
# And torchsisr from its label, beside the mean of the bands' own.
SISR = {
    "psnr": {"label": "PSNR, pooled", "paper": "10 log10(L²/MSE) of the bands' mean error"},
}
# A spectrum is that of a whole image: cut out of it, the edges of a mask have power at every
# frequency; and a network looks at whole images. The others look at single pixels, or at windows
# that lie inside the stratum.
WHOLE_IMAGE = frozenset({"lsd_hf", LPIPS})


def info(column: str) -> MetricInfo:
    """The metric behind a column, ``rmse`` or ``rmse@cloudy``."""
    name = split_column(column)[0]
    found = metric_info(name)
    if found is None:
        raise KeyError(name)
    return found


def within_strata(profile: str, metrics: Sequence[str]) -> tuple[str, ...]:
    """Metrics that mean something in a part of a tile.

    Not those that divide an image by a norm or maximum of its own: that of a part is another.
    """
    if profile in VARIANTS:
        # Pixel by pixel on the target's grid; the others look at pixels of the input.
        inner = metrics if not VARIANTS[profile].as_coded else ()
        return tuple(m for m in inner if m == SYNTHESIS or m.startswith(CLASSES))
    has = profile in (STANDARD, DSEN2CR, TORCHSISR, EXTENDED)
    return tuple(m for m in metrics if m not in WHOLE_IMAGE) if has else ()


def behind_mask(metrics: Sequence[str]) -> tuple[str, ...]:
    """Of these metrics those that a mask on the target's grid can be laid over.

    Not the error on the input's side: a pixel there is seen through a blur wider than itself.
    """
    return tuple(m for m in metrics if m != LR_RMSE)


def definitions(
    profile: str,
    names: Sequence[str],
    unit: str = BAND_UNIT,
    undefined: Mapping[str, str] | None = None,
) -> dict[str, dict[str, str | None]]:
    """Label, unit, direction and source of each metric under a profile.

    Args:
        profile: Metric conventions.
        names: Metrics.
        unit: That of the target bands.
        undefined: Metrics that no tile can have, and why.
    """
    found: dict[str, dict[str, str | None]] = {}
    for name in names:
        known = info(name)
        published = {"label": known.label, "better": known.better, "paper": known.paper}
        found[name] = {**published, "unit": unit if known.unit == BAND_UNIT else known.unit}
        found[name]["undefined"] = (undefined or {}).get(name)
        if profile == "pix2pix-maps":
            found[name] |= MAPS.get(name, {})
        if profile == DSEN2CR:
            found[name] |= CLOUDS.get(name, {})
        if profile == TORCHSISR:
            found[name] |= SISR.get(name, {})
        if profile == OPENSR_TEST:
            found[name] |= as_coded(name)
        if profile == "arisgan":
            paper = "as coded in ARISGAN, see sensor2sensor.metrics.arisgan"
            found[name] |= {"paper": paper, **ARISGAN.get(name, {})}
    return found
