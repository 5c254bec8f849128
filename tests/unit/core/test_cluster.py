"""The workers of a Dask scheduler in the place of processes: equal results in equal order."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sensor2sensor.core import cli, cluster, parallel
from sensor2sensor.core.errors import InputError, MissingExtraError
from tests.doors import HANG_S

distributed = pytest.importorskip("distributed")


def work(item):
    """Square a number, fail, die, take time, or count how often it was tried."""
    if isinstance(item, int):
        return item * item
    kind, *rest = item
    if kind == "error":
        raise ValueError("no such thing")
    if kind == "dies":  # until it has been tried as often as that
        folder, times = Path(rest[0]), rest[1]
        (folder / f"{time.monotonic_ns()}.tried").touch()
        if len(list(folder.glob("*.tried"))) <= times:
            os.kill(os.getpid(), signal.SIGKILL)
        return "alive"
    if kind == "slow":
        Path(rest[0], "begun").touch()
        time.sleep(rest[1])
        Path(rest[0], "ended").touch()
    return kind


def mapped(items):
    return list(parallel.parallel_map(work, items, workers=1, label=str, desc="t"))


@pytest.fixture(scope="module")
def local():
    """A scheduler with two worker processes, each of which is started anew when it dies."""
    settings = {"distributed.scheduler.allowed-failures": 0}
    import dask

    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as made,
    ):
        yield made


@pytest.fixture
def joined(local):
    with cluster.joined(local.scheduler_address):
        yield


def test_results_come_in_the_order_of_the_items_and_errors_are_their_items_own(joined):
    items = [3, ("error",), 5, 4]
    results = mapped(items)
    assert [item for item, _ in results] == items
    assert [results[i][1] for i in (0, 2, 3)] == [9, 25, 16]
    assert results[1][1] == parallel.Failure(("error",), "ValueError: no such thing")


def test_a_dead_worker_is_named_and_its_item_tried_once_more(joined, tmp_path, caplog):
    once, always = tmp_path / "once", tmp_path / "always"
    once.mkdir(), always.mkdir()
    results = mapped([2, ("dies", once, 1), 3, ("dies", always, 99), 4])
    assert [result for _, result in results[:3]] == [4, "alive", 9] and results[4][1] == 16
    assert len(list(always.iterdir())) in (1, 2)  # it may have died of the first, untried
    assert "tcp://" in results[3][1].reason and "with it alone" in results[3][1].reason
    assert "it is tried once more, alone" in caplog.text and str(once) in caplog.text


def test_an_early_end_waits_for_what_was_begun_and_nothing_else_begins(joined, tmp_path):
    items = [1, ("slow", tmp_path, 1.0), ("slow", tmp_path, 1.0), 7]
    mapping = parallel.parallel_map(work, items, workers=1, label=str, desc="t")
    next(mapping)
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    mapping.close()
    assert (tmp_path / "ended").exists()


KILLED = """
import sys
from sensor2sensor.core import cluster
from tests.unit.core.test_cluster import mapped
with cluster.joined(sys.argv[1]):
    mapped([("slow", sys.argv[2], 2.0)])
