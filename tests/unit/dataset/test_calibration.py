"""The part of val that calibrates intervals: whole blocks, the same for all, read by nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from experiment import Experiment
from sensor2sensor.config.calibration import CalibrationSettings
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, ConfigErrors, InputError
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.calibration import (
    divided,
    elsewhere_of,
    in_words,
    parts_of,
    tried_rows,
    unread,
)
from sensor2sensor.dataset.ledger import read_split, write_split
from sensor2sensor.dataset.recordfile import list_records
from tests.fakes_dataset import make_dataset

SETTINGS = {
    "model_name": "edsr", "dataset": "alt4_toy", "tilesize": 64, "batch_size": 2,
    "gen_loss": {"gen_l1": 1}, "discriminator": None, "calibration": {"share": 0.5},
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("calibration")
    make_dataset(root / "data", name="alt4_toy", factor=4, train=2, val=6, test=2)
    (root / "environment.json").write_text("{}")
    return root


def experiment(place, name="a", **changes) -> Experiment:
    folder = place / "experiments" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps(SETTINGS | changes))
    return Experiment(name, load_environment(place / "environment.json"))


def rows_of(*blocks: str, split: str = "val"):
    """Lines of split.csv that touch these blocks."""
    return [SimpleNamespace(name=f"{split}{n}", split=split, block=b) for n, b in enumerate(blocks)]


def test_blocks_are_whole_and_a_tile_between_them_belongs_to_neither():
    blocks = [f"r{n}c0" for n in range(10)]
    rows = rows_of(*blocks, *blocks, *(f"{a}+{b}" for a in blocks for b in blocks if a < b))
    rows += rows_of("r0c0", "r9c9", split="train")
    parts = divided(rows, 3, 0.4)
    assert len(parts.blocks) == 4 and parts.blocks < set(blocks)
    for row in rows[:-2]:
        touched = set(row.block.split("+"))
        assert (row.name in parts.calibrating) == (touched <= parts.blocks)
        assert (row.name in parts.watched) == (not touched & parts.blocks)
    sides = parts.calibrating, parts.watched, parts.between
    assert sum(map(len, sides)) == len(frozenset().union(*sides)) == len(rows) - 2
    assert [len(side) for side in sides] == [8 + 6, 12 + 15, 24]
    assert parts.aside == parts.calibrating | parts.between


def test_the_draw_is_keyed_and_a_larger_share_keeps_what_a_smaller_one_has():
    rows = rows_of(*(f"b{n}" for n in range(40)))
    drawn = [divided(rows, 0, share).blocks for share in (0.1, 0.25, 0.5, 0.9)]
    assert [len(one) for one in drawn] == [4, 10, 20, 36]
    assert all(small < large for small, large in pairwise(drawn))
    assert divided(rows[::-1], 0, 0.5).blocks == drawn[2] != divided(rows, 1, 0.5).blocks
    # Neither part is empty where there are two blocks at all.
    few = rows_of("x", "y", "y")
    assert {len(divided(few, 0, share).blocks) for share in (0.01, 0.99)} == {1}
    assert not divided(few[1:], 0, 0.5).calibrating


def test_a_training_without_the_key_reads_what_it_always_did(place):
    plain = experiment(place, calibration=None)
    assert parts_of(plain) is None and unread(plain) is plain.excluded.names


def test_one_block_cannot_be_divided(place, tmp_path):
    lone = make_dataset(tmp_path / "data", name="alt4_toy", factor=4, train=1, val=2, test=1)
    write_split(lone, [replace(row, block="b0") for row in read_split(lone)])
    asked = SimpleNamespace(
        dataset_dir=lone, config=SimpleNamespace(calibration=CalibrationSettings()),
        contract=SimpleNamespace(split_policy=SimpleNamespace(seed=0)),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="leaves no tile to calibrate on: val has 2 tiles"):
        parts_of(asked)


def test_the_user_is_told_how_many_blocks_promise_something():
    rows = rows_of(*(f"b{n}" for n in range(10)))
    parts = divided(rows, 0, 0.5)
    held = [row for row in rows if row.name in parts.calibrating]
    told = in_words(held, parts, 0.9, 9)
    assert "9 would promise 90 %, 5 give an estimate (uncalibrated)" in told
    assert "uncalibrated" not in in_words(held, parts, 0.5, 1)


def test_filters_may_leave_nothing_to_calibrate_on(place):
    names = sorted(parts_of(experiment(place)).calibrating)
    (place / "experiments" / "none").mkdir(parents=True)
    (place / "experiments" / "none" / "bad.txt").write_text("\n".join(names))
    with pytest.raises(InputError, match="leave no tile to calibrate on"):
        tried_rows(experiment(place, "none", exclude_tiles="bad.txt"), "val")
    assert [row.split for row in tried_rows(experiment(place), "test")] == ["test", "test"]


def test_l2_has_no_physical_values_to_calibrate(place):
    with pytest.raises(ConfigErrors, match=r"calibration: needs physical values"):
        experiment(place, "l2", normalisation="l2")


def test_nothing_that_looks_at_val_opens_a_tile_that_is_set_aside(place, tmp_path):
    """With the files of those tiles gone every reader of val goes on as before."""
    import shutil

    from sensor2sensor.pipeline.clipping import clipped_share
    from sensor2sensor.training.batches import reader_options, sheet_batches, validation_batches
    from sensor2sensor.training.readiness import check_data
    from sensor2sensor.training.show import read_pairs

    copy = tmp_path / "copy"
    shutil.copytree(place / "data", copy / "data")
    (copy / "environment.json").write_text("{}")
    asked = experiment(copy)
    parts = parts_of(asked)
    assert len(parts.calibrating) == len(parts.watched) == 3
    shown = sorted(parts.watched)[:1]
    asked = experiment(copy, sample_tiles=shown)
    counts, told = check_data(asked)  # looks at all files, before they are gone
    assert counts["val"] == 3 and any("set aside" in line for line in told)
    for ref in list_records(asked.dataset_dir, "val"):
        if ref.name in parts.aside:
            ref.path.unlink()
    options = reader_options(asked, asked.environment)
    seen = [validation_batches(asked, options), sheet_batches(asked, options)]
    names = [{n.decode() for b in batches for n in b["name"].numpy()} for batches in seen]
    assert names == [set(parts.watched), set(shown)]
    assert clipped_share(asked.dataset_dir, asked.contract, Bounds(), "val", *options.filters) == 0
    pairs = read_pairs(asked, options, split="val", count=9)
    assert set(pairs.names) == set(parts.watched)
    named = experiment(copy, sample_tiles=sorted(parts.calibrating)[:1])
    with pytest.raises(ConfigErrors, match="set aside by calibration"):
        from sensor2sensor.training import readiness

        readiness._refuse_unknown_tiles(named, {"train": [], "val": shown, "test": []})


@pytest.fixture(scope="module")
def copied(place):
    """The same ground as another data set, whose test tiles are what val is here."""
    import shutil

    source, folder = (place / "data" / name / "64" for name in ("alt4_toy", "alt4_copy"))
    shutil.copytree(source, folder)
    turned = {"val": "test", "test": "val", "train": "train"}
    write_split(folder, [replace(row, split=turned[row.split]) for row in read_split(source)])
    same = folder.parents[1] / "alt4_same" / "64"
    shutil.copytree(source, same)
    content = files.read_json(folder / "dataset.json")
    content["split_csv_sha256"] = files.sha256(folder / "split.csv")
    splits = content["splits"]
    splits["val"], splits["test"] = splits["test"], splits["val"]
    files.write_json(folder / "dataset.json", content)
    for one in (folder, same):  # of another time, else it were the very data set trained on
        path = one / "dataset.json"
        path.write_text(path.read_text().replace('"alt4_toy"', f'"{one.parent.name}"'))
        (one / "dataset.sha256").unlink()  # the change is meant
    shutil.copytree(source, folder.parents[1] / "alt4_very" / "64")
    return experiment(place, "other")


def test_coverage_elsewhere_is_of_no_ground_that_was_calibrated_on(copied):
    from calibrate import ground_of
    from sensor2sensor.evaluation.elsewhere import Elsewhere

    other, parts = Elsewhere.of(copied, "alt4_copy", "test"), parts_of(copied)
    assert other.overlap.aside == parts.aside and len(other.overlap.shown) == 6
    told = ground_of((copied, None, None), "test", other)
    assert {row.name for row in told.rows} == parts.watched and told.left_out == 3
    own = ground_of((copied, None, None), "test")
    assert (len(own.rows), own.left_out) == (2, 0)
    # A tile of another file counts to a block that one of that ground lies in.
    rows = rows_of("r0c0", "r0c0+r1c1", "r1c1", split="test")
    assert elsewhere_of(rows, {"test1"}) == (rows[2:], 1)


def test_val_of_the_same_ground_shows_no_block_that_calibrates(copied):
    """Recipes are chosen by it, whatever the data set is called."""
    from sensor2sensor.evaluation.elsewhere import Elsewhere
    from sensor2sensor.evaluation.session import Session

    copied.run.logs_dir.mkdir(parents=True)
    copied.run.run_json.write_text('{"started": "2026-01-01T00:00:00Z"}')
    same = Elsewhere.of(copied, "alt4_same", "val")
    with pytest.raises(ConfigError, match="the run was trained on 'alt4_very'"):
        Elsewhere.of(copied, "alt4_very", "val")
    kept = [
        Session(copied, "0101-0000", 2, "standard", split="val", elsewhere=one)._filters
        for one in (None, same)
    ]
    assert kept[0] == kept[1] and kept[0]["exclude_tiles"] == parts_of(copied).aside
    assert "3 of 6 tiles show ground of the val split of 'alt4_toy' that calibrates" in " ".join(
        same.lines()
    )


def test_a_model_that_cannot_be_calibrated_is_scored_all_the_same(place, monkeypatch, capsys):
    """Else one tile that it fails on would take it out of every table."""
    import calibrate
    from sensor2sensor.core.errors import CheckpointError, ModelContractError

    member = (experiment(place, "fails"), Run(place / "experiments" / "fails", "0101-0000"), 2)

    def failing(error):
        def method_of(*_):
            raise error

        monkeypatch.setattr(calibrate, "method_of", method_of)

    failing(ModelContractError("makes values that are no numbers", where="edsr"))
    assert calibrate.section_of(member, None, "test") is None
    assert "calibration: no intervals: edsr: makes values that are no" in capsys.readouterr().out
    failing(CheckpointError("no checkpoint"))  # whose weights nobody knows is not scored either
    with pytest.raises(CheckpointError):
        calibrate.section_of(member, None, "test")


class Bounds:
    """A normalisation that clips nothing."""

    def clipped(self, values):
        return np.zeros(len(values), bool)
