"""Defaults that a model states for keys which an experiment leaves open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from sensor2sensor.config.compose import merged
from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.jsonc import JsonDocument, Table
from sensor2sensor.config.validate import fields_of
from sensor2sensor.config.vocabulary import LOSSES, adversarial
from sensor2sensor.config.weights import SIDES, without_dropped
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
        ModelContractError: There is no such key, or it cannot have that value.
        ConfigError: No loss is left.
    """
    # What is written stands, even where it is written as the default; of a table that ``--set``
    # alone speaks of, the keys it names.
    written = frozenset(config.model_fields_set)
    sides = [side for side in SIDES if side in written]
    config = config.model_copy(update={s: without_dropped(getattr(config, s)) for s in sides})
    changes: Table = {}
    lines: list[str] = []
    for name, wanted in defaults.items():
        key, _, inner = str(name).partition(".")
        table = document.opened.get(key)
        within = inner and table is not None and inner not in table
        if key in written and not within:
            continue
        if not (_is_inner(key, inner) if inner else key in ExperimentFile.model_fields):
            raise _refused(config, f"experiment.json has no key '{name}'")
        if key == "gen_loss" and config.discriminator is None and adversarial(inner):
            wanted = None  # the experiment has no discriminator for it
        before: Any = getattr(config, key)
        old = getattr(before, inner, None) if inner else before
        if old == wanted:
            continue
        if inner:
            stated = before.model_dump(exclude_unset=True)
            changes = merged({key: stated, **changes}, {key: {inner: wanted}})
        else:
            changes[key] = wanted
        shown = _shown(config, name, wanted), _shown(config, name, old)
        lines.append(f"{name} is {shown[0]}: its default {shown[1]} does not suit the model")
    return (_changed(config, changes) if changes else config), lines


def _is_inner(key: str, inner: str) -> bool:
    """Whether a table has a key; one of losses has what the user's modules declare, too."""
    return inner in fields_of(ExperimentFile, (key,)) or (key in SIDES and inner in LOSSES)


def _changed(config: ExperimentFile, changes: Table) -> ExperimentFile:
    """The settings with those of a model, held to what those of a file are."""
    given = config.model_dump(exclude_unset=True)
    try:
        return ExperimentFile.model_validate({**given, **changes})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["loc"] == ("gen_loss",) and first["type"] == "value_error":
            raise ConfigError(str(first["ctx"]["error"]), where="gen_loss") from None
        named = ".".join(map(str, first["loc"])) or next(iter(first.get("ctx", {}).get("keys", ())))
        raise _refused(config, f"{named}: {first['msg']}") from None


def _shown(config: ExperimentFile, name: str, value: Any) -> str:
    """A value as JSON, of a table what it states."""
    try:
        return json.dumps(to_jsonable_python(value, exclude_none=True))
    except PydanticSerializationError as error:
        raise _refused(config, f"{name} is no JSON: {error}") from None


def _refused(config: ExperimentFile, problem: str) -> ModelContractError:
    return ModelContractError(problem, where=f"{config.model_name}: GAN.experiment_defaults")
