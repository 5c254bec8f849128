"""Damaged, foreign and outdated evaluations are skipped with a named reason (fault 42)."""

from __future__ import annotations

import json
import shutil

import pytest

from sensor2sensor.report import load
from tests.unit.report import folders


@pytest.fixture
def folder(tmp_path):
    folders.add(tmp_path, "sis2/good", 0.7)
    return tmp_path


def reasons(folder):
    results = load(folder)
    assert [r.facts.experiment for r in results.results] == ["sis2/good"]
    return {skipped.path.name: skipped.reason for skipped in results.skipped}


def edit(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def test_an_absent_folder_holds_nothing(tmp_path):
    results = load(tmp_path / "nowhere")
    assert results.results == () and results.skipped == () and results.groups == ()


def test_a_truncated_table(folder):
    bad = folders.add(folder, "sis2/bad", 0.6)
    table = bad.with_suffix(".csv")
    table.write_bytes(table.read_bytes()[:900])
    (reason,) = reasons(folder).values()
    assert "not the one written with it" in reason and "of 36 rows" in reason


def test_a_missing_table(folder):
    folders.add(folder, "sis2/bad", 0.6).with_suffix(".csv").unlink()
    assert "sis2__bad_0715-0930.csv is missing" in reasons(folder)["sis2__bad_0715-0930.json"]


def test_a_table_without_its_json(folder):
    folders.add(folder, "sis2/bad", 0.6).unlink()
    assert "no .json beside it" in reasons(folder)["sis2__bad_0715-0930.csv"]


@pytest.mark.parametrize(("key", "known"), [("format_version", 1), ("metrics_version", "1 and 2")])
def test_another_version(folder, key, known):
    edit(folders.add(folder, "sis2/bad", 0.6), **{key: 0})
    reason = reasons(folder)["sis2__bad_0715-0930.json"]
    assert f"{key} 0, this program reads {known}" in reason


def test_json_that_is_damaged_foreign_or_unknown(folder):
    (folder / "cut.json").write_text('{"format_version": 1,')
    (folder / "list.json").write_text("[1, 2]")
    (folder / "empty.json").write_text("")
    edit(folders.add(folder, "sis2/bad", 0.6), surprise=True)
    found = reasons(folder)
    assert set(found) == {"cut.json", "list.json", "empty.json", "sis2__bad_0715-0930.json"}
    assert "not written by evaluate.py" in found["list.json"]
    assert "surprise" in found["sis2__bad_0715-0930.json"]


def test_a_table_named_outside_the_folder_is_not_read(folder):
    outside = folder.parent / "secret.csv"
    outside.write_text("name,scene,split,method\n")
    path = folders.add(folder, "sis2/bad", 0.6)
    content = json.loads(path.read_text())
    edit(path, csv={**content["csv"], "file": "../secret.csv"})
    assert "missing" in reasons(folder)["sis2__bad_0715-0930.json"]


def test_profiles_and_data_sets_never_share_a_group(folder):
    folders.add(folder, "sis2/good", 0.7, profile="arisgan")
    folders.add(folder, "sis2/other", 0.7, dataset="alt12_toy")
    folders.add(folder, "sis2/rebuilt", 0.7, sha="cd" * 32)
    folders.add(folder, "sis2/same", 0.6)
    groups = load(folder).groups
    members = [sorted(r.facts.experiment for r in group.results) for group in groups]
    assert sorted(members) == [
        ["sis2/good"], ["sis2/good", "sis2/same"], ["sis2/other"], ["sis2/rebuilt"],
    ]  # fmt: skip
    assert groups[-1].facts.profile == "arisgan" and "profile 'arisgan'" in groups[-1].title


def test_runs_of_one_experiment_are_told_apart(folder):
    folders.add(folder, "sis2/good", 0.6, timestamp="0801-1200")
    (group,) = load(folder).groups
    labels = [group.label(result) for result in group.results]
    assert labels == ["sis2/good (0715-0930)", "sis2/good (0801-1200)"]


def test_evaluations_of_one_checkpoint_are_told_apart_by_their_files(folder):
    (last,) = folder.glob("*good*0715-0930.json")  # later runs of evaluate.py name the step
    shutil.copy(last, named := last.with_name(f"{last.stem}_step-300.json"))
    (group,) = load(folder).groups
    labels = {group.label(r) for r in group.results if r.facts.experiment == "sis2/good"}
    run = "sis2/good (0715-0930)"
    assert labels == {f"{run} [{path.stem}]" for path in (last, named)}


def test_a_file_that_leads_nowhere_is_skipped(folder):
    (folder / "loop.json").symlink_to("loop.json")
    assert reasons(folder)["loop.json"].startswith("cannot be read (")
