"""The one place that writes files: whole or not at all.

A file appears under its final name only when it is complete: it is written under a temporary name
in the same folder, flushed, fsynced and renamed. Readers ignore leftovers (``.*.part``).
"""

from __future__ import annotations

import csv
import errno
import glob
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.locks import lock as lock
from sensor2sensor.core.locks import require_posix
from sensor2sensor.core.slips import decoded, json_slip, on_every_python
from sensor2sensor.core.streams import ESCAPED

PART_SUFFIX = ".part"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
CRASH_VARIABLE = "SENSOR2SENSOR_CRASH_AT_WRITE"


class SimulatedCrash(BaseException):
    """Stands for ``kill -9`` in tests: no handler for ordinary errors may catch it."""


class _Crash:
    """Counts commits and breaks off at the one asked for."""

    def __init__(self) -> None:
        asked = os.environ.get(CRASH_VARIABLE)
        self.at = int(asked) if asked else None
        self.exit_process = asked is not None
        self.count = 0

    def tick(self, part: Path | None) -> None:
        self.count += 1
        if self.at is None or self.count != self.at:
            return
        if part is not None and part.is_file():
            # As a kill does: a whole file would hide a reader that takes leftovers for results.
            os.truncate(part, part.stat().st_size // 2)
        if self.exit_process:
            os._exit(137)
        raise SimulatedCrash(f"write {self.count}")


_crash = _Crash()


@contextmanager
def crash_at_write(n: int) -> Iterator[None]:
    """Break off at the ``n``-th write (or removal) inside the block, as a killed process would.

    The temporary file of that write stays behind, cut to half its length.
    """
    global _crash  # the crash switch belongs to the process, as a kill does
    previous, _crash = _crash, _Crash()
    _crash.at, _crash.exit_process, _crash.count = n, False, 0
    try:
        yield
    finally:
        _crash = previous


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it takes the place of ``path``.

    Args:
        path: The final place; its parent folders are made.

    Yields:
        A path in the same folder to write to; removed when the block raises an ordinary error.
    """
    path = Path(path)
    require_posix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Cut, since a name has at most 255 bytes; in the same folder, since a rename crosses no disk.
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}{PART_SUFFIX}")
    try:
        yield part
        # Data first, then the name: ext4 and XFS may else show an empty file after a power cut.
        _fsync(part)
        _crash.tick(part)
        part.replace(path)
        _fsync(path.parent)  # the new name stands in the folder, which has to reach the disk too
    except SimulatedCrash:
        raise
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _NO_ROOM and error.filename is None:
            error.filename = str(path)  # the system names no file of a write that found no room
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` atomically."""
    with atomic_path(path) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, line ends as given; bytes of names that are no text escaped."""
    write_bytes(path, text.encode("utf-8", ESCAPED))


def json_text(obj: Any) -> str:
    """The JSON text this project writes: two-space indent, order kept, NaN refused."""
    return json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, obj: Any) -> None:
    """Write ``obj`` as JSON atomically; ValueError if it holds NaN or infinity."""
    # The escape of JSON itself, which gives the same name back when it is read.
    write_bytes(path, json_text(obj).encode("utf-8", "backslashreplace"))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a comma-separated table (RFC 4180, Unix line ends) atomically; None is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    write_text(path, buffer.getvalue())


def read_json(path: Path) -> Any:
    """Read a JSON file this project wrote.

    Raises:
        InputError: The file is missing, not UTF-8 or not JSON; the line is named.
    """
    again = "make the file again"
    try:
        text = decoded(Path(path).read_bytes(), path, InputError)
        return json.loads(text)
    except FileNotFoundError:
        raise InputError("no such file", where=path) from None
    except RecursionError:
        raise InputError("nested too deep", where=path, hint=again) from None
    except json.JSONDecodeError as raised:
        error = on_every_python(raised)
        slip = json_slip(text, error.pos, error.msg)
        hint = again if slip is None else f"{slip}, or {again}"
        problem = f"not valid JSON ({error.msg})"
        raise InputError(problem, where=f"{path}:{error.lineno}", hint=hint) from None
    except ValueError:  # more digits than Python turns into a number
        digits = re.search(rf"\d{{{sys.get_int_max_str_digits() + 1}}}", text)
        line = text.count("\n", 0, digits.start()) + 1 if digits else 1
        problem = "a number has too many digits"
        raise InputError(problem, where=f"{path}:{line}", hint=again) from None


def remove(path: Path) -> None:
    """Remove a file if it is there; counts as a write for :func:`crash_at_write`."""
    path = Path(path)
    if path.exists() or path.is_symlink():
        _crash.tick(None)
        path.unlink()


def remove_folder(path: Path, within: Path) -> None:
    """Remove a folder and all in it; counts as one write for :func:`crash_at_write`.

    Links in it are removed, not what they lead to.

    Args:
        path: The folder; nothing happens where there is none.
        within: The folder that it must lie in, links followed.

    Raises:
        InputError: It leads elsewhere.
    """
    inside = path.resolve().is_relative_to(within.resolve()) and path.resolve() != within.resolve()
    if path.is_symlink() or not inside:
        raise InputError(f"leads outside of {within}", where=path, hint="remove it by hand")
    if path.is_dir():
        _crash.tick(None)
        shutil.rmtree(path)


def sweep(folder: Path) -> int:
    """Delete temporary files that a killed run left in ``folder``; returns how many."""
    if not Path(folder).is_dir():
        return 0
    leftovers = [
        p for p in Path(folder).iterdir() if p.name.startswith(".") and p.suffix == PART_SUFFIX
    ]
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return len(leftovers)


def sweep_of(path: Path) -> None:
    """Delete what killed runs left of writing ``path``; for folders that others write to, too.

    The caller holds a lock: a part that is being written looks the same.
    """
    for left in path.parent.glob(f".{glob.escape(path.name[:80])}.????????{PART_SUFFIX}"):
        left.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def undone_on_failure(folder: Path) -> Iterator[None]:
    """Remove ``folder`` if the block fails, unless it was there before."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        yield
    except SimulatedCrash:  # who is killed tidies nothing up
        raise
    except BaseException:
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        for place in made[1:]:
            with suppress(OSError):  # others put something there meanwhile, or it never was
                place.rmdir()
        raise
