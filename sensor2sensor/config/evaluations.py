"""The files of an evaluation, for those who write them and those who read them."""

from __future__ import annotations

from typing import Any

FORMAT_VERSION = 1
KEY_COLUMNS = ("name", "scene", "split", "method")  # of the table, before the metrics
MODEL = "model"  # the method that is no baseline


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
