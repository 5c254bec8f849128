"""Key of ``experiment.json`` on the data set it is made for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from sensor2sensor.config.network_settings import STRICT

Word = Annotated[str, Field(min_length=1)]


class Expects(BaseModel):
    """What a data set has to hold, whichever model is trained on it; null: that is open."""

    model_config = STRICT

    target_bands: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Number of target bands"
    )
    groups: list[Word] | None = Field(
        default=None, description="Groups that at least one band of input or target is of"
    )
    mask: Word | None = Field(
        default=None, description="By which published rule its masks were made (variant)"
    )


class ExpectsKeys(BaseModel):
    """The part of an experiment that says what data set it is made for."""

    expects: Expects | None = Field(
        default=None, description="Refuse a data set that lacks this; null: any will do"
    )
