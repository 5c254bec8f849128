"""A plain training step, as the published ARISGAN and the TensorFlow tutorial have it.

What the benchmarks hold this repository's steps against: networks of bare Keras layers in float32,
batch normalisation with Keras' momentum of 0.99, joins pair by pair, Adam (2e-4, β1 0.5), one
``tf.function`` that AutoGraph translates, and within it a summary of every loss at every step,
which is what keeps a device waiting. Terms whose weight is 0 are left out; the published step
computes them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow import keras

# Filters and the side from which on a stage is there, as published.
ENCODER = ((64, 256), (128, 128), (256, 64), (512, 0), (512, 0), (512, 0), (512, 0), (512, 0))
DECODER = ((512, True, 0), (512, True, 0), (512, True, 0), (512, False, 0),
           (256, False, 64), (128, False, 128), (64, False, 256))  # fmt: skip
FIELDS = (5, 9, 13)


class PlainGAN:
    """pix2pix or aris-a with its PatchGAN and step.

    Args:
        model: ``pix2pix`` or ``aris-a``.
        size: Side of the images, pixels.
        channels: Of input and target.
        gen_loss: Weights of ``gen_gan``, ``gen_l1``, ``gen_ssim``, ``gen_wstein``.
        width: Multiplies the filters, at least 4 each.
        logs: Folder for the summaries.
        seed: Of initial weights and dropout.
    """

    def __init__(
        self, model: str, size: int, channels: tuple[int, int], gen_loss: Mapping[str, float],
        *, width: float = 1.0, logs: Path, seed: int = 0,
    ) -> None:  # fmt: skip
        keras.utils.set_random_seed(seed)
        self.width, self.gen_loss = width, dict(gen_loss)
        inputs = keras.layers.Input([size, size, channels[0]])
        make = {"pix2pix": self._pix2pix, "aris-a": self._aris_a}[model]
        self.generator = keras.Model(inputs, make(inputs, size, channels[1]))
        self.discriminator = self._patchgan(size, channels)
        self.generator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
        self.discriminator_optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.bce = keras.losses.BinaryCrossentropy(from_logits=True)
        self.summary_writer = tf.summary.create_file_writer(str(logs))

    def _filters(self, count: int) -> int:
        return max(4, round(count * self.width))

    def _conv(self, x: Any, kernel: int, filters: int, stride: int = 1, **kind: Any) -> Any:
        """Convolution without bias, then normalisation and activation where asked for."""
        layer = keras.layers.Conv2DTranspose if kind.get("up") else keras.layers.Conv2D
        x = layer(
            filters, kernel, stride, kind.get("padding", "same"), use_bias=False,
            activation=kind.get("activation"),
            kernel_initializer=keras.initializers.RandomNormal(0.0, 0.02),
        )(x)  # fmt: skip
        if kind.get("norm"):
            x = keras.layers.BatchNormalization()(x)
        if kind.get("dropout"):
            x = keras.layers.Dropout(0.5)(x)
        return kind["then"]()(x) if "then" in kind else x

    def _unet(self, x: Any, size: int, out: int) -> Any:
        skips = []
        for number, filters in enumerate(f for f, least in ENCODER if size >= least):
            norm = number > 0 or size < ENCODER[0][1]
            x = self._conv(
                x, 4, self._filters(filters), 2, norm=norm, then=keras.layers.LeakyReLU
            )  # fmt: skip
            skips.append(x)
        ups = [(f, drop) for f, drop, least in DECODER if size >= least]
        for (filters, drop), skip in zip(ups, reversed(skips[:-1]), strict=True):
            options = {"norm": True, "dropout": drop, "then": keras.layers.ReLU}
            x = self._conv(x, 4, self._filters(filters), 2, up=True, **options)
            x = keras.layers.Concatenate()([x, skip])
        return self._conv(x, 4, out, 2, up=True, activation="tanh")

    def _pix2pix(self, x: Any, size: int, out: int) -> Any:
        return self._unet(x, size, out)

    def _aris_a(self, x: Any, size: int, out: int) -> Any:
        fields = [self._conv(x, k, self._filters(64), activation="relu") for k in FIELDS]
        joined = keras.layers.Concatenate()(fields)
        x = self._unet(joined, size, self._filters(64))
        x = self._dense(keras.layers.Concatenate()([x, joined]))
        return self._conv(x, 1, out)

    def _dense(self, x: Any) -> Any:
        """Five convolutions; every new map is joined with one other at a time."""
        grow = self._filters(32)
        earlier = [x]
        for _ in range(4):
            new = x = self._conv(x, 3, grow, then=keras.layers.LeakyReLU)
            for other in earlier:
                x = keras.layers.Concatenate()([x, other])
            earlier.append(new)
        return self._conv(x, 3, grow)

    def _patchgan(self, size: int, channels: tuple[int, int]) -> Any:
        pair = [keras.layers.Input([size, size, count]) for count in channels]
        x = keras.layers.Concatenate()(pair)
        leaky = {"then": keras.layers.LeakyReLU}
        for number, filters in enumerate((64, 128, 256)):
            x = self._conv(x, 4, self._filters(filters), 2, norm=number > 0, **leaky)
        x = keras.layers.ZeroPadding2D()(x)
        x = self._conv(x, 4, self._filters(512), padding="valid", norm=True, **leaky)
        x = self._conv(keras.layers.ZeroPadding2D()(x), 4, 1, padding="valid")
        return keras.Model(pair, x)

    @tf.function
    def train_step(self, input_image: Any, target: Any, step: Any) -> dict[str, Any]:
        """One update of both networks on one forward pass; writes and returns the losses."""
        with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
            output = self.generator(input_image, training=True)
            real = self.discriminator([input_image, target], training=True)
            fake = self.discriminator([input_image, output], training=True)
            terms = self._terms(target, output, fake)
            gen_total = tf.add_n([self.gen_loss[name] * terms[name] for name in terms])
            disc_total = self.bce(tf.ones_like(real), real) + self.bce(tf.zeros_like(fake), fake)
        for network, tape, total, optimizer in (
            (self.generator, gen_tape, gen_total, self.generator_optimizer),
            (self.discriminator, disc_tape, disc_total, self.discriminator_optimizer),
        ):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))
        losses = {"total_gen_loss": gen_total, **terms, "total_disc_loss": disc_total}
        with self.summary_writer.as_default():
            for name, value in losses.items():
                _scalar(name, value, step)
        return losses

    def _terms(self, target: Any, output: Any, fake: Any) -> dict[str, Any]:
        terms = {
            "gen_gan": lambda: self.bce(tf.ones_like(fake), fake),
            "gen_l1": lambda: tf.reduce_mean(tf.abs(target - output)),
            "gen_ssim": lambda: tf.reduce_mean(1.0 - tf.image.ssim(target, output, 1.0)),
            "gen_wstein": lambda: -tf.reduce_mean(fake),
        }
        return {name: terms[name]() for name in self.gen_loss}


def _scalar(name: str, value: Any, step: Any) -> None:
    """``tf.summary.scalar``, which needs TensorBoard installed to be there."""
    data = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    metadata = tf.compat.v1.SummaryMetadata(plugin_data=data)
    tf.summary.write(name, tf.cast(value, tf.float32), step=step, metadata=metadata)
