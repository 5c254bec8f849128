"""Defaults that a model states for keys which an experiment leaves open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.jsonc import JsonDocument
from sensor2sensor.core.errors import ConfigError, ModelContractError


def suited_config(
    config: ExperimentFile, document: JsonDocument, gan_class: type
) -> ExperimentFile:
    """The settings with the defaults of a model (``GAN.experiment_defaults``), if it has any."""
    return suited(config, document, own_defaults(gan_class, config.params))[0]


def own_defaults(gan_class: type, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a model states in ``GAN.experiment_defaults(params)``; empty where it states none."""
    stated = getattr(gan_class, "experiment_defaults", None)
    return {} if stated is None else stated(params)


def suited(
    config: ExperimentFile, document: JsonDocument, defaults: Mapping[str, Any]
) -> tuple[ExperimentFile, list[str]]:
    """Give keys that ``experiment.json`` leaves open the defaults of a model.

    Args:
        config: The experiment's settings.
        document: What they were read from.
        defaults: What the model wants, by key (``normalisation``, ``gen_loss.gen_gan``).

    Returns:
        The settings, and a line for each change.

    Raises:
        ModelContractError: There is no such key.
        ConfigError: No loss is left.
    """
    # What is written stands, even where it is written as the default; of a table that ``--set``
    # alone speaks of, the keys it names.
    written, lines = frozenset(config.model_fields_set), []
    for name, wanted in defaults.items():
        key, _, inner = name.partition(".")
        table = document.opened.get(key)
        within = inner and table is not None and inner not in table
        if key in written and not within:
            continue
        before: Any = getattr(config, key, None)
        if key not in ExperimentFile.model_fields or (inner and not hasattr(before, inner)):
            where = f"{config.model_name}: GAN.experiment_defaults"
            raise ModelContractError(f"experiment.json has no key '{name}'", where=where)
        old = getattr(before, inner) if inner else before
        if old == wanted:
            continue
        # Not validated anew: a model answers for its own defaults.
        value = before.model_copy(update={inner: wanted}) if inner else wanted
        config = config.model_copy(update={key: value})
        shown = json.dumps(wanted), json.dumps(old)
        lines.append(f"{name} is {shown[0]}: its default {shown[1]} does not suit the model")
    if lines and not any(weight for _, weight in config.gen_loss):
        raise ConfigError("every weight is null or 0: nothing to train on", where="gen_loss")
    return config, lines
