"""Bicubic interpolation against numpy's, TensorFlow's and polynomials that Keys' kernel repeats."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.dataset.upsampling import bicubic_matrix, keys_kernel
from sensor2sensor.pipeline import bicubic

RNG = np.random.default_rng(3)
IMAGE = RNG.normal(0.1, 0.2, (2, 9, 12, 3)).astype(np.float32)


def test_enlarging_is_what_the_data_sets_own_interpolation_gives():
    down, across = bicubic_matrix(18, 9, 2), bicubic_matrix(24, 12, 2)
    wanted = np.einsum("oh,bhwc,pw->bopc", down, IMAGE, across)
    np.testing.assert_allclose(bicubic.resize(IMAGE, 18, 24), wanted, atol=2e-6)


@pytest.mark.parametrize("size", [(5, 7), (9, 5), (20, 31)])
def test_antialiased_resizing_is_tensorflows(size):
    wanted = tf.image.resize(IMAGE, size, "bicubic", antialias=True)
    np.testing.assert_allclose(bicubic.resize(IMAGE, *size, antialias=True), wanted, atol=2e-6)


@pytest.mark.parametrize("coefficient", [bicubic.KEYS, bicubic.TORCH])
def test_halving_without_antialias_reads_four_pixels_with_the_coefficients_weights(coefficient):
    row = RNG.normal(size=8)
    made = bicubic.resize(
        row[None, None, :, None].astype(np.float32), 1, 4, coefficient=coefficient
    )
    weights = keys_kernel(np.array([1.5, 0.5, 0.5, 1.5]), coefficient)  # centres between pixels
    wanted = [row[first : first + 4] @ weights for first in (1, 3)]
    np.testing.assert_allclose(np.asarray(made)[0, 0, 1:3, 0], wanted, atol=1e-6)


def test_sizes_may_be_unknown_when_the_graph_is_made():
    form = [tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([], tf.int32)]
    function = tf.function(lambda image, side: bicubic.resize(image, side, 5), input_signature=form)
    np.testing.assert_array_equal(function(IMAGE, 7), bicubic.resize(IMAGE, 7, 5))


def test_no_flow_gives_the_image_bit_for_bit():
    still = tf.zeros([2, 9, 12, 2])
    np.testing.assert_array_equal(bicubic.warp(IMAGE, still), IMAGE)
    np.testing.assert_array_equal(bicubic.warp(IMAGE, still, coefficient=bicubic.TORCH), IMAGE)


def test_a_warp_reads_where_the_flow_points_rows_first_and_reflects_at_the_borders():
    flow = tf.broadcast_to([2.0, -1.0], [2, 9, 12, 2])
    padded = np.pad(IMAGE, [(0, 0), (2, 2), (1, 1), (0, 0)], mode="reflect")
    np.testing.assert_allclose(bicubic.warp(IMAGE, flow), padded[:, 4:, :12], atol=1e-6)


def quadratic(rows, columns):
    return 0.3 * rows**2 - 0.2 * columns**2 + rows - 0.5 * columns + 0.7


def test_keys_kernel_repeats_a_quadratic_and_torchs_does_not():
    """Keys 1981: third order, so exact for polynomials of degree two; only for -0.5."""
    rows, columns = np.mgrid[:16, :16].astype(np.float32)
    image = quadratic(rows, columns)[None, ..., None]
    at = RNG.uniform(3, 12, (2, 1, 5, 6)).astype(np.float32)
    wanted = quadratic(*at)[..., None]
    np.testing.assert_allclose(bicubic.sample(image, *at), wanted, atol=2e-4)
    off = np.abs(bicubic.sample(image, *at, coefficient=bicubic.TORCH) - wanted)
    assert off.max() > 0.01


def test_the_slope_in_a_flow_is_the_images_own():
    rows, columns = np.mgrid[:12, :12].astype(np.float32)
    image = quadratic(rows, columns)[None, ..., None]
    flow = tf.Variable(tf.broadcast_to([0.3, -0.4], [1, 12, 12, 2]))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(bicubic.warp(image, flow)[:, 4:8, 4:8])
    slope = tape.gradient(total, flow)[0, 4:8, 4:8]
    np.testing.assert_allclose(slope[..., 0], 0.6 * (rows[4:8, 4:8] + 0.3) + 1, atol=2e-3)
    np.testing.assert_allclose(slope[..., 1], -0.4 * (columns[4:8, 4:8] - 0.4) - 0.5, atol=2e-3)


def test_an_axis_of_one_pixel_is_that_pixel_everywhere():
    image = tf.constant([[[[0.4]]]])
    far = tf.constant([[[-7.3, 0.0, 5.6]]])
    np.testing.assert_allclose(
        bicubic.sample(image, far, far), np.full((1, 1, 3, 1), 0.4), atol=1e-6
    )
