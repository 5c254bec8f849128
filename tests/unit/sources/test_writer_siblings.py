"""Siblings of one reading: what they share is what is proven equal, the rest is each one's own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import OutputExistsError
from sensor2sensor.dataset import build
from sensor2sensor.dataset.bands import BandStatistics
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.preprocess.records.run import main
from sensor2sensor.sources.source import Item
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.run import write
from tests.fakes_source import ToySource
from tests.fakes_tiles import grid_tiles, own_environment, write_tiles

TILE = 16


class Pair(ToySource):
    """The toy in two data sets of equal bands: the photo, and its negative."""

    def __init__(self, *, shared: bool = False, negative: bool = True, **source) -> None:
        super().__init__(**source)
        self.drafts = (*self.drafts, self.drafts[0].model_copy(update={"name": "other"}))
        self.shared_target, self.negative = shared, negative

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        (record,) = super().read(item)
        target = 255 - record.target if self.negative else record.target.copy()
        return (record, replace(record, target=target))


def assert_of_its_own_records(folder: Path) -> tuple[BandStatistics, ...]:
    """The target's statistics are numpy's of the train records."""
    contract = load_contract(folder)
    records = iterate_refs(list_records(folder, "train"), contract)
    values = np.concatenate([r.target.reshape(-1, r.target.shape[-1]) for r in records])
    for band, found in enumerate(contract.statistics["target"]):
        own = values[:, band].astype(np.float64)
        assert (found.minimum, found.maximum, found.count) == (own.min(), own.max(), own.size)
        assert (found.mean, found.std) == (pytest.approx(own.mean()), pytest.approx(own.std()))
    return contract.statistics["target"]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the data sets whose target is measured, as they are."""
    names: list[str] = []
    real = build._statistics

    def noted(refs, contract, values, bands, *, outputs=False):
        names.extend([contract.name] * outputs)
        return real(refs, contract, values, bands, outputs=outputs)

    monkeypatch.setattr(build, "_statistics", noted)
    return names


def test_siblings_of_equal_bands_and_other_targets_have_statistics_of_their_own(
    tmp_path: Path,
) -> None:
    found = []
    for source in (Pair(photos=1), Pair(photos=1, name="second")):
        assert write(source, tmp_path, WriteOptions(add=bool(found))) == 0
        found += [assert_of_its_own_records(tmp_path / n / "32") for n in ("toy", "other")]
    assert found[0] != found[1]


def test_a_shared_target_is_measured_once_and_a_false_claim_is_refused(
    tmp_path: Path, measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    class OneFalse(Pair):
        def read(self, item: Item) -> tuple[TileRecord, ...]:
            self.negative = item.name == "album__a0"
            return super().read(item)

    assert write(OneFalse(shared=True), tmp_path, WriteOptions()) == 1
    assert "album__a0: its siblings have several targets" in capsys.readouterr().out
    assert measured == ["toy"]
    assert_of_its_own_records(tmp_path / "other" / "32")
    # Claimed later, it was never looked at.
    write(Pair(negative=False), tmp_path / "b", WriteOptions())
    with pytest.raises(OutputExistsError, match=r"shared_target: nothing \(there\) against True"):
        write(Pair(negative=False, shared=True), tmp_path / "b", WriteOptions())


def test_step_50_measures_a_target_once_but_of_siblings_with_other_tiles(
    tmp_path: Path, measured: list[str]
) -> None:
    def step50(inventory: str, *more: str) -> None:
        own = own_environment(tmp_path)
        named = ["--inventory", inventory, "--dataset", "toy", "--tilesize", str(TILE)]
        ratios = [
            "--train_ratio",
            "0.6",
            "--val_ratio",
            "0.4",
            "--block-tiles",
            "24",
            "--factors",
            "3",
        ]
        assert main([*named, *own, *ratios, *more]) == 0

    write_tiles(tmp_path, grid_tiles(5, 5, 20 * TILE))
    write_tiles(tmp_path, grid_tiles(5, 5, 20 * TILE), inventory="inv_T17XNA_5h", seed=5)
    step50("inv_T17XNA_10h")
    assert measured == ["cur_toy"]
    step50("inv_T17XNA_5h", "--add")
    assert measured == ["cur_toy"] * 2
    folders = [tmp_path / name / str(TILE) for name in ("cur_toy", "alt3_toy")]
    policies = [load_contract(folder).split_policy for folder in folders]
    assert policies[0].ground_shared == policies[1].ground_shared
    # Lost and made again of the first inventory alone, while its sibling holds both.
    shutil.rmtree(folders[1])
    step50("inv_T17XNA_10h")
    assert measured[2:] == ["cur_toy", "alt3_toy"]
    assert [len(read_split(folder)) for folder in folders] == [50, 25]
    for folder in folders:
        assert_of_its_own_records(folder)
