"""Bands that are stored on a finer grid than their own, and target bands that nobody measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.contract import DatasetContract, TargetSpec
from sensor2sensor.dataset.records import decode, dense_record, encode


def _band(name: str, **others: Any) -> BandSpec:
    return BandSpec(
        name=name, unit="reflectance", wavelength_nm=None, scale=0.0001, offset=0.0,
        nodata=-10000.0, **others,
    )  # fmt: skip


def _contract(inputs: list[BandSpec], targets: list[BandSpec], side_px: int = 4) -> DatasetContract:
    return draft_contract(
        name="toy",
        kind="paired",
        tile_px=2 * side_px,
        resolution_m=5.0,
        factor=2.0,
        input=dense_input(inputs, "int16", side_px, pixel_m=10.0),
        target=TargetSpec(bands=tuple(targets), dtype="int16"),
        split_policy=drawn("given", 0),
    )


def test_they_are_written_only_where_they_say_something() -> None:
    plain = _contract([_band("B2")], [_band("B2")])
    said = _contract([_band("B2"), _band("B11", native_px=2)], [
        _band("B2"), _band("B11", reference=False),
    ])  # fmt: skip
    text = plain.model_dump_json()
    assert "native_px" not in text and 'reference":' not in text
    assert "native_px" not in str(plain.form()) and "'reference'" not in str(plain.form())
    again = DatasetContract.model_validate_json(said.model_dump_json())
    assert [band.native_px for band in again.input.bands] == [1, 2]
    assert [band.reference for band in again.target.bands] == [True, False]
    assert said.form()["input"]["bands"][1]["native_px"] == 2
    assert said.form()["target"]["bands"][1]["reference"] is False


@pytest.mark.parametrize(
    ("inputs", "targets", "says"),
    [
        ([_band("B5", native_px=3)], [_band("B5")], "does not divide"),
        ([_band("B5", reference=False)], [_band("B5")], "which is of targets"),
        ([_band("B5")], [_band("B5", native_px=2)], "which is of inputs"),
        ([_band("B5")], [_band("B5", reference=False)], "no target band has a reference"),
        ([_band("B5", native_px=2)], [_band("B5", native_px=2)], "which is of inputs"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    inputs: list[BandSpec], targets: list[BandSpec], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        _contract(inputs, targets)


def test_signed_integers_come_back_bit_for_bit() -> None:
    contract = _contract([_band("B2")], [_band("B2")])
    numbers = np.array([-32768, -10000, -946, -1, 0, 1, 19684, 32767], np.float32)
    target = np.tile(numbers, (8, 1))[..., None] / np.float32(10000)
    record = dense_record("one", target, target[:4, :4])
    found = decode(encode(record, contract), contract)
    np.testing.assert_array_equal(found.target, target)
    assert found.input_dense is not None
    np.testing.assert_array_equal(found.input_dense, target[:4, :4])
