"""Sample sheets of a run: the same tiles at every step."""

from __future__ import annotations

import re
from pathlib import Path

from sensor2sensor.core.runs import Run

STEP = re.compile(r"step-(\d+)\.png")  # as training/validation.py names them
LAPSE = "timelapse.html"


def sheets_of(run: Run) -> list[Path]:
    """Its sheets in the order of their steps; none where there is no folder of them."""
    try:
        names = [path.name for path in run.samples_dir.iterdir()]
    except OSError:
        return []
    known = {int(found[1]): name for name in names if (found := STEP.fullmatch(name))}
    return [run.samples_dir / known[step] for step in sorted(known)]
