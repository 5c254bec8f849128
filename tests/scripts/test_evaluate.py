"""The door evaluate.py, run as a user would: from a trained run to tables, and its refusals."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

import evaluate
import train
from sensor2sensor import report
from sensor2sensor.config.vocabulary import METRICS
from tests.doors import call_door, run_door
from tests.evaluations import score_tables
from tests.fakes_dataset import make_dataset

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
# Of one block: what is made of a run is the subject, and a trace of more takes longer. That rate,
# with which two steps do something to the scores.
DEFAULT = {
    "model_name": "edsr", "dataset": "alt6_toy", "tilesize": 64, "steps": 2, "batch_size": 2,
    "params": {"width": 0.0625, "blocks": 1}, "input_upsampling": "bicubic", "seed": 1,
    "learning_rate": 1e-2,
}  # fmt: skip
EDSR = {**DEFAULT, "gen_loss": {"gen_l1": 1}, "discriminator": None}
WIDER = {**EDSR["params"], "width": 0.125}
GAN = {
    **DEFAULT, "dataset": "cur_toy", "input_upsampling": "nearest",
    "params": {"width": 0.0625, "blocks": 1, "discriminator": True},
    "discriminator": {"receptive_field": 16},  # of the fewest layers
    "gen_loss": {"gen_gan": 1, "gen_l1": 100}, "disc_loss": {"disc_bce": 1},
}  # fmt: skip
L2 = {**DEFAULT, "gen_loss": {"gen_l1": 1}, "disc_loss": {}, "normalisation": "l2"}


def write_experiment(root, name, content):
    folder = root / "experiments" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps(content))


def call(root, door, *arguments):
    """Run a door in this process: TensorFlow is loaded once for all tests here."""
    return call_door(door, "--environment", root / "environment.json", *arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two trained and evaluated experiments: degraded Sentinel-2 and Sentinel-3."""
    root = tmp_path_factory.mktemp("evaluate")
    make_dataset(root / "data", train=6, val=2, test=3)
    make_dataset(root / "data", name="cur_toy", kind="sentinel3", train=6, val=2, test=3)
    (root / "environment.json").write_text("{}")
    write_experiment(root, "a/edsr", EDSR)
    write_experiment(root, "a/gan", GAN)
    write_experiment(root, "a/never", EDSR)
    for name in ("a/edsr", "a/gan"):
        done = call(root, train, "--exp", name)
        assert done.returncode == 0, done.stderr[-2000:]
    return root


