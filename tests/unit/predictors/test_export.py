"""What fits the contract of sentinel2_superresolution, and what of a network is made to."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.dataset.bands import float_band
from sensor2sensor.dataset.records import dense_record
from sensor2sensor.dataset.upsampling import upsample
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.predictors import export, onnx_file
from tests.fakes_dataset import toy_contract

CONTRACT = toy_contract("pairs", "degraded", 2, 32, 0)


def bands(*names, unit="reflectance", coarse=()):
    made = (float_band(name, unit, None) for name in names)
    return tuple(one.model_copy(update={"native_px": 1 + (one.name in coarse)}) for one in made)


def experiment(
    *, of=("B2", "B3"), to=("B3", "B2"), unit="reflectance", pixel_m=5.0, coarse=(), **settings
):
    contract = CONTRACT.model_copy(update={
        "input": CONTRACT.input.model_copy(update={"bands": bands(*of, unit=unit, coarse=coarse)}),
        "target": CONTRACT.target.model_copy(update={"bands": bands(*to)}),
        "resolution_m": pixel_m,
    })  # fmt: skip
    config = SimpleNamespace(
        inference=SimpleNamespace(dropout=settings.get("dropout", False)),
        applied_statistics=settings.get("norm", "train"),
        compat=settings.get("compat"),
    )
    return SimpleNamespace(
        contract=contract, config=config, NORMALISATION="l2",
        INPUT_UPSAMPLING=settings.get("upsampling", "none"),
        IMG_HEIGHT=32, INPUT_HEIGHT=settings.get("own", 16),
        normaliser=SimpleNamespace(elementwise=settings.get("elementwise", True)),
    )  # fmt: skip


def test_bands_go_by_name():
    fit = export.fit_of(experiment(of=("B02", "B8A"), to=("B8A", "B02")))
    assert (fit.bands, fit.order, fit.factor, fit.source_m) == (("B2", "B8A"), (1, 0), 2, 10.0)
    # From 20 m where no band has 10 m.
    assert export.fit_of(experiment(of=("B5",), to=("B5",), pixel_m=10.0)).source_m == 20.0
    assert export.fit_of(experiment(pixel_m=None)).source_m is None
    mixed = export.fit_of(experiment(of=("B2", "B8A"), to=("B2", "B8A"), coarse=("B8A",)))
    assert mixed.native_px == (1, 2) and not export.enlarges_otherwise(mixed)
    assert export.enlarges_otherwise(dataclasses.replace(mixed, compat="torchsisr"))


@pytest.mark.parametrize(("settings", "said"), [
    ({"of": ("B1",)}, "band 'B1' is none of"),
    ({"of": ("Oa08",)}, "band 'Oa08' is none of"),
    ({"unit": "DN"}, "is in DN, no reflectance"),
    ({"to": ("B2",)}, "makes B2 of B2, B3"),
    ({"pixel_m": 10.0}, "pixels of 20 m, the tool gives it 10 m; .*--other-scale"),
    ({"of": ("B5",), "to": ("B5",)}, "pixels of 10 m, the tool gives it 20 m"),
    ({"upsampling": "nearest"}, "input_upsampling: 'nearest'"),
    ({"own": 32}, "enlarges 1 times"),
    ({"elementwise": False}, "normalisation: 'l2'"),
    ({"coarse": ("B3",)}, "band 'B3' has pixels of 2 times the grid's"),
    ({"dropout": True}, "inference.dropout"),
    ({"norm": "image"}, "inference_statistics: 'image'"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        export.fit_of(experiment(**settings))


def test_another_scale_can_be_meant():
    assert export.fit_of(experiment(pixel_m=10.0), other_scale=True).source_m == 20.0


def network(sides=(None, None), *, policy="float32", extra=False, whole=False, fixed=False):
    layers = keras.layers
    image = keras.Input((*sides, 3))
    options = {"padding": "same", "dtype": policy}
    x = layers.Conv2D(4, 3, activation="relu", **options)(image)
    if whole:
        x = layers.Add()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)])
    if fixed:
        x = layers.Reshape((*sides, 4))(x)
    x = layers.UpSampling2D(2)(x)
    x = layers.Conv2D(3, 3, **{**options, "dtype": "float32"})(x)
    return keras.Model([image, keras.Input((1,))] if extra else image, x)


def test_a_network_of_fixed_sides_in_half_precision_is_copied():
    made = network((16, 16), policy="mixed_bfloat16")
    copy = export.of_any_size(made)
    image = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    np.testing.assert_allclose(copy(image), made(image), atol=0.05)
    assert copy(image[:, :7, :9]).shape == (1, 14, 18, 3)
    assert export.of_any_size(copy) is copy


@pytest.mark.parametrize(("options", "said"), [
    ({"extra": True}, "takes 2 inputs"),
    ({"sides": (16, 16), "fixed": True}, "any size"),
])  # fmt: skip
def test_what_cannot_be_of_any_size_is_refused(options, said):
    with pytest.raises(ModelContractError, match=said):
        export.of_any_size(network(**options))


def test_the_margin_is_what_is_seen_in_whole_input_pixels():
    # 3 x 3 before and, over half as large pixels, behind: two to each side.
    assert export.margin_of(network(), 2) == export.Margin(4, 2, asked=False)
    assert export.margin_of(network(), 2, 2) == export.Margin(2, 2, asked=True)
    with pytest.raises(ConfigError, match="3 is no multiple of the factor 2; take 4"):
        export.margin_of(network(), 2, 3)


def test_a_network_that_sees_all_of_its_image_needs_a_margin(monkeypatch):
    monkeypatch.setattr(export, "_LARGEST_PX", 64)
    with pytest.raises(ConfigError, match="sees all of an image"):
        export.margin_of(network(whole=True), 2)
    assert export.margin_of(network(whole=True), 2, 8) == export.Margin(8, None, asked=True)


@pytest.mark.parametrize("past", [False, True])
def test_a_network_that_sees_repeated_pixels_is_refused(past):
    """The tool has none to give, and from enlarged ones they do not come back."""
    image = keras.Input((None, None, 3))
    first = keras.layers.Rescaling(2.0, name="native_grid" if past else None)(image)
    made = keras.Model(image, keras.layers.Add()([first, image]))
    assert export.behind_its_enlargement(made, FIT) is made  # no band is coarser
    with pytest.raises(ModelContractError, match=r"repeated, .*the tool gives them enlarged"):
        export.behind_its_enlargement(made, MIXED)


def test_the_images_of_the_check_are_what_a_record_holds_and_what_the_tool_gives():
    ranges = np.array([[0.0, 0.5]] * 3)
    stored = onnx_file.as_stored(onnx_file.noise(ranges, (32, 40), 0), MIXED)
    own = stored[0, 1, ::2, ::2]
    np.testing.assert_array_equal(stored[0, 1], own.repeat(2, 0).repeat(2, 1))
    given = onnx_file.as_given(stored, MIXED)
    np.testing.assert_array_equal(given[:, ::2], stored[:, ::2])
    held = np.moveaxis(stored[0], 0, -1)
    blank = np.empty((32, 40, 0), np.float32)
    runner = upsample(dense_record("runner", blank, held), "bicubic", MIXED.native_px)
    np.testing.assert_allclose(given[0, 1], runner[..., 1], atol=1e-2)


def test_numbers_in_and_out_are_reflectance_times_10000_in_the_order_of_the_input():
    normaliser = Normalisation("reflectance", CONTRACT)
    fit = export.Fit(("B2", "B3", "B4"), (2, 0, 1), 1, None)
    image = keras.Input((None, None, 3))
    same = keras.Model(image, keras.layers.Rescaling(2.0)(image))
    numbers = np.random.default_rng(0).uniform(-200, 12000, (2, 3, 8, 5)).astype(np.float32)
    wanted = 2 * numbers[:, [2, 0, 1]]
    made = export.in_digital_numbers(same, normaliser, fit)(numbers)
    np.testing.assert_allclose(made, wanted, rtol=1e-5)
    np.testing.assert_allclose(
        onnx_file.reference(same, normaliser, fit)(numbers), wanted, rtol=1e-5
    )


def twice(numbers):
    """Stands for a network that sees one pixel to each side: a blur, twice as large."""
    wide = np.pad(numbers, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = numbers.shape[2:]
    seen = [wide[..., y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    return np.mean(seen, axis=0).repeat(2, -2).repeat(2, -1)


def halving(numbers):
    """One whose result depends on where an image begins."""
    return twice(
        numbers[..., ::2, ::2]
        .repeat(2, -2)
        .repeat(2, -1)[..., : numbers.shape[2], : numbers.shape[3]]
    )


def refusing(numbers):
    raise ValueError("sides must be multiples of 16")


FIT = export.Fit(("B2", "B3", "B4"), (0, 1, 2), 2, 10.0)
MIXED = dataclasses.replace(FIT, native_px=(1, 2, 1))
ENOUGH, LITTLE = export.Margin(2, 1, asked=False), export.Margin(0, 1, asked=True)


def written(path, monkeypatch, apply=twice, truth=twice, margin=ENOUGH, fit=FIT):
    monkeypatch.setattr(
        onnx_file, "export_onnx", lambda network, part, channels: part.write_bytes(b"x")
    )
    truths = [(truth, sides) for sides in onnx_file.ODD_PX]
    ranges = np.array([[0.0, 0.5]] * 3)
    return onnx_file.write(None, truths, lambda part: apply, path, margin, fit, ranges)


def test_a_file_that_does_what_it_should_is_left(tmp_path, monkeypatch):
    measured = written(tmp_path / "m.onnx", monkeypatch)
    assert measured == {"parity_dn": 0.0, "seam_dn": 0.0}
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    # Noise of 5000 digital numbers: without a margin the outer pixels know no neighbours.
    assert written(tmp_path / "m.onnx", monkeypatch, margin=LITTLE)["seam_dn"] > 100


@pytest.mark.parametrize(("options", "said"), [
    ({"apply": lambda x: twice(x) + 3}, "differs from the generator by 3"),
    ({"apply": lambda x: twice(x) * np.float32(np.nan)}, "differs from the generator by nan"),
    ({"apply": lambda x: x}, r"makes \[1, 3, 48, 48\] of \[1, 3, 48, 48\], not"),
    ({"truth": refusing}, "takes no image of 48 x 48 pixels .*multiples of 16"),
    ({"fit": MIXED}, "differs from the generator"),  # alike, but of the same image alone
    ({"apply": halving, "truth": halving}, "a window differs .*--margin N"),
])  # fmt: skip
def test_one_that_does_not_is_not(tmp_path, monkeypatch, options, said):
    with pytest.raises(ModelContractError, match=said):
        written(tmp_path / "m.onnx", monkeypatch, **options)
    assert not list(tmp_path.iterdir())


def test_a_seam_that_was_asked_for_is_told(capsys):
    """What export.py says of it."""
    import export as door

    door.told(FIT, LITTLE, {"parity_dn": 0.0, "seam_dn": 41.26})
    assert "margin 0: an output pixel sees 1 px of the input" in (said := capsys.readouterr().out)
    assert "41.3 digital numbers" in said
