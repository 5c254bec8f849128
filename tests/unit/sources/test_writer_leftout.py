"""Samples that their pixels rule out: dropped, counted as such, and not looked at again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.source import Item, LeftOut, Listing, listing
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.run import write
from tests.fakes_source import ToySource
from tests.fakes_tiles import snapshot


class Sifted(ToySource):
    """The toy without the photos of some cities, which only their pixels tell; notes its reads."""

    def __init__(self, ruled: str = "c", mended: tuple[str, ...] = (), **source) -> None:
        super().__init__(**{"photos": 2, **source})
        self.ruled, self.mended = ruled, mended
        self.seen: list[str] = []

    def plan(self) -> Listing:
        items = [
            Item(i.name, i.unit, {**i.made_from, "mended": i.name in self.mended})
            for i in super().plan().items
        ]
        return listing(self.name, items)

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        self.seen.append(item.name)
        if item.unit in self.ruled and item.name not in self.mended:
            raise LeftOut("1 % of it is shaded")
        return super().read(item)


@pytest.mark.parametrize("shard", [1, 3])
def test_a_repeat_reads_what_was_refused_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shard: int
) -> None:
    folder, options = tmp_path / "toy" / "32", WriteOptions(shard=shard)

    def step(source: Sifted, code: int, counts: str, options: WriteOptions = options) -> list[str]:
        assert write(source, tmp_path, options) == code
        told = capsys.readouterr().out
        assert "2 tiles left out by the source once read" in told and counts in told
        return source.seen

    bad = ("album__a1",)
    seen = step(Sifted(bad=bad), 1, "step 59: 13 done, 0 already there, 1 failed")
    assert len(seen) == 16
    rows = {row.name: row for row in read_split(folder)}
    assert (rows["album__c0"].split, rows["album__c0"].reason) == ("dropped", "1 % of it is shaded")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.tfrecord")}
    dry = WriteOptions(shard=shard, dry_run=True)
    assert step(Sifted(bad=bad), 0, "1 would be done, 13 already there", dry) == []
    assert step(Sifted(bad=bad), 1, "0 done, 13 already there, 1 failed") == ["album__a1"]
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert step(Sifted(), 0, "1 done, 13 already there, 0 failed") == ["album__a1"]
    changed = [path for path in before if path.stat().st_mtime_ns != before[path]]
    assert len(changed) == (shard > 1)
    assert step(Sifted(), 0, "0 done, 14 already there, 0 failed") == []
    verify_dataset(folder)
    assert write(Sifted(), tmp_path / "anew", options) == 0
    assert snapshot(tmp_path, "toy") == snapshot(tmp_path / "anew", "toy")


def test_a_mended_file_is_taken_in_by_add_and_the_rest_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, add = tmp_path / "toy" / "32", WriteOptions(add=True)
    assert write(Sifted(), tmp_path, WriteOptions()) == 0
    mended = Sifted(mended=("album__c0", "album__d1"))
    assert write(mended, tmp_path, add) == 0
    assert "\n1 tile left out by the source once read\n" in capsys.readouterr().out
    assert sorted(mended.seen) == ["album__c0", "album__d1"]
    assert {row.name for row in read_split(folder) if row.split == "dropped"} == {"album__c1"}
    # Another listing leaves the notes of the first one as they are.
    assert write(Sifted(name="second"), tmp_path, add) == 0
    noted = ["album__c1", "second__c0", "second__c1"]
    assert list(json.loads((folder / "left_out.json").read_text())) == noted
    force = Sifted(ruled="")
    assert write(force, tmp_path, WriteOptions(force=True)) == 0
    # One of each split is looked at before what is there goes.
    assert len(force.seen) == 16 + 3 and not (folder / "left_out.json").exists()


def test_a_split_that_a_rule_empties_names_the_rule_and_is_not_read_again(tmp_path: Path) -> None:
    words = r"16 dropped, 0 refused\); the source leaves out 16, first album__\w+: 1 % of it is "
    for reads in (16, 0):
        source = Sifted(ruled="abcdefgh")
        with pytest.raises(DatasetError, match=words) as caught:
            write(source, tmp_path, WriteOptions())
        assert "mend the refused" not in str(caught.value) and len(source.seen) == reads
