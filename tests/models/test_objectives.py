"""The newer objectives against closed forms, warm-up, precision, and the page that lists them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from experiment import LossWeights
from models import base, losses
from models.losses import LossInputs
from models.objectives import registry
from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.network_settings import DiscriminatorSettings
from sensor2sensor.config.vocabulary import LOSSES
from sensor2sensor.core.errors import ConfigError
from tests.models.standin import batch, experiment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "losses.md"
LOGITS = tf.keras.losses.BinaryCrossentropy(from_logits=True)
PROBABILITIES = tf.keras.losses.BinaryCrossentropy(from_logits=False)
FAKE = np.array([-0.7, 0.3, 1.5, -2.0], np.float32).reshape(1, 2, 2, 1)
REAL = np.array([2.0, -1.0, 0.5, 3.0], np.float32).reshape(1, 2, 2, 1)


def sigmoid(value):
    return 1.0 / (1.0 + np.exp(-np.asarray(value, np.float64)))


def slope(name, field, **inputs):
    """The gradient of a term with respect to one of its inputs."""
    value = tf.Variable(inputs.pop(field))
    with tf.GradientTape() as tape:
        term = losses.REGISTRY[name](LossInputs(**{field: value}, **inputs))
    return tape.gradient(term, value)


def step_number(number):
    return tf.constant(number, tf.int64)


def test_least_squares_pulls_with_the_distance_where_cross_entropy_lets_go():
    answers = np.array([[-9.0], [1.0], [11.0]], np.float32)
    pull = slope("gen_lsgan", "disc_fake", disc_fake=answers, loss_object=LOGITS)
    np.testing.assert_allclose(pull, (answers - 1.0) / 3.0, rtol=1e-6)
    entropy = slope("gen_gan", "disc_fake", disc_fake=answers, loss_object=LOGITS).numpy()
    assert abs(entropy[2, 0]) < 1e-4 < 1.0 < pull[2, 0]


def test_the_published_wasserstein_term_pulls_the_same_wherever_the_answer_lies():
    answers = np.array([[-9.0], [1.0], [1e6]], np.float32)
    pull = slope("gen_wstein", "disc_fake", disc_fake=answers)
    np.testing.assert_allclose(pull, -1.0 / 3.0, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["gen_lsgan", "disc_lsgan", "gen_ragan", "disc_ragan", "disc_wstein", "disc_gp"]
)
def test_a_sigmoid_before_a_term_for_logits_is_refused(name):
    inputs = LossInputs(disc_real=REAL, disc_fake=FAKE, loss_object=PROBABILITIES)
    with pytest.raises(ConfigError, match=f"'{name}' needs a linear answer"):
        losses.REGISTRY[name](inputs)


def test_the_relativistic_generator_learns_from_the_truth_too():
    """Its slope with respect to D(x), by hand; that of the usual term is none."""
    found = slope("gen_ragan", "disc_real", disc_real=REAL, disc_fake=FAKE, loss_object=LOGITS)
    certain = sigmoid(REAL.astype(np.float64) - FAKE.mean())
    doubt = 1 - sigmoid(FAKE.astype(np.float64) - REAL.mean())
    np.testing.assert_allclose(found, (certain + doubt.mean()) / REAL.size, rtol=1e-5)
    assert slope("gen_gan", "disc_real", disc_real=REAL, disc_fake=FAKE, loss_object=LOGITS) is None


@pytest.mark.parametrize("name", ["gen_ragan", "disc_ragan"])
def test_relativistic_terms_look_at_differences_and_stay_finite(name):
    def value(real, fake):
        return float(losses.REGISTRY[name](LossInputs(disc_real=real, disc_fake=fake)))

    assert value(REAL + 7.0, FAKE + 7.0) == pytest.approx(value(REAL, FAKE), rel=1e-5)
    # σ(±20 000) is 0 or 1 in any float; the terms are linear there, two of them.
    worse = (REAL * 0 + 1e4, FAKE * 0 - 1e4)
    expected = 4e4 if name == "gen_ragan" else 0.0
    assert value(*worse) == pytest.approx(expected)


def test_feature_matching_leaves_the_truth_alone():
    real, fake = tf.Variable([[1.0, -2.0]]), tf.Variable([[0.0, 0.0]])
    with tf.GradientTape() as tape:
        term = losses.REGISTRY["gen_fm"](LossInputs(features_real=[real], features_fake=[fake]))
    towards_real, towards_fake = tape.gradient(term, [real, fake])
    assert float(term) == 1.5
    assert towards_real is None
    np.testing.assert_array_equal(towards_fake, [[-0.5, 0.5]])


def weights_with(steps, **weights):
    return LossWeights(weights, 2.0, -1.0, warmup_steps=steps)


@pytest.mark.parametrize("number", [0, 2, 3, 9])
def test_a_warm_up_gates_value_and_gradient_exactly(number):
    image, answer = tf.Variable([[[[0.5]]]]), tf.Variable([[[[0.3]]]])
    stage = tf.Variable([[2.0]])
    weights = weights_with(3, gen_gan=2.0, gen_fm=1.0, gen_l1=10.0)
    fields = {"features_real": [tf.ones([1, 1])], "features_fake": [stage]}

    def run(step):
        target = tf.zeros([1, 1, 1, 1])
        return losses.generator_loss(answer, image, target, weights, LOGITS, step=step, **fields)

    with tf.GradientTape() as tape:
        total, terms = tf.function(run)(step_number(number))
    gradients = [float(tf.squeeze(g)) for g in tape.gradient(total, [image, answer, stage])]
    gan = -np.log(sigmoid(0.3))
    assert float(terms["gen_gan"]) == pytest.approx(gan, rel=1e-5)
    assert float(terms["gen_fm"]) == 1.0
    if number < 3:
        assert float(total) == 5.0
        assert gradients == [10.0, 0.0, 0.0]
    else:
        assert float(total) == pytest.approx(5.0 + 2 * gan + 1.0, rel=1e-5)
        assert gradients == pytest.approx([10.0, 2 * (sigmoid(0.3) - 1), 1.0], rel=1e-5)


@pytest.mark.parametrize("answer", [np.inf, -np.inf, np.nan])
def test_an_infinite_answer_cannot_poison_the_warm_up(answer):
    image, fake = tf.Variable([[[[0.5]]]]), tf.Variable([[[[answer]]]])
    stage = tf.Variable([[answer]])
    fields = {"features_real": [tf.ones([1, 1])], "features_fake": [stage]}
    weights = weights_with(1, gen_lsgan=1.0, gen_gan=1.0, gen_fm=1.0, gen_l1=10.0)
    with tf.GradientTape() as tape:
        total, terms = losses.generator_loss(
            fake, image, tf.zeros([1, 1, 1, 1]), weights, LOGITS, step=step_number(0), **fields
        )
    to_image, to_answer, to_stage = tape.gradient(total, [image, fake, stage])
    assert not np.isfinite([float(terms["gen_lsgan"]), float(terms["gen_fm"])]).any()
    assert (float(total), float(to_image[0, 0, 0, 0])) == (5.0, 10.0)
    np.testing.assert_array_equal(to_answer, 0.0)
    np.testing.assert_array_equal(to_stage, 0.0)


def test_a_warm_up_without_a_step_is_refused_and_the_critic_is_never_gated():
    weights = weights_with(3, gen_gan=1.0, gen_l1=1.0)
    image = np.zeros((1, 2, 2, 1), np.float32)
    with pytest.raises(ConfigError, match=r"generator_warmup needs the step.*pass step="):
        losses.generator_loss(FAKE, image, image, weights, LOGITS)
    total, terms = losses.discriminator_loss(REAL, FAKE, weights_with(3, disc_bce=1.0), LOGITS)
    assert float(total) == float(terms["disc_bce"]) > 0.0


def test_bfloat16_inputs_are_computed_in_float32():
    rounded = {name: tf.cast(value, tf.bfloat16) for name, value in (("a", REAL), ("b", FAKE))}
    fields = {"target": rounded["a"], "output": rounded["b"], "value_range": 8.0}
    fields |= {"disc_real": rounded["a"], "disc_fake": rounded["b"], "loss_object": LOGITS}
    fields |= {"features_real": [rounded["a"]], "features_fake": [rounded["b"]]}
    fields |= {"base": rounded["a"], "extras": {"cloud_mask": tf.zeros(REAL.shape[:3], tf.uint8)}}
    alone = ("gen_ssim", "gen_vgg")  # of larger images
    names = [n for n, i in LOSSES.items() if i.side == "generator" and n not in alone]
    elsewhere = {"models.objectives.sensors", "models.objectives.flow"}
    names = [n for n in names if losses.REGISTRY[n].__module__ not in elsewhere]
    total, terms = losses.weighted(LossInputs(**fields), dict.fromkeys(names, 1.0), "generator")
    assert {total.dtype, *(term.dtype for term in terms.values())} == {tf.float32}
    exact = tf.reduce_mean(
        tf.abs(tf.cast(rounded["a"], tf.float32) - tf.cast(rounded["b"], tf.float32))
    )
    assert float(terms["gen_l1"]) == float(exact)


def test_the_adapters_hand_on_what_the_newer_terms_need():
    image = np.zeros((1, 2, 2, 1), np.float32)
    weights = {"gen_ragan": 1.0, "gen_l1": 1.0}
    with pytest.raises(ConfigError, match=r"'gen_ragan' needs disc_real.*pass disc_real="):
        losses.generator_loss(FAKE, image, image, weights, LOGITS)
    total, terms = losses.generator_loss(FAKE, image, image, weights, LOGITS, disc_real=REAL)
    assert float(total) == float(terms["gen_ragan"]) > 0.0
    with pytest.raises(ConfigError, match=r"'disc_gp' needs discriminator, input.*step"):
        losses.discriminator_loss(REAL, FAKE, {"disc_gp": 1.0}, LOGITS)


def snippets():
    return [json.loads(found) for found in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.S)]


def test_the_page_lists_every_loss_of_the_vocabulary_once():
    listed = re.findall(r"^\| `((?:gen|disc)_\w+)` \|", PAGE.read_text(), re.M)
    listed = [name for name in listed if name not in ("gen_loss", "disc_loss")]
    assert sorted(listed) == sorted(LOSSES)
    assert len(snippets()) == 8


@pytest.mark.parametrize("snippet", snippets(), ids=lambda s: "-".join(s["gen_loss"]))
def test_every_recipe_of_the_page_is_valid_and_computes(snippet):
    config = ExperimentFile.model_validate({"model_name": "pix2pix", "dataset": "any", **snippet})
    given = {"gen_loss": snippet["gen_loss"], "disc_loss": snippet.get("disc_loss")}
    exp = experiment(**given, discriminator=config.discriminator)
    base.check_losses(exp)
    judge = base.patchgan(exp, 0.1)
    image, target = batch(exp)
    output = 0.5 * target
    real, fake = judge([image, target], training=True), judge([image, output], training=True)
    inputs = LossInputs(
        target=target, output=output, input=image, disc_real=real, disc_fake=fake,
        discriminator=judge, step=step_number(0), value_range=2.0, value_low=-1.0,
        loss_object=LOGITS, features_real=[real], features_fake=[fake],
    )  # fmt: skip
    for side, weights in (("generator", exp.GEN_LOSS), ("discriminator", exp.DISC_LOSS)):
        total, terms = losses.weighted(inputs, weights, side)
        assert np.isfinite(float(total)) and all(np.isfinite(float(t)) for t in terms.values())


@pytest.mark.parametrize("norm", ["published", "batch"])
def test_a_penalised_critic_must_not_normalise_by_batch(norm):
    exp = experiment(discriminator=DiscriminatorSettings(norm=norm))
    image, target = batch(exp)
    inputs = LossInputs(
        input=image, target=target, output=target, step=step_number(0),
        discriminator=base.patchgan(exp, 0.1),
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"^discriminator\.norm: .*batch normalisation"):
        losses.REGISTRY["disc_gp"](inputs)


class Hiding(tf.keras.layers.Layer):
    """A layer of the user's: Keras' public attributes do not show what it holds."""

    def __init__(self):
        super().__init__()
        self.stages = {"norm": [tf.keras.layers.BatchNormalization(name="hidden")]}

    def call(self, x):
        return self.stages["norm"][0](x)


def test_batch_normalisation_within_a_users_layer_is_seen():
    exp = experiment()
    image, target = batch(exp)
    pair = [tf.keras.Input(x.shape[1:]) for x in (image, target)]
    critic = tf.keras.Model(pair, tf.keras.Sequential([Hiding()])(pair[1]))
    inputs = LossInputs(
        input=image, target=target, output=target, step=step_number(0), discriminator=critic
    )
    with pytest.raises(ConfigError, match=r"batch normalisation \(hidden\)"):
        losses.REGISTRY["disc_gp"](inputs)


def test_an_error_found_while_tracing_stays_one_line_of_its_own_type():
    @tf.function
    def train_step(answer):
        return losses.discriminator_loss(answer, answer, {"disc_lsgan": 1.0}, PROBABILITIES)

    with pytest.raises(ConfigError) as caught:
        train_step(tf.constant(FAKE))
    wanted = "disc_loss.disc_lsgan: 'disc_lsgan' needs a linear answer"
    assert str(caught.value).startswith(wanted)
    assert "\n" not in str(caught.value)


def test_tracing_a_term_of_some_bands_leaves_no_warning_of_autograph(monkeypatch):
    from tensorflow.python.autograph.utils import ag_logging

    said = []
    monkeypatch.setattr(ag_logging, "warning", lambda text, *args, **_: said.append(text % args))
    weights = LossWeights({"gen_l1": 1.0}, 2.0, bands={"gen_l1": {"B3": 1.0}})

    class Step:  # a method of the user's module: AutoGraph follows what it calls
        @tf.function
        def __call__(self, image):
            given = LossInputs(target=image, output=2 * image, target_bands=["B2", "B3"])
            return losses.weighted(given, weights, "generator")[0]

    image = tf.constant([1.0, 3.0]) * tf.ones((1, 4, 4, 1))
    assert float(Step()(image)) == 3.0
    assert not said


def test_a_term_of_the_users_may_branch_on_a_tensor_in_the_step_of_a_shipped_model(monkeypatch):
    for table in ("REGISTRY", "DECLARED", "LOSSES", "_MAKERS"):
        monkeypatch.setattr(registry, table, dict(getattr(registry, table)))

    @registry.register("gen_branches", "generator", needs=["output"], paper="none")
    def gen_branches(inputs):
        if tf.reduce_mean(inputs.output) > 1.0:
            return tf.constant(2.0)
        return tf.constant(1.0)

    @tf.function(autograph=False)  # as the train_step of a shipped model is
    def step(output):
        return registry.REGISTRY["gen_branches"](LossInputs(output=output))

    assert [float(step(tf.fill([1, 2, 2, 1], value))) for value in (0.0, 3.0)] == [1.0, 2.0]
