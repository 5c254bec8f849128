"""``s2s statistics``: every band of a data set in numbers, against numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.recordfile import list_records, read_record
from sensor2sensor.dataset.records import decode
from sensor2sensor.statistics import QUANTILES, main
from tests.fakes_dataset import make_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("statistics"), tile_px=24, train=3, val=1, test=1)


def test_they_are_those_of_numpy(dataset: Path, tmp_path: Path, capsys) -> None:
    assert main([str(dataset), "--json", str(tmp_path / "out.json")]) == 0
    (told,) = json.loads((tmp_path / "out.json").read_text()).values()
    contract = load_contract(dataset)
    for split in ("train", "val", "test"):
        values = np.concatenate([
            decode(read_record(ref), contract).target.reshape(-1, len(contract.target.bands))
            for ref in list_records(dataset, split)
        ]).astype(np.float64)  # fmt: skip
        for place, band in enumerate(contract.target.bands):
            found, own = told[split]["target"][band.name], values[:, place]
            assert found["count"] == len(own)
            np.testing.assert_allclose(found["mean"], own.mean(), rtol=1e-9)
            np.testing.assert_allclose(found["std"], own.std(), rtol=1e-9)
            wanted = np.quantile(own, QUANTILES)
            inner = [found[f"q{100 * q:g}%"] for q in QUANTILES]
            np.testing.assert_allclose(inner, wanted, rtol=1e-12)
            assert (found["min"], found["max"]) == (own.min(), own.max())
    lines = capsys.readouterr().out.splitlines()
    sides = len(contract.input.bands) + len(contract.target.bands)
    assert len(lines) == 2 + 3 * sides
    known = contract.statistics["target"][0]
    train = told["train"]["target"][contract.target.bands[0].name]
    assert (train["mean"], train["q0.1%"], train["q99.9%"]) == (known.mean, known.low, known.high)


def test_one_split_alone(dataset: Path, capsys) -> None:
    assert main([str(dataset.parent), "--split", "val"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows and {row.split()[0] for row in rows} == {"val"}


def test_no_data_set_is_one_line(tmp_path: Path, capsys) -> None:
    assert main([str(tmp_path)]) == 2
    assert "no data set" in capsys.readouterr().err
