"""DSen2-CR: published counts and reach, what enters it, what it refuses (V1-V3)."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models.loading import load_gan_class
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.networks.linear import fewer_by, linear_copy
from sensor2sensor.networks.reach import reach
from tests.models import clouds

TINY = {"features": 8, "blocks": 2}
THIRTEEN = tuple(clouds.NM)


def made(data=None, params=TINY, **settings):
    return load_gan_class("dsen2cr")(clouds.experiment(data, params=params, **settings))


def formula(optical: int, radar: int, blocks: int, features: int) -> int:
    """Fact sheet 1.1."""
    stem = 9 * features * (optical + radar) + features
    block = 2 * (9 * features**2 + features)
    return stem + blocks * block + 9 * features * optical + optical


@pytest.mark.parametrize(
    ("shape", "published"),
    [
        ((10, 2, 16, 64), 1_194_442),
        ((13, 2, 16, 256), 18_947_341),
        ((10, 2, 13, 64), 972_874),
        ((10, 2, 16, 58), 982_240),
        ((13, 2, 16, 64), 1_197_901),
    ],
)
def test_the_formula_gives_the_published_counts(shape, published):
    assert formula(*shape) == published


def test_values_of_the_published_networks_and_none_beside_them():
    inputs = (*THIRTEEN, "VV", "VH")
    thirteen = clouds.contract(inputs, THIRTEEN)
    for data, params, published in (
        (None, {"features": 64}, 1_194_442),
        (None, {"features": 64, "blocks": 13}, 972_874),
        (None, {"features": 58}, 982_240),
        (None, {"features": 64, "sar": False}, formula(10, 0, 16, 64)),
        (thirteen, {}, 18_947_341),
        (thirteen, TINY, formula(13, 2, 2, 8)),
    ):
        network = made(data, params).generator
        # What is printed counts frozen values too.
        assert network.count_params() == published
        assert sum(int(np.prod(v.shape)) for v in network.trainable_weights) == published


def test_an_input_of_11_and_2_bands_enters_by_7552_values():
    inputs = (*THIRTEEN[:11], "VV", "VH")
    network = made(clouds.contract(inputs, THIRTEEN[:11]), {"features": 64, "blocks": 1}).generator
    first = next(layer for layer in network.layers if layer.count_params())
    assert first.count_params() == 7552


@pytest.mark.slow
@pytest.mark.parametrize(("blocks", "field_px"), [(16, 69), (13, 57)])
def test_a_pixel_sees_the_published_field(blocks, field_px):
    network = made(None, {"features": 8, "blocks": blocks}).generator
    seen = reach(network, (128, 128))
    assert (seen.receptive_field_px, seen.total_stride_px) == (field_px, 1)


def test_ten_bands_do_not_make_the_measurement_as_costly_as_the_network(monkeypatch):
    """What divides 10 and 64 alike does not fit the bands that are picked without a weight."""
    network = made(None, {"features": 64, "blocks": 1}).generator
    assert fewer_by(network) == [2, 64]
    costs = []
    monkeypatch.setattr(
        "sensor2sensor.networks.reach.linear_copy",
        lambda *args: costs.append(linear_copy(*args)) or costs[-1],
    )
    assert reach(network, (24, 24)).receptive_field_px == 9
    assert [copy.count_params() for copy in costs] == [formula(10, 2, 1, 1)]


def test_any_height_and_width_will_do_whatever_it_was_built_for():
    network = made().generator
    assert network.input_shape == (None, None, None, 12)
    whole = np.random.default_rng(0).uniform(0, 5, (1, 40, 24, 12)).astype(np.float32)
    answer = network(whole).numpy()
    assert answer.shape == (1, 40, 24, 10) and answer.dtype == np.float32
    # A crop's middle, farther than 6 pixels from its border, is that of the whole.
    part = network(whole[:, 4:28, :, :]).numpy()
    np.testing.assert_allclose(part[:, 6:-6], answer[:, 10:22], atol=2e-5)


def test_a_zero_head_starts_at_the_cloudy_image_and_the_published_one_does_not():
    order = ("VH", *THIRTEEN[::-1], "VV")
    for targets in (THIRTEEN, clouds.TEN):
        gan = made(clouds.contract(order, targets), {**TINY, "zero_head": True})
        image = np.random.default_rng(1).uniform(0, 5, (1, 8, 8, 15)).astype(np.float32)
        wanted = image[..., [order.index(name) for name in targets]]
        np.testing.assert_array_equal(gan.generator(image).numpy(), wanted)
    gan = made()
    answer = gan.generator(image[..., :12]).numpy()
    assert np.abs(answer - image[..., :10]).mean() > 0.1


def test_bands_enter_optical_first_and_radar_only_where_asked_for():
    order = ("VV", *clouds.TEN, "VH")
    image = np.random.default_rng(2).uniform(0, 2, (1, 8, 8, 12)).astype(np.float32)
    other = image.copy()
    other[..., [0, 11]] += 1.0
    for sar in (True, False):
        gan = made(clouds.contract(order), {**TINY, "sar": sar})
        first = next(x for x in gan.generator.layers if x.count_params())
        assert first.kernel.shape[2] == 10 + 2 * sar
        changed = not np.array_equal(gan.generator(image), gan.generator(other))
        assert changed == sar
    # The same network, whatever the order in which the data set stores its bands.
    usual = made()
    moved = made(clouds.contract(order))
    sorted_ = image[..., [*range(1, 11), 0, 11]]
    np.testing.assert_array_equal(usual.generator(sorted_), moved.generator(image))


def test_it_is_saved_whole_and_opened_without_our_code(tmp_path):
    order = ("VV", *clouds.TEN[::-1], "VH")
    network = made(
        clouds.contract(order, value_range=(-1.0, 0.5)), normalisation="minmax"
    ).generator
    network.save(tmp_path / "network.keras")
    again = tf.keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    image = np.random.default_rng(3).uniform(0, 1, (1, 6, 10, 12)).astype(np.float32)
    np.testing.assert_array_equal(again(image), network(image))


def test_without_groups_all_bands_enter():
    plain = clouds.contract(clouds.TEN, groups=[])
    assert made(plain, {**TINY, "sar": False}).generator.count_params() == formula(10, 0, 2, 8)


def test_another_normalisation_of_the_two_sides_moves_the_base():
    data = clouds.contract(value_range=(0.0, 0.5))
    gan = made(data, {**TINY, "zero_head": True}, normalisation="minmax")
    image = np.full((1, 4, 4, 12), 0.4, np.float32)  # reflectance 0.2
    np.testing.assert_allclose(gan.generator(image).numpy(), 0.2, rtol=1e-6)


@pytest.mark.parametrize(
    ("data", "params", "said"),
    [
        ({"inputs": clouds.TEN}, {}, r"params.sar: radar .* of 'probe' is of group S1.*false"),
        ({"inputs": ("B02", "VV")}, {}, "no input band is a base for 'B03'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(data, params, said):
    with pytest.raises(ConfigError, match=said) as caught:
        made(clouds.contract(**data), {**TINY, **params})
    assert "\n" not in str(caught.value)


def test_against_the_patchgan_of_pix2pix_where_asked_for():
    plain = made(params={**TINY, "discriminator": True, "width": 0.1}, discriminator=None)
    assert plain.discriminator is None  # the experiment has none
    from sensor2sensor.config.network_settings import DiscriminatorSettings

    losses = {"gen_loss": {"gen_gan": 1.0, "gen_l1": 100.0}, "disc_loss": {"disc_bce": 0.5}}
    asked = {"discriminator": DiscriminatorSettings(), **losses}
    against = made(params={**TINY, "discriminator": True, "width": 0.1}, **asked)
    for side, answers in ((64, 6), (256, 30)):  # trained on crops, asked about whole tiles
        pair = [(1, side, side, bands) for bands in (12, 10)]
        assert against.discriminator.compute_output_shape(pair) == (1, answers, answers, 1)
