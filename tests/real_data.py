"""Where tests find real data sets: named by a variable, else the small samples, else skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLES = "SENSOR2SENSOR_REAL_DATA"
# The variable that names a data set, and the folder of the samples that has some of it.
DATA_SETS = {
    "SEN2VENUS_PATH": None,
    "SEN12MSCR_PATH": "sen12mscr",
    "INRIA_PATH": "aerial_buildings/inria_layout",
    "MAPS_PATH": "maps_side_by_side",
}


def samples() -> Path:
    """The folder of the samples, whether it is there or not."""
    named = os.environ.get(SAMPLES)
    return Path(named) if named else REPOSITORY.parent / "shared" / "data" / "real"


def data_set(variable: str) -> Path:
    """The folder of a data set of :data:`DATA_SETS`; skips the test where there is none.

    A variable that names no folder fails the test: whoever set it wants it to run.
    """
    if named := os.environ.get(variable):
        assert Path(named).is_dir(), f"{variable}: no folder {named}"
        return Path(named)
    part = DATA_SETS[variable]
    if part is not None and (samples() / part).is_dir():
        return samples() / part
    pytest.skip(f"no data set (set {variable} to its folder)")
