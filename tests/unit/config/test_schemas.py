"""The generated JSON Schemas are fresh, and the shipped files satisfy the models behind them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensor2sensor import schemas
from sensor2sensor.config.experiment_file import load_experiment_file

ROOT = Path(__file__).resolve().parents[3]
EXPERIMENTS = sorted((ROOT / "examples" / "experiments").rglob("experiment.json"))


@pytest.mark.parametrize("name", ["environment", "experiment", "selection", "dataset"])
def test_schema_is_fresh(name: str) -> None:
    stored = json.loads((schemas.FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    made = json.loads(json.dumps(schemas.schema(schemas.models()[name])))
    assert stored == made, "run: python -m sensor2sensor schemas"


def test_schema_knows_the_schema_key_itself() -> None:
    for model in schemas.models().values():
        properties = schemas.schema(model)["properties"]
        assert all(not key.endswith("_") for key in properties), model


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: str(p.parent.name))
def test_example_experiments_are_valid(path: Path) -> None:
    config, _ = load_experiment_file(path)
    assert config.model_name


def test_there_are_examples() -> None:
    assert len(EXPERIMENTS) >= 3
