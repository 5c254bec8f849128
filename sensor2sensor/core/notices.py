"""Loading TensorFlow without the notices that bury a door's own lines; all of them with --debug.

``TF_CPP_MIN_LOG_LEVEL`` holds once TensorFlow is loaded. What its libraries say while they load
comes before that, straight on descriptor 2, so for that time the descriptor leads through a small
process of its own: what it has been given arrives even if this process is killed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
QUIET, EVERYTHING = "3", "0"
PATIENCE_S = 10
EXTRA = (
    "pip install 'sensor2sensor[train]' brings it ([gpu] on a machine with an NVIDIA GPU), "
    "in a checkout pip install -r requirements.txt"
)

HEADER = b"WARNING: All log messages before absl::InitializeLog()"
NOTICE = re.compile(
    re.escape(HEADER) + rb"|[IWE]\d{4} [\d:.]+ +\d+ (?:"
    rb"port\.cc:\d+\] oneDNN custom operations are on"
    rb"|cuda_\w+\.cc:\d+\] Unable to register cu\w+ factory"  # builds with CUDA
    rb"|computation_placer\.cc:\d+\] computation placer already registered)"
)
BEGUN = re.compile(rb"[IWE](?:\d{0,3}\Z|\d{4})")


def set_level(*, debug: bool) -> None:
    """Quiet unless the user's environment says otherwise; everything for ``--debug``."""
    if debug:
        os.environ[LEVEL] = EVERYTHING
    else:
        os.environ.setdefault(LEVEL, QUIET)


def require_tensorflow() -> None:
    """Refuse at once, without the seconds that loading it takes, where TensorFlow is not there.

    Raises:
        MissingExtraError: It is not installed.
    """
    # Not above: the filter's process runs this file alone (-I -S), where no package is found.
    from sensor2sensor.core.errors import MissingExtraError

    if "tensorflow" in sys.modules:
        return
    # Finding is not importing: a broken installation is found, and says itself what is wrong.
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingExtraError("TensorFlow is not installed", hint=EXTRA)


def load_tensorflow() -> Any:
    """The module ``tensorflow``, loaded without notices where the level is the quiet one.

    Raises:
        MissingExtraError: It is not installed.
    """
    require_tensorflow()
    if "tensorflow" in sys.modules:
        return importlib.import_module("tensorflow")
    quiet = os.environ.get(LEVEL) == QUIET
    with filtered() if quiet else contextlib.nullcontext(), uncollected():
        return importlib.import_module("tensorflow")


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Take what is imported as kept to the end: garbage is not looked for among it, now or later.

    TensorFlow makes objects by the hundred thousand; looking through them takes a sixth of the
    time that loading it takes, and again and again after that.
    """
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()
        gc.freeze()


@contextlib.contextmanager
def filtered() -> Iterator[None]:
    """Leave known notices out of what is written to descriptor 2."""
    import subprocess

    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
        # In a session of its own: Ctrl-C is for this process alone.
        process = subprocess.Popen(  # noqa: S603 - this file, with this Python
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE, stdout=kept, start_new_session=True,
        )  # fmt: skip
    except OSError:  # standard error closed, no more processes: notices are the lesser evil
        yield
        return
    assert process.stdin is not None
    os.dup2(process.stdin.fileno(), 2)
    process.stdin.close()
    try:
        yield
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        # Whoever else still holds the pipe must not hold up the door.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)


class NoticeFilter:
    """Bytes in, bytes out, without the lines that are notices.

    Everything else passes at once, unfinished lines and carriage returns too; only what may still
    become a notice waits for the rest of its line.
    """

    def __init__(self) -> None:
        self._held = b""
        self._passing = False  # whether the beginning of this line has passed already

    def feed(self, data: bytes) -> bytes:
        """What may pass now that ``data`` has arrived."""
        *lines, rest = re.split(rb"(?<=[\r\n])", self._held + data)
        passed = []
        for line in lines:
            if self._passing or not NOTICE.match(line):
                passed.append(line)
            self._passing = False
        self._held = b""
        if rest and not self._passing and _may_become_one(rest):
            self._held = rest
        elif rest:
            passed.append(rest)
            self._passing = True
        return b"".join(passed)

    def end(self) -> bytes:
        """What is left when nothing more arrives."""
        held, self._held = self._held, b""
        return b"" if NOTICE.match(held) else held


def _may_become_one(rest: bytes) -> bool:
    """Whether the beginning of a line is that of a notice, as far as it goes."""
    return HEADER.startswith(rest) or bool(rest.startswith(HEADER) or BEGUN.match(rest))


def pump(source: int, sink: int) -> None:
    """Pass on what arrives at one descriptor to another until it is closed."""
    notices = NoticeFilter()
    while data := os.read(source, 65536):
        _write(sink, notices.feed(data))
    _write(sink, notices.end())


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]


if __name__ == "__main__":
    pump(0, 1)
