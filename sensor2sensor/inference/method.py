"""A trained generator, a baseline or an exported file, with how it is led over a scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.form import Form
from sensor2sensor.predictors.intervals import Intervals
from sensor2sensor.predictors.protocol import Predictor
from sensor2sensor.predictors.tiling import Tiling

# Of two data sets of one form the ranges differ, which the networks have inside.
_OF_DATASETS = {"name": "", "input_ranges": (), "target_ranges": ()}


@dataclass(frozen=True)
class Method:
    """What predicts.

    Attributes:
        name: As in tables: model of the experiment, baseline, or stem of the file.
        predictors: One; several are draws, checkpoints or seeds, whose mean and spread is written.
        form: What it takes and makes.
        tiling: How it is led over a scene.
        batch_size: Windows per call that memory bears; halved where it does not.
        provenance: Experiment, run, step, weights, data set, files with SHA-256: plain JSON.
        intervals: Whose lower and upper ends are written, too; None: none are asked for.
    """

    name: str
    predictors: Sequence[Predictor]
    form: Form
    tiling: Tiling
    batch_size: int = 1
    provenance: Mapping[str, Any] = field(default_factory=dict)
    intervals: Intervals | None = None


def refuse_unlike(forms: Sequence[tuple[str, Form]]) -> None:
    """Refuse to predict by several models that do not take and make the same.

    Args:
        forms: Name and form of each.

    Raises:
        ConfigError: Two of them differ.
    """
    first = forms[0][0]
    bare = [form.model_copy(update=_OF_DATASETS) for _, form in forms]
    for (name, _), form in zip(forms, bare, strict=True):
        if form != bare[0]:
            what = f"{name} and {first} do not take and make the same bands"
            raise ConfigError(what, where="--exp", hint="spread has a meaning among equals alone")
