"""docs/models.md and its pictures, written from the networks and docstrings of all models."""

from __future__ import annotations

import string
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from model_tools.describe import PARAMS, Description, describe
from model_tools.recipes import Shipped, shipped_recipes
from models.loading import FOLDER, list_models
from sensor2sensor.core import files
from sensor2sensor.core.errors import ModelContractError

PROJECT = FOLDER.parent
PAGE = PROJECT / "docs" / "models.md"
PICTURES = PROJECT / "docs" / "images" / "models"
COMMAND = "python -m models table"
LINE = 130
MILLION = 1e6

_INTRO = Path(__file__).with_name("intro.md")
_HEADER = (
    "model", "G parameters", "D parameters", "GMAC", "activations, MiB", "receptive field", "recipe"
)  # fmt: skip

Measured = Mapping[str, Mapping[int, Mapping[str, Any]]]


def write_table(*, only_check: bool, say: Callable[[str], None]) -> int:
    """Measure every model and write the page and the pictures.

    Args:
        only_check: Write nothing, only compare.
        say: Prints a line.

    Returns:
        0; 1 where ``only_check`` found a difference.
    """
    from model_tools.measure import measured

    content = pages(measured())
    outdated = differences(content)
    if only_check:
        for path in outdated:
            say(f"{path.relative_to(PROJECT)} is not what `{COMMAND}` would write")
        say(f"{len(outdated)} of {len(content)} files are outdated" if outdated else "up to date")
        return 1 if outdated else 0
    for path in outdated:
        if path in content:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_text(path, content[path])
        else:
            path.unlink()
        say(f"{path.relative_to(PROJECT)} {'written' if path in content else 'removed'}")
    say(f"{len(content)} files are up to date")
    return 0


def differences(content: Mapping[Path, str]) -> list[Path]:
    """Files that are missing or differ, and pictures of models that are no more."""
    stale = [path for path in sorted(PICTURES.glob("*.svg")) if path not in content]
    return stale + [
        path
        for path, text in content.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def pages(measured: Measured) -> dict[Path, str]:
    """Every file of the documentation of models with its text.

    Args:
        measured: What :func:`model_tools.measure.measured` returns.

    Raises:
        ModelContractError: A docstring lacks a part.
    """
    paths = list_models()
    described = {name: _described(paths[name]) for name in measured}
    few = min(next(iter(measured.values())))
    found = {PICTURES / f"{name}.svg": by[few]["svg"] for name, by in measured.items()}
    recipes = shipped_recipes()
    sections = [_section(name, described[name], measured[name]) for name in measured]
    intro = _INTRO.read_text(encoding="utf-8").format(
        command=COMMAND,
        tile=measured[next(iter(measured))][few]["tile_px"],
        few=few,
        many=max(next(iter(measured.values()))),
        table=_table(measured, recipes),
        recipes=_legend(measured, recipes),
    )
    return {PAGE: "\n".join([intro, *sections]), **found}


def _described(path: Path) -> Description:
    described = describe(path)
    parts = {"a first sentence": described.sentence, "its paper": described.paper}
    parts[f"the section ``{PARAMS}``"] = described.sections.get(PARAMS, ())
    for what, part in parts.items():
        if not part:
            raise ModelContractError(f"the docstring lacks {what}", where=path)
    return described


def _table(measured: Measured, recipes: Mapping[str, Shipped]) -> str:
    rows = [_HEADER, ("---",) + ("---:",) * 5 + ("---",)]
    letters = _letters(measured, recipes)
    for name, by_channels in measured.items():
        costs = [by_channels[channels] for channels in sorted(by_channels)]
        recipe = recipes.get(name)
        rows.append(
            (
                f"[{name}](#{name})",
                _pair([_millions(cost["generator"]["trainable"]) for cost in costs]),
                _pair([_millions(cost["discriminator"]["trainable"]) for cost in costs]),
                _pair([f"{cost['gmac']:.1f}" for cost in costs]),
                _pair([f"{cost['activation_mib']:,.0f}" for cost in costs]),
                _field(costs[0]),
                f"[{letters[recipe.text]}]({recipe.link(PAGE.parent)})" if recipe else "–",
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _letters(measured: Measured, recipes: Mapping[str, Shipped]) -> dict[str, str]:
    """A letter for each recipe, in the order of the table: most models share one."""
    texts = dict.fromkeys(recipes[name].text for name in measured if name in recipes)
    return dict(zip(texts, string.ascii_uppercase, strict=False))


def _legend(measured: Measured, recipes: Mapping[str, Shipped]) -> str:
    letters = _letters(measured, recipes)
    return "; ".join(f"{letter}: {text}" for text, letter in letters.items())


def _pair(texts: list[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def _millions(count: int) -> str:
    return f"{count / MILLION:.2f} M" if count else "–"


def _field(cost: Mapping[str, Any]) -> str:
    field_px = cost["generator"]["field_px"]
    if field_px is None:
        return "unknown"
    return "whole tile" if field_px >= cost["tile_px"] else f"{field_px} px"


def _section(name: str, described: Description, by_channels: Mapping[int, Any]) -> str:
    """A model's part of the page."""
    sentence = f"{described.sentence}."
    if sentence.split()[0] not in list_models():
        sentence = sentence[:1].upper() + sentence[1:]
    parts = [f"## {name}", _wrapped(sentence), f"![Generator of {name}](images/models/{name}.svg)"]
    parts += [_wrapped(described.paper), _wrapped(_counts(by_channels))]
    parts += [_wrapped(paragraph) for paragraph in described.text]
    for heading, points in described.sections.items():
        title = "`params`" if heading == PARAMS else heading
        parts.append(f"**{title}**")
        parts.append("\n".join(_point(point, heading) for point in points))
    # Literals of reStructuredText become Markdown's.
    return "\n\n".join(parts).replace("``", "`") + "\n"


def _counts(by_channels: Mapping[int, Any]) -> str:
    few, many = (by_channels[channels] for channels in sorted(by_channels))
    text = f"{_network('Generator', few['generator'], many['generator'])}."
    if few["discriminator"]["output"] is None:
        return text
    rows, columns, answers = few["discriminator"]["output"]
    said = (
        f"{rows} × {columns} × {answers} answers" if rows * columns * answers > 1 else "one answer"
    )
    seen = _seen(few["discriminator"]["field_px"], few["tile_px"])
    judge = _network("Discriminator", few["discriminator"], many["discriminator"])
    return f"{text} {judge}; {said}{', each' if 'answers' in said else ''} from {seen}."


def _seen(field_px: int | None, tile_px: int) -> str:
    if field_px is None:
        return "an unknown part of the tile"
    return "the whole tile" if field_px >= tile_px else f"{field_px} × {field_px} pixels"


def _network(kind: str, few: Mapping[str, Any], many: Mapping[str, Any]) -> str:
    counts = {side: [f"{cost[side]:,}" for cost in (few, many)] for side in ("trainable", "fixed")}
    fixed = f", {_pair(counts['fixed'])} others" if few["fixed"] else ""
    return f"{kind}: {_pair(counts['trainable'])} trainable values{fixed}"


def _point(point: str, heading: str) -> str:
    if heading == PARAMS:
        name, rest = point.split(" ", 1)
        point = f"`{name}` {rest}"
    return _wrapped(f"* {point}", "  ")


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, LINE, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
