"""Selections: which scenes of an inventory the user accepted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sensor2sensor.config.environment import Environment
from sensor2sensor.config.jsonc import load_jsonc
from sensor2sensor.config.validate import validate
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.paths import expanded, fault_of

EXAMPLE = "the contact sheet of step 30 writes such files"
SceneId = Annotated[int, Field(ge=0)]


class SelectionFile(BaseModel):
    """The keys of a selection file."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, title="selection"
    )

    schema_: str | None = Field(
        default=None, alias="$schema", description="JSON Schema for editors"
    )
    inventory: str = Field(description="Name of the inventory, for example inv_T17XNA_10h")
    s2_indices: list[SceneId] = Field(description="Ids of the accepted Sentinel-2 scenes")
    products: dict[str, str] = Field(
        default_factory=dict, description="Product name by id, as reviewed; checked if given"
    )

    @field_validator("s2_indices")
    @classmethod
    def _not_empty_no_duplicates(cls, value: list[int]) -> list[int]:
        if not value:
            raise ValueError("selects no scene")
        twice = sorted({scene for scene in value if value.count(scene) > 1})
        if twice:
            raise ValueError(f"ids given twice: {', '.join(map(str, twice))}")
        return value

    @field_validator("products")
    @classmethod
    def _ids_are_numbers(cls, value: dict[str, str]) -> dict[str, str]:
        wrong = sorted(key for key in value if not re.fullmatch(r"[0-9]+", key))
        if wrong:
            raise ValueError(f"keys must be ids, not {', '.join(wrong)}")
        return value


@dataclass(frozen=True)
class Selection:
    """The accepted scenes of one inventory.

    Attributes:
        name: The file's name without ``.json``.
        inventory: Name of the inventory.
        s2_indices: Ids of scenes, in the order of the file.
        products: Product name by id as it was when reviewed; may be empty.
    """

    name: str
    inventory: str
    s2_indices: tuple[int, ...]
    products: dict[int, str] = field(default_factory=dict)

    def first(self, count: int | None) -> Selection:
        """The selection of the first scenes alone, in the order of their ids; None: of all."""
        if count is None:
            return self
        return replace(self, s2_indices=tuple(sorted(self.s2_indices)[:count]))


def selection_path(name_or_path: str, env: Environment) -> Path:
    """The file a ``--selection`` means: a path, or a name inside ``_inventory``.

    The name may bear its ``.json``.

    Raises:
        InputError: Neither exists; the nearest name, or file beside that path, is given.
    """
    named = env.inventory_dir / f"{name_or_path.removesuffix('.json')}.json"
    given = expanded(name_or_path)
    # The inventory's folder first: a file of that name in the working folder is chance.
    for candidate in (named, given):
        if fault_of(candidate) is None and candidate.is_file():
            return candidate
    if fault_of(given) is None and re.search(r"[/\\]|^~", name_or_path):
        raise InputError("no such file", where=given, hint=_beside(given))
    known = [path.stem for path in env.inventory_dir.glob("*.json") if _selects(_content(path))]
    hint = suggestion(name_or_path, known) if known else EXAMPLE
    raise InputError(f"no selection '{name_or_path}'", where=env.inventory_dir, hint=hint)


def _beside(missing: Path) -> str:
    """What is there instead of a file that is not."""
    if not missing.parent.is_dir():
        return f"there is no folder {missing.parent}"
    there = [path.name for path in missing.parent.glob("*.json")]
    return suggestion(missing.name, there) if there else "no .json file lies beside it"


def _content(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where it cannot be read or is too large for a selection."""
    try:
        return dict(load_jsonc(path).data)
    except (ConfigError, OSError):
        return {}


def _selects(content: Mapping[str, Any]) -> bool:
    return "s2_indices" in content


def _refuse_others(path: Path, env: Environment) -> None:
    """Refuse an inventory, and what has nothing of a selection, in one line.

    Raises:
        InputError: It is one.
    """
    content = _content(path)
    if _selects(content):
        return
    # A manifest may be too large to be looked into: its table lies beside it.
    if content.get("step") == "20" or path.with_suffix(".csv").is_file():
        sheet = env.inventory_dir / path.stem / "index.html"
        hint = f"select scenes in {sheet}"
        if not sheet.is_file():
            hint += f", which step 30 makes: --inventory {path.stem}"
        raise InputError("that is an inventory, not a selection of it", where=path, hint=hint)
    if content and "inventory" not in content:
        raise InputError("that is no selection: it has no s2_indices", where=path, hint=EXAMPLE)


def load_selection(name_or_path: str, env: Environment) -> Selection:
    """Read a selection by name or path.

    Raises:
        InputError: There is no such file, or it is no selection but an inventory, for example.
        ConfigErrors: Its content is wrong; all problems at once.
    """
    path = selection_path(name_or_path, env)
    _refuse_others(path, env)
    content = validate(SelectionFile, load_jsonc(path, EXAMPLE))
    products = {int(key): name for key, name in content.products.items()}
    # The table's file name is what people copy.
    inventory = content.inventory.removesuffix(".csv")
    return Selection(path.stem, inventory, tuple(content.s2_indices), products)
