"""Every error of an item is that item's failure, here and in worker processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import shapely
from pykdtree.kdtree import KDTree
from threadpoolctl import threadpool_info, threadpool_limits

from sensor2sensor.core import cli, parallel, pool
from sensor2sensor.core.errors import debugging
from sensor2sensor.core.files import SimulatedCrash
from tests.doors import HANG_S


class Halting(Exception):  # noqa: N818 - it stands for a library's
    """It pickles, and cannot be unpickled: its __init__ wants two arguments."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")


class Clutching(Exception):  # noqa: N818
    """It cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


def _overflow():
    return 2.0**10_000


def _shapely():
    return shapely.from_wkt("POLYGON ((0 0, 1 1")


def _memory():
    return np.empty(2**56)


def _halt():
    raise Halting(3, "of two arguments")


def _clutch():
    raise Clutching


def _floating():
    with np.errstate(all="raise"):
        return np.float32(1e30) * np.float32(1e30)


FAULTS = {
    "OverflowError": _overflow,
    "ZeroDivisionError": lambda: 1 // 0,
    "FloatingPointError": _floating,
    "GEOSException": _shapely,
    "out of memory": _memory,
    "Halting: 3 of two arguments": _halt,
    "Clutching: holds a lock": _clutch,
    "NotImplementedError": lambda: (_ for _ in ()).throw(NotImplementedError),
    "RecursionError": lambda: FAULTS["RecursionError"](),
    "AttributeError": lambda: None.absent,  # type: ignore[attr-defined]
    "UnicodeDecodeError": lambda: b"\xfc".decode(),
    "SystemExit: 3": lambda: sys.exit(3),
    "AssertionError": lambda: (_ for _ in ()).throw(AssertionError),
}
MISTAKES = {"AttributeError": AttributeError, "AssertionError": AssertionError}
STOPS = {"key": KeyboardInterrupt, "crash": SimulatedCrash}


def work(item):
    """Square a number, or fail as named."""
    if isinstance(item, int):
        return item * item
    if item in STOPS:
        raise STOPS[item]("stopped")
    return threading.Lock() if item == "lock" else FAULTS[item]()


def mapped(items, workers):
    return list(parallel.parallel_map(work, items, workers=workers, label=str, desc="t"))


@pytest.fixture
def debug():
    token = debugging.set(True)
    yield
    debugging.reset(token)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_any_kind_costs_its_item_and_no_other(workers):
    results = mapped([2, *FAULTS, 3], workers)
    assert [item for item, _ in results] == [2, *FAULTS, 3]
    assert results[0][1] == 4 and results[-1][1] == 9
    for name, failure in results[1:-1]:
        assert isinstance(failure, parallel.Failure)
        assert failure.item == name and failure.reason.startswith(name)
        assert "\n" not in failure.reason and "killed" not in failure.reason


def test_a_result_that_cannot_cross_the_border_is_its_items_failure():
    results = dict(mapped([2, "lock", 3], 2))
    assert results[2] == 4 and results[3] == 9
    assert isinstance(results["lock"], parallel.Failure)
    assert "pickle" in results["lock"].reason


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", MISTAKES)
def test_with_debug_a_mistake_in_the_program_is_raised_where_it_happened(debug, workers, name):
    with pytest.raises(MISTAKES[name]) as caught:
        mapped([2, name, 3], workers)
    told = str(caught.value.__cause__) if workers == 2 else str(caught.traceback[-1].path)
    assert "test_parallel.py" in told


@pytest.mark.parametrize("workers", [1, 2])
def test_with_debug_damaged_input_is_still_its_items_failure(debug, workers):
    results = mapped([2, "OverflowError", "GEOSException", 3], workers)
    assert [isinstance(result, parallel.Failure) for _, result in results] == [
        False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", STOPS)
def test_what_stops_a_run_is_no_items_failure(workers, name):
    with pytest.raises(STOPS[name]):
        mapped([2, name, 3], workers)


PARENT = """
import os, sys, time
from pathlib import Path
from sensor2sensor.core import parallel

def work(item):
    (Path(sys.argv[1]) / f"{item}.pid").write_text(str(os.getpid()))
    for _ in range(3000 if item else 0):
        time.sleep(0.1)

if __name__ == "__main__":
    list(parallel.parallel_map(work, [0, 1, 2], workers=WORKERS, label=str, desc="t"))
