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


def at_once(provenance: Mapping[str, Any], batch_size: int) -> dict[str, Any]:
    """A provenance with the batch size, where it moves what is predicted: ``inference.norm`` batch.

    Args:
        provenance: Of a method, or of each of its members.
        batch_size: Windows per call.
    """
    if "members" in provenance:
        return {
            **provenance,
            "members": [at_once(one, batch_size) for one in provenance["members"]],
        }
    told = dict(provenance)
    moved = told.get("applied", {}).get("statistics") == "batch"
    return {**told, "batch_size": batch_size} if moved else told


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
