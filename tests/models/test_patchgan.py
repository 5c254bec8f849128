"""The PatchGAN family: what an answer sees, sizes, published counts, and who refuses its keys."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.loading import load_gan_class
from models.parts import judges
from models.parts.discriminators import field_of, patch_stages, patchgan
from sensor2sensor.config.network_settings import DiscriminatorSettings
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.networks.chain import field_px, in_words
from sensor2sensor.networks.reach import reach
from sensor2sensor.training.compiled import compiled_step
from sensor2sensor.training.recipe import check_recipe, check_step, construct
from tests.models.family import small_gan
from tests.models.standin import batch, experiment

FIELDS = {1: 1, 16: 2, 34: 4, 70: 8, 142: 16, 286: 32, 22: 4, 94: 16, 382: 64}  # total strides


def judge(field, size, *, width=0.07, **options):
    return patchgan(size, size, 1, 1, width=width, receptive_field=field, **options)


def test_the_series_of_the_paper_and_the_recursion():
    """V3: n layers of stride 2, and then two of stride 1."""
    for n, field in enumerate((16, 34, 70, 142, 286, 574), start=1):
        stages = patch_stages(field)
        assert [stride for _, _, stride in stages] == [2] * n + [1]
        assert field_of([*stages, (4, 1, 1)]) == field
    assert [filters for _, filters, _ in patch_stages(286)] == [64, 128, 256, 512, 512, 512]
    for wrong in (0, 17, 71):
        with pytest.raises(ValueError, match="no PatchGAN"):
            patch_stages(wrong)


@pytest.mark.parametrize("field", FIELDS)
def test_an_answer_sees_what_is_asked_for_by_gradients(field):
    network = judge(field, 512 if field > 100 else 256)
    found = reach(network)
    seen = (found.receptive_field_px, found.total_stride_px)
    assert seen[0] == field == field_px(network)
    assert seen[1] in (FIELDS[field], None)


@pytest.mark.parametrize(
    ("field", "torch", "same"),
    [(1, 256, 256), (16, 126, 128), (34, 62, 64), (70, 30, 32), (286, 6, 8), (94, 15, 16)],
)
def test_the_number_of_answers_at_256_pixels(field, torch, same):
    """V41."""
    for padding, answers in (("torch", torch), ("same", same)):
        assert judge(field, 256, padding=padding).output_shape == (None, answers, answers, 1)
    assert in_words(judge(field, 256)) == (
        f"{torch} x {torch} answers, each from {field} x {field} pixels"
    )


def test_same_pads_one_before_and_two_behind_an_even_kernel():
    """V42: so that it has one answer more than one pixel on every side."""
    ones = keras.layers.Conv2D(1, 4, padding="same", use_bias=False, kernel_initializer="ones")
    made = ones(tf.ones([1, 8, 8, 1]))[0, 0, :, 0]
    np.testing.assert_array_equal(made, [9, 12, 12, 12, 12, 12, 9, 6])


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (1, 9_409), (16, 139_969), (70, 2_771_393), (286, 11_165_121),
        (22, 139_969), (94, 2_771_393), (382, 11_165_121),  # which no count could tell
    ],
)  # fmt: skip
@pytest.mark.usefixtures("undrawn")
def test_counts_with_biases_are_the_published_ones(field, values):
    tf.keras.backend.clear_session(free_memory=False)
    assert patchgan(256, 256, 3, 3, receptive_field=field, bias=True).count_params() == values


@pytest.mark.usefixtures("undrawn")
def test_biases_only_where_no_normalisation_follows():
    """2,768,705 trainable values, as PyTorch counts them; 2,766,657 for a mask of one channel."""
    for channels, values in ((3, 2_768_705), (1, 2_766_657)):
        network = patchgan(256, 256, channels, 3, bias="unnormalised")
        assert sum(int(np.prod(v.shape)) for v in network.trainable_weights) == values


def test_an_experiment_shapes_it_and_it_trains():
    asked = DiscriminatorSettings(
        receptive_field=16, padding="same", bias=True, slope=0.2, start=1, label_smoothing=0.1
    )
    gan = load_gan_class("pix2pix")(experiment(params={"width": 0.1}, discriminator=asked))
    layers = gan.discriminator._flatten_layers()
    slopes = {x.negative_slope for x in layers if isinstance(x, keras.layers.LeakyReLU)}
    assert slopes == {0.2} and gan.discriminator.output_shape == (None, 32, 32, 1)
    losses = gan.train_step(*map(tf.constant, batch(gan.exp)), tf.constant(0, tf.int64))
    assert all(np.isfinite(float(value)) for value in losses.values())
    check_step(gan, gan.exp)


def test_what_is_asked_for_as_it_is_by_default_is_the_same_network():
    asked = {"receptive_field": 70, "padding": "torch", "bias": False, "slope": 0.3}
    one, two = (
        small_gan("pix2pix", discriminator=DiscriminatorSettings(**options)).discriminator
        for options in ({}, asked)
    )
    for first, second in zip(one.variables, two.variables, strict=True):
        assert first.shape == second.shape
        np.testing.assert_array_equal(first, second)


def test_images_too_small_for_an_answer_are_refused():
    asked = DiscriminatorSettings(receptive_field=286)
    with pytest.raises(ConfigError, match=r"discriminator\.receptive_field: .* too small"):
        small_gan("pix2pix", discriminator=asked)
    assert small_gan("pix2pix", discriminator=asked, size=128).discriminator is not None


@pytest.mark.parametrize("name", ["psgan", "srgan", "dsen2w", "tarsgan"])
def test_a_model_with_another_discriminator_refuses_its_keys(name):
    with pytest.raises(ConfigError, match=r"'padding' is for models with a PatchGAN"):
        small_gan(name, discriminator=DiscriminatorSettings(padding="same"))


def test_a_model_without_one_and_a_module_that_makes_another_refuse_them():
    asked = DiscriminatorSettings(receptive_field=34)
    plain = experiment(
        params={"blocks": 1, "width": 0.1}, discriminator=asked, gen_loss={"gen_l1": 1.0}
    )
    with pytest.raises(ConfigError, match=r"no discriminator .*, which receptive_field would"):
        construct(load_gan_class("edsr"), plain)

    class Own(load_gan_class("pix2pix")):
        def Discriminator(self):
            return patchgan(64, 64, 3, 3, width=0.1)

    with pytest.raises(ConfigError, match=r"patches of 34 pixels, but .* has ones of 70"):
        construct(Own, experiment(params={"width": 0.1}, discriminator=asked))


DETAIL = DiscriminatorSettings(highpass=0.1)


@pytest.mark.parametrize("name", ["pix2pix", "srgan"])
def test_a_judge_of_whole_images_refuses_to_be_shown_detail_alone(name):
    gan = small_gan(name)
    asked = experiment(discriminator=DETAIL)
    with pytest.raises(ConfigError, match=r"discriminator\.highpass: .* judges whole images"):
        check_recipe(gan, asked)


@pytest.mark.parametrize("key", [{"highpass": 0.1}, {"start": 4}, {"label_smoothing": 0.1}])
def test_a_model_without_a_discriminator_refuses_what_is_for_one(key):
    settings = {"params": {"blocks": 1, "width": 0.1}, "gen_loss": {"gen_l1": 1.0}}
    asked = experiment(**settings, discriminator=DiscriminatorSettings(**key))
    with pytest.raises(ConfigError, match=rf"no discriminator .*, which {next(iter(key))} would"):
        construct(load_gan_class("edsr"), asked)


@pytest.mark.parametrize("key", ["start", "label_smoothing"])
def test_a_step_of_its_own_refuses_what_it_does_not_heed(key):
    asked = DiscriminatorSettings(**{key: 4 if key == "start" else 0.1})
    exp = experiment(params={"width": 0.1}, discriminator=asked)

    class Own(load_gan_class("pix2pix")):
        @tf.function
        def train_step(self, input_image, target, step):
            return {"gen": tf.reduce_mean(self.generator(input_image) - target)}

    gan = construct(Own, exp)
    image, target = (tf.TensorSpec(side.shape) for side in batch(exp))
    compiled_step(gan, {"input": image, "target": target}).prepare()
    with pytest.raises(ConfigError, match=rf"discriminator\.{key}: .* does not heed it"):
        check_step(gan, exp)
    gan.heeded = {key}
    check_step(gan, exp)


def test_open_sides_change_no_weight_and_no_answer():
    exp = experiment(size=64, discriminator=DiscriminatorSettings())
    closed, opened = (judges.patchgan(exp, 0.1, any_size=any_size) for any_size in (False, True))
    for one, other in zip(closed.weights, opened.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    image, target = batch(exp)
    np.testing.assert_array_equal(closed([image, target]), opened([image, target]))
    assert in_words(closed) == "6 x 6 answers, each from 70 x 70 pixels"
    assert in_words(opened) == "answers, each from 70 x 70 pixels"
    with pytest.raises(ConfigError, match="images are too small for one answer"):
        judges.patchgan(experiment(size=16), 0.1, any_size=True)


def test_what_is_no_chain_is_not_computed():
    inputs = keras.Input([16, 16, 1])
    x = keras.layers.Conv2D(1, 3, padding="same")(inputs)
    assert field_px(keras.Model(inputs, keras.layers.Add()([x, inputs]))) is None
    assert field_px(keras.Model(inputs, keras.layers.Conv2D(1, (1, 3))(x))) is None
    dilated = keras.layers.Conv2D(1, 3, dilation_rate=2)(x)
    assert field_px(keras.Model(inputs, dilated)) == 7
