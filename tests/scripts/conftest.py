"""What several tests of step 40 start from, and the jobs of examples/ made small."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import show
import train
from tests.doors import call_door
from tests.fakes import __main__ as generate
from tests.real_data import REPOSITORY
from tests.unit.preprocess.tifs_archive import archive, scenes, select

SMALL = {"width": 0.1, "blocks": 1}


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """The archive of step 40 with a selection of both scenes, whatever their ids."""
    made = archive(tmp_path / "a")
    select(made, *scenes(made))
    return made


@pytest.fixture
def small_job(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``main`` of a script of examples/, called with words: every stage, few filters and blocks.

    What needs TensorFlow for a picture or a training is called in this process, where that and the
    graphs of the metrics are made once, and so is the generator of archives, whose workers would
    load all of it again; every other stage is a process, as for a user.
    """
    monkeypatch.syspath_prepend(str(REPOSITORY / "examples"))
    main_job = importlib.import_module("main_job")
    write, process = main_job.Job.experiment, main_job.run

    def experiment(self: Any, name: str, **options: Any) -> str:
        named: str = write(self, name, replace=options.pop("replace", None) or {}, **options)
        file = self.work / "experiments" / named / "experiment.json"
        content = json.loads(file.read_text())
        for key in SMALL.keys() & content["params"].keys():
            assert content["params"][key] > SMALL[key]
            content["params"][key] = SMALL[key]
        file.write_text(json.dumps(content))
        return named

    def run(
        command: Sequence[str], variables: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        name = Path(command[0]).name
        if command[:2] == ["-m", "tests.fakes"]:
            assert generate.main([*command[2:], "--workers", "1"]) == 0
            return
        if name == "show.py":
            assert show.main(list(command[1:])) == 0
            return
        if name != "train.py":
            process(command, variables, **options)
            return
        done = call_door(train, *command[1:])
        print(done.stdout, done.stderr)
        assert done.returncode == 0

    monkeypatch.setattr(main_job.Job, "experiment", experiment)
    monkeypatch.setattr(main_job, "run", run)

    def call(script: str, *words: object) -> int:
        monkeypatch.setattr("sys.argv", [f"{script}.py", *map(str, words)])
        code: int = importlib.import_module(script).main()
        return code

    return call
