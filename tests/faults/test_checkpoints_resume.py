"""Rows 28, 34 and 39 of the fault table: what resumes is the same; NaN and full memory stop it."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiment import Experiment
from models.loading import load_gan_class
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import (
    CheckpointError,
    ConfigError,
    OutputExistsError,
    TrainingError,
)
from sensor2sensor.core.runs import read_run_json, write_run_json
from sensor2sensor.training import alarms
from sensor2sensor.training.checkpoints import checkpoint_steps
from sensor2sensor.training.rows import GAUGES
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from sensor2sensor.training.state import TrainingState
from sensor2sensor.training.writers import JSONL, read_log
from tests.fakes_dataset import make_dataset
from tests.fakes_looks import plain_looks
from tests.unit.training.tiny import TinyGAN

SETTINGS = {
    "model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 64, "steps": 6, "batch_size": 2,
    "random_resize": 1.3, "random_rotate": True, "seed": 5, "sample_val": 2,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def looks():
    """What a look shows is not the subject here."""
    with plain_looks():
        yield


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A checkpoint and a look at the validation tiles after every third step."""
    root = tmp_path_factory.mktemp("resume")
    make_dataset(root / "data", train=7, val=2, test=1)
    file = root / "environment.json"
    file.write_text(json.dumps({"ckpt_freq": 3, "sample_freq": 3}))
    (root / "experiments").mkdir()
    return load_environment(file)


def experiment(environment, name, timestamp="0715-0930", **changes):
    folder = environment.experiment_root / name
    folder.mkdir(exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps({**SETTINGS, **changes}))
    return Experiment(name, environment, timestamp=timestamp)


def go(environment, exp, *, start=None, steps=None, model=TinyGAN, limit=None):
    said = []
    about = {"start": start or Start(), "steps": steps, "limit": limit, "say": said.append}
    return train(model, exp, environment, **about), said


def state_of(model):
    state = TrainingState(model)
    return {
        f"{group}/{number} {name}": variable.numpy()
        for group, variables in state.groups.items()
        for number, (name, variable) in enumerate(zip(state.names[group], variables, strict=True))
    }


def assert_equal_models(one, two):
    first, second = state_of(one), state_of(two)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def log_of(exp):
    rows = read_log(exp.run.logs_dir / JSONL)
    return [{k: v for k, v in row.items() if k not in GAUGES} for row in rows]


@pytest.fixture(scope="module")
def whole(environment):
    """Six steps without a break."""
    exp = experiment(environment, "whole")
    outcome, _ = go(environment, exp)
    return exp, outcome


def test_three_and_three_steps_equal_six(environment, whole):
    exp = experiment(environment, "halves")
    go(environment, exp, steps=3)
    outcome, said = go(environment, exp, start=Start(resume=True))
    assert any("ckpt-3: continuing from step 3" in line for line in said)
    assert_equal_models(outcome.model, whole[1].model)
    assert log_of(exp) == log_of(whole[0])
    assert len(read_run_json(exp.run)["resumed"]) == 1


def test_the_reach_of_a_generator_is_measured_once_a_run(environment, whole):
    exp = experiment(environment, "reach")
    go(environment, exp, steps=3)
    content = read_run_json(exp.run)
    assert content["generator"] == read_run_json(whole[0].run)["generator"]
    noted = {**content["generator"], "receptive_field_px": 99}  # no measurement would say so
    write_run_json(exp.run, {**content, "generator": noted})
    go(environment, exp, start=Start(resume=True), steps=3)
    assert read_run_json(exp.run)["generator"] == noted
    other = {**content, "generator": noted, "model": {**content["model"], "sha256": "0"}}
    write_run_json(exp.run, other)
    go(environment, exp, start=Start(resume=True), steps=3)
    assert read_run_json(exp.run)["generator"] == content["generator"]


def test_another_seed_ends_elsewhere(environment, whole):
    outcome, _ = go(environment, experiment(environment, "seed", seed=6))
    first = state_of(outcome.model)
    assert any(not np.array_equal(v, first[k]) for k, v in state_of(whole[1].model).items())


def test_restore_ends_alike_in_a_folder_of_its_own(environment, whole):
    old = experiment(environment, "restored")
    go(environment, old, steps=3)
    exp = experiment(environment, "restored", timestamp="0716-0000")
    outcome, _ = go(environment, exp, start=Start(source=old.run))
    assert_equal_models(outcome.model, whole[1].model)
    assert checkpoint_steps(old.run.ckpt_dir) == [3]
    assert checkpoint_steps(exp.run.ckpt_dir) == [6]
    assert read_run_json(exp.run)["restored_from"] == {"timestamp": "0715-0930", "step": 3}


