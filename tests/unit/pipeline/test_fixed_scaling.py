"""Normalisation dsen2cr: the fact sheet's V10 and V11, its inverse, its state, what it refuses."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.config.experiment_file import ExperimentFile, load_experiment_file
from sensor2sensor.config.scaling import Scaling
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, ConfigErrors
from sensor2sensor.pipeline.normalisation import Normalisation, refuse_beyond
from sensor2sensor.training.normaliser import another_map
from sensor2sensor.training.run_file import dataset_identity
from tests.models import clouds

NAMES = ("B02", "VV", "B08", "VH")
DN = (0, 2000, 10000, 12000, -300)
SCALED = (0, 1, 5, 5, 0)  # V11
VV, VV_SCALED = (-30, -25, -12.5, 0, 5), (0, 0, 1, 2, 2)  # V10
VH, VH_SCALED = (-32.5, -16.25, 0, -40, 3), (0, 1, 2, 0, 2)


@pytest.fixture(scope="module")
def data():
    return clouds.contract(NAMES, ("B08", "B02"))


def made(data, **options) -> Normalisation:
    return Normalisation("dsen2cr", data, **options)


@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_optics_by_their_scale_and_radar_by_its_limits(data, kind):
    reflectance = np.float32(DN) / np.float32(10000)
    image = np.stack([reflectance, VV, reflectance, VH], axis=-1).astype(np.float32)
    found = np.asarray(made(data).input(kind(image[None, :, None])))[0, :, 0]
    wanted = np.stack([SCALED, VV_SCALED, SCALED, VH_SCALED], axis=-1)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_other_numbers_are_heeded(data):
    other = made(data, scaling=Scaling(scale=10000, max_val_sar=5))
    image = np.array([0.2, -12.5, 1.0, 0.0], np.float32)
    np.testing.assert_allclose(other.input(image), [0.2, 2.5, 1.0, 5.0], rtol=1e-6)


def test_targets_come_back_and_are_measured_in_units_of_the_map(data):
    normalisation = made(data)
    values = np.random.default_rng(0).uniform(0, 1, (2, 4, 4, 2)).astype(np.float32)
    scaled = normalisation.target(tf.constant(values))
    np.testing.assert_allclose(normalisation.restore(scaled), values, atol=1e-6)
    assert normalisation.value_ranges == [(0.0, 5.0)] * 2
    assert normalisation.invertible and normalisation.elementwise


def test_it_is_made_again_from_its_state_and_other_states_are_as_they_were(data):
    first = made(data, scaling=Scaling(scale=1000), bounds=(0.0, 4.0))
    state = json.loads(json.dumps(first.state()))
    again = Normalisation.from_state(state)
    assert json.loads(json.dumps(again.state())) == state
    image = np.array([[0.2, 0.9]], np.float32)
    np.testing.assert_array_equal(first.target(image), again.target(image))
    np.testing.assert_allclose(again.target(image), [[2.0, 4.0]], rtol=1e-6)
    plain = Normalisation("symmetric", data).state()
    assert set(plain) == {"kind", "bounds", "legacy", "statistics", "units"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unit": "DN"}, "no rule for the input band 'B02' in DN"),
        ({"unit": "1"}, "no rule for the input band 'B02' in 1"),
        ({"unit": "dB", "value_range": None}, "'B02' in dB without a fixed value range"),
    ],
)
def test_a_band_without_a_rule_is_refused_in_one_line(changes, said):
    with pytest.raises(ConfigError, match=said) as caught:
        made(clouds.contract(("B02",), ("B02",), **changes))
    assert str(caught.value).startswith("normalisation: ") and "\n" not in str(caught.value)


def test_reflectance_without_a_range_of_its_own_is_clipped_as_published():
    data = clouds.contract(("B02",), ("B02",), value_range=None)
    np.testing.assert_allclose(made(data).input(np.float32([[1.4], [0.4]])), [[5.0], [2.0]])


def test_a_bounded_output_is_led_to_symmetric():
    with pytest.raises(ConfigError, match=r"'dsen2cr' leaves .* use 'symmetric'"):
        refuse_beyond("dsen2cr", (-1.0, 1.0), (0.0, 5.0))


def test_its_numbers_are_stated_with_it_alone():
    least = {"model_name": "edsr", "dataset": "d"}
    config = ExperimentFile(**least, normalisation="dsen2cr", scaling={"scale": 1000.0})
    assert config.scaling == Scaling(scale=1000, max_val_sar=2)
    with pytest.raises(ValueError, match="belongs to normalisation 'dsen2cr', not 'symmetric'"):
        ExperimentFile(**least, scaling={})


@pytest.mark.parametrize(
    ("key", "ends", "beyond"),
    [
        ("scale", (1, 100_000), (0.99, 100_001, 0, -2000, 1e30)),
        ("max_val_sar", (0.1, 10_000), (0.09, 10_001, 0, -2, 1e30)),
    ],
)
def test_its_numbers_are_such_as_a_model_can_learn_from(tmp_path, data, key, ends, beyond):
    def load(value):
        least = {"model_name": "edsr", "dataset": "d", "normalisation": "dsen2cr"}
        files.write_json(tmp_path / "experiment.json", {**least, "scaling": {key: value}})
        return load_experiment_file(tmp_path / "experiment.json")[0].scaling

    brightest = np.array([1, 0, 1, 0], np.float32)
    for value in ends:
        largest = made(data, scaling=load(value)).input(brightest)[1 if "sar" in key else 0]
        assert largest == pytest.approx(10_000 / value if key == "scale" else value)
    for value in beyond:
        low = value < ends[0]
        said = rf"scaling\.{key}: must be {'greater' if low else 'less'} than .* {ends[not low]},"
        with pytest.raises(ConfigErrors, match=said) as caught:
            load(value)
        assert "\n" not in str(caught.value)


def test_weights_that_learned_other_numbers_are_told_apart(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    config = ExperimentFile(model_name="edsr", dataset="d", normalisation="dsen2cr")
    experiment = SimpleNamespace(config=config, dataset_dir=tmp_path)
    there = {"normalisation": "dsen2cr", "dataset": dataset_identity(experiment)}
    same = {**there, "scaling": {"scale": 2000.0, "max_val_sar": 2.0}}
    assert another_map(same, experiment) is None
    other = {**there, "scaling": {"scale": 1000.0, "max_val_sar": 2.0}}
    said = another_map(other, experiment)
    assert "learned 'dsen2cr' (scale 1000, max_val_sar 2) on 'd'" in said
    assert "maps 'dsen2cr' (scale 2000, max_val_sar 2) on 'd'" in said
