"""``runs``: what is told of every run, whatever lies there, and what may be done with one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.core import files, locks
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.runs import Run
from sensor2sensor.report.load import Result
from sensor2sensor.report.runs import command, logs
from sensor2sensor.report.runs.curves import POINTS, panels, thinned
from sensor2sensor.report.runs.diff import compared
from sensor2sensor.report.runs.found import Seen, find_runs
from sensor2sensor.report.runs.named import take
from tests.doors import HANG_S, run_door
from tests.unit.report import made
from tests.unit.report.made_runs import STARTED, make_run

HOLDER = """
import sys
from pathlib import Path
from sensor2sensor.core import files
with files.lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "experiments"
    made.mkdir()
    (tmp_path / "environment.json").write_text('{"experiment_root": "experiments"}')
    return made


@pytest.fixture
def runs(root, capsys):
    """The command in this process; its exit code and what it printed."""

    def call(*words):
        try:
            code = command.main([*words, "--environment", str(root.parent / "environment.json")])
        except SystemExit as left:
            code = left.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def held(repository):
    """A process that holds a run's lock, as one that trains does."""
    running = []

    def hold(run):
        words = [sys.executable, "-c", HOLDER, str(run.lock)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(words, cwd=repository, **pipes)
        assert process.stdout.readline() == b"held\n"
        running.append(process)
        return process

    yield hold
    for process in running:
        process.communicate(timeout=HANG_S)


def seen(root, **said):
    return {one.name: one for one in find_runs(root, root / "_evaluation", **said)}


def table(folder, experiment, value, stamp="0715-0930"):
    folder.mkdir(exist_ok=True)
    summary = {MODEL: {"rmse": {"mean": 0.1}, "ssim": {"mean": value}}}
    content = {"experiment": experiment, "timestamp": stamp, "step": 100, "summary": summary}
    path = folder / f"{experiment.replace('/', '__')}_{stamp}.json"
    path.write_text(json.dumps(content))


def test_a_run_is_told_with_state_speed_and_scores(root):
    make_run(root, "a/b", tag="paper")
    make_run(root, "a/b", "0716-0930", "failed", step=40, reason="TrainingError: NaN")
    table(root / "_evaluation", "a/b", 0.7)
    found = seen(root)
    one, two = found["a/b/0715-0930"], found["a/b/0716-0930"]
    assert (one.state, one.step, one.steps, one.tag) == ("done", 100, 100, "paper")
    assert one.images_per_s == 32.0 and one.model == "edsr"
    assert one.best == logs.Score("ssim", 0.6, 80)
    assert one.test == logs.Score("ssim", 0.7, 100)  # the metric of the best, not the first
    assert (two.state, two.reason, two.test) == ("failed", "TrainingError: NaN", None)
    by_loss = seen(root, metric="gen_l1")["a/b/0715-0930"].best
    assert by_loss == logs.Score("gen_l1", 0.012, 100)  # of a loss the least


def test_a_running_run_is_told_from_a_dead_one_by_its_lock(root, held):
    alive, dead = make_run(root, "a", "0715-0930", "running", step=40), make_run(
        root, "a", "0715-0931", "running", step=40
    )  # fmt: skip
    process = held(alive)
    # Its pid may have been given out again: to this very process.
    dead.lock.write_text(f"{os.getpid()} {os.uname().nodename}")
    found = seen(root)
    assert found["a/0715-0930"].state == "running"
    assert found["a/0715-0930"].left_s == 15.0  # 60 steps at 4 a second
    assert found["a/0715-0931"].state == "dead"
    assert locks.holder(alive.lock) == f"process {process.pid} on {os.uname().nodename}"
    with files.lock(dead.lock):  # asking has left it free
        pass


def test_a_run_is_read_whatever_lies_there(root):
    whole = make_run(root, "good")
    (whole.logs_dir / "metrics.jsonl").open("a").write('{"step": 110, "kind": "train", "gen_l')
    contents = {
        "cut": '{"exp": "a", "star', "list": "[]", "empty": "", "no-start": '{"status": "done"}',
        "foreign": '{"started": 7, "status": "done"}', "when": '{"started": "x", "status": "done"}',
        "old": json.dumps({"started": STARTED, "status": "done"}),
        "new": json.dumps({"started": STARTED, "status": "paused", "what": 1}),
    }  # fmt: skip
    for name, content in contents.items():
        folder = root / name / "logs" / "0715-0930"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(content)
    (root / "good" / "logs" / "note.txt").write_text("no run")
    (root / "loop").symlink_to(root)
    (root / "nobody").mkdir(mode=0o000)
    found = {name.split("/")[0]: one for name, one in seen(root).items()}
    assert set(found) == {"good", *contents}
    states = {name: one.state for name, one in found.items()}
    assert states["old"] == "done" and states["new"] == "paused" and states["good"] == "done"
    assert {states[n] for n in ("cut", "list", "empty", "no-start", "foreign", "when")} == {
        "unreadable"
    }
    assert "status: Field required" not in found["no-start"].reason and found["cut"].reason


def test_filters_and_order(root, runs):
    make_run(root, "x/one", level=0.7, tag="paper")
    make_run(root, "x/two", level=0.5, started="2026-07-14T09:30:00Z")
    make_run(root, "y/one", "0716-0930", "failed", level=0.6, started="2026-07-16T09:30:00Z")

    def names(*words):
        code, out, _ = runs(*words, "--json")
        assert code == 0
        return [f"{one['experiment']}" for one in json.loads(out)]

    assert names("x") == names("x/*") == ["x/two", "x/one"]
    assert names("*/one") == ["x/one", "y/one"]
    assert names("--tag", "pap*") == ["x/one"] and names("--state", "failed,dead") == ["y/one"]
    assert names("--sort", "best") == ["x/two", "y/one", "x/one"]
    assert names("--sort", "best", "--limit", "1") == ["x/one"]
    assert names("--sort", "experiment", "--reverse") == ["x/one", "x/two", "y/one"]
    assert runs("z") == (
        2, "", "s2s runs: no run of an experiment 'z'; valid: x/one, x/two, y/one\n",
    )  # fmt: skip
    assert runs("--state", "faild")[2].endswith("no state 'faild'; nearest: 'failed'\n")
    said = "s2s runs: --metric: no run has 'sism'; nearest: 'ssim'\n"
    assert runs("--metric", "sism") == (2, "", said)
    assert runs("--tag", "other")[:2] == (0, f"none of the 3 runs in {root} is so\n")
    code, out, _ = runs()
    assert code == 0 and "ssim 0.8 at 80" in out and out.endswith("3 runs: 2 done, 1 failed\n")


def test_it_answers_without_tensorflow_and_fast_for_many(root, repository):
    for number in range(500):
        make_run(root, f"many/{number % 50}", f"0715-{number:04d}")
    place = root.parent / "environment.json"
    ran = run_door("-m", "sensor2sensor", "runs", "--environment", place, cwd=repository)
    assert ran.code == 0 and "500 runs: 500 done" in ran.out
    assert not ran.heavy & {"tensorflow", "keras", "pandas", "matplotlib"}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["a/b/0715-0930", "x"], "a/b/0715-0930"),
        (["a/b", "0715-0930", "x"], "a/b/0715-0930"),
        (["a/b", "x"], "a/b/0716-0930"),
        (["0716-0930", "x"], "a/b/0716-0930"),
    ],
)
def test_a_run_goes_by_several_names(tmp_path, words, name):
    every = [("a/b", "0715-0930"), ("c", "0715-0930"), ("a/b", "0716-0930")]
    found = [Seen(Run(tmp_path / exp, stamp), exp, "done") for exp, stamp in every]
    assert (take(words, found)[0].name, take(words, found)[1]) == (name, ["x"])
    with pytest.raises(InputError, match="2 experiments have a run '0715-0930'; name one: a/b/"):
        take(["0715-0930"], found)
    assert take(["0715-0930"], found, beside=found[2])[0] is found[0]


