"""Processes of this machine that work on items, and end when they have to."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

from sensor2sensor.core import streams
from sensor2sensor.core.errors import debugging
from sensor2sensor.core.interrupts import Terminated
from sensor2sensor.core.parallel import Attempt, prepare

GRACE_S = 20.0  # a worker that was told to end may be deep in a library for so long
_ENDED = 128 + signal.SIGTERM
_at_work = False


class Pool:
    """Spawned processes, a :class:`parallel.Team`: the death of one ends all of them.

    Args:
        workers: How many.
    """

    lost: type[BaseException] = BrokenProcessPool
    starts_over = True

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None
        self._processes: dict[int, BaseProcess] = {}

    def submit(self, work: Attempt[Any, Any], item: Any) -> Future[Any]:
        """Give an item to the next worker that is free; the first one begins the processes."""
        return self._submit(work, item, self._workers)

    def alone(self, work: Attempt[Any, Any], item: Any) -> Any:
        """The result of an item in a process of its own."""
        self.end(early=True)
        try:
            return self._submit(work, item, 1).result()
        finally:
            self.end(early=True)

    def result(self, future: Future[Any]) -> Any:
        """Wait for what came of an item."""
        return future.result()

    def died(self, error: BaseException) -> str:
        """Which process was killed, by which signal."""
        _gone(self._processes.values(), 1.0)
        # The others were ended by the pool: those say nothing.
        silent = (None, 0, 1, -signal.SIGTERM, _ENDED)
        codes = {pid: _code(process) for pid, process in self._processes.items()}
        told = [_death(pid, code) for pid, code in codes.items() if code not in silent]
        return " and ".join(told) or "a worker process was killed"

    def end(self, *, early: bool) -> None:
        """No more items; early, the workers end now, and have undone what they were writing."""
        if self._executor is None:
            return
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = None
        if not early:  # they are idle
            return
        for process in self._processes.values():
            process.terminate()
        try:
            _gone(self._processes.values(), GRACE_S)
        finally:  # at a second Ctrl-C, too
            for process in self._processes.values():
                process.kill()
            _gone(self._processes.values(), GRACE_S)

    def _submit(self, work: Attempt[Any, Any], item: Any, workers: int) -> Future[Any]:
        if self._executor is None:
            # A fork would copy GDAL's and TensorFlow's threads' locks in whatever state they are.
            told, context = (debugging.get(),), get_context("spawn")
            self._executor = ProcessPoolExecutor(
                workers, mp_context=context, initializer=begin_work, initargs=told
            )
            self._processes = {}
        # Ctrl-C reaches every process of a terminal; what workers do then is for this one to say.
        # (Not around the above, which starts multiprocessing's tracker: that lets SIGINT in again.)
        with _withheld(signal.SIGINT):
            try:
                future = self._executor.submit(_worked, work, item)
            except BrokenProcessPool as lost:  # a worker died while items were handed out
                future = Future()
                future.set_exception(lost)
        # Python 3.14 has a method that ends them; until then this is how to know them.
        self._processes.update(self._executor._processes or {})
        return future


def _gone(processes: Iterable[BaseProcess], within_s: float) -> None:
    """Wait until the processes have ended, but not for ever."""
    left = [process.sentinel for process in processes]
    while left and (ended := wait(left, within_s)):
        left = [sentinel for sentinel in left if sentinel not in ended]


def _code(process: BaseProcess, within_s: float = 1.0) -> int | None:
    """How a process ended that `_gone` has seen the end of; None where it goes on."""
    give_up = time.monotonic() + within_s
    # The pool's own thread waits for its processes too. The kernel tells one of both how a process
    # ended; to the other, which asks meanwhile, it is as if it went on: it hears a moment later.
    while process.exitcode is None and time.monotonic() < give_up:
        time.sleep(0.001)
    return process.exitcode


def _death(pid: int, code: int | None) -> str:
    if code is not None and code < 0:
        try:
            by = signal.Signals(-code).name
        except ValueError:
            by = f"signal {-code}"
        hint = " (out of memory?)" if by == "SIGKILL" else ""
        return f"worker process {pid} was killed by {by}{hint}"
    return f"worker process {pid} ended with exit code {code}"


@contextmanager
def _withheld(number: signal.Signals) -> Iterator[None]:
    """Keep a signal from this thread and, for good, from processes that are started meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_work(debug: bool) -> None:
    """What a worker process does before its first item."""
    prepare(debug=debug)
    streams.forgive()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end(number: int, frame: FrameType | None) -> None:
    """End a worker; what it is writing is undone first."""
    # Its pool sends it another one, which must not meet the undoing.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if _at_work:
        raise Terminated
    os._exit(_ENDED)


def _worked(work: Attempt[Any, Any], item: Any) -> Any:
    """What comes of an item in a worker."""
    global _at_work  # the signal belongs to the process
    try:
        _at_work = True
        return work(item)
    except Terminated:  # its parent waits for the end of the process, not for a result
        os._exit(_ENDED)
    finally:
        _at_work = False


def _end_with_parent() -> None:
    """End this worker once its parent is gone, killed perhaps without a chance to say so.

    The kernel frees the parent's locks at once: a worker that wrote on would meet the next run.
    """
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)  # at once: what it was writing is swept by the next run
