"""``sensor2sensor/config/declared.py``: what losses and metrics declare, free of TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.objectives import registry as losses
from sensor2sensor.config import declared
from sensor2sensor.core import files
from sensor2sensor.metrics import registry as metrics

PATH = Path(declared.__file__)
COMMAND = "python -m models terms"
LINE = 90  # characters of fields side by side
_HEAD = f'''"""Losses and metrics of this repository, written by `{COMMAND}`: change none here."""
# fmt: off
# ruff: noqa: E501

from __future__ import annotations

from typing import Any
'''


def write_terms(*, only_check: bool, say: Callable[[str], None]) -> int:
    """Write the table anew, or only say whether it is up to date (1 if not)."""
    text = terms()
    if text == PATH.read_text(encoding="utf-8"):
        say("up to date")
        return 0
    if only_check:
        say(f"{PATH.name} is not what `{COMMAND}` would write")
        return 1
    files.write_text(PATH, text)
    say(f"{PATH.name} written")
    return 0


def terms() -> str:
    """The table's text."""
    tables = {"LOSSES": losses.DECLARED, "METRICS": metrics.DECLARED}
    parts = [_HEAD]
    for name, entered in tables.items():
        entries = _ordered(entered, getattr(declared, name))
        lines = "".join(f"    {_literal(entry)},\n" for entry in entries)
        parts.append(f"{name}: tuple[dict[str, Any], ...] = (\n{lines})\n")
    return "\n".join(parts)


def _ordered(
    entered: Mapping[str, Any], before: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What is declared here, in the order of the table as it is, what is new behind it.

    Names keep their places: columns of tables stand in this order, and losses are summed in it,
    where another order would round otherwise.
    """
    own = {name: asdict(info) for name, info in entered.items() if _is_own(name, entered)}
    known = [entry["name"] for entry in before if entry["name"] in own]
    return [own[name] for name in dict.fromkeys([*known, *own])]


def _is_own(name: str, entered: Mapping[str, Any]) -> bool:
    """Whether a name is declared in this repository and not in a module of the user's."""
    table = losses.REGISTRY if entered is losses.DECLARED else metrics.REGISTRY
    return table[name].__module__.startswith(("models.objectives.", "sensor2sensor.metrics."))


def _literal(entry: Mapping[str, Any]) -> str:
    lines: list[str] = []
    for key, value in entry.items():
        field = f'"{key}": {_value(value)},'
        if lines and len(lines[-1]) + len(field) < LINE:
            lines[-1] += f" {field}"
        else:
            lines.append(field)
    return "{\n        " + "\n        ".join(lines) + "\n    }"


def _value(value: Any) -> str:
    # Sorted: the order of a set differs between processes, and the file is compared.
    if isinstance(value, frozenset):
        return f"({''.join(f'{json.dumps(one)}, ' for one in sorted(value)).rstrip()})"
    return json.dumps(value, ensure_ascii=False)
