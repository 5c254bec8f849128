"""One line from whatever a user's module raised: what, and where in the module."""

from __future__ import annotations

from pathlib import Path

from sensor2sensor.core.blame import line_in, sentence
from sensor2sensor.core.errors import Sensor2SensorError


def told(error: BaseException, path: Path) -> str:
    """What went wrong, with the line of the module that took part last.

    Args:
        error: What was raised.
        path: The module's file.
    """
    # Our own errors say by themselves where.
    line = None if isinstance(error, Sensor2SensorError) else line_in(path, error)
    return sentence(error) if line is None else f"{sentence(error)} ({path.name}, line {line})"
