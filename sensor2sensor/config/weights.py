"""Weights of losses: the keys of an experiment, and what a loss must know of normalised values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from sensor2sensor.config.jsonc import JsonDocument, Key
from sensor2sensor.config.validate import report
from sensor2sensor.config.vocabulary import LOSSES
from sensor2sensor.core.errors import ConfigErrors
from sensor2sensor.core.names import suggestion

# Null and 0 differ: a weight of 0 is computed and logged, and enters no total.
Weight = Annotated[float, Field(ge=0)] | None
SIDES = {"gen_loss": "generator", "disc_loss": "discriminator"}


class _Losses(BaseModel):
    """Weights by the name of a loss; further names are those of the user's own modules."""

    model_config = ConfigDict(
        extra="allow",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        # For editors, which know no module of the user's, as before: these and no others.
        json_schema_extra={"additionalProperties": False},
    )
    __pydantic_extra__: dict[str, Weight]


L = TypeVar("L", bound=_Losses)


def _losses(side: str) -> Any:
    """A model with a key for every declared loss of a side."""
    fields: dict[str, Any] = {
        name: (Weight, Field(default=None, description=info.about))
        for name, info in LOSSES.items()
        if info.side == side
    }
    return create_model(f"_{side.title()}Losses", __base__=_Losses, **fields)


class GeneratorLosses(_losses("generator")):  # type: ignore[misc]  # made from a table
    """Weights of the generator's losses: null is not computed, 0 is computed and only logged."""


class DiscriminatorLosses(_losses("discriminator")):  # type: ignore[misc]
    """Weights of the discriminator's losses."""


def refuse_unknown_losses(document: JsonDocument) -> None:
    """Refuse losses that nothing declares, after the user's modules were imported.

    Raises:
        ConfigErrors: All of them, each with the nearest name.
    """
    found = {key: [text] for key, text in unknown_losses(document)}
    if found:
        raise ConfigErrors(report(document, found))


def without_dropped(losses: L) -> L:
    """Weights without the nulls of losses that no imported module declares any more."""
    gone = [name for name, weight in losses if weight is None and name not in LOSSES]
    if not gone:
        return losses
    return losses.model_validate(losses.model_dump(exclude_unset=True, exclude=set(gone)))


def unknown_losses(document: JsonDocument) -> Iterator[tuple[Key, str]]:
    """Keys of ``gen_loss`` and ``disc_loss`` that no loss is declared under, and what to say."""
    for key, side in SIDES.items():
        weights = document.data.get(key)
        known = [name for name, info in LOSSES.items() if info.side == side]
        for name in weights if isinstance(weights, dict) else ():
            if name not in known and not document.drops((key, name)):
                yield (key, name), f"unknown key; {suggestion(name, known)}"


class LossWeights(Mapping[str, float | None]):
    """Weights by loss name, with the value range of each target band that SSIM needs.

    Attributes:
        value_range: Widths of the value ranges in normalised units (2.0 for [-1, 1]).
        value_low: Their lower ends, which SSIM shifts to 0 (-1.0 for [-1, 1]).
        warmup_steps: Steps before a generator's adversarial terms count.
        bands: Weights of the target bands that a loss is given, by loss and name of a band.
    """

    def __init__(
        self,
        weights: Mapping[str, float | None],
        value_range: Sequence[float] | float,
        value_low: Sequence[float] | float = 0.0,
        warmup_steps: int = 0,
        bands: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
    ) -> None:
        # Read-only: a module that changed a weight would train otherwise than run.json says.
        self._weights = MappingProxyType(dict(weights))
        self.value_range = value_range
        self.value_low = value_low
        self.warmup_steps = warmup_steps
        self.bands = bands

    def __getitem__(self, name: str) -> float | None:
        return self._weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def __repr__(self) -> str:
        return f"LossWeights({dict(self._weights)}, value_range={self.value_range})"
