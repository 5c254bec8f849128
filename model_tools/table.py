"""docs/models.md and its pictures, written from the networks and docstrings of all models."""

from __future__ import annotations

import os
import string
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from model_tools.describe import PARAMS, Description, describe
from model_tools.measure import CHANNELS, TILE_PX, measured
from models.loading import FOLDER, list_models
from sensor2sensor.config.experiment_file import ExperimentFile, load_experiment_file
from sensor2sensor.core import files

PROJECT = FOLDER.parent
PAGE = PROJECT / "docs" / "models.md"
PICTURES = PROJECT / "docs" / "images" / "models"
EXPERIMENTS = PROJECT / "examples" / "experiments"
COMMAND = "python -m models table"
LINE = 130
MILLION = 1e6

_INTRO = Path(__file__).with_name("intro.md")
_HEADER = (
    "model", "G parameters", "D parameters", "GMAC", "activations, MiB", "receptive field", "recipe"
)  # fmt: skip

# The published weights first, then what is only shown.
_COLLECTIONS = ("arisgan", "demo", "real", "maps", "aerial", "clouds", "sisr")
_SPOKEN = {
    "gen_gan": "GAN",
    "gen_lsgan": "least squares",
    "gen_ssim": "SSIM",
    "gen_l1": "L1",
    "gen_carl": "CARL",
    "gen_wstein": "Wasserstein term",
}

Measured = Mapping[str, Mapping[int, Mapping[str, Any]]]


def write_table(*, only_check: bool, say: Callable[[str], None]) -> int:
    """Measure every model and write the page and the pictures.

    Args:
        only_check: Write nothing, only compare.
        say: Prints a line.

    Returns:
        0; 1 where ``only_check`` found a difference.
    """
    content = pages(measured())
    outdated = differences(content)
    for path in outdated:
        done = f"is not what `{COMMAND}` would write"
        if not only_check and path in content:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_text(path, content[path])
            done = "written"
        elif not only_check:
            path.unlink()
            done = "removed"
        say(f"{path.relative_to(PROJECT)} {done}")
    if only_check and outdated:
        say(f"{len(outdated)} of {len(content)} files are outdated")
        return 1
    say("up to date" if only_check else f"{len(content)} files are up to date")
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
    """
    found = {PICTURES / f"{name}.svg": by[CHANNELS[0]]["svg"] for name, by in measured.items()}
    table, legend = _table(measured)
    intro = _INTRO.read_text(encoding="utf-8").format(
        command=COMMAND,
        tile=TILE_PX,
        few=CHANNELS[0],
        many=CHANNELS[1],
        table=table,
        recipes=legend,
    )
    # Docstrings are read, not imported: the page needs no TensorFlow beside what was measured.
    paths = list_models()
    sections = [_section(name, describe(paths[name]), by) for name, by in measured.items()]
    return {PAGE: "\n".join([intro, *sections]), **found}


def shipped_recipes() -> dict[str, tuple[Path, str]]:
    """By model the first shipped experiment that uses it, and its generator's losses."""
    found: dict[str, tuple[Path, str]] = {}
    for collection in _COLLECTIONS:
        for path in sorted((EXPERIMENTS / collection).rglob("experiment.json")):
            config, _ = load_experiment_file(path)
            found.setdefault(config.model_name, (path, _losses(config)))
    return found


def _losses(config: ExperimentFile) -> str:
    weights = {name: weight for name, weight in config.gen_loss if weight}
    order = sorted(weights, key=lambda name: -weights[name])
    return " + ".join(f"{weights[name]:g} {_SPOKEN.get(name, name)}" for name in order)


def _table(measured: Measured) -> tuple[str, str]:
    """The comparison, and what its letters for recipes mean: most models share one."""
    recipes = shipped_recipes()
    texts = dict.fromkeys(recipes[name][1] for name in measured)
    letters = dict(zip(texts, string.ascii_uppercase, strict=False))
    rows = [_HEADER, ("---",) + ("---:",) * 5 + ("---",)]
    for name, by_channels in measured.items():
        costs = [by_channels[channels] for channels in CHANNELS]
        path, text = recipes[name]
        rows.append(
            (
                f"[{name}](#{name})",
                _pair([_millions(cost["generator"]["trainable"]) for cost in costs]),
                _pair([_millions(cost["discriminator"]["trainable"]) for cost in costs]),
                _pair([f"{cost['gmac']:.1f}" for cost in costs]),
                _pair([f"{cost['activation_mib']:,.0f}" for cost in costs]),
                _field(costs[0]["generator"]["field_px"]),
                f"[{letters[text]}]({Path(os.path.relpath(path, PAGE.parent)).as_posix()})",
            )
        )
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return table, "; ".join(f"{letter}: {text}" for text, letter in letters.items())


def _pair(texts: list[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def _millions(count: int) -> str:
    return f"{count / MILLION:.2f} M" if count else "–"


def _field(field_px: int | None) -> str:
    if field_px is None:
        return "unknown"
    return "whole tile" if field_px >= TILE_PX else f"{field_px} px"


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
    few, many = (by_channels[channels] for channels in CHANNELS)
    text = f"{_network('Generator', few['generator'], many['generator'])}."
    judge = few["discriminator"]
    if judge["output"] is None:
        return text
    rows, columns, answers = judge["output"]
    count = rows * columns * answers
    said = f"{rows} × {columns} × {answers} answers, each" if count > 1 else "one answer"
    counts = _network("Discriminator", judge, many["discriminator"])
    return f"{text} {counts}; {said} from {_seen(judge['field_px'])}."


def _seen(field_px: int | None) -> str:
    if field_px is None:
        return "an unknown part of the tile"
    return "the whole tile" if field_px >= TILE_PX else f"{field_px} × {field_px} pixels"


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