def test_a_restored_run_killed_before_its_first_checkpoint_begins_with_the_same_state(
    environment, whole
):
    old = experiment(environment, "gone_on")
    go(environment, old, steps=3)
    exp = experiment(environment, "gone_on", timestamp="0716-0000")
    # The third write is its first checkpoint's: settings and run.json are one each.
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(3):
        go(environment, exp, start=Start(source=old.run))
    assert "generator" in read_run_json(exp.run) and not checkpoint_steps(exp.run.ckpt_dir)
    go(environment, old, start=Start(resume=True))
    (index,) = old.run.ckpt_dir.glob("ckpt-3.index")
    gone = index.rename(index.with_suffix(".gone"))  # as keep_last of that run may have it
    with pytest.raises(CheckpointError, match=r"step 3; this run began with it.*with --restore"):
        go(environment, exp, start=Start(resume=True))
    gone.rename(index)
    outcome, said = go(environment, exp, start=Start(resume=True))
    assert any("continuing from step 3" in line for line in said)
    assert_equal_models(outcome.model, whole[1].model)
    assert read_run_json(exp.run)["restored_from"] == {"timestamp": "0715-0930", "step": 3}


def test_a_damaged_newest_checkpoint_costs_steps_not_the_run(environment, whole, caplog):
    exp = experiment(environment, "damaged")
    go(environment, exp)
    data = next(exp.run.ckpt_dir.glob("ckpt-6.data-*"))
    data.write_bytes(data.read_bytes()[:100])
    outcome, said = go(environment, exp, start=Start(resume=True))
    assert "ckpt-6 IS DAMAGED" in caplog.text
    assert any("continuing from step 3" in line for line in said)
    assert_equal_models(outcome.model, whole[1].model)
    assert log_of(exp) == log_of(whole[0])


def test_a_look_lost_between_checkpoint_and_log_is_made_up_for(environment, whole):
    exp = experiment(environment, "lost")
    go(environment, exp, steps=3)
    path = exp.run.logs_dir / JSONL
    rows = [line for line in path.read_text().splitlines() if '"val"' not in line]
    path.write_text("\n".join(rows) + "\n")
    go(environment, exp, start=Start(resume=True))
    assert log_of(exp) == log_of(whole[0])


def test_resume_of_a_finished_run_says_so_and_changes_nothing(environment):
    exp = experiment(environment, "finished", steps=3)
    first, _ = go(environment, exp)
    again, said = go(environment, exp, start=Start(resume=True))
    assert any("nothing to train" in line for line in said)
    assert_equal_models(first.model, again.model)
    assert read_run_json(exp.run)["status"] == "done"


def test_other_settings_are_refused_on_resume_with_the_difference(environment):
    exp = experiment(environment, "changed", steps=3)
    go(environment, exp)
    other = experiment(environment, "changed", steps=9, learning_rate=1e-3)
    with pytest.raises(ConfigError, match=r"learning_rate: 0\.0002 \(there\) against 0\.001"):
        go(environment, other, start=Start(resume=True))


def test_a_new_run_never_starts_over_checkpoints(environment, whole):
    with pytest.raises(OutputExistsError, match="continue with --resume"):
        go(environment, whole[0])


class Diverging(TinyGAN):
    """Its loss is no number at the fifth step."""

    @tf.function
    def train_step(self, input_image, target, step):
        loss = tf.reduce_mean(self.generator(input_image, training=True))
        return {"gen": tf.where(step == 4, np.float32("nan"), loss)}


def test_a_nan_stops_the_run_with_step_and_tiles_and_keeps_the_last_checkpoint(environment):
    exp = experiment(environment, "nan")
    told = r"loss 'gen' is nan at step 5 \(tiles inv_toy__.*\); the last good .* is ckpt-3,"
    with pytest.raises(TrainingError, match=told):
        go(environment, exp, model=Diverging)
    record = read_run_json(exp.run)
    assert record["status"] == "failed"
    assert "at step 5" in record["reason"]
    assert checkpoint_steps(exp.run.ckpt_dir) == [3]


class Silent(TinyGAN):
    """Returns no losses, as the original's blueprint, and overflows its weights."""

    @tf.function
    def train_step(self, input_image, target, step):
        bias = self.generator.trainable_variables[-1]
        bias.assign_add(tf.where(step == 3, np.float32("inf"), 0.0) * tf.ones_like(bias))


