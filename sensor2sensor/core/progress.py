"""Progress with an estimate of the time left: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")
PLAIN_LINE_S = 30.0


def duration(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def progress(
    iterable: Iterable[T], *, total: int | None = None, desc: str = "", unit: str = "it"
) -> Iterator[T]:
    """Pass the items on and report on standard error.

    Args:
        iterable: The items.
        total: How many there are; taken from ``len`` where it has one.
        desc: What is going on.
        unit: What an item is called.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(iterable, total=total, desc=desc, unit=unit, dynamic_ncols=True)
    else:
        yield from _plain(iterable, total, desc, unit)


def _plain(iterable: Iterable[T], total: int | None, desc: str, unit: str) -> Iterator[T]:
    last = time.monotonic()
    first = 0.0
    for count, item in enumerate(iterable, start=1):
        yield item
        now = time.monotonic()
        if count == 1:
            first = now  # it includes what starts only once: imports, processes, caches
        if now - last >= PLAIN_LINE_S:
            last = now
            left = ""
            if total is not None and count > 1:
                left = f", {duration((now - first) / (count - 1) * (total - count))} left"
            of = "" if total is None else f"/{total}"
            print(f"{desc}: {count}{of} {unit}{left}", file=sys.stderr, flush=True)
