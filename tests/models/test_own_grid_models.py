"""CARN and RRDB on the input's own grid, the judges of detail, the layer of low frequencies."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import base
from models.loading import load_gan_class
from models.parts.detail_judges import HighPass, QuarterMeans
from models.parts.grids import Blurred, NativeGrid, Resampled, factor_of
from models.parts.primitives import GroupedConv2D
from sensor2sensor.config.network_settings import DiscriminatorSettings
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.upsampling import bicubic_matrix, interpolate
from sensor2sensor.networks.reach import reach
from sensor2sensor.pipeline import bicubic, psf
from sensor2sensor.predictors import export, onnx_file
from tests.models.standin import contract, experiment

TEN = {
    "B2": 492, "B3": 560, "B4": 665, "B8": 833, "B5": 704, "B6": 740, "B7": 783, "B8A": 865,
    "B11": 1610, "B12": 2190,
}  # fmt: skip
FEW = {name: TEN[name] for name in ("B2", "B5", "B8")}
TINY = {
    "carn": {"cascades": 1, "blocks": 1, "features_per_factor": 1, "groups": 2},
    "rrdb": {"blocks": 1, "features": 8, "growth": 4},
}
L1 = {"gen_l1": 1.0}


def own_grid(factor=2, size=16, bands=FEW, coarse=(), **settings):
    """An experiment whose input is ``factor`` times coarser; ``coarse`` bands have 2 x 2 pixels."""
    settings.setdefault("discriminator", None)
    settings.setdefault("normalisation", "reflectance")
    exp = experiment(size=size, bands=bands, input_upsampling="none", **settings)
    made = contract(tile_px=size, bands=bands).model_dump(mode="json")
    made["input"] |= {"layout": "dense", "grid": (size // factor,) * 2}
    for band in made["input"]["bands"]:
        if band["name"] in coarse:
            band["native_px"] = 2
    exp.__dict__["contract"] = type(exp.contract).model_validate(
        {**made, "factor": float(factor)}, strict=False
    )
    assert factor_of(exp) == factor
    return exp


def tiny(name, factor=2, *, params=None, **settings):
    params = {**TINY[name], **(params or {})}
    return load_gan_class(name)(own_grid(factor, params=params, **settings))


def picture(*shape, seed=0):
    """Reflectances, some of them negative."""
    return np.random.default_rng(seed).uniform(-0.05, 0.6, shape).astype(np.float32)


def bicubic_of(image, factor):
    """By the matrices of the data sets' own upsampling."""
    rows, columns = (bicubic_matrix(n * factor, n, factor) for n in image.shape[1:3])
    return np.stack([interpolate(one, rows, columns) for one in image])


def test_carn_has_the_published_number_of_parameters():
    made = load_gan_class("carn")(own_grid(bands=TEN))
    assert made.generator.count_params() == 162_282


