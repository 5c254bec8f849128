"""CARL by hand: the fact sheet's V4 and V6 to V9, and the do-nothing value of a real patch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models.loading import load_gan_class
from models.objectives.clouds import gen_carl
from models.objectives.registry import LossInputs
from models.parts.answers import loss_inputs
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.sources.sen12mscr.cloudmask import cloud_mask
from tests.models import clouds
from tests.models.standin import experiment
from tests.real_data import sen12_image

# V4, in units of DN / 2000.
TRUTH, CLOUDY, MADE = ([[1, 2], [3, 4]], [[1.2, 5], [3, 5]], [[1.5, 2.5], [3, 3]])
MASK = [[0, 1], [0, 2]]  # cloud and shadow count alike


def carl(made, truth, cloudy, mask):
    output, target, base = (tf.constant(image, tf.float32) for image in (made, truth, cloudy))
    extras = {"cloud_mask": tf.constant(mask, tf.uint8)}
    return gen_carl(LossInputs(output=output, target=target, base=base, extras=extras))


def images(bands):
    """The images of V4 as ``[1, 2, 2, bands]``, every band alike."""
    one = np.array([MADE, TRUTH, CLOUDY], np.float32)[:, None, :, :, None]
    return np.repeat(one, bands, axis=-1)


@pytest.mark.parametrize("bands", [1, 10, 13])
def test_by_hand_on_two_by_two_pixels_whatever_the_number_of_bands(bands):
    adaptive = (0.3 + 0.5 + 0.0 + 1.0) / 4
    regulariser = (0.5 + 0.5 + 0.0 + 1.0) / 4
    found = float(carl(*images(bands), [MASK]))
    assert found == pytest.approx(adaptive + regulariser, abs=1e-6)
    assert found == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize(
    ("made", "loss", "slope"), [(0.5, 3, -2), (2.0, 2, 0), (2.9, 2, 0), (3.5, 3, 2)]
)
def test_between_input_and_truth_a_clear_pixel_has_no_gradient(made, loss, slope):
    output = tf.Variable([[[[made]]]])
    with tf.GradientTape() as tape:
        inputs = LossInputs(
            output=output, target=tf.constant([[[[3.0]]]]), base=tf.constant([[[[1.0]]]]),
            extras={"cloud_mask": tf.zeros([1, 1, 1], tf.uint8)},
        )  # fmt: skip
        value = gen_carl(inputs)
    assert float(value) == pytest.approx(loss)
    assert tape.gradient(value, output).numpy().item() == pytest.approx(slope)


def test_covered_everywhere_it_is_twice_the_error_and_clear_that_of_the_input():
    made, truth, cloudy = images(3)
    error = np.abs(made - truth).mean()
    assert float(carl(made, truth, cloudy, np.ones((1, 2, 2)))) == pytest.approx(2 * error)
    left = np.abs(cloudy - truth).mean()
    assert float(carl(cloudy, truth, cloudy, np.zeros((1, 2, 2)))) == pytest.approx(left)


@pytest.mark.parametrize("targets", [clouds.TEN, tuple(clouds.NM)])
@pytest.mark.parametrize("name", ["dsen2cr", "edsr", "pix2pix"])
def test_the_input_is_taken_by_the_names_of_the_target(name, targets):
    """So no order of bands can compare a band with another one, or with radar or a mask."""
    order = ("VH", *tuple(clouds.NM)[::-1], "VV")
    data = clouds.contract(order, targets)
    exp = clouds.experiment(data, gen_loss={"gen_carl": 1.0})
    bounds = getattr(load_gan_class(name), "OUTPUT_BOUNDS", None)
    if bounds:  # its targets have another map than its inputs
        outputs = {"output_low": -0.25, "output_high": 1.25}
        target = [one.model_copy(update=outputs) for one in data.statistics["target"]]
        data = data.model_copy(update={"statistics": {**data.statistics, "target": tuple(target)}})
    normalisation = Normalisation("symmetric", data, bounds)
    exp = exp.normalised_by(normalisation)
    model = type("Model", (), {"exp": exp, "discriminator": None, "loss_object": None})
    values = np.linspace(0.1, 0.9, len(order), dtype=np.float32)  # a value for each band
    image = np.tile(values, (1, 2, 2, 1))
    found = loss_inputs(model, normalisation.input(image), None, None, {})["base"]
    wanted = [values[order.index(band)] for band in targets]
    np.testing.assert_allclose(normalisation.restore(found)[0, 1, 1], wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["dsen2cr", "edsr"])
@pytest.mark.usefixtures("step_by_step")
def test_models_train_with_it_and_without_it_take_no_base(name):
    params = {"blocks": 1, "width": 0.1, **({"features": 40} if name == "dsen2cr" else {})}
    exp = clouds.experiment(params=params, gen_loss={"gen_carl": 1.0, "gen_l1": 0.0})
    gan = load_gan_class(name)(exp)
    random = np.random.default_rng(0)
    image, target = (random.uniform(-1, 1, (1, 64, 64, n)).astype("float32") for n in (12, 10))
    mask = tf.constant(random.integers(0, 3, (1, 64, 64)), tf.uint8)
    before = gan.generator(image).numpy()
    logged = gan.train_step(*map(tf.constant, (image, target)), tf.constant(0), cloud_mask=mask)
    assert float(logged["gen_carl"]) == pytest.approx(
        float(carl(before, target, image[..., :10], mask)), rel=1e-5
    )
    plain = load_gan_class(name)(clouds.experiment(params=params))
    assert loss_inputs(plain, image, target, 0, {})["base"] is None


@pytest.mark.parametrize(
    ("name", "data", "settings", "said"),
    [
        ("edsr", {"variant": None}, {}, "'gen_carl' needs extras.cloud_mask, which the data set"),
        ("edsr", {"inputs": ("B02",), "targets": ("B02", "B12")}, {}, "a base for 'B12'"),
    ],
)
def test_a_data_set_that_cannot_give_it_is_refused(name, data, settings, said):
    exp = clouds.experiment(clouds.contract(**data), gen_loss={"gen_carl": 1.0}, **settings)
    with pytest.raises(ConfigError, match=said) as caught:
        load_gan_class(name)(exp)
    assert "gen_loss.gen_carl" in str(caught.value) or "params.base" in str(caught.value)


@pytest.mark.parametrize(("name", "loss"), [("edsr", "gen_carl"), ("dsen2cr", "gen_l1")])
def test_norms_of_each_tile_leave_no_base(name, loss):
    settings = {"normalisation": "l2", "params": {"blocks": 1, "width": 0.1}}
    with pytest.raises(ConfigError, match=r"'l2' divides .* its own norm.*; use 'sym") as caught:
        load_gan_class(name)(clouds.experiment(gen_loss={loss: 1.0}, **settings))
    assert str(caught.value).startswith("normalisation: ") and "\n" not in str(caught.value)
    # What asks for no base takes it as before.
    load_gan_class("edsr")(clouds.experiment(gen_loss={"gen_l1": 1.0}, **settings))


def test_degraded_images_have_no_cloud_mask():
    exp = experiment(gen_loss={"gen_carl": 1.0}, discriminator=None)
    with pytest.raises(ConfigError, match=r"gen_loss\.gen_carl: 'gen_carl' needs extras"):
        load_gan_class("edsr")(exp)


@pytest.mark.parametrize(("names", "published"), [(tuple(clouds.NM), 1.0664), (clouds.TEN, 1.2340)])
def test_doing_nothing_on_the_real_patch_costs_what_the_fact_sheet_says(names, published):
    """V19: the cloudy image handed on, in units of DN / 2000, with the mask of the whole patch."""
    clear, cloudy = (sen12_image(kind).astype(np.float32) for kind in ("s2", "s2_cloudy"))
    mask = cloud_mask(cloudy)
    chosen = [tuple(clouds.NM).index(name) for name in names]
    truth, given = (image.clip(0, 10000)[None, ..., chosen] / 2000 for image in (clear, cloudy))
    assert float(carl(given, truth, given, mask[None])) == pytest.approx(published, abs=1e-3)
