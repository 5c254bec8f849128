"""Training in epochs: killed in the middle of one it goes on as if nothing had been; what stays."""

from __future__ import annotations

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import CheckpointError, ConfigError, ConfigErrors
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.training import run_file
from sensor2sensor.training.checkpoints import checkpoint_steps
from sensor2sensor.training.interrupts import StopSignal
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from sensor2sensor.training.steps import chosen_step
from tests.fakes_dataset import make_dataset
from tests.fakes_looks import plain_looks
from tests.faults import test_checkpoints_resume as steps_of
from tests.unit.training.tiny import TinyGAN

SETTINGS = {**steps_of.SETTINGS, "epochs": 3}
del SETTINGS["steps"]
# Seven tiles, two a step.
ENDS = [4, 7, 11]
RESUME = Start(resume=True)


@pytest.fixture(scope="module", autouse=True)
def looks():
    """What a look shows is not the subject here."""
    with plain_looks():
        yield


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    root = tmp_path_factory.mktemp("epochs")
    make_dataset(root / "data", train=7, val=3, test=1)
    (root / "environment.json").write_text(json.dumps({"ckpt_freq": 2, "sample_freq": 2}))
    (root / "experiments").mkdir()
    return load_environment(root / "environment.json")


def experiment(environment, name, **changes):
    folder = environment.experiment_root / name
    folder.mkdir(exist_ok=True)
    given = {**SETTINGS, **changes}
    text = json.dumps({key: value for key, value in given.items() if value != "left out"})
    (folder / "experiment.json").write_text(text)
    return steps_of.Experiment(name, environment, timestamp="0715-0930")


class Judged(TinyGAN):
    """TinyGAN that also says what its loss is at validation, from a noisy discriminator."""

    def Discriminator(self):
        made = super().Discriminator()
        noisy = keras.layers.Dropout(0.5, seed=3)(made.output)
        return keras.Model(made.inputs, keras.layers.BatchNormalization()(noisy))

    def validation_terms(self, image, target, output, step):
        # In training mode: whatever that moves has to be put back.
        answer = self.discriminator([image, output], training=True)
        return {"gen_l1": tf.reduce_mean(tf.abs(target - output)), "asked": tf.reduce_sum(answer)}


def go(environment, exp, *, start=None, steps=None, model=Judged):
    said = []
    outcome = train(model, exp, environment, start=start or Start(), steps=steps, say=said.append)
    return outcome, said


def rows(exp, kind):
    return [row for row in steps_of.log_of(exp) if row["kind"] == kind]


def killed_after(monkeypatch, steps):
    """A kill that comes when so many steps are made."""
    asked = iter(range(steps + 1))

    def requested(self):
        if next(asked) == steps:
            raise files.SimulatedCrash(f"after step {steps}")
        return False

    monkeypatch.setattr(StopSignal, "requested", property(requested))


@pytest.fixture(scope="module")
def whole(environment):
    exp = experiment(environment, "whole")
    return exp, *go(environment, exp)


def test_every_epoch_ends_with_a_row_a_look_a_sheet_and_a_checkpoint(whole):
    exp, outcome, _ = whole
    assert outcome.step == exp.STEPS == ENDS[-1]
    assert checkpoint_steps(exp.run.ckpt_dir) == ENDS
    assert [row["step"] for row in rows(exp, "val")] == ENDS
    assert [(row["step"], row["epoch"]) for row in rows(exp, "epoch")] == list(
        zip(ENDS, [1, 2, 3], strict=True)
    )
    assert [path.name for path in sorted(exp.run.samples_dir.iterdir())] == [
        f"step-{step:07d}.png" for step in ENDS
    ]
    looks = {row["step"]: row for row in rows(exp, "val")}
    trained = {row["step"]: row for row in rows(exp, "train")}
    assert sorted(trained) == ENDS  # so each of these rows is its epoch's mean
    for row in rows(exp, "epoch"):
        assert row["psnr"] == looks[row["step"]]["psnr"]
        assert row["val_gen_l1"] == looks[row["step"]]["gen_l1"]
        assert row["gen"] == pytest.approx(trained[row["step"]]["gen"], rel=1e-6)
        assert row["learning_rate"] == trained[row["step"]]["learning_rate"]


