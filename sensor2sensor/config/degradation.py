"""Key ``degradation`` of ``experiment.json``: where the inputs of a training come from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from sensor2sensor.config.network_settings import STRICT
from sensor2sensor.config.validate import told_as

Share = Annotated[float, Field(ge=0)]
# A wider Gaussian has left nothing of the detail; a narrower one is aliased by the fine grid.
Mtf = Annotated[float, Field(ge=0.01, le=0.9)]
Noise = Annotated[float, Field(ge=0)]


def _ordered(ends: list[float]) -> list[float]:
    if ends[0] > ends[1]:
        raise ValueError("low is above high")  # told as _MTF and _NOISE are
    return ends


MtfRange = Annotated[list[Mtf], Field(min_length=2, max_length=2), AfterValidator(_ordered)]
NoiseRange = Annotated[list[Noise], Field(min_length=2, max_length=2), AfterValidator(_ordered)]
_MTF, _NOISE = "a range [low, high] within 0.01 to 0.9", "a range [low, high] from 0 upwards"
_EACH = ", or a table of such by band"
Mtfs = Annotated[MtfRange | dict[str, MtfRange], told_as(_MTF + _EACH, _MTF)]
Noises = Annotated[NoiseRange | dict[str, NoiseRange], told_as(_NOISE + _EACH, _NOISE)]
HalfWidth = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=1)] | None,
    told_as("'auto' or a whole number of at least 1"),
]


class Paths(BaseModel):
    """How often a sample takes each path; weights, of any sum."""

    model_config = STRICT

    real: Share = Field(default=0.0, description="The measured input, against the target")
    simulated: Share = Field(default=0.0, description="The target degraded, against the target")
    wald: Share = Field(
        default=0.0, description="The measured input degraded once more, against itself"
    )

    @model_validator(mode="after")
    def _some_path(self) -> Self:
        if not self.real + self.simulated + self.wald > 0:
            raise ValueError("every path has the weight 0: no sample would take any")
        return self


class Degradation(BaseModel):
    """What training samples are made of, sample by sample."""

    model_config = STRICT

    paths: Paths = Field(default=Paths(simulated=1.0), description="Shares of the three paths")
    mtf: Mtfs = Field(
        default=[0.1, 0.4],
        description="MTF at the coarse Nyquist frequency is drawn from here; of all bands, or each",
    )
    noise: Noises = Field(
        default=[0.0, 0.0],
        description="Standard deviation of white noise, in physical values; of all bands, or each",
    )
    half_width: HalfWidth = Field(
        default=None,
        description="Pixels on either side of a Gaussian; null: auto, 3 with compat torchsisr",
    )
