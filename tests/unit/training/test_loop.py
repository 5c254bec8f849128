"""The loop: what is due when, where it stops, and that two halves make a whole."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core.errors import ModelContractError, TrainingError
from sensor2sensor.training import pace
from sensor2sensor.training.checkpoints import save
from sensor2sensor.training.compiled import compiled_step
from sensor2sensor.training.loop import Actions, Plan, train_loop
from sensor2sensor.training.restoring import restore_latest
from sensor2sensor.training.state import TrainingState, build_optimizers
from sensor2sensor.training.watch import LossWatch
from tests.unit.training.tiny import batch, batches, fresh


class Diary:
    """Records what the loop asked for."""

    def __init__(self, stop_after=None, save=None):
        self.reports, self.saves, self.samples = [], [], []
        self.asked, self.stop_after, self.write = 0, stop_after, save

    def actions(self):
        return Actions(self.report, self.save, self.samples.append, self.stop)

    def report(self, step, losses, speed):
        self.reports.append((step, losses, speed))

    def save(self, step):
        self.saves.append(step)
        if self.write:
            self.write(step)

    def stop(self, step):
        self.asked += 1
        return self.stop_after is not None and self.asked > self.stop_after


def run(
    model, diary, *, start=0, steps=6, poisoned=None, unweighted=(),
    ckpt_freq=4, sample_freq=3, log_freq=20,
):  # fmt: skip
    plan = Plan(start, steps, ckpt_freq, sample_freq, log_freq)
    watch = LossWatch("a/b", lambda numbers: [f"tile{n}" for n in numbers], frozenset(unweighted))
    step = compiled_step(model, batch(start))
    return train_loop(step, batches(start, poisoned=poisoned), plan, diary.actions(), watch)


def trained(start=0, steps=6, folder=None, restore=False):
    model = fresh(seed=0)
    build_optimizers(model)
    state = TrainingState(model)
    if restore:
        assert restore_latest(folder, state, repair=True) == start
    write = None if folder is None else (lambda step: save(folder, state, step))
    run(model, Diary(save=write), start=start, steps=steps)
    return state


def test_checkpoints_samples_and_reports_come_when_due():
    diary = Diary()
    assert run(fresh(), diary, steps=10) == 10
    assert diary.saves == [4, 8, 10]
    assert diary.samples == [3, 6, 9, 10]
    assert [step for step, _, _ in diary.reports] == [4, 8, 10]


def test_the_time_of_saves_and_looks_is_in_no_speed(monkeypatch):
    """A clock that only saves and looks move: no time is left for the steps."""
    now = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])

    def passes(step):
        now[0] += 100.0

    diary = Diary(save=passes)
    diary.samples = type("Looks", (), {"append": staticmethod(passes)})()
    run(fresh(), diary, steps=8, ckpt_freq=4, sample_freq=4, log_freq=2)
    assert now[0] == 400.0
    assert [speed for _, _, speed in diary.reports] == [None] * 4


def test_reported_losses_are_the_mean_of_the_steps_since_the_last_report():
    single, joint = Diary(), Diary()
    run(fresh(), single, steps=4, log_freq=1)
    run(fresh(), joint, steps=4, log_freq=4)
    mean = np.mean([losses["gen"] for _, losses, _ in single.reports])
    assert len(single.reports) == 4
    assert joint.reports[0][1]["gen"] == pytest.approx(mean, rel=1e-6)


def test_a_stop_finishes_the_step_and_saves_it():
    diary = Diary(stop_after=2)  # asked before the first step and after each
    assert run(fresh(), diary, steps=10) == 2
    assert diary.saves == [2]
    assert diary.samples == []


def test_a_stop_before_the_first_step_does_nothing():
    diary = Diary(stop_after=0)
    assert run(fresh(), diary, steps=10) == 0
    assert diary.saves == []


def test_a_finished_run_does_nothing():
    diary = Diary()
    assert run(fresh(), diary, start=6, steps=6) == 6
    assert diary.saves == []


@pytest.mark.parametrize("poisoned", [0, 2, 4])
def test_a_nan_names_its_step_and_tiles_and_is_never_saved(poisoned):
    diary = Diary()
    with pytest.raises(TrainingError) as caught:
        run(fresh(), diary, poisoned=poisoned)
    message = str(caught.value)
    assert f"at step {poisoned + 1} " in message
    assert f"tile{2 * poisoned}, tile{2 * poisoned + 1}" in message
    assert caught.value.exit_code == 1
    assert all(saved <= poisoned for saved in diary.saves)


def test_a_loss_of_weight_zero_stops_nothing():
    diary = Diary()
    run(fresh(), diary, poisoned=5, unweighted={"gen", "disc"})
    assert math.isnan(diary.reports[-1][1]["gen"])


def test_three_and_three_steps_equal_six(tmp_path):
    whole = trained(steps=6)
    trained(steps=3, folder=tmp_path)
    halves = trained(start=3, steps=6, folder=tmp_path, restore=True)
    for group, variables in whole.groups.items():
        for name, one, two in zip(whole.names[group], variables, halves.groups[group], strict=True):
            np.testing.assert_array_equal(one.numpy(), two.numpy(), err_msg=f"{group}/{name}")


def test_train_step_is_traced_once():
    model = fresh()
    build_optimizers(model)  # else the first trace makes their slots and is done again without
    run(model, Diary(), steps=8)
    assert model.train_step.experimental_get_tracing_count() == 1
    assert not compiled_step(model, batch(0)).retraced(8)


def test_a_model_that_traces_anew_is_noticed():
    model = fresh()

    class Retracing:
        @tf.function
        def train_step(self, input_image, target, step):
            return None

    other = Retracing()
    for step in range(5):
        other.train_step(0, 0, step)
    assert compiled_step(other, batch(0)).retraced(5)
    assert not compiled_step(model, batch(0)).retraced(5)


def test_memory_running_out_proposes_half_the_batch():
    model = fresh()

    def out_of_memory(*fields):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    model.train_step = out_of_memory
    with pytest.raises(TrainingError, match="batch_size 2; try batch_size 1"):
        run(model, Diary())


def test_what_a_model_refuses_while_it_is_traced_arrives_as_one_line():
    class Refusing(type(fresh())):
        @tf.function
        def train_step(self, input_image, target, step):
            raise ModelContractError("cannot be fed", hint="feed it")

    with pytest.raises(ModelContractError, match=r"^cannot be fed; feed it$"):
        run(Refusing(), Diary())


def test_any_other_error_of_a_step_stays_what_it_is():
    class Broken(type(fresh())):
        @tf.function
        def train_step(self, input_image, target, step):
            return input_image["nowhere"]

    with pytest.raises(TypeError):
        run(Broken(), Diary())
