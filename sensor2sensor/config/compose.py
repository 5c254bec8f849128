"""One configuration out of several: files that extend each other, and ``--set`` above them.

What lies above wins key by key: objects are merged, everything else (null and lists, too) replaces
what it lies over. Null over a key that cannot be null drops it, so that its default holds.
What a run was begun with by ``--set`` lies above its files as a whole, as its own copy has it.
A table of which only ``--set`` names keys is its default but for these keys; one that a file states
is what the file names.
Every message still names the file and line, or the ``--set``, that is to change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.config.jsonc import JsonDocument, Key, Table, parsed_value
from sensor2sensor.config.layers import Composed, Kept, Option, name_of
from sensor2sensor.config.validate import report
from sensor2sensor.core.errors import ConfigErrors, InputError
from sensor2sensor.core.names import nearest, suggestion
from sensor2sensor.core.paths import expanded, fault_of

EXTENDS = "extends"
OWN = (EXTENDS, "$schema")
Read = Callable[[Path], JsonDocument]
Defaults = Callable[[Table], Mapping[str, Table]]


def _no_defaults(data: Table) -> Mapping[str, Table]:
    return {}


def compose(
    path: Path,
    read: Read,
    options: Sequence[str] = (),
    defaults: Defaults = _no_defaults,
    kept: Kept | None = None,
) -> JsonDocument:
    """Read a file with all it extends, under what ``--set`` says.

    Args:
        path: The file.
        read: Reads one file.
        options: ``key.path=value``, the later above the earlier.
        defaults: Default of each table that has one, given all that is said.
        kept: What a run that is resumed began with, between the options and the files.

    Raises:
        ConfigError: One of the files is missing or unreadable.
        ConfigErrors: A value is given twice or is not finite, ``extends`` leads nowhere or in a
            circle, or an option says nothing that can be set.
    """
    chain = _chain(path, read)
    above = [_option(text) for text in options]
    # Uppermost first: of two options of one key the later counts.
    layers = (*reversed(above), *([kept] if kept else []), *chain)
    if len(layers) == 1:
        return chain[0]
    found = [_problems(layer) for layer in layers if layer.problems]
    if found:
        raise ConfigErrors([line for lines in found for line in lines])
    data: Table = {}
    for document in reversed(chain):
        # Of each file for itself: extends has led here, and editors follow $schema.
        own = (EXTENDS,) if document is chain[0] else OWN
        data = merged(data, {key: v for key, v in document.data.items() if key not in own})
    if kept:  # whole tables, not merged: of params the file may name more than was dropped
        data |= kept.data
    # Twice: what a table's default is may hang on a later option (discriminator=null).
    said, _ = _under(data, above, {})
    data, opened = _under(data, above, defaults(said))
    return Composed(path, data, chain[0].text, opened=opened, layers=layers)


def _under(
    data: Table, options: Sequence[Option], defaults: Mapping[str, Table]
) -> tuple[Table, Table]:
    """Data under options, and what these say of tables that begin with their default."""
    opened: Table = {}
    for option in options:
        _refuse_inside_a_value(data, option)
        ((name, said),) = option.data.items()
        if option.inner and data.get(name) is None and name in defaults:
            data, opened = {**data, name: defaults[name]}, {**opened, name: {}}
        if name in opened:
            opened = merged(opened, option.data)
        data = merged(data, option.data)
        if said is None:  # drops the table, or is its value
            opened.pop(name, None)
    return data, opened


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two objects as one: ``above`` wins, and only objects are merged with objects."""
    made = dict(below)
    for key, value in above.items():
        under = made.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            value = merged(under, value)
        made[key] = value
    return made


def _problems(document: JsonDocument) -> list[str]:
    return report(document, {key: [message] for key, message in document.problems})


def _chain(path: Path, read: Read) -> list[JsonDocument]:
    """The file and all below it, nearest first."""
    chain = [read(path)]
    while (named := chain[-1].data.get(EXTENDS)) is not None:
        last = chain[-1]
        fault = "must be the path of a file" if not isinstance(named, str) or not named else None
        # From the file that says it, not from the working folder.
        below = last.path if fault else Path(os.path.normpath(last.path.parent / expanded(named)))
        if fault := fault or _fault(named, below, chain):
            raise ConfigErrors(report(last, {(EXTENDS,): [fault]}))
        chain.append(read(below))
    return chain


def _fault(named: str, below: Path, chain: Sequence[JsonDocument]) -> str | None:
    """Why a file cannot be extended, as the end of a sentence."""
    if fault := fault_of(below, typed=True):
        return fault
    if below.is_dir():
        return f"{below} is a folder; name the file in it"
    if not below.is_file():
        if not below.parent.is_dir():
            relative = f"a path is relative to {chain[-1].path}{_elsewhere(named, chain[-1].path)}"
            return f"no such file {below}; there is no folder {below.parent}; {relative}"
        there = [found.name for found in below.parent.glob("*.json")]
        return f"no such file {below}; {suggestion(below.name, there)}"
    # A link, or the same path spelled otherwise, closes the circle too.
    if any(below.samefile(document.path) for document in chain):
        home = chain[0].path.parent
        names = [os.path.relpath(p, home) for p in (*(d.path for d in chain), below)]
        return f"leads back to where it began: {' -> '.join(names)}"
    return None


def _elsewhere(named: str, path: Path) -> str:
    """The nearest to what is named: as if from a folder above, else a file beside ``path``."""
    home = path.parent
    places = (above / named / file for above in home.parents for file in ("", "experiment.json"))
    found = next((place for place in places if place.is_file()), None)
    near = nearest(named, (beside.name for beside in home.glob("*.json") if beside != path))
    shown = os.path.relpath(found, home) if found else near
    return f"; nearest: '{shown}'" if shown else ""


def _option(text: str) -> Option:
    name, equals, said = text.partition("=")
    parts = name.strip().split(".")
    if not equals or not all(parts):
        raise InputError(f"--set '{text}' is not key.path=value", hint="as in --set steps=500")
    if parts[0] in OWN:
        raise InputError(f"--set {parts[0]}: is read from files alone", hint="write it there")
    key = tuple(parts)
    value, problems = _value(said, key)
    for part in reversed(parts):
        value = {part: value}
    return Option(Path("--set"), value, text, problems)


def _value(said: str, key: Key) -> tuple[Any, tuple[tuple[Key, str], ...]]:
    """A value as JSON, or as text where it is none: a data set's name needs no quotes."""
    try:
        return parsed_value(said, key)
    except json.JSONDecodeError:
        return said, ()


def _refuse_inside_a_value(data: Mapping[str, Any], option: Option) -> None:
    """Refuse a key below a list or a number, which has none.

    Raises:
        ConfigErrors: It is below one; a null gives way, as ``discriminator`` to its ``steps``.
    """
    path = name_of(option.text).split(".")
    found: Any = data
    for depth, part in enumerate(path[:-1], start=1):
        found = found.get(part)
        if found is None:
            return
        if not isinstance(found, dict):
            kind = "a list" if isinstance(found, list) else json.dumps(found)
            above = ".".join(path[:depth])
            problem = f"--set {'.'.join(path)}: {above} is {kind}; set {above} as a whole"
            raise ConfigErrors([problem])
