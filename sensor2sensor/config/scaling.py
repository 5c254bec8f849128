"""Keys of ``experiment.json`` on how values are scaled for a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from sensor2sensor.config.network_settings import STRICT
from sensor2sensor.config.validate import at_key
from sensor2sensor.config.vocabulary import ARISGAN, DSEN2CR, STANDARD

# Either lays the largest value that a model sees between 0.1 and 10,000. float32 tells one digital
# number from the next far beyond; no start of weights and no epsilon of an optimizer fits there.
Scale = Annotated[float, Field(ge=1, le=100_000)]
SarMaximum = Annotated[float, Field(ge=0.1, le=10_000)]


class Scaling(BaseModel):
    """The two numbers of normalisation ``dsen2cr``; as published by default."""

    model_config = STRICT

    scale: Scale = Field(
        default=2000, description="Digital numbers (reflectance x 10000) that make 1"
    )
    max_val_sar: SarMaximum = Field(
        default=2, description="What the upper end of a radar band's range in dB is mapped to"
    )


class ScalingKeys(BaseModel):
    """The part of an experiment that says how values are scaled."""

    normalisation: Literal["symmetric", "reflectance", "standard", "minmax", "l2", "dsen2cr"] = (
        Field(default="symmetric", description="How values are scaled for the model")
    )
    scaling: Scaling | None = Field(
        default=None, description="Numbers of normalisation dsen2cr; null: as published"
    )

    @property
    def usual_profile(self) -> str:
        """Metric conventions of evaluations that ask for none."""
        # What is divided by each tile's own norm has no physical values that others could score.
        return ARISGAN if self.normalisation == "l2" else STANDARD

    @model_validator(mode="after")
    def _scaling_of_its_normalisation(self) -> Self:
        if self.scaling is not None and self.normalisation != DSEN2CR:
            problem = f"belongs to normalisation '{DSEN2CR}', not '{self.normalisation}'"
            raise at_key("scaling", problem)
        return self


def numbers_in_force(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Two experiments' settings, to be compared by the numbers they scale with.

    Numbers left out are those published; to another normalisation they say nothing.
    """
    both = [dict(settings) for settings in (then, now)]
    scaled = all(settings.get("normalisation") == DSEN2CR for settings in both)
    for settings in both:
        given = settings.pop("scaling", None)
        if scaled:
            settings["scaling"] = given or Scaling().model_dump(mode="json")
    return both
