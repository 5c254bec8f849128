"""Every model of the family: two steps, gradients, precision, and its state in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.training.checkpoints import save
from sensor2sensor.training.state import TrainingState
from tests.models.family import NAMES, PRECISIONS, answer, pair, small_gan

pytestmark = pytest.mark.slow

PUBLISHED = {
    "aris-a", "aris-b", "aris-c", "sis3-b", "pix2pix", "psgan", "srgan", "srs3", "dmnet", "dsen2w",
    "tarsgan",
}  # fmt: skip

# Its last layer begins at 0: at the first step no gradient gets past it.
TWICE = {"edsr"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Each model saved after two steps, in bfloat16 after one; :func:`_steps` of each."""
    tf.config.experimental.enable_op_determinism()
    folder = tmp_path_factory.mktemp("family")
    return folder, {
        (policy, name): _steps(folder / policy / name, name, policy)
        for policy in PRECISIONS
        for name in NAMES
    }


def _steps(folder, name, policy):
    """The model, its weights before, what its steps logged, and its answer after them."""
    tf.keras.utils.set_random_seed(1)
    gan = small_gan(name, policy)
    before = {v.path: v.numpy() for v in _trainable(gan)}
    logged = []
    # Tracing a step costs three times two steps without a graph; what precision changes is the
    # same in both, and that each step makes one graph is seen in float32.
    tf.config.run_functions_eagerly(policy != PRECISIONS[0])
    try:
        # That a second step sees the weights of the first does not hang on the precision.
        once = policy != PRECISIONS[0] and name not in TWICE
        for number in range(1 if once else 2):
            logged.append(gan.train_step(*pair(gan, seed=number), tf.constant(number, tf.int64)))
    finally:
        tf.config.run_functions_eagerly(False)
    save(folder, TrainingState(gan), 2)
    return gan, before, logged, answer(gan)


def _trainable(gan):
    return [*gan.generator.trainable_variables, *gan.discriminator.trainable_variables]


EVERY = [(policy, name) for policy in PRECISIONS for name in NAMES]


def test_the_whole_published_family_is_there():
    assert set(NAMES) >= PUBLISHED


@pytest.mark.parametrize("which", EVERY, ids="-".join)
def test_losses_and_output_are_finite_and_float32(trained, which):
    gan, _, logged, made = trained[1][which]
    for losses in logged:
        assert {"total_gen_loss", "gen_gan", "gen_l1", "disc_bce"} <= set(losses)
        for value in losses.values():
            assert value.dtype == tf.float32
            assert np.isfinite(float(value))
    assert made.dtype == np.float32
    assert made.shape == (2, 64, 64, 3)
    assert np.isfinite(made).all()
    assert gan.train_step.experimental_get_tracing_count() == (which[0] == PRECISIONS[0])


@pytest.mark.parametrize("which", EVERY, ids="-".join)
def test_every_trainable_variable_has_a_gradient_and_moves(trained, which):
    """Adam's first moment holds the gradients that were applied."""
    gan, before, *_ = trained[1][which]
    for optimizer, network in (
        (gan.generator_optimizer, gan.generator),
        (gan.discriminator_optimizer, gan.discriminator),
    ):
        moments = [v for v in optimizer.variables if "momentum" in v.path]
        assert len(moments) == len(network.trainable_variables)
        for moment, variable in zip(moments, network.trainable_variables, strict=True):
            values = moment.numpy()
            assert values.shape == tuple(variable.shape)
            assert np.isfinite(values).all(), variable.path
            assert np.abs(values).max() > 0, f"{variable.path} never had a gradient"
            assert not np.array_equal(before[variable.path], variable.numpy()), variable.path
            assert variable.dtype == "float32"


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_really_computed_in(trained, name):
    generator = trained[1]["mixed_bfloat16", name][0].generator
    computed = {layer.compute_dtype for layer in generator._flatten_layers(include_self=False)}
    assert "bfloat16" in computed
    coarse, fine = (trained[1][policy, name][-1] for policy in ("mixed_bfloat16", "float32"))
    assert not np.array_equal(coarse, fine)


@pytest.mark.parametrize("which", EVERY, ids="-".join)
def test_inference_draws_no_random_number(trained, which):
    gan, *_, made = trained[1][which]
    np.testing.assert_array_equal(answer(gan), made)


def test_a_fresh_process_restores_every_model_bit_for_bit(trained, repository):
    folder, models = trained
    command = [sys.executable, "-m", "tests.models.family", str(folder)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for policy, name in EVERY:
        there = np.load(folder / policy / name / "answer.npy")
        np.testing.assert_array_equal(there, models[policy, name][-1], err_msg=name)
