"""Losses of two sensors: closed forms, bands by name, bands without a truth, late starts."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models import base, losses
from models.losses import LossInputs
from models.objectives.routing import judged
from models.objectives.weighing import weighted
from models.parts.answers import answers, loss_inputs
from models.parts.optimizers import adam
from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.network_settings import DiscriminatorSettings
from sensor2sensor.config.weights import LossWeights
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.degradation import axis_weights
from sensor2sensor.pipeline.sensor import Sensor
from tests.models.sensors import BANDS, two_sensors

RNG = np.random.default_rng(5)
NAMES = ["B02", "B04", "B08", "B11"]
LOGITS = tf.keras.losses.BinaryCrossentropy(from_logits=True)
TARGET = RNG.normal(0.2, 0.3, (2, 16, 16, 4)).astype(np.float32)
OUTPUT = TARGET + RNG.normal(0, 0.2, TARGET.shape).astype(np.float32)


def term(name, **fields):
    return float(losses.REGISTRY[name](LossInputs(**fields)))


def total(name="gen_l1", bands=None, **fields):
    """Value and gradient of one term as a training weighs it."""
    output = tf.Variable(fields.pop("output", OUTPUT))
    weights = LossWeights({name: 1.0}, 1.0, bands={name: bands} if bands else {})
    given = {"target": TARGET, "target_bands": NAMES, **fields}
    with tf.GradientTape() as tape:
        value, _ = weighted(LossInputs(output=output, **given), weights, "generator")
    return float(value), np.asarray(tape.gradient(value, output))


def mean_l1(*bands):
    return np.abs(TARGET - OUTPUT)[..., list(bands)].mean()


def test_lr_fidelity_is_zero_for_what_another_implementation_of_the_mtf_degrades():
    fine = RNG.normal(size=(1, 48, 48, 1))
    weights = axis_weights(48, 2, 0, "mtf", 0.3)
    weights /= weights.sum(axis=1, keepdims=True)
    low = np.einsum("oh,bhwc,pw->bopc", weights, fine, weights)
    inner = np.s_[:, 4:-4, 4:-4]  # beyond the border one has nothing, the other reflects
    seen = Sensor(2, (1,), (0.3,)).seen(fine.astype(np.float32))
    np.testing.assert_allclose(np.asarray(seen)[inner], low[inner], atol=0.02)
    exact = {"output": fine.astype(np.float32), "sensor": Sensor(2, (1,), (0.3,)), "low": seen}
    assert term("gen_lr_fidelity", **exact) == 0.0
    off = {**exact, "low": seen + 0.4}
    assert term("gen_lr_fidelity", **off) == pytest.approx(0.08, rel=1e-4)  # 0.4² / 2


def test_a_band_of_20_m_on_a_grid_of_10_m_is_seen_with_pixels_of_20_m():
    sensor = Sensor(2, (1, 2), (0.25, 0.25))
    seen = np.asarray(sensor.seen(TARGET[..., :2]))
    np.testing.assert_allclose(seen[..., 0], Sensor(2, (1,), (0.25,)).seen(TARGET[..., :1])[..., 0])
    own = np.asarray(Sensor(4, (1,), (0.25,)).seen(TARGET[..., 1:2]))[..., 0]
    np.testing.assert_array_equal(seen[..., 1], own.repeat(2, axis=1).repeat(2, axis=2))


def test_hr_fidelity_sees_detail_and_no_offset():
    sensor = Sensor(2, (1,) * 4, (0.2,) * 4)
    given = {"target": TARGET, "sensor": sensor}
    assert term("gen_hr_fidelity", output=TARGET + 0.3, **given) == pytest.approx(0, abs=1e-9)
    found = term("gen_hr_fidelity", output=OUTPUT, **given)
    difference = np.asarray(sensor.detail(TARGET)) - np.asarray(sensor.detail(OUTPUT))
    assert found == pytest.approx(np.mean(difference**2) / 2, rel=1e-4)


def test_strata_are_the_flattest_and_the_steepest_quarter_of_each_band():
    steep = np.zeros((1, 18, 18, 1), np.float32)
    steep[0, :, :, 0] = np.cumsum(np.where(np.arange(18) < 9, 0.0, np.arange(18)))
    missed = np.where(np.arange(18) < 9, 0.1, 0.3)
    missed[14:] = 0.7  # 16 inner columns: the steepest quarter is that of columns 13 to 16
    output = steep + missed[None, None, :, None].astype(np.float32)
    given = {"target": steep, "output": output}
    assert term("gen_l1_flat", **given) == pytest.approx(0.1, rel=1e-5)
    assert term("gen_l1_edges", **given) == pytest.approx((0.3 + 3 * 0.7) / 4, rel=1e-5)


def test_a_shift_of_up_to_four_pixels_costs_nothing_and_a_farther_one_does():
    ground = RNG.normal(size=(2, 32, 32, 2)).astype(np.float32)
    target = ground[:, 6:26, 6:26]
    moved = np.stack([ground[0, 9:29, 4:24], ground[1, 2:22, 10:30]])  # each its own shift
    assert term("gen_shift_l1", target=target, output=moved) == pytest.approx(0, abs=1e-7)
    assert term("gen_shift_l1", target=target, output=ground[:, 11:31, 6:26]) > 0.5
    _, slope = total("gen_shift_l1", target=target, output=moved + 0.01, target_bands=["a", "b"])
    inner = slope[:, 4:-4, 4:-4]
    np.testing.assert_allclose(inner, 1 / inner.size, rtol=1e-5)
    assert not slope[:, :4].any() and not slope[:, :, -4:].any()


def test_the_warp_term_compares_flows_to_the_truth():
    def flow(moving, fixed):
        return tf.stack([moving[..., 0] - fixed[..., 0], 0 * moving[..., 0]], -1)

    sensor = Sensor(2, (1,), (0.3,))
    low = sensor.seen(TARGET[..., :1]) + 0.5
    given = {"target": TARGET[..., :1], "sensor": sensor, "low": low, "flow": flow}
    as_input = term("gen_warp", output=TARGET[..., :1] + 0.5, **given)
    assert as_input == pytest.approx(0, abs=1e-9)
    assert term("gen_warp", output=TARGET[..., :1], **given) == pytest.approx(0.125 / 2, rel=1e-3)


def test_a_route_is_the_mean_of_its_bands_and_a_weight_counts_once():
    assert total(bands={"B2": 1.0, "B08": 1.0})[0] == pytest.approx(mean_l1(0, 2), rel=1e-5)
    value, slope = total(bands={"B02": 1.0, "B08": 3.0})
    assert value == pytest.approx((mean_l1(0) + 3 * mean_l1(2)) / 2, rel=1e-5)
    assert not slope[..., [1, 3]].any()
    np.testing.assert_allclose(np.abs(slope[..., 2]), 3 * np.abs(slope[..., 0]).max(), rtol=1e-5)
    assert total(bands={"B02": 0.0, "B04": 1.0})[0] == pytest.approx(mean_l1(1) / 2, rel=1e-5)


NEEDING_SENSOR = ("gen_lr_fidelity", "gen_hr_fidelity")


@pytest.mark.parametrize(
    "name", ["gen_smooth_l1", *NEEDING_SENSOR, "gen_l1_edges", "gen_shift_l1", "gen_ssim"]
)
def test_the_order_of_bands_changes_neither_losses_nor_gradients(name):
    sensor = Sensor(2, (1, 1, 1, 2), (0.3, 0.25, 0.2, 0.2))
    ends = {"value_low": [-1.0, -0.9, -0.8, -0.7], "value_range": [2.0, 2.1, 2.2, 2.3]}
    low = np.asarray(sensor.seen(TARGET + 0.1))
    route = {"B08": 2.0, "B11": 1.0, "B02": 0.5}
    order = [2, 0, 3, 1]
    value, slope = total(name, route, sensor=sensor, low=low, **ends)
    moved = {key: [numbers[n] for n in order] for key, numbers in ends.items()}
    other, turned = total(
        name,
        dict(reversed(route.items())),
        output=OUTPUT[..., order],
        target=TARGET[..., order],
        target_bands=[NAMES[n] for n in order],
        sensor=sensor.of(order),
        low=low[..., order],
        **moved,
    )
    assert other == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(turned, slope[..., order], atol=1e-8)


def test_bands_without_a_reference_are_left_out_of_losses_that_need_the_truth():
    known = np.array([True, True, True, False])
    value, slope = total(known=known)
    assert value == pytest.approx(mean_l1(0, 1, 2), rel=1e-5)
    assert not slope[..., 3].any()
    sensor = Sensor(2, (1,) * 4, (0.2,) * 4)
    _, slope = total("gen_lr_fidelity", known=known, sensor=sensor, low=sensor.seen(TARGET))
    assert slope[..., 3].any()


@pytest.mark.parametrize("name", ["gen_l1", "gen_shift_l1", "gen_l1_flat"])
def test_references_that_differ_by_image_weigh_every_known_value_alike(name):
    known = np.array([[True, True, True, False], [True, True, True, True]])
    spoilt = np.array(OUTPUT)
    spoilt[0, ..., 3] = 99.0  # has no truth, so it is nowhere in the loss
    value, slope = total(name, known=tf.constant(known), output=spoilt)
    alone = [total(name, known=row, output=spoilt[n : n + 1], target=TARGET[n : n + 1])[0]
             for n, row in enumerate(known)]  # fmt: skip
    assert value == pytest.approx((3 * alone[0] + 4 * alone[1]) / 7, rel=1e-5)
    assert not slope[0, ..., 3].any() and slope[1, ..., 3].any()


def test_one_shift_is_chosen_for_all_bands_by_what_they_weigh_and_where_they_are_known():
    ground = RNG.normal(size=(2, 32, 32, 4)).astype(np.float32)
    target, moved = ground[:, 6:26, 6:26], ground[:, 8:28, 5:25].copy()
    given = {"target": target, "output": moved}
    known = tf.constant([[True, True, True, False], [True, True, False, False]])
    value, slope = total("gen_shift_l1", known=known, **given)
    assert value == pytest.approx(0, abs=1e-7) and not slope.any()
    # A band that lies elsewhere is held against the shift of the others.
    moved[..., 3] = ground[:, 5:25, 8:28, 3]
    there = np.abs(ground[:, 8:28, 5:25, 3] - moved[..., 3])[:, 4:-4, 4:-4].mean()
    bands = {"B02": 2.0, "B04": 2.0, "B08": 2.0, "B11": 0.5}
    value, slope = total("gen_shift_l1", bands, **given)
    assert value == pytest.approx(0.5 * there / 4, rel=1e-5)
    assert slope[..., 3].any() and not slope[..., :3].any()
    bands = {"B02": 0.1, "B04": 0.1, "B08": 0.0, "B11": 9.0}  # it outweighs them
    two = np.abs(ground[:, 5:25, 8:28, :2] - moved[..., :2])[:, 4:-4, 4:-4].mean()
    assert total("gen_shift_l1", bands, **given)[0] == pytest.approx(0.2 * two / 4, rel=1e-5)


def test_a_root_over_bands_known_in_some_images_is_refused():
    with pytest.raises(ConfigError, match=r"gen_loss.gen_rmse: .*no mean over bands"):
        total("gen_rmse", known=tf.constant([[True] * 4, [False] + [True] * 3]))


def test_the_experiment_gives_the_sensor_its_grid_and_its_bands_by_name():
    exp = two_sensors(
        native={"B11": 2}, unknown=["B11"], input_order=["B11", "B08", "B04", "B02"],
        gen_loss={"gen_l1": 1.0, "gen_lr_fidelity": 1.0}, fidelity_mtf={"B4": 0.4},
    )  # fmt: skip
    base.check_losses(exp)
    model = type("Model", (), {"exp": exp, "discriminator": None, "loss_object": LOGITS})
    image = RNG.normal(size=(1, 8, 8, 4)).astype(np.float32)
    given = LossInputs(**loss_inputs(model, image, TARGET[:1], None, {}))
    np.testing.assert_array_equal(given.low, image[..., ::-1])
    assert given.sensor == Sensor(2, (1, 1, 1, 2), tuple(np.float32([0.304, 0.4, 0.222, 0.21])))
    assert list(given.known) == [True, True, True, False]
    exp = two_sensors(gen_loss={"gen_hr_fidelity": 1.0}, compat="torchsisr")
    model.exp = exp
    given = loss_inputs(model, image, TARGET[:1], None, {})
    assert (given["sensor"].half_width, given["sensor"].coefficient) == (3, -0.75)
    assert given["low"] is None and given["known"] is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gen_loss": {"gen_lr_fidelity": 1.0}, "input_upsampling": "nearest"}, "on its own"),
        ({"loss_bands": {"gen_l1": ["B03"]}}, r"loss_bands.gen_l1: .*no target band 'B03'"),
        ({"loss_bands": {"gen_l1": ["B11"]}, "unknown": ["B11"]}, "B11' has no reference"),
        ({"loss_bands": {"gen_l2": ["B02"]}}, r"loss_bands.gen_l2: .*does not compute"),
        ({"loss_bands": {"gen_k1": ["B02"]}}, r"loss_bands.gen_k1: no such loss"),
        ({"gen_loss": {"gen_hr_fidelity": 1.0}, "bands": {"R": 665.0}}, "MTF of band 'R'"),
        ({"gen_loss": {"gen_l1": 1.0, "gen_warp": 1.0}}, r"needs flow, .*trained registration"),
    ],
)
def test_what_the_data_set_cannot_give_is_refused_before_anything_is_built(settings, message):
    with pytest.raises(ConfigError, match=message):
        base.check_losses(two_sensors(**settings))


def test_losses_of_the_discriminator_cannot_be_given_bands():
    settings = {"gen_loss": {"gen_gan": 1.0, "gen_l1": 1.0}, "loss_bands": {"gen_gan": ["B02"]}}
    with pytest.raises(ConfigError, match=r"loss_bands.gen_gan: 'gen_gan' cannot be given bands"):
        base.check_losses(two_sensors(**settings, discriminator=DiscriminatorSettings()))


def config(**settings):
    return ExperimentFile.model_validate({"model_name": "m", "dataset": "d", **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss_bands": {"gen_l1": {"B2": 0.0}}}, "weight 0"),
        ({"loss_bands": {"gen_l1": ["B2", "B2"]}}, "twice"),
        ({"discriminator": {"start": 5}, "generator_warmup": 4}, "lies behind generator_warmup 4"),
        ({"degradation": {"paths": {"real": 0.0}}}, "every path"),
        ({"degradation": {"mtf": [0.4, 0.1]}}, "must be a range"),
    ],
)
def test_keys_that_contradict_themselves(settings, message):
    with pytest.raises(ValueError, match=message):
        config(**settings)
    config(discriminator={"start": 4}, generator_warmup=4)


class Judged:
    """A GAN of two small networks over the step of every model."""

    def __init__(self, unknown=(), **settings):
        judge = DiscriminatorSettings(**settings)
        terms = {"gen_gan": 1.0, "gen_l1": 1.0}
        schedule = config(learning_rate_schedule={"kind": "linear"}).learning_rate_schedule
        self.exp = two_sensors(
            gen_loss=terms, disc_loss={"disc_bce": 1.0}, discriminator=judge, unknown=unknown,
            generator_warmup=settings.get("start", 0), learning_rate_schedule=schedule, steps=8,
        )  # fmt: skip
        layers = tf.keras.layers
        low, high = layers.Input([8, 8, 4]), layers.Input([16, 16, 4])
        self.generator = tf.keras.Model(
            low, layers.Conv2DTranspose(4, 2, strides=2)(low), name="generator"
        )
        self.discriminator = tf.keras.Model(
            [low, high], layers.Conv2D(1, 4, strides=4)(high), name="discriminator"
        )
        self.generator_optimizer = adam(self.exp, self.generator)
        self.discriminator_optimizer = adam(self.exp, self.discriminator)
        self.loss_object = LOGITS

    @tf.function
    def train_step(self, image, target, step, **extras):
        return base.standard_step(self, image, target, step, **extras)


IMAGE = RNG.normal(size=(2, 8, 8, 4)).astype(np.float32)


def weights_after(model, steps):
    for step in range(steps):
        model.train_step(IMAGE, TARGET, tf.constant(step, tf.int64))
    return [np.array(value) for value in model.discriminator.get_weights()]


def test_a_discriminator_learns_from_its_start_on_as_if_it_were_its_first_step():
    model = Judged(start=2)
    begun = [np.array(value) for value in model.discriminator.get_weights()]
    held = weights_after(model, 2)
    assert all((a == b).all() for a, b in zip(held, begun, strict=True))
    assert int(model.discriminator_optimizer.iterations) == 0
    model.train_step(IMAGE, TARGET, tf.constant(2, tf.int64))
    assert int(model.discriminator_optimizer.iterations) == 1
    moved = np.abs(model.discriminator.get_weights()[0] - begun[0])
    # Adam's first step has the size of the rate, that of step 2 of 8 on a line to 0.
    np.testing.assert_allclose(np.median(moved), 2e-4 * 6 / 8, rtol=0.01)


def test_the_discriminator_sees_the_stored_target_where_no_truth_is_known():
    model = Judged(unknown=["B11"])
    output, image = tf.Variable(OUTPUT), tf.constant(IMAGE)
    with tf.GradientTape() as tape:
        fixed = loss_inputs(model, image, tf.constant(TARGET), tf.constant(0, tf.int64), {})
        said = answers(model, image, fixed["target"], judged(output, TARGET, fixed["known"]))
        value, _ = weighted(
            LossInputs(**fixed, **said, output=output), {"gen_gan": 1.0}, "generator"
        )
    slope = np.asarray(tape.gradient(value, output))
    assert slope[..., :3].any() and not slope[..., 3].any()


def test_label_smoothing_is_of_real_images_alone():
    answers = np.array([[-0.7], [1.5]], np.float32)
    real = {"disc_real": answers, "disc_fake": answers[::-1], "loss_object": LOGITS}
    sigmoid = 1 / (1 + np.exp(-answers.astype(np.float64)))
    held = -np.mean(0.9 * np.log(sigmoid) + 0.1 * np.log(1 - sigmoid))
    assert term("disc_bce_real", label_smoothing=0.1, **real) == pytest.approx(held, rel=1e-5)
    whole = held - np.mean(np.log(1 - sigmoid))
    assert term("disc_bce", label_smoothing=0.1, **real) == pytest.approx(whole, rel=1e-5)
    lead = answers - answers.mean()
    ahead, behind = (np.log(1 / (1 + np.exp(-sign * lead))) for sign in (1.0, -1.0))
    ragan = -np.mean(0.9 * ahead + 0.1 * behind) - np.mean(behind)
    assert term("disc_ragan", label_smoothing=0.1, **real) == pytest.approx(ragan, rel=1e-5)
    judge = DiscriminatorSettings(label_smoothing=0.1)
    idle = two_sensors(
        gen_loss={"gen_lsgan": 1.0}, disc_loss={"disc_lsgan": 1.0}, discriminator=judge
    )
    with pytest.raises(ConfigError, match=r"discriminator.label_smoothing: is of cross-entropy"):
        base.check_losses(idle)


def test_the_bands_of_the_standin_are_those_of_the_tests():
    assert list(BANDS) == NAMES
