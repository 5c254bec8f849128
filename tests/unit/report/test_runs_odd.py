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
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.report.runs import command
from sensor2sensor.report.runs.found import find_runs
from sensor2sensor.report.runs.timelapse import write_timelapse
from sensor2sensor.training.jobs import jobs_of
from tests.unit.report.made_runs import make_run

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
