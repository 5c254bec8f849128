"""Locks between real processes, with the kernel's locks and on file systems that have none."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sensor2sensor.core import files, locks
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.locks import InUseError
from tests.doors import HANG_S

ROUNDS, RACERS = 60, 3
RACER = """
import errno, fcntl, os, sys, time
from pathlib import Path
from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError

root, me, kernel = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "kernel"
rounds, racers = int(sys.argv[4]), int(sys.argv[5])
if not kernel:
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")
    fcntl.flock = flock


def wait(done):
    while not done():
        time.sleep(0)


for number in range(rounds):
    place = root / str(number)
    wait((place / "go").exists)
    try:
        with files.lock(place / ".lock"):
            (place / f"won-{me}").touch()
            wait(lambda: len(list(place.glob("*-*"))) == racers)
    except InputError:
        (place / f"lost-{me}").touch()
    wait(lambda: len(list(place.glob("*-*"))) == racers)
"""


def _dead() -> str:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{process.pid} {os.uname().nodename}"


@pytest.fixture
def no_locks(monkeypatch):
    """A file system without locks."""

    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    locks._warn.cache_clear()


@pytest.mark.parametrize("kind", ["kernel", "content"])
@pytest.mark.parametrize("left", ["dead", "nothing"])
def test_of_racing_processes_exactly_one_holds_the_lock(tmp_path, repository, kind, left):
    """Each round begins with the lock of a dead process, which all of them want to take over."""
    command = [sys.executable, "-c", RACER, str(tmp_path)]
    racers = [
        subprocess.Popen([*command, str(one), kind, str(ROUNDS), str(RACERS)], cwd=repository)
        for one in range(RACERS)
    ]
    dead = _dead()
    for number in range(ROUNDS):
        place = tmp_path / str(number)
        place.mkdir()
        if left == "dead":
            (place / ".lock").write_text(dead)
        (place / "go").touch()
    assert [racer.wait(HANG_S) for racer in racers] == [0] * RACERS
    won = [len(list((tmp_path / str(number)).glob("won-*"))) for number in range(ROUNDS)]
    assert won == [1] * ROUNDS
    assert not list(tmp_path.glob("*/.lock*"))


def test_a_lock_of_a_killed_process_is_free_even_where_its_pid_lives_on(tmp_path):
    path = tmp_path / ".lock"
    path.write_text(f"{os.getpid()} {os.uname().nodename}")  # the pid was given out again
    with files.lock(path):
        assert path.read_text() == f"{os.getpid()} {os.uname().nodename}"
    assert not path.exists()


def test_a_file_that_is_not_at_its_path_any_more_holds_nothing(tmp_path, monkeypatch):
    """Between opening and locking, the holder removed its file: a lock on that file is none."""
    path, real, seen = tmp_path / ".lock", fcntl.flock, []

    def slow(descriptor, operation):
        if path.exists() and not seen:
            seen.append(path.stat().st_ino)
            path.rename(tmp_path / "removed")
        return real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    with files.lock(path):
        assert path.stat().st_ino not in seen
        with pytest.raises(InputError, match="in use by process"), files.lock(path):
            pass
    assert seen


@pytest.mark.parametrize("number", sorted(locks.NO_LOCKS))
def test_without_locks_the_content_stands_in_and_one_line_says_so(
    tmp_path, monkeypatch, caplog, number
):
    def refuse(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    locks._warn.cache_clear()
    for _ in range(2):
        with files.lock(tmp_path / "a" / ".lock"):
            with (
                pytest.raises(InputError, match=f"in use by process {os.getpid()}"),
                files.lock(tmp_path / "a" / ".lock"),
            ):
                pass
            (tmp_path / "a" / "results").touch()
    assert [record.getMessage()[:31] for record in caplog.records] == [
        "the file system grants no locks"
    ]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["results"]


@pytest.mark.parametrize("left", ["dead", "garbage"])
def test_without_locks_a_dead_holders_lock_is_free(tmp_path, no_locks, left):
    path = tmp_path / ".lock"
    path.write_text(_dead() if left == "dead" else "x")
    with files.lock(path):
        assert path.read_text().startswith(f"{os.getpid()} ")
    assert not path.exists()


def test_without_locks_another_hosts_lock_and_a_nameless_one_are_held(tmp_path, no_locks):
    path = tmp_path / ".lock"
    path.write_text("17 elsewhere")
    with (
        pytest.raises(InputError, match=r"process 17 on elsewhere.*delete \.lock"),
        files.lock(path),
    ):
        pass
    path.write_text("")
    with pytest.raises(InputError, match="has not named itself yet"), files.lock(path):
        pass


def test_a_lock_by_content_is_respected_where_there_are_locks(tmp_path):
    """Two machines share a folder, and only one of them is granted locks there."""
    path = tmp_path / ".lock"
    path.write_text(f"17 elsewhere {locks.BY_CONTENT}")
    with pytest.raises(InputError, match="process 17 on elsewhere"), files.lock(path):
        pass
    path.write_text(f"{_dead()} {locks.BY_CONTENT}")
    with files.lock(path):
        pass


def test_other_faults_of_the_file_system_are_not_taken_for_missing_locks(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output error"), files.lock(tmp_path / ".lock"):
        pass


def test_folders_made_for_a_lock_go_with_it(tmp_path):
    with files.lock(tmp_path / "a" / "b" / ".lock"):
        assert (tmp_path / "a" / "b" / ".lock").is_file()
    assert not (tmp_path / "a").exists()


def test_nothing_is_left_open(tmp_path):
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with files.lock(tmp_path / ".lock"):
        before = descriptors()
        for _ in range(3):
            with pytest.raises(InputError), files.lock(tmp_path / ".lock"):
                pass
        assert descriptors() == before


def _precious(path: Path) -> None:
    path.with_name("precious").write_text("precious data")
    path.symlink_to("precious")


OTHERS = {
    "a symbolic link": _precious,
    "a symbolic link;": lambda path: path.symlink_to("nowhere"),
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("said", OTHERS)
@pytest.mark.parametrize("kernel", [True, False])
def test_what_is_no_file_is_left_as_it_is_and_named(tmp_path, request, kernel, said):
    if not kernel:
        request.getfixturevalue("no_locks")
    place = tmp_path / ".lock"
    OTHERS[said](place)
    before = place.lstat()
    with pytest.raises(InputError) as caught, files.lock(place):
        pass
    assert str(caught.value).startswith(f"{place}: {said}")
    assert caught.value.exit_code == 2 and "delete or rename this .lock" in str(caught.value)
    assert os.path.samestat(before, place.lstat())
    if said == "a symbolic link":
        assert place.read_text() == "precious data"
    assert not (tmp_path / "nowhere").exists()


def test_a_lock_is_waited_for_as_long_as_is_asked(tmp_path):
    path = tmp_path / ".x.lock"
    with files.lock(path):
        with pytest.raises(InUseError, match="in use by process"), files.lock(path, wait_s=0.05):
            pass
        freed = threading.Event()

        def patient():
            with files.lock(path, wait_s=10):
                freed.set()

        waiting = threading.Thread(target=patient)
        waiting.start()
        assert not freed.wait(0.05)
    waiting.join(10)
    assert freed.is_set() and not path.exists()


@pytest.mark.parametrize("kernel", [True, False])
def test_who_holds_a_lock_is_told_without_touching_it(tmp_path, request, kernel):
    if not kernel:
        request.getfixturevalue("no_locks")
    path = tmp_path / ".lock"
    assert locks.holder(path) is None and not path.exists()
    with files.lock(path):
        assert locks.holder(path) == f"process {os.getpid()} on {os.uname().nodename}"
        if kernel:  # a container has numbers of its own: there this process has another
            path.write_text(gone := _dead())
            assert locks.holder(path) == f"process {' on '.join(gone.split())}"
    path.write_text(f"{_dead()} {locks.BY_CONTENT}")
    before = path.stat()
    assert locks.holder(path) is None and path.stat() == before


@pytest.mark.parametrize("kernel", [True, False])
def test_a_full_disk_names_the_lock_and_leaves_none(tmp_path, monkeypatch, request, kernel):
    """Written by descriptor: the system names no file. An empty one would be held for ever."""
    if not kernel:
        request.getfixturevalue("no_locks")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite" if kernel else "write", full)
    lock = tmp_path / ".lock"
    with pytest.raises(OSError, match="No space left") as error, files.lock(lock):
        pytest.fail("it is held")
    assert error.value.filename == str(lock)
    assert not lock.exists()


@pytest.mark.parametrize("kernel", [True, False])
def test_a_lock_that_cannot_be_removed_hides_no_error(
    tmp_path, monkeypatch, request, caplog, kernel
):
    """As in a folder that nobody may write any more; it is free all the same."""
    if not kernel:
        request.getfixturevalue("no_locks")

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    lock = tmp_path / ".lock"
    with (
        monkeypatch.context() as patched,
        pytest.raises(InputError, match="ckpt-20 is kept"),
        files.lock(lock),
    ):
        patched.setattr(Path, "unlink", refuse)
        raise InputError("ckpt-20 is kept")
    assert f"{lock} stays behind, which holds nothing: Permission denied" in caplog.text
    if kernel:
        with files.lock(lock):
            pass
