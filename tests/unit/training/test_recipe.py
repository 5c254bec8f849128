"""A recipe that a module would ignore is refused; a model is built in its precision."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.network_settings import DiscriminatorSettings
from sensor2sensor.config.optimisation import Schedule
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.pipeline.precision import computing_in
from sensor2sensor.training.recipe import check_recipe, construct
from sensor2sensor.training.run import make_repeatable
from tests.unit.training.tiny import TinyGAN, fresh


def experiment(precision="float32", **changes):
    recipe = {
        "LEARNING_RATE_SCHEDULE": Schedule(), "BETA_1": None, "GRADIENT_CLIP": None, "EMA": None,
        "OPTIMIZER": "adam", "EPSILON": None,
        "DISCRIMINATOR": DiscriminatorSettings(),
        "IMG_HEIGHT": 8, "IMG_WIDTH": 8, "INPUT_HEIGHT": 8, "INPUT_WIDTH": 8,
        "INPUT_CHANNELS": 2, "OUTPUT_CHANNELS": 3,
    }  # fmt: skip
    config = SimpleNamespace(model_name="tiny", precision=precision, modules=[], monitor=None)
    return SimpleNamespace(config=config, **{**recipe, **changes})


def with_optimizers(**options):
    model = fresh()
    options = {"learning_rate": 1e-2, "beta_1": 0.5, **options}
    averaging = {"use_ema": options.pop("use_ema", False)}
    if averaging["use_ema"]:
        averaging["ema_momentum"] = options.pop("ema_momentum")
    model.generator_optimizer = keras.optimizers.Adam(**options, **averaging)
    model.discriminator_optimizer = keras.optimizers.Adam(**options)
    return model


FALLING = keras.optimizers.schedules.CosineDecay(1e-2, 10)
ASKED = {
    r"asks for beta_1 0\.9, but GAN\.generator_optimizer has 0\.5": {"BETA_1": 0.9},
    r"asks for gradient_clip 1, but GAN\.generator_optimizer has global_clipnorm None": {
        "GRADIENT_CLIP": 1.0
    },
    r"asks for a cosine learning_rate_schedule, but .* has a constant learning rate": {
        "LEARNING_RATE_SCHEDULE": Schedule(kind="cosine")
    },
    r"asks for optimizer nadam_keras2, but GAN\.generator_optimizer has Adam": {
        "OPTIMIZER": "nadam_keras2"
    },
    r"asks for epsilon 0\.001, but GAN\.generator_optimizer has 1e-07": {"EPSILON": 1e-3},
    r"asks for ema 0\.99, but GAN\.generator_optimizer has no averages": {"EMA": 0.99},
    "has discriminator null, but GAN.discriminator is a network": {"DISCRIMINATOR": None},
}


@pytest.mark.parametrize("problem", ASKED)
def test_what_a_module_would_ignore_is_refused(problem):
    with pytest.raises(ModelContractError, match=problem) as caught:
        check_recipe(fresh(), experiment(**ASKED[problem]))
    assert caught.value.where in ExperimentFile.model_fields and "(tiny.py)" in str(caught.value)
    assert caught.value.hint


def test_another_clip_average_or_optimizer_of_the_discriminator_is_refused():
    with pytest.raises(ModelContractError, match=r"gradient_clip 1, .* has global_clipnorm 2"):
        check_recipe(with_optimizers(global_clipnorm=2.0), experiment(GRADIENT_CLIP=1.0))
    model = with_optimizers(use_ema=True, ema_momentum=0.9)
    with pytest.raises(ModelContractError, match=r"ema 0\.99, .* has ema_momentum 0\.9"):
        check_recipe(model, experiment(EMA=0.99))
    model = with_optimizers(global_clipnorm=1.0)
    model.discriminator_optimizer = fresh().discriminator_optimizer
    with pytest.raises(ModelContractError, match=r"but GAN\.discriminator_optimizer has"):
        check_recipe(model, experiment(GRADIENT_CLIP=1.0))


def test_a_module_that_follows_the_recipe_passes():
    options = {"use_ema": True, "ema_momentum": 0.99, "global_clipnorm": 1.0, "beta_1": 0.0}
    recipe = {
        "EMA": 0.99, "GRADIENT_CLIP": 1.0, "BETA_1": 0.0,
        "LEARNING_RATE_SCHEDULE": Schedule(kind="cosine"),
    }  # fmt: skip
    check_recipe(with_optimizers(learning_rate=FALLING, **options), experiment(**recipe))


def test_what_is_not_asked_for_is_the_modules_own_choice():
    check_recipe(with_optimizers(learning_rate=FALLING, global_clipnorm=3.0), experiment())
    lone = fresh()
    lone.discriminator = lone.discriminator_optimizer = None
    check_recipe(lone, experiment(DISCRIMINATOR=None))


def test_a_constructed_model_has_all_its_variables():
    model = construct(TinyGAN, experiment())
    assert model.generator_optimizer.built
    assert model.discriminator_optimizer.built
    with pytest.raises(ModelContractError, match="ema"):
        construct(TinyGAN, experiment(EMA=0.9))


def test_mixed_precision_computes_in_bfloat16_over_weights_in_float32():
    model = construct(TinyGAN, experiment("mixed_bfloat16"))
    assert keras.config.dtype_policy().name == "float32"
    assert {v.dtype for v in model.generator.trainable_variables} == {"float32"}
    assert model.generator(tf.zeros([1, 8, 8, 2])).dtype == tf.bfloat16
    assert construct(TinyGAN, experiment()).generator(tf.zeros([1, 8, 8, 2])).dtype == tf.float32


def test_the_former_precision_comes_back_after_an_error_too():
    with pytest.raises(RuntimeError), computing_in("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        raise RuntimeError
    assert keras.config.dtype_policy().name == "float32"


def test_layers_are_named_as_in_a_process_of_their_own():
    """Names decide on sums: the tenth carn of a process was not the first, by rounding."""
    keras.layers.Dense(1)
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        make_repeatable(0, "GPU")
        first = keras.layers.Dense(1)
        kept = keras.config.dtype_policy().name
    finally:
        keras.config.set_dtype_policy(former)
    assert (first.name, kept) == ("dense", "mixed_bfloat16")
