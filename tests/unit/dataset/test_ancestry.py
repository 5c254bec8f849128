"""What earlier runs of taken-over weights looked at: blocks set aside, and ground of test."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

import calibrate
from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, ConfigErrors, InputError
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.ancestry import (
    ancestors,
    began_from,
    inherited,
    sources_of,
    trained_before,
)
from sensor2sensor.dataset.ledger import read_split, write_split
from sensor2sensor.inference.intervals import bounded
from sensor2sensor.training.start import Start, with_pretrained
from tests.fakes_dataset import make_dataset
from tests.unit.dataset.test_calibration import SETTINGS

STAMP = "0101-0000"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A data set; another whose train tiles lie where val and test of it do; one far away."""
    root = tmp_path_factory.mktemp("ancestry")
    own = make_dataset(root / "data", name="alt4_toy", factor=4, train=2, val=6, test=2)
    (root / "environment.json").write_text("{}")
    for name, far_m in (("alt4_leak", 0.0), ("alt4_far", 2e5), ("alt4_bare", None)):
        folder = root / "data" / name / "64"
        shutil.copytree(own, folder)
        rows = [replace(row, split="train", source_sha256=name) for row in read_split(own)]
        if far_m is None:
            rows = [replace(row, epsg=None, inventory="x") for row in rows]
        else:
            rows = [replace(row, ulx_m=row.ulx_m + far_m) for row in rows]
        write_split(folder, rows)
        contract = json.loads((folder / "dataset.json").read_text())
        files.write_json(folder / "dataset.json", {**contract, "name": name})
    return root


def made(place, name, **changes):
    folder = place / "experiments" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps(SETTINGS | changes))
    environment = load_environment(place / "environment.json")
    return Experiment(name, environment, timestamp=STAMP)


def run_of(place, name, dataset="alt4_toy", calibration=None, sha256=None, **content):
    """The run of an experiment, as run.json and its settings tell of it."""
    run = Run(place / "experiments" / name, STAMP)
    known = files.sha256(place / "data" / dataset / "64" / "dataset.json")
    said = {"started": "2026-01-01", "dataset": {"name": dataset, "sha256": sha256 or known}}
    files.write_json(run.run_json, {**said, **content})
    settings = {"dataset": dataset, "tilesize": 64, "calibration": calibration}
    files.write_json(run.resolved, settings)
    return run


def taken(run, key="pretrained_generator"):
    return {key: {"experiment": str(run.exp_dir), "timestamp": run.timestamp}}


def test_weights_bring_along_what_they_were_chosen_by(place):
    asked = made(place, "child")
    plain = run_of(place, "plain")
    assert inherited(asked, [plain]).seen == f"plain/{STAMP} looked at all of val"
    for share, seen in ((0.5, False), (0.8, False), (0.2, True)):
        parent = run_of(place, "parent", calibration={"share": share, "level": 0.9})
        assert bool(inherited(asked, [parent]).seen) is seen
    # A parent that left them alone began with one that did not.
    for key in ("pretrained_generator", "forked_from"):
        parent = run_of(place, "parent", calibration={"share": 0.5}, **taken(plain, key))
        assert inherited(asked, [parent]).seen == f"plain/{STAMP} looked at all of val"
    assert inherited(asked, []).seen == inherited(made(place, "p", calibration=None), [plain]).seen


def test_another_data_set_is_held_against_by_its_ground(place):
    asked = made(place, "child")
    leak, far = (run_of(place, name, f"alt4_{name}") for name in ("leak", "far"))
    seen = inherited(asked, [leak]).seen
    assert seen == f"leak/{STAMP} looked at ground of 3 of the 3 tiles that are set aside, in " + (
        "'alt4_leak'"
    )
    assert inherited(asked, [far]) == inherited(asked, [])
    unknown = [
        run_of(place, "bare", "alt4_bare"),
        run_of(place, "gone", sha256="another by now"),
        Run(place / "experiments" / "nowhere", STAMP),
    ]
    told = [inherited(asked, [run]) for run in unknown]
    assert not any(one.seen for one in told)
    for one, said in zip(
        told, ("is not known: alt4_bare and", "as it was", "cannot be"), strict=True
    ):
        assert said in one.unknown
    own = asked.dataset_dir, asked.contract
    (line,) = trained_before(asked, [far, leak], own, "test")
    assert line.startswith("2 of 2 tiles of test show ground that the weights it began with (leak/")


