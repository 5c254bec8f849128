"""Profile ``pix2pix-maps``: the table and the keys that its published evaluation gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table
from rich.text import Text

from sensor2sensor.config.vocabulary import PUBLISHED_MAPS
from sensor2sensor.evaluation.definitions import definitions

if TYPE_CHECKING:
    from sensor2sensor.evaluation.run import Evaluation

Moments = dict[str, float | None]
_HEADS = ("mean", "min", "max", "std")


def moments(evaluation: Evaluation, metric: str) -> Moments:
    """Mean, min, max and population standard deviation of the model over images.

    ``std`` is divided by n, as published; that of ``Statistics`` by n - 1. Only finite values
    count; None without any.
    """
    values = np.asarray(evaluation.values(evaluation.methods[0], metric), np.float64)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return dict.fromkeys(_HEADS)
    return {head: float(getattr(finite, head)()) for head in _HEADS}


def published(evaluation: Evaluation) -> Moments:
    """The published scores by their published keys, ``ssim_mean`` to ``hp_l1_std``."""
    return {
        f"{key}_{head}": value
        for key, metric in PUBLISHED_MAPS.items()
        for head, value in moments(evaluation, metric).items()
    }


def results_table(evaluation: Evaluation) -> Table:
    """The published table of a model's scores, with a row more for each metric beside."""
    table = Table(title="Evaluation Results", title_justify="left", title_style="bold")
    table.add_column("Metric")
    for head in _HEADS:
        table.add_column(head.capitalize(), justify="right")
    for name, known in definitions(evaluation.profile, evaluation.metrics).items():
        values = moments(evaluation, name).values()
        shown = ("–" if value is None else f"{value:.4f}" for value in values)
        table.add_row(Text(str(known["label"])), *shown)
    table.caption = "of the model; Std over n images, below over n - 1"
    table.caption_justify = "left"
    return table
