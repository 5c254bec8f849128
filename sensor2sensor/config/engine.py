"""Keys of ``experiment.json`` on how a training is computed: the same model, but for rounding."""

from __future__ import annotations

from pydantic import BaseModel, Field


class EngineKeys(BaseModel):
    """The part of an experiment that says how; ``ExperimentFile`` has all the others."""

    jit_compile: bool = Field(
        default=False, description="Compile the training step by XLA; not for varying shapes"
    )
    deterministic: bool | None = Field(
        default=None,
        description="Sums in one order, so that a rerun is bit-equal; null: on a CPU alone",
    )
