"""Where tests find real data sets: named by a variable, else the small samples, else skipped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.fakes.sen12mscr import triplet_paths

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


def sen12_image(kind: str, roi: str = "fall_139", number: int = 839) -> npt.NDArray[Any]:
    """An image of SEN12MS-CR as stored, ``[H, W, C]``; skips the test where a download lacks it.

    Args:
        kind: ``s1``, ``s2`` or ``s2_cloudy``.
        roi: Season and number of its region; by default that of the one triplet made public alone.
        number: Of the patch.
    """
    import rasterio

    path = triplet_paths(data_set("SEN12MSCR_PATH"), roi, number)[kind]
    if not path.is_file():
        pytest.skip(f"{path.name} is not in this part of SEN12MS-CR")
    with rasterio.open(path) as source:
        return np.moveaxis(source.read(), 0, -1)