def test_the_own_copy_of_a_run_says_epochs_and_can_be_read(environment, whole):
    exp = whole[0]
    kept = json.loads(exp.run.resolved.read_text())
    assert kept["epochs"] == 3
    assert "steps" not in kept
    again = steps_of.Experiment("whole", environment, timestamp="0715-0930", as_run=True)
    assert again.STEPS == read_run_json(exp.run)["steps"] == 11


def test_killed_in_the_middle_of_two_epochs_it_ends_as_if_undisturbed(
    environment, whole, monkeypatch
):
    exp = experiment(environment, "killed")
    for begun, steps in ((0, 6), (4, 9)):
        with monkeypatch.context() as patched:
            killed_after(patched, steps - begun)
            with pytest.raises(files.SimulatedCrash, match=f"after step {steps - begun}"):
                go(environment, exp, start=RESUME if begun else None)
        assert checkpoint_steps(exp.run.ckpt_dir) == [step for step in ENDS if step < steps]
        assert read_run_json(exp.run)["step"] == max(step for step in ENDS if step < steps)
    outcome, _ = go(environment, exp, start=RESUME)
    steps_of.assert_equal_models(outcome.model, whole[1].model)
    assert steps_of.log_of(exp) == steps_of.log_of(whole[0])
    assert checkpoint_steps(exp.run.ckpt_dir) == ENDS


def test_a_signal_in_the_middle_of_an_epoch_changes_no_row_of_epochs(environment, whole):
    exp = experiment(environment, "signal")
    go(environment, exp, steps=6)
    assert checkpoint_steps(exp.run.ckpt_dir) == [4, 6]
    outcome, _ = go(environment, exp, start=RESUME)
    steps_of.assert_equal_models(outcome.model, whole[1].model)
    assert rows(exp, "epoch") == rows(whole[0], "epoch")


def test_what_a_kill_after_the_checkpoint_cost_is_made_up_for(environment, whole, tmp_path):
    exp = experiment(environment, "lost")
    go(environment, exp, steps=7)
    shutil.copytree(exp.exp_dir, tmp_path / "there")
    path = exp.run.logs_dir / steps_of.JSONL
    for lost in (["val", "epoch"], ["epoch"]):
        shutil.rmtree(exp.exp_dir)
        shutil.copytree(tmp_path / "there", exp.exp_dir)
        lines = [
            line for line in path.read_text().splitlines()
            if json.loads(line)["step"] != 7 or json.loads(line)["kind"] not in lost
        ]  # fmt: skip
        path.write_text("\n".join(lines) + "\n")
        assert len(rows(exp, "epoch")) == 1
        go(environment, exp, start=RESUME)
        assert steps_of.log_of(exp) == steps_of.log_of(whole[0]), lost


def test_losses_of_a_validation_touch_no_bit_of_the_training(environment, whole):
    class Unasked(Judged):
        validation_terms = None

    exp = experiment(environment, "unasked")
    outcome, _ = go(environment, exp, model=Unasked)
    assert "gen_l1" not in rows(exp, "val")[0]
    assert np.isfinite(rows(whole[0], "val")[0]["asked"])
    steps_of.assert_equal_models(outcome.model, whole[1].model)
    plain = experiment(environment, "steps", epochs="left out", steps=11)
    steps_of.assert_equal_models(go(environment, plain)[0].model, whole[1].model)


def test_a_loss_that_fails_at_validation_costs_a_line(environment, whole, caplog):
    class Failing(Judged):
        def validation_terms(self, image, target, output, step):
            raise KeyError("mask")

    exp = experiment(environment, "failing")
    outcome, _ = go(environment, exp, model=Failing)
    assert "losses at the validation of step 4 is left out" in caplog.text
    steps_of.assert_equal_models(outcome.model, whole[1].model)