def test_notes_are_kept_beside_the_run_and_shown(root, runs):
    run = make_run(root, "a/b")
    assert runs("note", "a/b/0715-0930", "first", "try")[:2] == (0, "noted of a/b/0715-0930\n")
    assert runs("note", "0715-0930", "second  <try>")[0] == 0
    notes = json.loads((run.logs_dir / "notes.json").read_text())
    assert [note["text"] for note in notes] == ["first try", "second <try>"]
    assert all(note["time"].endswith("Z") for note in notes)
    assert "second <try>" in runs()[1]
    assert runs("note", "a/b") [2] == "s2s runs note: nothing to note; write it behind the run, in quotes\n"  # fmt: skip # noqa: E501
    (run.logs_dir / "notes.json").write_text("{}")
    assert runs("note", "a/b", "third")[0] == 2
    assert (run.logs_dir / "notes.json").read_text() == "{}"  # not written over


def test_two_runs_are_held_against_each_other(root, runs):
    make_run(root, "a", settings={"gen_loss": {"gen_l1": 10.0, "gen_ssim": 1.0}, "steps": 100})
    make_run(
        root, "b", settings={"gen_loss": {"gen_l1": 50.0, "gen_ssim": 1.0}, "steps": 100},
        git={"commit": "ef" * 20, "dirty": True}, versions={"numpy": "2.5.0"},
    )  # fmt: skip
    code, out, _ = runs("diff", "a", "b")
    assert code == 0
    lines = {" ".join(line.split()) for line in out.splitlines()}
    assert {"gen_loss.gen_l1 10.0 50.0", "versions.numpy 2.4.6 2.5.0"} <= lines
    assert {"git.commit ababababab… efefefefef…", "git.dirty – True"} <= lines
    assert "gen_ssim" not in out and "alike: data, beginning" in lines
    assert "no evaluations of both on the same tiles" in out
    assert runs("diff", "a", "a")[2].startswith("s2s runs diff: a/0715-0930: both are the same run")


