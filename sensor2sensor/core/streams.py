"""Text for terminals, logs and files that cannot hold every sign, and names that are no text.

Standard output and error themselves, too: closed from the start, or closed by their reader.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

ESCAPED = "sensor2sensor.escaped"  # an error handler like "replace", for encoding
# What this package prints beyond ASCII and how a code page without it shows it.
_PLAIN = {
    "→": "->", "←": "<-", "↑": "^", "↓": "v", "–": "-", "—": "-", "…": "...", "×": "x",
    "µ": "u", "≤": "<=", "≥": ">=", "│": "|", "─": "-", "’": "'",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text that UTF-8 can hold: bytes of a file's name that are none show as in Python."""
    return text.encode("utf-8", ESCAPED).decode("utf-8")


def one_line(text: str) -> str:
    """Text whose control characters, a line break in a folder's name, show as in Python."""
    return "".join(repr(s)[1:-1] if s < " " or s == "\x7f" else s for s in text)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(map(_shown, signs)), error.end


def _shown(sign: str) -> str:
    if "\udc80" <= sign <= "\udcff":  # how Python keeps a byte of a name that is no UTF-8
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return _PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(ESCAPED, _escape)


# What a write says whose reader is gone: ``| head``, a socket, a terminal that hung up.
_UNREAD = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EIO})
_STANDARD = {0: "standard input", 1: "standard output", 2: "standard error"}


class _Unread(io.FileIO):
    """Standard output or error, which turns into the null device when its reader goes away."""

    def write(self, data: object, /) -> int:
        """Write; any error but a reader's absence is raised once, by name."""
        try:
            return super().write(data)  # type: ignore[arg-type]  # any buffer, as the base takes
        except OSError as error:
            # Python would try to write the rest once more at exit, and end with code 120.
            _to_null(self.fileno())
            if error.errno not in _UNREAD:
                error.filename = _STANDARD[self.fileno()]
                raise
            return memoryview(data).nbytes  # type: ignore[arg-type]


def _to_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    os.set_inheritable(descriptor, True)  # or it would be closed again in every worker


def forgive() -> None:
    """Let standard output and error take whatever is written, shown or not.

    A code page of Windows, an ASCII log of a batch system, ``>&-`` of a cron job, ``| head``: a
    sign that cannot be shown, or nobody to read it, is no reason to end a training. Signs that the
    encoding lacks are replaced, closed descriptors lead to the null device, and so does a pipe
    from its reader's end on.

    Raises:
        OSError: Later, from a write, where a file they lead to cannot take it: a full disk.
    """
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:  # the next file that is opened would get its number, and its messages
            _to_null(descriptor)
    sys.stdout = _forgiving(sys.stdout, 1)
    sys.stderr = _forgiving(sys.stderr, 2)


def _forgiving(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is None:  # so Python says that the descriptor was closed
        return open(descriptor, "w", encoding="utf-8", errors=ESCAPED, closefd=False)
    if isinstance(stream, io.TextIOWrapper):  # notebooks have others
        stream.reconfigure(errors=ESCAPED)
        raw = getattr(stream.buffer, "raw", stream.buffer)  # python -u has no buffer between
        if type(raw) is io.FileIO and raw.fileno() == descriptor:
            return _unread(stream, descriptor, buffered=raw is not stream.buffer)
    return stream


def _unread(stream: io.TextIOWrapper, descriptor: int, *, buffered: bool) -> TextIO:
    with suppress(OSError):  # its reader may be gone already
        stream.flush()
    raw = _Unread(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if buffered else raw,  # bare, as python -u has it
        encoding=stream.encoding,
        errors=ESCAPED,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
