"""The files of an evaluation, for those who write them and those who read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from sensor2sensor.config.vocabulary import REGISTERED, SIMULATED

FORMAT_VERSION = 1
KEY_COLUMNS = ("name", "scene", "split", "method")  # of the table, before the metrics
TILES_SUFFIX = "_tiles.csv"  # of the table of facts per tile, beside that of the scores
MODEL = "model"  # the method that is no baseline
PUBLISHED = "onnx"  # model_name of a file of others: applied like a baseline, compared like a run
# Parts of profile torchsisr: whole tiles, seen another way.
_AGAINST = {
    SIMULATED: "on simulated inputs, the target degraded",
    REGISTERED: "against the target registered to the input",
}
BY_DEFINITION = "by definition"  # in the place of a score that no method earns
# Of profile dsen2cr as Meraner et al. 2020, Table 1 prints it: pooled columns and decimals.
_PARTS = "target / reproduction\n/ reconstruction"
_CLOUD_COLUMNS = {
    f"MAE\n{_PARTS}": (("mae", "mae@reproduction", "mae@reconstruction"), 4),
    "RMSE": (("rmse",), 4),
    "PSNR\n(dB)": (("psnr",), 2),
    f"SAM (degrees)\n{_PARTS}": (("sam", "sam@reproduction", "sam@reconstruction"), 2),
    "SSIM": (("ssim",), 3),
}


def stronger(
    reference: str,
    others: Iterable[str],
    better: Mapping[str, str],
    mean_of: Callable[[str, str], float | None],
) -> tuple[str, ...]:
    """Other baselines whose means beat those of the reference in most columns that both have.

    Which baseline is the strongest is a matter of the data: under a closed cloud one colour is
    nearer to the ground than the cloud is. A gain over the weaker alone would flatter.

    Args:
        reference: The baseline that is usually the strongest.
        others: The other baselines.
        better: ``higher`` or ``lower`` by column, without those that the reference holds by
            definition: they say nothing about it, and are beaten by nobody.
        mean_of: The mean of a method in a column, None where it has none.
    """

    def most(other: str) -> bool:
        won = known = 0
        for name, direction in better.items():
            one, two = mean_of(other, name), mean_of(reference, name)
            # What one of them has no value of says nothing of either.
            if one is not None and two is not None:
                known += 1
                won += one > two if direction == "higher" else one < two
        return 2 * won > known

    return tuple(filter(most, others))


def mode_in_words(inference: Any) -> str:
    """What a generator kept of its training mode when it was scored.

    Args:
        inference: With ``dropout``, ``draws``, ``norm``, ``batch_size`` and ``last_batch``.
    """
    many = f" (mean over {inference.draws} draws)" if inference.draws > 1 else ""
    parts = [f"dropout on{many}"] if inference.dropout else []
    if inference.norm == "batch":
        last = "" if inference.last_batch is None else f", the last of {inference.last_batch}"
        parts.append(f"moments of batches of {inference.batch_size}{last}")
    return ", ".join(parts)


def part_in_words(name: str, stratum: str | None, against: str) -> str:
    """What scores within tiles are of: ``within 'cloudy'``, or ``@clear (prediction - truth …)``.

    Args:
        name: The mark of their columns.
        stratum: The data set's stratum, where a profile names parts of its own.
        against: What a prediction is held against there.
    """
    if against in _AGAINST:
        return _AGAINST[against]
    if stratum is None:
        return f"within '{name}'"
    return f"@{name} (prediction - {against} where '{stratum}')"


def masks_in_words(parts: Iterable[Any]) -> list[str]:
    """By which masks a profile tells its parts apart: ``mask 'cloud_mask' by rule 'dsen2cr' …``.

    Args:
        parts: With ``extra``, ``stratum``, ``variant`` and ``threshold``.
    """
    return sorted({_mask_in_words(part) for part in parts if part.stratum is not None})


def _mask_in_words(part: Any) -> str:
    rule = f"by rule '{part.variant}'" if part.variant else "by a rule without a name"
    limit = "" if part.threshold is None else f" with threshold {part.threshold:g}"
    return f"mask '{part.extra}' {rule}{limit}"


def published_title(parts: Iterable[Any]) -> str:
    """Title of the table of :func:`published_cells`, with the mask that is part of its scores.

    Args:
        parts: As of :func:`masks_in_words`.
    """
    return "; ".join(["Pooled over all pixels, as published tables are", *masks_in_words(parts)])


def published_cells(scores: Mapping[str, float | None], given: Collection[str]) -> dict[str, str]:
    """Pooled scores of one method of profile dsen2cr, in the columns of the literature.

    Args:
        scores: By column; reflectance, dB, degrees.
        given: Columns whose scores hold by definition.

    Returns:
        By heading: ``0.0290 / 0.0204 / 0.0266``; a dash for each score that is missing.
    """
    return {
        heading: " / ".join(_cell(scores.get(name), digits, name in given) for name in names)
        for heading, (names, digits) in _CLOUD_COLUMNS.items()
    }


def _cell(value: float | None, digits: int, given: bool) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return BY_DEFINITION if given else f"{value:.{digits}f}"
