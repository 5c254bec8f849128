"""What a source of one's own may get wrong, or change later, and what the writer says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError, OutputExistsError
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec, load_contract
from sensor2sensor.dataset.ledger import read_split, write_split
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.dataset.splits import TilePlace
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.evaluation.tables import ground_note
from sensor2sensor.sources.source import Item, Listing, listing, with_validation
from sensor2sensor.sources.writer import run
from sensor2sensor.sources.writer.existing import look_around
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.run import write
from sensor2sensor.sources.writer.samples import source_key
from tests.fakes_source import ToySource, toy_dataset
from tests.fakes_tiles import snapshot

ADD = WriteOptions(add=True)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("toy")
    toy_dataset(root, photos=1)
    return root


class Changed(ToySource):
    """The toy with other facts of its items."""

    def __init__(self, change=lambda item: item, **source) -> None:
        super().__init__(photos=1, **source)
        self.change = change

    def plan(self) -> Listing:
        return listing(self.name, [self.change(item) for item in super().plan().items])


def test_a_name_that_another_listing_holds_is_refused(tmp_path: Path) -> None:
    folder = toy_dataset(tmp_path, photos=1)
    before = (folder / "split.csv").read_bytes()

    def as_in_album(item: Item) -> Item:
        return replace(item, name=item.name.replace("second", "album"))

    words = "'toy': 8 samples of second are named as those of album, first of them album__a0"
    with pytest.raises(DatasetError, match=words):
        write(Changed(as_in_album, name="second"), tmp_path, ADD)
    assert (folder / "split.csv").read_bytes() == before


@pytest.mark.parametrize(("changed", "words"), [
    ({}, "lists album__a0 twice"),
    ({"name": "other"}, "lists album__a0 and other at one place of"),
])  # fmt: skip
def test_lines_that_claim_one_record_are_refused(
    tmp_path: Path, changed: dict[str, str], words: str
) -> None:
    folder = toy_dataset(tmp_path, photos=1)
    rows = read_split(folder)
    write_split(folder, [*rows, replace(rows[0], **changed)])
    said = json.loads((folder / "dataset.json").read_text())
    said["splits"][rows[0].split]["count"] += 1
    said["split_csv_sha256"] = files.sha256(folder / "split.csv")
    files.write_json(folder / "dataset.json", said)
    with pytest.raises(DatasetError, match=words):
        verify_dataset(folder)


class Split(ToySource):
    """The toy split in another way, which its options do not say."""

    def __init__(self, **policy) -> None:
        super().__init__(photos=1)
        (draft,) = self.drafts
        policy = draft.split_policy.model_copy(update=policy)
        self.drafts = (draft.model_copy(update={"split_policy": policy}),)


class Wider(ToySource):
    """The toy with a band called otherwise, which its options do not say."""

    def __init__(self) -> None:
        super().__init__(photos=1)
        (draft,) = self.drafts
        *bands, blue = draft.target.bands
        bands = (*bands, blue.model_copy(update={"wavelength_nm": 490.0}))
        self.drafts = (
            draft.model_copy(update={"target": draft.target.model_copy(update={"bands": bands})}),
        )


class Newer(ToySource):
    """The toy whose samples are made in another way."""

    version = 2


PLACE = TilePlace("x", 32617, 5e5, 5e6, 320.0, "")


@pytest.mark.parametrize(("source", "words"), [
    (Split(by="acquisition"), r"split.by: group \(there\) against acquisition \(asked\)"),
    (Split(seed=10), "split.seed: 9"),
    (Split(train_ratio=0.8), "split.train_ratio: 0.7"),
    (Wider(), r"target.bands.blue.wavelength_nm: None \(there\) against 490.0"),
    (Newer(photos=1), "version of the source: 1"),
    (Changed(lambda item: replace(item, place=PLACE)), "the list of items of album has changed"),
    (Changed(lambda item: replace(item, overpass="later")), "the list of items of album"),
    (Changed(lambda item: replace(item, time_gap_h=1.0)), "the list of items of album"),
], ids=["by", "seed", "ratio", "form", "version", "place", "overpass", "gap"])  # fmt: skip
def test_a_repeat_sees_what_changed(toy: Path, source: ToySource, words: str) -> None:
    before = (toy / "toy" / "32" / "dataset.json").stat().st_mtime_ns
    with pytest.raises(OutputExistsError, match=words):
        write(source, toy, WriteOptions())
    assert (toy / "toy" / "32" / "dataset.json").stat().st_mtime_ns == before


def test_a_repeat_sees_another_shard_and_no_change_in_a_tuple(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OutputExistsError, match=r"shard: 1 \(there\) against 5 \(asked\)"):
        write(ToySource(photos=1), toy, WriteOptions(shard=5))
    source = ToySource(photos=1)
    source.options = {**source.options, "colours": ("red", "green")}
    for _ in range(2):
        assert write(source, tmp_path, WriteOptions()) == 0
    assert "0 done, 8 already there" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["version", "form", "made_from", "photo"])
def test_whatever_a_sample_is_made_from_tells_it_from_another(key: str) -> None:
    source, form = ToySource(), ToySource().drafts[0]
    keys = {source_key(source, Item("x", "a", {key: value}), form) for value in (1, 2, {key: 1})}
    other = form.model_copy(update={"factor": 1.0})
    keys |= {source_key(Newer(), Item("x", "a", {key: 1}), form)}
    keys |= {source_key(source, Item("x", "a", {key: 1}), other)}
    assert len(keys) == 5
    # A mean over the satellites of all samples: one of another makes no record anew.
    bands = tuple(b.model_copy(update={"wavelength_nm": 500.5}) for b in form.input.bands)
    seen = form.model_copy(update={"input": form.input.model_copy(update={"bands": bands})})
    assert source_key(source, Item("x", "a", {key: 1}), seen) in keys


def test_what_another_run_added_before_the_locks_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy_dataset(tmp_path, photos=1)
    runs = iter([ToySource(photos=1, name="second")])

    def looked(*args):
        found = look_around(*args)
        for other in runs:
            write(other, tmp_path, ADD)
        return found

    monkeypatch.setattr(run, "look_around", looked)
    assert write(ToySource(photos=1, name="third"), tmp_path, ADD) == 0
    known = load_contract(folder).provenance["inventories"]
    assert [facts["name"] for facts in known] == ["album", "second", "third"]
    assert verify_dataset(folder)["files"] == len(read_split(folder)) == 24


@pytest.mark.parametrize("by", ["given", "acquisition"])
def test_ground_that_nobody_knows_is_told_so_without_a_share(tmp_path: Path, by: str) -> None:
    source = Changed(lambda item: replace(item, unit=item.name), by=by)
    assert write(source, tmp_path, WriteOptions()) == 0
    contract = load_contract(tmp_path / "toy" / "32")
    assert (contract.split_policy.ground, contract.split_policy.ground_shared) == ("unknown", {})
    said = f"split by {by} (ground unknown)"
    assert (
        ground_note(contract, "test")
        == f"{said}: an unknown share of the ground of 'test' is in 'train' too"
    )


def test_records_of_another_name_and_values_without_a_place_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Odd(ToySource):
        def read(self, item):
            (record,) = super().read(item)
            extras = {**record.extras, "haze": record.target[..., 0], "gap_h": np.float64("nan")}
            if item.unit == "a":
                return (replace(record, name="stranger", extras=extras),)
            if item.unit == "b":
                extras["gap_h"] = np.float64(1e300)
            if item.unit == "c":
                extras["haze"] = np.where(extras["haze"] > 90, np.nan, extras["haze"])
            if item.unit == "d":
                extras["gap_h"] = np.array("soon")
            return (replace(record, extras=extras),)

    source = Odd(photos=1, cities="abcdefghijklmn")
    haze = ExtraSpec(name="haze", dtype="float32", shape=(32, 32), unit="DN", role="image")
    gap = ExtraSpec(name="gap_h", dtype="float32", shape=(), unit="h")
    extras = (*source.drafts[0].extras, haze, gap)
    source.drafts = (source.drafts[0].model_copy(update={"extras": extras}),)
    assert write(source, tmp_path, WriteOptions()) == 1
    out = capsys.readouterr().out
    assert "album__a0: its record is named 'stranger'" in out
    assert "album__b0: values of 'gap_h' do not fit float32" in out
    assert "album__c0: NaN or infinity in 'haze'" in out
    assert "album__d0: 'gap_h' is no float32" in out
    assert verify_dataset(tmp_path / "toy" / "32")["files"] == 10


class Failing(ToySource):
    """The toy with samples whose reading goes wrong in ways of its own."""

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        if item.name == "album__a1":
            raise ValueError("no\nsuch colour")
        made = super().read(item)
        return made[:-1] if item.name == "album__b0" else made


@pytest.mark.parametrize("shard", [1, 5])
def test_whatever_a_source_raises_costs_its_item_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shard: int
) -> None:
    folder, options = tmp_path / "toy" / "32", WriteOptions(shard=shard)
    assert write(Failing(photos=2), tmp_path, options) == 1
    told = capsys.readouterr().out
    assert "failed: album__a1: ValueError: no such colour" in told
    assert "failed: album__b0: its source gave 0 records for 1 data sets" in told
    assert "14 done, 0 already there, 2 failed" in told
    contract = load_contract(folder)
    counts = [contract.splits[split].count for split in ("train", "val", "test")]
    assert (contract.split_policy.refused, sum(counts)) == (2, 14)
    verify_dataset(folder)

    # A table that claims what is missing is not that of a whole data set.
    rows = read_split(folder)
    write_split(folder, [replace(r, split="train") if r.name == "album__a1" else r for r in rows])
    with pytest.raises(DatasetError, match=r"does not belong to dataset\.json"):
        verify_dataset(folder)
    write_split(folder, rows)

    assert write(ToySource(photos=2), tmp_path, options) == 0
    assert "2 done, 14 already there, 0 failed" in capsys.readouterr().out
    toy_dataset(tmp_path / "whole", photos=2, write_with=options)
    assert snapshot(tmp_path, "toy") == snapshot(tmp_path / "whole", "toy")


def test_validation_is_drawn_from_train_by_whole_units() -> None:
    items = [
        Item(f"{u}{n}", u, {}, "test" if u in "ab" else "train") for u in "abcdef" for n in "12"
    ]
    drawn = with_validation(items, 2, seed=3)
    val = {item.unit for item in drawn if item.split == "val"}
    assert len(val) == 2 and val <= set("cdef")
    assert {item.unit for item in drawn if item.split == "train"} == set("cdef") - val
    assert [item.split for item in drawn[:4]] == ["test"] * 4
    more = with_validation([*items, Item("g1", "g", {}, "train")], 2, seed=3)
    assert len(val & {item.unit for item in more if item.split == "val"}) >= 1
    for count in (0, 4):
        with pytest.raises(DatasetError, match=f"{count} units of train cannot go .* it has 4"):
            with_validation(items, count, seed=3)


def test_force_gets_past_damaged_lists_and_never_out_of_the_folder(tmp_path: Path) -> None:
    folder = toy_dataset(tmp_path, photos=1)
    outside = tmp_path / "toy" / "mine.tfrecord"
    outside.write_bytes(b"mine")
    note = {"options": {}, "inventories": ["album"], "files": ["../mine.tfrecord", "notes.txt"]}
    (folder / "building.json").write_text(json.dumps(note))
    (folder / "notes.txt").write_text("mine")
    write(ToySource("stuvwxyz", photos=1), tmp_path, WriteOptions(force=True))
    table = folder / "split.csv"
    table.write_text(table.read_text().replace(",album,", ",al\nbum,", 1))
    write(ToySource(photos=1), tmp_path, WriteOptions(force=True))
    assert outside.exists() and (folder / "notes.txt").exists()
    assert verify_dataset(folder)["files"] == len(list(folder.rglob("*.tfrecord"))) == 8


@pytest.mark.parametrize("name", ["model", "self", "step", "input_image"])
def test_extras_leave_the_arguments_of_a_step_alone(name: str) -> None:
    draft = ToySource().drafts[0]
    extra = ExtraSpec(name=name, dtype="float32", shape=(), unit="1")
    changed = draft.model_copy(update={"extras": (extra,)}).model_dump()
    with pytest.raises(ValidationError, match=f"the name of extra '{name}' is taken"):
        DatasetContract.model_validate(changed)


@pytest.mark.parametrize("name", ["", "a b", "x@y", "a,b", "über"])
def test_strata_are_words(name: str) -> None:
    given = {"dtype": "uint8", "shape": (4, 4), "unit": "1", "role": "mask"}
    with pytest.raises(ValidationError, match="is no word of letters"):
        ExtraSpec(name="shade", strata={name: (1,)}, **given)
