"""Flows are backward mappings: chains, enlargements and guesses against closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import rasterio
import tensorflow as tf

from sensor2sensor.networks.flow import DEFAULTS, flow_network
from sensor2sensor.pipeline import bicubic, flow, psf

PLAIN = {key: value[0] if isinstance(value, tuple) else value for key, value in DEFAULTS.items()}


def texture(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Random fields whose amplitude falls with frequency, as that of ground does, reflectance."""
    rng, f = np.random.default_rng(seed), np.fft.fftfreq(size)
    radius = np.hypot(f[:, None], f[None])
    radius[0, 0] = 1.0
    noise = np.fft.fft2(rng.normal(size=(count, size, size)), axes=(1, 2)) / radius**1.2
    field = np.fft.ifft2(noise, axes=(1, 2)).real
    field = (field - field.mean((1, 2), keepdims=True)) / field.std((1, 2), keepdims=True)
    return (0.15 + 0.05 * field).astype(np.float32)[..., None]


def steady(shift: tuple[float, float], image: tf.Tensor) -> tf.Tensor:
    return tf.zeros_like(image[..., :1]) + tf.constant(shift, tf.float32)


def apart(
    shift: tuple[float, float], size: int = 144, ground: np.ndarray | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Two sensors' looks at one ground, by half its pixels, ``shift`` of their pixels apart.

    They differ in sharpness, gain, offset and noise, too.
    """
    ground = tf.constant(texture(3, size) if ground is None else ground)
    double = (2.0 * shift[0], 2.0 * shift[1])
    moved = bicubic.warp(ground, steady(double, ground))
    looks = psf.degrade(ground, 2, 0.2), psf.degrade(moved, 2, 0.35)
    moving, fixed = (look[:, 8:-8, 8:-8] for look in looks)
    noise = tf.random.stateless_normal(fixed.shape, [1, 2], stddev=0.002)
    return moving, 1.2 * fixed + 0.03 + noise


def test_a_chain_of_flows_warps_as_one_after_the_other():
    # Of a ramp every bicubic warp is exact, and so is that of linear flows.
    row, column = np.mgrid[0:40, 0:40].astype(np.float32)
    image = tf.constant((0.3 * row - 0.2 * column)[None, ..., None])
    first = tf.constant(np.stack([0.05 * row - 1.0, 0.02 * column], -1)[None])
    second = tf.constant(np.stack([0.03 * column - 0.5, 0.0 * row + 0.7], -1)[None])
    after = bicubic.warp(bicubic.warp(image, first), second)
    chained = bicubic.warp(image, flow.compose(first, second))
    inner = slice(4, -4)
    np.testing.assert_allclose(chained[:, inner, inner], after[:, inner, inner], rtol=0, atol=2e-5)
    added = bicubic.warp(image, flow.compose(first, second, additive=True))
    assert np.abs(added - after)[:, inner, inner].max() > 0.005  # 250 times what rounding leaves


def test_adding_is_right_for_flows_that_do_not_vary():
    image = tf.zeros([1, 12, 12, 1])
    first, second = steady((0.5, -1.0), image), steady((0.25, 2.0), image)
    for additive in (False, True):
        found = flow.compose(first, second, additive=additive)
        np.testing.assert_allclose(found, steady((0.75, 1.0), image), atol=1e-6)


def test_on_a_finer_grid_a_flow_is_longer_in_pixels():
    fine = flow.enlarge(steady((0.5, -1.0), tf.zeros([2, 9, 7, 1])), 4)
    assert fine.shape == (2, 36, 28, 2)
    np.testing.assert_allclose(fine, steady((2.0, -4.0), tf.zeros([2, 36, 28, 1])), atol=1e-5)


def test_the_length_of_a_flow_is_told_image_by_image():
    long = tf.concat([steady((3.0, 4.0), tf.zeros([1, 5, 5, 1]))] * 2, axis=0)
    mean, deviation = flow.magnitude(tf.constant([[[[1.0]]], [[[0.5]]]]) * long)
    np.testing.assert_allclose(mean, [5.0, 2.5], rtol=1e-6)
    np.testing.assert_allclose(deviation, [0.0, 0.0], atol=1e-6)


def test_images_are_standardised_whole_or_as_published_row_by_row():
    image = tf.constant(texture(2, 24))
    whole, rows = flow.standardised(image), flow.standardised(image, rows=True)
    np.testing.assert_allclose(np.std(whole, axis=(1, 2)), 1.0, atol=1e-3)
    np.testing.assert_allclose(np.mean(rows, axis=2), 0.0, atol=1e-5)
    assert np.abs(np.mean(whole, axis=2)).max() > 0.1


def test_the_mean_of_a_window_leaves_out_what_lies_beyond_the_border():
    image = tf.reshape(tf.range(25, dtype=tf.float32), [1, 5, 5, 1])
    found = flow.mean_within(image, 3)[0, ..., 0].numpy()
    assert found[0, 0] == pytest.approx((0 + 1 + 5 + 6) / 4)
    assert found[2, 2] == pytest.approx(12.0)
    assert found[4, 2] == pytest.approx((16 + 17 + 18 + 21 + 22 + 23) / 6)


@pytest.mark.parametrize("shift", [(1.3, 0.0), (-0.92, 0.92)])
def test_matching_finds_a_shift_of_1_3_pixels_to_a_tenth(shift):
    found = flow.guess(*apart(shift), 2.1)
    error = np.mean(found, axis=(1, 2)) - np.array(shift)
    assert np.linalg.norm(error, axis=-1).max() < 0.1


def test_matching_finds_no_shift_where_there_is_none():
    moving, fixed = apart((0.0, 0.0))
    assert (
        np.linalg.norm(np.mean(flow.guess(moving, fixed, 2.1), axis=(1, 2)), axis=-1).max() < 0.03
    )
    # Of an image and itself there is nothing to be found, bit for bit.
    assert np.abs(flow.guess(moving, moving, 2.1)).max() == 0.0
    flat = tf.ones([1, 16, 16, 1])
    assert np.abs(flow.guess(flat, flat, 2.1)).max() == 0.0


def test_matching_keeps_within_its_reach():
    moving, fixed = apart((1.3, 0.0), size=80)
    assert np.abs(flow.guess(moving, fixed, 0.5)).max() <= 0.5


def chips(folder, side: int = 144) -> np.ndarray:
    """Squares of real ground ``[N, side, side, 1]``: Sentinel-2 at 10 m, aerial photos at 5 m."""
    found = []
    for name, scale in (("s2_chips/l1c_T31UFS/ref_input_S2_B08.tif", 1e-4), ("aerial_naip", 1e-3)):
        paths = sorted((folder / name).glob("*.tif")) or [folder / name]
        for path in paths:
            with rasterio.open(path) as source:
                image = scale * source.read(1).astype(np.float32)
            grid = (range(0, size - side, 2 * side) for size in image.shape)
            found += [image[y : y + side, x : x + side] for y, x in itertools.product(*grid)]
    return np.stack(found)[..., np.newaxis]


@pytest.mark.parametrize("shift", [(1.3, 0.0), (-0.92, 0.92), (0.0, 0.0)])
def test_on_real_ground_the_network_finds_a_shift_of_1_3_pixels_to_a_tenth(shift, real_data):
    network = flow_network({**PLAIN, "width": 0.07}, 0)
    ground = chips(real_data)
    assert len(ground) >= 15
    moving, fixed = apart(shift, ground=ground)
    found = network(tf.concat([moving, fixed], -1), training=False)
    # Along the border a shifted look shows ground that the other one does not.
    error = np.mean(found[:, 4:-4, 4:-4], axis=(1, 2)) - np.array(shift)
    length = np.linalg.norm(error, axis=-1)
    assert length.max() < 0.1 and length.mean() < 0.04
