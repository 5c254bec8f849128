"""``runs`` where names are no text or are those of commands, and files are another user's."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.jsonc import load_jsonc
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.core.runs import Run
from sensor2sensor.report.runs import command
from sensor2sensor.report.runs.found import Seen, find_runs
from sensor2sensor.report.runs.named import take
from sensor2sensor.report.runs.timelapse import write_timelapse
from sensor2sensor.training.jobs import jobs_of
from tests.unit.report.made_runs import STARTED, make_run

NOW = datetime(2026, 7, 16, 9, 30, tzinfo=UTC)
# Root may read whatever rights forbid, but not this: from its beginning it gives an I/O error.
UNREADABLE = Path("/proc/self/mem")


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "experiments"
    made.mkdir()
    (tmp_path / "environment.json").write_text('{"experiment_root": "experiments"}')
    return made


@pytest.fixture
def runs(root, capsysbinary):
    """The command in this process; its exit code and what it printed."""

    def call(*words):
        try:
            code = command.main([*words, "--environment", str(root.parent / "environment.json")])
        except SystemExit as left:
            code = left.code
        told = capsysbinary.readouterr()
        return code, told.out.decode(), told.err.decode()

    return call


@pytest.mark.skipif(not UNREADABLE.exists(), reason="no file here is unreadable for everybody")
def test_what_is_another_users_stops_nothing(root, runs):
    for name in ("a", "b"):
        make_run(root, name, status="failed")
    (root / "a/logs/0715-0930/notes.json").symlink_to(UNREADABLE)
    (root / "other").mkdir()
    (root / "other/experiment.json").symlink_to(UNREADABLE)
    code, out, err = runs()
    assert (code, err) == (0, "") and "notes.json cannot be read: " in out
    assert "2 runs: 2 failed" in out
    with pytest.raises(ConfigError, match=r"other/experiment\.json.*cannot be read \("):
        load_jsonc(root / "other/experiment.json")
    found = jobs_of("*", load_environment(root.parent / "environment.json"))
    assert [(job.exp, "cannot be read" in job.fault) for job in found.jobs] == [("other", True)]


def test_a_name_that_is_no_text_is_shown_and_linked(root, runs):
    name = os.fsdecode(b"lat\xfc")
    run = make_run(root, name, sheets=(40,))
    code, out, err = runs("--html")
    assert (code, err) == (0, "") and "1 runs" in out
    source = (root / "runs.html").read_text("utf-8")
    assert r"lat\xfc" in source
    (shown,) = set(re.findall(r'src="([^":]+)"', source))
    assert (root / os.fsdecode(unquote_to_bytes(shown))).is_file()
    (told,) = json.loads(runs("--json")[1])
    assert Path(told["folder"]) == run.logs_dir
    (seen,) = find_runs(root, root / "_evaluation")
    assert write_timelapse(seen, root / "lapse.html")[0] == 1


def test_a_command_is_told_from_what_stands_behind_an_option(root, runs):
    make_run(root, "a", status="failed", tag="prune")
    for words in (["--debug", "prune", "--failed"], ["--dead", "prune", "--failed"]):
        assert "of 1 runs" in runs(*words)[1]
    assert "unrecognized arguments: --json" in runs("--json", "prune", "--failed")[2]
    assert "1 run: 1 failed" in runs("--tag", "prune")[1]


@pytest.mark.parametrize(
    ("words", "name", "left"),
    [
        (["2019-2020"], "2019-2020/0101-0001", []),
        (["2019-2020", "hello"], "2019-2020/0101-0001", ["hello"]),
        (["2019-2020/0101-0000"], "2019-2020/0101-0000", []),
        (["2019-2020", "0101-0000"], "2019-2020/0101-0000", []),
        (["sea/2019-2020/", "2019-2020"], "sea/2019-2020/0101-0000", ["2019-2020"]),
    ],
)
def test_an_experiment_may_be_called_by_years(tmp_path, words, name, left):
    named = [("2019-2020", "0101-0000"), ("2019-2020", "0101-0001"), ("sea/2019-2020", "0101-0000")]
    found = [Seen(Run(tmp_path / exp, stamp), exp, "done") for exp, stamp in named]
    seen, rest = take(words, found)
    assert (seen.name, rest) == (name, left)
    with pytest.raises(InputError, match=r"valid: 0101-0000, 0101-0001\)|0101-0000, 0101-0001$"):
        take(["9999-9999"], found)


def test_numbers_without_end_are_no_numbers(root, runs):
    run = make_run(root, "a", status="failed")
    digits = "9" * 400
    with (run.logs_dir / "metrics.jsonl").open("a") as log:
        log.write(f'{{"step": 110, "kind": "train", "steps_per_s": {digits}}}\n')
        log.write(f'{{"step": {digits}, "kind": "val", "ssim": {digits}}}\n')
    other = make_run(root, "b")
    other.run_json.write_text(f'{{"started": "{STARTED}", "status": "running", "steps": {digits}}}')
    code, out, err = runs("--html")
    assert (code, err) == (0, "") and "2 runs" in out
    code, out, _ = runs("--json")
    assert (code, [one["step"] for one in json.loads(out)]) == (0, [0, 110])
