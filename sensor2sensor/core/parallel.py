"""A map over items that survives a failing item and a killed worker.

Items are worked on by this process, by processes beside it (:mod:`core.pool`) or by the workers of
a Dask scheduler (:mod:`core.cluster`), all through ``concurrent.futures``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sensor2sensor.core import geodata, notices
from sensor2sensor.core.errors import Sensor2SensorError, debugging
from sensor2sensor.core.progress import progress

T = TypeVar("T")
R = TypeVar("R")
logger = logging.getLogger(__name__)

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
    return f"{said.removesuffix(':')}{geodata.suspicion(error)}"


@dataclass(frozen=True)
class Attempt(Generic[T, R]):
    """A function whose every error is the failure of its item, and of no other item.

    It is turned into a :class:`Failure` where it happens, in a worker too: many errors of
    libraries cannot be pickled, and one that cannot be unpickled breaks the whole pool.
    """

    fn: Callable[[T], R]
    debug: bool

    def __call__(self, item: T) -> R | Failure[T]:
        """The result, or why there is none."""
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
    return Attempt(fn, debugging.get())(item)


class AtOnce(Executor):
    """Does what it is given before it gives the future back: an executor that has no thread."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """The future of ``fn(*args, **kwargs)``, done; an interruption is raised here."""
        done: Future[R] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


class Team(Protocol):
    """Workers that are given items.

    Attributes:
        lost: What the future of an item raises whose worker died.
        starts_over: Whether one death costs all items that are not done.
    """

    lost: type[BaseException]
    starts_over: bool

    def submit(self, work: Attempt[Any, Any], item: Any) -> Future[Any]:
        """Give an item to the next worker that is free; never raises ``lost`` itself."""

    def alone(self, work: Attempt[Any, Any], item: Any) -> Any:
        """The result of an item that nobody else works beside; raises ``lost`` like its future."""

    def result(self, future: Future[Any]) -> Any:
        """Wait for what came of an item; a Sensor2SensorError of its own ends the map."""

    def died(self, error: BaseException) -> str:
        """Who died, for a message."""

    def end(self, *, early: bool) -> None:
        """No more items. Ends what is worked on where it comes early, before it returns."""


def prepare(*, debug: bool) -> None:
    """What a worker does before its items, wherever it is: it has none of this process's settings.

    Args:
        debug: Whether the door runs with ``--debug``.
    """
    debugging.set(debug)
    notices.set_level(debug=debug)
    geodata.set_aside()
    one_thread()


def one_thread() -> AbstractContextManager[Any]:
    """Let libraries that have threads of their own do without, from now on.

    Items are what is spread here, and what one asks of a library is small. OpenBLAS (products of
    matrices) and OpenMP (pykdtree) would wake a thread for every processor all the same, which
    then spins for a while in case there is more, in the way of the other workers.

    Returns:
        What gives OpenBLAS its threads back at the end of a ``with``.
    """
    # Read when a library is loaded; what a user has set stays.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import numpy  # noqa: F401 - only what is loaded can be held back
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


# Where items go instead of this process: the cluster of --scheduler, while its door is open.
elsewhere: ContextVar[Team | None] = ContextVar("elsewhere", default=None)


def parallel_map(
    fn: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int,
    label: Callable[[T], str],
    desc: str,
) -> Iterator[tuple[T, R | Failure[T]]]:
    """Apply ``fn`` to each item and yield ``(item, result or Failure)`` in the order of the items.

    An item whose worker dies is tried once more, with nothing beside it.

    Args:
        fn: A function that can be pickled when ``workers`` is more than one.
        items: What to do.
        workers: Processes (spawned); 1 runs in this process. A team that is :data:`elsewhere`
            comes before both.
        label: The name of an item, for messages.
        desc: What is going on, for the progress line.
    """
    work: Attempt[T, R] = Attempt(fn, debugging.get())
    told, team = {"desc": desc, "unit": "item"}, _team(workers)
    if team is None:
        serial = _serial(work, items)
        yield from progress(serial, total=len(items), **told)
    else:
        spread = _spread(work, items, team, label)
        yield from progress(spread, total=len(items), **told)


def _team(workers: int) -> Team | None:
    found = elsewhere.get()
    if found is None and workers > 1:
        from sensor2sensor.core.pool import Pool

        return Pool(workers)
    return found


def _serial(work: Attempt[T, R], items: Sequence[T]) -> Iterator[tuple[T, R | Failure[T]]]:
    for item in items:
        yield item, work(item)


def _spread(
    work: Attempt[T, R], items: Sequence[T], team: Team, label: Callable[[T], str]
) -> Iterator[tuple[T, R | Failure[T]]]:
    early = True
    try:
        futures = [team.submit(work, item) for item in items]
        for index, item in enumerate(items):
            try:
                result = team.result(futures[index])
            except team.lost as loss:
                later = futures[index + 1 :]
                wait(later)  # until none is worked on beside it
                result = _retry_alone(work, item, team, label(item), team.died(loss))
                if team.starts_over:
                    again = zip(items[index + 1 :], later, strict=True)
                    futures[index + 1 :] = [
                        team.submit(work, one) if _lost(future, team) else future
                        for one, future in again
                    ]
            except Sensor2SensorError:  # of the team, which is gone: an item's own is a Failure
                raise
            except Exception as error:  # an item or a result that cannot be pickled
                result = work.failure(item, error)
            yield item, result
        early = False
    finally:
        team.end(early=early)


def _lost(future: Future[Any], team: Team) -> bool:
    return future.cancelled() or isinstance(future.exception(), team.lost)


def _retry_alone(work: Attempt[T, R], item: T, team: Team, name: str, died: str) -> R | Failure[T]:
    """A worker died while this item was in flight: try it once more, by itself."""
    logger.warning("%s: %s; it is tried once more, alone", name, died)
    try:
        result: R | Failure[T] = team.alone(work, item)
    except team.lost as loss:
        return Failure(item, f"{name}: {died}, and with it alone {team.died(loss)}")
    except Exception as error:
        return work.failure(item, error)
    return result