def test_the_best_validation_is_kept_and_named_also_after_a_kill(environment, monkeypatch):
    changes = {"monitor": {"metric": "gen_l1"}, "keep_last": 1, "val_freq": 3}
    exp = experiment(environment, "best", **changes)
    _, said = go(environment, exp)
    scores = {row["step"]: row["gen_l1"] for row in rows(exp, "val")}
    assert sorted(scores) == [3, 4, 6, 7, 9, 11]
    best = min(scores, key=scores.get)
    assert read_run_json(exp.run)["best"] == {
        "step": best, "metric": "gen_l1", "value": scores[best],
    }  # fmt: skip
    assert checkpoint_steps(exp.run.ckpt_dir) == sorted({best, 11})
    assert sum("deleted from here on" in line for line in said) == 1
    assert any("6 of" in line and "3 at a time" in line for line in said)
    again = experiment(environment, "best-killed", **changes)
    with monkeypatch.context() as patched:
        killed_after(patched, 8)
        with pytest.raises(files.SimulatedCrash):
            go(environment, again)
    go(environment, again, start=RESUME)
    assert read_run_json(again.run)["best"] == read_run_json(exp.run)["best"]
    assert checkpoint_steps(again.run.ckpt_dir) == checkpoint_steps(exp.run.ckpt_dir)


def test_the_best_is_known_while_a_resumed_run_begins(environment):
    asked = {"steps": 11, "device": "CPU", "restored_from": None}
    best = {"step": 4, "metric": "l1", "value": 0.1}
    exp = experiment(environment, "opening", monitor={"metric": "l1"})
    run_file.begin(exp, **asked).update(best=best)
    run_file.begin(exp, **asked)
    assert read_run_json(exp.run)["best"] == best
    run_file.begin(experiment(environment, "opening", monitor={"metric": "psnr"}), **asked)
    assert "best" not in read_run_json(exp.run)


def test_the_best_is_told_among_validations_of_the_same_tiles(environment):
    changes = {"monitor": {"metric": "gen_l1"}, "keep_last": 1}
    exp = experiment(environment, "looked", epochs=2, **changes)
    go(environment, exp)
    assert run_file.ALIKE not in read_run_json(exp.run)
    log = exp.run.logs_dir / steps_of.JSONL
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    # As if the tiles of then had been easy ones: no later look is better.
    easy = [{**row, "gen_l1": 0.0} if row["kind"] == "val" else row for row in entries]
    log.write_text("".join(json.dumps(row) + "\n" for row in easy))
    exp = experiment(environment, "looked", sample_val=1, **changes)
    _, said = go(environment, exp, start=RESUME)
    assert sum("up to step 7 looked at other tiles" in line for line in said) == 1
    noted = read_run_json(exp.run)
    assert (noted[run_file.ALIKE], noted["best"]["step"]) == (7, 11)
    assert checkpoint_steps(exp.run.ckpt_dir) == [11]
    go(environment, experiment(environment, "looked", sample_val=1, epochs=4, **changes),
       start=RESUME)  # fmt: skip
    noted = read_run_json(exp.run)
    scores = {row["step"]: row["gen_l1"] for row in rows(exp, "val")}
    assert noted[run_file.ALIKE] == 7
    assert noted["best"]["step"] == min((11, 14), key=scores.get)