@pytest.fixture
def workspace(trained, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def evaluations(root):
    return root / "experiments" / "_evaluation"


def test_training_ends_with_an_evaluation_beside_baselines(trained):
    found = {r.facts.experiment: r for r in report.load(evaluations(trained)).results}
    assert found["a/edsr"].methods == ["model", "nearest", "bicubic"]
    assert found["a/gan"].methods == ["model", "bilinear_fit"]
    facts = found["a/edsr"].facts
    assert (facts.step, facts.tiles, facts.split, facts.profile) == (2, 3, "test", "standard")
    assert len(facts.gallery) == 3
    lines = found["a/gan"].facts.baselines["bilinear_fit"]["lines"]
    assert [line["source"] for line in lines] == ["Oa04", "Oa06", "Oa08"]


def test_evaluating_again_gives_the_same_files(workspace):
    folder = evaluations(workspace)
    before = {p.name: p.read_bytes() for p in sorted(folder.glob("a__edsr*")) if p.is_file()}
    done = call(workspace, evaluate, "--exp", "a/edsr")
    assert done.returncode == 0, done.stderr[-2000:]
    after = {p.name: p.read_bytes() for p in sorted(folder.glob("a__edsr*")) if p.is_file()}
    assert before == after
    assert "HPSI (colour) ↑" in done.stdout and "Gain of model over bicubic" in done.stdout
    assert "of the ground of 'test' is in 'train' too" in done.stdout


def test_val_is_scored_without_touching_test_and_stands_apart(workspace):
    folder = evaluations(workspace)
    (before,) = score_tables(folder, "a__edsr_*.csv")
    content = before.read_bytes()
    assert call(workspace, evaluate, "--exp", "a/edsr", "--split", "val").returncode == 0
    val = before.with_name(f"{before.stem}_val.csv")
    assert before.read_bytes() == content
    assert {row["split"] for row in csv.DictReader(val.open())} == {"val"}
    groups = [group.facts.split for group in report.load(folder).groups]
    assert sorted(groups) == ["test", "test", "val"]  # edsr's and the GAN's data sets, and this


def scored(root, experiment):
    """The table of an experiment's only run, without its name, and what the JSON says."""
    (table,) = score_tables(evaluations(root), f"{experiment.replace('/', '__')}_*.csv")
    return table.read_text(), json.loads(table.with_suffix(".json").read_text())


def test_averaged_weights_are_scored_at_the_end_of_training_and_again_later(workspace):
    """Without a discriminator; the same training without averages ends with other numbers."""
    write_experiment(workspace, "a/ema", {**EDSR, "ema": 0.5})
    done = call(workspace, train, "--exp", "a/ema")
    assert done.returncode == 0, done.stderr[-2000:]
    table, facts = scored(workspace, "a/ema")
    assert facts["weights"] == "ema 0.5"
    other, last = scored(workspace, "a/edsr")
    assert last["weights"] == "last"
    assert [row for row in table.splitlines() if ",model," in row] != [
        row for row in other.splitlines() if ",model," in row
    ]
    assert call(workspace, evaluate, "--exp", "a/ema").returncode == 0
    assert scored(workspace, "a/ema") == (table, facts)


def test_mixed_precision_trains_resumes_and_evaluates(workspace):
    mixed = {**GAN, "precision": "mixed_bfloat16", "ema": 0.5}
    for steps, options in ((1, []), (2, ["--resume"])):
        write_experiment(workspace, "a/mixed", {**mixed, "steps": steps})
        done = call(workspace, train, "--exp", "a/mixed", *options)
        assert done.returncode == 0, done.stderr[-2000:]
    assert "continuing from step 1" in done.stdout
    (names,) = workspace.glob("experiments/a/mixed/ckpt/*/architecture.json")
    assert "bfloat16" not in names.read_text()  # weights, moments and averages are float32
    table = scored(workspace, "a/mixed")
    assert call(workspace, evaluate, "--exp", "a/mixed").returncode == 0
    assert scored(workspace, "a/mixed") == table


def test_the_csv_has_the_promised_columns(trained):
    (table,) = score_tables(evaluations(trained), "a__edsr_*.csv")
    with table.open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == [
        "name",
        "scene",
        "split",
        "method",
        *(name for name in METRICS if name != "hpsi_bands"),
    ]
    assert len(rows) == 1 + 3 * 3


def test_the_published_profile_has_files_of_its_own(workspace):
    run = next((workspace / "experiments/a/edsr/ckpt").iterdir()).name
    done = call(workspace, evaluate, "--exp", "a/edsr", "--timestamp", run, "--profile", "arisgan")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (evaluations(workspace) / f"a__edsr_{run}_arisgan.csv").is_file()
    assert (evaluations(workspace) / f"a__edsr_{run}.csv").is_file()


def refused(root, *arguments):
    """The single line that a refused command prints; nothing may have been written."""
    folder = evaluations(root)
    shutil.rmtree(folder, ignore_errors=True)
    done = call(root, evaluate, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and not folder.exists()
    return [line for line in done.stderr.splitlines() if line.startswith("evaluate.py:")][-1]


def test_weights_that_were_not_restored_are_not_scored(workspace):
    for path in workspace.glob("experiments/a/edsr/ckpt/*/ckpt-*"):
        path.unlink()
    assert "no checkpoint" in refused(workspace, "--exp", "a/edsr")


def test_weights_of_a_cut_file_are_not_scored(workspace):
    (data,) = workspace.glob("experiments/a/edsr/ckpt/*/ckpt-2.data-*")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    assert "was not restored" in refused(workspace, "--exp", "a/edsr")


def test_a_data_set_that_changed_since_is_not_scored(workspace):
    record = next((workspace / "data/alt6_toy/64/test").glob("*.tfrecord"))
    whole = record.read_bytes()
    record.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    assert f"{record.name}: changed since it was written" in refused(workspace, "--exp", "a/edsr")


def test_a_run_is_scored_by_its_own_copy_when_the_experiment_was_edited(workspace):
    before = scored(workspace, "a/edsr")
    for edited in ({**EDSR, "params": WIDER}, {**EDSR, "stepps": 3}):
        write_experiment(workspace, "a/edsr", edited)
        done = call(workspace, evaluate, "--exp", "a/edsr")
        assert done.returncode == 0, done.stderr[-2000:]
        assert (
            "params.width: 0.0625 (there)" if "stepps" not in edited else "stepps"
        ) in done.stdout
        assert scored(workspace, "a/edsr") == before


def test_weights_of_another_architecture_are_not_scored(workspace):
    (resolved,) = workspace.glob("experiments/a/edsr/logs/*/experiment.json")
    resolved.write_text(json.dumps({**EDSR, "params": WIDER}))
    assert "another architecture" in refused(workspace, "--exp", "a/edsr")


def test_a_run_is_not_scored_on_other_data_than_it_was_trained_on(workspace):
    make_dataset(workspace / "data", train=7, val=2, test=3)
    assert "data set was built anew" in refused(workspace, "--exp", "a/edsr")


def test_names_that_do_not_exist_are_answered_with_the_nearest(trained):
    done = call(trained, evaluate, "--exp", "a/esdr")
    assert done.returncode == 2 and "a/edsr" in done.stderr
    done = call(trained, evaluate, "--exp", "a/never")
    assert done.returncode == 2 and "no run yet" in done.stderr
    done = call(trained, evaluate, "--exp", "a/edsr", "--timestamp", "0101-0000")
    assert done.returncode == 2 and "runs there" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--exp", "a/esdr"], ["--exp", "a/never"]])
def test_help_and_refusals_do_not_import_tensorflow(trained, arguments):
    words = ["--environment", "environment.json", *arguments]
    done = run_door(REPOSITORY / "evaluate.py", *words, cwd=trained)
    assert done.code == (0 if arguments == ["--help"] else 2)
    assert not done.heavy


def test_an_l2_experiment_is_scored_under_the_published_profile(workspace):
    """And on val, where training is told to end there and leave test unseen."""
    write_experiment(workspace, "a/l2", L2)
    done = call(workspace, train, "--exp", "a/l2", "--split", "val")
    assert done.returncode == 0, done.stderr[-2000:]
    (table,) = score_tables(evaluations(workspace), "a__l2_*.csv")
    assert {row["split"] for row in csv.DictReader(table.open())} == {"val"}
    (result,) = (r for r in report.load(evaluations(workspace)).results if "l2" in r.path.name)
    assert result.facts.profile == "arisgan"
    line = refused(workspace, "--exp", "a/l2", "--profile", "standard")
    assert "--profile arisgan" in line


def test_a_step_is_scored_beside_the_last_and_told_apart(workspace):
    """Two checkpoints; with a monitor both were looked at, and one of them is the best.

    Nobody edited the experiment, and none says so: the defaults of its model's own stand in the
    run's copy alone.
    """
    changes = {"steps": 2, "val_freq": 1, "monitor": {"metric": "gen_l1"}}
    write_experiment(workspace, "a/steps", {**DEFAULT, **changes})
    assert call(workspace, train, "--exp", "a/steps").returncode == 0
    (last,) = score_tables(evaluations(workspace), "a__steps_*.csv")
    content = last.read_bytes()
    done = call(workspace, evaluate, "--exp", "a/steps", "--step", "1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "has changed" not in done.stdout
    first = last.with_name(f"{last.stem}_step-1.json")
    assert json.loads(first.read_text())["step"] == 1
    assert last.read_bytes() == content != first.with_suffix(".csv").read_bytes()
    groups = report.load(evaluations(workspace)).groups
    told = {group.label(r) for group in groups for r in group.results}
    assert {label.partition(", ")[2] for label in told if "a/steps" in label} == {
        "step 1)", "step 2)",
    }  # fmt: skip
    (run,) = (workspace / "experiments" / "a" / "steps" / "logs").glob("*/run.json")
    best = json.loads(run.read_text())["best"]["step"]
    written = {
        p.name: p.read_bytes() for p in score_tables(evaluations(workspace), "a__steps_*.csv")
    }
    assert call(workspace, evaluate, "--exp", "a/steps", "--step", "best").returncode == 0
    found = {p.name: p.read_bytes() for p in score_tables(evaluations(workspace), "a__steps_*.csv")}
    assert (found, best in (1, 2)) == (written, True)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("best", "has no best checkpoint: its experiment states no monitor"),
        ("7", "no checkpoint at step 7"),
        ("bset", "'bset' is no number of steps; nearest: 'best'"),
    ],
)
def test_a_step_that_is_not_there_is_refused_in_a_line(trained, asked, said):
    before = sorted(path.name for path in evaluations(trained).iterdir())
    done = call(trained, evaluate, "--exp", "a/edsr", "--step", asked)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in evaluations(trained).iterdir()) == before