def test_a_training_is_refused_before_it_begins(place, caplog):
    asked = made(place, "child", pretrained_generator="plain")
    plain, far = run_of(place, "plain"), run_of(place, "far", "alt4_far")
    said = (
        r"calibration: does not go with pretrained_generator: plain/.* looked at all of val; train"
    )
    with pytest.raises(ConfigErrors, match=said):
        with_pretrained(Start(), asked, lambda: plain)
    with pytest.raises(ConfigErrors, match="does not go with --restore: plain/"):
        with_pretrained(Start(source=plain), asked, lambda: None)
    with pytest.raises(ConfigErrors, match="does not go with --fork: plain/"):
        with_pretrained(Start(fork=plain), asked, lambda: None)
    assert with_pretrained(Start(), asked, lambda: far).pretrained == far
    without = made(place, "without", calibration=None)
    assert with_pretrained(Start(), without, lambda: plain).pretrained == plain
    assert not caplog.records
    gone = run_of(place, "gone", sha256="another by now")
    leak = run_of(place, "leak", "alt4_leak")
    with caplog.at_level(logging.WARNING):
        with_pretrained(Start(), asked, lambda: gone)
        with_pretrained(Start(), without, lambda: leak)
    uncalibrated, told = (record.getMessage() for record in caplog.records)
    assert uncalibrated.startswith("calibration: intervals will be uncalibrated: 'alt4_toy', which")
    assert "2 of 2 tiles of test show ground" in told


def test_a_run_that_is_restored_from_itself_remembers_where_it_began(place):
    run, other = (
        Run(place / "experiments" / "resumed", STAMP),
        {"timestamp": "0102-0000", "step": 3},
    )
    own = {"timestamp": STAMP, "step": 5}
    assert began_from({}, run, other) == {}
    assert began_from({"restored_from": other}, run, other) == {}
    kept = began_from({"restored_from": other}, run, own)
    assert began_from({"restored_from": own, **kept}, run, own) == kept
    assert began_from({"restored_from": own}, run, own) == {}
    forked = {"forked_from": {"experiment": "elsewhere", "timestamp": STAMP}}
    assert began_from({"restored_from": own, **kept, **forked}, run, own) == {**kept, **forked}
    assert began_from({"restored_from": own, **forked}, run, own) == forked
    run_of(place, "resumed", calibration={"share": 0.5}, restored_from=own, **kept)
    assert sources_of(run) == [Run(run.exp_dir, "0102-0000")]
    run_of(place, "resumed", calibration={"share": 0.5}, restored_from=own)
    assert ancestors([run]) == [run] and inherited(made(place, "child"), [run]).seen == ""


def test_what_was_calibrated_all_the_same_promises_nothing(place, capsys):
    """Of runs that were trained before anybody asked."""
    asked = made(place, "child")
    run = run_of(place, "child", calibration={"share": 0.5}, **taken(run_of(place, "plain")))
    member = (asked, run, 2)
    with pytest.raises(ConfigError, match=r"child: plain/.* looked at all of val"):
        calibrate.calibrate([member], None)
    assert calibrate.section_of(member, None, "test") is None
    assert "calibration: no intervals, as plain/" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"its intervals promise nothing: plain/"):
        bounded(SimpleNamespace(name="edsr", provenance={}), [member])


def test_a_doubt_is_told_as_long_as_the_quantiles_are_kept():
    from tests.unit.predictors.test_intervals import quantiles_of

    sound = quantiles_of()
    doubted = sound.doubted("nobody knows")
    assert sound.doubted("") is sound and "doubt" not in sound.model_dump(mode="json")
    assert (doubted.called, doubted.promise) == (
        "uncalibrated, 12 blocks", "an estimate, no promise of 90 %: nobody knows",
    )  # fmt: skip
    assert type(sound).model_validate_json(doubted.model_dump_json()) == doubted
