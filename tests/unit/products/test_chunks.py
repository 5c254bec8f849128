"""Windows of large HDF5 chunks equal what the HDF5 library hands out."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from sensor2sensor.products import chunks

SHAPE = (700, 900)
WINDOWS = [
    (slice(0, 700), slice(0, 900)),
    (slice(3, 5), slice(899, 900)),
    (slice(250, 601), slice(120, 777)),
]


def make(path: Path, values: np.ndarray, **options: object) -> np.ndarray:
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=values, **options)
    return values


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4", "<u4", "<f4", "<f8"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("layout", [SHAPE, (512, 1024)])
def test_every_window_equals_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, shuffle: bool, layout: tuple
) -> None:
    monkeypatch.setattr(chunks, "LARGE_BYTES", 1000)
    rng = np.random.default_rng(0)
    values = make(
        tmp_path / "x.nc",
        rng.integers(0, 60000, SHAPE).astype(dtype),
        chunks=tuple(min(a, b) for a, b in zip(layout, SHAPE, strict=True)),
        compression="gzip",
        shuffle=shuffle,
    )
    for rows, cols in WINDOWS:
        found = chunks.read_window(tmp_path / "x.nc", "v", rows, cols)
        assert found is not None and found.dtype == values.dtype
        np.testing.assert_array_equal(found, values[rows, cols])


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": None},
        {"chunks": (10, 10), "compression": "gzip"},
        {"chunks": SHAPE, "compression": "lzf"},
        {"chunks": SHAPE, "compression": "gzip", "fletcher32": True},
    ],
    ids=["contiguous", "small chunks", "lzf", "checksum"],
)
def test_other_layouts_are_left_to_the_library(tmp_path: Path, options: dict) -> None:
    make(tmp_path / "x.nc", np.zeros(SHAPE, np.uint32), **options)
    assert chunks.read_window(tmp_path / "x.nc", "v", *WINDOWS[1]) is None


def test_a_chunk_never_written_is_left_to_the_library(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file.create_dataset("v", SHAPE, "u4", chunks=SHAPE, compression="gzip", fillvalue=7)
    assert chunks.read_window(tmp_path / "x.nc", "v", *WINDOWS[1]) is None


def test_damage_is_an_os_error(tmp_path: Path) -> None:
    path = tmp_path / "x.nc"
    make(path, np.arange(SHAPE[0] * SHAPE[1], dtype="u4").reshape(SHAPE), chunks=SHAPE,
         compression="gzip")  # fmt: skip
    with h5py.File(path) as file:
        place = file["v"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    middle = place.byte_offset + place.size // 2
    data[middle : middle + 64] = bytes(64)
    path.write_bytes(bytes(data))
    with pytest.raises(OSError, match="inflate"):
        chunks.read_window(path, "v", *WINDOWS[1])
