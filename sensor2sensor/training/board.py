"""The sink that TensorBoard reads: event files beside the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.core.decoration import decoration
from sensor2sensor.training.rows import SECONDS

logger = logging.getLogger(__name__)

UNWEIGHTED: Mapping[str, float | None] = MappingProxyType({})


class Board:
    """Scalars as ``<kind>/<name>``, pictures and histograms, by step; the generator's graph.

    A loss that enters the total with a weight other than 1 is shown times it, too:
    ``weighted/<name>``.

    Args:
        logs_dir: The run's folder of logs.
        weights: Of the losses, by name; 0 and None: not part of the total.
        graph: Makes the graph that is shown where a run begins; None: there is none.
    """

    name = "TensorBoard"

    def __init__(
        self,
        logs_dir: Path,
        weights: Mapping[str, float | None] = UNWEIGHTED,
        graph: Callable[[], tf.Graph] | None = None,
    ) -> None:
        self._logs_dir, self._graph = logs_dir, graph
        self._weights = {name: w for name, w in weights.items() if w not in (None, 0, 1)}

    def resume(self, start_step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Begin a further file of events, as TensorBoard expects of a run that goes on.

        What a killed run had told beyond its checkpoint is taken out of the others.
        """
        forget_beyond(self._logs_dir, start_step)
        self._events = tf.summary.create_file_writer(str(self._logs_dir))
        if start_step == 0 and self._graph is not None:
            with decoration("the graph in TensorBoard", logger.warning):
                graph = self._graph()
                with self._events.as_default():
                    tf.summary.graph(graph)

    def scalars(self, step: int, kind: str, values: Mapping[str, float], **facts: float) -> None:
        """Add a point to each curve; of the facts the time of an epoch has one."""
        shown = {f"{kind}/{name}": value for name, value in values.items()}
        shown |= {f"{kind}/{name}": facts[name] for name in facts.keys() & {SECONDS}}
        if kind == "train":
            known = self._weights.keys() & values.keys()
            shown |= {f"weighted/{name}": self._weights[name] * values[name] for name in known}
        with self._events.as_default():
            for name, value in shown.items():
                tf.summary.scalar(name, value, step=step)

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


def forget_beyond(logs_dir: Path, step: int) -> None:
    """Take the events of later steps out of the files of a run, which is about to repeat them.

    A file without any is left as it is; so is all that is older than one that holds an earlier
    step, for the run told one step after the other.
    """
    for path in sorted(logs_dir.glob("events.out.tfevents.*"), reverse=True):
        kept: list[bytes] = []
        later = earlier = False
        for record in _records(path):
            event = tf.compat.v1.Event.FromString(record)
            later |= event.step > step
            earlier |= 0 < event.step <= step
            if event.step <= step:
                kept.append(record)
        if later:
            _rewrite(path, kept)
        if earlier:
            return


def _records(path: Path) -> Iterator[bytes]:
    """Records of a file of events, up to one that a kill cut in two."""
    try:
        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    except tf.errors.DataLossError:
        return


def _rewrite(path: Path, records: Sequence[bytes]) -> None:
    with files.atomic_path(path) as part, tf.io.TFRecordWriter(str(part)) as writer:
        for record in records:
            writer.write(record)


def graph_of(network: Any, images: tf.TensorSpec) -> tf.Graph:
    """The operations of a network at inference, for images of this form."""
    traced = tf.function(lambda seen: network(seen, training=False))
    return traced.get_concrete_function(images).graph
