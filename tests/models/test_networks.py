"""Parameter counts, sizes and seeds of the networks; the starting point of edsr."""

from __future__ import annotations

import ast
import importlib
import math

import numpy as np
import pytest
import tensorflow as tf

from models import layers
from models.loading import list_models, load_gan_class
from models.parts.contrast import CONTRAST_FLOOR, contrast_px, local_statistics
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.dataset.ranges import output_bounds
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.training.normaliser import unstated_bound
from tests.models.family import NAMES, small_gan
from tests.models.standin import batch, counts, experiment


@pytest.mark.parametrize("name", NAMES)
def test_a_model_file_shows_two_networks_and_nothing_else(name):
    """What helps them lives in models/parts; a private method is one line."""
    body = ast.parse(list_models()[name].read_text()).body
    allowed = ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.ClassDef
    assert all(isinstance(part, allowed) for part in body)
    (gan,) = [part for part in body if isinstance(part, ast.ClassDef)]
    methods = {part.name: part for part in gan.body if isinstance(part, ast.FunctionDef)}
    own = {"__init__", "experiment_defaults", "Generator", "Discriminator", "train_step"}
    assert all(len(methods[extra].body) == 1 for extra in set(methods) - own)


# Counts of the published networks, measured on the original (trainable, not trainable); those of
# every model at 256 pixels are in test_counts.py.
@pytest.mark.parametrize(
    ("name", "sentinel3", "size", "generator"),
    [
        ("pix2pix", True, 64, (52_549_632, 10_240)),
        ("pix2pix", True, 128, (54_067_712, 10_752)),
        ("pix2pix", True, 512, (54_433_408, 10_880)),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_parameter_counts_are_the_published_ones(name, sentinel3, size, generator):
    tf.keras.backend.clear_session(free_memory=False)
    made = load_gan_class(name).Generator
    gan = _without_networks(name, experiment(size=size, sentinel3=sentinel3))
    network = made(gan)
    assert counts(network) == generator
    assert network.output_shape == (None, size, size, 3)


def _without_networks(name, exp):
    """A GAN whose networks are not built yet, so that one test builds one network."""
    from models import base

    cls, module = load_gan_class(name), importlib.import_module(f"models.{name}")
    gan = cls.__new__(cls)
    base.prepare(gan, exp, module.DEFAULTS)
    return gan


def test_width_multiplies_the_filters_and_stops_at_four():
    narrow = load_gan_class("pix2pix")(experiment(params={"width": 0.01}))
    filters = {
        layer.filters
        for layer in narrow.generator._flatten_layers()
        if isinstance(layer, tf.keras.layers.Conv2D | tf.keras.layers.Conv2DTranspose)
    }
    assert filters == {3, 4, 5}  # 3: the output; 512 * 0.01 is 5; all others stop at 4
    assert layers.scaled(64, 0.5) == 32
    assert layers.scaled(64, 0.001) == 4


@pytest.mark.parametrize("name", ["aris-a", "edsr"])
@pytest.mark.parametrize(("height", "width_px"), [(96, 96), (32, 32), (64, 1024), (100, 64)])
def test_other_sizes_are_refused_with_the_valid_ones(name, height, width_px):
    params = {"width": 0.1}
    with pytest.raises(ConfigError, match="64, 128, 256, 512"):
        load_gan_class(name)(experiment(size=height, img_width=width_px, params=params))


@pytest.mark.parametrize("name", ["aris-a", "pix2pix", "edsr"])
@pytest.mark.usefixtures("step_by_step")
def test_images_need_not_be_square(name):
    exp = experiment(size=64, img_width=128, params={"width": 0.1}, gen_loss={"gen_l1": 1.0})
    gan = load_gan_class(name)(exp)
    assert gan.generator.output_shape == (None, 64, 128, 3)
    gan.train_step(*map(tf.constant, batch(exp)), tf.constant(0, tf.int64))


def test_pix2pix_refuses_a_normalisation_that_leaves_tanh():
    for kind in ("standard", "reflectance"):
        exp = experiment(normalisation=kind, target_ranges=[(0.0, 1.4)] * 3)
        with pytest.raises(ConfigError, match="bounds"):
            load_gan_class("pix2pix")(exp)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_states_bounds_exactly_where_its_output_saturates(name):
    gan = small_gan(name)
    stated = output_bounds(type(gan), gan.exp.PARAMS)
    reached = unstated_bound(gan.generator, Normalisation("symmetric", gan.exp.contract))
    assert (stated, reached) == {
        "pix2pix": ((-1.0, 1.0), "tanh"),
        "resnet_pix2pix": ((-1.0, 1.0), "tanh"),
        "psgan": ((0.0, math.inf), None),  # its ReLU is open above
    }.get(name, (None, None))
    assert output_bounds(type(gan), {"base": "input"}) is None


@pytest.mark.parametrize("stated", [1, (1, -1), "tanh", (0, "x"), (0, 1, 2)])
def test_bounds_that_are_none_are_refused(stated):
    wrong = type("GAN", (), {"OUTPUT_BOUNDS": stated})
    with pytest.raises(ModelContractError, match=r"OUTPUT_BOUNDS is .*\(-1, 1\) for tanh"):
        output_bounds(wrong, {})


def test_unknown_and_wrong_parameters_are_named():
    for params, message in (
        ({"widht": 0.5}, "width"),
        ({"width": True}, "a number"),
        ({"bottleneck_norm": 1}, "bottleneck_norm: must be true or false"),
        ({"bottleneck_norm": "flase"}, "bottleneck_norm: must be true or false"),
        ({"norm": "istance"}, r"'published', 'batch', .* or 'none', not 'istance'; nearest: 'ins"),
        ({"norm": "spectral"}, "norm: must be 'published'"),
        ({"norm": None}, "norm: must be 'published'"),
        ({"base": "imput"}, "base: must be 'none' or 'input', not 'imput'; nearest: 'input'"),
        ({"width": -1.0}, "above 0"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_gan_class("pix2pix")(experiment(params=params))


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("edsr", {"base": "none"}, "base: must be 'input', not 'none'"),
        ("edsr", {"shrink": 3}, "shrink: must be 1, 2 or 4, not 3"),
        ("edsr", {"shrink": True}, "shrink: must be 1, 2 or 4, not True"),
        ("edsr", {"norm": "batch"}, "generator of this model has no normalisation to choose"),
        ("srs3", {"norm": "batch"}, "generator of this model has no normalisation to choose"),
    ],
)
def test_a_choice_that_a_model_does_not_have_is_refused(name, params, message):
    with pytest.raises(ConfigError, match=message):
        load_gan_class(name)(experiment(params=params))


def test_equal_seeds_start_equal_and_no_two_layers_do():
    def weights(seed):
        gan = load_gan_class("pix2pix")(experiment(params={"width": 0.1}, seed=seed))
        return [w.numpy() for w in gan.generator.trainable_weights if len(w.shape) == 4]

    first, again, other = weights(1), weights(1), weights(2)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])
    same_shape = [w for w in first if w.shape == first[4].shape]
    assert len(same_shape) > 1
    assert not np.array_equal(same_shape[0], same_shape[1])
    # N(0, 0.02), as published
    assert np.std(np.concatenate([w.ravel() for w in first])) == pytest.approx(0.02, rel=0.02)


