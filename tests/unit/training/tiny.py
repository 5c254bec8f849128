"""A model of the blueprint's form, small enough to train in milliseconds, with dropout."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf


class TinyGAN:
    """Two convolutions against one, dropout in the generator."""

    def __init__(self, experiment=None, *, width=4, dropout=0.5):
        self.exp = experiment
        self.width, self.dropout = width, dropout
        self.size = getattr(experiment, "IMG_HEIGHT", 8)
        self.bands = getattr(experiment, "INPUT_CHANNELS", 2)
        self.generator = self.Generator()
        self.discriminator = self.Discriminator()
        self.generator_optimizer = keras.optimizers.Adam(1e-2, beta_1=0.5)
        self.discriminator_optimizer = keras.optimizers.Adam(1e-2, beta_1=0.5)

    def Generator(self):
        inputs = keras.Input((self.size, self.size, self.bands))
        x = keras.layers.Conv2D(self.width, 3, padding="same", activation="relu")(inputs)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Dropout(self.dropout)(x)
        return keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(x))

    def Discriminator(self):
        inputs = keras.Input((self.size, self.size, self.bands))
        target = keras.Input((self.size, self.size, 3))
        x = keras.layers.Concatenate()([inputs, target])
        return keras.Model([inputs, target], keras.layers.Conv2D(1, 3)(x))

    @tf.function
    def train_step(self, input_image, target, step):
        with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
            output = self.generator(input_image, training=True)
            fake = self.discriminator([input_image, output], training=True)
            real = self.discriminator([input_image, target], training=True)
            gen = tf.reduce_mean(tf.abs(target - output)) - 0.01 * tf.reduce_mean(fake)
            disc = tf.reduce_mean(tf.nn.softplus(fake) + tf.nn.softplus(-real))
        for tape, loss, network, optimizer in (
            (gen_tape, gen, self.generator, self.generator_optimizer),
            (disc_tape, disc, self.discriminator, self.discriminator_optimizer),
        ):
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"gen": gen, "disc": disc}


class Mapped(keras.layers.Layer):
    """Normalises image by image within ``tf.vectorized_map``, which is a graph always."""

    def __init__(self):
        super().__init__()
        self.norm = keras.layers.BatchNormalization()

    def build(self, shape):
        self.norm.build(shape)

    def call(self, inputs, training=False):
        def one(image):
            return self.norm(image[tf.newaxis], training=training)[0]

        return tf.vectorized_map(one, inputs)


def batch(step: int, *, size: int = 2, poison: bool = False) -> dict[str, tf.Tensor]:
    """Batch ``step``: a pure function of its number."""
    draw = np.random.default_rng(step)
    image = draw.normal(size=(size, 8, 8, 2)).astype(np.float32)
    if poison:
        image[0, 0, 0, 0] = np.nan
    target = np.concatenate([image, image[..., :1] * 0.5], axis=-1)
    index = np.arange(size) + step * size
    return {"input": tf.constant(image), "target": tf.constant(target), "index": tf.constant(index)}


def batches(start: int = 0, *, poisoned: int | None = None):
    """Endless batches from ``start``; the one of number ``poisoned`` holds a NaN."""
    step = start
    while True:
        yield batch(step, poison=step == poisoned)
        step += 1


def fresh(seed: int = 0, **options) -> TinyGAN:
    """A seeded model."""
    keras.utils.set_random_seed(seed)
    return TinyGAN(SimpleNamespace(), **options)


def snapshot(network):
    """A copy of every variable."""
    return [np.array(v) for v in network.variables]


def assert_equal(one, two):
    """Two lists of arrays, to the bit."""
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)
