"""The width of the value range after normalisation, which SSIM and bounded outputs depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract


def normalised_range(normalisation: str, contract: DatasetContract) -> tuple[float, float]:
    """Lower and upper end of the target's fixed value range as the model sees it.

    Args:
        normalisation: One of ``config.vocabulary.NORMALISATIONS``.
        contract: The data set; its 0.1 % and 99.9 % quantiles over the train split are the range.

    Returns:
        ``(low, high)`` over all target bands. ``l2`` divides by the norm of the tile and has no
        range of its own; (0, 1) is what the published code assumed.
    """
    if normalisation == "symmetric":
        return -1.0, 1.0
    if normalisation in ("minmax", "l2"):
        return 0.0, 1.0
    lows_highs = []
    for statistics in contract.statistics["target"]:
        shift, width = (
            (statistics.mean, statistics.std) if normalisation == "standard" else (0.0, 1.0)
        )
        lows_highs.append(((statistics.low - shift) / width, (statistics.high - shift) / width))
    return min(low for low, _ in lows_highs), max(high for _, high in lows_highs)