def test_seeds_of_dropout_are_among_the_networks_variables():
    """tf.train.Checkpoint would lose them silently; training collects them from the layers."""
    gan = load_gan_class("pix2pix")(experiment(params={"width": 0.1}))
    seeds = [v for v in gan.generator.variables if "seed_generator_state" in v.path]
    assert len(seeds) == 3
    assert len({tuple(np.asarray(seed)) for seed in seeds}) == 3


def test_bottleneck_norm_decides_whether_one_image_gets_through_the_bottleneck():
    def bottleneck(norm):
        params = {"width": 0.1, "bottleneck_norm": norm}
        gan = load_gan_class("pix2pix")(experiment(params=params))
        deepest = [layer for layer in gan.generator.layers if "sequential" in layer.name][5]
        inner = tf.keras.Model(gan.generator.inputs[0], deepest.output)
        image, _ = batch(gan.exp, count=1)
        return inner(image, training=True).numpy()

    assert bottleneck(True).shape[1:3] == (1, 1)
    np.testing.assert_allclose(bottleneck(True), 0.0, atol=1e-6)
    assert np.abs(bottleneck(False)).max() > 1e-6


def edsr(**settings):
    settings.setdefault("gen_loss", {"gen_l1": 1.0})
    settings.setdefault("params", {"blocks": 2, "width": 0.1})
    return load_gan_class("edsr")(experiment(**settings))