def test_a_run_is_scored_on_another_data_set_beside_its_own(workspace):
    """Tiles of the other one lie where those of the first were trained on, and beyond."""
    folder = evaluations(workspace)
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    make_dataset(workspace / "data", name="alt6_else", train=4, val=1, test=3, seed=7)
    done = call(workspace, evaluate, "--exp", "a/edsr", "--dataset", "alt6_else")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "trained on 'alt6_toy', scored on 'alt6_else'" in done.stdout
    assert "1 of 3 tiles show ground of the train split of 'alt6_toy'" in done.stdout
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.name in before} == before
    (path,) = folder.glob("a__edsr_*_on-alt6_else-*.json")
    facts = json.loads(path.read_text())
    other = json.loads((workspace / "data/alt6_else/64/dataset.json").read_text())
    ranges = [[band["low"], band["high"]] for band in other["statistics"]["target"]]
    assert list(facts["dataset"]["value_ranges"].values()) == ranges
    told = facts["scored_on"]
    assert (told["trained_on"]["name"], told["seen_tiles"], told["tiles"]) == ("alt6_toy", 1, 3)
    results = {r.path.name: r for r in report.load(folder).results}
    flags = results[path.name].tile_facts.table["seen_in_training"]
    assert list(flags) == ["true", "false", "false"]
    own = results[f"{path.name.partition('_on-')[0]}.json"].facts
    assert (own.scored_on, own.seed, facts["seed"]) == (None, 1, 1)
    assert own.recipe == facts["recipe"]
    refused = {
        "cur_toy": "kind degraded in training, sentinel3 there",
        "alt6_toy": "the run was trained on 'alt6_toy'; leave out --dataset",
    }
    for name, said in refused.items():
        done = call(workspace, evaluate, "--exp", "a/edsr", "--dataset", name)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
