"""JSON Schemas of the files a user writes or reads, generated from the models that check them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sensor2sensor.config.environment import CHECKOUT
from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import InputError

DOC = """Write the JSON Schemas of environment, experiment, selection and dataset to schemas/.

  python -m sensor2sensor schemas
"""
FOLDER = Path(__file__).resolve().parents[1] / "schemas"


def main(argv: Sequence[str] | None = None) -> int:
    """Write every schema of the checkout; returns the exit code."""
    return cli.main_guard(_run, cli.parser(DOC, prog="python -m sensor2sensor schemas"), argv)


def _run(_: argparse.Namespace) -> int:
    if CHECKOUT is None:
        hint = "the schemas are files of the repository"
        raise InputError("writes into a checkout, and this package is installed", hint=hint)
    return write_schemas()


def models() -> dict[str, type[BaseModel]]:
    """The model behind each schema file, by name."""
    from sensor2sensor.config.environment import EnvironmentFile
    from sensor2sensor.config.experiment_file import ExperimentFile
    from sensor2sensor.config.selection import SelectionFile
    from sensor2sensor.dataset.contract import DatasetContract

    return {
        "environment": EnvironmentFile,
        "experiment": ExperimentFile,
        "selection": SelectionFile,
        "dataset": DatasetContract,
    }


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one model."""
    made = model.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def write_schemas(folder: Path = FOLDER) -> int:
    """Write every schema to ``folder``; returns the exit code."""
    for name, model in models().items():
        path = folder / f"{name}.schema.json"
        files.write_json(path, schema(model))
        sys.stdout.write(f"wrote {path.name}\n")
    return 0
