"""Opening the files of OLCI while other threads are at work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5netcdf
import numpy as np

SQUARE = """
import sys, warnings
from pathlib import Path
from sensor2sensor.core.archives import open_files
from sensor2sensor.products import chunks
from sensor2sensor.products.s3_reader import S3Reader

filters, opened = warnings.filters, chunks.unlocked

def watched(opening):
    assert warnings.filters is filters, "another thread's filters would be lost"
    return opened(opening)

chunks.unlocked = watched
reader = S3Reader(open_files(Path(sys.argv[1])), "x", 4, 3)
print(reader.detector_index(slice(0, 4), slice(0, 3)).tolist())
"""


def test_a_square_matrix_warns_nobody_and_leaves_the_filters_alone(tmp_path: Path) -> None:
    with h5netcdf.File(tmp_path / "instrument_data.nc", "w") as file:
        file.dimensions = {"rows": 4, "columns": 3, "bands": 2}
        file.create_variable("relative_spectral_covariance", ("bands", "bands"), "f4")
        file.create_variable("detector_index", ("rows", "columns"), "i2", data=np.eye(4, 3))
    # A process of its own: pytest puts the filters of before in place for every test.
    command = [sys.executable, "-W", "error::UserWarning", "-c", SQUARE, str(tmp_path)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.stdout == "[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]\n", made.stderr
