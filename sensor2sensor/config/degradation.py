"""Key ``degradation`` of ``experiment.json``: where the inputs of a training come from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from sensor2sensor.config.network_settings import STRICT

Share = Annotated[float, Field(ge=0)]
# A wider Gaussian has left nothing of the detail; a narrower one is aliased by the fine grid.
Mtf = Annotated[float, Field(ge=0.01, le=0.9)]
Noise = Annotated[float, Field(ge=0)]


def _ordered(ends: list[float]) -> list[float]:
    if ends[0] > ends[1]:
        raise ValueError(f"from {ends[0]:g} to {ends[1]:g}: the smaller number comes first")
    return ends


MtfRange = Annotated[list[Mtf], Field(min_length=2, max_length=2), AfterValidator(_ordered)]
NoiseRange = Annotated[list[Noise], Field(min_length=2, max_length=2), AfterValidator(_ordered)]


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
    mtf: MtfRange | dict[str, MtfRange] = Field(
        default=[0.1, 0.4],
        description="MTF at the coarse Nyquist frequency is drawn from here; of all bands, or each",
    )
    noise: NoiseRange | dict[str, NoiseRange] = Field(
        default=[0.0, 0.0],
        description="Standard deviation of white noise, in physical values; of all bands, or each",
    )
    half_width: Literal["auto"] | Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Pixels on either side of a Gaussian; null: auto, 3 with compat torchsisr",
    )
