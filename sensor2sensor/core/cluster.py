"""The workers of a Dask scheduler, which work on items as processes of this machine would.

They need the same version of this package and the same folders under the same paths. One item at a
time in a process: libraries that read products are not made for several.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import socket
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sensor2sensor.core import parallel
from sensor2sensor.core.errors import InputError, MissingExtraError, Sensor2SensorError
from sensor2sensor.core.parallel import Attempt
from sensor2sensor.core.versions import __version__

logger = logging.getLogger(__name__)

ANSWER_S = 10.0  # a scheduler or its first worker is waited for
LOOK_S = 30.0  # between two looks whether any worker is left
PAUSE_S = 0.2
NAMES = 20  # so many entries of a folder tell that a worker sees the same one
EXTRA = (
    "pip install 'sensor2sensor[dask]' brings it, in a checkout pip install -r "
    "requirements/dask.txt"
)
# Items that this process works on, by the client they are for.
_at_work: Counter[str] = Counter()


class SchedulerLostError(Sensor2SensorError):
    """The scheduler went away while its workers had items."""

    exit_code = 1


@dataclass(frozen=True)
class Remote:
    """A piece of work, as it is sent to a worker.

    Attributes:
        work: What to do with an item.
        client: Who asks.
        code: Fingerprint of the package here.
    """

    work: Attempt[Any, Any]
    client: str
    code: str

    def __call__(self, item: Any) -> Any:
        """Work on an item; not where this worker came later than the others and is another's."""
        if code() != self.code:
            problem = f"the worker on {os.uname().nodename} has another sensor2sensor"
            return parallel.Failure(item, f"{problem} ({__version__})")
        parallel.prepare(debug=self.work.debug)
        _at_work[self.client] += 1
        try:
            return self.work(item)
        finally:
            _at_work[self.client] -= 1


class Cluster:
    """The workers of a scheduler, a :class:`parallel.Team`; a dead one costs its own item alone.

    Args:
        client: Of the scheduler.
        address: Of it.
    """

    starts_over = False

    def __init__(self, client: Any, address: str) -> None:
        from distributed import KilledWorker

        self.lost: type[BaseException] = KilledWorker
        self._client, self._address = client, address
        self._executor: Any = None

    def submit(self, work: Attempt[Any, Any], item: Any) -> Future[Any]:
        """Give an item to the next worker that is free."""
        if self._executor is None:
            self._executor = self._client.get_executor(pure=False)
        remote = Remote(work, self._client.id, code())
        future: Future[Any]
        try:
            future = self._executor.submit(remote, item)
        except Exception as error:  # whatever Dask calls it
            if self._client.status != "running":
                raise self._gone() from error
            future = Future()
            future.set_exception(error)  # the item's own: it cannot be pickled
        return future

    def _gone(self) -> SchedulerLostError:
        hint = "repeat the command when its workers have ended: what is finished is kept"
        return SchedulerLostError("the scheduler is gone", where=self._address, hint=hint)

    def alone(self, work: Attempt[Any, Any], item: Any) -> Any:
        """The result of an item; the others of this run are done."""
        return self.result(self.submit(work, item))

    def result(self, future: Future[Any]) -> Any:
        """Wait for what came of an item; says so where no worker is left to do it.

        Raises:
            SchedulerLostError: The scheduler is gone.
        """
        told = False
        while True:
            try:
                return future.result(LOOK_S)
            except CancelledError as error:
                raise self._gone() from error
            except TimeoutError:
                if future.done():  # the item's own, of a library
                    raise
                if not told and not self._client.nthreads():
                    told = True
                    logger.warning("%s has no worker left; waiting for one", self._address)

    def died(self, error: BaseException) -> str:
        """How many workers died of the item, and where the last one was."""
        last = getattr(error, "last_worker", None)
        times = getattr(error, "allowed_failures", 0) + 1
        at = f" at {last.address}" if last is not None else ""
        died = f"a worker{at} was killed"
        return f"{died if times == 1 else f'{died}, the last of {times}'} (out of memory?)"

    def end(self, *, early: bool) -> None:
        """No more items; early, those that are worked on are waited for: a thread cannot be ended.

        The lock of who called is held until nothing is written any more.

        Raises:
            SchedulerLostError: Nobody is left to say what is worked on.
        """
        executor, self._executor = self._executor, None
        if executor is None:
            return
        try:
            executor.shutdown(wait=False)
            if early:
                _await(lambda: self._client.id in _busy(self._client), "items that were begun")
        except Exception as error:  # whatever Dask calls it
            if early:
                raise self._gone() from error
            logger.debug("%s is gone, and all is done: %s", self._address, error)

    def require(self, folders: Mapping[str, Collection[str]]) -> None:
        """Refuse a worker that cannot do the work of this process.

        Args:
            folders: By path, names of entries that each must have.

        Raises:
            InputError: There is none, or one of them lacks the package or a folder, has another
                version or several threads.
        """
        faults = dict(_faults(self._client, folders))
        if not faults:
            return
        (where, (problem, hint)), *others = faults.items()
        more = f" (and {len(others)} more workers cannot be used)" if others else ""
        raise InputError(f"{problem}{more}", where=where, hint=hint)


