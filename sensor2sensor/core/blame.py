"""Whose error it is: one line from whatever a user's module raised, with the module's line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import ModelContractError, Sensor2SensorError

LONGEST = 300


def sentence(error: BaseException) -> str:
    """An error in one line: its type, and the part of its text that says what is wrong."""
    if isinstance(error, Sensor2SensorError):
        return str(error)
    heart, kind = _heart(str(error)), type(error).__name__
    if not heart:
        return kind
    return heart if heart.startswith(f"{kind}:") else f"{kind}: {heart}"


def _heart(text: str) -> str:
    """The line that says what is wrong; TensorFlow wraps errors of traced code in many others."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    if lines[0].startswith("Graph execution error"):
        # Behind the Python lines of the node stands what it said, then the node's name.
        own = [re.sub(r"\s*\[\[\{\{node .*", "", line) for line in lines if not _of_traceback(line)]
        return next((line for line in own if line), lines[0])[:LONGEST]
    if not lines[0].startswith("in user code"):
        return lines[0][:LONGEST]
    said = [line for line in lines if re.match(r"[A-Za-z_.]*(Error|Exception)\b", line)]
    return (said or lines)[-1][:LONGEST]


def _of_traceback(line: str) -> bool:
    noise = ("Graph execution error", "Detected at node", 'File "', "<stack traces", "[[", "node ")
    return line.startswith(noise) or line.startswith("[Op:")


def source_of(thing: Any) -> Path:
    """The file of the module that a class or a function stands in."""
    module = sys.modules[thing.__module__]
    return Path(getattr(module, "__file__", None) or module.__name__)


def line_in(path: Path, error: BaseException) -> int | None:
    """The innermost line of a file that took part in an error; None where it took none."""
    found = _innermost([path], error)
    return None if found is None else found[1]


def _innermost(paths: Sequence[Path], error: BaseException) -> tuple[str, int | None] | None:
    """The innermost file, and line, of several that took part in an error.

    Traced code leaves its lines in the error's text, other code in the traceback.
    """
    names = {str(path) for path in paths}
    if isinstance(error, SyntaxError) and error.filename in names:
        return str(error.filename), error.lineno
    traced = [(f, n) for f, n in re.findall(r'File "(.*?)", line (\d+)', str(error)) if f in names]
    if traced:
        return traced[-1][0], int(traced[-1][1])
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in names:
            found = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return found


# By name: TensorFlow's cannot be imported on this floor.
EXHAUSTED = ("MemoryError", "ResourceExhaustedError")


@contextmanager
def blaming(*modules: Path) -> Iterator[None]:
    """Turn what a user's module raises into one line with its file and line.

    Errors of this package keep their own line, and so does what no module took part in.

    Args:
        modules: Files of the user's; blamed is that of the innermost line.

    Raises:
        ModelContractError: The block raised something from within one of ``modules``.
    """
    try:
        yield
    except Sensor2SensorError:
        raise
    except Exception as error:
        # Of a batch or an image that is too large: no line of the module is at fault.
        if type(error).__name__ in EXHAUSTED:
            raise
        found = _innermost(modules, error)
        if found is None:
            raise
        hint, place = "--debug shows the traceback", ":".join(map(str, found))
        raise ModelContractError(sentence(error), where=place, hint=hint) from error
