"""Constructing any model with the first settings it accepts."""

from __future__ import annotations

import itertools
from typing import Any

from models.tools import probe
from sensor2sensor.config.experiment_file import DiscriminatorSettings
from sensor2sensor.core.errors import ConfigError

# In the order of trying: as most models want it, then what the others do.
_NORMALISATIONS = ("symmetric", "minmax")
_DISCRIMINATORS = (DiscriminatorSettings(), None)


def construct(gan_class: type, *, width: float = 1.0, **settings: Any) -> Any:
    """``gan_class(experiment)`` with a probing experiment.

    A model may refuse settings that do not suit it: a normalisation that leaves its output's
    bounds, losses of a discriminator that it has not, a parameter it does not know.

    Args:
        gan_class: The model's class GAN.
        width: Its parameter of that name, where it has one.
        **settings: Further arguments of :func:`models.tools.probe.experiment`.

    Raises:
        ConfigError: It refuses everything that was tried; the first refusal.
    """
    parameters: list[dict[str, float]] = [{}] if width == 1.0 else [{"width": width}, {}]
    refusals: list[ConfigError] = []
    for normalisation, discriminator, params in itertools.product(
        _NORMALISATIONS, _DISCRIMINATORS, parameters
    ):
        chosen = {"normalisation": normalisation, "discriminator": discriminator, **settings}
        try:
            return gan_class(probe.experiment(params=params, **chosen))
        except ConfigError as refusal:
            refusals.append(refusal)
    raise refusals[0]
