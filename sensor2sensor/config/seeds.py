"""The key ``seeds`` of ``experiment.json``: one run for each of several seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from sensor2sensor.config.jsonc import JsonDocument
from sensor2sensor.config.layers import Composed
from sensor2sensor.config.validate import at_key

SEED, SEEDS = "seed", "seeds"
_TWICE = "seed and seeds both say what a run draws with; leave one out"


class SeedsKeys(BaseModel):
    """The part of an experiment that says how often it is trained."""

    # Never in a run's own copy, which has the one seed that it was trained with.
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = Field(
        default=None,
        exclude=True,
        description="In place of seed: one run for each of these, one entry of reports",
    )

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.seeds is None:
            return self
        if SEED in self.model_fields_set:
            raise at_key(SEEDS, _TWICE, {SEED: _TWICE})
        if len(set(self.seeds)) < len(self.seeds):
            raise at_key(SEEDS, "names a seed twice; each is one run")
        return self


def uppermost_of_seeds(document: JsonDocument) -> JsonDocument:
    """The document with that of ``seed`` and ``seeds`` alone which lies above the other.

    ``--set seed=1`` trains one of the several that a file asks for; a file that names ``seeds``
    replaces the ``seed`` of the one that it extends. In one file the two contradict each other.
    """
    data = document.data
    if not isinstance(document, Composed) or data.get(SEED) is None or data.get(SEEDS) is None:
        return document
    one, several = document.place_of((SEED,)).rank, document.place_of((SEEDS,)).rank
    if one == several:
        return document
    hidden = SEEDS if one < several else SEED
    return replace(document, data={key: v for key, v in data.items() if key != hidden})
