"""What is said of a value that none of several forms fits: one sentence, at its own key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.jsonc import load_jsonc
from sensor2sensor.config.validate import validate
from sensor2sensor.core.errors import ConfigErrors

MTF = "must be a range [low, high] within 0.01 to 0.9"
NOISE = "must be a range [low, high] from 0 upwards"
EACH = ", or a table of such by band"
FIDELITY = "must be a number between 0 and 1"
ROUTE = "loss_bands.gen_l1: must be a list of bands, or a table of weights by band"


def _said(folder: Path, keys: dict[str, Any]) -> list[str]:
    path = folder / "experiment.json"
    path.write_text(json.dumps({"model_name": "carn", "dataset": "d", "tilesize": 64, **keys}))
    with pytest.raises(ConfigErrors) as caught:
        validate(ExperimentFile, load_jsonc(path))
    return [line.split(" ", 1)[1] for line in str(caught.value).splitlines() if "must" in line]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("mtf", 1.5, f"degradation.mtf: {MTF}{EACH}, not 1.5"),
        ("mtf", [0.4, 0.2], f"degradation.mtf: {MTF}{EACH}, not [0.4, 0.2]"),
        ("mtf", {"B2": [0.1, 0.2], "B3": 1.5}, f"degradation.mtf.B3: {MTF}, not 1.5"),
        ("noise", None, f"degradation.noise: {NOISE}{EACH}, not null"),
        ("noise", {"B2": [-1, 0]}, f"degradation.noise.B2: {NOISE}, not [-1, 0]"),
        ("paths", 3, "degradation.paths: must be an object {...}, not 3"),
        (
            "half_width",
            "x",
            "degradation.half_width: must be 'auto' or a whole number of at least 1, not 'x'",
        ),
    ],
)
def test_degradation_is_told_in_one_sentence(
    tmp_path: Path, key: str, value: Any, says: str
) -> None:
    assert _said(tmp_path, {"degradation": {key: value}}) == [says]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"fidelity_mtf": 1.5}, f"fidelity_mtf: {FIDELITY}{EACH}, not 1.5"),
        ({"fidelity_mtf": {"B2": 3}}, f"fidelity_mtf.B2: {FIDELITY}, not 3"),
        ({"loss_bands": 3}, "loss_bands: must be an object {...}, not 3"),
        ({"loss_bands": {"gen_l1": "B2"}}, f"{ROUTE}, not 'B2'"),
        (
            {"loss_bands": {"gen_l1": {"B2": -1}}},
            "loss_bands.gen_l1.B2: must be a weight of at least 0, not -1",
        ),
    ],
)
def test_bands_are_told_in_one_sentence(tmp_path: Path, keys: dict[str, Any], says: str) -> None:
    assert _said(tmp_path, keys) == [says]
