"""The generated JSON Schemas are fresh, and the shipped files satisfy the models behind them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensor2sensor import schemas
from sensor2sensor.config.experiment_file import ExperimentFile, load_experiment_file

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


# As the 18 files of the original have it, whichever way ours are put together.
PUBLISHED = {
    "tilesize": 256, "steps": 100000, "batch_size": 16, "learning_rate": 2e-4, "shuffle": True,
    "random_resize": 1.0, "random_rotate": True, "normalisation": "l2",
    "input_upsampling": "nearest", "keep_last": None,
    "gen_loss": {
        "gen_gan": 0, "gen_nll": 0, "gen_ssim": 100, "gen_l1": 50, "gen_l2": 0, "gen_rmse": 0,
        "gen_wstein": 100,
    },
    "disc_loss": {"disc_bce": 1, "disc_nll": 0},
}  # fmt: skip
COMPARED = {"random_resize": 1.2, "steps": 40000}
OWN: dict[str, dict[str, object]] = {
    "dmnet": COMPARED, "psgan": COMPARED, "sis3-b": COMPARED, "srgan": COMPARED, "srs3": COMPARED,
    "dsen2w": {**COMPARED, "params": {"layers": 12}},
    "tarsgan": {**COMPARED, "batch_size": 8, "params": {"layers": 16, "concat": True}},
}  # fmt: skip
ARISGAN = [path for path in EXPERIMENTS if "arisgan" in path.parts]


@pytest.mark.parametrize("path", ARISGAN, ids=lambda p: f"{p.parts[-3]}-{p.parts[-2]}")
def test_published_experiments_resolve_to_what_was_published(path: Path) -> None:
    model, (data, ground) = path.parts[-3], path.parts[-2].split("_")
    config, document = load_experiment_file(path)
    steps = {"steps": 40000} if data == "alt30" else {}
    suffix = {"land": "enforce_suffix", "sea": "exclude_suffix"}[ground]
    wanted = {**PUBLISHED, **steps, **OWN.get(model, {}), suffix: "notinmask"}
    expected = ExperimentFile(model_name=model, dataset=f"{data}_masked", **wanted)
    assert config.model_copy(update={"schema_": None}) == expected
    assert [file.name for file in document.extended] == [f"{ground}.json", "published.json"]


def test_there_are_examples() -> None:
    assert len(EXPERIMENTS) >= 3
