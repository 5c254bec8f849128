"""The step as the loop calls it: compiled by XLA from outside, and refused where it cannot be."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.training.compiled import compiled_step
from sensor2sensor.training.state import build_optimizers
from tests.unit.training.tiny import batch

FORM = {name: tf.TensorSpec(value.shape, value.dtype) for name, value in batch(0).items()}


class Plain:
    """One convolution and nothing else: XLA compiles it in a second, a GAN in ten."""

    def __init__(self):
        self.generator = tf.keras.Sequential(
            [tf.keras.Input((8, 8, 2)), tf.keras.layers.Conv2D(3, 3, padding="same")]
        )
        self.discriminator = self.discriminator_optimizer = None
        self.generator_optimizer = tf.keras.optimizers.SGD(0.1)

    @tf.function
    def train_step(self, input_image, target, step):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(target - self.generator(input_image, training=True)))
        variables = self.generator.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.generator_optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return {"gen": loss}


def losses_of(jit_compile):
    tf.keras.utils.set_random_seed(3)
    model = Plain()
    build_optimizers(model)
    step = compiled_step(model, FORM, jit_compile=jit_compile)
    step.prepare()
    made = [step(batch(number), tf.constant(number, tf.int64))["gen"] for number in range(4)]
    return np.array(made), step.function.experimental_get_tracing_count()


def test_xla_trains_the_same_but_for_rounding():
    plain, _ = losses_of(jit_compile=False)
    compiled, traces = losses_of(jit_compile=True)
    assert traces == 1
    np.testing.assert_allclose(compiled, plain, rtol=1e-5)
    assert plain[3] < plain[0]


def refused(form, step=None):
    model = Plain()
    if step is not None:
        model.train_step = tf.function(step)
    compiled_step(model, form, jit_compile=True).prepare()


def test_batches_of_varying_shape_are_refused():
    varying = {**FORM, "input": tf.TensorSpec([2, None, None, 2])}
    with pytest.raises(ConfigError, match=r"jit_compile: .*vary in shape \('input'"):
        refused(varying)


def test_a_text_is_refused_by_its_name():
    def step(input_image, target, step, name):
        return {"gen": tf.reduce_sum(input_image)}

    with pytest.raises(ConfigError, match="takes 'name', a text"):
        refused({**FORM, "name": tf.TensorSpec([2], tf.string)}, step)


def test_what_xla_does_not_have_is_named_before_the_first_step():
    def step(input_image, target, step):
        tf.print(tf.strings.as_string(step))
        return {"gen": tf.reduce_sum(input_image)}

    with pytest.raises(ModelContractError, match="XLA cannot compile train_step: it has no AsStr"):
        refused(FORM, step)
