"""The frames of TFRecords: byte for byte those that TensorFlow writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sensor2sensor.dataset.recordfile import write_records


def test_records_of_every_length_are_framed_as_tensorflow_frames_them(tmp_path: Path):
    import tensorflow as tf

    draw, theirs, ours = np.random.default_rng(0), tmp_path / "a.tfrecord", tmp_path / "b.tfrecord"
    lengths = [*range(300), 511, 512, 513, 65_536, 1_000_003]
    records = [draw.integers(0, 256, length, dtype=np.uint8).tobytes() for length in lengths]
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in records:
            writer.write(record)
    write_records(ours, records)
    assert ours.read_bytes() == theirs.read_bytes()
