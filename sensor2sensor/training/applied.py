"""A generator as it is applied: what of its training mode it keeps.

``inference_statistics`` and ``inference`` of an experiment say it together. Batch normalisation
takes the moments that stand for the training tiles (``train``), those of each image (``image``), or
those of the batch it is given (``batch``); dropout is off, or on and drawn from the seed. Isola et
al. 2017, section 3.3, keep both as in training.

Whatever is applied, no variable of the network is changed by it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import tensorflow as tf

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.predictors.draws import Draws
from sensor2sensor.predictors.given import given_at_once
from sensor2sensor.predictors.model import model_predictor
from sensor2sensor.predictors.protocol import Predictor
from sensor2sensor.training.layer_modes import (
    Generator,
    Kind,
    batchnorms,
    by_batch,
    by_moments,
    by_name,
    dropouts,
    in_training,
    kept,
    run_eagerly,
    untrained,
)

logger = logging.getLogger(__name__)


def at_inference(
    generator: Any, kind: Kind, *, dropout: bool = False, seed: int = 0, draw: int = 0
) -> Generator:
    """The generator as it is applied: itself, or one parts of which run as in training.

    Args:
        generator: A built network.
        kind: Whose moments batch normalisation takes.
        dropout: Whether dropout stays on.
        seed: The experiment's, for what is drawn.
        draw: Number of the draw.

    Raises:
        ConfigError: Dropout is asked for, and the network has no such layer.
    """
    if dropout and not dropouts(generator):
        raise ConfigError(
            "the generator has no dropout layer that could stay on",
            where="inference.dropout",
            hint="set it to false, or take a model that has one, as pix2pix",
        )
    # Isola et al. 2017, section 3.3: with batches of one this is instance normalisation.
    if dropout or (kind != "train" and batchnorms(generator)):
        return Applied(generator, kind, (seed, draw) if dropout else None)
    plain: Generator = generator
    return plain


class Applied:
    """A generator whose batch normalisation or dropout runs as in training.

    Image by image, so that none depends on its neighbours; by ``batch`` the batch that is given.
    A draw of dropout is one of seed, number, name of the image, and layer: the same whatever else
    is predicted before it or with it.

    Args:
        generator: A built network.
        kind: Whose moments batch normalisation takes.
        drawn: Seed and number of the draw; None: no dropout.

    Attributes:
        by_name: Whether names of the images are needed.
    """

    def __init__(self, generator: Any, kind: Kind, drawn: tuple[int, int] | None = None) -> None:
        self._generator, self._kind, self._drawn = generator, kind, drawn
        self._layers: tuple[list[Any], list[Any]] | None = None
        self.by_name = drawn is not None

    def __call__(
        self, images: Any, *, training: bool = False, names: Sequence[str] | None = None
    ) -> tf.Tensor:
        """Predict ``[B, H, W, Ct]``; ``names`` is one for each image."""
        if training:
            raise ValueError("this is the generator at inference")
        if self._layers is None:
            self._layers = self._found(images[:1])
        names = names or [""] * len(images)
        if self._kind == "batch":
            return self._predict(images, names)
        pairs = zip(images, names, strict=True)
        return tf.concat([self._predict(x[tf.newaxis], [name]) for x, name in pairs], axis=0)

    def _found(self, image: Any) -> tuple[list[Any], list[Any]]:
        """Layers of batch normalisation and of dropout that run as in training."""
        norms = [] if self._kind == "train" else batchnorms(self._generator)
        drops = [] if self._drawn is None else dropouts(self._generator)
        norms = by_moments(norms, self._generator, image) if norms else []
        return norms, in_training(drops, self._generator, image) if drops else []

    def _predict(self, images: Any, names: Sequence[str]) -> tf.Tensor:
        assert self._layers is not None, "found at the first call"
        norms, drops = self._layers
        states = [layer.seed_generator.state for layer in drops]
        with (
            kept([*untrained(self._generator), *states]),
            by_batch(norms) if norms else nullcontext(),
            by_name(drops, self._drawn or (), names),
        ):
            return run_eagerly(self._generator, images, training=False)


def applied_generator(experiment: Any, generator: Any, draw: int = 0) -> Generator:
    """A built generator as its experiment applies it; see :func:`at_inference`."""
    config = experiment.config
    if draw == 0 and config.inference.norm == "batch" and not batchnorms(generator):
        logger.warning("inference.norm: 'batch' changes nothing, there is no batch normalisation")
    drawn = {"seed": experiment.SEED, "draw": draw}
    return at_inference(
        generator, config.applied_statistics, dropout=config.inference.dropout, **drawn
    )


def undrawn(baseline: Predictor, draws: int | None) -> Predictor:
    """A baseline, which is the same each time.

    Raises:
        ConfigError: Draws of it are asked for.
    """
    if draws is not None:
        raise ConfigError("a baseline draws nothing", where="--draws", hint="leave it out")
    return baseline


def applied_predictor(
    experiment: Any, generator: Any, draws: int | None = None, *, discriminator: Any = None
) -> Predictor:
    """A generator with its weights restored, applied to tiles as its experiment says.

    Args:
        experiment: The experiment.
        generator: The built network.
        draws: How many draws of its dropout; None: one, or none where there is no dropout.
        discriminator: That of its model, for :func:`given_at_once`.

    Raises:
        ConfigError: Draws are asked for where dropout is off, or there is no such layer.
    """
    if draws is not None and not experiment.config.inference.dropout:
        raise ConfigError(
            "without dropout every draw is the same",
            where="--draws",
            hint="add --set inference.dropout=true",
        )
    given = given_at_once(experiment, generator, discriminator)
    made = [
        model_predictor(experiment, applied_generator(experiment, generator, draw), given)
        for draw in range(draws or 1)
    ]
    return made[0] if len(made) == 1 else Draws(made)
