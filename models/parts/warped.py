"""A warp as a layer, so that a network with one can be saved and drawn."""

from __future__ import annotations

import tensorflow as tf

from sensor2sensor.pipeline import bicubic


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class Warped(tf.keras.layers.Layer):
    """``[image [B, H, W, C], flow [B, H, W, 2]] -> [B, H, W, C]``: the image at p + flow(p)."""

    def __init__(self, coefficient: float = bicubic.KEYS, **options) -> None:
        super().__init__(**options)
        self.coefficient = coefficient

    def call(self, inputs):
        """Move the image."""
        image, flow = inputs
        return bicubic.warp(image, flow, coefficient=self.coefficient)

    def compute_output_shape(self, input_shape):
        """That of the image."""
        return input_shape[0]

    def get_config(self):
        """What is needed to make the layer again."""
        return {**super().get_config(), "coefficient": self.coefficient}