def test_a_model_without_losses_is_stopped_before_a_bad_checkpoint(environment):
    exp = experiment(environment, "silent")
    told = r"is not finite after one of the steps 4 to 6 \(tiles inv.*last good .* is ckpt-3,"
    with pytest.raises(TrainingError, match=told):
        go(environment, exp, model=Silent)
    assert checkpoint_steps(exp.run.ckpt_dir) == [3]


# More bytes than 64 bits count: TensorFlow refuses at once. Of fewer it waits for ten seconds for
# some to become free, and then says the same.
NEVER = 2**62


class Growing(TinyGAN):
    """Wants too much in its fifth step, or as soon as it is looked at."""

    at_step = True

    def Generator(self):
        network = super().Generator()
        if self.at_step:
            return network

        class Looked(keras.Model):
            def call(self, x, training=False):
                made = network(x, training=training)
                return made if training else made + tf.zeros([NEVER])[0]

        whole = Looked()
        whole.build((None, self.size, self.size, self.bands))
        return whole

    @tf.function
    def train_step(self, input_image, target, step):
        wanted = tf.where(step == 4, tf.constant(NEVER, tf.int64), 1)
        return {"gen": tf.reduce_mean(input_image) + tf.reduce_sum(tf.random.uniform([wanted]))}


class GrowingAtLooks(Growing):
    at_step = False


@pytest.mark.parametrize(
    ("model", "when"), [(Growing, "at step 5"), (GrowingAtLooks, "at a look or a check")]
)
def test_a_full_memory_is_one_line_with_a_batch_size_to_try(environment, model, when):
    exp = experiment(environment, f"full-{model.__name__}", batch_size=4)
    told = f"out of memory {when}.* with batch_size 4; try batch_size 2$"
    with pytest.raises(TrainingError, match=told):
        go(environment, exp, model=model)
    assert checkpoint_steps(exp.run.ckpt_dir) == [3]
    assert read_run_json(exp.run)["status"] == "failed"


def test_a_resumed_run_has_warned_of_what_an_uninterrupted_one_has(
    environment, monkeypatch, caplog
):
    monkeypatch.setattr(alarms, "FEWEST_STEPS", 1)
    one, two = experiment(environment, "warned"), experiment(environment, "warned-twice")
    go(environment, one)
    go(environment, two, steps=3)
    go(environment, two, start=Start(resume=True))
    warned = [read_run_json(exp.run)["warnings"] for exp in (one, two)]
    assert warned[0] == warned[1]
    assert [(found["sign"], found["step"]) for found in warned[0]] == [("worse", 3)]
    assert read_run_json(one.run)["held_against"]["name"] == "bicubic"
    assert caplog.text.count("worse than bicubic by every metric") == 2  # once a run


def test_a_run_folder_explains_itself(environment, whole):
    exp, _ = whole
    record = read_run_json(exp.run)
    assert (record["status"], record["step"], record["steps"]) == ("done", 6, 6)
    assert record["dataset"]["name"] == "alt6_toy"
    assert len(record["dataset"]["sha256"]) == 64
    assert record["versions"]["keras"] == keras.__version__
    resolved = json.loads((exp.run.logs_dir / "experiment.json").read_text())
    assert resolved["learning_rate"] == 2e-4  # a default, spelt out
    assert [path.name for path in sorted(exp.run.samples_dir.iterdir())] == [
        "step-0000003.png", "step-0000006.png",
    ]  # fmt: skip
    latest = environment.samples_dir / "whole.png"
    assert latest.read_bytes() == (exp.run.samples_dir / "step-0000006.png").read_bytes()


def test_the_blueprint_of_the_original_trains_and_resumes(environment, tmp_path, repository):
    """It returns no losses, builds its optimizers at the first step and logs by itself."""
    source = (repository / "tests/models/blueprint-model.txt").read_text()
    (tmp_path / "blueprint.py").write_text(source)
    gan_class = load_gan_class("blueprint", tmp_path)
    whole = go(environment, experiment(environment, "blue"), model=gan_class)[0].model
    exp = experiment(environment, "blue-halves")
    go(environment, exp, steps=3, model=gan_class)
    assert_equal_models(
        go(environment, exp, start=Start(resume=True), model=gan_class)[0].model, whole
    )
    assert {row["kind"] for row in log_of(exp)} == {"train", "val"}
