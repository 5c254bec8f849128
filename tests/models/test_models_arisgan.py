"""aris-b, aris-c, sis3-b, psgan and dmnet: sizes, bounds and what stands where."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import tensorflow as tf

from models import base
from models.loading import load_gan_class
from sensor2sensor.config.network_settings import DiscriminatorSettings
from sensor2sensor.core.errors import ConfigError
from tests.models.standin import batch, counts, experiment, noise

NAMES = ("aris-b", "aris-c", "sis3-b", "psgan", "dmnet")
CONVOLUTIONS = (tf.keras.layers.Conv2D, tf.keras.layers.Conv2DTranspose)


def unbuilt(name, params=None, **settings):
    """A GAN without networks, so that one test builds one."""
    tf.keras.backend.clear_session(free_memory=False)
    module, cls = importlib.import_module(f"models.{name}"), load_gan_class(name)
    gan = cls.__new__(cls)
    gan.exp = experiment(params=params or {}, **settings)
    gan.params = base.read_params(gan.exp, module.DEFAULTS)
    gan.shorter_side_px = base.check_sizes(gan.exp)
    return gan


def generator(name, **settings):
    return unbuilt(name, {"width": 0.1}, **settings).Generator()


def small(name, params=None, **settings):
    settings.setdefault("normalisation", "minmax" if name == "psgan" else "symmetric")
    return load_gan_class(name)(experiment(params={"width": 0.1} | (params or {}), **settings))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("undrawn")
def test_width_multiplies_the_filters_of_both_networks(name):
    full, narrow = unbuilt(name), unbuilt(name, {"width": 0.5})
    for part in ("Generator", "Discriminator"):
        before, after = (_filters(getattr(gan, part)()) for gan in (full, narrow))
        ends = {1, 3}  # the answer's channel, the output's channels
        assert after == [one if one in ends else one // 2 for one in before]


def _filters(network):
    """Of every convolution, from the input to the output."""
    flat = [part for layer in network.layers for part in getattr(layer, "layers", [layer])]
    return [layer.filters for layer in flat if isinstance(layer, CONVOLUTIONS)]


@pytest.mark.parametrize("name", NAMES)
def test_only_the_last_layer_is_kept_in_float32(name):
    from sensor2sensor.pipeline.precision import computing_in

    gan = unbuilt(name, {"width": 0.1}, precision="mixed_bfloat16")
    with computing_in("mixed_bfloat16"):
        network = gan.Generator()
    flat = [part for layer in network.layers for part in getattr(layer, "layers", [layer])]
    precise = [
        layer
        for layer in flat
        if isinstance(layer, CONVOLUTIONS) and layer.compute_dtype == "float32"
    ]
    assert [layer.filters for layer in precise] == [3]
    assert network.outputs[0].dtype == "float32"


@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_parameters_that_do_not_fit_are_refused(name):
    with pytest.raises(ConfigError, match="64, 128, 256, 512"):
        small(name, size=96)
    with pytest.raises(ConfigError, match="width"):
        small(name, {"widht": 1.0})
    with pytest.raises(ConfigError, match="gen_gan"):
        small(name, discriminator=None, gen_loss={"gen_gan": 1.0, "gen_l1": 1.0})


@pytest.mark.parametrize("name", NAMES)
def test_images_need_not_be_square(name):
    assert generator(name, size=64, img_width=128).output_shape == (None, 64, 128, 3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("step_by_step")
def test_without_a_judge_it_is_plain_regression(name):
    gan = small(name, discriminator=None, gen_loss={"gen_l1": 1.0})
    assert gan.discriminator is None and gan.discriminator_optimizer is None
    logged = gan.train_step(*map(tf.constant, batch(gan.exp)), tf.constant(0, tf.int64))
    assert set(logged) == {"total_gen_loss", "gen_l1"}
    assert np.isfinite(float(logged["gen_l1"]))


@pytest.mark.parametrize("name", ["aris-b", "aris-c", "sis3-b", "dmnet"])
def test_linear_outputs_are_unbounded_and_take_every_normalisation(name):
    gan = small(name, normalisation="standard")
    gan.generator.layers[-1].kernel.assign(noise(*gan.generator.layers[-1].kernel.shape) * 1e6)
    made = gan.generator(noise(1, 64, 64, 3)).numpy()
    assert made.min() < -1 and made.max() > 1


def test_psgan_is_never_negative_and_refuses_targets_that_are():
    gan = small("psgan")
    made = gan.generator(noise(1, 64, 64, 3)).numpy()
    assert made.min() == 0.0 and made.max() > 0.0
    for kind in ("symmetric", "standard"):
        with pytest.raises(ConfigError, match=r"use 'minmax' or.*'reflectance'"):
            small("psgan", normalisation=kind)
    small("psgan", normalisation="reflectance", target_ranges=[(0.0, 1.4)] * 3)
    with pytest.raises(ConfigError, match="'minmax'"):
        small("psgan", normalisation="reflectance", target_ranges=[(-0.1, 1.4)] * 3)


def test_psgan_drops_out_only_when_asked():
    image = noise(1, 64, 64, 3)
    for params, equal in (({}, True), ({"dropouts": True}, False)):
        network = small("psgan", params).generator
        network(image, training=True)
        one, two = (network(image, training=True).numpy() for _ in range(2))
        assert np.array_equal(one, two) is equal
        kept = [part for part in network._flatten_layers() if "dropout" in part.name]
        assert len(kept) == 2 * (not equal)


@pytest.mark.parametrize(
    ("norm", "kind", "number"),
    [
        ("published", "BatchNormalization", 0),
        ("batch", "BatchNormalization", 3),
        ("instance", "GroupNormalization", 3),
        ("spectral", "SpectralConv2D", 5),
        ("none", "GroupNormalization", 0),
    ],
)
def test_the_judge_of_psgan_takes_every_norm(norm, kind, number):
    judge = small("psgan", discriminator=DiscriminatorSettings(norm=norm)).discriminator
    kinds = [type(layer).__name__ for layer in judge._flatten_layers()]
    assert kinds.count(kind) == number


def test_the_judge_of_psgan_answers_in_logits():
    judge = small("psgan").discriminator
    judge.layers[-1].kernel.assign(noise(*judge.layers[-1].kernel.shape) * 1e6)
    answer = judge([noise(1, 64, 64, 3), noise(1, 64, 64, 3, seed=1)]).numpy()
    assert answer.min() < 0 and answer.max() > 1


def blocks(network):
    """Labels of the blocks from input to output, each once a block."""
    marks = [getattr(layer, "recipe_block", None) for layer in network.layers]
    labels = dict.fromkeys(mark for mark in marks if mark)
    return [label for label, _ in labels]


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("aris-b", ["dense block", "multireceptive field", "U-Net"]),
        ("aris-c", ["multireceptive field", "dense block", "U-Net"]),
        ("sis3-b", ["dense block", "multireceptive field", "U-Net"]),
        ("dmnet", ["multireceptive field", "dilated field"]),
    ],
)
def test_blocks_stand_in_the_published_order(name, order):
    assert blocks(generator(name)) == order


def sources(network, layer):
    """The layers whose outputs a layer takes."""
    tensors = layer._inbound_nodes[0].input_tensors
    return [tensor._keras_history.operation for tensor in tensors]


def joins(network, block=None):
    """The concatenations of a generator that belong to this kind of block, in order."""
    found = [x for x in network.layers if isinstance(x, tf.keras.layers.Concatenate)]
    return [x for x in found if (getattr(x, "recipe_block", None) or (None,))[0] == block]


def field_of(network):
    """The concatenation that ends the multireceptive field."""
    return joins(network, "multireceptive field")[-1]


@pytest.mark.parametrize("name", ["aris-b", "aris-c"])
def test_the_last_convolution_sees_unet_and_field(name):
    network = generator(name)
    (last,) = sources(network, network.layers[-1])
    unet, field = sources(network, last)
    assert unet.recipe_block[0] == "U-Net"
    assert unet.activation is tf.keras.activations.tanh
    assert field is field_of(network)


def test_sis3_b_weighs_the_field_by_the_unet_and_puts_it_beside():
    network = generator("sis3-b")
    (last,) = sources(network, network.layers[-1])
    weighed, field = sources(network, last)
    assert field is field_of(network)
    assert isinstance(weighed, tf.keras.layers.Multiply)
    factors, weighed_field = sources(network, weighed)
    assert weighed_field is field
    assert factors.kernel_size == (1, 1) and factors.filters == field.output.shape[-1]
    (unet,) = sources(network, factors)
    assert unet.activation is tf.keras.activations.tanh


def test_psgan_and_dmnet_take_their_skips_before_the_activation():
    for name, width in (("psgan", 2), ("dmnet", 2)):
        network = generator(name)
        skips = joins(network)
        assert len(skips) == width
        for join in skips:
            linear = [
                layer for layer in sources(network, join)
                if isinstance(layer, tf.keras.layers.Conv2D)
                and layer.activation is tf.keras.activations.linear
            ]  # fmt: skip
            assert linear
            (after,) = [node.operation for node in join._outbound_nodes]
            assert type(after) is (
                tf.keras.layers.LeakyReLU if name == "psgan" else tf.keras.layers.ReLU
            )


# Kernel, filters and stride from input to output; the two of kernel 2 that are finer transpose.
PSGAN = (
    (3, 32, 1), (3, 32, 1), (2, 64, 2), (3, 128, 1), (3, 128, 1), (3, 256, 2), (1, 256, 1),
    (3, 256, 1), (2, 128, 2), (3, 128, 1), (2, 128, 2), (3, 64, 1), (3, 3, 1),
)  # fmt: skip


@pytest.mark.usefixtures("undrawn")
def test_psgan_has_the_published_convolutions_all_behind_an_activation():
    network = unbuilt("psgan").Generator()
    convs = [layer for layer in network.layers if isinstance(layer, CONVOLUTIONS)]
    assert tuple((x.kernel_size[0], x.filters, x.strides[0]) for x in convs) == PSGAN
    transposed = [isinstance(x, tf.keras.layers.Conv2DTranspose) for x in convs]
    assert [number for number, is_so in enumerate(transposed) if is_so] == [8, 10]
    before = [type(sources(network, x)[0]).__name__ for x in convs]
    assert before == ["BatchNormalization", *["LeakyReLU"] * 12]


def test_dmnet_activates_before_every_convolution_but_the_first():
    network = generator("dmnet")
    convs = [layer for layer in network.layers if isinstance(layer, tf.keras.layers.Conv2D)]
    first, *before = [sources(network, layer)[0] for layer in convs]
    assert isinstance(first, tf.keras.layers.InputLayer)
    fields = [joins(network, kind)[-1] for kind in ("multireceptive field", "dilated field")]
    assert all(x in fields or isinstance(x, tf.keras.layers.ReLU) for x in before)
    for field in fields:  # their convolutions are followed by a ReLU each
        assert [type(x) for x in sources(network, field)] == [tf.keras.layers.ReLU] * 3


def test_only_the_dilated_convolutions_of_dmnet_have_biases():
    network = generator("dmnet")
    convs = [layer for layer in network.layers if isinstance(layer, tf.keras.layers.Conv2D)]
    biased = [layer for layer in convs if layer.use_bias]
    assert [layer.dilation_rate for layer in biased] == [(1, 1), (2, 2), (3, 3)]
    assert all("Glorot" in type(layer.kernel_initializer).__name__ for layer in biased)
    assert all(layer.kernel_size == (3, 3) for layer in biased)


@pytest.mark.parametrize("name", ["aris-b", "aris-c", "sis3-b"])
def test_bottleneck_norm_is_left_out_where_asked(name):
    published = unbuilt(name, {"width": 0.1}).Generator()
    without = unbuilt(name, {"width": 0.1, "bottleneck_norm": False}).Generator()
    innermost = 51  # 512 filters at width 0.1; mean and variance, gain and offset
    trainable, fixed = (a - b for a, b in zip(counts(published), counts(without), strict=True))
    assert (trainable, fixed) == (2 * innermost, 2 * innermost)
