"""What models see of an experiment, and what happens when it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiment import Experiment
from sensor2sensor.config.environment import Environment, load_environment
from sensor2sensor.core.errors import ConfigErrors, DatasetError, InputError
from sensor2sensor.pipeline.normalisation import Normalisation
from tests.fakes_dataset import make_dataset

MINIMAL = {"model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 32}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    make_dataset(folder / "data", name="alt6_toy", factor=6, tile_px=32, train=3, val=1, test=1)
    make_dataset(
        folder / "data", name="cur_toy", kind="sentinel3", tile_px=32, train=3, val=1, test=1
    )
    (folder / "environment.json").write_text('{"data_root": "data", "experiment_root": "exp"}')
    return folder


@pytest.fixture
def environment(root: Path) -> Environment:
    return load_environment(root / "environment.json")


def write(root: Path, name: str, **keys: object) -> str:
    path = root / "exp" / name / "experiment.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**MINIMAL, **keys}, indent=1))
    return name


def test_defaults_and_attributes(root: Path, environment: Environment) -> None:
    name = write(root, "a/b/c")
    exp = Experiment(name + "/", environment, timestamp="0715-0930")
    assert exp.name == "a/b/c"
    assert (exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.TILESIZE) == (32, 32, 32)
    assert exp.INPUT_BANDS == exp.OUTPUT_BANDS == ("B02", "B03", "B04")
    assert (exp.INPUT_CHANNELS, exp.OUTPUT_CHANNELS, exp.SCALE) == (3, 3, 6.0)
    assert (exp.STEPS, exp.BATCH_SIZE, exp.LEARNING_RATE) == (40000, 16, 2e-4)
    assert (exp.config.random_resize, exp.config.random_rotate, exp.config.shuffle) == (
        1.11,
        True,
        True,
    )
    assert exp.GEN_LOSS["gen_l1"] == 100.0
    assert exp.GEN_LOSS["gen_nll"] is None
    assert exp.DISC_LOSS["disc_bce"] == 1.0
    assert (exp.GEN_LOSS.value_low, exp.GEN_LOSS.value_range) == ((-1.0,) * 3, (2.0,) * 3)
    assert exp.output.CKPT == str(root / "exp/a/b/c/ckpt/0715-0930")
    assert sorted(p.name for p in exp.exp_dir.iterdir()) == ["experiment.json"]


def test_read_only(root: Path, environment: Environment) -> None:
    exp = Experiment(write(root, "ro", params={"width": 0.5}), environment)
    with pytest.raises(AttributeError):
        exp.STEPS = 3
    with pytest.raises(AttributeError, match="read-only"):
        exp.extra = 3
    with pytest.raises(TypeError):
        exp.PARAMS["width"] = 1
    with pytest.raises(TypeError):
        exp.GEN_LOSS["gen_l1"] = 1


def test_sentinel3_bands(root: Path, environment: Environment) -> None:
    exp = Experiment(write(root, "s3", dataset="cur_toy"), environment)
    assert exp.INPUT_CHANNELS == 21
    assert exp.INPUT_BANDS[7] == "Oa08"
    assert exp.INPUT_WAVELENGTHS_NM[7] == 665.0


def test_value_range_follows_the_normalisation(root: Path, environment: Environment) -> None:
    exp = Experiment(write(root, "refl", normalisation="reflectance"), environment)
    ranges = exp.contract.target_ranges()
    low, high = exp.OUTPUT_RANGE
    assert low == pytest.approx(ranges[:, 0].min())
    assert high == pytest.approx(ranges[:, 1].max())


def test_a_bounded_model_s_value_range_lies_within_its_bounds(
    root: Path, environment: Environment
) -> None:
    """And the experiment it was made from stays an unbounded model's."""
    plain = Experiment(write(root, "bounded"), environment)
    bounded = Normalisation("symmetric", plain.contract, (-1.0, 1.0))
    exp = plain.normalised_by(bounded)
    low, high = exp.OUTPUT_RANGE
    assert -0.92 < low < -0.3 and 0.0 < high < 0.92  # room for a tenth of a span at least
    ends = list(zip(exp.GEN_LOSS.value_low, exp.GEN_LOSS.value_range, strict=True))
    assert ends == [(a, b - a) for a, b in bounded.value_ranges]
    assert plain.OUTPUT_RANGE == (-1.0, 1.0)
    with pytest.raises(AttributeError, match="read-only"):
        exp.STEPS = 3


def test_nearest_names(root: Path, environment: Environment) -> None:
    write(root, "known/edsr")
    with pytest.raises(InputError, match="nearest: 'known/edsr'"):
        Experiment("known/edrs", environment)
    with pytest.raises(InputError, match=r"no experiment '\.\./data'"):
        Experiment("../data", environment)
    with pytest.raises(ConfigErrors, match=r"experiment\.json:3 dataset: .*nearest: 'alt6_toy'"):
        Experiment(write(root, "x1", dataset="alt6_tyo"), environment)
    with pytest.raises(
        ConfigErrors, match=r"experiment\.json:4 tilesize: 'alt6_toy' has tile sizes 32"
    ):
        Experiment(write(root, "x2", tilesize=64), environment)


def test_bicubic_needs_a_regular_grid(root: Path, environment: Environment) -> None:
    name = write(root, "x3", dataset="cur_toy", input_upsampling="bicubic")
    with pytest.raises(ConfigErrors, match="input_upsampling: bicubic needs a regular"):
        Experiment(name, environment)


def test_damaged_contract_is_named(root: Path, environment: Environment) -> None:
    folder = root / "data" / "broken" / "32"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text('{"format_version": 1}')
    with pytest.raises(DatasetError, match=r"dataset\.json: not a valid contract"):
        Experiment(write(root, "x4", dataset="broken"), environment)
