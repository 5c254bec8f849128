"""What is measured of each tile: mean, deviation and extremes of every band; kept in a table.

A tile that was measured is known by the SHA-256 of what it was made of, so a repeated step reads
new tiles alone.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.core.page.whole import QUALITY_PAGE, QUALITY_TABLE
from sensor2sensor.core.streams import ESCAPED

PARTS = ("mean", "std", "min", "max")
LEAST_PIXELS = 16  # of fewer a deviation is chance: a small tile has four pixels of OLCI
A_PROCESS = 150  # tiles that are worth another process
_HEAD = ("tile", "sha256")


@dataclass(frozen=True)
class Measured:
    """Numbers of tiles.

    Attributes:
        bands: Names, in order.
        tiles: Names.
        sha256: Of what each tile was made of.
        values: Of each tile and band :data:`PARTS`, ``[N, B, 4]``; NaN where a tile lacks a band.
    """

    bands: tuple[str, ...]
    tiles: tuple[str, ...]
    sha256: tuple[str, ...]
    values: NDArray[np.float64]

    def part(self, name: str) -> NDArray[np.float64]:
        """Means, or another of :data:`PARTS`, ``[N, B]``."""
        return self.values[..., PARTS.index(name)]

    def known(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        """The numbers ``[B, 4]`` by tile and what it was made of."""
        keys = zip(self.tiles, self.sha256, strict=True)
        return dict(zip(keys, self.values, strict=True))


def processes(workers: int, new: int) -> int:
    """How many processes measure new tiles: to start one takes longer than a hundred tiles."""
    return max(1, min(workers, new // A_PROCESS))


def numbers_of(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """:data:`PARTS` of each band of pixels ``[N, B]``, as ``[B, 4]``; NaN of a band without any.

    Too few pixels have no deviation.
    Rounded as the table keeps them: what is read back is what was measured.
    """
    flat = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
    found = np.full((flat.shape[1], len(PARTS)), np.nan)
    for place, band in enumerate(flat.T):
        known = band[np.isfinite(band)]
        if known.size:
            std = known.std() if known.size >= LEAST_PIXELS else np.nan
            found[place] = known.mean(), std, known.min(), known.max()
    return np.array([[float(_cell(value) or "nan") for value in row] for row in found])


def write_both(folder: Path, measured: Measured, page: str) -> Path:
    """Write ``quality.csv`` and the page, each unless it is there already; returns the page."""
    _write(folder / QUALITY_TABLE, _table(measured))
    return _write(folder / QUALITY_PAGE, page)


def _write(path: Path, content: str) -> Path:
    # A repeat of a step that has nothing to do touches no file.
    if not path.is_file() or path.read_bytes() != content.encode("utf-8", ESCAPED):
        files.write_bytes(path, content.encode("utf-8", ESCAPED))
    return path


def _table(measured: Measured) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    heads = [f"{band}_{part}" for band in measured.bands for part in PARTS]
    cells = (
        [tile, sha256, *map(_cell, values.reshape(-1))]
        for tile, sha256, values in zip(
            measured.tiles, measured.sha256, measured.values, strict=True
        )
    )
    table.writerow([*_HEAD, *heads])
    table.writerows(cells)
    return text.getvalue()


def read_measured(
    folder: Path, bands: Sequence[str]
) -> Mapping[tuple[str, str], NDArray[np.float64]]:
    """What an earlier run measured of the same bands; nothing where its table is none of ours."""
    path = folder / QUALITY_TABLE
    if not path.is_file():
        return {}
    heads = [*_HEAD, *(f"{band}_{part}" for band in bands for part in PARTS)]
    try:
        lines = list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))
        if not lines or lines[0] != heads:
            return {}
        return {
            (tile, sha256): np.array([float(cell or "nan") for cell in cells]).reshape(
                len(bands), len(PARTS)
            )
            for tile, sha256, *cells in lines[1:]
        }
    # A table that was edited or cut costs the time to measure again.
    except (ValueError, UnicodeDecodeError, csv.Error):
        return {}


def _cell(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""
