"""What a window needs around it: measured in places, and tried on the network itself."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from sensor2sensor.networks.context import Context, context_of
from tests.unit.networks.test_radius import SAME, network

L = keras.layers


def u_net():
    image = keras.Input((None, None, 2))
    down = L.Conv2D(4, 4, strides=2, **SAME)(image)
    down = L.Conv2D(4, 4, strides=2, **SAME)(down)
    up = L.Conv2DTranspose(4, 4, strides=2, **SAME)(down)
    up = L.Conv2DTranspose(2, 4, strides=2, **SAME)(up)
    return keras.Model(image, up)


def trained(norm):
    """With moments that are no longer 0 and 1."""
    made = network(L.Conv2D(4, 3, **SAME), norm, L.Conv2D(2, 3, **SAME))
    random = np.random.default_rng(1)
    for weight in norm.weights:
        weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return made


@pytest.mark.parametrize(("made", "context"), [
    (network(L.Conv2D(2, 1)), Context(0, 1, 0)),
    (network(L.Conv2D(2, 3, **SAME), L.ReLU(), L.Conv2D(2, 3, **SAME)), Context(2, 1, 2)),
    (network(L.Conv2D(2, 3, **SAME), L.UpSampling2D(4), L.Conv2D(2, 3, **SAME)), Context(2, 1, 2)),
    (network(L.AveragePooling2D(2), L.UpSampling2D(2)), Context(2, 2, 1)),
    (trained(L.BatchNormalization()), Context(2, 1, 2)),
])  # fmt: skip
def test_a_window_needs_what_its_kernels_see(made, context):
    assert context_of(made) == context


def test_windows_of_a_u_net_begin_at_its_total_stride():
    found = context_of(u_net())
    assert found is not None and found.stride_px == 4
    assert found.halo_px % 4 == 0


@pytest.mark.parametrize("norm", [L.GroupNormalization(-1), L.GroupNormalization(2)])
def test_a_norm_over_the_image_has_no_halo(norm):
    assert context_of(trained(norm)) is None


def test_neither_has_a_mean_over_the_image():
    image = keras.Input((None, None, 2))
    gate = L.GlobalAveragePooling2D(keepdims=True)(image)
    assert context_of(keras.Model(image, L.Multiply()([image, gate]))) is None


def test_bands_with_coarser_pixels_keep_windows_to_their_multiples():
    assert context_of(network(L.Conv2D(2, 3, **SAME)), 2) == Context(2, 2, 1)
