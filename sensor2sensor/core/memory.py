"""How much memory this process holds and may still take, with the limits of containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

KIB, GIB = 1024, 2**30
CGROUPS = Path("/sys/fs/cgroup")


def size_in_words(count: float) -> str:
    """``1.4 GiB`` or ``31.0 MiB``."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / 2**20:.1f} MiB"


def resident_bytes() -> int | None:
    """What of this process lies in memory now; None where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def peak_resident_bytes() -> int | None:
    """The most of this process that has lain in memory; None where the system does not tell."""
    return _in_kib(Path("/proc/self/status"), "VmHWM")


def available_bytes() -> int | None:
    """What can still be taken without swapping; None where the system does not tell.

    The least of what the machine has and what the limits of the control groups around this process
    leave: in a container the machine's own memory says nothing.
    """
    machine = _in_kib(Path("/proc/meminfo"), "MemAvailable")
    found = [left for left in (machine, *_left_by_groups(_own_groups())) if left is not None]
    return min(found, default=None)


def _in_kib(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * KIB for line in lines if line.startswith(name)), None)


def _own_groups() -> list[Path]:
    """Folders of the control groups that limit the memory of this process, of either version."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, kinds, name = line.split(":", 2)
        root = CGROUPS / "memory" if "memory" in kinds.split(",") else CGROUPS
        if kinds == "" or "memory" in kinds.split(","):
            own = root / name.lstrip("/")
            # A container sees its own group as the root, whatever its name is outside.
            found += [own, *(p for p in own.parents if p.is_relative_to(root))]
    return found


def _left_by_groups(groups: list[Path]) -> Iterator[int]:
    for group in groups:
        for limit, usage, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            most, used = _number(group / limit), _number(group / usage)
            if most is not None and used is not None:
                # Pages of files that nobody uses are given up for whoever asks.
                yield max(0, most - used + (_stat(group / "memory.stat", cached) or 0))


def _number(path: Path) -> int | None:
    """The number in a file; None for ``max``, and where there is no such file."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _stat(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.split()[0] == name), None)
