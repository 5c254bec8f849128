"""Records and contract: what goes in comes out, bit for bit, and equal bytes for equal tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.bands import reflectance_band
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec, InputSpec, load_contract
from sensor2sensor.dataset.recordfile import list_records, read_record, scan_file
from sensor2sensor.dataset.records import (
    decode,
    dense_record,
    encode,
    input_values,
    to_physical,
    to_stored,
)
from sensor2sensor.dataset.verification import verify_dataset
from tests.fakes_dataset import make_dataset

BANDS = (reflectance_band("B02", 492.4),)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("toy")
    return make_dataset(root, name="cur_toy", kind="sentinel3", tile_px=32, train=3, val=1, test=1)


@pytest.mark.parametrize("offset", [0, -1000])
def test_every_reflectance_of_a_product_comes_back_bit_for_bit(offset: int) -> None:
    dn = np.arange(1, 64536, dtype=np.int64)
    reflectance = ((dn + offset).astype(np.float32) / np.float32(10000))[:, None]
    stored = to_stored(reflectance, BANDS, "uint16", "t")
    assert stored.dtype == np.uint16
    assert np.array_equal(to_physical(stored, BANDS), reflectance)


def test_negative_reflectance_is_kept() -> None:
    value = np.array([[-0.05]], np.float32)
    assert to_physical(to_stored(value, BANDS, "uint16", "t"), BANDS)[0, 0] == np.float32(-0.05)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "NaN or infinity in B02"),
        (np.inf, "NaN or infinity"),
        (7.0, "do not fit"),
        (-0.2, "do not fit"),
        (0.12345678, "do not fit"),
    ],
)
def test_values_that_would_be_lost_are_refused(value: float, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        to_stored(np.array([[value]]), BANDS, "uint16", "t")


def test_round_trip_is_exact_and_deterministic(toy: Path) -> None:
    contract = load_contract(toy)
    data = read_record(list_records(toy, "train")[0])
    record = decode(data, contract)
    again = decode(encode(record, contract), contract)
    for name in ("target", "input_pixels", "input_xy", "input_index"):
        assert np.array_equal(getattr(record, name), getattr(again, name))
    assert again.extras["time_gap_h"] == np.float32(1.5)
    assert encode(record, contract) == encode(record, contract) == data
    assert record.input_index.dtype == np.int32 and record.target.dtype == np.float32


def test_plain_tensorflow_reads_the_files(toy: Path) -> None:
    import tensorflow as tf

    for path in toy.rglob("*.tfrecord"):
        raw = [item.numpy() for item in tf.data.TFRecordDataset(str(path))]
        assert [data for _, data in scan_file(path) or []] == raw
        example = tf.train.Example.FromString(raw[0])
        assert example.features.feature["name"].bytes_list.value[0].decode() == path.stem
        assert example.SerializeToString(deterministic=True) == raw[0]


def test_index_points_to_the_nearest_pixel(toy: Path) -> None:
    contract = load_contract(toy)
    record = decode(read_record(list_records(toy, "test")[0]), contract)
    row, column = 5, 21
    centre = np.array([column + 0.5, row + 0.5]) * contract.resolution_m
    distance = np.linalg.norm(record.input_xy - centre, axis=1)
    assert distance[record.input_index[row, column] - 1] == pytest.approx(distance.min(), abs=1e-2)


def test_suffix_filters_look_at_the_end_of_the_name(toy: Path) -> None:
    every = {ref.name for ref in list_records(toy, "train")}
    masked = {r.name for r in list_records(toy, "train", enforce_suffix="notinmask")}
    others = {r.name for r in list_records(toy, "train", exclude_suffix="notinmask")}
    assert masked and others and masked | others == every and not masked & others


def test_a_sound_data_set_passes(toy: Path) -> None:
    verify_dataset(toy)
    contract = load_contract(toy)
    assert contract.input_ranges().shape == (21, 2)
    assert (contract.target_ranges()[:, 0] < contract.target_ranges()[:, 1]).all()


def _dense(contract: DatasetContract) -> DatasetContract:
    spec = InputSpec(
        layout="dense",
        bands=contract.input.bands[:2],
        dtype="float32",
        index_dtype="uint16",
        max_pixels=1,
        grid=None,
        pixel_m=10.0,
    )
    fields = contract.model_dump() | {"kind": "paired", "input": spec, "extras": ()}
    fields["statistics"]["input"] = fields["statistics"]["input"][:2]
    return DatasetContract.model_validate(fields)


def test_dense_inputs_go_through_records_and_reader(toy: Path) -> None:
    from sensor2sensor.dataset.upsampling import upsample
    from sensor2sensor.pipeline.tensors import expand, parse

    contract = _dense(load_contract(toy))
    rng = np.random.default_rng(0)
    target = (rng.integers(1, 9000, (32, 32, 3)) / np.float32(10000)).astype(np.float32)
    dense = rng.normal(0, 1, (32, 32, 2)).astype(np.float32)
    record = dense_record("t", target, dense)
    data = encode(record, contract)
    assert np.array_equal(upsample(decode(data, contract), "nearest"), dense)
    image = expand(parse(data, contract), contract, bicubic=False)
    assert np.array_equal(image, dense)


def _reshaped(contract: DatasetContract, extras: tuple[ExtraSpec, ...]) -> DatasetContract:
    """The contract with its dense input on a grid of 8x8 under 32x32 targets, and these extras."""
    spec = _dense(contract).input.model_copy(update={"grid": (8, 8)})
    fields = _dense(contract).model_dump() | {"input": spec, "extras": extras}
    return DatasetContract.model_validate(fields)


EXTRAS = (
    ExtraSpec(name="cloud", dtype="uint8", shape=(32, 32), unit="1", role="mask"),
    ExtraSpec(
        name="radar", dtype="float32", shape=(8, 8, 2), unit="dB", role="image", grid="input"
    ),
    ExtraSpec(name="city", dtype="string", shape=(), unit="1"),
)


def test_inputs_on_their_own_grid_and_extras_come_back_as_they_were(toy: Path) -> None:
    from sensor2sensor.dataset.upsampling import bicubic_matrix, upsample

    contract = _reshaped(load_contract(toy), EXTRAS)
    rng = np.random.default_rng(1)
    target = (rng.integers(1, 9000, (32, 32, 3)) / np.float32(10000)).astype(np.float32)
    dense = rng.normal(0, 1, (8, 8, 2)).astype(np.float32)
    extras = {
        "cloud": rng.integers(0, 3, (32, 32)),
        "radar": rng.normal(0, 5, (8, 8, 2)).astype(np.float32),
        "city": np.array("Łódź"),
    }
    record = dense_record("t", target, dense, extras)
    data = encode(record, contract)
    again = decode(data, contract)
    assert np.array_equal(again.input_dense, dense) and np.array_equal(again.target, target)
    for name, value in extras.items():
        assert np.array_equal(again.extras[name], value)
    assert again.extras["cloud"].dtype == np.uint8 and str(again.extras["city"]) == "Łódź"
    assert np.array_equal(input_values(data, contract), dense.reshape(-1, 2))
    nearest = upsample(again, "nearest")
    assert nearest.shape == (32, 32, 2) and np.array_equal(nearest[1::4, 2::4], dense)
    weights = bicubic_matrix(32, 8, 4)
    expected = np.einsum("ip,jq,pqc->ijc", weights, weights, dense)
    np.testing.assert_allclose(upsample(again, "bicubic"), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("extras", "words"),
    [
        ({}, "lacks the extra 'cloud'"),
        ({"cloud": np.full((32, 32), 256)}, "values of 'cloud' do not fit uint8"),
        ({"cloud": np.zeros((8, 8))}, r"cloud is \[8, 8\], the contract says \[32, 32\]"),
    ],
)
def test_extras_that_would_be_lost_are_refused(toy: Path, extras: dict, words: str) -> None:
    contract = _reshaped(load_contract(toy), EXTRAS[:1])
    target = np.full((32, 32, 3), 0.1, np.float32)
    record = dense_record("t", target, np.zeros((8, 8, 2), np.float32), extras)
    with pytest.raises(DatasetError, match=words):
        encode(record, contract)


def test_a_dense_grid_has_a_whole_factor(toy: Path) -> None:
    for grid in ((7, 7), (8, 16), (64, 64)):
        fields = _dense(load_contract(toy)).model_dump()
        fields["input"]["grid"] = grid
        with pytest.raises(ValueError, match="does not divide 32 pixels"):
            DatasetContract.model_validate(fields)
