"""What windows must overlap by, against what is known of the layers."""

from __future__ import annotations

import keras
import pytest

from sensor2sensor.networks.radius import radius_px

L = keras.layers
SAME = {"padding": "same"}


def network(*layers):
    image = x = keras.Input((None, None, 2))
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(("layers", "radius"), [
    ([L.Conv2D(2, 1)], 0),
    ([L.Conv2D(2, 3, **SAME), L.Conv2D(2, 3, **SAME)], 2),
    ([L.Conv2D(2, 4, **SAME)], 2),  # one pixel to one side and two to the other
    ([L.Conv2D(2, 3, dilation_rate=4, **SAME)], 4),
    # 1 fine pixel of 2 lies in the next input pixel, 5 of 4 in the one after it.
    ([L.UpSampling2D(2), L.Conv2D(2, 3, **SAME)], 1),
    ([L.UpSampling2D(4), L.Conv2D(2, 11, **SAME)], 2),
    ([L.Conv2D(2, 31, **SAME)], None),  # up to the border of 24
])  # fmt: skip
def test_a_network_sees_so_far(layers, radius):
    assert radius_px(network(*layers), 24) == radius
