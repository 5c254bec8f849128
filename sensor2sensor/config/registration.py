"""Key ``registration`` of ``experiment.json``: a trained registration used in a training."""

from __future__ import annotations

from pydantic import BaseModel, Field

from sensor2sensor.config.network_settings import STRICT


class Registration(BaseModel):
    """Which trained registration, and where the target is moved by it."""

    model_config = STRICT

    run: str = Field(
        min_length=1, description="Experiment of the registration (its latest run), or exp/run"
    )
    train: bool = Field(default=False, description="Move the target onto the input in training")
    test: bool = Field(default=False, description="Score against the moved target, too")
    radiometric: bool = Field(
        default=False, description="Correct the target's low frequencies to the input's, too"
    )
