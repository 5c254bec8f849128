"""gen_vgg against Keras' own preprocessing, with random weights in a file of the published form."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import losses
from models.loading import load_gan_class
from models.objectives.perceptual import features_of, fed, vgg19
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.config.network_settings import Vgg, VggSettings
from sensor2sensor.core.errors import ConfigError, ConfigErrors
from tests.fakes_vgg import write_vgg19
from tests.models.standin import batch, experiment

LAYERS = {"block1_conv1": 0.25, "block3_conv4": 1.0}
BGR = (2, 1, 0)  # where red, green and blue stand among bands that begin with blue


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as Keras publishes it: HDF5, a group for each layer. And the network in it."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.h5"
    return path, write_vgg19(path)


def images(seed, channels=3):
    drawn = np.random.default_rng(seed).uniform(-1, 1, (2, 32, 32, channels))
    return tf.constant(drawn, tf.float32)


def loss(target, output, settings, **more):
    inputs = losses.LossInputs(
        target=target, output=output, vgg=settings, value_low=-1.0, value_range=2.0, **more
    )
    return losses.REGISTRY["gen_vgg"](inputs)


def test_the_convolutions_have_the_published_number_of_values(weights):
    path, network = weights
    assert network.count_params() == 20_024_384
    found = vgg19(path, tuple(LAYERS))
    assert not found.trainable_variables
    first = network.get_layer("block1_conv1").kernel
    np.testing.assert_array_equal(found.get_layer("block1_conv1").kernel, first)


def test_it_is_the_difference_in_layers_as_keras_feeds_them(weights):
    path, network = weights
    target, output = images(0), images(1)
    made = loss(target, output, Vgg(path, LAYERS, "imagenet", BGR))
    expected, seen = 0.0, features_of(network, tuple(LAYERS))
    photos = [(np.asarray(x)[..., ::-1] + 1) * 127.5 for x in (target, output)]  # to RGB
    real, fake = (seen(keras.applications.vgg19.preprocess_input(x.copy())) for x in photos)
    for name, weight in LAYERS.items():
        expected += weight * float(np.mean(np.abs(real[name].numpy() - fake[name].numpy())))
    assert float(made) == pytest.approx(expected, rel=1e-4)
    assert float(loss(target, target, Vgg(path, LAYERS, "imagenet", BGR))) == 0.0


def test_only_the_output_is_taught(weights):
    target, output = tf.Variable(images(0)), tf.Variable(images(1))
    with tf.GradientTape() as tape:
        total = loss(target, output, Vgg(weights[0], {"block2_conv1": 1.0}, "symmetric", BGR))
    of_target, of_output = tape.gradient(total, [target, output])
    assert of_target is None and np.abs(of_output).max() > 0


def test_what_it_is_fed():
    colours = tf.constant([0.0, 0.5, 1.0])[None, None, None]
    symmetric = fed(colours, VggSettings(weights="w", preprocessing="symmetric"))
    np.testing.assert_allclose(symmetric[0, 0, 0], [-1.0, 0.0, 1.0])
    imagenet = fed(colours, VggSettings(weights="w"))
    np.testing.assert_allclose(imagenet[0, 0, 0], [255 - 103.939, 127.5 - 116.779, -123.68], 1e-5)
    resized = fed(images(0), VggSettings(weights="w", layers={"predictions": 1.0}))
    assert resized.shape == (2, 224, 224, 3)


def test_predictions_are_layers_like_others():
    """The whole network has 144 million values, so a small one stands for it."""
    inputs = keras.Input([8, 8, 3])
    x = keras.layers.Flatten(name="flatten")(inputs)
    network = keras.Model(inputs, keras.layers.Dense(5, "softmax", name="predictions")(x))
    found = features_of(network, ("predictions",))(tf.zeros([1, 8, 8, 3]))
    np.testing.assert_allclose(np.sum(found["predictions"]), 1.0, rtol=1e-5)
    with pytest.raises(ConfigError, match=r"vgg\.layers: VGG19 has no layer 'prediction'; .*ions"):
        features_of(network, ("prediction",))


def test_a_file_that_is_missing_or_another_is_one_line(weights, tmp_path):
    pair = images(0), images(1)
    missing = Vgg(tmp_path / "none.h5", LAYERS, "imagenet", BGR)
    with pytest.raises(ConfigError, match=r"vgg\.weights: no weights .*none\.h5; get vgg19.*notop"):
        loss(*pair, missing)
    (tmp_path / "torn.h5").write_bytes(weights[0].read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"torn\.h5 does not hold the weights that block1_conv1"):
        loss(*pair, Vgg(tmp_path / "torn.h5", LAYERS, "imagenet", BGR))
    other = keras.Sequential([keras.Input([8]), keras.layers.Dense(3)])
    other.save(tmp_path / "other.h5")
    with pytest.raises(ConfigError, match=r"other\.h5 does not hold"):
        loss(*pair, Vgg(tmp_path / "other.h5", LAYERS, "imagenet", BGR))
    with pytest.raises(ConfigError, match=r"gen_loss\.gen_vgg: .* needs red, green and blue"):
        loss(*pair, Vgg(weights[0], LAYERS, "imagenet", None))


def gan(path, **changes):
    settings = VggSettings(weights=str(path), layers={"block1_conv2": 1.0})
    exp = experiment(
        params={"width": 0.05}, gen_loss={"gen_vgg": 100.0, "gen_gan": 1.0}, vgg=settings, **changes
    )
    object.__setattr__(exp, "contract", exp.contract.model_copy(update={
        "target": exp.contract.target.model_copy(update={"display": ("B04", "B03", "B02")})
    }))  # fmt: skip
    return load_gan_class("pix2pix")(exp)


def test_a_model_trains_by_it_and_holds_nothing_of_it(weights):
    model = gan(weights[0])
    before = len(model.generator.variables)
    logged = model.train_step(*map(tf.constant, batch(model.exp)), tf.constant(0, tf.int64))
    assert np.isfinite(float(logged["gen_vgg"])) and float(logged["gen_vgg"]) > 0
    assert len(model.generator.variables) == before
    assert not [v for v in vars(model).values() if getattr(v, "name", "").startswith("vgg")]


def test_a_missing_file_stops_before_the_first_step():
    model = gan(Path("nowhere.h5"))
    form = tf.TensorSpec([2, 64, 64, 3], tf.float32)
    with pytest.raises(ConfigError, match=r"no weights of VGG19 at .*nowhere\.h5"):
        model.train_step.get_concrete_function(form, form, tf.TensorSpec([], tf.int64))


def test_the_loss_asks_for_its_settings(tmp_path):
    path = tmp_path / "experiment.json"
    content = {"model_name": "pix2pix", "dataset": "maps", "gen_loss": {"gen_vgg": 1.0}}
    path.write_text(json.dumps(content))
    with pytest.raises(
        ConfigErrors, match=r"vgg: is null, but gen_vgg needs it: {\"weights\": FILE"
    ):
        load_experiment_file(path)
    path.write_text(json.dumps({**content, "vgg": {"weights": "vgg19.h5"}}))
    config, _ = load_experiment_file(path)
    assert config.vgg.layers == {"block5_conv4": 1.0}
    path.write_text(json.dumps({**content, "vgg": {"weights": "vgg19.h5", "layers": {}}}))
    with pytest.raises(ConfigErrors, match=r"vgg\.layers"):
        load_experiment_file(path)
