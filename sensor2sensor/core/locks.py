"""One process at a time: a lock file whose holder the kernel knows, and which names it to others.

The kernel's lock (``flock``) ends with its process, so a dead holder's lock is free and no pid that
was given out again can stand for it. Some network file systems grant none; there the file's content
stands in, which has to be believed.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from sensor2sensor.core.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: what only reads works there, what writes says why it cannot
    POSIX = False
else:
    POSIX = True

logger = logging.getLogger(__name__)

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
BY_CONTENT = "by-content"  # third word in a lock file that no kernel lock stands behind
ATTEMPTS = 100
# Not the file that a link leads to, whose content would be replaced; and a pipe without a writer
# must not hold us up.
CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_PAUSE_S = 0.02


class InUseError(InputError):
    """Another process holds a lock; it may be free in a moment."""


@contextmanager
def lock(path: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lock file that names process and host.

    A lock whose process is dead is taken over. Folders made for it go with it if nothing else was
    put there.

    Args:
        path: Of the lock file.
        wait_s: How long another's lock is waited for, seconds; by default not at all.

    Raises:
        InUseError: Another live process holds it.
        InputError: What stands there is no file, or the system has no such locks.
    """
    path = Path(path)
    require_posix(path)
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as held:
            _hold(held, path, wait_s)
            yield
    finally:
        for folder in made:
            with suppress(OSError):  # it holds results
                folder.rmdir()


def holder(path: Path) -> str | None:
    """Which live process holds a lock, in words; None where nobody does. Nothing is changed.

    Args:
        path: Of the lock file.
    """
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # none there, or another's that cannot be opened to be locked either
        return None
    words, told = content.split(), _described(content)
    if not POSIX:  # where nobody can hold one
        return None
    if content.endswith(BY_CONTENT):
        local = len(words) > 1 and words[0].isdigit() and words[1] == os.uname().nodename
        return None if local and not _alive(int(words[0])) else told
    # The kernel knows, not the number: a container has numbers of its own, and its host's name.
    # Shared: for a moment it stands in the way of who begins to hold it.
    return told if _locked(path) else None


def _locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | CAREFULLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in NO_LOCKS
    else:
        return False
    finally:
        os.close(descriptor)


def _hold(held: ExitStack, path: Path, wait_s: float) -> None:
    """Enter the lock, as soon as it is free."""
    until = time.monotonic() + wait_s
    while True:
        try:
            kind = _by_kernel if _grants_locks(path.parent) else _by_content
            held.enter_context(kind(path))
        except InUseError:
            if time.monotonic() >= until:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def require_posix(path: Path) -> None:
    """Refuse to write where a file can be neither locked nor put in place whole.

    Raises:
        InputError: The system is not POSIX.
    """
    if not POSIX:
        hint = "run this on Linux or macOS; on Windows in WSL"
        raise InputError("cannot be written safely: this is no POSIX system", where=path, hint=hint)


