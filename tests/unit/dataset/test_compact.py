"""Inputs as scaled integers: every value within the error that ``dataset.json`` states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.dataset.bands import float_band, reflectance_band
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.compact import compacted
from sensor2sensor.dataset.contract import DatasetContract, TargetSpec, load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.records import decode, dense_record, encode
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.products.bands import OLCI_BANDS, OLCI_SCALES
from tests.fakes_tiles import grid_tiles, write_tiles
from tests.unit.preprocess.test_tfrecords import STEP, TILE, step50

SIDE = 8


def draft(*bands: tuple[str, str]) -> DatasetContract:
    made = [float_band(name, unit, None) for name, unit in bands]
    return draft_contract(
        name="toy",
        kind="paired",
        tile_px=SIDE,
        resolution_m=10.0,
        factor=1.0,
        input=dense_input(made, "float32", SIDE),
        target=TargetSpec(bands=(reflectance_band("B02", 492.4),), dtype="uint16"),
        split_policy=drawn("group", 0),
    )


def through(contract: DatasetContract, values: np.ndarray) -> np.ndarray:
    target = np.full((SIDE, SIDE, 1), 0.1, np.float32)
    record = dense_record("t", target, values.astype(np.float32))
    found = decode(encode(record, contract), contract).input_dense
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("unit", "low", "high", "error"),
    [("reflectance", -0.1, 2.0, 5e-5), ("dB", -60.0, 20.0, 5e-3)],
)
def test_values_come_back_within_the_stated_error(unit, low, high, error) -> None:
    contract = compacted(draft(("a", unit)))
    assert contract.input.dtype == "uint16"
    assert contract.input.bands[0].error == pytest.approx(error)
    values = np.random.default_rng(0).uniform(low, high, (SIDE, SIDE, 1))
    off = np.abs(through(contract, values) - values)
    # Half a step, and what float32 loses; and the statement is no wild exaggeration.
    assert off.max() <= error + 4e-6 * max(1.0, abs(low)) and off.max() > 0.8 * error


def test_radiances_of_a_product_come_back_to_the_last_bits() -> None:
    contract = compacted(draft(*((band, "mW m-2 sr-1 nm-1") for band in OLCI_BANDS)))
    scales = np.array([OLCI_SCALES[band] for band in OLCI_BANDS])
    numbers = np.random.default_rng(0).integers(0, 65535, (SIDE, SIDE, 21))
    numbers[0, 0], numbers[0, 1] = 0, 65534
    values = (numbers * scales.astype(np.float32)).astype(np.float32)
    np.testing.assert_allclose(through(contract, values), values, rtol=3e-7)
    assert [band.error for band in contract.input.bands] == pytest.approx((scales / 2).tolist())


def test_what_the_numbers_cannot_hold_is_refused() -> None:
    contract = compacted(draft(("a", "reflectance")))
    for value in (-0.2, 7.0, np.nan):
        with pytest.raises(DatasetError, match="t: "):
            through(contract, np.full((SIDE, SIDE, 1), value))
    with pytest.raises(InputError, match="no step is known for band a of unit 'K'"):
        compacted(draft(("a", "K")))


def test_without_it_nothing_changes() -> None:
    before = draft(("a", "dB"))
    assert "error" not in before.model_dump_json() and "error" not in str(before.form())
    once = compacted(before)
    assert compacted(once) == once and '"error":0.005' in once.model_dump_json()


def _dim(layers: dict[str, np.ndarray]) -> None:
    layers["radiance"] *= 0.5  # the sun gives band 21 no more than 212


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compact")
    write_tiles(root, grid_tiles(5, 5, STEP, damage=_dim))
    assert step50(root) == 0
    assert step50(root, "--compact", dataset="small") == 0
    return root


@pytest.mark.parametrize("name", ["cur", "alt3"])
def test_step_50_states_the_error_and_keeps_to_it(both: Path, name: str) -> None:
    folders = [both / f"{name}_{kind}" / str(TILE) for kind in ("toy", "small")]
    exact, small = map(load_contract, folders)
    errors = np.array([band.error for band in small.input.bands])
    assert (errors > 0).all() and small.provenance["options"]["compact"] is True
    assert small.provenance["command"].endswith(" --compact")
    verify_dataset(folders[1])
    pairs = (list_records(folder, "train") for folder in folders)
    for one, other in zip(*pairs, strict=True):
        (given,), (kept,) = iterate_refs([one], exact), iterate_refs([other], small)
        off = np.abs(given.input_pixels - kept.input_pixels).max(axis=0)
        assert (off <= errors * (1 + 1e-4) + 1e-6).all()
        np.testing.assert_array_equal(given.target, kept.target)
        np.testing.assert_array_equal(given.input_index, kept.input_index)
    sizes = [sum(row.length for row in read_split(folder)) for folder in folders]
    assert sizes[1] < sizes[0]


def test_the_reader_gives_what_the_records_hold(both: Path) -> None:
    from sensor2sensor.pipeline.tensors import physical

    contract = load_contract(both / "cur_small" / str(TILE))
    (record, *_) = iterate_refs(list_records(both / "cur_small" / str(TILE), "val"), contract)
    bands = contract.input.bands
    divisor, shift = np.array([(b.divisor, b.shift) for b in bands]).T
    stored = np.rint(record.input_pixels * divisor - shift).astype(np.uint16)
    np.testing.assert_array_equal(physical(stored, bands).numpy(), record.input_pixels)


def test_the_choice_is_kept_and_other_ones_are_refused(both: Path, capsys) -> None:
    assert step50(both, "--compact", dataset="small") == 0
    assert "0 done" in capsys.readouterr().out
    assert step50(both, dataset="small") == 2
    assert "compact: True (there) against nothing (asked)" in capsys.readouterr().err
