"""``--fork``: a new run with the weights of another one's networks, and with nothing else of it."""

from __future__ import annotations

import json
import shutil

import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core.errors import CheckpointError
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.dataset.ancestry import sources_of
from sensor2sensor.evaluation.recipe import recipe_of
from sensor2sensor.training.recipe import construct
from sensor2sensor.training.rehearsal import rehearse
from sensor2sensor.training.restoring import restore_step
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start, with_pretrained
from sensor2sensor.training.state import TrainingState
from tests.fakes_dataset import make_dataset
from tests.fakes_looks import plain_looks
from tests.faults import test_pretrained as begun_of


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A checkpoint after every second step."""
    root = tmp_path_factory.mktemp("fork")
    make_dataset(root / "data", train=4, val=1, test=1)
    (root / "environment.json").write_text(json.dumps({"ckpt_freq": 2, "sample_freq": 4}))
    (root / "experiments").mkdir()
    with plain_looks():
        yield load_environment(root / "environment.json")


def of_networks(model):
    networks = model.generator, model.discriminator
    return [v.numpy() for network in networks for v in network.trainable_variables]


def test_a_fork_is_all_networks_and_nothing_else_of_a_run(environment):
    parent = begun_of.experiment(environment, "forked")
    model = train(begun_of.Based, parent, environment, steps=4, say=str).model
    exp = begun_of.experiment(environment, "forked", timestamp="0716-0000", learning_rate=1e-3)
    start, said = Start(fork=parent.run, at=2), []
    about = {"start": start, "steps": 2, "say": said.append}
    forked = train(begun_of.Still, exp, environment, **about).model
    taken = construct(begun_of.Based, parent)
    restore_step(parent.run.ckpt_dir, TrainingState(taken), 2, "")
    assert not begun_of.differ(of_networks(forked), of_networks(taken))
    assert begun_of.differ(of_networks(forked), of_networks(model))
    assert int(forked.generator_optimizer.iterations) == 0  # no step of the old training
    (line,) = [line for line in said if "a new run from step 0" in line]
    assert line.startswith("generator and discriminator (last weights) from ")
    assert line.endswith("0715-0930/ckpt-2: a new run from step 0")
    noted = read_run_json(exp.run)
    kept = noted["forked_from"]
    assert (kept["timestamp"], kept["step"]) == ("0715-0930", 2)
    assert kept["networks"] == ["generator", "discriminator"]
    assert noted["restored_from"] is None and sources_of(exp.run) == [parent.run]
    settings = {"config": exp.config, "excluded": exp.excluded, "options": [],
                "resolved": exp.run.resolved}  # fmt: skip
    assert recipe_of(**settings, taken=noted) != recipe_of(**settings)

    train(begun_of.Still, exp, environment, start=Start(resume=True), steps=4, say=str)
    assert read_run_json(exp.run)["forked_from"] == kept
    shutil.rmtree(exp.run.ckpt_dir)  # as if it had been killed before its first checkpoint
    start = with_pretrained(Start(resume=True), exp, lambda: None)
    assert start.fork == parent.run
    again = train(begun_of.Still, exp, environment, start=start, steps=2, say=str).model
    assert not begun_of.differ(of_networks(again), of_networks(forked))
    (parent.run.ckpt_dir / "ckpt-2.index").unlink()
    shutil.rmtree(exp.run.ckpt_dir)
    with pytest.raises(CheckpointError, match=r"--fork: .*ckpt-2\.index, which .* is gone; "):
        train(begun_of.Still, exp, environment, start=start, steps=2, say=str)


def test_a_fork_of_other_networks_lists_them_and_one_that_is_new_begins_anew(environment):
    parent = begun_of.experiment(environment, "parent")
    train(begun_of.Based, parent, environment, steps=2, say=str)
    exp = begun_of.experiment(environment, "parent", timestamp="0717-0000")
    start = Start(fork=parent.run)
    with pytest.raises(CheckpointError, match=r"--fork: .*generator: .*\(there\) against"):
        rehearse(begun_of.Deeper, exp, environment, start, str)

    class Second(begun_of.Still):
        def __init__(self, experiment=None):
            super().__init__(experiment)
            self.judge = self.Discriminator()

    said = []
    rehearse(Second, exp, environment, start, said.append)
    assert said[-1].endswith("a new run from step 0; anew: judge")
