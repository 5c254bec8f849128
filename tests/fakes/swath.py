"""Where the pixels of an OLCI swath lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.fakes.noise import F64

ALONG_M = 294.0
ACROSS_M = 270.0
HEADING_DEG = 192.0  # a descending pass: rows follow each other south-south-west
FULL_COLUMNS = 4865
DETECTORS = 3700
_KNOT = 16


@dataclass(frozen=True)
class Swath:
    """A frame of `rows` x `columns` pixels around a centre.

    Attributes:
        rows: number of rows along the track.
        columns: number of columns across it.
        centre_lonlat: longitude and latitude of the middle of the frame.
        factor: pixel size as a multiple of full resolution (1 for EFR, 4 for ERR).
        copies_in_place: columns that share a detector share its position too, as in native
            products; otherwise every column has a position of its own. For small frames.
    """

    rows: int
    columns: int
    centre_lonlat: tuple[float, float]
    factor: int = 1
    copies_in_place: bool = False

    @property
    def tie_step(self) -> int:
        """Columns between tie points: 64 (16 at reduced resolution) where the width allows it."""
        longest = 64 // self.factor
        steps = [s for s in range(longest, 0, -1) if (self.columns - 1) % s == 0]
        return next((s for s in steps if (self.columns - 1) // s >= 4), 1)

    def _plane(self, i: NDArray, j: NDArray) -> tuple[F64, F64]:
        """Return metres east and north of the centre for fractional rows and columns."""
        along = (i - (self.rows - 1) / 2) * ALONG_M * self.factor
        if self.copies_in_place:
            step, first = self._detector_steps()
            j = (np.floor(first + step * j) + 0.5 - first) / step
        across = (j - (self.columns - 1) / 2) * ACROSS_M * self.factor
        along = along - 2.4e-8 * across**2  # rows bend: the Earth turns under the scan
        heading = np.deg2rad(HEADING_DEG)
        east = along * np.sin(heading) - across * np.cos(heading)
        north = along * np.cos(heading) + across * np.sin(heading)
        return east, north

    def lonlat(self, i: NDArray, j: NDArray) -> tuple[F64, F64]:
        """Return longitude and latitude of pixels given by row and column (broadcast)."""
        from pyproj import Transformer

        lon, lat = self.centre_lonlat
        plane = f"+proj=aeqd +lat_0={lat} +lon_0={lon} +datum=WGS84"
        to_degrees = Transformer.from_crs(plane, 4326, always_xy=True)
        east, north = self._plane(*np.broadcast_arrays(i, j))
        return to_degrees.transform(east, north)

    def geolocation(self) -> tuple[F64, F64]:
        """Return (lon, lat) of every pixel [rows, columns].

        Large frames are interpolated from every 16th pixel by bicubic splines of the unit
        vector, which is good to a centimetre and works across poles and the date line.
        """
        i, j = np.arange(self.rows)[:, None], np.arange(self.columns)[None, :]
        if self.rows * self.columns < 1 << 20:
            return self.lonlat(i, j)
        return self._interpolated()

    def _interpolated(self) -> tuple[F64, F64]:
        from scipy.interpolate import RectBivariateSpline

        ki = np.arange(-_KNOT, self.rows + 2 * _KNOT, _KNOT)
        kj = np.arange(-_KNOT, self.columns + 2 * _KNOT, _KNOT)
        lon, lat = np.deg2rad(self.lonlat(ki[:, None], kj[None, :]))
        vector = (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))
        rows, columns = np.arange(self.rows), np.arange(self.columns)
        x, y, z = (RectBivariateSpline(ki, kj, v)(rows, columns) for v in vector)
        return np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, np.hypot(x, y)))

    def detectors(self) -> NDArray[np.int16]:
        """Return the detector of every column: 3700 detectors feed 4865 columns.

        Neighbouring columns that share a detector are duplicates of each other, about a
        quarter of the frame as in real products.
        """
        step, first = self._detector_steps()
        return np.clip(np.floor(first + step * np.arange(self.columns)), 0, DETECTORS - 1).astype(
            np.int16
        )

    def _detector_steps(self) -> tuple[float, float]:
        """Return detectors per column, and where among them the first column is."""
        step = DETECTORS / FULL_COLUMNS * self.factor
        return step, (DETECTORS - step * self.columns) / 2

    def source_columns(self) -> NDArray[np.int64]:
        """Return for every column the column whose measurement it shows."""
        detectors = self.detectors()
        first_of_pair = np.r_[True, detectors[1:] != detectors[:-1]]
        return np.maximum.accumulate(np.where(first_of_pair, np.arange(self.columns), 0))
