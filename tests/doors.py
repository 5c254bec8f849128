"""A door run as a user runs it, with the names of the packages that this imported; or called."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

from sensor2sensor.core.cli import main_guard

HANG_S = 600  # ends a run that hangs; says nothing about speed
HEAVY = frozenset({"tensorflow", "keras", "rasterio", "pandas", "matplotlib", "xarray", "shapely"})
_MARK = "import time:"


@dataclass(frozen=True)
class Ran:
    """What came of a door: exit code, both streams, names of the packages it imported."""

    code: int
    out: str
    err: str
    packages: frozenset[str]

    @property
    def heavy(self) -> frozenset[str]:
        """The slow ones of them: none may be needed for help or for refusing bad input."""
        return self.packages & HEAVY


def run_door(*words: str | Path, cwd: Path) -> Ran:
    """Run ``python words`` in ``cwd``, every import told by the interpreter itself."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words],
        cwd=cwd, capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    lines = done.stderr.splitlines()
    told = [line for line in lines if line.startswith(_MARK)]
    assert told, done.stderr
    rest = "".join(f"{line}\n" for line in lines if not line.startswith(_MARK))
    return Ran(done.returncode, done.stdout, rest, _packages(told))


def call_door(door: ModuleType, *words: str | Path) -> CompletedProcess[str]:
    """What ``python door.py words`` gives, of a door called in this process.

    TensorFlow and the graphs of the metrics are made once for all the calls: a process of its own
    spends six seconds of a processor before its first step.
    """
    argv, out, err = [str(word) for word in words], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main_guard(door.main, door.arguments(), argv)
        except SystemExit as left:  # of the parser
            assert isinstance(left.code, int)
            code = left.code
    return CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def _packages(told: Sequence[str]) -> frozenset[str]:
    return frozenset(line.rsplit("|", 1)[1].strip().split(".")[0] for line in told)
