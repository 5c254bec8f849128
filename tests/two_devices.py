"""What two devices make of the steps of one, in a process of its own: TensorFlow splits its CPU.

    python -m tests.two_devices FOLDER

Writes what each scenario found to ``FOLDER/found.json``; ``tests/faults/test_two_devices.py``
judges it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf

from experiment import Experiment
from models import base
from models.loading import load_gan_class
from models.parts.norms import batchnorm
from models.parts.optimizers import adam
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import DiscriminatorSettings
from sensor2sensor.core.errors import Sensor2SensorError
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.training.contract import build_networks
from sensor2sensor.training.replicated import step_on
from sensor2sensor.training.run import make_repeatable, train
from sensor2sensor.training.start import Start
from sensor2sensor.training.state import TrainingState, build_optimizers
from sensor2sensor.training.strategy import ONE, choose_devices
from tests.fakes_dataset import make_dataset
from tests.fakes_looks import plain_looks
from tests.models.standin import experiment
from tests.unit.training.tiny import TinyGAN

BATCH, SIDE = 8, 16


class Small:
    """Two networks of two layers with the optimizers and the step of the models here."""

    heeded = frozenset({"start"})

    def __init__(self, exp, norm=()):
        self.exp, self.norm = exp, list(norm)
        self.generator, self.discriminator = self.Generator(), self.Discriminator()
        self.generator_optimizer = adam(exp, self.generator)
        self.discriminator_optimizer = adam(exp, self.discriminator)
        self.loss_object = tf.keras.losses.BinaryCrossentropy(from_logits=True)

    def layers(self, x, last):
        x = keras.layers.Conv2D(4, 3, padding="same", activation="tanh")(x)
        for make in self.norm:
            x = make()(x)
        return keras.layers.Conv2D(last, 3, padding="same")(x)

    def Generator(self):
        inputs = keras.Input((SIDE, SIDE, self.exp.INPUT_CHANNELS))
        return keras.Model(inputs, self.layers(inputs, 3), name="generator")

    def Discriminator(self):
        pair = [keras.Input((SIDE, SIDE, n)) for n in (self.exp.INPUT_CHANNELS, 3)]
        x = self.layers(keras.layers.Concatenate()(pair), 1)
        return keras.Model(pair, x, name="discriminator")

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step):
        return base.standard_step(self, input_image, target, step)


class ByItself(TinyGAN):
    """Moves a weight without an optimizer."""

    @tf.function
    def train_step(self, input_image, target, step):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(target - self.generator(input_image, training=True)))
        weight = self.generator.trainable_variables[0]
        weight.assign_sub(0.1 * tape.gradient(loss, weight.value))
        return {"gen": loss}


class Nested(TinyGAN):
    """Applies its gradients where AutoGraph makes a branch."""

    @tf.function
    def train_step(self, input_image, target, step):
        weights = self.generator.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(target - self.generator(input_image, training=True)))
        gradients = tape.gradient(loss, weights)
        if step > 1:
            self.generator_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return {"gen": loss}


# Needs AutoGraph, has a loss of Keras, and no Adam, which makes whole steps out of what is rounding
# in a gradient of 0.
MODULE = """
import os

import keras
import tensorflow as tf

if os.environ.get("DIES"):  # as a machine does that fails while it scores its share
    from sensor2sensor.evaluation import shares

    shares.helped = lambda *told: os.kill(os.getpid(), 9)


class GAN:
    def __init__(self, experiment):
        self.exp = experiment
        self.generator, self.discriminator = self.Generator(), self.Discriminator()
        self.generator_optimizer = keras.optimizers.SGD(0.01, momentum=0.9)

    def Generator(self):
        exp = self.exp
        inputs = keras.Input((exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS))
        x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
        x = keras.layers.BatchNormalization()(x)
        return keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(x))

    def Discriminator(self):
        return None

    @tf.function
    def train_step(self, input_image, target, step):
        weights = self.generator.trainable_variables
        with tf.GradientTape() as tape:
            output = self.generator(input_image, training=True)
            loss = keras.losses.MeanSquaredError()(target, output)
            if step > 0:
                loss = 2.0 * loss
        gradients = tape.gradient(loss, weights)
        self.generator_optimizer.apply_gradients(zip(gradients, weights))
        return {"gen": loss}