@pytest.mark.parametrize("write", [1, 2, 3])
def test_that_other_tiles_were_looked_at_survives_a_kill_while_it_is_noted(environment, write):
    name = f"noted{write}"

    def begin(step, **changes):
        exp = experiment(environment, name, monitor={"metric": "l1"}, **changes)
        source = {"exp": name, "timestamp": exp.run.timestamp, "step": step}
        run_file.begin(exp, steps=11, device="CPU", restored_from=source if step else None)
        return read_run_json(exp.run)

    begin(0)
    exp = experiment(environment, name)
    best = {"step": 4, "metric": "l1", "value": 0.1}
    files.write_json(exp.run.run_json, {**read_run_json(exp.run), "best": best})
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(write):
        begin(7, sample_val=1)
    noted = begin(7, sample_val=1)
    assert noted[run_file.ALIKE] == 7 and "best" not in noted
    assert begin(11, sample_val=1)[run_file.ALIKE] == 7
    assert begin(4, sample_val=1)[run_file.ALIKE] == 4  # the newer checkpoints were lost
    assert begin(7, sample_val=2)[run_file.ALIKE] == 7
    exp = experiment(environment, name)
    files.write_json(exp.run.run_json, {**read_run_json(exp.run), "best": None})
    with pytest.raises(CheckpointError, match="no validation since step 7 has had a value"):
        chosen_step(exp.run, "best", exp.contract)


def test_a_loss_as_monitor_needs_a_module_that_computes_it(environment):
    exp = experiment(environment, "plain", monitor={"metric": "gen_l1"})
    with pytest.raises(ConfigError, match="computes no loss at validation, so 'gen_l1'"):
        go(environment, exp, model=TinyGAN)


def test_a_run_from_before_keeps_every_checkpoint_unless_told(environment):
    exp = experiment(environment, "before", epochs=1)
    go(environment, exp)
    kept = json.loads(exp.run.resolved.read_text())
    before = {k: v for k, v in kept.items() if not k.startswith(("keep", "val", "monitor", "save"))}
    for _ in range(2):
        exp.run.resolved.write_text(json.dumps(before))
        exp = experiment(environment, "before")
        assert exp.config.keep_last is None
        go(environment, exp, start=RESUME)
        before = json.loads(exp.run.resolved.read_text())
    assert checkpoint_steps(exp.run.ckpt_dir) == ENDS
    told = experiment(environment, "before", keep_last=1, epochs=4)
    go(environment, told, start=RESUME)
    assert checkpoint_steps(told.run.ckpt_dir) == [14]


def test_epochs_may_be_raised_unless_the_rate_falls_towards_the_last(environment):
    exp = experiment(environment, "raised", epochs=1)
    go(environment, exp)
    outcome, _ = go(environment, experiment(environment, "raised"), start=RESUME)
    assert outcome.step == 11
    falling = {"learning_rate_schedule": {"kind": "linear"}}
    exp = experiment(environment, "falling", epochs=1, **falling)
    assert exp.STEPS == 4
    other = experiment(environment, "falling", epochs=2, **falling)
    run_file.begin(exp, steps=4, device="CPU", restored_from=None)
    run_file.refuse_changed(other)  # no step has been made yet
    exp.run.ckpt_dir.mkdir(parents=True)
    (exp.run.ckpt_dir / "ckpt-4.index").touch()
    with pytest.raises(ConfigError, match=r"epochs 2, in steps: 4 \(there\) against 7 \(asked\)"):
        run_file.refuse_changed(other)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"steps": 5}, "steps and epochs both say how long"),
        ({"epochs": "left out", "save_every_epochs": 2}, "save_every_epochs: needs epochs"),
        ({"keep_best": 2}, "keep_best: needs monitor"),
        ({"keep_last": 0}, "keep_last: must be greater than or equal to 1"),
        ({"monitor": {"metric": "hspi"}}, "monitor.metric: 'hspi' is no metric"),
        ({"monitor": {"metric": "hspi"}}, "nearest: 'hpsi'"),
        ({"monitor": {"metric": "gen_l2"}}, "does not compute; give it a weight"),
        ({"monitor": {"metirc": "hpsi"}}, "nearest: 'metric'"),
        (
            {"monitor": {"metric": "hp_l1_compat"}},
            "is a metric of profile pix2pix-maps; validation",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(environment, changes, text):
    with pytest.raises(ConfigErrors) as error:
        experiment(environment, "refused", **changes)
    assert text in str(error.value)
