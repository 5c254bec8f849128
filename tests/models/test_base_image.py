"""Generators on a base: untrained each is its upsampled input; which band stands in for which."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from models import base, layers
from models.loading import load_gan_class
from models.parts.base_image import PARTNER_NM, base_bands
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.training.checkpoints import save
from sensor2sensor.training.restoring import restore_latest
from sensor2sensor.training.state import TrainingState
from tests.models.family import NAMES, SMALLER
from tests.models.standin import batch, experiment

RANGES = {
    "input_ranges": [(0.05, 0.30), (0.02, 0.41), (0.01, 0.50)],
    "target_ranges": [(0.03, 0.35), (0.02, 0.40), (0.00, 0.62)],
}


def on_base(name, **settings):
    params = {"width": 0.05, **SMALLER.get(name, {}), "base": "input"}
    return load_gan_class(name)(experiment(params=params, **RANGES, **settings))


def image():
    """Two inputs in reflectance, within the ranges of all bands."""
    return np.random.default_rng(0).uniform(0.06, 0.29, (2, 64, 64, 3)).astype(np.float32)


# The base of dsen2cr has no weight and no parameter of its own: test_dsen2cr.py.
@pytest.fixture(scope="module", params=[name for name in NAMES if name != "dsen2cr"])
def walked(request, tmp_path_factory):
    """Each model built once: its answers untrained, after two steps, spoilt and restored."""
    folder, gan = tmp_path_factory.mktemp("base"), on_base(request.param)
    seen = Normalisation("symmetric", gan.exp.contract).input(image())
    found = SimpleNamespace(
        gan=gan,
        base=layers.base_layer(gan.exp)(seen).numpy(),
        untrained=gan.generator(seen, training=False).numpy(),
    )
    for number in range(2):  # the first moves the last layer alone, and so lets the others learn
        pair = map(tf.constant, batch(gan.exp, seed=number))
        base.standard_step(gan, *pair, tf.constant(number, tf.int64))
    moments = [v for v in gan.generator_optimizer.variables if "momentum" in v.path]
    found.gradients = {v.path: float(np.abs(v.numpy()).max()) for v in moments}
    found.trained = gan.generator(seen, training=False).numpy()
    state = TrainingState(gan)
    save(folder, state, 2)
    for variable in gan.generator.variables:
        if variable.dtype == "float32":
            variable.assign(variable + 1.0)
    found.spoilt = gan.generator(seen, training=False).numpy()
    restore_latest(folder, state, repair=False)
    found.restored = gan.generator(seen, training=False).numpy()
    return found


@pytest.mark.slow
def test_untrained_the_output_is_the_base(walked):
    np.testing.assert_array_equal(walked.untrained, walked.base)
    # And that is the input's reflectance, in the target's normalisation.
    restored = Normalisation("symmetric", walked.gan.exp.contract).restore(walked.untrained)
    np.testing.assert_allclose(restored, image(), atol=3e-7)


@pytest.mark.slow
def test_two_steps_reach_every_weight_but_the_base(walked):
    assert len(walked.gradients) == len(walked.gan.generator.trainable_variables)
    assert not [path for path, largest in walked.gradients.items() if largest == 0]
    assert not np.array_equal(walked.trained, walked.base)
    assert not walked.gan.generator.get_layer("base").trainable_variables


@pytest.mark.slow
def test_the_base_is_saved_with_the_weights(walked):
    assert not np.array_equal(walked.spoilt, walked.trained)
    np.testing.assert_array_equal(walked.restored, walked.trained)


@pytest.mark.parametrize("name", ["pix2pix", "psgan"])
def test_on_a_base_a_bounded_output_is_none(name, tmp_path):
    gan = on_base(name, normalisation="standard")  # refused without a base
    kernel = gan.generator.layers[-2].kernel
    kernel.assign(np.random.default_rng(0).normal(0, 1e6, kernel.shape))
    made = gan.generator(image()).numpy()
    assert made.min() < -10 and made.max() > 10
    gan.generator.save(tmp_path / "network.keras")
    again = tf.keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(again(image()), made)


def test_a_base_adds_no_weight_that_is_trained_and_takes_no_seed():
    """So whoever trains with and without one starts the inner layers equal."""
    with_base, without = (
        load_gan_class("dmnet")(experiment(params={"width": 0.1, "base": kind})).generator
        for kind in ("input", "none")
    )
    pairs = zip(with_base.trainable_weights, without.trainable_weights, strict=True)
    *inner, last = ((a.numpy(), b.numpy()) for a, b in pairs)
    for one, other in inner:
        np.testing.assert_array_equal(one, other)
    assert not last[0].any() and last[1].any()


def bands(wanted, given):
    """Partners of target bands ``{name: nm}`` among input bands."""
    return base_bands(
        SimpleNamespace(
            OUTPUT_BANDS=tuple(wanted),
            OUTPUT_WAVELENGTHS_NM=tuple(wanted.values()),
            INPUT_BANDS=tuple(given),
            INPUT_WAVELENGTHS_NM=tuple(given.values()),
        )
    )


@pytest.mark.parametrize(
    ("wanted", "given", "expected"),
    [
        ({"B04": 664.6, "B02": 492.4}, {"B02": 492.4, "B04": 664.6}, [1, 0]),
        ({"B04": 664.6}, {"Oa08": 665.0, "Oa09": 673.75}, [0]),
        ({"B04": 664.6}, {"B03": 665.0, "B04": 654.6}, [1]),  # the name before the wavelength
        ({"red": None}, {"green": 560.0, "red": 665.0}, [1]),
        ({"VV": None}, {"VH": None, "VV": None}, [1]),
        ({"B08": 832.8}, {"Oa16": 778.75, "Oa17": 865.0}, [1]),
        # B04 of Landsat 7 is near infrared; its red one is B03.
        ({"B04": 664.6}, {"B02": 560.0, "B03": 660.0, "B04": 835.0}, [1]),
    ],
)
def test_a_partner_has_the_name_or_else_nearly_the_wavelength(wanted, given, expected):
    assert bands(wanted, given) == expected


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ({"B04": 664.6, "B05": 704.1}, {"B04": 664.6}),  # the other side of the red edge
        ({"B04": 664.6}, {"B04": 835.0}),
        ({"B05": None}, {"B04": 664.6}),
        ({"B05": 704.1}, {"B04": None}),
        ({"B05": 700.0 + PARTNER_NM + 0.1}, {"B04": 700.0}),
    ],
)
def test_a_band_without_a_partner_is_named(wanted, given):
    band = list(wanted)[-1]
    with pytest.raises(ConfigError, match=f"no input band is a base for '{band}'"):
        bands(wanted, given)


@pytest.mark.parametrize("name", ["edsr", "pix2pix"])
def test_short_wave_infrared_has_no_partner_on_olci(name):
    params = {"width": 0.05, **SMALLER.get(name, {}), "base": "input"}
    exp = experiment(params=params, sentinel3=True, bands={"B04": 664.6, "B11": 1613.7})
    with pytest.raises(ConfigError, match=r"no input band is a base for 'B11'.*35 nm"):
        load_gan_class(name)(exp)
