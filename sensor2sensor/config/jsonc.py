"""JSON with ``#`` and ``//`` comments, read strictly, with the line of every key at hand.

The standard library parses; comments are blanked first so that lines and columns stay true.
Positions come from composing the same text as YAML (every JSON text without tabs is one), and only
when there is something to report.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.slips import decoded, json_slip, on_every_python

MAX_BYTES = 1_000_000
MAX_DEPTH = 64  # the parser calls itself: deep text ends in a RecursionError
TOO_DEEP = f"nested more than {MAX_DEPTH} deep"

Key = tuple[str | int, ...]
Table = dict[str, Any]


class Place(NamedTuple):
    """Where a key stands; places sort in the order in which a user meets them.

    Attributes:
        rank: Of the document among those that make up a configuration.
        line: In that document.
        where: ``file:line``, for messages.
    """

    rank: int
    line: int
    where: str


@dataclass(frozen=True)
class JsonDocument:
    """A parsed file.

    Attributes:
        path: Where it was read.
        data: The content; of a duplicate key the first value.
        text: The text with comments blanked.
        problems: Duplicate keys and non-finite numbers as (key path, message).
        opened: What ``--set`` says of tables that no file states and that begin with their
            default, by table.
    """

    path: Path
    data: Any
    text: str
    problems: tuple[tuple[Key, str], ...] = field(default=())
    opened: Table = field(default_factory=dict)

    @property
    def extended(self) -> tuple[Path, ...]:
        """The files below it whose settings it has taken over, nearest first."""
        return ()

    @property
    def options(self) -> tuple[str, ...]:
        """What ``--set`` said above it."""
        return ()

    def drops(self, key: Key) -> bool:
        """Whether a key is null to drop the value that it had below."""
        return False

    @cached_property
    def lines(self) -> dict[Key, int]:
        """Line (from 1) of each key path."""
        return dict(_positions(self.text))

    def line_of(self, key: Key) -> int:
        """Line of the key, or of its nearest parent that the file names."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def names(self, key: Key) -> bool:
        """Whether the file holds a key."""
        return key in self.lines

    def place_of(self, key: Key) -> Place:
        """Where the key stands, or its nearest parent that the file names."""
        line = self.line_of(key)
        return Place(0, line, f"{self.path}:{line}")


def load_jsonc(path: Path, example: str | None = None) -> JsonDocument:
    """Read a configuration file.

    Args:
        path: The file.
        example: Where a file of its kind that works is found; the hint where no slip is likely.

    Raises:
        ConfigError: Missing, not readable, too large, too deep, not UTF-8, or not JSON; with line,
            column and the likely slip.
    """
    text = blank_comments(_text(path))
    if (line := _deep_line(text)) is not None:
        raise ConfigError(TOO_DEEP, where=f"{path}:{line}", hint=example)
    try:
        data = json.loads(text, object_pairs_hook=_Pairs, parse_int=_whole)
    except json.JSONDecodeError as raised:
        error = on_every_python(raised)
        where = f"{path}:{error.lineno}:{error.colno}"
        hint = json_slip(text, error.pos, error.msg) or example
        raise ConfigError(f"not JSON: {error.msg}", where=where, hint=hint) from None
    if not isinstance(data, _Pairs):
        raise ConfigError("must be one JSON object {...}", where=path, hint=example)
    problems: list[tuple[Key, str]] = []
    plain = _plain(data, (), problems)
    return JsonDocument(Path(path), plain, text, tuple(problems))


def parsed_value(text: str, key: Key) -> tuple[Any, tuple[tuple[Key, str], ...]]:
    """One JSON value, as strictly as a file's.

    Returns:
        The value, and its problems under ``key`` as those of a :class:`JsonDocument`.

    Raises:
        json.JSONDecodeError: It is no JSON.
    """
    if _deep_line(text, len(key)) is not None:
        # Of a key of so many parts the first will do.
        return None, ((key[:1], TOO_DEEP),)
    problems: list[tuple[Key, str]] = []
    data = json.loads(text, object_pairs_hook=_Pairs, parse_int=_whole)
    return _plain(data, key, problems), tuple(problems)


def _text(path: Path) -> str:
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise ConfigError("no such file", where=path) from None
    except IsADirectoryError:
        raise ConfigError("is a folder, not a file", where=path) from None
    except OSError as error:  # another user's, or on a share that is gone
        raise ConfigError(f"cannot be read ({error.strerror})", where=path) from None
    if len(raw) > MAX_BYTES:
        problem = f"{len(raw)} bytes; a configuration has at most {MAX_BYTES}"
        raise ConfigError(problem, where=path)
    return decoded(raw, path, ConfigError)


def blank_comments(text: str) -> str:
    """Replace comments, and tabs outside strings, by spaces; every character keeps its place."""
    out: list[str] = []
    index, in_string = 0, False
    while index < len(text):
        char = text[index]
        if in_string:
            step = 2 if char == "\\" else 1  # \" does not end the string
            out.append(text[index : index + step])
            in_string = char != '"'
            index += step
        elif char == "#" or text.startswith("//", index):
            end = text.find("\n", index)
            end = len(text) if end < 0 else end
            out.append(" " * (end - index))
            index = end
        else:
            in_string = char == '"'
            out.append(" " if char == "\t" else char)
            index += 1
    return "".join(out)


def _deep_line(text: str, depth: int = 0) -> int | None:
    """The line at which a text within so many tables is too deep; None where it is not."""
    in_string, escaped, line = False, False, 1
    if depth > MAX_DEPTH:
        return line
    for char in text:
        line += char == "\n"
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return line
        elif char in "]}":
            depth -= 1
    return None


def _whole(text: str) -> int | float:
    """A whole number; infinity, which is refused with its line, where no double could hold it."""
    # Beyond 308 digits it is infinite; int() would refuse 4300 of them in words of its own.
    number = float(text)
    return int(text) if math.isfinite(number) else number


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, duplicates included, so that these are reported with their path."""


def _plain(value: Any, key: Key, problems: list[tuple[Key, str]]) -> Any:
    if isinstance(value, _Pairs):
        made: dict[str, Any] = {}
        for name, item in value:
            if name in made:
                problems.append(((*key, name), "given twice; keep one"))
                continue
            made[name] = _plain(item, (*key, name), problems)
        return made
    if isinstance(value, list):
        return [_plain(item, (*key, index), problems) for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        problems.append((key, f"{value} is not a finite number"))
        # Some number, so that the schema goes on and finds what else is wrong.
        return 0.0
    return value


def _positions(text: str) -> Iterator[tuple[Key, int]]:
    """Key path and line of every node; of duplicates the last."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except YAMLError:  # a JSON string that YAML reads otherwise: positions are a courtesy
        return
    yield from _walk(root, ())


def _walk(node: Any, key: Key) -> Iterator[tuple[Key, int]]:
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    if isinstance(node, MappingNode):
        for name, value in node.value:
            yield (*key, name.value), name.start_mark.line + 1
            yield from _walk(value, (*key, name.value))
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield (*key, index), value.start_mark.line + 1
            yield from _walk(value, (*key, index))
