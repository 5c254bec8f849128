"""Sinks: tables as an undisturbed run's, histograms by reading alone, failures of one line."""

from __future__ import annotations

import csv
import json
import logging
import math
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.dataset.order import Epochs
from sensor2sensor.training import validation
from sensor2sensor.training.board import Board, graph_of
from sensor2sensor.training.histograms import Histograms
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from sensor2sensor.training.state import build_optimizers
from sensor2sensor.training.tables import EPOCHS, STEPS, Tables
from sensor2sensor.training.writers import JSONL, Writers, read_log
from tests.fakes_dataset import make_dataset
from tests.unit.training.tiny import TinyGAN, batch, fresh

SETTINGS = {
    "model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 64, "steps": 8, "batch_size": 2,
    "seed": 5, "sample_val": 1,
}  # fmt: skip
# Three tiles, two a step: the third step ends the second epoch, the sixth the fourth.
WATCHED = {
    "ckpt_freq": 4, "sample_freq": 4, "log_freq": 2, "csv": ";", "histograms": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("sinks")
    make_dataset(root / "data", train=3, val=1, test=1)
    (root / "experiments" / "a").mkdir(parents=True)
    (root / "experiments" / "a" / "experiment.json").write_text(json.dumps(SETTINGS))
    return root


def go(place, timestamp, settings, *, start=None, say=print):
    path = place / f"{timestamp}.json"
    path.write_text(json.dumps(settings))
    environment = load_environment(path)
    exp = Experiment("a", environment, timestamp=timestamp)
    outcome = train(TinyGAN, exp, environment, start=start or Start(), say=say)
    return exp.run.logs_dir, [v.numpy() for v in outcome.model.generator.variables]


def test_named_tiles_are_those_of_the_sheet_and_leave_the_scores_alone(tmp_path, monkeypatch):
    make_dataset(tmp_path / "data", train=2, val=4, test=1)
    names = [f"inv_toy__{n:05d}_{64 * n}x0" for n in range(7)]
    names = [f"{name}_notinmask" if n % 3 == 2 else name for n, name in enumerate(names)]
    sheets = []
    draw = validation.sheet

    def kept(rows, *views, **words):
        sheets.append([row.name for row in rows])
        return draw(rows, *views, **words)

    monkeypatch.setattr(validation, "sheet", kept)
    (tmp_path / "environment.json").write_text("{}")
    environment = load_environment(tmp_path / "environment.json")
    (tmp_path / "experiments" / "a").mkdir(parents=True)
    seen = []
    for number, tiles in enumerate([[], [names[4], names[6], names[2]], [names[6]]]):
        content = {**SETTINGS, "steps": 2, "sample_tiles": tiles}
        (tmp_path / "experiments" / "a" / "experiment.json").write_text(json.dumps(content))
        exp = Experiment("a", environment, timestamp=f"0715-093{number}")
        train(TinyGAN, exp, environment, say=lambda line: None)
        seen += [row for row in read_log(exp.run.logs_dir / JSONL) if row["kind"] == "val"]
    assert len(sheets[0]) == 1  # sample_val
    assert sheets[1] == [names[4], names[2]]  # one of them is of test
    assert sheets[2] == sheets[0]  # none of val
    assert seen[0] == seen[1] == seen[2]


class KilledError(Exception):
    """Ends a run between its row and its checkpoint."""


@pytest.fixture(scope="module")
def undisturbed(place):
    return go(place, "0715-0930", WATCHED)


def points(logs):
    """Names and steps of all points in a run's files of events, in order."""
    found = []
    for path in sorted(logs.glob("events.out.tfevents.*")):
        for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(raw)
            found += [(value.tag, event.step) for value in event.summary.value]
    return found


def test_tables_of_a_killed_and_resumed_run_are_those_of_an_undisturbed_one(place, undisturbed):
    def until_six(line):
        if line.startswith("step 6/"):
            raise KilledError

    with pytest.raises(KilledError):
        go(place, "0716-0930", WATCHED, say=until_six)
    logs = place / "experiments" / "a" / "logs" / "0716-0930"
    assert ("train/gen", 6) in points(logs)  # told, and about to be told again
    (killed,) = logs.glob("events.*")
    with killed.open("r+b") as stream:  # a kill cuts the last record in two
        stream.truncate(killed.stat().st_size - 3)
    logs, weights = go(place, "0716-0930", WATCHED, start=Start(resume=True))
    whole, expected = undisturbed
    assert sorted(points(logs)) == sorted(points(whole))
    assert [s for tag, s in points(logs) if tag == "train/gen"] == [2, 4, 6, 8]
    assert (logs / STEPS).read_bytes() == (whole / STEPS).read_bytes()
    assert all(np.array_equal(a, b) for a, b in zip(weights, expected, strict=True))
    with (logs / STEPS).open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    assert [(r["step"], r["kind"]) for r in rows] == [
        ("2", "train"), ("4", "train"), ("4", "val"), ("6", "train"), ("8", "train"), ("8", "val"),
    ]  # fmt: skip
    assert rows[0]["psnr"] == "" != rows[2]["psnr"]
    logged = read_log(logs / JSONL)
    assert [float(r["gen"]) for r in rows if r["gen"]] == [r["gen"] for r in logged if "gen" in r]
    assert "steps_per_s" not in rows[0]


def test_watching_changes_no_bit_of_the_training(place, undisturbed):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    plain = {"ckpt_freq": 4, "sample_freq": 4}
    logs, weights = go(place, "0717-0930", plain)
    watched, expected = undisturbed
    assert all(np.array_equal(a, b) for a, b in zip(weights, expected, strict=True))
    assert not (logs / STEPS).exists()
    assert [row["step"] for row in read_log(logs / JSONL)] == [4, 4, 8, 8]
    board = EventAccumulator(str(watched), {"tensors": 0}).Reload()
    named = {n for n in board.Tags()["tensors"] if n.startswith(("weights/", "gradients/"))}
    layers = {n.partition("/")[2].rpartition("/")[0] for n in named}
    assert {n.split("/")[0] for n in named} == {"weights", "gradients"}
    assert {n.split("/")[0] for n in layers} == {"generator", "discriminator"}
    assert [e.step for e in board.Tensors(min(named))] == [3, 6]


def test_the_board_shows_weighted_losses_the_time_of_an_epoch_and_the_graph(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    inputs = tf.keras.Input([4, 4, 1])
    network = tf.keras.Model(inputs, tf.keras.layers.Conv2D(3, 1, name="last")(inputs))
    made = partial(graph_of, network, tf.TensorSpec([2, 4, 4, 1], tf.float32))
    weights = {
        "gen_lsgan": 2.0,
        "gen_l1": 100.0,
        "gen_l2": 0.0,
        "gen_ssim": None,
        "disc_lsgan": 1.0,
    }
    for start in (0, 7):
        with Writers(tmp_path, start_step=start, sinks=[Board(tmp_path, weights, made)]) as writers:
            writers.scalars(
                start + 7, "train", {"gen_lsgan": 0.5, "gen_l1": 0.25, "gen_l2": 1, "disc_lsgan": 3}
            )
            writers.scalars(start + 7, "val", {"gen_l1": 0.5})
            writers.scalars(start + 7, "epoch", {"gen_l1": 0.25}, epoch=1, seconds=9.5)
    board = EventAccumulator(str(tmp_path), {"tensors": 0}).Reload()
    # Sorted: two files of one second are read in the order of the digits of their numbers.
    found = {tag: sorted(e.step for e in board.Tensors(tag)) for tag in board.Tags()["tensors"]}
    losses = ("gen_lsgan", "gen_l1", "gen_l2", "disc_lsgan")
    shown = {*(f"train/{name}" for name in losses), "val/gen_l1", "epoch/gen_l1", "epoch/seconds"}
    assert set(found) == shown | {"weighted/gen_lsgan", "weighted/gen_l1"}
    assert set(map(tuple, found.values())) == {(7, 14)}
    last = {tag: float(tf.make_ndarray(board.Tensors(tag)[-1].tensor_proto)) for tag in found}
    assert (last["weighted/gen_l1"], last["weighted/gen_lsgan"]) == (25.0, 1.0)
    assert last["epoch/seconds"] == 9.5
    assert any("last" in node.name for node in board.Graph().node)


def test_a_graph_that_cannot_be_made_costs_the_graph_alone(tmp_path, caplog):
    def broken():
        raise ValueError("no graph of this")

    with Writers(tmp_path, start_step=0, sinks=[Board(tmp_path, {}, broken)]) as writers:
        writers.scalars(1, "train", {"gen": 1.0})
    assert "the graph in TensorBoard is left out (ValueError: no graph of this)" in caplog.text
    assert "from here on" not in caplog.text


def test_epochs_have_a_table_of_their_own_and_late_columns_are_added(tmp_path):
    rows = [
        (10, "train", {"gen": 0.1}, {"steps_per_s": 3.0}),
        (10, "epoch", {"gen": 0.1 + 0.2, "psnr": math.inf}, {"epoch": 1, "seconds": 9.5}),
        (20, "epoch", {"gen": 1e-9, "l1": 2.0}, {"epoch": 2, "seconds": 9.0}),
    ]
    with Writers(
        tmp_path / "once", start_step=0, sinks=[Tables(tmp_path / "once", ",")]
    ) as writers:
        for step, kind, values, facts in rows:
            writers.scalars(step, kind, values, **facts)
    text = (tmp_path / "once" / EPOCHS).read_text()
    assert text == ("step,epoch,gen,psnr,l1\n10,1,0.30000000000000004,,\n20,2,1e-09,,2.0\n")
    assert (tmp_path / "once" / STEPS).read_text() == "step,kind,gen\n10,train,0.1\n"
    # Asked for late: what the log holds up to then is in the table, what is repeated is not.
    with Writers(tmp_path / "twice", start_step=0, sinks=[]) as writers:
        for step, kind, values, facts in rows:
            writers.scalars(step, kind, values, **facts)
    for _ in range(2):
        tables = Tables(tmp_path / "twice", ",")
        with Writers(tmp_path / "twice", start_step=10, sinks=[tables]) as writers:
            step, kind, values, facts = rows[-1]
            writers.scalars(step, kind, values, **facts)
        assert (tmp_path / "twice" / EPOCHS).read_text() == text


class Failing(Tables):
    name = "the tables"

    def scalars(self, step, kind, values, **facts):
        raise OSError(28, "No space left on device")

    def close(self, *, failed):
        raise AssertionError("is told nothing more")


def test_a_sink_that_fails_costs_one_line(tmp_path, caplog):
    with Writers(tmp_path, start_step=0, sinks=[Failing(tmp_path, ",")]) as writers:
        writers.scalars(1, "train", {"gen": 1.0})
        writers.scalars(2, "train", {"gen": 1.0})
    assert [row["step"] for row in read_log(tmp_path / JSONL)] == [1, 2]
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    line = record.getMessage()
    assert line.startswith("the tables is left out from here on (OSError: [Errno 28] No space left")


def gradients_of(model, fields):
    """By the tape, at the weights of now and with the dropout of the next step."""
    network = model.generator
    with tf.GradientTape() as tape:
        output = network(fields["input"], training=True)
        fake = model.discriminator([fields["input"], output], training=True)
        loss = tf.reduce_mean(tf.abs(fields["target"] - output)) - 0.01 * tf.reduce_mean(fake)
    return tape.gradient(loss, network.trainable_variables)


def test_gradients_are_those_that_the_step_applied():
    model = fresh(dropout=0.0)
    build_optimizers(model)
    shown = []
    histograms = Histograms(
        model, every=1, epochs=Epochs(6, 2), show=lambda *told: shown.append(told)
    )
    assert [step for step in range(1, 10) if histograms.due(step)] == [3, 6, 9]
    for step in range(1, 7):
        fields = batch(step)
        expected = gradients_of(model, fields)
        with histograms.around(step):
            model.train_step(fields["input"], fields["target"], tf.constant(step, tf.int64))
    assert [step for step, _ in shown] == [3, 6]
    for variable, gradient in zip(model.generator.trainable_variables, expected, strict=True):
        found = shown[-1][1][f"gradients/generator/{variable.path}"]
        np.testing.assert_allclose(found, np.ravel(gradient), rtol=1e-3, atol=1e-7)


def test_an_optimizer_without_moments_shows_weights_alone(caplog):
    model = fresh()
    model.generator_optimizer = tf.keras.optimizers.SGD(0.1)
    build_optimizers(model)
    shown = []
    histograms = Histograms(
        model, every=1, epochs=Epochs(2, 2), show=lambda *told: shown.append(told)
    )
    fields = batch(0)
    with histograms.around(1):
        model.train_step(fields["input"], fields["target"], tf.constant(0, tf.int64))
    kinds = {tuple(name.split("/")[:2]) for name in shown[0][1]}
    both = {("weights", "discriminator"), ("gradients", "discriminator")}
    assert kinds == {("weights", "generator"), *both}
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
