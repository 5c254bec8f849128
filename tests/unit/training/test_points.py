"""``--at``: the checkpoint of another run that a new one begins with."""

from __future__ import annotations

import argparse
import json

import pytest

from sensor2sensor.core.errors import CheckpointError, InputError
from sensor2sensor.core.runs import Run, write_run_json
from sensor2sensor.training.points import point, step_at
from sensor2sensor.training.rows import JSONL


@pytest.fixture
def run(tmp_path):
    """Epochs 1, 2 and 4 ended at steps 3, 5 and 8 (a batch larger than an epoch completes two)."""
    run = Run(tmp_path, "0715-0930")
    write_run_json(run, {"started": "2026-07-15T09:30:00Z", "best": {"step": 3}})
    rows = [{"step": 3, "kind": "val"}, {"step": 3, "kind": "epoch", "epoch": 1}]
    rows += [{"step": s, "kind": "epoch", "epoch": e} for s, e in ((5, 2), (8, 4))]
    (run.logs_dir / JSONL).write_text("".join(json.dumps(row) + "\n" for row in rows))
    run.ckpt_dir.mkdir(parents=True)
    for step in (3, 8, 10):
        (run.ckpt_dir / f"ckpt-{step}.index").touch()
    return run


@pytest.mark.parametrize(
    ("text", "step"),
    [("10", 10), ("epoch:1", 3), ("epoch:3", 8), ("epoch:4", 8), ("best", 3), ("last", None)],
)
def test_a_point_is_a_step(run, text, step):
    assert step_at(run, point(text)) == step


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("4", CheckpointError, "no checkpoint at step 4; checkpoints there: ckpt-3, ckpt-8"),
        ("epoch:2", CheckpointError, "at the end of epoch:2, step 5; checkpoints there"),
        ("epoch:5", InputError, "has ended 4 epochs; name one of them"),
    ],
)
def test_what_the_run_does_not_have_is_told_with_what_it_has(run, text, error, said):
    with pytest.raises(error, match=said):
        step_at(run, point(text))


def test_a_run_in_steps_has_no_epochs_and_one_without_monitor_no_best(run):
    (run.logs_dir / JSONL).write_text('{"step": 3, "kind": "train"}\n')
    with pytest.raises(InputError, match="counts no epochs, or has ended none; name a step"):
        step_at(run, "epoch:1")
    write_run_json(run, {"started": "2026-07-15T09:30:00Z"})
    with pytest.raises(CheckpointError, match="its experiment states no monitor"):
        step_at(run, "best")


@pytest.mark.parametrize("text", ["bset", "epoch:0", "epoch", "-3", "epoch:x"])
def test_other_words_are_no_point(text):
    with pytest.raises(argparse.ArgumentTypeError, match="neither a number of steps nor epoch:N"):
        point(text)
