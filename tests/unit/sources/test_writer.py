"""The shared writer, used by a source of a few lines: what is kept, refused, added and said."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import DatasetError, InputError, OutputExistsError
from sensor2sensor.dataset.contract import SPLITS, load_contract
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.preprocess.records import options as step50_options
from sensor2sensor.preprocess.records.inputs import read_tiles
from sensor2sensor.preprocess.records.source import TileSource
from sensor2sensor.sources.source import Item, listing
from sensor2sensor.sources.writer.finish import ground_of
from sensor2sensor.sources.writer.options import WriteOptions, add_arguments, write_options
from sensor2sensor.sources.writer.run import write
from tests import fakes_door
from tests.fakes_source import ToySource, toy_dataset
from tests.fakes_tiles import grid_tiles, own_environment, snapshot, write_tiles
from tests.unit.test_architecture import NUMBERED_LINES


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_dataset(tmp_path_factory.mktemp("toy"))


def times(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_a_fresh_data_set_is_whole_and_split_by_group(toy: Path) -> None:
    contract, rows = load_contract(toy), read_split(toy)
    counts = verify_dataset(toy, thorough=True)
    assert {split: counts[split] for split in SPLITS} == {"train": 12, "val": 6, "test": 6}
    assert counts["files"] == counts["hashed"] == 24
    assert len({(row.block, row.split) for row in rows}) == 8 == len({row.block for row in rows})
    assert {row.epsg for row in rows} == {row.ulx_m for row in rows} == {None}
    assert {row.seen_by for row in rows} == {row.name for row in rows}
    policy = contract.split_policy
    assert policy.ground == "group" and policy.ground_shared == {"val": 0.0, "test": 0.0}
    assert policy.described() == "split by group (ground known by groups)"


def test_records_hold_both_grids_and_the_mask(toy: Path) -> None:
    contract = load_contract(toy)
    assert contract.input_px == (16, 16) and contract.input.max_pixels == 256
    for record in iterate_refs(list_records(toy, "val"), contract):
        assert record.target.shape == (32, 32, 3) and record.extras["shade"].dtype == np.uint8
        assert record.input_dense is not None
        blocks = record.target.reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
        assert np.array_equal(record.input_dense, np.rint(blocks))


def test_fixed_ranges_stand_while_the_rest_is_measured(toy: Path) -> None:
    contract = load_contract(toy)
    records = list(iterate_refs(list_records(toy, "train"), contract))
    red = np.stack([record.target[..., 0] for record in records])
    found = contract.statistics["target"][0]
    assert (found.low, found.high, found.output_low, found.output_high) == (0, 255, 0, 255)
    assert (found.minimum, found.maximum) == (red.min(), red.max())
    assert found.mean == pytest.approx(red.mean(dtype=np.float64))
    given = contract.statistics["input"][0]
    assert (given.low, given.high, given.output_low) == (0, 255, None)


def test_a_repeat_rewrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = toy_dataset(tmp_path)
    before = times(folder)
    assert write(ToySource(), tmp_path, WriteOptions(dry_run=True)) == 0
    assert write(ToySource(), tmp_path, WriteOptions()) == 0
    assert times(folder) == before
    assert "step 59: 0 done, 24 already there, 0 failed" in capsys.readouterr().out


def test_a_run_killed_between_files_goes_on_and_keeps_them(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(9):
        toy_dataset(tmp_path)
    folder = tmp_path / "toy" / "32"
    assert not (folder / "dataset.json").exists()
    made = times(folder / "train")
    assert len(made) >= 7
    toy_dataset(tmp_path)
    whole = {path: mtime for path, mtime in made.items() if not path.endswith(".part")}
    assert whole.items() <= times(folder / "train").items()
    assert snapshot(tmp_path, "toy") == snapshot(toy.parents[1], "toy")


def test_a_bad_item_is_refused_with_its_reason_and_the_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ToySource(bad=("album__a1",))
    assert write(source, tmp_path, WriteOptions(workers=1)) == 1
    assert "failed: album__a1: its photo is torn" in capsys.readouterr().out
    row = {r.name: r for r in read_split(tmp_path / "toy" / "32")}["album__a1"]
    assert (row.split, row.reason, row.file) == ("refused", "its photo is torn", "")
    assert verify_dataset(tmp_path / "toy" / "32")["files"] == 23


def test_a_second_listing_is_added_and_no_city_moves(tmp_path: Path) -> None:
    folder = toy_dataset(tmp_path, seed=9)
    before = {row.block: row.split for row in read_split(folder)}
    more = ToySource("abcxyz", name="second")
    with pytest.raises(OutputExistsError, match="holds a data set of album, not of second"):
        write(more, tmp_path, WriteOptions())
    assert write(more, tmp_path, WriteOptions(add=True)) == 0
    rows = read_split(folder)
    assert len(rows) == 24 + 18
    assert {row.block: row.split for row in rows}.items() >= before.items()
    known = load_contract(folder).provenance["inventories"]
    assert [facts["name"] for facts in known] == ["album", "second"]
    with pytest.raises(OutputExistsError, match="the list of items of album has changed since"):
        toy_dataset(tmp_path, photos=4)


def test_other_options_need_force_which_removes_what_was_listed(tmp_path: Path) -> None:
    folder = toy_dataset(tmp_path)
    with pytest.raises(OutputExistsError, match=r"factor: 2 \(there\) against 4 \(asked\)"):
        toy_dataset(tmp_path, factor=4)
    force = WriteOptions(force=True, shard=5)
    toy_dataset(tmp_path, factor=4, write_with=force)
    assert load_contract(folder).input_px == (8, 8)
    listed = {row.file for row in read_split(folder)}
    assert {str(p.relative_to(folder)) for p in folder.rglob("*.tfrecord")} == listed
    assert len(listed) == 3 + 2 + 2
    assert verify_dataset(folder)["train"] == 12


def test_a_dry_run_says_what_would_be_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write(ToySource(), tmp_path, WriteOptions(dry_run=True)) == 0
    out = capsys.readouterr().out
    assert "would write toy: 12 train, 6 val, 6 test, 0 dropped" in out
    assert "24 would be done" in out and not list(tmp_path.iterdir())


def test_shards_hold_the_same_records_as_single_files(toy: Path, tmp_path: Path) -> None:
    packed = toy_dataset(tmp_path, write_with=WriteOptions(shard=4))
    one, other = load_contract(toy), load_contract(packed)
    assert one.statistics == other.statistics
    pairs = zip(list_records(toy, "train"), list_records(packed, "train"), strict=True)
    for a, b in pairs:
        alone, among = next(iterate_refs([a], one)), next(iterate_refs([b], other))
        assert alone.name == among.name and np.array_equal(alone.target, among.target)
        assert np.array_equal(alone.input_dense, among.input_dense)


def test_given_splits_are_taken_and_a_unit_in_two_is_named(tmp_path: Path) -> None:
    folder = toy_dataset(tmp_path, by="given", cities="abc")
    assert {(row.block, row.split) for row in read_split(folder)} == {
        ("a", "train"), ("b", "val"), ("c", "test"),
    }  # fmt: skip
    policy = json.loads((folder / "dataset.json").read_text())["split_policy"]
    assert (policy["by"], policy["train_ratio"], policy["ground"]) == ("given", None, "group")

    class Leaky(ToySource):
        def plan(self):
            leak = Item("album__z", "a", {}, "test")
            return listing("album", [*super().plan().items, leak])

    with pytest.raises(DatasetError, match="unit 'a' is in two given splits: train and test"):
        write(Leaky(by="given"), tmp_path / "b", WriteOptions())


def test_an_empty_split_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"split would be empty: .* dropped tiles on 1 groups"):
        toy_dataset(tmp_path, cities="a")
    with pytest.raises(DatasetError, match=r"test split would be empty.*samples of every split"):
        toy_dataset(tmp_path, by="given", cities="ab")
    assert not list(tmp_path.iterdir())


def test_a_constant_band_is_refused_though_its_range_is_fixed(tmp_path: Path) -> None:
    class Flat(ToySource):
        def read(self, item):
            (record,) = super().read(item)
            record.target[..., 1] = 7
            return (record,)

    words = r"target band green is constant over the train split \(7 DN\); leave the band out when"
    with pytest.raises(DatasetError, match=words):
        write(Flat(), tmp_path, WriteOptions())
    assert not list(tmp_path.rglob("dataset.json"))


def test_groups_that_train_shows_too_are_counted() -> None:
    def row(split: str, block: str) -> SplitRow:
        empty = ("", 0, 0, 0, "", "", None, None, None, None, None, 0, "")
        return SplitRow("n", split, block, 0, "i", *empty)

    rows = [row("train", "a"), row("train", "b"), row("test", "b"), row("test", "c")]
    found = ground_of([*rows, row("val", "d")], ToySource().drafts[0])
    assert found == {"ground": "group", "ground_shared": {"val": 0.0, "test": 0.5}}


def test_two_samples_of_one_name_are_refused() -> None:
    with pytest.raises(DatasetError, match="two samples of one name: x"):
        listing("album", [Item("x", "a", {}), Item("x", "b", {})])


@pytest.mark.parametrize(("name", "unit"), [("../x", "a"), (".x", "a"), ("x", ""), ("x", "a+b")])
def test_names_that_files_and_tables_cannot_hold_are_refused(name: str, unit: str) -> None:
    with pytest.raises(DatasetError, match="cannot be named so"):
        listing("album", [Item(name, unit, {})])


def test_a_door_of_given_splits_has_no_ratios() -> None:
    parser = cli.parser("", prog="59", steps=True)
    add_arguments(parser, ratios=None)
    assert write_options(parser.parse_args(["--shard", "3", "--add"])) == WriteOptions(3, add=True)
    with pytest.raises(InputError, match="--shard 0 is less than 1"):
        write_options(parser.parse_args(["--shard", "0"]))
    parser = cli.parser("", prog="59", steps=True)
    add_arguments(parser, ratios=(0.8, 0.1))
    with pytest.raises(InputError, match=r"--train_ratio 1.5 is not in .*; --val_ratio 0.0 is not"):
        write_options(parser.parse_args(["--train-ratio", "1.5", "--val-ratio", "0"]))


def test_the_door_of_the_page_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = own_environment(tmp_path)
    assert fakes_door.main(["--album", "album", "--shard", "0", *own]) == 2
    assert "59_toy.py: --shard 0 is less than 1; see --help" in capsys.readouterr().err
    assert fakes_door.main(["--album", "mine", "--shard", "5", "--seed", "9", *own]) == 0
    assert verify_dataset(tmp_path / "toy" / "32")["files"] == 7
    numbered = Path(fakes_door.__file__).with_name("fakes_numbered.py").read_text()
    assert len(numbered.splitlines()) <= NUMBERED_LINES and "fakes_door import main" in numbered


def test_a_source_goes_to_its_workers_without_its_items(tmp_path: Path) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, 320))
    parser = cli.parser("", prog="50", steps=True)
    step50_options.add_arguments(parser)
    named = ["--inventory", "inv_T17XNA_10h", "--dataset", "toy", "--tilesize", "16"]
    args = parser.parse_args([*named, "--factors", "3", *own_environment(tmp_path)])
    tiles = read_tiles(load_environment(args.environment), args.inventory, 16)
    source = TileSource(tiles, step50_options.from_arguments(args))
    there = pickle.loads(pickle.dumps(source))
    assert b"00000_320x320" not in pickle.dumps(source)
    item = source.plan().items[0]
    assert [r.name for r in there.read(item)] == [item.name] * 2
