"""The smallest sound settings of every model, for tests that run through them all.

Run as a module it is the fresh process of ``test_family.py``: it restores what the test saved
and writes what the generators then answer.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from models.loading import list_models, load_gan_class
from sensor2sensor.config.vocabulary import NORMALISATIONS
from sensor2sensor.pipeline.precision import computing_in
from sensor2sensor.training.restoring import restore_latest
from sensor2sensor.training.state import TrainingState
from tests.models.standin import batch, experiment

# Of pairs of images and flows alone, with losses of its own: test_registration.py.
NAMES = tuple(name for name in list_models() if name != "registration")
PRECISIONS = ("float32", "mixed_bfloat16")
WIDTH = 0.1
# What a model wants besides a small width.
SMALLER = {
    "carn": {"cascades": 2, "blocks": 1, "discriminator": "encoder"},
    "rrdb": {"blocks": 1, "discriminator": "unet"},
    "edsr": {"blocks": 2, "discriminator": True},
    "dsen2cr": {"features": 64, "blocks": 2, "sar": False, "discriminator": True},
    "dsen2w": {"layers": 2},
    "resnet_pix2pix": {"blocks": 1},
    "srgan": {"blocks": 2},
    "tarsgan": {"layers": 1},
}
NORMALISATION = {"psgan": "minmax"}  # it ends in a ReLU
assert set(NORMALISATION.values()) <= set(NORMALISATIONS)


def small_experiment(name: str, **settings):
    """An experiment of 64 pixels for ``name``; ``settings`` as in ``standin.experiment``."""
    params = {"width": WIDTH, **SMALLER.get(name, {}), **settings.pop("params", {})}
    settings.setdefault("normalisation", NORMALISATION.get(name, "symmetric"))
    return experiment(params=params, **settings)


def small_gan(name: str, policy: str = "float32", **settings):
    """The built model of :func:`small_experiment`."""
    exp = small_experiment(name, **settings)
    with computing_in(policy):
        return load_gan_class(name)(exp)


def pair(gan, seed: int = 0):
    """A batch of two within the range that the model's normalisation gives."""
    low, high = gan.exp.OUTPUT_RANGE
    return [tf.constant(low + (high - low) * (side + 1) / 2) for side in batch(gan.exp, seed=seed)]


def answer(gan) -> np.ndarray:
    """What the generator makes of a fixed batch at inference."""
    return np.asarray(gan.generator(pair(gan, seed=9)[0], training=False))


def main(folder: Path) -> None:
    """Restore every run below ``folder`` (``<precision>/<name>``) and write ``answer.npy``."""
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(12345)  # not the seed of the run that was saved
    for run in sorted(folder.glob("*/*")):
        gan = small_gan(run.name, run.parent.name, seed=77)
        restore_latest(run, TrainingState(gan), repair=False)
        np.save(run / "answer.npy", answer(gan))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