"""


def test_a_run_waits_for_the_items_of_one_that_was_killed(local, tmp_path):
    line = [sys.executable, "-c", KILLED, local.scheduler_address, str(tmp_path)]
    child = subprocess.Popen(line)
    deadline = time.monotonic() + HANG_S
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    child.wait()
    assert not (tmp_path / "ended").exists()
    with cluster.joined(local.scheduler_address):
        assert (tmp_path / "ended").exists()


def refused(local, *folders):
    with pytest.raises(InputError) as error, cluster.joined(local.scheduler_address):
        cluster.require_folders(*folders)
    return str(error.value)


def test_workers_that_cannot_do_the_work_are_named_in_one_line(local, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(cluster, "code", lambda: "of another checkout")
        line = refused(local)
        assert line.startswith("worker tcp://") and "its sensor2sensor" in line
        assert "is another (and 1 more workers cannot be used)" in line
    with monkeypatch.context() as patched:
        patched.setattr(cluster, "_some_names", lambda folder: ["absent"])
        line = refused(local, tmp_path / "data")  # not there yet: the folder it will stand in
        assert f"does not see {tmp_path} as it is here (and 1 more" in line
        assert line.endswith("workers need the same folders under the same paths")


def test_a_worker_that_comes_later_with_another_version_fails_its_items(local, monkeypatch):
    with cluster.joined(local.scheduler_address):
        monkeypatch.setattr(cluster, "code", lambda: "of another checkout")
        ((_, result),) = mapped([3])
    assert "has another sensor2sensor (" in result.reason


@pytest.mark.parametrize(
    ("workers", "told"),
    [(0, "it has no worker; start some first: python -m dask worker"), (1, "2 threads")],
)
def test_a_scheduler_without_fit_workers_is_refused(workers, told, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_S", 0.5)
    with distributed.LocalCluster(
        n_workers=workers, processes=False, threads_per_worker=2, dashboard_address=":0"
    ) as threads:
        # In this process it listens nowhere: a second look is none of what is tested.
        monkeypatch.setattr(cluster, "_reach", lambda address: None)
        assert told in refused(threads)


@pytest.mark.parametrize("address", ["foo", "127.0.0.1:1", "tcp://127.0.0.1:1"])
def test_a_door_whose_scheduler_does_not_answer_says_so_in_one_line(capsys, address):
    made = cli.parser("Doc.", prog="prog", steps=True)
    assert cli.main_guard(lambda args: 0, made, ["--scheduler", address]) == 2
    assert capsys.readouterr().err == (
        f"prog: --scheduler {address}: no Dask scheduler answers there; give tcp://host:port as"
        " dask scheduler printed it\n"
    )


def test_without_the_package_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingExtraError, match=r"distributed is not installed; pip .*/dask\.txt"),
        cluster.joined("tcp://127.0.0.1:1"),
    ):
        pass


@pytest.fixture
def apart(tmp_path, request):
    """A scheduler and its worker, each a process of its own; and the address.

    Its parameter is a folder to start the scheduler in, this checkout without one.
    """
    told = tmp_path / "scheduler.json"
    words = ["--scheduler-file", str(told), "--no-dashboard"]
    checkout = Path(__file__).parents[3]
    folders = {"dask_scheduler": getattr(request, "param", checkout), "dask_worker": checkout}
    commands = {
        "dask_scheduler": [*words, "--host", "127.0.0.1", "--port", "0"],
        "dask_worker": [*words, "--nthreads", "1", "--no-nanny", "--death-timeout", "5"],
    }
    found = []
    for name, more in commands.items():
        line = [sys.executable, "-m", f"distributed.cli.{name}", *more]
        found.append(subprocess.Popen(line, cwd=folders[name], stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + HANG_S
        while not told.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    yield found[0], json.loads(told.read_text())["address"]
    for process in found:
        process.kill()
        process.wait()


def test_a_scheduler_that_goes_away_ends_the_step_and_no_item_is_blamed(apart, tmp_path):
    scheduler, address = apart
    items = [2, ("slow", tmp_path, 60.0), 3]
    with cluster.joined(address):
        mapping = parallel.parallel_map(work, items, workers=1, label=str, desc="t")
        assert next(mapping) == (2, 4)
        scheduler.kill()
        with pytest.raises(cluster.SchedulerLostError, match="the scheduler is gone"):
            next(mapping)


@pytest.mark.parametrize("apart", ["/"], indirect=True)
def test_a_scheduler_that_does_not_find_the_package_is_refused_before_anything(apart):
    with pytest.raises(InputError) as error, cluster.joined(apart[1]):
        pytest.fail("joined")
    assert "the scheduler cannot pass work on (ModuleNotFoundError" in str(error.value)
    assert "python -m dask" in str(error.value)
