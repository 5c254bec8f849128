"""Early stopping: a run killed anywhere ends where an undisturbed one does."""

from __future__ import annotations

import json

import pytest
import tensorflow as tf

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.runs import read_run_json
from tests.fakes_dataset import make_dataset
from tests.fakes_looks import plain_looks
from tests.faults import test_epochs_resume as of_epochs


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Seven tiles, two a step: epochs end at 4, 7 and 11."""
    root = tmp_path_factory.mktemp("patience")
    make_dataset(root / "data", train=7, val=3, test=1)
    (root / "environment.json").write_text("{}")
    (root / "experiments").mkdir()
    with plain_looks():
        yield load_environment(root / "environment.json")


class Souring(of_epochs.Judged):
    """Best after step 4, by what it says of itself."""

    def validation_terms(self, image, target, output, step):
        return {"gen_l1": tf.abs(tf.cast(step, tf.float32) - 4.0)}


def test_patience_ends_a_run_at_the_same_step_however_it_was_resumed(environment, monkeypatch):
    def asked(name, patience):
        monitor = {"metric": "gen_l1", "patience": patience}
        return of_epochs.experiment(environment, name, monitor=monitor, val_freq=2)

    exp = asked("patient", 2)
    outcome, said = of_epochs.go(environment, exp, model=Souring)
    why = "no better gen_l1 in 2 validations since step 4 (0)"
    line = f"done after step 7 of 11: {why}; raise monitor.patience and --resume to go on"
    assert (outcome.step, outcome.exit_code, said[-1]) == (7, 0, line)
    noted = read_run_json(exp.run)
    assert (noted["status"], noted["step"], noted["reason"]) == ("done", 7, why)

    again = asked("patient-killed", 2)
    with monkeypatch.context() as patched:
        of_epochs.killed_after(patched, 5)
        with pytest.raises(files.SimulatedCrash):
            of_epochs.go(environment, again, model=Souring)
    told, _ = of_epochs.go(environment, again, start=of_epochs.RESUME, model=Souring)
    of_epochs.steps_of.assert_equal_models(told.model, outcome.model)
    assert of_epochs.steps_of.log_of(again) == of_epochs.steps_of.log_of(exp)
    # Killed between its last checkpoint and the look that ended it.
    path = again.run.logs_dir / of_epochs.steps_of.JSONL
    held = [row for row in path.read_text().splitlines() if json.loads(row)["kind"] == "train" or
            json.loads(row)["step"] < 7]  # fmt: skip
    path.write_text("\n".join(held) + "\n")
    told, said = of_epochs.go(environment, again, start=of_epochs.RESUME, model=Souring)
    assert (told.step, said[-1]) == (7, line)
    assert of_epochs.steps_of.log_of(again) == of_epochs.steps_of.log_of(exp)

    raised, _ = of_epochs.go(
        environment, asked("patient", 3), start=of_epochs.RESUME, model=Souring
    )
    assert (raised.step, read_run_json(exp.run)["status"]) == (8, "done")
    whole, _ = of_epochs.go(environment, asked("patient-at-once", 3), model=Souring)
    of_epochs.steps_of.assert_equal_models(raised.model, whole.model)


def test_the_look_that_ended_a_shorter_run_counts_for_nothing_in_a_longer_one(environment):
    """Steps are raised after 5: the look there is no third one beside those of every two steps."""

    def asked(name, steps):
        monitor = {"metric": "gen_l1", "patience": 2}
        changes = {"epochs": "left out", "steps": steps, "monitor": monitor, "val_freq": 2}
        return of_epochs.experiment(environment, name, **changes)

    whole, _ = of_epochs.go(environment, asked("long", 12), model=Souring)
    of_epochs.go(environment, asked("short", 5), model=Souring)
    raised = asked("short", 12)
    outcome, _ = of_epochs.go(environment, raised, start=of_epochs.RESUME, model=Souring)
    assert outcome.step == whole.step == 8
    of_epochs.steps_of.assert_equal_models(outcome.model, whole.model)
    assert [(row["step"], row.get("final")) for row in of_epochs.rows(raised, "val")] == [
        (2, None), (4, None), (5, True), (6, None), (8, None),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="6 steps are asked for, and 8 are done"):
        of_epochs.go(environment, asked("short", 6), start=of_epochs.RESUME, model=Souring)
