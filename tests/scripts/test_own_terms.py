"""Losses and metrics of a module of the user's own, from experiment.json to the evaluation."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import train
from models.objectives import registry as losses
from sensor2sensor.config import vocabulary
from sensor2sensor.core.cli import main_guard
from sensor2sensor.core.files import sha256
from sensor2sensor.metrics import compute
from sensor2sensor.metrics import registry as metrics
from tests.doors import run_door
from tests.evaluations import score_tables
from tests.fakes_dataset import make_dataset

PAGE = Path(__file__).parents[2] / "docs" / "losses.md"
(SNIPPET,) = re.findall(
    r"```python\n(\"\"\"Losses and metrics of our own.*?)```", PAGE.read_text(), re.S
)
SMALL = {"model_name": "edsr", "dataset": "alt6_toy", "tilesize": 64, "steps": 2, "batch_size": 2}
SMALL |= {"params": {"width": 0.07, "blocks": 1}}
OWN = {"modules": ["my_losses"], "gen_loss": {"gen_charbonnier": 1.0, "gen_l1": 0.0}}


@pytest.fixture(autouse=True)
def forgotten():
    """What a test declares is not there for the next one."""
    tables = [vocabulary.LOSSES, vocabulary.METRICS]
    tables += [
        getattr(m, n) for m in (losses, metrics) for n in ("REGISTRY", "DECLARED", "_MAKERS")
    ]
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_dataset(root, train=3, val=1, test=1)
    return root


@pytest.fixture
def home(tmp_path, data):
    """A workplace with ``my_losses.py``, the snippet of the page; ``run`` writes and trains."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "my_losses.py").write_text(SNIPPET)
    settings = {"data_root": str(data), "models_root": "mine"}
    (tmp_path / "environment.json").write_text(json.dumps(settings))
    (tmp_path / "experiments" / "a").mkdir(parents=True)

    class Home:
        path = tmp_path
        words = ("--environment", str(tmp_path / "environment.json"), "--exp", "a")

        def write(self, **changes):
            text = json.dumps({**SMALL, **changes}, indent=1)
            (self.path / "experiments" / "a" / "experiment.json").write_text(text)

        def run(self, *words, **changes):
            self.write(**changes)
            return main_guard(train.main, train.arguments(), [*self.words, *words])

    return Home()


@pytest.mark.slow
def test_they_are_trained_with_evaluated_recorded_and_told_when_they_change(home, capsys):
    assert home.run(**OWN) == 0
    run = next((home.path / "experiments" / "a" / "logs").iterdir())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert any("gen_charbonnier" in key for line in lines for key in line)
    noted = json.loads((run / "run.json").read_text())["modules"]
    module = home.path / "mine" / "my_losses.py"
    assert noted == {"my_losses": {"file": str(module), "sha256": sha256(module)}}
    table = score_tables(home.path / "experiments" / "_evaluation", "a_*.csv")[0]
    rows = list(csv.DictReader(table.open()))
    assert list(rows[0])[-1] == "bias" and all(float(row["bias"]) >= 0 for row in rows)
    facts = json.loads(table.with_suffix(".json").read_text())["metrics"]["bias"]
    assert (facts["label"], facts["unit"], facts["better"]) == ("Bias", "reflectance", "lower")
    assert "Bias ↓" in capsys.readouterr().out
    module.write_text(f"{SNIPPET}\n# Changed.\n")
    assert home.run("--resume", "--check", **OWN) == 0
    assert f"{module} has changed since {run.name} was trained with it" in capsys.readouterr().out
    assert home.run("--resume", "--set", "steps=3", **OWN) == 0
    after = json.loads((run / "run.json").read_text())
    before = {"module": "my_losses", **noted["my_losses"], "until_step": 2}
    assert after["earlier_modules"] == [before]
    assert after["modules"]["my_losses"]["sha256"] == sha256(module)
    capsys.readouterr()
    assert home.run("--resume", "--check", **OWN) == 0
    out = capsys.readouterr().out
    assert f"{module} was another until step 2 of {run.name}" in out
    assert f"{run.name} runs with --set steps=3" in out and "has changed since" not in out


def test_a_near_miss_is_refused_before_tensorflow_where_no_module_is_named(home, repository):
    home.write(gen_loss={"gen_charbonier": 1.0, "gen_l3": 1.0})
    done = run_door("train.py", *home.words, "--check", cwd=repository)
    assert (done.code, done.heavy & {"tensorflow"}) == (2, frozenset())
    assert "gen_loss.gen_l3: unknown key; nearest: 'gen_l2'" in done.err
    home.write(modules=["my_loses"])
    done = run_door("train.py", *home.words, "--check", cwd=repository)
    assert (done.code, done.heavy & {"tensorflow"}) == (2, frozenset())
    assert "modules: no module 'my_loses' in" in done.err and "'my_losses'" in done.err


