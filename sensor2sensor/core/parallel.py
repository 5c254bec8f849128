"""A map over items that survives a failing item and a killed worker."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from sensor2sensor.core import streams
from sensor2sensor.core.errors import Sensor2SensorError, debugging
from sensor2sensor.core.geodata import suspicion
from sensor2sensor.core.progress import progress

T = TypeVar("T")
R = TypeVar("R")

# What damaged input raises now and then, and mistakes in a program nearly always.
PROGRAMMER_ERRORS = (AssertionError, AttributeError, LookupError, NameError, TypeError)


@dataclass(frozen=True)
class Failure(Generic[T]):
    """An item that could not be done, and why (one line)."""

    item: T
    reason: str


def reason_of(error: BaseException) -> str:
    """One line for an error; its type is named where it is not one of ours."""
    if isinstance(error, Sensor2SensorError):
        return str(error)
    kind = "out of memory" if isinstance(error, MemoryError) else type(error).__name__
    said = " ".join(f"{kind}: {error}".split())
    return f"{said.removesuffix(':')}{suspicion(error)}"


@dataclass(frozen=True)
class _Attempt(Generic[T, R]):
    """A function whose every error is the failure of its item, and of no other item.

    It is turned into a :class:`Failure` where it happens, in a worker too: many errors of
    libraries cannot be pickled, and one that cannot be unpickled breaks the whole pool.
    """

    fn: Callable[[T], R]
    debug: bool

    def __call__(self, item: T) -> R | Failure[T]:
        try:
            return self.fn(item)
        # SystemExit too: a source of the user's may have been written as a script.
        except (Exception, SystemExit) as error:
            return self.failure(item, error)

    def failure(self, item: T, error: Exception | SystemExit) -> Failure[T]:
        """The failure; what looks like a mistake in the program is raised again for --debug."""
        if self.debug and isinstance(error, PROGRAMMER_ERRORS):
            raise error
        return Failure(item, reason_of(error))


def attempt(fn: Callable[[T], R], item: T) -> R | Failure[T]:
    """``fn(item)``, or why it could not be done.

    Only interruptions get through, and with ``--debug`` what looks like a mistake in the program.
    """
    return _Attempt(fn, debugging.get())(item)


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
    made: _Attempt[T, R] = _Attempt(fn, debugging.get())
    told = {"desc": desc, "unit": "item"}
    if workers > 1:
        pooled = _pooled(made, items, workers, label)
        yield from progress(pooled, total=len(items), **told)
    else:
        serial = _serial(made, items)
        yield from progress(serial, total=len(items), **told)


def _serial(made: _Attempt[T, R], items: Sequence[T]) -> Iterator[tuple[T, R | Failure[T]]]:
    for item in items:
        yield item, made(item)


def _pooled(
    made: _Attempt[T, R], items: Sequence[T], workers: int, label: Callable[[T], str]
) -> Iterator[tuple[T, R | Failure[T]]]:
    pool = _new_pool(workers)
    try:
        futures = {index: pool.submit(made, item) for index, item in enumerate(items)}
        for index, item in enumerate(items):
            try:
                result = futures[index].result()
            except BrokenProcessPool:
                # It does not say whose worker died: the item that is due is tried by itself.
                pool.shutdown(wait=False, cancel_futures=True)
                result = _retry_alone(made, item, label(item))
                pool = _new_pool(workers)
                futures.update(_resubmit(pool, made, items, index + 1, futures))
            except Exception as error:  # an item or a result that cannot be pickled
                result = made.failure(item, error)
            yield item, result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _new_pool(workers: int) -> ProcessPoolExecutor:
    # A fork would copy GDAL's and TensorFlow's threads' locks in whatever state they are.
    context = get_context("spawn")
    told = (debugging.get(),)
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_work, initargs=told)


def _begin_work(debug: bool) -> None:
    """What a worker process does before its first item."""
    debugging.set(debug)  # a spawned process has none of its parent's variables
    streams.forgive()
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end_with_parent() -> None:
    """End this worker once its parent is gone, killed perhaps without a chance to say so.

    The kernel frees the parent's locks at once: a worker that wrote on would meet the next run.
    """
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)  # at once: what it was writing is swept by the next run


def _resubmit(
    pool: ProcessPoolExecutor,
    made: _Attempt[T, R],
    items: Sequence[T],
    start: int,
    futures: dict[int, Future[R | Failure[T]]],
) -> dict[int, Future[R | Failure[T]]]:
    """Submit again what had not finished when the pool broke."""
    lost = [i for i in range(start, len(items)) if not _finished(futures[i])]
    return {i: pool.submit(made, items[i]) for i in lost}


def _finished(future: Future[Any]) -> bool:
    if not future.done() or future.cancelled():
        return False
    return not isinstance(future.exception(), BrokenProcessPool)


def _retry_alone(made: _Attempt[T, R], item: T, name: str) -> R | Failure[T]:
    """A worker died while this item was in flight: try it once more with a process of its own."""
    with contextlib.closing(_Single()) as single:
        try:
            return single.pool.submit(made, item).result()
        except BrokenProcessPool:
            return Failure(item, f"{name}: the worker process was killed twice (out of memory?)")
        except Exception as error:
            return made.failure(item, error)


class _Single:
    """A pool of one that ``contextlib.closing`` can end."""

    def __init__(self) -> None:
        self.pool = _new_pool(1)

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
