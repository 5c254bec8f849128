"""Several trainings beside others: another call, another's run, a foreign file, one of a queue."""

from __future__ import annotations

import json
import signal
import time
from types import SimpleNamespace

import pytest

from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.runs import Run, find_run
from sensor2sensor.training import interrupts
from sensor2sensor.training.arguments import arguments
from sensor2sensor.training.chain import SIGNALS, Chain, Result, _fault
from sensor2sensor.training.jobs import Job, Jobs, jobs_of
from sensor2sensor.training.rows import read_log
from sensor2sensor.training.standing import FACTS, Standing, standing
from sensor2sensor.training.sweep_table import lines_of, table, unlike
from several import campaign_of
from tests.doors import HANG_S
from tests.unit.training.test_campaign import SETTINGS, begin, call, calls, data, place, write

__all__ = ["data", "place"]  # fixtures


def test_two_calls_share_the_trainings_and_what_fails_is_said(place):
    for name in ("a", "b", "c"):
        write(place, name)
    (place / "experiments/c/ckpt").touch()  # a full quota, another user's folder
    foreign = place / "experiments/b/logs/0101-0000"
    foreign.mkdir(parents=True)
    (foreign / "run.json").write_text('{"started": "2026-01-01T00:00:00Z"}')
    (foreign / "experiment.json").write_text(json.dumps(SETTINGS))
    (place / "wait").touch()
    first = begin(place, "--exp", "?")
    hung = time.monotonic() + HANG_S
    while not (place / "waiting").exists():
        assert first.poll() is None and time.monotonic() < hung, first.stdout.read()
        time.sleep(0.01)
    (place / "wait").unlink()
    code, out = call(place, "--exp", "?")
    assert code == 1
    assert "== 1/3 a: in use by process" in out and "which trains it; the next goes on" in out
    assert "== 3/3 c: failed (" in out and "File exists" in out
    assert "== 1 trained, 0 finished before, 1 failed, 1 left" in out
    assert f"  left: a: in use by process {first.pid} on" in out
    first.send_signal(signal.SIGTERM)
    assert first.wait(HANG_S) == 143
    assert [made[0] for made in calls(place)] == ["a", "b"]  # none twice
    # One experiment is one of a queue's tasks, too: it goes on, and begins no second run.
    (stamp,) = [path.parent.name for path in place.glob("experiments/a/logs/*/run.json")]
    assert call(place, "--exp", "a", "--only", "0")[0] == 0
    assert [made[1:3] for made in calls(place)] == [[stamp, True]]


def test_what_one_call_means_is_asked_of_one_and_of_many(place):
    write(place, "a")
    write(place, "s", seeds=[1, 2])

    def asked(exp, **said):
        plain = {"list": False, "only": None, "resume": True, "timestamp": "0101-0000"}
        given = {"environment": str(place / "environment.json"), "set": [], "sweep": []}
        return campaign_of(SimpleNamespace(**{**plain, **given, "exp": exp, **said}))

    assert asked("a") is None and asked("s") is None
    assert asked("a", sweep=["gen_loss.gen_l1=10,25"]) is not None
    assert asked("a*") is not None and asked("a", only=0, resume=False) is not None
    environment = load_environment(place / "environment.json")
    for sweeps in (["steps=1,2", "steps=3"], ['monitor={"metric":"l1"}', "monitor.metric=l1,l2"]):
        with pytest.raises(InputError, match=r"^--sweep sets"):
            jobs_of("a", environment, (), sweeps)
    with pytest.raises(InputError, match="--set and --sweep both set 'steps'"):
        jobs_of("a", environment, ["steps=7"], ["steps=8,9"])


def test_a_run_is_a_value_of_a_sweep_only_with_that_value_and_its_own_beginning(place):
    write(place, "e")
    assert call(place, "--exp", "e", "--timestamp", "0715-0930")[0] == 0
    environment = load_environment(place / "environment.json")
    run = Run(place / "experiments/e", "0715-0930")

    def found(*options, exact=()):
        def view(timestamp, kept):
            return Experiment("e", environment, timestamp=timestamp, options=options, kept=kept)

        known = standing(view, lambda stamp: False, environment.evaluation_dir, "test", exact)
        return str(known).split(" ")[0]

    assert (found(), found("steps=8"), found("sample_val=1")) == (
        "finished", "unfinished", "finished",
    )  # fmt: skip
    assert found("steps=4", exact=["steps"]) == "finished"
    assert found("steps=8", exact=["steps"]) == found("steps=2", exact=["steps"]) == "not"
    assert found("sample_val=1", exact=["sample_val"]) == "not"
    assert found("monitor.patience=3", exact=["monitor.patience"]) == "not"
    whole = json.loads(run.run_json.read_text())
    other = {"timestamp": "0101-0000", "step": 4}
    for beginning in ({"forked_from": other}, {"restored_from": other}, {"began_from": other}):
        files.write_json(run.run_json, {**whole, **beginning})
        assert found() == "not", beginning
    files.write_json(run.run_json, {**whole, "restored_from": {"timestamp": run.timestamp}})
    assert found() == "finished"  # a resumed one notes itself
    scored = environment.evaluation_dir / "e_0715-0930.json"
    facts = json.loads(scored.read_text())
    for other in ({"scored_on": {"name": "alt6_b"}}, {"profile": "extended"}, {"step": 2}):
        files.write_json(scored, {**facts, **other})
        assert found() == "unfinished", other


