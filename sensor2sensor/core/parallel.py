"""A map over items that survives a failing item and a killed worker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Generic, TypeVar

from sensor2sensor.core import streams
from sensor2sensor.core.errors import Sensor2SensorError
from sensor2sensor.core.geodata import suspicion
from sensor2sensor.core.progress import progress

T = TypeVar("T")
R = TypeVar("R")

ITEM_ERRORS = (
    Sensor2SensorError,
    OSError,
    ValueError,
    RuntimeError,
    KeyError,
    IndexError,
    TypeError,
)


@dataclass(frozen=True)
class Failure(Generic[T]):
    """An item that could not be done, and why (one line)."""

    item: T
    reason: str


def reason_of(error: BaseException) -> str:
    """One line for an error; its type is named where it is not one of ours."""
    if isinstance(error, Sensor2SensorError):
        return str(error)
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{said.removesuffix(':')}{suspicion(error)}"


def parallel_map(
    fn: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int,
    label: Callable[[T], str],
    desc: str,
) -> Iterator[tuple[T, R | Failure[T]]]:
    """Apply ``fn`` to each item and yield ``(item, result or Failure)`` in the order of the items.

    Args:
        fn: A function that can be pickled when ``workers`` is more than one.
        items: What to do.
        workers: Processes (spawned); 1 runs in this process.
        label: The name of an item, for messages.
        desc: What is going on, for the progress line.
    """
    source = _serial(fn, items) if workers <= 1 else _pooled(fn, items, workers, label)
    yield from progress(source, total=len(items), desc=desc, unit="item")


def _serial(fn: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R | Failure[T]]]:
    for item in items:
        try:
            yield item, fn(item)
        except ITEM_ERRORS as error:
            yield item, Failure(item, reason_of(error))


def _pooled(
    fn: Callable[[T], R], items: Sequence[T], workers: int, label: Callable[[T], str]
) -> Iterator[tuple[T, R | Failure[T]]]:
    pool = _new_pool(workers)
    try:
        futures = {index: pool.submit(fn, item) for index, item in enumerate(items)}
        for index, item in enumerate(items):
            try:
                yield item, futures[index].result()
            except BrokenProcessPool:
                pool.shutdown(wait=False, cancel_futures=True)
                yield item, _retry_alone(fn, item, label(item))
                pool = _new_pool(workers)
                futures.update(_resubmit(pool, fn, items, index + 1, futures))
            except ITEM_ERRORS as error:
                yield item, Failure(item, reason_of(error))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _new_pool(workers: int) -> ProcessPoolExecutor:
    context = get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=streams.forgive)


def _resubmit(
    pool: ProcessPoolExecutor,
    fn: Callable[[T], R],
    items: Sequence[T],
    start: int,
    futures: dict[int, Future[R]],
) -> dict[int, Future[R]]:
    """Submit again what had not finished when the pool broke."""
    lost = [i for i in range(start, len(items)) if not _finished(futures[i])]
    return {i: pool.submit(fn, items[i]) for i in lost}


def _finished(future: Future[R]) -> bool:
    if not future.done() or future.cancelled():
        return False
    return not isinstance(future.exception(), BrokenProcessPool)


def _retry_alone(fn: Callable[[T], R], item: T, name: str) -> R | Failure[T]:
    """A worker died while this item was in flight: try it once more with a process of its own."""
    with contextlib.closing(_Single()) as single:
        try:
            return single.pool.submit(fn, item).result()
        except BrokenProcessPool:
            return Failure(item, f"{name}: the worker process was killed twice (out of memory?)")
        except ITEM_ERRORS as error:
            return Failure(item, reason_of(error))


class _Single:
    """A pool of one that ``contextlib.closing`` can end."""

    def __init__(self) -> None:
        self.pool = _new_pool(1)

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
