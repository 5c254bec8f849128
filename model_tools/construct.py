"""Constructing any model with the first settings it accepts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiment import Experiment
from model_tools.probe import Probe, experiment
from models.loading import import_modules
from sensor2sensor.config.environment import Environment
from sensor2sensor.config.experiment_file import located
from sensor2sensor.config.model_defaults import own_defaults
from sensor2sensor.config.network_settings import DiscriminatorSettings
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline.precision import computing_in

# In the order of trying: as most models want it, then what the others do.
_NORMALISATIONS = ("symmetric", "minmax")
_DISCRIMINATORS = (DiscriminatorSettings(), None)
# The probing data sets have no radar (dsen2cr).
_WITHOUT: tuple[dict[str, Any], ...] = ({}, {"sar": False})
SIZE_PX, WIDTH = 64, 0.1
_PROBES = {"3 bands": False, "21 bands": True}


def construct(gan_class: type, *, width: float = 1.0, **settings: Any) -> tuple[Any, Probe]:
    """A model and the probing experiment it was made with.

    A model may refuse settings that do not suit it: a normalisation that leaves its output's
    bounds, losses of a discriminator that it has not, a parameter it does not know.

    Args:
        gan_class: The model's class GAN.
        width: Its parameter of that name, where it has one.
        **settings: Further arguments of :func:`model_tools.probe.experiment`.

    Raises:
        ConfigError: It refuses everything that was tried; the first refusal.
    """
    widths: list[dict[str, Any]] = [{}] if width == 1.0 else [{"width": width}, {}]
    parameters = [{**one, **without} for one in widths for without in _WITHOUT]
    refusals: list[ConfigError] = []
    for losses, normalisation, discriminator, params in itertools.product(
        _losses(gan_class), _NORMALISATIONS, _DISCRIMINATORS, parameters
    ):
        chosen = {"normalisation": normalisation, "discriminator": discriminator, **losses}
        chosen |= settings
        made = experiment(params=params, **chosen)
        try:
            return gan_class(made), made
        except ConfigError as refusal:
            refusals.append(refusal)
    raise refusals[0]


def _losses(gan_class: type) -> list[dict[str, Any]]:
    """The general losses, then those that a model states, which may take no others."""
    stated = own_defaults(gan_class, {})
    own = {key.partition(".")[2]: w for key, w in stated.items() if key.startswith("gen_loss.")}
    return [{}, {"gen_loss": own}] if any(own.values()) else [{}]


def makers(
    gan_class: type, exp: str | None, environment: Environment, logs: Path
) -> dict[str, Callable[[], tuple[Any, Experiment]]]:
    """By label, functions that construct a model for its check, with what it is constructed with.

    Args:
        gan_class: The model's class GAN.
        exp: An experiment of the user whose settings are taken; None: small probing experiments.
        environment: Where that experiment lies.
        logs: Folder for a model's own summaries.
    """
    if exp is not None:
        return {exp: lambda: _of_user(gan_class, exp, environment, logs)}
    return {
        # Bound as a default: a closure would see the loop's last value.
        label: lambda sentinel3=sentinel3: construct(
            gan_class, width=WIDTH, size=SIZE_PX, sentinel3=sentinel3, logs=logs
        )
        for label, sentinel3 in _PROBES.items()
    }


def _of_user(
    gan_class: type, exp: str, environment: Environment, logs: Path
) -> tuple[Any, Experiment]:
    chosen = Experiment(exp, environment)
    import_modules(chosen.config.modules, environment.models_root)
    chosen = chosen.suited_to(gan_class, lambda line: None)
    chosen.output.LOGS = str(logs)  # nothing may land in the experiment's own folders
    with located(chosen.document), computing_in(chosen.config.precision):
        return gan_class(chosen), chosen
