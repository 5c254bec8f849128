"""The checksum of TFRecords, against known answers and TensorFlow's own."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.crc32c import crc32c, masked


@pytest.mark.parametrize(
    ("data", "known"),
    [  # RFC 3720, B.4, and the check value of the catalogue of CRCs
        (b"", 0),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"123456789", 0xE3069283),
    ],
)
def test_published_answers(data, known):
    assert crc32c(data) == known


def test_every_length_equals_what_tensorflow_writes(tmp_path: Path):
    import tensorflow as tf

    draw, path = np.random.default_rng(0), tmp_path / "a.tfrecord"
    lengths = [*range(1, 300), 511, 512, 513, 65_536, 1_000_003]
    records = [draw.integers(0, 256, length, dtype=np.uint8).tobytes() for length in lengths]
    records.append(bytes(5000))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    frames = [(struct.pack("<Q", len(record)), record) for record in records]
    ours = b"".join(p + struct.pack("<I", masked(p)) for frame in frames for p in frame)
    assert ours == path.read_bytes()
