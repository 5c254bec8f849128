"""The sink that TensorBoard reads: event files beside the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray


class Board:
    """Scalars as ``<kind>/<name>``, pictures and histograms, by step.

    Args:
        logs_dir: The run's folder of logs.
    """

    name = "TensorBoard"

    def __init__(self, logs_dir: Path) -> None:
        self._logs_dir = logs_dir

    def resume(self, start_step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Begin a further file of events, as TensorBoard expects of a run that goes on."""
        self._events = tf.summary.create_file_writer(str(self._logs_dir))

    def scalars(self, step: int, kind: str, values: Mapping[str, float], **facts: float) -> None:
        """Add a point to each curve; facts have none."""
        with self._events.as_default():
            for name, value in values.items():
                tf.summary.scalar(f"{kind}/{name}", value, step=step)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Add an encoded PNG."""
        with self._events.as_default():
            tf.summary.image(name, tf.io.decode_png(png, channels=3)[tf.newaxis], step=step)

    def histograms(self, step: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Add a histogram for each name."""
        with self._events.as_default():
            for name, found in values.items():
                tf.summary.histogram(name, found, step=step)

    def flush(self) -> None:
        """Write what is held back."""
        self._events.flush()

    def close(self, *, failed: bool) -> None:
        """Close the file; after an error nothing is forced out, for a full disk raises again."""
        if not failed:
            self.flush()
        self._events.close()
