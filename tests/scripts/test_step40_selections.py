"""The folder of step 40 holds what its selection names: scenes taken out, unions, broken runs."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from sensor2sensor.core import files
from sensor2sensor.core.files import SimulatedCrash, crash_at_write
from sensor2sensor.preprocess.tiles import run
from tests.unit.preprocess.tifs_archive import (
    INVENTORY,
    folder_of,
    rows_of,
    scenes,
    select,
    step40,
    tree,
)


def test_a_second_selection_is_a_union_with_keep(both, monkeypatch):
    first, second = scenes(both)
    select(both, first, name="one")
    select(both, second, name="two")
    step40(both, "--quantity", "2", selection="one")
    step40(both, "--quantity", "2", "--keep", selection="two")
    apart = tree(folder_of(both))
    assert {int(row["scene"]) for row in rows_of(folder_of(both))} == {first, second}
    manifest = json.loads(apart["manifest.json"])
    assert manifest["selections"] == ["one", "two"]
    assert manifest["selected"] == sorted([first, second])
    parsed, read_json = Counter(), files.read_json

    def counted(path):
        parsed[path.name] += 1
        return read_json(path)

    monkeypatch.setattr(files, "read_json", counted)
    assert step40(both, "--quantity", "2", "--keep", selection="one") == 0
    assert tree(folder_of(both)) == apart
    # Before the lock, within it, for the quality page; logs where their scene is worked on, too.
    assert (parsed["manifest.json"], parsed[f"{first:05d}.json"]) == (3, 3)


@pytest.mark.parametrize("options", [(), ("--keep",)])
def test_a_run_that_ended_while_this_one_planned_is_not_written_over(
    both, monkeypatch, capsys, options
):
    first, _ = scenes(both)
    select(both, first)
    planned = run.plan_scenes

    def with_another_run_meanwhile(*asked):
        monkeypatch.setattr(run, "plan_scenes", planned)
        assert step40(both, "--quantity", "1", "--seed", "1") == 0
        return planned(*asked)

    monkeypatch.setattr(run, "plan_scenes", with_another_run_meanwhile)
    assert step40(both, "--quantity", "2", *options) == 2
    assert "tiles of other options" in (said := capsys.readouterr().err) or "another run" in said
    assert json.loads(tree(folder_of(both))["manifest.json"])["options"]["seed"] == 1


def test_a_rerun_makes_the_folder_equal_to_the_selection(both, capsys):
    first, second = scenes(both)
    select(both, second)
    step40(both, "--quantity", "2")
    alone = tree(folder_of(both))
    select(both, first, second)
    step40(both, "--quantity", "2")
    assert len(rows_of(folder_of(both))) == 4
    select(both, second)
    capsys.readouterr()
    assert step40(both, "--quantity", "2") == 0
    said = capsys.readouterr().out
    assert f"removed 2 tiles of 1 scenes ({first:05d}), not in the selection" in said
    assert tree(folder_of(both)) == alone


def test_a_dry_run_says_what_another_selection_would_lose(both, capsys):
    first, second = scenes(both)
    select(both, first, name="one")
    select(both, second, name="two")
    step40(both, "--quantity", "2", selection="one")
    before = tree(both)
    capsys.readouterr()
    assert step40(both, "--quantity", "2", "--dry-run", selection="two") == 0
    said = capsys.readouterr().out
    assert f"would remove 2 tiles of 1 scenes ({first:05d}) (the folder was made for one)" in said
    assert "--keep keeps them" in said
    assert step40(both, "--quantity", "2", "--dry-run", "--keep", selection="two") == 0
    assert "would remove" not in capsys.readouterr().out
    assert tree(both) == before


def test_a_union_of_an_earlier_version_is_kept_whole_and_made_equal_without_keep(both):
    first, second = scenes(both)
    step40(both, "--quantity", "1")
    manifest = folder_of(both) / "manifest.json"
    content = json.loads(manifest.read_text())
    del content["selected"]
    files.write_json(manifest, content)
    select(both, second)
    assert step40(both, "--quantity", "1", "--keep") == 0
    assert {int(row["scene"]) for row in rows_of(folder_of(both))} == {first, second}
    assert step40(both, "--quantity", "1") == 0
    assert {int(row["scene"]) for row in rows_of(folder_of(both))} == {second}


def test_a_run_with_a_failure_lists_the_selection_and_removes_no_file(both, capsys):
    first, second = scenes(both)
    select(both, first)
    step40(both, "--quantity", "1")
    kept = {path for path in folder_of(both).iterdir() if path.suffix in (".tif", ".npz")}
    product = next((both / "s2").glob("*.zip"))
    whole = product.read_bytes()
    product.write_bytes(whole[: len(whole) // 2])
    select(both, second)
    assert step40(both, "--quantity", "1") == 1
    said = capsys.readouterr().out
    assert f"no longer listed: 1 tiles of 1 scenes ({first:05d})" in said
    assert rows_of(folder_of(both)) == []
    assert all(path.is_file() for path in kept)
    product.write_bytes(whole)
    assert step40(both, "--quantity", "1", "--no-verify") == 0
    found = {path for path in folder_of(both).iterdir() if path.suffix in (".tif", ".npz")}
    assert found and all(path.name.startswith(f"{second:05d}_") for path in found)


def test_taking_scenes_out_may_break_off_at_any_write(both):
    first, second = scenes(both)
    select(both, second)
    step40(both, "--quantity", "1", "--no-verify")
    alone = tree(folder_of(both))
    for n in range(1, 20):
        select(both, first, second)
        assert step40(both, "--quantity", "1", "--no-verify") == 0
        select(both, second)
        try:
            with crash_at_write(n):
                step40(both, "--quantity", "1", "--no-verify")
        except SimulatedCrash:
            listed = rows_of(folder_of(both))
            assert all((folder_of(both) / f"{row['tile']}.tif").is_file() for row in listed)
            assert step40(both, "--quantity", "1", "--no-verify") == 0
            assert tree(folder_of(both)) == alone, f"write {n}"
        else:
            break
    # table, manifest, the tile's three files, log, overlay, quality table and page
    assert n == 1 + 2 + 3 + 1 + 1 + 2


def test_a_selection_may_name_the_inventory_s_file_and_be_named_as_a_file(both):
    select(both, scenes(both)[0], inventory=f"{INVENTORY}.csv")
    assert step40(both, "--quantity", "1", selection="sel.json") == 0
    assert len(rows_of(folder_of(both))) == 1