def result(tmp_path, number, settings, rows):
    run = Run(tmp_path, f"0101-000{number}")
    run.logs_dir.mkdir(parents=True)
    files.write_json(run.run_json, {"started": "2026-01-01T00:00:00Z"})
    files.write_json(run.resolved, settings)
    (run.logs_dir / "metrics.jsonl").write_text(rows)
    return Result(Job("e", (f"gen_loss.gen_l1={number}",)), Standing(run, True, 4))


def test_a_table_takes_what_is_whole_and_marks_what_compares(tmp_path):
    rows = '{"step": 2, "kind": "val", "l1": 0.5}\n'
    cut = rows.replace("0.5", "0.4") + '[1]\n{"step": 4}\n{"step": 6, "kind": "val", "l'
    plain = {"dataset": "d", "steps": 4, "sample_val": 1}
    results = [result(tmp_path, 1, plain, rows), result(tmp_path, 2, plain, cut)]
    assert len(read_log(results[1].standing.run.logs_dir / "metrics.jsonl")) == 1

    def told(results, swept=()):
        lines = []
        table("e", lines_of(results, "l1"), "l1", lines.append, unlike(results, swept))
        return lines

    assert [line[0] for line in told(results)[1:3]] == [" ", "*"]
    assert not any("*" in line for line in told(results[:1]))  # one value is chosen from nothing
    results.append(result(tmp_path, 3, {**plain, "steps": 8, "sample_val": 2}, rows))
    assert told(results)[-1] == (
        "none is marked: these runs differ in sample_val, steps, so they do not compare"
    )
    assert not any(line.startswith("*") for line in told(results))
    results[2] = result(tmp_path, 4, {**plain, "steps": 8}, rows)
    assert any(line.startswith("*") for line in told(results, ("steps",)))


def test_what_ends_a_training_is_told(tmp_path):
    run = Run(tmp_path, "0101-0000")
    run.logs_dir.mkdir(parents=True)
    run.run_json.write_text('{"started": "2026-')  # cut with its process
    assert _fault(run, 137) == "ended by SIGKILL"
    assert _fault(run, 200) == _fault(None, 200) == "exit code 200, the reason stands above"
    assert SIGNALS == interrupts.SIGNALS  # each goes on as it is, and a training saves on each


def test_damaged_files_of_an_old_run_are_passed_over_with_a_line(tmp_path):
    for stamp, record, kept in (
        ("0101-0000", '{"star', "{}"),
        ("0101-0001", json.dumps(dict.fromkeys(FACTS, 1) | {"started": "2026"}), '{"mod'),
    ):
        run = Run(tmp_path, stamp)
        run.logs_dir.mkdir(parents=True)
        run.run_json.write_text(record)
        run.resolved.write_text(kept)
    asked, said = SimpleNamespace(exp_dir=tmp_path, name="a", STEPS=4), []
    found = standing(lambda *_: asked, lambda _: True, tmp_path, "val", say=said.append)
    assert found == Standing() and len(said) == 2
    assert all(line.startswith("passed over: ") and "not valid JSON" in line for line in said)
    # Of one that is named nobody else's damage counts.
    assert find_run(tmp_path, "0101-0001") == Run(tmp_path, "0101-0001")
    with pytest.raises(InputError, match=r"0101-0000/run\.json"):
        find_run(tmp_path, None)


def test_words_of_a_training_may_begin_with_a_hyphen(tmp_path):
    given = ["--exp", "a", "--tag=-x", "--set", "loss=-1"]
    args = arguments("").parse_args(given)
    job = Job("-top", ("gen_loss.gen_l1=-2",))
    words = Chain(Jobs((job,), True), args, *[None] * 5)._words(job)
    made = arguments("").parse_args(words)
    assert (made.exp, made.tag) == ("-top", "-x")
    assert made.set == ["loss=-1", "gen_loss.gen_l1=-2"]
