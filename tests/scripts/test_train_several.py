"""The door train.py with seeds, and on a few tiles: what is trained is real."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

import train
from sensor2sensor.report.entrants import entrants
from sensor2sensor.report.load import load
from sensor2sensor.training.overfit import Found
from several import _is_alike
from tests import fakes_dataset
from tests.doors import call_door
from tests.fakes_dataset import make_dataset

# Of one block and alone: what the door does is the subject, and a trace of more takes longer.
EXPERIMENT = {
    "model_name": "edsr", "dataset": "alt6_toy", "tilesize": 64, "steps": 2, "batch_size": 2,
    "params": {"width": 0.07, "blocks": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set, and one whose targets are noise that has nothing to do with the inputs."""
    root = tmp_path_factory.mktemp("data")
    make_dataset(root, train=8, val=1, test=1)
    rng, degraded = np.random.default_rng(1), fakes_dataset._degraded

    def unrelated(name, target, wide, factor):
        record = degraded(name, target, wide, factor)
        record.target[:] = rng.integers(200, 5000, target.shape) / np.float32(10000)
        return record

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fakes_dataset, "_degraded", unrelated)
        make_dataset(root, name="noise", train=8, val=1, test=1)
    return root


@pytest.fixture
def call(tmp_path, data):
    """Calls the door on an experiment of the settings above and others."""

    def called(name, *words, **changes):
        settings = {"data_root": str(data), "ckpt_freq": 2, "sample_freq": 2}
        (tmp_path / "environment.json").write_text(json.dumps(settings))
        folder = tmp_path / "experiments" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "experiment.json").write_text(json.dumps({**EXPERIMENT, **changes}))
        place = ("--environment", tmp_path / "environment.json", "--exp", name)
        return call_door(train, *place, *words)

    return called


@pytest.mark.slow
def test_seeds_are_runs_of_their_own_and_one_entry_of_reports(call, tmp_path):
    for number in ("0", "1"):
        done = call("seeded", "--only", number, "--tag", "pair", seeds=[5, 6])
        assert done.returncode == 0, done.stderr
    runs = sorted((tmp_path / "experiments/seeded/logs").iterdir())
    records = [json.loads((run / "run.json").read_text()) for run in runs]
    assert [(r["seed"], r["set"], r["tag"]) for r in records] == [
        (5, ["seed=5"], "pair"), (6, ["seed=6"], "pair"),
    ]  # fmt: skip
    assert all("seeds" not in json.loads((r / "experiment.json").read_text()) for r in runs)
    (group,) = load(tmp_path / "experiments/_evaluation").groups
    (model,) = [entrant for entrant in entrants(group) if not entrant.baseline]
    assert (model.label, model.seeds) == ("seeded (2 seeds)", (5, 6))
    # edsr states defaults that the file does not: only the model tells that the run has them.
    environment = str(tmp_path / "environment.json")
    same = partial(_is_alike, environment, "seeded", timestamp=runs[0].name)
    assert [same(("seed=5",)), same(("seed=6",)), same(("seed=5", "ema=0.9"))] == [
        True, False, False,
    ]  # fmt: skip


@pytest.mark.slow
def test_whether_model_and_data_can_learn(call, tmp_path):
    fast = {"learning_rate": 1e-3}
    can = call("can", "--overfit", "8", **fast)
    assert can.returncode == 0, can.stderr
    (told,) = [line for line in can.stdout.splitlines() if line.startswith("can: ")]
    assert told.startswith("can: model and data can learn: its mean absolute error on 8 tiles")
    assert "in 200 steps, the best constant has" in told and "and bicubic" in told
    noise = call("noise", "--overfit", "8", dataset="noise", **fast)
    assert noise.returncode == 1, noise.stderr
    assert "noise: nothing was learned, the error stayed near a constant's" in noise.stdout
    assert sorted(path.name for path in (tmp_path / "experiments").rglob("*")) == [
        "can", "experiment.json", "experiment.json", "noise",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("after", "unseen", "verdict"),
    [
        (0.02, 0.03, "model and data can learn"),
        (0.02, 0.13, "the model learns these tiles by heart, and nothing for others"),
        (0.12, 0.13, "nothing was learned, the error stayed near a constant's"),
        (0.1995, 0.13, "nothing was learned, the error did not fall"),
    ],
)
def test_the_verdict_follows_from_the_numbers_that_it_tells(after, unseen, verdict):
    found = Found(8, 0.2, after, 0.13, ("bicubic", 0.05), unseen, 0.12, "reflectance")
    assert str(found).startswith(verdict)
    assert f"from 0.2 to {after:.4g} (reflectance) in 200 steps" in str(found)
    assert found.learned == (verdict == "model and data can learn")
