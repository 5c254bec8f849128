"""Networks as files for physical values: on any size, on one, resized within; the same or none."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.dataset.form import form_of
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.predictors import export, onnx_file, physical
from sensor2sensor.predictors.exported import open_exported, output_of
from tests.fakes_dataset import toy_contract

TILE, FACTOR = 24, 2
CONTRACT = toy_contract("toy", "degraded", FACTOR, TILE, 0)
NORMALISER = Normalisation("standard", CONTRACT)


def experiment(*, size=(TILE, TILE), crops=False, upsampling="bicubic", precision="float32"):
    own = FACTOR if upsampling == "none" else 1
    config = SimpleNamespace(
        random_crop=crops, inference=SimpleNamespace(dropout=False), applied_statistics="train",
        precision=precision,
    )  # fmt: skip
    return SimpleNamespace(
        config=config, contract=CONTRACT, form=form_of(CONTRACT),
        normaliser=NORMALISER, TILESIZE=TILE, BATCH_SIZE=2,
        INPUT_UPSAMPLING=upsampling, IMG_HEIGHT=size[0], IMG_WIDTH=size[1], INPUT_CHANNELS=3,
        INPUT_HEIGHT=size[0] // own, INPUT_WIDTH=size[1] // own,
    )  # fmt: skip


def network(sides, *, enlarged=1, whole=False, halved=False, policy="float32"):
    """Two convolutions; ``whole``: every pixel also sees the mean of all."""
    keras.utils.set_random_seed(1)
    layers, options = keras.layers, {"padding": "same", "dtype": policy}
    image = keras.Input((*sides, 3))
    x = layers.Conv2D(4, 3, activation="relu", **options)(image)
    if halved:
        small = layers.Conv2D(4, 6, strides=2, **options)(x)
        x = layers.Add()([x, layers.Conv2DTranspose(4, 6, strides=2, **options)(small)])
    if whole:
        x = layers.Add()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)])
    if enlarged > 1:
        x = layers.UpSampling2D(enlarged)(x)
    return keras.Model(image, layers.Conv2D(3, 3, **{**options, "dtype": "float32"})(x))


# Experiment, network, and what is expected: sizes, halo, window.
CASES = {
    "any size": ({}, {"sides": (TILE, TILE)}, None, None),
    "any size in strides": ({}, {"sides": (TILE, TILE), "halved": True}, None, None),
    "its own grid": (
        {"upsampling": "none", "crops": True, "size": (12, 16)},
        {"sides": (None, None), "enlarged": FACTOR}, None, None,
    ),
    "windows of crops": (
        {"crops": True, "size": (12, 16)}, {"sides": (12, 16), "whole": True}, (12, 16), (12, 16),
    ),
    "resized tiles": (
        {"size": (16, 20), "upsampling": "nearest"}, {"sides": (16, 20)},
        (TILE, TILE), (TILE, TILE),
    ),
    "resized on its own grid": (
        {"size": (16, 16), "upsampling": "none"}, {"sides": (8, 8), "enlarged": FACTOR},
        (TILE, TILE), (TILE, TILE),
    ),
}  # fmt: skip


def written(folder, settings, of, kind="onnx", stem="toy"):
    seen, made = experiment(**settings), network(**of)
    plan = physical.plan_of(seen, made)
    path, said = physical.write(plan, NORMALISER, folder, stem, kind, {"run": "1"}, generator=made)
    return plan, made, path, said


@pytest.mark.parametrize("case", CASES)
def test_a_file_makes_what_the_generator_makes(tmp_path, case):
    settings, of, size_px, window_px = CASES[case]
    plan, made, path, said = written(tmp_path, settings, of)
    assert (said.size_px, said.tiling.window_px) == (size_px, window_px)
    assert (said.tiling.halo_px is None) == (size_px is not None)
    assert said.measured["parity_share"] <= 1e-4 and set(said.measured["parity"]) == {
        band.name for band in CONTRACT.target.bands
    }
    assert sorted(one.name for one in tmp_path.iterdir()) == ["toy.json", "toy.onnx"]
    opened = open_exported(path)
    assert opened.form == plan.form and opened.tiling == plan.tiling
    tiles = [physical.noise_tile(plan.form, plan.factor, (TILE, TILE), n) for n in (51, 52, 53)]
    wanted = plan.trained(made, NORMALISER)(tiles)
    assert wanted.std() > 0.03
    np.testing.assert_allclose(opened.predictor(tiles), wanted, atol=1e-5)


def test_a_tile_that_a_stride_cannot_divide_is_one_line(tmp_path):
    plan, _, path, _ = written(tmp_path, *CASES["any size in strides"][:2])
    odd = physical.noise_tile(plan.form, plan.factor, (TILE, TILE + 1), 1)
    said = r"toy.onnx: cannot be given a tile of 25 x 24 pixels \(.*\); .* multiples of 2"
    with pytest.raises(ModelContractError, match=said) as raised:
        open_exported(path).predictor([odd])
    assert len(str(raised.value).splitlines()) == 1


def test_a_saved_model_makes_it_too(tmp_path):
    settings, of, *_ = CASES["resized tiles"]
    plan, made, path, said = written(tmp_path, settings, of, "savedmodel", "a.toy")
    assert said.format == "savedmodel" and (tmp_path / "a.toy" / "saved_model.pb").is_file()
    tiles = [physical.noise_tile(plan.form, plan.factor, (TILE, TILE), 51)]
    made = open_exported(tmp_path / "a.toy").predictor(tiles)
    np.testing.assert_allclose(made, open_exported(path).predictor(tiles))
    assert output_of("savedmodel", tmp_path / "a.toy") == "output_0"
    # A second export takes its place; one that was changed since is not the one that was meant.
    written(tmp_path, settings, of, "savedmodel", "a.toy")
    (tmp_path / "a.toy" / "more").write_text("x")
    with pytest.raises(Exception, match="other SHA-256"):
        open_exported(path)


def test_half_precision_is_exported_in_float32(tmp_path):
    made = network((16, 20), policy="mixed_bfloat16")
    plan = physical.plan_of(experiment(size=(16, 20)), made)
    assert {layer.dtype_policy.name for layer in plan.network.layers} == {"float32"}
    path, said = physical.write(plan, NORMALISER, tmp_path, "toy", "onnx", {})
    assert said.precision == "float32" and said.measured["parity_share"] <= 1e-4
    tiles = [physical.noise_tile(plan.form, plan.factor, (TILE, TILE), 51)]
    wanted = plan.trained(made, NORMALISER)(tiles)  # rounded to 8 bits of mantissa within
    np.testing.assert_allclose(open_exported(path).predictor(tiles), wanted, atol=0.01)


def test_one_of_open_sides_that_sees_all_is_of_any_size_in_evaluation_and_led_by_windows():
    made = network((None, None), whole=True)
    plan = physical.plan_of(experiment(crops=True, size=(12, 16)), made)
    assert plan.size_px is None and plan.tiling.window_px == (12, 16)


@pytest.mark.parametrize("kind", ["onnx", "savedmodel"])
@pytest.mark.parametrize("gain", [1.001, float("nan")])
def test_one_that_does_not_is_not_left(tmp_path, monkeypatch, kind, gain):
    real = export.as_exported

    def off(generator, normaliser, **options):
        spoilt = SimpleNamespace(
            input=normaliser.input, restore=lambda made: normaliser.restore(made) * gain
        )
        return real(generator, spoilt, **options)

    monkeypatch.setattr(export, "as_exported", off)
    with pytest.raises(ModelContractError, match=r"toy.*(differs from the|are no numb)"):
        written(tmp_path, *CASES["any size"][:2], kind)
    assert not list(tmp_path.iterdir())


def test_a_layer_that_onnx_has_not_is_named(tmp_path):
    with pytest.raises(ModelContractError, match="cannot be exported to onnx"):
        onnx_file.exported_as("onnx", SimpleNamespace(), tmp_path / "x", None)


@pytest.mark.parametrize(("settings", "said"), [
    ({"elementwise": False}, "normalisation: 'l2' divides by a norm"),
    ({"dropout": True}, "inference.dropout"),
    ({"norm": "batch"}, "inference.norm: 'batch'"),
])  # fmt: skip
def test_what_no_file_can_do_is_refused(settings, said):
    config = SimpleNamespace(
        inference=SimpleNamespace(dropout=settings.get("dropout", False)),
        applied_statistics=settings.get("norm", "train"),
    )
    normaliser = SimpleNamespace(elementwise=settings.get("elementwise", True))
    with pytest.raises(ConfigError, match=f"{said}.*; predict.py applies the run as it is"):
        export.refuse_settings(
            SimpleNamespace(config=config, normaliser=normaliser, NORMALISATION="l2")
        )