"""


@pytest.mark.parametrize(("workers", "items"), [(2, 3), (3, 3)], ids=["busy", "one idle"])
def test_workers_end_with_a_parent_that_was_killed(tmp_path, repository, workers, items):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.replace("WORKERS", str(workers)))
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    line = [sys.executable, str(script), str(tmp_path)]
    # Every process that is left holds this pipe: it ends with the last of them.
    parent = subprocess.Popen(
        line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + HANG_S
        while len(list(tmp_path.glob("*.pid"))) < items and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(list(tmp_path.glob("*.pid"))) == items and parent.poll() is None
        parent.kill()
        parent.communicate(timeout=HANG_S)
    finally:
        parent.kill()
        for path in tmp_path.glob("*.pid"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(path.read_text()), signal.SIGKILL)


def test_one_attempt_follows_the_same_rule(debug):
    assert parallel.attempt(work, 3) == 9
    assert isinstance(parallel.attempt(work, "OverflowError"), parallel.Failure)
    with pytest.raises(AttributeError):
        parallel.attempt(work, "AttributeError")
    with pytest.raises(KeyboardInterrupt):
        parallel.attempt(work, "key")


def test_an_attempt_within_a_worker_knows_of_debug(debug):
    within = partial(parallel.attempt, work)
    with pytest.raises(AttributeError):
        list(parallel.parallel_map(within, ["AttributeError"], workers=2, label=str, desc="t"))


@pytest.mark.parametrize(("options", "raised"), [([], False), (["--debug"], True)])
def test_debug_reaches_the_items_through_the_door(capsys, options, raised):
    def act(args):
        ((_, result),) = mapped(["AttributeError"], 1)
        print(result.reason)
        return 0

    made = cli.parser("Doc.", prog="prog", steps=True)
    assert cli.main_guard(act, made, options) == int(raised)
    told = capsys.readouterr()
    assert ("Traceback" in told.err) is raised
    assert ("has no attribute" in told.out) is not raised
    assert not debugging.get()


def test_an_unforeseen_error_is_one_line_without_debug(capsys):
    def act(args):
        return {}["absent"]

    assert cli.main_guard(act, cli.parser("Doc.", prog="prog"), []) == 1
    told = capsys.readouterr().err
    assert told == "prog: KeyError: 'absent'; --debug shows where, please report it\n"


class HandedOut(list):
    """Items of which the second is handed out when the first has killed its worker."""

    def __iter__(self):
        yield self[0]
        if not Path(self[0][1]).exists():
            while not Path(self[0][1]).exists():
                time.sleep(0.01)
            time.sleep(1.0)  # until the pool has noticed
        yield from self[1:]


def killing(item):
    if not isinstance(item, int):
        Path(item[1]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def test_a_worker_may_die_while_items_are_handed_out(tmp_path):
    items = HandedOut([("kill", str(tmp_path / "begun")), 2, 3])
    (_, failed), *others = parallel.parallel_map(
        killing, items, workers=2, label=lambda item: str(item)[:9], desc="t"
    )
    assert "was killed by SIGKILL" in failed.reason and "with it alone" in failed.reason
    assert others == [(2, 4), (3, 9)]


def test_how_a_worker_died_is_waited_for():
    """The pool's own thread may have had it from the kernel, and not yet written it down."""

    class Process:
        exitcodes = iter([None, None, -signal.SIGKILL, -signal.SIGKILL])
        exitcode = property(lambda self: next(self.exitcodes))

    read, written = os.pipe()
    os.close(written)  # as the sentinel of a process that has ended
    Process.sentinel = read
    team = pool.Pool(1)
    team._processes = {7: Process()}
    told = team.died(BrokenProcessPool())
    os.close(read)
    assert told == "worker process 7 was killed by SIGKILL (out of memory?)"


def blas_threads(item):
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def omp_threads(item):
    KDTree(np.eye(3))  # its library is loaded
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"}


def test_the_kd_tree_of_a_worker_takes_one_thread(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = parallel.parallel_map(omp_threads, [0], workers=2, label=str, desc="t")
    assert list(found) == [(0, {1})]


@pytest.mark.parametrize("workers", [1, 2])
def test_products_of_matrices_take_one_thread_of_a_process(workers):
    told = {"workers": workers, "label": str, "desc": "t"}

    def act(args):
        assert list(parallel.parallel_map(blas_threads, [0], **told)) == [(0, {1})]
        return 0

    with threadpool_limits(2, user_api="blas"):
        assert cli.main_guard(act, cli.parser("Doc.", prog="prog", steps=True), []) == 0
        assert blas_threads(0) == {2}
