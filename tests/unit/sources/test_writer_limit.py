"""A data set of the beginning of a listing: another one than that of the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.core.errors import OutputExistsError
from sensor2sensor.dataset.contract import SPLITS, load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.source import Item, folder_of, listing
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.run import write
from tests.fakes_source import ToySource
from tests.fakes_tiles import snapshot


def test_the_rest_is_taken_in_by_add_and_by_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, whole = ToySource(), ToySource()
    assert write(source, tmp_path / "a", WriteOptions(limit=18, dry_run=True)) == 0
    assert "18 would be done" in capsys.readouterr().out
    assert not (tmp_path / "a" / "toy").exists()
    assert write(source, tmp_path / "a", WriteOptions(limit=18)) == 0
    folder = folder_of(tmp_path / "a", source.drafts[0])
    rows = read_split(folder)
    names = [item.name for item in source.plan().items]
    assert [row.name for row in rows] == names[:18] and {row.split for row in rows} == set(SPLITS)
    facts = load_contract(folder).provenance["inventories"][0]
    assert facts["limit"] == 18 == facts["tiles"]

    capsys.readouterr()
    assert write(source, tmp_path / "a", WriteOptions(limit=18)) == 0
    assert "0 done, 18 already there" in capsys.readouterr().out
    for other, hint in ((None, "--add to go on to all"), (15, "--force to replace it by")):
        with pytest.raises(OutputExistsError, match=f"holds the first 18 samples.*{hint}"):
            write(source, tmp_path / "a", WriteOptions(limit=other))
    with pytest.raises(OutputExistsError, match="leave out --limit 15"):
        write(source, tmp_path / "a", WriteOptions(limit=15, add=True))

    assert write(source, tmp_path / "a", WriteOptions(add=True)) == 0
    assert "6 done, 18 already there" in capsys.readouterr().out
    assert write(whole, tmp_path / "b", WriteOptions()) == 0
    assert snapshot(folder) == snapshot(folder_of(tmp_path / "b", source.drafts[0]))
    verify_dataset(folder, thorough=True)
    with pytest.raises(OutputExistsError, match="holds all samples"):
        write(source, tmp_path / "a", WriteOptions(limit=18, add=True))


def test_of_given_splits_the_first_of_each_are_taken() -> None:
    counts = {"train": 12, "val": 3, "test": 6}
    items = [
        Item(f"{split}{n:02}", f"{split}{n}", {"n": n}, split=split)
        for split, count in counts.items()
        for n in range(count)
    ]
    made = listing("toy", items)
    for limit in (3, 7, 14, 20):
        taken = made.first(limit, given=True).items
        assert len(taken) == limit and list(taken) == sorted(taken, key=lambda item: item.name)
        for split, count in counts.items():
            names = [item.name for item in taken if item.split == split]
            assert names == [f"{split}{n:02}" for n in range(len(names))]
            assert 1 <= len(names) <= 1 + count * limit / len(items)
        before = {item.name for item in made.first(limit - 1, given=True).items}
        assert before < {item.name for item in taken}


def test_of_given_splits_none_that_is_left_out_is_taken() -> None:
    splits = ("train", "val", "test") * 4
    items = [
        Item(f"{n:02}", f"{n}", {"n": n}, split=split, left_out="no mask" if n % 2 else "")
        for n, split in enumerate(splits)
    ]
    items += [Item(f"{n}", f"{n}", {"n": n}, left_out="in no list") for n in range(20, 30)]
    taken = listing("toy", items).first(4, given=True).items
    assert [item.name for item in taken] == ["00", "02", "04", "06"]
    assert {item.split for item in taken} == {"train", "val", "test"}


def test_a_limit_beyond_the_listing_is_none(tmp_path: Path) -> None:
    source = ToySource()
    assert write(source, tmp_path, WriteOptions(limit=24)) == 0
    assert (
        "limit"
        not in load_contract(folder_of(tmp_path, source.drafts[0])).provenance["inventories"][0]
    )
    assert write(source, tmp_path, WriteOptions()) == 0
