"""The keys of ``experiment.json``: schema, defaults and what contradicts what."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sensor2sensor.config.jsonc import JsonDocument, load_jsonc
from sensor2sensor.config.validate import validate

MISSPELT_SUFFIX = "enfore_suffix"  # as the ARISGAN README spells it

PositiveInt = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)] | None

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class GeneratorLosses(BaseModel):
    """Weights of the generator's losses: null is not computed, 0 is computed and only logged."""

    model_config = _STRICT

    gen_gan: Weight = Field(default=None, description="Non-saturating adversarial loss")
    gen_nll: Weight = Field(default=None, description="-log D(G(x))")
    gen_ssim: Weight = Field(default=None, description="1 - SSIM over the data set's value range")
    gen_l1: Weight = Field(default=None, description="Mean absolute difference")
    gen_l2: Weight = Field(default=None, description="Mean squared difference")
    gen_rmse: Weight = Field(default=None, description="Root mean squared difference of the batch")
    gen_wstein: Weight = Field(default=None, description="-mean D(G(x)), without a critic's loss")


class DiscriminatorLosses(BaseModel):
    """Weights of the discriminator's losses."""

    model_config = _STRICT

    disc_bce: Weight = Field(default=None, description="Binary cross-entropy, real and generated")
    disc_nll: Weight = Field(default=None, description="-log D(y) - log(1 - D(G(x)))")


class ExperimentFile(BaseModel):
    """One experiment: model, data set and every parameter of its training."""

    model_config = ConfigDict(**_STRICT, title="experiment.json", protected_namespaces=())

    schema_: str | None = Field(
        default=None, alias="$schema", description="JSON Schema for editors"
    )
    model_name: str = Field(description="Name of a module in models/")
    dataset: str = Field(description="Name of a data set in data_root")
    tilesize: PositiveInt = Field(default=256, description="Tile size of the data set, pixels")
    img_height: PositiveInt | None = Field(default=None, description="Rows seen by the model")
    img_width: PositiveInt | None = Field(default=None, description="Columns seen by the model")
    steps: PositiveInt = Field(default=40000, description="Training steps in total")
    sample_train: PositiveInt | None = Field(
        default=None, description="Tiles to train on; null: all"
    )
    sample_val: PositiveInt | None = Field(
        default=None, description="Tiles to validate on; null: all"
    )
    batch_size: PositiveInt = Field(default=16, description="Tiles per step")
    shuffle: bool = Field(default=True, description="Another order in every epoch")
    random_resize: Annotated[float, Field(ge=1)] = Field(
        default=1.11, description="Enlarge by a random factor in [1, this], then crop"
    )
    random_rotate: bool | Literal["flip"] = Field(
        default=True, description="Eight symmetries (four if not square), flips only, or none"
    )
    random_crop: bool = Field(
        default=False, description="Train on random windows of img_height x img_width of a tile"
    )
    enforce_suffix: str | None = Field(default=None, description="Only tiles with this suffix")
    exclude_suffix: str | None = Field(default=None, description="No tiles with this suffix")
    params: dict[str, Any] = Field(default_factory=dict, description="Passed on to the model")
    gen_loss: GeneratorLosses = Field(default=GeneratorLosses(gen_gan=1.0, gen_l1=100.0))
    disc_loss: DiscriminatorLosses = Field(default=DiscriminatorLosses(disc_bce=1.0))
    normalisation: Literal["symmetric", "reflectance", "standard", "minmax", "l2"] = Field(
        default="symmetric", description="How values are scaled for the model"
    )
    input_upsampling: Literal["nearest", "bicubic"] = Field(
        default="nearest", description="How a coarser input reaches the target's grid"
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="Seed of every random draw")
    learning_rate: Annotated[float, Field(gt=0)] = Field(default=2e-4, description="Adam step size")

    @field_validator("gen_loss")
    @classmethod
    def _some_loss(cls, value: GeneratorLosses) -> GeneratorLosses:
        if not any(weight for _, weight in value):
            raise ValueError("every weight is null or 0: nothing to train on")
        return value

    @model_validator(mode="after")
    def _window_inside_tile(self) -> ExperimentFile:
        if self.random_crop and max(self.height, self.width) > self.tilesize:
            raise ValueError("random_crop needs img_height and img_width within tilesize")
        return self

    @property
    def height(self) -> int:
        """Rows seen by the model; the tile size where not given."""
        return self.img_height or self.tilesize

    @property
    def width(self) -> int:
        """Columns seen by the model; the tile size where not given."""
        return self.img_width or self.tilesize


def load_experiment_file(path: Path) -> tuple[ExperimentFile, JsonDocument]:
    """Read and validate an ``experiment.json``.

    Returns:
        The settings, and the document for further messages with lines.

    Raises:
        ConfigError: Missing or unreadable.
        ConfigErrors: Everything that is wrong with it.
    """
    document = _accept_misspelling(load_jsonc(path))
    return validate(ExperimentFile, document), document


def _accept_misspelling(document: JsonDocument) -> JsonDocument:
    if MISSPELT_SUFFIX not in document.data or "enforce_suffix" in document.data:
        return document
    line = document.line_of((MISSPELT_SUFFIX,))
    warnings.warn(
        f"{document.path}:{line} {MISSPELT_SUFFIX}: read as enforce_suffix; mend the spelling",
        stacklevel=2,
    )
    data = {
        ("enforce_suffix" if key == MISSPELT_SUFFIX else key): value
        for key, value in document.data.items()
    }
    return JsonDocument(document.path, data, document.text, document.problems)
