"""Normalisation of layers: spectral against an SVD, the others against NumPy, the choices."""

from __future__ import annotations

import ast
import importlib

import numpy as np
import pytest
import tensorflow as tf

from models import base, layers
from models.loading import FOLDER, load_gan_class
from models.parts import norms
from sensor2sensor.config.network_settings import DiscriminatorSettings
from tests.models.standin import batch, experiment


def spectral(filters=8, *, seed=3):
    with layers.seeded(seed, "test"):
        layer = layers.SpectralConv2D(
            filters, 3, 2, "same", use_bias=False, kernel_initializer=layers.normal()
        )
    image = tf.constant(np.random.default_rng(0).normal(size=(2, 16, 16, 4)), tf.float32)
    for _ in range(60):
        layer(image, training=True)
    return layer, image


def largest_singular_value(kernel):
    return np.linalg.svd(np.asarray(kernel).reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def test_the_spectral_kernel_has_the_norm_one():
    layer, image = spectral()
    raw = largest_singular_value(layer.kernel)
    assert raw != pytest.approx(1.0, abs=0.05)  # else this would show nothing
    expected = tf.nn.conv2d(image, layer.kernel / raw, 2, "SAME")
    np.testing.assert_allclose(layer(image, training=False), expected, rtol=1e-4, atol=1e-6)


def test_the_spectral_norm_is_part_of_the_gradient():
    """y does not change when the kernel is scaled, so its gradient is orthogonal to the kernel.

    With σ as a constant (or the kernel overwritten, as Keras' wrapper does) it is not.
    """
    layer, image = spectral()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.square(layer(image, training=False)))
    slope = tape.gradient(total, layer.kernel)
    along = tf.reduce_sum(slope * layer.kernel) / (tf.norm(slope) * tf.norm(layer.kernel))
    assert abs(float(along)) < 1e-4
    with tf.GradientTape() as tape:
        sigma = tf.stop_gradient(largest_singular_value(layer.kernel))
        constant = tf.nn.conv2d(image, layer.kernel / sigma, 2, "SAME")
        total = tf.reduce_sum(tf.square(constant))
    slope = tape.gradient(total, layer.kernel)
    along = tf.reduce_sum(slope * layer.kernel) / (tf.norm(slope) * tf.norm(layer.kernel))
    assert abs(float(along)) > 0.1


def test_the_singular_vector_moves_in_training_only_and_is_saved():
    layer, image = spectral()
    before = layer.singular.numpy()
    layer.kernel.assign(tf.reverse(layer.kernel, [-1]))
    layer(image, training=False)
    np.testing.assert_array_equal(layer.singular.numpy(), before)
    layer(image, training=True)
    assert not np.array_equal(layer.singular.numpy(), before)
    assert any(variable is layer.singular for variable in layer.non_trainable_variables)


