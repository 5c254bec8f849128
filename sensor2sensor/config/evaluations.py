"""The files of an evaluation, for those who write them and those who read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

FORMAT_VERSION = 1
KEY_COLUMNS = ("name", "scene", "split", "method")  # of the table, before the metrics
MODEL = "model"  # the method that is no baseline
BY_DEFINITION = "by definition"  # in the place of a score that no method earns


def mode_in_words(inference: Any) -> str:
    """What a generator kept of its training mode when it was scored.

    Args:
        inference: With ``dropout``, ``draws``, ``norm`` and ``batch_size``.
    """
    many = f" (mean over {inference.draws} draws)" if inference.draws > 1 else ""
    parts = [f"dropout on{many}"] if inference.dropout else []
    if inference.norm == "batch":
        parts.append(f"moments of batches of {inference.batch_size}")
    return ", ".join(parts)


def part_in_words(name: str, stratum: str | None, against: str) -> str:
    """What scores within tiles are of: ``within 'cloudy'``, or ``@clear (prediction - truth …)``.

    Args:
        name: The mark of their columns.
        stratum: The data set's stratum, where a profile names parts of its own.
        against: What a prediction is held against there.
    """
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
