"""Whose error it is: one line from whatever a user's module raised, with the module's line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def line_in(path: Path, error: BaseException) -> int | None:
    """The innermost line of a file that took part in an error; None where it took none.

    Traced code leaves its lines in the error's text, other code in the traceback.
    """
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    traced = re.findall(rf'File "{re.escape(str(path))}", line (\d+)', str(error))
    if traced:
        return int(traced[-1])
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


@contextmanager
def blaming(module: Path) -> Iterator[None]:
    """Turn what a user's module raises into one line with its file and line.

    Errors of this package keep their own line, and so does what the module took no part in.

    Raises:
        ModelContractError: The block raised something from within ``module``.
    """
    try:
        yield
    except Sensor2SensorError:
        raise
    except Exception as error:
        line = line_in(module, error)
        if line is None:
            raise
        hint = "--debug shows the traceback"
        raise ModelContractError(sentence(error), where=f"{module}:{line}", hint=hint) from error
