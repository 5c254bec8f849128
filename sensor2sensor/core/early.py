"""Ctrl-C before a door has begun: while Python imports, no guard of ours is there to answer it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

_ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = (_ROOT, _ROOT / "preprocessing")


def answer_interrupts() -> None:
    """Answer an interrupt of our own programs in one line, as ``core.cli.main_guard`` does later.

    Python then ends by the signal, so that shells see 130. Of others' programs that import this
    package, of a notebook and of tests nothing is changed.
    """
    if not _is_ours():
        return
    before = sys.excepthook

    def answer(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            program = Path(sys.argv[0])
            name = program.parent.name if program.name == "__main__.py" else program.name
            sys.stderr.write(f"{name}: interrupted\n")
        else:
            before(kind, error, trace)

    sys.excepthook = answer


def _is_ours() -> bool:
    if sys.orig_argv[1:3] == ["-m", "sensor2sensor"]:
        return True
    place = getattr(sys.modules.get("__main__"), "__file__", None)
    if place is None:
        return False
    path = Path(place).resolve()
    # The folder of an installed package holds the programs of all others, too.
    in_checkout = path.parent in _FOLDERS and (_ROOT / "experiment.py").is_file()
    return path.name in ("s2s", "s2s.exe") or in_checkout
