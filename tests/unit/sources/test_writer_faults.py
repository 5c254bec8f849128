"""What a source of one's own may get wrong, or change later, and what the writer says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.ledger import read_split, write_split
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.source import Item, Listing, listing
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.run import write
from tests.fakes_source import ToySource, toy_dataset

ADD = WriteOptions(add=True)


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