"""
RUN = "0101-0000"  # of one device


def devices():
    """Two, of the kind that ``mirrored`` makes."""
    asked = SimpleNamespace(settings=SimpleNamespace(strategy="mirrored"))
    return choose_devices(asked, SimpleNamespace(batch_size=BATCH, jit_compile=False), print)


def made(where, gan_class, exp, **options):
    make_repeatable(1, "CPU")
    with where.scope():
        model = gan_class(exp, **options)
        build_networks(model, exp)
        build_optimizers(model)
    return model


def trained(where, gan_class, exp, *, steps=3, **options):
    """Floating variables before and after some steps, and the losses of each."""
    model = made(where, gan_class, exp, **options)
    state = TrainingState(model)
    before = floats(state)
    shape = (BATCH, exp.IMG_HEIGHT, exp.IMG_WIDTH)
    form = {
        "input": tf.TensorSpec((*shape, exp.INPUT_CHANNELS)),
        "target": tf.TensorSpec((*shape, 3)),
    }
    step = step_on(where, model, form)
    if where is not ONE:
        step.prepare()
    losses = []
    # Few steps of one device are made faster than traced.
    tf.config.run_functions_eagerly(where is ONE)
    for number in range(steps):
        draw = np.random.default_rng(number)
        batch = {n: tf.constant(draw.normal(0, 0.3, s.shape), s.dtype) for n, s in form.items()}
        found = step(batch, tf.constant(number, tf.int64))
        losses.append({name: float(value) for name, value in found.items()})
    tf.config.run_functions_eagerly(False)
    return before, floats(state), losses


def floats(state):
    return [v.numpy() for vs in state.groups.values() for v in vs if v.dtype.is_floating]


def compared(gan_class, exp, **options):
    """The largest difference of variables and of losses, against how far the training moved."""
    start, one, said = trained(ONE, gan_class, exp, **options)
    _, two, told = trained(devices(), gan_class, exp, **options)

    def apart(these, those):
        return max(float(np.abs(a - b).max()) for a, b in zip(these, those, strict=True))

    values = [[np.array([*losses.values()]) for losses in steps] for steps in (said, told)]
    scale = max(float(np.abs(step).max()) for step in values[0])
    return {
        "differ": apart(one, two),
        "moved": apart(one, start),
        "losses": apart(*values) / scale,
        "names": [*said[0]] == [*told[0]],
    }


def refusal(act):
    """What an error says, or None."""
    try:
        act()
    except Sensor2SensorError as error:
        return f"{type(error).__name__}: {error}"
    return None


def draws_of_dropout():
    """Whether the two devices drop alike."""
    where = devices()
    with where.scope():
        layer = keras.layers.Dropout(0.5, seed=3)

    from sensor2sensor.networks import replicas

    @tf.function(autograph=False)
    def both():
        with replicas.as_one():
            return where.strategy.run(lambda: layer(tf.ones([1, 64]), training=True))

    first, second = (value.numpy() for value in where.copies(both()))
    return bool(np.array_equal(first, second))


def placed(folder):
    """A workplace with an experiment whose model is :data:`MODULE`."""
    make_dataset(folder / "data", train=8, val=2, test=11)
    (folder / "mine").mkdir()
    (folder / "mine" / "light.py").write_text(MODULE)
    told = {"ckpt_freq": 1, "sample_freq": 1000, "log_freq": 1, "models_root": "mine"}
    for name, further in {"one": {}, "workers": {"strategy": "multi_worker"}}.items():
        (folder / f"{name}.json").write_text(json.dumps({**told, **further}))
    exp_dir = folder / "experiments" / "a"
    exp_dir.mkdir(parents=True)
    settings = {
        "model_name": "light", "dataset": "alt6_toy", "tilesize": 64, "steps": 1000, "seed": 5,
        "batch_size": 4, "sample_val": 2, "discriminator": None, "keep_last": None,
        "gen_loss": {"gen_gan": None, "gen_l1": 1.0},
    }  # fmt: skip
    (exp_dir / "experiment.json").write_text(json.dumps(settings))
    return load_environment(folder / "one.json")


def resumed(environment):
    """A step on one device, one on two, one on one again; against three on one."""
    gan_class = load_gan_class("light", environment.models_root)

    def go(stamp, *turns):
        for steps, where, resume in turns:
            exp = Experiment("a", environment, timestamp=stamp)
            quiet = {"say": lambda line: None, "start": Start(resume=resume), "steps": steps}
            outcome = train(gan_class, exp, environment, devices=where, **quiet)
            noted = read_run_json(exp.run)
            told = {key: noted[key] for key in ("strategy", "replicas", "workers", "step")}
            yield [v.numpy().astype(float) for v in outcome.model.generator.variables], told

    two = devices()
    with plain_looks():
        ((whole, _),) = go(RUN, (3, ONE, False))
        turns = list(go("0101-0001", (1, ONE, False), (2, two, True), (3, ONE, True)))
    apart = max(float(np.abs(a - b).max()) for a, b in zip(whole, turns[-1][0], strict=True))
    return {"apart": apart, "noted": [told for _, told in turns]}


def main(folder: Path) -> None:
    """Run every scenario."""
    critic = experiment(
        size=SIDE, seed=3, batch_size=BATCH, learning_rate=1e-2, optimizer="nadam_keras2",
        gen_loss={"gen_rmse": 1.0, "gen_wstein": 1.0, "gen_gan": None, "gen_l1": None},
        disc_loss={"disc_wstein": 1.0, "disc_gp": 10.0, "disc_bce": None}, gradient_clip=0.05,
        ema=0.9, discriminator=DiscriminatorSettings(norm="instance", start=1, steps=2),
    )  # fmt: skip
    normed = experiment(
        size=SIDE, seed=3, batch_size=BATCH, learning_rate=1e-2,
        gen_loss={"gen_l1": 1.0, "gen_gan": 0.3, "gen_ragan": 0.3},
        disc_loss={"disc_bce": 1.0, "disc_ragan": 0.5},
    )  # fmt: skip
    environment = placed(folder)
    light = load_gan_class("light", environment.models_root)
    tiny = SimpleNamespace(IMG_HEIGHT=8, IMG_WIDTH=8, INPUT_CHANNELS=2)
    tiny.INPUT_HEIGHT = tiny.INPUT_WIDTH = 8
    two = devices()
    found = {
        "resumed": resumed(environment),
        "critic": compared(Small, critic),
        "normed": compared(Small, normed, norm=[batchnorm]),
        "autograph": compared(light, tiny),
        "dropout": draws_of_dropout(),
        "by itself": refusal(lambda: trained(two, ByItself, tiny)),
        "nested": refusal(lambda: trained(two, Nested, tiny)),
    }
    (folder / "found.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, parts)
    main(Path(sys.argv[1]))
