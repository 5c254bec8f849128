"""The documents that one configuration is put together from, and the place of each key in them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sensor2sensor.config.jsonc import JsonDocument, Key, Place, Table, load_jsonc


@dataclass(frozen=True)
class Option(JsonDocument):
    """What one ``--set key.path=value`` says; ``text`` is that, as it was typed."""

    @property
    def inner(self) -> bool:
        """Whether it names a key within a table."""
        return "." in name_of(self.text)

    def names(self, key: Key) -> bool:
        """Whether it says something of a key."""
        found = self.data
        for part in key:
            if not (isinstance(found, dict) and part in found):
                return False
            found = found[part]
        # The empty key is the whole document, of which an option says nothing.
        return bool(key)

    def place_of(self, key: Key) -> Place:
        """``--set``: a command line has no lines."""
        return Place(0, 1, "--set")


@dataclass(frozen=True)
class Kept(JsonDocument):
    """What a run's own copy holds of the keys that ``--set`` named when the run began.

    Attributes:
        said: The options of then. They are not read again: what one means of a table that no file
            states has changed between versions, and what the run was trained with has not.
    """

    said: tuple[str, ...] = ()

    def names(self, key: Key) -> bool:
        """Whether it holds a key; the copy, of which it is a part, has them all."""
        return bool(key) and key[0] in self.data and super().names(key)


@dataclass(frozen=True)
class Composed(JsonDocument):
    """Several documents as one; ``path`` and ``text`` are those of the file asked for.

    Attributes:
        layers: The documents, uppermost first: what ``--set`` says, what a run keeps, the file,
            what it extends.
    """

    layers: tuple[JsonDocument, ...] = ()

    def names(self, key: Key) -> bool:
        """Whether one of the layers names a key."""
        return any(layer.names(key) for layer in self.layers)

    def place_of(self, key: Key) -> Place:
        """Where the value of a key comes from, or its nearest parent that a layer names."""
        while key:
            for rank, layer in enumerate(self.layers):
                if layer.names(key):
                    return layer.place_of(key)._replace(rank=rank)
                if _hides(layer, key):
                    break
            key = key[:-1]
        return Place(len(self.layers), 1, f"{self.path}:1")

    def drops(self, key: Key) -> bool:
        """Whether a key is null over a value; over nothing that is a mistake as in a file alone."""
        below = any(_at(layer.data, key) is not None for layer in self.layers)
        return below and _at(self.data, key) is None

    def without_nulls(self, never: Container[str], unknown: Callable[[Key], bool]) -> Composed:
        """The document without the nulls that drop what is inherited.

        Args:
            never: Keys that have a default and cannot be null; that of ``--set`` may lie over the
                default, too.
            unknown: Whether a key is none, or none any more.
        """

        def dropped(key: Key) -> bool:
            if unknown(key):
                return self.drops(key)
            said = any(isinstance(layer, Option) and layer.names(key) for layer in self.layers)
            return len(key) == 1 and key[0] in never and (said or self.drops(key))

        return replace(self, data=_without(self.data, (), dropped))

    @property
    def extended(self) -> tuple[Path, ...]:
        """The files that lie below, nearest first."""
        files = [layer.path for layer in self.layers if not isinstance(layer, (Option, Kept))]
        return tuple(files[1:])

    @property
    def options(self) -> tuple[str, ...]:
        """What ``--set`` said, in the order it was said: when the run began, and now."""
        then = [text for layer in self.layers if isinstance(layer, Kept) for text in layer.said]
        now = [layer.text for layer in reversed(self.layers) if isinstance(layer, Option)]
        return tuple(later_over(then, now) if then else now)


def kept_by_run(resolved: Path, said: Sequence[str]) -> Kept | None:
    """What lies above the files of a run that began with ``--set``; None where nothing was said.

    Args:
        resolved: The run's own copy of its settings.
        said: What ``--set`` said.

    Raises:
        ConfigError: The copy is missing or unreadable.
    """
    if not said:
        return None
    copy = load_jsonc(resolved)
    named = {name_of(text).split(".")[0] for text in said}
    data = {key: value for key, value in copy.data.items() if key in named}
    return Kept(resolved, data, copy.text, said=tuple(said))


def later_over(earlier: Iterable[str], later: Iterable[str]) -> list[str]:
    """Options of which the later replace the earlier ones of the same key."""
    kept: dict[str, str] = {}
    for text in (*earlier, *later):
        name = name_of(text)
        # At the end: one in between may name its parent, and would win in its old place.
        kept.pop(name, None)
        kept[name] = text
    return list(kept.values())


def name_of(option: str) -> str:
    """The key of ``key.path=value``."""
    return option.partition("=")[0].strip()


def _hides(layer: JsonDocument, key: Key) -> bool:
    """Whether a document has null, a number or the like where a key has its parent."""
    found = layer.data
    for part in key:
        if not isinstance(found, dict):
            return True
        if part not in found:
            return False
        found = found[part]
    return False


def _at(data: Any, key: Key) -> Any:
    """The value of a key; None where there is none."""
    for part in key:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _without(table: Table, above: Key, dropped: Callable[[Key], bool]) -> Table:
    """A table and those within it, less the nulls that are dropped."""
    made: Table = {}
    for name, value in table.items():
        key = (*above, name)
        if value is None and dropped(key):
            continue
        made[name] = _without(value, key, dropped) if isinstance(value, dict) else value
    return made