def test_seeds_are_compared_with_each_other_with_the_interval_of_the_report(tmp_path, monkeypatch):
    where, recipe = made.facts(), {"recipe": "sha256:ab"}
    monkeypatch.setattr(Result, "tile_facts", made.Told(where))
    pair, results = [], []
    for number, level in enumerate((0.5, 0.7)):
        methods = {
            "model": made.scores(level, number, where),
            "bicubic": made.scores(0.4, 9, where),
        }
        results.append(made.result(f"a/s{number}", methods, where, seed=number, **recipe))
        stamp = results[-1].facts.timestamp
        pair.append(Seen(Run(tmp_path / f"a/s{number}", stamp), f"a/s{number}", "done"))
    found = {one.metric: one for one in compared(tuple(pair), results)}
    assert set(found) == {"RMSE ↓", "SSIM ↑", "CC ↑"}
    told = [one.gain for one in found.values()]
    assert all(
        re.fullmatch(r"\+0\.\d+ ✓  0\.\d+ to 0\.\d+, p <? ?0\.\d+", gain) for gain in told
    ), told
    assert (found["SSIM ↑"].first[:3], found["SSIM ↑"].second[:3]) == ("0.5", "0.7")


def test_failed_runs_go_and_nothing_else_does(root, runs, held, tmp_path):
    failed = {"status": "failed", "step": 40}
    gone = make_run(root, "a", "0101-0001", sheets=(10,), **failed)
    kept = {
        "c/0101-0002 began with it": make_run(root, "a", "0101-0002", **failed),
        "d/0101-0003 began with it": make_run(root, "a", "0101-0003", **failed),
        "e/0101-0004 began with it": make_run(root, "e", "0101-0003", **failed),
        "e/experiment.json names it": make_run(root, "a", "0101-0005", **failed),
        "f/0101-0010 began with it": make_run(root, "a", "0101-0010", **failed),
        "it was evaluated (a_0101-0006.json)": make_run(root, "a", "0101-0006", **failed),
        "in use by process": make_run(root, "a", "0101-0007", **failed),
        "leads outside of": make_run(root, "a", "0101-0008", **failed),
        "named by no timestamp": make_run(root, "a", "best", **failed),
    }
    done = make_run(root, "a", "0101-0009")
    begun = {"experiment": str(root / "a"), "timestamp": "0101-0002"}
    make_run(root, "c", "0101-0002", pretrained_generator=begun)
    make_run(root, "d", "0101-0003", registration={**begun, "timestamp": "0101-0003"})
    make_run(root, "e", "0101-0004", restored_from={"timestamp": "0101-0003", "step": 40})
    make_run(root, "f", "0101-0010", forked_from={**begun, "timestamp": "0101-0010"})
    (root / "e" / "experiment.json").write_text('{"pretrained_generator": "a/0101-0005"}')
    table(root / "_evaluation", "a", 0.5, "0101-0006")
    held(kept["in use by process"])
    outside, link = tmp_path / "outside", kept["leads outside of"].samples_dir
    outside.mkdir()
    (outside / "precious").write_text("x")
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)

    code, out, _ = runs("prune", "--failed")
    assert code == 0 and gone.logs_dir.is_dir()
    assert f"{gone.exp_dir.name}/0101-0001, failed at step 40: 5 files" in out
    assert all(reason in out for reason in kept) and "a/0101-0009" not in out
    assert "would delete 1 of 10 runs" in out
    code, out, _ = runs("prune", "--failed", "--yes")
    assert code == 0 and "deleted 1 of 10 runs" in out
    assert not any(folder.exists() for folder in gone.folders)
    assert all(run.run_json.is_file() for run in [*kept.values(), done])
    assert (outside / "precious").is_file()
    assert runs("prune")[2].startswith("s2s runs prune: says not which runs; add --failed")


