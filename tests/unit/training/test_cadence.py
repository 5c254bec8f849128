"""When a training looks, saves and reports; what it keeps; the rows of its epochs."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.order import Epochs, sample_at
from sensor2sensor.training.cadence import Cadence, EpochMeans
from sensor2sensor.training.checkpoints import checkpoint_steps, tidy
from sensor2sensor.training.keeping import Keeper
from sensor2sensor.training.loop import Plan

SETTINGS = {"keep_last": 3, "keep_every": None, "keep_best": 1, "monitor": None}


@pytest.mark.parametrize(("samples", "batch_size"), [(7, 2), (6, 3), (3, 8), (5, 1), (16, 16)])
def test_an_epoch_ends_with_the_batch_that_completes_it(samples, batch_size):
    """Held against the order of samples itself."""
    epochs = Epochs(samples, batch_size)
    seen: set[int] = set()
    for step in range(1, 40):
        drawn = range((step - 1) * batch_size, step * batch_size)
        # The last place of an epoch, whichever image stands there.
        ends = {e for e, i, _ in (sample_at(0, k, samples) for k in drawn) if i == samples - 1}
        seen |= ends
        assert epochs.ended(step) is bool(ends)
        assert epochs.complete(step) == len(seen)
        assert epochs.steps(len(seen)) <= step
        assert epochs.ended(step, 3) is any((e + 1) % 3 == 0 for e in ends)
        began = epochs.began(step)
        assert began == 0 or epochs.ended(began)
        assert began < step
        assert not any(map(epochs.ended, range(began + 1, step)))


def epoch_plan(**options):
    return Cadence(0, 14, ckpt_freq=2, sample_freq=2, epochs=Epochs(7, 2), **options)


def due(ask, steps=14):
    return [step for step in range(steps + 1) if ask(step)]


def test_epochs_end_with_a_checkpoint_a_sheet_and_a_report():
    plan = epoch_plan()
    ends = [4, 7, 11, 14]
    assert due(plan.save_due) == due(plan.sample_due) == due(plan.sheet_due) == ends
    assert due(plan.report_due)[1:] == ends


def test_epochs_can_be_saved_less_often_and_looked_at_between():
    plan = epoch_plan(save_epochs=3, val_freq=5)
    assert due(plan.save_due) == [11, 14]  # the last step always
    assert due(plan.sample_due) == [4, 5, 7, 10, 11, 14]
    assert due(plan.sheet_due) == [4, 7, 11, 14]


@pytest.mark.parametrize("start", [0, 5, 11, 14])
@pytest.mark.parametrize("monitored", [True, False])
def test_the_checkpoints_to_come_are_counted(start, monitored):
    plan = Cadence(
        start, 14, ckpt_freq=6, sample_freq=5, epochs=None, val_freq=4, monitored=monitored
    )
    assert plan.saves == len(due(plan.save_due)[1:] if start == 0 else [
        step for step in due(plan.save_due) if step > start
    ])  # fmt: skip
    if monitored:
        assert set(due(plan.sample_due)) <= set(due(plan.save_due))


def test_without_epochs_all_is_due_as_it_was():
    was, now = Plan(0, 25, 10, 4), Cadence(0, 25, 10, 4)
    for ask in ("save_due", "sample_due", "report_due"):
        assert due(getattr(was, ask), 25) == due(getattr(now, ask), 25)
    assert due(now.sheet_due, 25) == due(was.sample_due, 25)
    assert now.saves == was.saves


def test_the_means_of_an_epoch_count_every_step_once_whatever_the_rows():
    losses = [0.1, 0.7, 0.2, 1.3, 0.9]

    def means(*ends, resumed_at=None):
        found, rows, begun = EpochMeans(), [], 10
        found.begin(10)
        for end in ends:
            mean = math.fsum(losses[begun - 10 : end - 10]) / (end - begun)
            row = {"gen": mean, "learning_rate": 1.0 / end}
            rows.append({"step": end, "kind": "train", "steps_per_s": 5.0, **row})
            found.add(end, row)
            begun = end
            if end == resumed_at:
                found = EpochMeans()
                before = {"step": 9, "kind": "train", "gen": 99.0}
                look = {"step": end, "kind": "val", "gen": 99.0}
                found.begin(10, [before, *rows, look], done=end)
        return found.values()

    whole = means(15)
    assert whole == {"gen": pytest.approx(sum(losses) / 5, rel=1e-6), "learning_rate": 1 / 15}
    assert means(12, 13, 15) == means(12, 13, 15, resumed_at=13) == whole


def test_the_time_of_an_epoch_is_known_where_all_of_it_was_seen():
    found = EpochMeans()
    assert found.clock() == {}
    found.begin(10)
    assert found.clock()["seconds"] >= 0
    found.begin(10, done=13)  # resumed in it
    assert found.clock() == {}
    found.begin(10, done=10)
    assert found.clock()["seconds"] >= 0


def test_a_mean_over_what_is_not_finite_is_none():
    found = EpochMeans()
    found.begin(0, [{"step": 1, "kind": "train", "gen": None, "disc": 1.0}])
    found.add(2, {"gen": 1.0, "disc": 2.0})
    assert math.isnan(found.values()["gen"])
    assert found.values()["disc"] == 1.5


def checkpoint(folder, *steps):
    folder.mkdir(exist_ok=True)
    for step in steps:
        (folder / f"ckpt-{step}.data-00000-of-00001").write_bytes(b"weights")
        (folder / f"ckpt-{step}.index").write_bytes(b"index")


def keeper(folder, said, epochs=None, **changes):
    return Keeper(folder, SimpleNamespace(**{**SETTINGS, **changes}), epochs, said.append)


def test_the_newest_stay_and_deleting_is_said_once(tmp_path):
    said = []
    kept = keeper(tmp_path, said)
    for step in (1, 2, 3, 4, 5):
        checkpoint(tmp_path, step)
        kept.prune()
    assert checkpoint_steps(tmp_path) == [3, 4, 5]
    assert sorted(path.name for path in tmp_path.glob("ckpt-*.data-*")) == [
        f"ckpt-{step}.data-00000-of-00001" for step in (3, 4, 5)
    ]
    assert said == [
        "checkpoints: the newest 3 stay; others are deleted from here on, first ckpt-1"
        ' ("keep_last": null keeps all)'
    ]


def test_null_keeps_all(tmp_path):
    said = []
    checkpoint(tmp_path, *range(1, 9))
    keeper(tmp_path, said, keep_last=None).prune()
    assert (checkpoint_steps(tmp_path), said) == (list(range(1, 9)), [])


def test_some_stay_by_their_step_or_epoch(tmp_path):
    checkpoint(tmp_path, *range(1, 9))
    keeper(tmp_path, [], keep_last=1, keep_every=3).prune()
    assert checkpoint_steps(tmp_path) == [3, 6, 8]
    other = tmp_path / "epochs"
    checkpoint(other, 4, 7, 11, 14, 18)
    keeper(other, [], Epochs(7, 2), keep_last=1, keep_every=2).prune()
    assert checkpoint_steps(other) == [7, 14, 18]


def test_of_what_stays_only_steps_with_a_checkpoint_are_counted(tmp_path):
    plan = Plan(0, 12, ckpt_freq=4, sample_freq=4)  # of every third step the twelfth has one
    assert keeper(tmp_path, [], keep_last=1, keep_every=3).most(plan) == 1 + 1 + 1
    assert keeper(tmp_path, [], keep_last=None, keep_every=3).most(plan) is None


@pytest.mark.parametrize(("metric", "best"), [("psnr", 2), ("gen_l1", 4)])
def test_the_best_stays_by_the_direction_of_its_metric(tmp_path, metric, best):
    said, rows = [], []
    kept = keeper(tmp_path, said, keep_last=1, monitor=SimpleNamespace(metric=metric))
    for step, value in ((1, None), (2, 9.0), (3, 5.0), (4, 1.0), (5, 1.0), (6, math.nan)):
        checkpoint(tmp_path, step)
        rows.append({"step": step, "kind": "val", metric: value})
        kept.prune()
        kept.note(step, {metric: value})
    kept.prune()
    assert checkpoint_steps(tmp_path) == [best, 6]
    assert kept.best == {"step": best, "metric": metric, "value": {2: 9.0, 4: 1.0}[best]}
    again = keeper(tmp_path, [], keep_last=1, monitor=SimpleNamespace(metric=metric))
    again.resume([*rows, {"step": 6, "kind": "train", metric: 1e9}])
    assert again.best == kept.best
    assert f"the best 1 by {metric}" in said[0]


def test_a_best_whose_checkpoint_is_gone_is_none(tmp_path):
    checkpoint(tmp_path, 2)
    kept = keeper(tmp_path, [], monitor=SimpleNamespace(metric="l1"))
    kept.note(1, {"l1": 0.1})
    assert kept.best is None


@pytest.mark.parametrize("write", [1, 2])
def test_a_deletion_that_is_killed_leaves_no_half_checkpoint(tmp_path, write):
    checkpoint(tmp_path, 1, 2)
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(write):
        keeper(tmp_path, [], keep_last=1).prune()
    assert checkpoint_steps(tmp_path) == [2]
    assert tidy(tmp_path) == []  # nothing passes for a lost checkpoint
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ckpt-2.data-00000-of-00001", "ckpt-2.index",
    ]  # fmt: skip
