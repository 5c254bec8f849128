"""Exports as STAC Items, judged by the extension's own library and by STAC's bundled schemas."""

from __future__ import annotations

import json
import socket

import pystac
import pytest
from pystac.extensions.mlm import AssetGeneralMLMExtension, MLMExtension
from stac_model.schema import MLModelProperties

from sensor2sensor.predictors import mlm
from sensor2sensor.predictors.exported import output_of
from sensor2sensor.predictors.sidecar import read_sidecar
from tests.fakes.onnx_files import toy_form, write_exported

STARTED = "2026-11-27T21:00:00.000Z"
SETTINGS = {
    "steps": 3, "gen_loss": {"gen_l1": 1.0}, "params": {"width": 64}, "dataset": "pairs",
    "vgg": {"weights": "/weights-of-a-machine/vgg.npz"}, "ema": None,
}  # fmt: skip


def item_of(tmp_path, form, **export):
    path = write_exported(tmp_path, form, **export)
    said, model = read_sidecar(path)
    known = {**said.provenance, "weights_count": 162_282}
    said = said.model_copy(update={"provenance": known})
    assets = {"sidecar": mlm.asset(path, "What predict reads", "application/json", "metadata")}
    made = mlm.mlm_item(
        "a__toy_0101-0000", said, started=STARTED, settings=SETTINGS, assets=assets,
        output=output_of(said.format, model),
        size_bytes=model.stat().st_size,
    )  # fmt: skip
    return json.loads(json.dumps(made)), said, model


@pytest.fixture
def offline(monkeypatch):
    """The schemas of STAC itself come with pystac; those of extensions are on the network."""

    def refused(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)


def test_an_item_is_valid_stac_and_its_properties_valid_mlm(tmp_path, offline):
    made, said, model = item_of(tmp_path, toy_form(factor=3.0), upsampling="none", factor=3)
    core = {**made, "stac_extensions": []}
    pystac.Item.from_dict(core).validate()
    with pytest.raises(pystac.STACValidationError):
        pystac.Item.from_dict({**core, "assets": {"model": {"href": ""}}}).validate()
    read = MLModelProperties(**made["properties"])
    assert (read.framework, read.total_parameters) == ("ONNX", 162_282)
    assert read.tasks == {"super-resolution"} and read.pretrained_source == said.form.name
    assert read.input[0].bands == [band.name for band in said.form.input.bands]
    assert read.input[0].input.shape == [-1, 3, -1, -1] == read.output[0].result.shape
    assert read.hyperparameters.model_dump() == {
        key: SETTINGS[key] for key in ("steps", "gen_loss", "params")
    }
    assert "/weights-of-a-machine" not in json.dumps(made)
    assert made["assets"]["model"]["file:size"] == model.stat().st_size


def test_pystac_reads_it_as_version_1_4(tmp_path):
    made, said, _ = item_of(tmp_path, toy_form())
    item = pystac.Item.from_dict(made)
    read = MLMExtension.ext(item)
    assert MLMExtension.get_schema_uri() == mlm.EXTENSION
    assert read.mlm_name == "a__toy_0101-0000" and read.tasks == ["generative"]
    model = AssetGeneralMLMExtension.ext(item.assets["model"])
    assert model.artifact_type == "onnx"
    assert item.assets["model"].extra_fields["file:checksum"] == f"1220{said.sha256}"


@pytest.mark.parametrize(
    ("upsampling", "factor", "shape", "resized"),
    [
        ("none", 2, [-1, 3, 8, 12], None),
        ("nearest", 1, [-1, 3, 16, 24], "interpolation-nearest"),
        ("bicubic", 1, [-1, 3, 16, 24], "interpolation-cubic"),
    ],
)
def test_a_file_of_one_size_states_it_on_the_grid_that_it_takes(
    tmp_path, upsampling, factor, shape, resized
):
    form = toy_form(factor=2.0)
    made, *_ = item_of(
        tmp_path, form, upsampling=upsampling, factor=factor, size_px=(16, 24)
    )  # fmt: skip
    (given,), (out,) = (made["properties"][f"mlm:{side}"] for side in ("input", "output"))
    assert given["input"]["shape"] == shape and given["resize_type"] == resized
    assert out["result"]["shape"] == [-1, 3, 16, 24]


def test_one_of_digital_numbers_says_what_goes_in_and_comes_out(tmp_path):
    said, _ = read_sidecar(write_exported(tmp_path, toy_form()))
    made = mlm.mlm_item(
        "0 é", said, started=STARTED, settings={}, assets={}, output="Identity:0", numbers=1e4
    )
    assert made["properties"]["mlm:output"][0]["name"] == "Identity:0"
    properties = MLModelProperties(**made["properties"])
    assert properties.input[0].value_scaling[0].expression == "A * 10000"
    assert properties.output[0].post_processing_function.expression == "A / 10000"
    assert properties.name == "model_0__" and "file:size" not in made["assets"]["model"]