def _grants_locks(folder: Path) -> bool:
    """Whether the file system of a folder has locks, tried on a file that nobody else sees."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # another process tidied the folder away; it is made anew
        return True
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        _warn(error.strerror or str(error))
        return False
    return True


@cache  # once a process
def _warn(reason: str) -> None:
    logger.warning(
        "the file system grants no locks (%s): lock files are believed by their content; "
        "do not run the same step twice at once from different machines",
        reason,
    )


@contextmanager
def _by_kernel(path: Path) -> Iterator[None]:
    descriptor = _taken(path)
    try:
        with _naming(path):
            # Written over, then cut: emptied first, it would for a moment name nobody.
            os.pwrite(descriptor, _own_name().encode(), 0)
            os.ftruncate(descriptor, len(_own_name().encode()))
        yield
    finally:
        # Removed while it is held: whoever opened it before finds another file at the path, or
        # none, and tries again.
        _remove(path)
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove our lock file. One that has to stay is free: nobody locks it, its process ends.

    Its error would hide the one that ends the block: a folder that may not be written any more.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s stays behind, which holds nothing: %s", path, error.strerror or error)


def _taken(path: Path) -> int:
    """A descriptor that holds the lock of the file that stands at ``path``."""
    for _ in range(ATTEMPTS):
        _refuse_other_than_file(path)
        descriptor, writable = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _stands_at(descriptor, path):
                content = os.pread(descriptor, 300, 0).decode(errors="replace")
                if content.endswith(BY_CONTENT):
                    _refuse_if_held(path)
                if writable:
                    return descriptor
                path.unlink()  # another user's, of whom no process is left: make our own
        except BlockingIOError:
            holder = os.pread(descriptor, 300, 0).decode(errors="replace")
            os.close(descriptor)
            raise _in_use(path, _described(holder), "wait for it, or end it") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise InUseError("the lock file keeps changing", where=path, hint="try again")


def _opened(path: Path) -> tuple[int, bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(path, os.O_CREAT | os.O_RDWR | CAREFULLY, 0o644), True
    except PermissionError:  # another user's; flock asks for no right to write
        return os.open(path, os.O_RDONLY | CAREFULLY), False


def _stands_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at its path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _refuse_other_than_file(path: Path) -> None:
    """InputError where a link, a folder or a pipe stands in a lock file's place."""
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if kind != stat.S_IFREG:
        named = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}
        problem = f"{named.get(kind, 'no file')}; a lock file has to stand there"
        raise InputError(problem, where=path, hint=f"delete or rename this {path.name}")


@contextmanager
def _by_content(path: Path) -> Iterator[None]:
    if not _made(path):
        _take_over(path)
    try:
        yield
    finally:
        _remove(path)


def _take_over(path: Path) -> None:
    """Put our own lock file in the place of a dead process's.

    Only the one that holds the second file may remove the first, so nobody's fresh lock is removed
    for the dead one that stood there before.
    """
    _refuse_if_held(path)
    second = path.with_name(f"{path.name}.takeover")
    if not _made(second):
        raise _in_use(second, "a process that takes it over")
    try:
        _refuse_if_held(path)
        if path.exists():
            path.unlink()
        if not _made(path):
            raise _in_use(path, "another process")
    finally:
        second.unlink(missing_ok=True)


def _made(path: Path) -> bool:
    """Make a lock file; False where one is there."""
    try:
        # O_EXCL is the one step that network file systems without locks still do at once.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    try:
        with _naming(path):
            os.write(descriptor, f"{_own_name()} {BY_CONTENT}".encode())
    except BaseException:
        _remove(path)  # empty, it would name nobody and be held for ever
        raise
    finally:
        os.close(descriptor)
    return True


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file where writing by a descriptor fails: the system names none then."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def _refuse_if_held(path: Path) -> None:
    """InputError where the content of a lock file names a process that may be alive."""
    _refuse_other_than_file(path)
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    words = content.split()
    if not words:  # it was made a moment ago
        raise _in_use(path, "a process that has not named itself yet")
    local = len(words) > 1 and words[0].isdigit() and words[1] == os.uname().nodename
    if len(words) < 2 or (local and not _alive(int(words[0]))):
        return
    raise _in_use(path, _described(content))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # signal 0 is sent to nobody, only tried
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is there and another user's
        return True
    return True


def _own_name() -> str:
    return f"{os.getpid()} {os.uname().nodename}"


def _described(content: str) -> str:
    words = content.split()
    return f"process {words[0]} on {words[1]}" if len(words) > 1 else "another process"


def _in_use(path: Path, holder: str, hint: str | None = None) -> InUseError:
    by_hand = f"wait for it, or delete {path.name} if that process is gone"
    # ".out.tif.lock" guards one file of a folder, ".lock" all of it.
    own = path.name.removeprefix(".").removesuffix(".lock").rstrip(".")
    guarded = path.with_name(own) if own and own != "lock" else path.parent
    return InUseError(f"in use by {holder}", where=guarded, hint=hint or by_hand)