def require_folders(*paths: Path) -> None:
    """Refuse where a worker elsewhere does not see these folders; nothing where none is elsewhere.

    Raises:
        InputError: A worker lacks one, or has another one under its path.
    """
    team = parallel.elsewhere.get()
    if isinstance(team, Cluster):
        there = [next(p for p in (path, *path.parents) if p.is_dir()) for path in paths]
        team.require({str(path): _some_names(path) for path in there})


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Let :func:`parallel.parallel_map` use the workers of a scheduler inside the block.

    Args:
        address: ``tcp://host:port``.

    Raises:
        MissingExtraError: Dask's scheduler is not installed.
        InputError: Nobody answers there, or workers cannot be used.
    """
    client = _client(address)
    try:
        team = Cluster(client, address)
        team.require({})
        # A run that was killed here has left its last items to the workers' threads.
        _await(lambda: bool(_busy(client) - _clients(client)), "items of a run that is gone")
        token = parallel.elsewhere.set(team)
        try:
            yield
        finally:
            parallel.elsewhere.reset(token)
    finally:
        client.close()


def _client(address: str) -> Any:
    try:
        import dask
        from distributed import Client
    except ModuleNotFoundError:
        raise MissingExtraError("distributed is not installed", hint=EXTRA) from None
    # Its own lines would bury ours: what went wrong is told of in one.
    for name in ("distributed", "distributed.client", "distributed.core", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    hint = "give tcp://host:port as dask scheduler printed it"
    try:
        _reach(address)
        with dask.config.set({"distributed.comm.timeouts.connect": f"{ANSWER_S}s"}):
            return Client(address, timeout=ANSWER_S, set_as_default=False)
    except Exception as error:  # what answers may be anything, and so is what Dask reads from it
        where = f"--scheduler {address}"
        raise InputError("no Dask scheduler answers there", where=where, hint=hint) from error


def _reach(address: str) -> None:
    """OSError or ValueError where nobody listens: at once, where a client would try for long."""
    place = urlsplit(address)
    if place.hostname is None or place.port is None:
        raise ValueError(address)
    socket.create_connection((place.hostname, place.port), ANSWER_S).close()


def _faults(
    client: Any, folders: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Who cannot be used, what is wrong with it, and the way out."""
    try:
        client.wait_for_workers(1, timeout=ANSWER_S)
    except TimeoutError:
        address = client.scheduler.address
        hint = f"start some first: python -m dask worker {address} --nthreads 1 --nworkers N"
        yield f"--scheduler {address}", ("it has no worker", hint)
        return
    # "python -m dask", unlike "dask", finds the package of the folder it is started in.
    hint = "install this package there, or start it in the checkout with python -m dask"
    try:
        client.run_on_scheduler(_python)
    except Exception as error:  # whatever cannot be loaded there
        what = f"the scheduler cannot pass work on ({parallel.reason_of(error)})"
        yield client.scheduler.address, (what, hint)
        return
    threads = client.nthreads()
    for address, found in client.run(_look, folders, on_error="return").items():
        where = f"worker {address}"
        if isinstance(found, BaseException):
            said = parallel.reason_of(found)
            yield address, (f"cannot work for this run ({said})", hint)
        elif found["python"] != _python() or found["code"] != code():
            what = f"sensor2sensor {found['version']} in Python {found['python']}"
            hint = "start it with the installation that this command has"
            yield where, (f"its {what} is another", hint)
        elif found["missing"]:
            hint = "workers need the same folders under the same paths"
            yield where, (f"does not see {found['missing'][0]} as it is here", hint)
        elif threads.get(address, 1) > 1:
            hint = "start it with --nthreads 1, and more of them with --nworkers"
            yield (
                address,
                (f"has {threads[address]} threads; one item at a time is worked on", hint),
            )


def _look(folders: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """What a worker is and sees."""
    seen = {path: all((Path(path) / name).exists() for name in folders[path]) for path in folders}
    missing = [path for path, whole in seen.items() if not (whole and Path(path).is_dir())]
    return {"python": _python(), "version": __version__, "code": code(), "missing": missing}


def _some_names(folder: Path) -> list[str]:
    """Some entries of a folder, not those that come and go."""
    return sorted(path.name for path in folder.iterdir() if path.name[0] != ".")[:NAMES]


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


@cache
def code() -> str:
    """A fingerprint of this package's files: checkouts share a version, and may differ."""
    root = Path(__file__).resolve().parents[1]
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(f"{path.relative_to(root)}".encode() + path.read_bytes())
    return found.hexdigest()


def _busy(client: Any) -> set[str]:
    """The clients for whom workers have an item in hand."""
    told = client.run(_clients_at_work, on_error="return").values()
    return {name for names in told if not isinstance(names, BaseException) for name in names}


def _clients_at_work() -> list[str]:
    return [name for name, items in _at_work.items() if items]


def _clients(client: Any) -> set[str]:
    """The clients that the scheduler knows; it need not have this package."""
    return set(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.clients)))


def _await(busy: Callable[[], bool], what: str) -> None:
    """Wait until the workers are done with items that must not meet others."""
    told = False
    while busy():
        if not told:
            told = True
            logger.warning("waiting for the workers to end %s", what)
        time.sleep(PAUSE_S)