def test_a_near_miss_is_refused_after_the_named_module_was_asked(home, capsys):
    assert home.run("--check", **{**OWN, "gen_loss": {"gen_charbonier": 1.0}}) == 2
    err = capsys.readouterr().err
    assert "gen_loss.gen_charbonier: unknown key; nearest: 'gen_charbonnier'" in err


def test_a_term_whose_extra_the_data_set_lacks_is_refused(home, capsys):
    text = SNIPPET.replace('needs={"target", "output"}', 'needs={"target", "extras.clouds"}')
    assert text != SNIPPET
    (home.path / "mine" / "my_losses.py").write_text(text)
    assert home.run("--check", **OWN) == 2
    err = capsys.readouterr().err
    assert "'gen_charbonnier' needs extras.clouds, which the data set does not give" in err


SUM = "tf.reduce_mean(tf.abs(masked_mean(inputs.difference, inputs.valid)), axis=-1)"
METRIC = "metric 'bias' returns"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((SUM, "tf.reduce_mean(inputs.difference)"), f"{METRIC} a scalar; return one value per"),
        ((SUM, "tf.reduce_mean(inputs.difference, axis=[1, 2])"), f"{METRIC} shape [B, 3];"),
        ((SUM, "0.5"), f"{METRIC} 0.5, which is no tensor"),
        ((SUM, "inputs.differnce"), "metric 'bias' fails: AttributeError"),
        (("tf.reduce_mean(tf.sqrt", "(tf.sqrt"), "'gen_charbonnier' returns shape ["),
        (("inputs.target - inputs.output", "inputs.target - inputs.outpt"), "no attribute 'outpt'"),
    ],
)
def test_what_a_term_may_not_return_is_found_by_check_in_its_own_module(
    home, capsys, change, message
):
    path = home.path / "mine" / "my_losses.py"
    path.write_text(SNIPPET.replace(*change))
    assert path.read_text() != SNIPPET
    assert home.run("--check", **OWN) == 2
    err = capsys.readouterr().err
    assert message in err and f"{path}" in err and err.count("\n") == 1


def test_a_baseline_is_checked_with_the_metrics_of_the_modules_too(home, capsys):
    (home.path / "mine" / "my_losses.py").write_text(SNIPPET.replace(SUM, "None"))
    bare = {"model_name": "bicubic", "modules": ["my_losses"]}
    assert home.run("--check", **bare) == 2
    assert f"{METRIC} None" in capsys.readouterr().err


def test_a_metric_in_single_precision_is_scored_as_one_in_double(home):
    bands = np.full((2, 4, 4, 1), 0.5)
    metrics.register("flat", label="Flat", unit="1", better="lower", paper="none")(
        lambda found: tf.reduce_mean(tf.cast(found.target, tf.float32), axis=[1, 2, 3])
    )
    given = {"value_ranges": [[0, 1]], "factor": 1.0, "names": ("flat",)}
    (values,) = compute(bands, bands, **given).values()
    assert values.dtype == tf.float64 and values.numpy().tolist() == [0.5, 0.5]


def test_the_metric_of_a_second_experiment_is_its_own_though_a_first_has_the_name():
    given = {"value_ranges": [[0, 1]], "factor": 1.0, "names": ("flat",)}
    bands, found = np.full((2, 4, 4, 1), 0.5), []
    for times in (1.0, 100.0):  # a share, then percent
        metrics.register("flat", label="Flat", unit="1", better="lower", paper="none")(
            lambda inputs, times=times: times * tf.reduce_mean(inputs.target, axis=[1, 2, 3])
        )
        found.append(compute(bands, bands, **given)["flat"].numpy().tolist())
    assert found == [[0.5, 0.5], [50.0, 50.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("gen_charbonnier", "gen_l1"), "the loss 'gen_l1' is declared in models.objectives.pixel"),
        (('"bias"', '"rmse"'), "the metric 'rmse' is declared in sensor2sensor.metrics.spatial"),
        (('"bias"', '"rmse@sea"'), "'rmse@sea' is no name of a metric"),
        (('"bias"', '"scene"'), "'scene' is a column of its own"),
        (('"generator"', '"network"'), "has side 'network'"),
        (('"output"', '"outptu"'), "needs 'outptu', which is none; nearest: 'output'"),
        (('"lower"', '"less"'), "better is 'less'"),
    ],
)
def test_what_cannot_be_declared_is_one_line_with_the_module(home, capsys, change, message):
    path = home.path / "mine" / "my_losses.py"
    path.write_text(SNIPPET.replace(*change))
    assert home.run("--check", **OWN) == 2
    err = capsys.readouterr().err
    assert message in err and str(path) in err and err.count("\n") == 1
