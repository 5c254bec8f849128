"""The tables of ``experiment.json`` on what networks are made of and how they are applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
# What only a judge of patches has; null leaves it to the model.
PATCH_KEYS = ("receptive_field", "padding", "bias", "slope")
# What a step has to heed; 0 where nothing is asked for.
STEP_KEYS = ("start", "label_smoothing")


class DiscriminatorSettings(BaseModel):
    """What may be changed in a model's discriminator."""

    model_config = STRICT

    norm: Literal["published", "batch", "instance", "spectral", "none"] = Field(
        default="published", description="Normalisation of its layers; published: the model's own"
    )
    steps: Annotated[int, Field(ge=1)] = Field(
        default=1, description="Updates per update of the generator (critic steps of WGAN)"
    )
    receptive_field: Literal[1, 16, 34, 70, 142, 286, 22, 94, 382] | None = Field(
        default=None,
        description="Side of a PatchGAN's patches, pixels; 22, 94, 382: one more stride of 2",
    )
    padding: Literal["torch", "same"] | None = Field(
        default=None, description="Of its layers of stride 1: one pixel a side, or as many answers"
    )
    bias: bool | Literal["unnormalised"] | None = Field(
        default=None, description="Biases: in all layers, none, or those without normalisation"
    )
    slope: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="Slope of its leaky ReLU below 0"
    )
    start: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Steps before it begins to learn"
    )
    # Above a half an image would be called more false than real.
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        default=0.0, description="Of cross-entropy: real images are held against 1 less this"
    )
    highpass: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Judge detail alone: images less their low-pass of this MTF; null: whole ones",
    )

    @property
    def of_patches(self) -> tuple[str, ...]:
        """The keys of a PatchGAN that say something."""
        return tuple(key for key in PATCH_KEYS if getattr(self, key) is not None)

    @property
    def of_steps(self) -> tuple[str, ...]:
        """The keys of a training step that say something."""
        return tuple(key for key in STEP_KEYS if getattr(self, key))


class InferenceSettings(BaseModel):
    """What a generator keeps of its training mode when it is applied.

    ``norm`` says whose moments batch normalisation takes: ``moving`` those that stand for the
    training tiles, ``batch`` those of the batch it is given. Left at null, ``inference_statistics``
    says it: ``train`` is ``moving``, and ``image`` is ``batch`` with one image a batch.
    """

    model_config = STRICT

    dropout: bool = Field(default=False, description="Dropout stays on, drawn from the seed")
    norm: Literal["moving", "batch"] | None = Field(
        default=None, description="Moments of batch normalisation; null: as inference_statistics"
    )


class VggSettings(BaseModel):
    """The network that ``gen_vgg`` looks through."""

    model_config = STRICT

    weights: str = Field(
        min_length=1, description="Keras' file of VGG19 weights; relative to data_root"
    )
    layers: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={"block5_conv4": 1.0},
        min_length=1,
        description="Weights of its layers by name; predictions: its class probabilities",
    )
    preprocessing: Literal["imagenet", "symmetric"] = Field(
        default="imagenet", description="What it is fed: as it was trained, or colours in [-1, 1]"
    )


@dataclass(frozen=True)
class Vgg:
    """The settings of :class:`VggSettings` for one data set.

    Attributes:
        path: The file of weights.
        layers: Weights of its layers by name.
        preprocessing: What it is fed.
        bands: Positions of red, green and blue among the target's bands; None where it has none.
    """

    path: Path
    layers: Mapping[str, float]
    preprocessing: str
    bands: tuple[int, int, int] | None