def test_equal_seeds_give_equal_singular_vectors():
    one, two, other = (spectral(seed=seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.singular.numpy(), two.singular.numpy())
    assert not np.array_equal(one.singular.numpy(), other.singular.numpy())


def test_instance_normalisation_is_per_image_and_channel():
    image = np.random.default_rng(1).normal(3.0, 2.0, (2, 8, 8, 5)).astype(np.float32)
    mean = image.mean((1, 2), keepdims=True)
    spread = np.sqrt(image.var((1, 2), keepdims=True) + 1e-5)
    made = layers.instancenorm()(image)
    np.testing.assert_allclose(made, (image - mean) / spread, atol=1e-4)
    alone = layers.instancenorm()(image[:1])
    np.testing.assert_allclose(alone, made[:1], atol=1e-6)  # no image sees its neighbour


@pytest.mark.parametrize(("channels", "groups"), [(64, 32), (51, 17), (32, 16), (7, 1), (4, 2)])
def test_group_normalisation_is_per_image_and_group_of_channels(channels, groups):
    layer = layers.groupnorm(channels)
    assert layer.groups == groups and layer.epsilon == 1e-5
    image = np.random.default_rng(1).normal(3.0, 2.0, (2, 8, 8, channels)).astype(np.float32)
    grouped = image.reshape(2, 8, 8, groups, channels // groups)
    mean = grouped.mean((1, 2, 4), keepdims=True)
    spread = np.sqrt(grouped.var((1, 2, 4), keepdims=True) + 1e-5)
    expected = ((grouped - mean) / spread).reshape(image.shape)
    np.testing.assert_allclose(layer(image), expected, atol=1e-4)


def test_the_statistics_of_a_batch_are_forgotten_by_a_tenth_a_step():
    layer = layers.batchnorm()
    batches = np.random.default_rng(1).normal(3.0, 2.0, (20, 4, 8, 8, 2)).astype(np.float32)
    for one in batches:
        layer(one, training=True)
    moving = np.zeros(2)
    for one in batches:
        moving = 0.9 * moving + 0.1 * one.mean((0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean, moving, rtol=1e-4)
    assert layer.epsilon == 1e-3  # Keras', as published


def test_one_place_makes_batch_normalisation():
    """A second one would have momentum of its own, as deconv once had."""

    def makes(path):
        calls = [x.func for x in ast.walk(ast.parse(path.read_text())) if isinstance(x, ast.Call)]
        return [getattr(x, "attr", getattr(x, "id", "")) for x in calls].count("BatchNormalization")

    found = {path.relative_to(FOLDER).as_posix(): makes(path) for path in FOLDER.rglob("*.py")}
    assert {path: count for path, count in found.items() if count} == {"parts/norms.py": 1}


def kinds(network):
    names = [type(layer).__name__ for layer in network._flatten_layers()]
    wanted = ("BatchNormalization", "GroupNormalization", "SpectralConv2D", "Conv2D")
    return {name: names.count(name) for name in wanted if name in names}


@pytest.mark.parametrize(
    ("norm", "expected"),
    [
        ("published", {"BatchNormalization": 3, "Conv2D": 5}),
        ("batch", {"BatchNormalization": 3, "Conv2D": 5}),
        ("instance", {"GroupNormalization": 3, "Conv2D": 5}),
        ("spectral", {"SpectralConv2D": 5}),
        ("none", {"Conv2D": 5}),
    ],
)
def test_the_norm_of_a_patchgan_can_be_chosen(norm, expected):
    assert kinds(layers.patchgan(64, 64, 3, 3, width=0.1, norm=norm)) == expected


def test_the_experiment_chooses_the_norm_and_it_trains():
    exp = experiment(params={"width": 0.1}, discriminator=DiscriminatorSettings(norm="spectral"))
    gan = load_gan_class("pix2pix")(exp)
    assert kinds(gan.discriminator) == {"SpectralConv2D": 5}
    image, target = map(tf.constant, batch(exp))
    before = [v.numpy() for v in gan.discriminator.variables if "singular" in v.path]
    losses = gan.train_step(image, target, tf.constant(0, tf.int64))
    assert all(np.isfinite(float(value)) for value in losses.values())
    after = [v.numpy() for v in gan.discriminator.variables if "singular" in v.path]
    assert len(before) == 5
    assert not any(np.array_equal(*pair) for pair in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("kind", "published", "inner", "expected"),
    [
        ("published", True, True, "batch"),
        ("published", False, True, "none"),
        ("instance", False, True, "instance"),
        ("instance", False, False, "none"),
        ("spectral", False, False, "spectral"),
        ("none", True, True, "none"),
    ],
)
def test_outer_layers_are_only_normalised_spectrally(kind, published, inner, expected):
    assert layers.chosen_norm(kind, published=published, inner=inner) == expected


def test_a_deep_discriminator_without_normalisation_still_tells_images_apart():
    exp = experiment(params={"width": 0.1}, discriminator=DiscriminatorSettings(norm="none"))
    judge = load_gan_class("srgan")(exp).discriminator
    assert "BatchNormalization" not in kinds(judge)
    image, target = map(tf.constant, batch(exp))
    answers = [judge([image, picture]).numpy() for picture in (target, image, tf.zeros_like(image))]
    assert np.ptp(answers) > 1e-3


@pytest.mark.parametrize("name", ["srgan", "tarsgan"])
def test_networks_with_layers_of_our_own_are_saved_and_loaded_by_keras(tmp_path, name):
    params = {"width": 0.1, **({"layers": 1} if name == "tarsgan" else {})}
    exp = experiment(params=params, discriminator=DiscriminatorSettings(norm="spectral"))
    gan = load_gan_class(name)(exp)
    image, target = map(tf.constant, batch(exp))
    for network, inputs in ((gan.generator, image), (gan.discriminator, [image, target])):
        network.save(tmp_path / "network.keras")
        loaded = tf.keras.models.load_model(tmp_path / "network.keras")
        np.testing.assert_array_equal(loaded(inputs), network(inputs))


# Layers that normalise in each generator at 64 pixels; with instance normalisation one fewer where
# a U-Net has a bottleneck of one pixel.
GENERATORS = {"aris-a": 11, "pix2pix": 11, "psgan": 1, "srgan": 12, "dsen2w": 12}
LAYER = {"batch": "BatchNormalization", "instance": "GroupNormalization"}
LAYER |= {"published": LAYER["batch"], "group": LAYER["instance"]}


def generator(name, **params):
    module, cls = importlib.import_module(f"models.{name}"), load_gan_class(name)
    gan = cls.__new__(cls)
    exp = experiment(params={"width": 0.1, **params}, normalisation="minmax")  # psgan ends in ReLU
    base.prepare(gan, exp, module.DEFAULTS)
    return gan.Generator()


@pytest.mark.parametrize("norm", norms.GENERATOR_KINDS)
@pytest.mark.parametrize("name", GENERATORS)
def test_the_norm_of_a_generator_can_be_chosen(name, norm):
    found = kinds(generator(name, norm=norm))
    found.pop("Conv2D")
    unet = name in ("aris-a", "pix2pix")
    expected = GENERATORS[name] - (norm == "instance" and unet)
    assert found == ({} if norm == "none" else {LAYER[norm]: expected})


@pytest.mark.parametrize("norm", ["instance", "group", "none"])
def test_one_image_gets_through_a_unet_without_statistics_of_batches(norm):
    """Neither a bottleneck of offsets alone nor a signal that dies on its way there."""
    network = generator("pix2pix", norm=norm)
    deepest = [layer for layer in network.layers if "sequential" in layer.name][5]
    inner = tf.keras.Model(network.inputs[0], deepest.output)
    image, _ = batch(experiment(), count=2)
    one, two = inner(image).numpy()
    assert one.shape[:2] == (1, 1)
    assert np.std(one) > 0.05 and np.std(one - two) > 0.01
    np.testing.assert_allclose(inner(image[:1])[0], one, atol=1e-5)  # no neighbour is seen
