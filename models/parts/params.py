"""The ``params`` of an experiment, held against what a model knows."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.names import nearest, suggestion

if TYPE_CHECKING:
    from experiment import Experiment

_ABSENT = {"norm": "the generator of this model has no normalisation to choose"}


def read_params(experiment: Experiment, defaults: Mapping[str, Any]) -> SimpleNamespace:
    """The experiment's ``params`` over a model's defaults, as attributes.

    A default's type is the type asked for; a whole number stands for a real one. Numbers must
    be positive. A tuple names the choices, the default first.

    Raises:
        ConfigError: A parameter is unknown (the nearest is named), of another type, not positive
            or none of its choices (all are named, and the nearest).
    """
    for name, value in experiment.PARAMS.items():
        if name not in defaults:
            hint = _ABSENT.get(name) or suggestion(name, defaults)
            raise ConfigError(f"unknown parameter '{name}'", where=f"params.{name}", hint=hint)
        check = _check_choice if isinstance(defaults[name], tuple) else _check_param
        check(name, value, defaults[name])
    chosen = {k: v[0] if isinstance(v, tuple) else v for k, v in defaults.items()}
    return SimpleNamespace(**{**chosen, **experiment.PARAMS})


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    # By type too: true would pass for 1.
    if any(type(value) is type(choice) and value == choice for choice in choices):
        return
    *others, last = map(repr, choices)
    wanted = f"{', '.join(others)} or {last}" if others else last
    words = [choice for choice in choices if isinstance(choice, str)]
    near = nearest(str(value), words) if words else None
    hint = f"nearest: '{near}'" if near else None
    raise ConfigError(f"must be {wanted}, not {value!r}", where=f"params.{name}", hint=hint)


def _check_param(name: str, value: Any, default: Any) -> None:
    wanted = (int, float) if isinstance(default, float) else (type(default),)
    # Not isinstance: to it true is an int, and would pass for one block.
    if type(value) not in wanted:
        kinds = {float: "a number", int: "a whole number (int)", bool: "true or false (bool)"}
        kind = kinds.get(type(default), wanted[0].__name__)
        raise ConfigError(f"must be {kind}, not {value!r}", where=f"params.{name}")
    if type(value) is not bool and isinstance(value, int | float) and value <= 0:
        raise ConfigError(f"must be above 0, not {value!r}", where=f"params.{name}")
