"""A model of others as that of an experiment: its bands found by name, or a reason why not."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from sensor2sensor.core.errors import CheckpointError, ConfigError
from sensor2sensor.dataset.form import form_of
from sensor2sensor.dataset.records import dense_record
from sensor2sensor.dataset.upsampling import regular_index
from sensor2sensor.predictors.registry import compared, find
from tests.fakes.onnx_files import write_exported, write_onnx
from tests.fakes_dataset import toy_contract

CONTRACT = toy_contract("alt2_toy", "degraded", 2, 32, 0)


def card_of(folder, bands=("B4", "B3", "B2"), gain=1.0):
    write_onnx(folder / "theirs.onnx", len(bands), factor=2, gain=gain)
    path = folder / "theirs.yaml"
    path.write_text(f"model: theirs.onnx\nbands: [{', '.join(bands)}]\nfactor: 2\nmargin: 4\n")
    return path


def of(path, **params):
    return find("onnx", {"card": str(path), **params})


def tile_of(values):
    """A record of the data set: a table of the pixels of a grid of 16 x 16."""
    blank = np.zeros((32, 32, 3), np.float32)
    made = dense_record("t", blank, values)
    pixels = values.reshape(-1, values.shape[-1])
    return replace(
        made, input_pixels=pixels, input_dense=None, input_xy=np.zeros((256, 2)),
        input_index=regular_index(32, 32, 2),
    )  # fmt: skip


def test_bands_are_found_by_name_whoever_names_and_orders_them(tmp_path):
    path = card_of(tmp_path)
    made = of(path, other_scale=True).make(CONTRACT, None)
    assert made.taken == made.made == (2, 1, 0) and made.normalised is False
    values = np.random.default_rng(0).uniform(0, 1, (16, 16, 3)).astype(np.float32)
    wanted = values.repeat(2, 0).repeat(2, 1)
    np.testing.assert_allclose(made([tile_of(values)] * 2), [wanted] * 2, rtol=1e-6)
    dense = dense_record("t", np.zeros((32, 32, 3), np.float32), values)
    np.testing.assert_allclose(made([dense])[0], wanted, rtol=1e-6)


def test_bands_that_it_does_not_take_or_that_nobody_asks_for_are_left(tmp_path):
    """The data set holds more than is taken, the model makes more than is asked for."""
    exported = write_exported(
        tmp_path, form_of(CONTRACT), upsampling="nearest", gain=0.5
    )  # fmt: skip
    bands = CONTRACT.input.bands
    more = CONTRACT.model_copy(update={
        "input": CONTRACT.input.model_copy(
            update={"bands": (bands[1].model_copy(update={"name": "B11"}), *bands)}
        ),
        "target": CONTRACT.target.model_copy(update={"bands": CONTRACT.target.bands[2:]}),
    })  # fmt: skip
    made = of(exported).make(more, None)
    assert (made.taken, made.made) == ((1, 2, 3), (2,))
    values = np.random.default_rng(0).uniform(0, 1, (16, 16, 4)).astype(np.float32)
    wanted = 0.5 * values.repeat(2, 0).repeat(2, 1)[..., 3:]
    np.testing.assert_array_equal(made([tile_of(values)])[0], wanted)


@pytest.mark.parametrize(("bands", "params", "contract", "said"), [
    (("B2", "B3"), {"other_scale": True}, CONTRACT, "the model does not make B04; there are B02"),
    (("B2", "B3", "B4", "B8"), {}, CONTRACT, "the input lacks B08"),
    (("B2", "B3", "B4"), {}, CONTRACT, 'takes pixels of 10 m, .* has 20 m; .*"other_scale": true'),
    (("B2", "B3", "B4"), {}, toy_contract("a", "degraded", 4, 32, 0), "2 times as fine, .* are 4"),
    (("B2", "B3", "B4"), {"other_scale": True}, toy_contract("a", "degraded", 2, 31, 0),
     "31 pixels is no whole number"),
    (("B2", "B3", "B4"), {}, toy_contract("a", "sentinel3", 30, 64, 0), "the input lacks B02, B03"),
])  # fmt: skip
def test_a_data_set_it_does_not_fit_is_refused_with_the_reason(
    tmp_path, bands, params, contract, said
):
    reason = of(card_of(tmp_path, bands), **params).applies(contract)
    assert re.search(said, reason or ""), reason


def test_units_and_pixels_of_a_band_must_be_its_own(tmp_path):
    path = card_of(tmp_path)
    for update, said in (({"unit": "1"}, "takes B02 in reflectance, not in 1"),
                         ({"native_px": 2}, "2 times the grid's, the model's of 1")):  # fmt: skip
        bands = tuple(band.model_copy(update=update) for band in CONTRACT.input.bands[:1])
        spec = CONTRACT.input.model_copy(update={"bands": (*bands, *CONTRACT.input.bands[1:])})
        other = CONTRACT.model_copy(update={"input": spec})
        assert said in (of(path, other_scale=True).applies(other) or "")


@pytest.mark.parametrize(("params", "said"), [
    ({}, "params.card: names no file"),
    ({"cart": "a.yaml"}, "params.cart: .* nearest: 'card'"),
    ({"card": "a.yaml", "other_scale": 1}, "params.other_scale: is neither true nor false"),
])  # fmt: skip
def test_params_that_name_no_model_are_refused(params, said):
    with pytest.raises(ConfigError, match=said):
        find("onnx", params)


def test_a_run_knows_its_file_and_is_no_baseline_of_others(tmp_path):
    path = card_of(tmp_path)
    entry = of(path, other_scale=True)
    kept = entry.make(CONTRACT, None).describe()
    assert find("onnx").restore(CONTRACT, kept).describe() == kept
    card_of(tmp_path, gain=2.0)
    with pytest.raises(CheckpointError, match=r"theirs\.onnx is not the file of the run"):
        find("onnx").restore(CONTRACT, kept)
    assert "onnx" not in [entry.name for entry in compared(CONTRACT)]
