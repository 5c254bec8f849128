"""Loss terms against closed forms and scikit-image, weights, and the adapters of the original."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import structural_similarity

from experiment import LossWeights
from model_tools import terms
from models import losses
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.pipeline.normalisation import Normalisation
from tests.models.standin import experiment

LOGITS = tf.keras.losses.BinaryCrossentropy(from_logits=True)
PROBABILITIES = tf.keras.losses.BinaryCrossentropy(from_logits=False)
FAKE = np.array([-0.7, 0.3, 1.5, -2.0], np.float32).reshape(1, 2, 2, 1)
REAL = np.array([2.0, -1.0, 0.5, 3.0], np.float32).reshape(1, 2, 2, 1)


def sigmoid(value):
    return 1.0 / (1.0 + np.exp(-np.asarray(value, np.float64)))


def relativistic(more, less):
    above = sigmoid(more - np.mean(less))
    below = sigmoid(less - np.mean(more))
    return -np.mean(np.log(above)) - np.mean(np.log(1 - below))


@pytest.fixture
def images():
    generator = np.random.default_rng(3)
    target = generator.uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    noise = generator.normal(0, 0.2, target.shape).astype(np.float32)
    return target, np.clip(target + noise, -1, 1)


def test_the_table_without_tensorflow_is_what_the_functions_declare():
    assert terms.terms() == terms.PATH.read_text(encoding="utf-8"), f"run: {terms.COMMAND}"


def test_every_term_equals_its_closed_form(images):
    target, output = images
    difference = (target - output).astype(np.float64)
    expected = {
        "gen_gan": np.mean(-np.log(sigmoid(FAKE))),
        "gen_nll": np.mean(-np.log(sigmoid(FAKE))),
        "gen_l1": np.mean(np.abs(difference)),
        "gen_l2": np.mean(difference**2),
        "gen_smooth_l1": np.mean(
            np.where(abs(difference) < 1, difference**2 / 2, abs(difference) - 0.5)
        ),
        "gen_rmse": math.sqrt(np.mean(difference**2)),
        "gen_wstein": -np.mean(FAKE),
        "gen_lsgan": np.mean((FAKE - 1) ** 2) / 2,
        "gen_ragan": relativistic(FAKE, REAL),
        "gen_fm": np.mean([np.mean(np.abs(REAL - FAKE)), 0.25]),
        "disc_bce": np.mean(-np.log(sigmoid(REAL))) + np.mean(-np.log(1 - sigmoid(FAKE))),
        "disc_bce_real": np.mean(-np.log(sigmoid(REAL))),
        "disc_bce_fake": np.mean(-np.log(1 - sigmoid(FAKE))),
        "disc_nll": np.mean(-np.log(sigmoid(REAL)) - np.log(1 - sigmoid(FAKE))),
        "disc_wstein": np.mean(FAKE) - np.mean(REAL),
        "disc_lsgan": np.mean((REAL - 1) ** 2) / 2 + np.mean(FAKE**2) / 2,
        "disc_ragan": relativistic(REAL, FAKE),
    }
    stage = np.zeros((1, 3, 3, 2), np.float32)
    inputs = losses.LossInputs(
        target=target,
        output=output,
        disc_real=REAL,
        disc_fake=FAKE,
        loss_object=LOGITS,
        features_real=[REAL, stage],
        features_fake=[FAKE, stage + 0.25],
    )
    for name, value in expected.items():
        assert float(losses.REGISTRY[name](inputs)) == pytest.approx(value, rel=1e-5), name
    # Below, in test_objectives, test_perceptual and test_carl.
    elsewhere = {"gen_ssim", "disc_gp", "gen_vgg", "gen_carl"}
    other = {"models.objectives.sensors", "models.objectives.flow"}
    here = {n for n, f in losses.REGISTRY.items() if f.__module__ not in other}
    assert set(expected) | elsewhere == here


def test_nll_on_probabilities_is_the_published_formula():
    real, fake = (sigmoid(answer).astype(np.float32) for answer in (REAL, FAKE))
    inputs = losses.LossInputs(disc_real=real, disc_fake=fake, loss_object=PROBABILITIES)
    assert float(losses.gen_nll(inputs)) == pytest.approx(np.mean(-np.log(fake)), rel=1e-5)
    expected = np.mean(-np.log(real) - np.log(1 - fake))
    assert float(losses.disc_nll(inputs)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("logit", [-200.0, -1e-8, 0.0, 200.0])
def test_nll_on_logits_stays_finite_and_points_up(logit):
    fake = tf.Variable([[logit]])
    with tf.GradientTape(persistent=True) as tape:
        inputs = losses.LossInputs(disc_real=fake, disc_fake=fake, loss_object=LOGITS)
        gen, disc = losses.gen_nll(inputs), losses.disc_nll(inputs)
    slope = float(tape.gradient(gen, fake)[0, 0])
    assert math.isfinite(float(gen)) and math.isfinite(float(disc))
    assert math.isfinite(slope) and slope <= 0.0  # descent raises D's answer to the fake
    assert math.isfinite(float(tape.gradient(disc, fake)[0, 0]))


def test_nll_refuses_a_loss_object_that_hides_its_scale():
    inputs = losses.LossInputs(disc_fake=FAKE, loss_object=lambda y, x: x)
    with pytest.raises(ModelContractError, match="logits"):
        losses.gen_nll(inputs)


def test_rmse_has_no_nan_gradient_where_the_images_agree():
    output = tf.Variable(tf.ones([1, 4, 4, 1]))
    with tf.GradientTape() as tape:
        value = losses.gen_rmse(losses.LossInputs(target=tf.ones([1, 4, 4, 1]), output=output))
    assert float(value) == 0.0
    np.testing.assert_array_equal(tape.gradient(value, output), 0.0)


def test_ssim_uses_the_value_range_and_agrees_with_scikit_image(images):
    target, output = images
    inputs = losses.LossInputs(target=target, output=output, value_range=2.0, value_low=-1.0)
    # scikit-image's options of Wang et al. 2004; its borders are cropped by half a window.
    expected = []
    for truth, made in zip(target, output, strict=True):
        _, full = structural_similarity(
            truth.astype(np.float64) + 1,
            made.astype(np.float64) + 1,
            data_range=2.0,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        expected.append(full[5:-5, 5:-5].mean())
    assert float(losses.gen_ssim(inputs)) == pytest.approx(1 - np.mean(expected), abs=2e-5)


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        *((kind, None) for kind in ("symmetric", "minmax", "standard", "reflectance")),
        ("symmetric", (-1.0, 1.0)),
        ("minmax", (0.0, math.inf)),
    ],
)
def test_ssim_of_every_normalisation_is_that_of_the_value_range(images, kind, bounds):
    """scikit-image on physical values, band by band, each with its own 0.1-99.9 % range."""
    ranges = np.array([(0.05, 0.30), (0.02, 0.41), (-0.01, 0.50)])
    probe = experiment(normalisation=kind, target_ranges=[tuple(ends) for ends in ranges])
    reach = {"output_low": -0.2, "output_high": 1.1}
    known = tuple(s.model_copy(update=reach) for s in probe.contract.statistics["target"])
    statistics = {**probe.contract.statistics, "target": known}
    contract = probe.contract.model_copy(update={"statistics": statistics})
    normalisation = Normalisation(kind, contract, bounds)
    weights = probe.normalised_by(normalisation).GEN_LOSS
    low, high = ranges.T
    physical = [(low + (image + 1) / 2 * (high - low)).astype(np.float32) for image in images]
    target, output = (normalisation.target(image) for image in physical)
    inputs = losses.LossInputs(
        target=target, output=output, value_range=weights.value_range, value_low=weights.value_low
    )
    expected = [
        structural_similarity(
            *(image[number, ..., band].astype(np.float64) - low[band] for image in physical),
            data_range=high[band] - low[band],
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )[1][5:-5, 5:-5].mean()
        for number in range(len(target))
        for band in range(3)
    ]
    assert float(losses.gen_ssim(inputs)) == pytest.approx(1 - np.mean(expected), abs=2e-5)


def test_ssim_does_not_saturate_on_small_values(images):
    """With max_val 1 an all-zero image of reflectances around 0.002 cost only 0.045."""
    target = (images[0] + 1) * 0.003
    inputs = losses.LossInputs(target=target, output=np.zeros_like(target), value_range=0.006)
    assert float(losses.gen_ssim(inputs)) > 0.9


def test_null_is_not_computed_and_zero_is_logged_but_cannot_poison(images):
    target, output = images
    poisoned = np.full_like(FAKE, np.nan)
    weights = LossWeights({"gen_gan": None, "gen_wstein": 0.0, "gen_l1": 50.0}, 2.0)
    image = tf.Variable(output)
    with tf.GradientTape() as tape:
        total, terms = losses.generator_loss(poisoned, image, target, weights, LOGITS)
    assert set(terms) == {"gen_wstein", "gen_l1"}
    assert math.isnan(float(terms["gen_wstein"]))
    assert float(total) == pytest.approx(50.0 * float(terms["gen_l1"]))
    assert np.isfinite(tape.gradient(total, image).numpy()).all()


def test_the_adapters_weight_and_sum(images):
    target, output = images
    weights = LossWeights({"gen_gan": 2.0, "gen_l1": 100.0, "gen_ssim": 3.0}, 2.0)
    total, terms = losses.generator_loss(FAKE, output, target, weights, LOGITS)
    expected = sum(weights[name] * float(term) for name, term in terms.items())
    assert float(total) == pytest.approx(expected, rel=1e-6)
    total, terms = losses.discriminator_loss(REAL, FAKE, {"disc_bce": 1, "disc_nll": 0}, LOGITS)
    assert float(total) == pytest.approx(float(terms["disc_bce"]))
    assert set(terms) == {"disc_bce", "disc_nll"}


def test_a_plain_dict_with_ssim_is_refused(images):
    with pytest.raises(ConfigError, match="value range"):
        losses.generator_loss(FAKE, images[1], images[0], {"gen_ssim": 1.0}, LOGITS)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"gen_l11": 1.0}, "gen_l1"),
        ({"disc_bce": 1.0}, "unknown loss 'disc_bce'"),
        ({"gen_l1": None, "gen_gan": None}, "null or 0"),
        ({"gen_l1": 0.0}, "null or 0"),
    ],
)
def test_weights_that_cannot_be_are_named(images, weights, message):
    with pytest.raises(ConfigError, match=message):
        losses.generator_loss(FAKE, images[1], images[0], weights, LOGITS)


def test_a_term_without_its_input_is_a_configuration_error(images):
    target, output = images
    with pytest.raises(ConfigError, match=r"gen_gan.*disc_fake"):
        losses.generator_loss(None, output, target, {"gen_gan": 1.0, "gen_l1": 1.0}, None)
