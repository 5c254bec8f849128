"""Enlarging a map of pixels gives the numbers of enlarging the picture, and computes few."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.pipeline.pixel_map import PixelMap, enlarged


@pytest.mark.parametrize("block", [1, 3, 8])
@pytest.mark.parametrize("factor", [1.0, 1.11, 1.7])
def test_every_number_is_that_of_the_enlarged_picture(block: int, factor: float) -> None:
    rng = np.random.default_rng([block, int(100 * factor)])
    for height, width in ((31, 40), (2, 17), (1, 1)):
        table = rng.normal(size=(9, 5)).astype(np.float32)
        cells = rng.integers(1, 10, (-(-height // block), -(-width // block)))
        index = cells.repeat(block, 0).repeat(block, 1)[:height, :width].astype(np.uint16)
        size = np.round(np.float32(factor) * np.array([height, width])).astype(np.int32)
        whole = tf.image.resize(table[index.astype(int) - 1], size).numpy()
        for start in ((0, 0), (size - (height, width)) // 2, size - (height, width)):
            picture = PixelMap(tf.constant(table), tf.constant(index)[..., tf.newaxis])
            place = tf.constant(start, tf.int32)
            found = enlarged(picture, tf.constant(size), place, height, width)
            window = whole[start[0] : start[0] + height, start[1] : start[1] + width]
            made = found.table.numpy()[found.index.numpy()[..., 0] - 1]
            np.testing.assert_array_equal(made.view(np.int32), window.view(np.int32))


def test_only_the_seams_between_pixels_become_rows_of_the_table() -> None:
    """Of blocks of 8 x 8 pixels that is a third, of Sentinel-3's 30 x 30 a twelfth."""
    index = np.arange(1, 17, dtype=np.uint16).reshape(4, 4).repeat(8, 0).repeat(8, 1)
    picture = PixelMap(tf.random.normal([16, 3]), tf.constant(index)[..., tf.newaxis])
    found = enlarged(picture, tf.constant([36, 36]), tf.constant([2, 2]), 32, 32)
    seam = int(tf.reduce_sum(tf.cast(found.index > 16, tf.int32)))
    assert len(found.table) == 16 + seam and 100 < seam < 0.4 * 32 * 32
