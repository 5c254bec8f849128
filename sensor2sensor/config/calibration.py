"""Key of ``experiment.json`` on the ground that intervals are calibrated on."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from sensor2sensor.config.network_settings import STRICT
from sensor2sensor.config.validate import at_key

Share = Annotated[float, Field(gt=0, lt=1)]


class CalibrationSettings(BaseModel):
    """Which part of val calibrates intervals, unseen by all that a training looks at."""

    model_config = STRICT

    share: Share = Field(
        default=0.5, description="Of val's blocks of ground, drawn by the data set's seed"
    )
    level: Share = Field(
        default=0.9, description="Of new blocks' pixels that intervals hold, on average over blocks"
    )


class CalibrationKeys(BaseModel):
    """The part of an experiment that says how its intervals are calibrated."""

    calibration: CalibrationSettings | None = Field(
        default=None,
        description="Blocks of val set aside to calibrate intervals; null: none, no intervals",
    )

    @model_validator(mode="after")
    def _of_physical_values(self) -> Self:
        if self.calibration is not None and getattr(self, "normalisation", None) == "l2":
            raise at_key("calibration", "needs physical values, which normalisation 'l2' forgets")
        return self
