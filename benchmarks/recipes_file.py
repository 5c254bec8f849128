"""A recipe: an experiment.json, what identifies it, its twin and what it is trained on top of."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.trainings import ROOT
from sensor2sensor.config.compose import compose
from sensor2sensor.config.jsonc import load_jsonc
from sensor2sensor.config.vocabulary import adversarial

FOLDER = ROOT / "examples" / "experiments" / "real"
SHARE = "gen_adversarial_share"


@dataclass(frozen=True)
class Recipe:
    """A frozen experiment.

    Attributes:
        name: The name of its folder.
        content: Of ``experiment.json``, the seed left out.
        pretraining: The same of the recipe its ``pretrained_generator`` names, or None.
    """

    name: str
    content: Mapping[str, Any]
    pretraining: Mapping[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """Of everything that decides the training but the seed."""
        return digest([self.content, self.pretraining])

    @property
    def judged(self) -> tuple[str, ...]:
        """Terms of the generator that look at a discriminator and have a weight."""
        weights = self.content["gen_loss"]
        return tuple(name for name, weight in weights.items() if weight and adversarial(name))

    def trainings(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The recipe; with an adversary also its twin, whose adversarial terms have weight 0.

        At 0 they are computed and logged but not in the total: the twin differs in nothing else.
        """
        yield "recipe", dict(self.content)
        if self.judged:
            weights = {**self.content["gen_loss"], **dict.fromkeys(self.judged, 0)}
            yield "twin", {**self.content, "gen_loss": weights}

    def on(self, dataset: str) -> Recipe:
        """The same recipe on another data set."""
        before = self.pretraining
        moved = None if before is None else {**before, "dataset": dataset}
        return replace(self, content={**self.content, "dataset": dataset}, pretraining=moved)


def digest(content: Any) -> str:
    """SHA-256 of JSON, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_recipe(name: str) -> Recipe:
    """Read a recipe by its folder's name below examples/experiments/real, or by its path.

    Raises:
        SystemExit: There is none, or it does not state ``gen_loss`` and ``steps``.
    """
    folder = FOLDER / name if (FOLDER / name).is_dir() else Path(name)
    path = folder / "experiment.json"
    if not path.is_file():
        known = ", ".join(sorted(one.name for one in FOLDER.iterdir()))
        raise SystemExit(f"no recipe {name}: give the path of its folder, or one of {known}")
    content = _read(path)
    if not {"gen_loss", "steps"} <= content.keys():
        raise SystemExit(f"{path}: a recipe states gen_loss and steps, for defaults may change")
    before = content.get("pretrained_generator")
    pretraining = None if before is None else _read(_source_of(before, path))
    return Recipe(folder.resolve().name, content, pretraining)


def _read(path: Path) -> dict[str, Any]:
    content = dict(compose(path, load_jsonc).data)
    for key in ("seed", "$schema"):
        content.pop(key, None)
    return content


def _source_of(pretrained: str, path: Path) -> Path:
    """The experiment of ``experiment/run``: that recipe is trained first, with the same seed."""
    name = pretrained.rsplit("/", 1)[0].rsplit("/", 1)[-1]
    source = FOLDER / name / "experiment.json"
    if not source.is_file():
        raise SystemExit(f"{path}: pretrained_generator names no recipe of {FOLDER.name}/: {name}")
    return source


def differences(recipe: Recipe, base: str = "edsr_alt6") -> dict[str, Any]:
    """Settings of a recipe that the shipped ``base`` has not, or has otherwise; None: left out."""
    other = _read(FOLDER / base / "experiment.json")
    keys = [*recipe.content, *(key for key in other if key not in recipe.content)]
    return {
        key: recipe.content.get(key) for key in keys if recipe.content.get(key) != other.get(key)
    }


def share_of(log: Path, warmup: int) -> float | None:
    """Mean adversarial share of the reports after the warm-up; None where none was logged."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    values = [row[SHARE] for row in rows if row.get(SHARE) is not None and row["step"] > warmup]
    return statistics.fmean(values) if values else None
