"""Targets are moved onto inputs by a flow that is known here, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.pipeline import bicubic, psf
from sensor2sensor.pipeline.registration import Bands, Registrar
from tests.unit.pipeline.test_flow import steady, texture

SHIFT = (0.75, -0.5)  # in pixels of the input
BANDS = {
    "low": 1, "high": 0, "factor": 2, "known": (True, True, False),
    "partners": {0: (1, 1), 1: (0, 2)}, "mtf": (0.2, 0.2, 0.2),
}  # fmt: skip


def says(shift):
    """A network that answers with one shift, whatever it is shown."""
    return lambda pair, training: steady(shift, pair)


@pytest.fixture(scope="module")
def pair():
    """An input of two bands, the first of pixels twice as wide, and a target of three."""
    target = tf.constant(np.concatenate([texture(2, 64, seed) for seed in range(3)], -1))
    low = psf.degrade(target[..., :1], 2, 0.2)
    wide = bicubic.repeated(psf.degrade(target[..., 1:2], 4, 0.2), 2)
    return tf.concat([wide, low], -1), target


def made(**changes):
    how = {"radiometric": changes.pop("radiometric", False), "compat": changes.pop("compat", None)}
    shift = changes.pop("shift", SHIFT)
    return Registrar(says(shift), Bands(**{**BANDS, **changes}), **how)


def test_the_target_is_warped_by_the_flow_in_its_own_pixels(pair):
    image, target = pair
    moved, found = made()(image, target)
    np.testing.assert_allclose(found, steady(SHIFT, image), atol=1e-6)
    wanted = bicubic.warp(target, steady((1.5, -1.0), target))
    np.testing.assert_allclose(moved[..., :2], wanted[..., :2], atol=1e-5)
    # Without a reference a band is the input itself, which stays where it is.
    np.testing.assert_array_equal(moved[..., 2], target[..., 2])


def test_compat_warps_by_the_kernel_of_the_published_program(pair):
    image, target = pair
    moved, _ = made(compat="torchsisr")(image, target)
    wanted = bicubic.warp(target, steady((1.5, -1.0), target), coefficient=-0.75)
    np.testing.assert_allclose(moved[..., 0], wanted[..., 0], atol=1e-5)
    assert np.abs(moved - made()(image, target)[0])[..., 0].max() > 1e-4


def test_all_of_a_correction_follows_compat(pair, monkeypatch):
    kernels = []

    def noting(made):
        def call(*args, coefficient=None, **options):
            kernels.append(coefficient)
            return made(*args, coefficient=coefficient or bicubic.KEYS, **options)

        return call

    for name in ("warp", "resize"):
        monkeypatch.setattr(bicubic, name, noting(getattr(bicubic, name)))
    made(compat="torchsisr", radiometric=True)(*pair)
    # The flow enlarged, the target warped; for each of two pixel sizes S, its warp, the rest.
    # Each S is decimated bicubically, too, and so is that of the flow.
    assert len(kernels) >= 8 and set(kernels) == {bicubic.TORCH}


def test_no_tensor_that_is_given_is_changed(pair):
    image, target = pair
    before = image.numpy().copy(), target.numpy().copy()
    made(radiometric=True)(image, target, tf.constant([True, False]))
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(target, before[1])


def test_a_pair_that_is_registered_already_stays(pair):
    image, target = pair
    moved, found = made(shift=(0.0, 0.0))(image, target)
    np.testing.assert_array_equal(moved, target)
    assert np.abs(found).max() == 0.0


def test_samples_that_are_no_measured_pair_stay_bit_for_bit(pair):
    image, target = pair
    moved, found = made(radiometric=True)(image, target, tf.constant([False, True]))
    np.testing.assert_array_equal(moved[0], target[0])
    assert np.abs(found[0]).max() == 0.0
    assert np.abs(moved[1] - target[1])[..., :2].max() > 0.01


def test_the_radiometry_of_the_input_comes_band_by_band(pair):
    """Input bands brighter by 0.02 and darker by 0.01: the target takes that over, no detail."""
    image, target = pair
    image = image + tf.constant([-0.01, 0.02])
    asked = {"shift": (0.0, 0.0), "radiometric": True}
    moved, _ = made(**asked)(image, target)
    change = (moved - target).numpy()
    np.testing.assert_allclose(change[..., 0], 0.02, atol=1e-4)
    np.testing.assert_allclose(change[..., 1], -0.01, atol=1e-4)
    assert np.abs(change[..., 2]).max() == 0.0


def test_the_misfit_of_a_prediction_is_the_length_of_its_flow(pair):
    mean, deviation = made(shift=(0.3, 0.4)).misfit(*pair)
    np.testing.assert_allclose(mean, [0.5, 0.5], rtol=1e-5)
    np.testing.assert_allclose(deviation, 0.0, atol=1e-6)