@pytest.mark.parametrize("kind", ["symmetric", "reflectance", "standard", "minmax"])
@pytest.mark.parametrize("more", [{}, {"shrink": 2}, {"local_contrast": True}])
def test_an_untrained_edsr_is_its_upsampled_input(kind, more):
    gan = edsr(
        normalisation=kind,
        params={"blocks": 2, "width": 0.1, **more},
        input_ranges=[(0.05, 0.30), (0.02, 0.41), (0.01, 0.50)],
        target_ranges=[(0.03, 0.35), (0.02, 0.40), (0.00, 0.62)],
    )
    normalisation = Normalisation(kind, gan.exp.contract)
    # Far beyond the ranges on both sides.
    physical = np.random.default_rng(0).uniform(-0.2, 1.5, (2, 64, 64, 3)).astype(np.float32)
    made = gan.generator(normalisation.input(physical), training=False).numpy()
    np.testing.assert_allclose(normalisation.restore(made), physical, atol=5e-7)


def test_edsr_starts_from_the_olci_bands_nearest_in_wavelength():
    gan = edsr(sentinel3=True)
    image, _ = batch(gan.exp)
    expected = image[..., [3, 5, 7]]  # Oa04 490 nm, Oa06 560 nm, Oa08 665 nm
    np.testing.assert_allclose(gan.generator(image), expected, atol=1e-6)


def test_edsr_keeps_the_input_when_l2_has_no_inverse():
    gan = edsr(normalisation="l2")
    image, _ = batch(gan.exp)
    np.testing.assert_allclose(gan.generator(image), image, atol=1e-7)


@pytest.mark.usefixtures("step_by_step")
def test_edsr_needs_a_discriminator_for_adversarial_terms():
    with pytest.raises(ConfigError, match="gen_gan"):
        edsr(gen_loss={"gen_gan": 1.0, "gen_l1": 100.0})
    params = {"blocks": 1, "width": 0.1, "discriminator": True}
    gan = edsr(gen_loss={"gen_gan": 1.0, "gen_l1": 100.0}, params=params)
    assert gan.discriminator is not None and gan.discriminator_optimizer is not None
    logged = gan.train_step(*map(tf.constant, batch(gan.exp)), tf.constant(0, tf.int64))
    totals = {"total_gen_loss", "total_disc_loss"}
    terms = {"gen_gan", "gen_l1", "disc_bce"}
    assert totals | terms | {"disc_real", "disc_fake", "gen_adversarial_share"} == set(logged)


def test_dense_block_puts_new_maps_first_and_has_the_published_size():
    inputs = tf.keras.Input([16, 16, 256])
    network = tf.keras.Model(inputs, layers.dense_block(inputs))
    assert counts(network) == (288 * (5 * 256 + 320), 0)
    joins = [layer for layer in network.layers if isinstance(layer, tf.keras.layers.Concatenate)]
    assert [join.output.shape[-1] for join in joins] == [288, 320, 352, 384]
    assert network.output_shape[-1] == 32


def test_local_contrast_is_mean_and_deviation_of_a_square():
    image = np.random.default_rng(1).normal(0, 0.2, (1, 64, 64, 3)).astype(np.float32)
    mean, contrast = local_statistics(tf.constant(image), 19)
    window = image[0, 23:42, 23:42]
    np.testing.assert_allclose(mean[0, 32, 32], window.mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(mean[0, 0, 63], image[0, :10, -10:].mean((0, 1)), atol=1e-6)
    _, flat = local_statistics(tf.zeros([1, 64, 64, 3]), 19)
    np.testing.assert_allclose(flat, CONTRAST_FLOOR, rtol=1e-6)
    _, doubled = local_statistics(tf.constant(0.4 + 2 * image), 19)
    np.testing.assert_allclose(doubled[0, 32, 32], 2 * contrast[0, 32, 32], rtol=0.01)


@pytest.mark.parametrize(("sentinel3", "side_px"), [(False, 19), (True, 63)])
def test_local_means_three_input_pixels_and_fits_the_image(sentinel3, side_px):
    assert contrast_px(experiment(sentinel3=sentinel3)) == side_px
