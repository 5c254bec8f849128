"""Predictions of a batch, checked before they are scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.evaluation.detail import Detail
from sensor2sensor.predictors.draws import draws_of
from sensor2sensor.predictors.protocol import Images, Predictor

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord


def check(predictors: Mapping[str, Predictor], profile: str) -> None:
    """Refuse predictions in units that a profile cannot score (ConfigError)."""
    for name, predictor in predictors.items():
        if predictor.normalised and profile != "arisgan":
            raise ConfigError(
                f"{name} predicts in units of its l2 normalisation, which cannot be undone",
                where="evaluation",
                hint="score it with --profile arisgan, or train with normalisation 'symmetric'",
            )


def _predict(name: str, predictor: Predictor, batch: Sequence[TileRecord]) -> Images:
    prediction = np.asarray(predictor(batch))
    # [B, H, W, 1] for three bands would be broadcast, and scored without a word.
    expected = (len(batch), *batch[0].target.shape)
    if prediction.shape != expected:
        raise InputError(
            f"{name} returned {list(prediction.shape)}, the tiles have {list(expected)}",
            where="evaluation",
            hint="a predictor returns [B, H, W, target bands]",
        )
    return prediction


def drawn_of(
    name: str,
    predictor: Predictor,
    views: Mapping[str, Sequence[TileRecord]],
    detail: Detail | None,
) -> Iterator[dict[str, Images]]:
    """Predictions of each view of a batch, draw by draw; profile torchsisr looks at them, too."""
    draws = draws_of(predictor)
    for one in draws:
        guesses = {view: _predict(name, one, tiles) for view, tiles in views.items()}
        if detail is not None:
            detail.add(name, guesses, 1 / len(draws))
        yield guesses
