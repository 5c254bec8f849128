"""Validation that reports every problem at once: file, line, key, expectation, nearest name."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError, WrapValidator
from pydantic_core import ErrorDetails, PydanticCustomError

from sensor2sensor.config.jsonc import JsonDocument, Key
from sensor2sensor.config.misspelt import FOREIGN
from sensor2sensor.core.errors import ConfigErrors
from sensor2sensor.core.names import suggestion

NONE: Mapping[str, str] = MappingProxyType({})
M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], document: JsonDocument) -> M:
    """Build ``model`` from a parsed file.

    Raises:
        ConfigErrors: All problems, one line each.
    """
    found: dict[Key, list[str]] = {}
    for key, message in document.problems:
        found.setdefault(key, []).append(message)
    made: M | None = None
    try:
        made = model.model_validate(document.data)
    except ValidationError as error:
        _add_problems(found, model, document, error.errors(include_url=False))
    if found or made is None:
        raise ConfigErrors(report(document, found))
    return made


def at_key(key: str, problem: str, others: Mapping[str, str] = NONE) -> PydanticCustomError:
    """What a validator over several keys raises, so that the line names the one to change.

    Args:
        key: The key.
        problem: What is wrong with it.
        others: What is wrong with further keys, where one of them was stated above it.
    """
    return PydanticCustomError(
        "at_key", "{problem}", {"problem": problem, "keys": {key: problem, **others}}
    )


def told_as(whole: str, one: str = "") -> WrapValidator:
    """Of a union: one sentence in the place of what each of its branches expects.

    Args:
        whole: What the value must be.
        one: What an entry of it must be, where it is a table: a wrong one is named.
    """

    def checked(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            table = value if isinstance(value, dict) else {}
            # The first part of a place is the branch, which is no key of the file.
            keys = [loc[1] for e in error.errors() if (loc := e["loc"])[1:] and loc[1] in table]
            if keys:
                problem = f"must be {one}, not {_shown(table[keys[0]])}"
                raise at_key(str(keys[0]), problem) from None
            raise ValueError(f"must be {whole}, not {_shown(value)}") from None

    return WrapValidator(checked)


def report(document: JsonDocument, found: Mapping[Key, Sequence[str]]) -> list[str]:
    """One line per key that has problems, in the order of the file."""
    places = sorted((document.place_of(key), key) for key in found)
    return [
        f"{place.where} {'.'.join(map(str, key)) or 'file'}: {' or '.join(found[key])}"
        for place, key in places
    ]


def _add_problems(
    found: dict[Key, list[str]],
    model: type[BaseModel],
    document: JsonDocument,
    errors: Iterable[ErrorDetails],
) -> None:
    unreadable = set(found)  # a NaN or a duplicate was replaced: what follows from it is noise
    for error in errors:
        key = _real_key(document.data, error["loc"])
        message = _message(model, key, error)
        if error["type"] == "at_key":
            inner, message = _uppermost(document, key, error["ctx"]["keys"])
            key = (*key, *inner)
        messages = found.setdefault(key, [])
        # A union reports every branch, often in equal words.
        if key not in unreadable and message not in messages:
            messages.append(message)


def _uppermost(document: JsonDocument, above: Key, said: Mapping[str, str]) -> tuple[Key, str]:
    """Of keys that contradict each other the one that was stated over the others."""
    keys = {tuple(name.split(".")): problem for name, problem in said.items()}
    # Of one document the first, which min keeps.
    return min(keys.items(), key=lambda entry: document.place_of((*above, *entry[0])).rank)


def _real_key(data: Any, location: tuple[int | str, ...]) -> Key:
    """Drop the parts pydantic adds for branches of a union: they are no keys of the file."""
    key: list[str | int] = []
    for part in location:
        if isinstance(data, dict):
            data = data.get(str(part))
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            break
        key.append(part)
    return tuple(key)


def _message(model: type[BaseModel], key: Key, error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        if len(key) == 1 and key[0] in FOREIGN:
            return f"unknown key; {FOREIGN[str(key[0])]}"
        candidates = [name for name in fields_of(model, key[:-1]) if name != "$schema"]
        return f"unknown key; {suggestion(str(key[-1]), candidates)}"
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "literal_error":
        return f"{error['input']!r} is not one of {error['ctx']['expected']}"
    if error["type"] in ("model_type", "dict_type"):  # whose words name our classes
        return f"must be an object {{...}}, not {_shown(error['input'])}"
    # pydantic's own words, which say nothing to who wrote the file.
    text = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = text.removeprefix("Input should be ")
    if text == error["msg"] or error["type"] == "value_error":
        return text if error["type"] == "value_error" else text[0].lower() + text[1:]
    return f"must be {text}, not {_shown(error['input'])}"


def _shown(value: Any) -> str:
    text = {True: "true", False: "false", None: "null"}.get(value) if _simple(value) else None
    shown = text if text is not None else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _simple(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def fields_of(model: type[BaseModel], path: Key) -> list[str]:
    """Valid key names of the object at ``path``."""
    current: type[BaseModel] | None = model
    for part in path:
        field = None if current is None else current.model_fields.get(str(part))
        current = None if field is None else _submodel(field.annotation)
    if current is None:
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _submodel(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return next((m for arg in get_args(annotation) if (m := _submodel(arg))), None)
    return None
