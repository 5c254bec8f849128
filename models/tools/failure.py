"""One line from whatever a user's module raised: what, and where in the module."""

from __future__ import annotations

import re
from pathlib import Path

from sensor2sensor.core.errors import Sensor2SensorError

LONGEST = 300


def told(error: BaseException, path: Path) -> str:
    """What went wrong, with the line of the module that took part last.

    Args:
        error: What was raised.
        path: The module's file.
    """
    if isinstance(error, Sensor2SensorError):
        return str(error)
    heart, kind = _heart(str(error)), type(error).__name__
    text = heart if heart.startswith(f"{kind}:") else f"{kind}: {heart}"
    line = _line(error, path)
    return text if line is None else f"{text} ({path.name}, line {line})"


def _heart(text: str) -> str:
    """The line that says what is wrong; TensorFlow wraps errors of traced code in many others."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    if not lines[0].startswith("in user code"):
        return lines[0][:LONGEST]
    said = [line for line in lines if re.match(r"[A-Za-z_.]*(Error|Exception)\b", line)]
    return (said or lines)[-1][:LONGEST]


def _line(error: BaseException, path: Path) -> int | None:
    """From the text of a traced error, else from the traceback."""
    traced = re.findall(rf'File "{re.escape(str(path))}", line (\d+)', str(error))
    if traced:
        return int(traced[-1])
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
