"""SIGTERM as an exception, so that what is begun is undone as it is at Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM came: a queue's time limit, a shutdown, ``kill``."""


@contextmanager
def raised() -> Iterator[None]:
    """Raise :class:`Terminated` at the first SIGTERM inside the block; a second one kills."""
    if threading.current_thread() is not threading.main_thread():  # Python hears signals there
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