def test_a_kill_while_a_run_is_deleted_leaves_it_to_be_found(root, runs):
    run = make_run(root, "a", status="failed", sheets=(10,))
    with files.crash_at_write(3), pytest.raises(files.SimulatedCrash):  # before its logs
        runs("prune", "--failed", "--yes")
    assert [one.state for one in seen(root).values()] == ["failed"]
    assert runs("prune", "--failed", "--yes")[0] == 0 and not run.logs_dir.exists()


def test_curves_are_thinned_to_means(root):
    steps, values = thinned((list(range(1, 1001)), [float(i % 2) for i in range(1000)]), POINTS)
    assert len(steps) == POINTS and steps[-1] == 1000
    assert max(abs(value - 0.5) for value in values) <= 0.5 / 4 + 1e-9  # of four or five each
    found = {panel.name: panel for panel in panels([make_run(root, "a")])}
    assert next(iter(found)) == "ssim" and found["ssim"].title == "SSIM ↑"
    assert [found["gen_l1"].train[0][0], found["gen_l1"].looks[0][1][0][-1]] == [0, 100]
    assert found["steps_per_s"].train[0][1][1] == [4.0] * 10
    assert [name for name, panel in found.items() if panel.loss] == ["total_gen_loss", "gen_l1"]
    assert found["output_spread"].title == "spread of the output over the target's"


def test_a_page_is_written_anew_until_it_is_stopped(root, runs, monkeypatch):
    make_run(root, "a")
    pauses = []

    def stop(seconds):
        pauses.append((seconds, (root / "runs.html").read_text()))
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", stop)
    assert runs("--html", "--every", "30")[0] == 130
    assert pauses[0][0] == 30 and '<meta http-equiv="refresh" content="30">' in pauses[0][1]
    assert runs("--every", "30")[0] == 2
    assert datetime.now(UTC).strftime("%Y-%m-%d") in pauses[0][1]
