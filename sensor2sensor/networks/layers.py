"""The layers that a network holds, at any depth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

_HOLDERS = (keras.layers.Layer, Mapping, list, tuple, set)


def held_layers(network: Any) -> list[Any]:
    """A network, its layers and theirs, each once, in the order they are held.

    A layer of the user's may hold others in an attribute, a list or a mapping. Keras' public
    ``layers`` knows those of models only, so the attributes themselves are looked through.
    """
    return list(_within(network, set()))


def _within(value: Any, seen: set[int]) -> Iterator[Any]:
    """The layers that a layer, list or mapping holds, itself included."""
    # By identity: lists have no hash, and a layer may hold the model that holds it.
    if id(value) in seen:
        return
    seen.add(id(value))
    held: Iterable[Any] = ()
    if isinstance(value, keras.layers.Layer):
        yield value
        # Keras lists the layers of a set in the order of their ids, so the set must come before.
        # Of a layer's hundred attributes few hold anything: the rest is not walked into.
        held = [item for item in vars(value).values() if isinstance(item, _HOLDERS)]
        held.sort(key=lambda item: not _holds_set(item))
    elif isinstance(value, Mapping):
        held = list(value.values())
    elif isinstance(value, list | tuple):
        held = list(value)
    elif isinstance(value, set):
        held = sorted(value, key=_numbered)
    for item in held:
        yield from _within(item, seen)


def _holds_set(value: Any) -> bool:
    """Whether there are layers in a set, or in a set that a list or mapping holds."""
    if isinstance(value, Mapping):
        return any(map(_holds_set, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_set, value))
    return isinstance(value, set) and any(isinstance(x, keras.layers.Layer) for x in value)


def _numbered(item: Any) -> list[str | int]:
    """A layer's name, its counter as a number: "norm_9" comes before "norm_10"."""
    parts = re.split(r"(\d+)", getattr(item, "name", ""))
    return [int(part) if part.isdecimal() else part for part in parts]