@pytest.mark.parametrize("factor", [2, 4])
def test_carn_counts_by_its_formula_without_shared_weights(factor):
    params = {"features_per_factor": 2, "groups": 2, "shared_weights": False}
    params |= {"cascades": 2, "blocks": 2}
    n, c, w = 2, 3, 2 * factor**2
    block = 2 * (9 * w * w // 2 + w) + w * w + w
    outside = (9 * c * w + w) + (9 * w * w + w) + (9 * w * c // factor**2 + c)
    mixed = (n * n + n) * (w * w + w)  # one behind every block and every cascade
    made = load_gan_class("carn")(own_grid(factor, params=params)).generator
    assert made.count_params() == n * n * block + mixed + outside


def test_rrdb_has_the_published_number_of_parameters():
    """ESRGAN's generator: 23 blocks, 3 bands, x4: 16,697,987; a block more is 719,424."""
    one = load_gan_class("rrdb")(own_grid(4, params={"blocks": 1})).generator
    assert one.count_params() + 22 * 719_424 == 16_697_987


def test_the_unet_judge_has_the_published_number_of_parameters():
    """Of Real-ESRGAN for three bands: 4,376,897 (the singular vectors are no parameters)."""
    judge = tiny("carn", params={"discriminator": "unet"}, discriminator=DiscriminatorSettings())
    variables = judge.discriminator.trainable_variables
    assert sum(int(np.prod(v.shape)) for v in variables) == 4_376_897


@pytest.mark.parametrize("coefficient", [bicubic.KEYS, bicubic.TORCH])
@pytest.mark.parametrize(("up", "down"), [(2, 1), (4, 1), (3, 1), (3, 4), (1, 2)])
def test_resampling_is_bicubic(up, down, coefficient):
    image = picture(2, 3 * down, 5 * down, 3)
    made = Resampled(up, down, coefficient)(image).numpy()
    wanted = bicubic.resize(image, 3 * up, 5 * up, coefficient=coefficient).numpy()
    np.testing.assert_allclose(made, wanted, atol=2e-6)
    line = Resampled(up, down, None)(image).numpy()
    if down == 1:
        np.testing.assert_allclose(line, tf.image.resize(image, line.shape[1:3]), atol=1e-6)


@pytest.mark.parametrize("factor", [2, 4])
def test_blurring_is_that_of_the_sensor(factor):
    image, mtf = picture(1, 27, 36, 2), [0.1, 0.35]
    made = Blurred(mtf, factor, factor)(image).numpy()
    np.testing.assert_allclose(made, psf.degrade(image, factor, mtf).numpy(), atol=2e-6)
    alone = Blurred(mtf, factor, 1)(image).numpy()
    np.testing.assert_allclose(alone, psf.degrade(image, 1, _as_fine(mtf, factor)), atol=2e-6)


def _as_fine(mtf, factor):
    """The MTF at the fine Nyquist frequency of a Gaussian with ``mtf`` at the coarse one."""
    return [m ** (factor**2) for m in mtf]


@pytest.mark.parametrize("sides", [(8, 12), (7, 5)])
def test_coarser_bands_come_back_to_their_own_pixels(sides):
    fine, own = picture(1, *sides, 2), picture(1, 6, 6, 1, seed=1)
    own = own[:, : -(-sides[0] // 2), : -(-sides[1] // 2)]
    stored = own.repeat(2, axis=1).repeat(2, axis=2)[:, : sides[0], : sides[1]]
    given = np.concatenate([fine[..., :1], stored, fine[..., 1:]], axis=-1)
    made = NativeGrid([1, 2, 1])(given).numpy()
    np.testing.assert_array_equal(made[..., [0, 2]], fine)
    wanted = bicubic_of(own, 2)[:, : sides[0], : sides[1], 0]
    np.testing.assert_allclose(made[..., 1], wanted, atol=1e-6)


@pytest.mark.parametrize("low_frequency", [False, True])
@pytest.mark.parametrize("name", TINY)
def test_behind_its_enlargement_a_generator_is_the_one_that_was_trained(name, low_frequency):
    """What is exported, given bands of 20 m enlarged; it began to say another in test and file."""
    params = {"base": "input", "low_frequency": low_frequency}
    generator = tiny(name, params=params, coarse=["B5"]).generator
    for variable in generator.trainable_variables[-2:]:  # zero on a base, before training
        variable.assign(picture(*variable.shape))
    fit = export.Fit(("B2", "B5", "B8"), (0, 1, 2), 2, 10.0, (1, 2, 1))
    stored = onnx_file.as_stored(np.moveaxis(picture(1, 15, 17, 3), -1, 1), fit)
    given = onnx_file.as_given(stored, fit)
    assert np.abs(given - stored)[:, 1].max() > 0.05 and np.array_equal(given[:, 0], stored[:, 0])
    made = export.behind_its_enlargement(generator, fit)(np.moveaxis(given, 1, -1))
    np.testing.assert_allclose(made, generator(np.moveaxis(stored, 1, -1)), atol=1e-5)


@pytest.mark.parametrize("name", TINY)
def test_what_the_reader_enlarged_bicubically_is_enlarged_no_further(name):
    """It begins at the bands' own pixels; every second pixel of the result is none of them."""
    exp = own_grid(params=TINY[name] | {"base": "input", "low_frequency": True}, coarse=["B5"])
    exp.config.__dict__["input_upsampling"] = "bicubic"
    flat = np.full((1, 16, 16, 1), 0.2, np.float32)
    image = np.concatenate([flat, picture(1, 16, 16, 1), flat], axis=-1)
    np.testing.assert_allclose(load_gan_class(name)(exp).generator(image), image, atol=1e-6)


@pytest.mark.parametrize("name", TINY)
def test_repeated_bands_of_two_pixel_sizes_are_refused(name):
    exp = own_grid(params=TINY[name], coarse=["B5"])
    exp.config.__dict__["input_upsampling"] = "nearest"
    with pytest.raises(ConfigError, match=r"B5.*own; write .input_upsampling.: .none.") as caught:
        load_gan_class(name)(exp)
    assert "\n" not in str(caught.value)


def test_groups_are_those_of_keras():
    options = {"groups": 2, "padding": "same", "bias_initializer": "ones"}
    ours, theirs = GroupedConv2D(4, 3, **options), keras.layers.Conv2D(4, 3, **options)
    image = picture(1, 5, 5, 6)
    wanted = theirs(image)
    ours.build(image.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(image), wanted, atol=1e-5)


def test_quarters_of_an_odd_map_share_its_middle():
    found = QuarterMeans()(np.arange(15, dtype=np.float32).reshape(1, 3, 5, 1)).numpy()[0, ..., 0]
    np.testing.assert_allclose(found, [[3.5, 5.5], [8.5, 10.5]])


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("name", TINY)
def test_untrained_on_a_base_it_is_the_bicubic_baseline_at_any_size(name, factor):
    generator = tiny(name, factor, params={"base": "input"}, coarse=["B5"]).generator
    image = picture(2, 7, 5, 3)
    image[..., 1] = image[:, ::2, ::2, 1].repeat(2, axis=1).repeat(2, axis=2)[:, :7, :5]
    wanted = image.copy()
    wanted[..., 1:2] = bicubic_of(image[:, ::2, ::2, 1:2], 2)[:, :7, :5]
    np.testing.assert_allclose(generator(image), bicubic_of(wanted, factor), atol=2e-6)


@pytest.mark.parametrize(("name", "params"), [("carn", {}), ("rrdb", {"padding": "reflect"})])
def test_a_border_of_even_ground_is_even(name, params):
    """Where the convolutions reflect, no frame is seen; zeros would darken it."""
    made = tiny(name, params=params).generator(np.full((1, 6, 9, 3), 0.3, np.float32)).numpy()
    # Every pixel of a 2 x 2 square has weights of its own.
    squares = made.reshape(6, 2, 9, 2, 3).transpose(1, 3, 4, 0, 2).reshape(12, -1)
    inner = squares.reshape(12, 6, 9)[:, 1:-1, 1:-1]
    np.testing.assert_allclose(inner, np.broadcast_to(inner[:, :1, :1], inner.shape), atol=1e-5)


def test_a_pixel_of_carn_sees_what_its_convolutions_do():
    """(2·blocks·cascades + 2) input pixels on either side, and two by the last convolution."""
    found = reach(tiny("carn", params={"blocks": 2}).generator, (24, 24))
    assert found.receptive_field_px == 2 * (2 * 2 + 2) + 2


@pytest.mark.parametrize("name", TINY)
def test_every_weight_of_a_generator_learns(name):
    gan = tiny(name, coarse=["B5"], gen_loss=L1)
    pair = (tf.constant(picture(2, n, n, 3)) for n in (8, 16))
    losses = base.standard_step(gan, *pair, tf.constant(0, tf.int64))
    assert np.isfinite(losses["total_gen_loss"])
    moments = [v for v in gan.generator_optimizer.variables if "momentum" in v.path]
    assert len(moments) == len(gan.generator.trainable_variables)
    assert all(np.abs(one).max() > 0 for one in moments)


OBJECTIVES = {
    "relativistic": ({"gen_ragan": 1.0}, {"disc_ragan": 1.0}, "published"),
    "wasserstein": ({"gen_wstein": 1.0}, {"disc_wstein": 1.0, "disc_gp": 10.0}, "none"),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("kind", ["encoder", "unet"])
def test_both_judges_bear_every_objective(kind, objective):
    gen, disc, norm = OBJECTIVES[objective]
    norm = "published" if kind == "unet" else norm  # spectral: a penalty bears that
    gan = tiny(
        "carn", params={"discriminator": kind, "width": 0.1}, gen_loss=L1 | gen, disc_loss=disc,
        discriminator=DiscriminatorSettings(norm=norm, highpass=0.2),
    )  # fmt: skip
    before = [v.numpy() for v in gan.discriminator.trainable_variables]
    pair = (tf.constant(picture(2, n, n, 3)) for n in (8, 16))
    losses = base.standard_step(gan, *pair, tf.constant(0, tf.int64))  # untraced: that takes long
    assert all(np.isfinite(value) for value in losses.values())
    now = gan.discriminator.trainable_variables
    same = [v.path for a, v in zip(before, now, strict=True) if np.array_equal(a, v)]
    # Both objectives are differences of answers, in which the last bias cancels.
    assert set(same) <= {now[-1].path}
    answer = gan.discriminator([picture(1, 9, 7, 3), picture(1, 18, 14, 3)])
    assert answer.shape == ((1, 1, 1, 1) if kind == "encoder" else (1, 18, 14, 1))


def test_a_judge_of_detail_has_no_say_in_reflectances():
    made, image = {}, picture(1, 16, 16, 3)
    for highpass in (None, 0.2):
        judged = DiscriminatorSettings(highpass=highpass, norm="none")
        judge = tiny("carn", params={"discriminator": "encoder"}, discriminator=judged)
        answers = (judge.discriminator([image[:, ::2, ::2], image + c]) for c in (0.0, 0.3))
        made[highpass] = abs(float(np.subtract(*answers).item()))
    assert made[0.2] < 1e-5 < 1e-3 < made[None]


def test_a_judge_of_detail_sees_by_the_kernels_that_compat_asks_for():
    judged, image = DiscriminatorSettings(highpass=0.2, norm="none"), picture(1, 16, 16, 3)
    for compat, way in ((None, {}), ("torchsisr", {"half_width": 3, "coefficient": -0.75})):
        gan = tiny("carn", params={"discriminator": "encoder"}, discriminator=judged, compat=compat)
        (layer,) = (one for one in gan.discriminator.layers if isinstance(one, HighPass))
        for one in (layer, HighPass.from_config(layer.get_config())):
            np.testing.assert_array_equal(one(image), psf.highpass(image, 0.2, **way))


@pytest.mark.parametrize("factor", [2, 4])
def test_low_frequencies_are_the_inputs_however_the_network_drifts(factor):
    gan = tiny("carn", factor, params={"low_frequency": True, "base": "input"})
    bias, dark = gan.generator.trainable_variables[-1], np.zeros((1, 12, 9, 3), np.float32)
    bias.assign(np.full(bias.shape, 0.02, np.float32))  # over dark ground a drift is all there is
    np.testing.assert_allclose(gan.generator(dark), 0.0, atol=1e-7)
    bias.assign(np.zeros(bias.shape, np.float32))
    truth = psf.blur(picture(1, 64, 64, 3), 1.5).numpy()
    mtf = psf.mtf_of(list(FEW))
    low = psf.degrade(truth, factor, mtf).numpy()
    made = gan.generator(low).numpy()
    without = tiny("carn", factor, params={"base": "input"}).generator(low).numpy()
    error = [np.sqrt(np.mean((psf.degrade(x, factor, mtf) - low) ** 2)) for x in (made, without)]
    assert error[0] < 0.6 * error[1]
    closer = [np.sqrt(np.mean((x - truth) ** 2)) for x in (made, without)]
    assert closer[0] < closer[1]


def test_what_agrees_with_the_input_is_left_as_it_is():
    """edsr on the target's grid: its layers are others, the constraint is the same."""
    exp = experiment(
        params={"blocks": 1, "width": 0.07, "low_frequency": True}, gen_loss=L1,
        discriminator=None, input_upsampling="bicubic", normalisation="reflectance",
    )  # fmt: skip
    generator = load_gan_class("edsr")(exp).generator
    flat = np.full((1, 64, 64, 3), 0.2, np.float32)
    np.testing.assert_allclose(generator(flat), flat, atol=1e-6)
    image = psf.blur(picture(1, 64, 64, 3), 4.0).numpy()
    blurred = psf.degrade(image, 1, _as_fine(psf.mtf_of(["B2", "B3", "B4"]), exp.SCALE))
    np.testing.assert_allclose(generator(image), 2 * image - blurred, atol=1e-5)


def test_bands_of_coarser_pixels_are_left_to_the_network():
    gan = tiny("carn", params={"low_frequency": True, "base": "input"}, coarse=["B5"])
    for variable in gan.generator.trainable_variables[-1:]:
        variable.assign(np.full(variable.shape, 0.02, np.float32))
    made = gan.generator(np.zeros((1, 8, 8, 3), np.float32)).numpy()
    np.testing.assert_allclose(made[..., 1], 0.02, atol=1e-6)
    np.testing.assert_allclose(made[..., [0, 2]], 0.0, atol=1e-6)


def test_a_saved_generator_is_the_same_after_loading(tmp_path):
    gan = tiny("carn", params={"low_frequency": True, "base": "input"}, coarse=["B5"])
    gan.generator.save(tmp_path / "carn.keras")
    again = keras.models.load_model(tmp_path / "carn.keras", safe_mode=True)
    image = picture(1, 9, 8, 3)
    np.testing.assert_array_equal(again(image), gan.generator(image))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"params": {"groups": 3}}, "3 groups do not divide 4 features"),
        ({"params": {"discriminator": "unett"}}, "nearest: 'unet'"),
        ({"params": {"discriminator": True}}, "must be False, 'encoder' or 'unet'"),
        ({"params": {"low_frequency": True}, "bands": {"X1": 500.0}}, "MTF of band 'X1'"),
        (
            {"params": {"discriminator": "unet"},
             "discriminator": DiscriminatorSettings(receptive_field=34)}, "receptive_field",
        ),
    ],
    ids=["groups", "misspelt", "type", "unknown MTF", "PatchGAN's key"],
)  # fmt: skip
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        tiny("carn", **settings)


def test_an_input_enlarged_by_repetition_has_no_low_frequencies_of_its_own():
    exp = experiment(params={"low_frequency": True}, gen_loss=L1, discriminator=None)
    with pytest.raises(ConfigError, match="enlarged by repetition"):
        load_gan_class("edsr")(exp)
