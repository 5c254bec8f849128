"""The check of a model at run time, and which run a command line means."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from sensor2sensor.core.errors import (
    CheckpointError,
    InputError,
    ModelContractError,
    OutputExistsError,
)
from sensor2sensor.core.runs import Run, write_run_json
from sensor2sensor.training.compiled import compiled_step
from sensor2sensor.training.contract import (
    accepted_extras,
    build_networks,
    check_model,
    extras_for,
)
from sensor2sensor.training.measured import seen_by
from sensor2sensor.training.start import choose_start
from tests.fakes_extras import extras_of
from tests.unit.training.tiny import batch, fresh

EXTRAS = extras_of(12, 3)
NOW = datetime(2026, 7, 15, 9, 30)


def without(model, name):
    delattr(model, name)
    return model


def with_(model, **attributes):
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


BROKEN = {
    "no attribute 'generator'": lambda m: without(m, "generator"),
    "generator is a NoneType, not a Keras Model": lambda m: with_(m, generator=None),
    "discriminator is a str, not a Keras Model or None": lambda m: with_(m, discriminator="d"),
    "discriminator_optimizer is a NoneType": lambda m: with_(m, discriminator_optimizer=None),
    "no attribute 'generator_optimizer'": lambda m: without(m, "generator_optimizer"),
    "train_step is not a tf.function": lambda m: with_(m, train_step=lambda a, b, c: None),
    r"train_step takes \(a, b\)": lambda m: with_(m, train_step=tf.function(lambda a, b: None)),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_what_is_wrong_is_named(problem):
    with pytest.raises(ModelContractError, match=problem):
        check_model(BROKEN[problem](fresh()), "tiny")


def test_a_sound_model_passes_with_and_without_discriminator():
    check_model(fresh(), "tiny")
    check_model(with_(fresh(), discriminator=None, discriminator_optimizer=None), "tiny")
    check_model(without(with_(fresh(), discriminator=None), "discriminator_optimizer"), "tiny")


def test_extras_reach_a_step_that_takes_them():
    class Model:
        @tf.function
        def train_step(self, input_image, target, step, **extras):
            return {"sum": sum(tf.reduce_sum(value) for value in extras.values())}

    fields = {**batch(0), "mask": tf.ones([2, 8, 8, 1])}
    del fields["index"]
    losses = compiled_step(Model(), fields)(fields, tf.constant(0, tf.int64))
    assert float(losses["sum"]) == 128.0


def test_extras_are_kept_from_a_step_that_does_not():
    takes = accepted_extras(fresh())
    assert not takes("mask")


def stepping(step):
    """A model whose train_step is this function of itself, the three and more."""
    return type("Model", (), {"train_step": tf.function(step)})()


@pytest.mark.parametrize(
    ("step", "carried"),
    [
        (lambda self, x, y, step: None, []),
        (lambda self, x, y, step, **extras: None, ["row", "gap_h"]),
        (lambda self, x, y, step, gap_h, other=None: None, ["gap_h"]),
        (lambda self, x, y, step, *, place, name, index: None, ["name", "place"]),
        (lambda self, x, y, step, place, **extras: None, ["row", "gap_h", "place"]),
    ],
)
def test_batches_carry_what_the_step_takes_and_texts_only_where_it_names_them(step, carried):
    known = [extra for extra in EXTRAS if extra.name in ("row", "gap_h", "place")]
    assert extras_for(stepping(step), SimpleNamespace(name="toy", extras=known)) == carried


def test_a_step_that_needs_what_the_data_set_lacks_is_refused():
    contract = SimpleNamespace(name="toy", extras=EXTRAS)
    with pytest.raises(ModelContractError, match=r"needs 'rwo', which the data set 'toy'.*'row'"):
        extras_for(stepping(lambda self, x, y, step, rwo: None), contract)


def test_networks_made_at_their_first_call_get_their_variables():
    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = keras.layers.Conv2D(3, 3, padding="same")

        def call(self, image, training=None):
            return self.conv(image)

    model = with_(fresh(), generator=Late())
    sizes = SimpleNamespace(INPUT_HEIGHT=4, INPUT_WIDTH=2, IMG_HEIGHT=8, IMG_WIDTH=4,
                            INPUT_CHANNELS=2, OUTPUT_CHANNELS=3)  # fmt: skip
    build_networks(model, sizes)
    assert [tuple(v.shape) for v in model.generator.variables] == [(3, 3, 2, 3), (3,)]
    assert seen_by(model.generator, sizes)["receptive_field_px"] == 3
    model.generator.conv.kernel.assign(tf.zeros([3, 3, 2, 3]))
    assert seen_by(model.generator, sizes) is None


def test_networks_are_made_for_an_input_on_its_own_grid():
    seen = []

    class Late(keras.Model):
        def call(self, images, training=None):
            seen.extend(tuple(image.shape) for image in keras.tree.flatten(images))

    model = with_(fresh(), generator=Late(), discriminator=Late())
    sizes = SimpleNamespace(INPUT_HEIGHT=4, INPUT_WIDTH=2, IMG_HEIGHT=8, IMG_WIDTH=4,
                            INPUT_CHANNELS=2, OUTPUT_CHANNELS=3)  # fmt: skip
    build_networks(model, sizes)
    assert seen == [(1, 4, 2, 2), (1, 4, 2, 2), (1, 8, 4, 3)]


@pytest.fixture
def experiment_dir(tmp_path):
    """Two runs; the one started last has the smaller name, as happens over New Year."""
    for timestamp, started in (("1231-2359", "2025-12-31T23:59:00.000Z"),
                               ("0101-0001", "2026-01-01T00:01:00.000Z")):  # fmt: skip
        write_run_json(Run(tmp_path, timestamp), {"started": started})
        checkpoint = tmp_path / "ckpt" / timestamp / "ckpt-2.index"
        checkpoint.parent.mkdir(parents=True)
        checkpoint.touch()
    return tmp_path


def start(folder, timestamp=None, restore=None, resume=False, **further):
    asked = {"timestamp": timestamp, "restore": restore, "resume": resume, **further}
    return choose_start(folder, now=NOW, **asked)


def test_resume_takes_the_run_that_started_last(experiment_dir):
    timestamp, begin = start(experiment_dir, resume=True)
    assert timestamp == "0101-0001"
    assert begin.resume


def test_resume_takes_the_run_that_is_named(experiment_dir):
    assert start(experiment_dir, "1231-2359", resume=True)[0] == "1231-2359"


def test_restore_starts_a_new_folder(experiment_dir):
    timestamp, begin = start(experiment_dir, restore="1231-2359")
    assert timestamp == "0715-0930"
    assert begin.source == Run(experiment_dir, "1231-2359")


def test_a_fork_starts_a_new_folder_at_the_point_that_is_named(experiment_dir):
    timestamp, begin = start(experiment_dir, fork="1231-2359", at=2)
    assert timestamp == "0715-0930"
    assert (begin.fork, begin.source, begin.at) == (Run(experiment_dir, "1231-2359"), None, 2)
    assert start(experiment_dir, restore="1231-2359", at="last")[1].at is None
    with pytest.raises(CheckpointError, match="no checkpoint at step 3; checkpoints there: ckpt-2"):
        start(experiment_dir, restore="1231-2359", at=3)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"resume": True, "at": 2}, "from the newest checkpoint and takes no --at; --restore"),
        ({"at": 2}, "name that run with --restore or --fork"),
        ({"resume": True, "fork": "1231-2359"}, "--fork starts a new one; use one"),
        ({"restore": "1231-2359", "fork": "1231-2359"}, "--fork with weights alone; use one"),
    ],
)
def test_options_that_exclude_each_other_say_so(experiment_dir, asked, said):
    with pytest.raises(InputError, match=said):
        start(experiment_dir, **asked)


def test_a_new_run_never_starts_over_checkpoints(experiment_dir):
    with pytest.raises(OutputExistsError, match="continue with --resume"):
        start(experiment_dir, "1231-2359")


def test_what_does_not_exist_or_fit_is_refused(experiment_dir):
    with pytest.raises(InputError, match="runs there: 1231-2359, 0101-0001"):
        start(experiment_dir, restore="0715-0930")
    with pytest.raises(InputError, match="use one"):
        start(experiment_dir, restore="1231-2359", resume=True)
    with pytest.raises(InputError, match="is not MMDD-hhmm"):
        start(experiment_dir, "july")
    with pytest.raises(InputError, match="no run yet"):
        start(experiment_dir / "other", resume=True)
