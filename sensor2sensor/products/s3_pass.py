"""Frames of one Sentinel-3 pass that follow each other, read as one product.

    product = joined([open_s3(first), open_s3(next_one)])
    with product.open() as reader:
        radiance = reader.radiances(slice(4000, 4200), slice(2000, 2100))

The ground segment cuts a pass every three minutes, wherever that is. The rows of a pass are those
of its frames in the order of time; each is read by its own frame's scales, fill and tables. Rows
that no frame has, between two of them, are rows of the pass without positions and numbers: what
looks at the rows beside one takes none from beyond a gap.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.footprints import bridged, unit_vectors
from sensor2sensor.products.acquisitions import frame_of, s3_order
from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.s3_reader import TIME_FILE, S3Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from sensor2sensor.products.sentinel3 import S3Product

# Footprints end at the middles of the last and the first row: the ground of a second between them
# is part of neither.
SEAM_M = 7_000.0
# By their manifests frames lie up to a second apart; these are rounded.
_MOST_APART = np.timedelta64(2, "s")
# Start and stop are known to one row, and places are whole ones.
_ROWS_OFF = 1.5


@dataclass(frozen=True)
class S3Pass:
    """Frames that follow each other, in the order of time; made by :func:`joined`."""

    frames: tuple[S3Product, ...]

    @property
    def name(self) -> str:
        """The names of its frames."""
        return " + ".join(frame.name for frame in self.frames)

    @cached_property
    def footprint(self) -> Any:
        """Of all frames, longitude and latitude, without the gap of a row between two of them."""
        return bridged([frame.footprint for frame in self.frames], SEAM_M)

    @contextmanager
    def open(self) -> Iterator[S3Reader]:
        """A reader of the rows of all frames; files are opened when first asked for.

        Raises:
            ProductError: the frames are not parts of one image.
        """
        with ExitStack() as stack:
            yield PassReader([(one, stack.enter_context(one.open())) for one in self.frames])

    def row_times(self, reader: S3Reader, rows: slice) -> npt.NDArray[np.datetime64]:
        """When rows were sensed, UTC in microseconds [h]; see `S3Product.row_times`."""
        assert isinstance(reader, PassReader), "made by open()"
        return reader.row_times(rows)


def joined(frames: Sequence[S3Product]) -> S3Product | S3Pass:
    """Frames as one product; a single one is that itself.

    Raises:
        ProductError: they do not follow each other, or are of different processings.
    """
    if len(frames) == 1:
        return frames[0]
    ordered = tuple(sorted(frames, key=s3_order))
    for one, other in pairwise(ordered):
        if not frame_of(one).goes_on_in(frame_of(other)):
            what = f"does not go on where {one.name} ends"
        elif one.collection != other.collection:
            # Their flag words have other bits.
            what = f"is of collection {other.collection}, {one.name} of {one.collection}"
        elif one.columns != other.columns:
            what = f"has {other.columns} columns, {one.name} has {one.columns}"
        else:
            continue
        raise ProductError(f"{what}: no next frame of it", where=other.name, hint="repeat step 20")
    return S3Pass(ordered)


@dataclass(frozen=True)
class _Rows:
    """The rows of one frame that a pass takes: those from `first` on, at `start` of the pass."""

    frame: S3Product
    reader: S3Reader
    first: int
    start: int

    @property
    def stop(self) -> int:
        """Where they end in the pass."""
        return self.start + self.frame.rows - self.first

    def within(self, rows: slice) -> slice:
        """The frame's own rows among some of the pass; empty where there are none."""
        shift = self.first - self.start
        start, stop = max(rows.start, self.start), min(rows.stop, self.stop)
        return slice(start + shift, max(start, stop) + shift)


class PassReader(S3Reader):
    """Reads windows of the rows of all frames, as `S3Reader` those of one."""

    def __init__(self, frames: Sequence[tuple[S3Product, S3Reader]]) -> None:
        known = [frame.row_times(reader, slice(None)) for frame, reader in frames]
        self._parts = _rows_of(frames, known)
        first = frames[0][0]
        name = " + ".join(frame.name for frame, _ in frames)
        super().__init__(first.files, name, self._parts[-1].stop, first.columns)
        self._missing = np.ones(self.shape[0], bool)
        self._times = np.empty(self.shape[0], "datetime64[us]")
        for part, times in zip(self._parts, known, strict=True):
            self._missing[part.start : part.stop] = False
            self._times[part.start : part.stop] = times[part.first :]
        # Rows that are missing were passed over as well.
        at, elapsed = np.arange(self.shape[0]), self._times.astype(np.int64)
        there = ~self._missing
        between = np.interp(at[self._missing], at[there], (elapsed - elapsed[0])[there])
        self._times[self._missing] = self._times[0] + between.astype("timedelta64[us]")

    def tie_geolocation(
        self,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int, int]:
        """Latitude and longitude of tie points [rows, tie columns], and their steps.

        Each row has the tie points at or before it, whatever the step of its frame is: two frames
        of such a step meet anywhere.
        """
        latitude, longitude, steps = [], [], set()
        for part in self._parts:
            lat, lon, row_step, column_step = part.reader.tie_geolocation()
            at = np.arange(part.first, part.frame.rows) // row_step
            latitude.append(lat[at])
            longitude.append(lon[at])
            steps.add((lat.shape[1], column_step))
        if len(steps) > 1:
            raise ProductError("its frames have other tie points", where=self.name)
        lat, lon = (self._spread(np.concatenate(one), slice(None)) for one in (latitude, longitude))
        return lat, lon, 1, column_step

    def row_times(self, rows: slice) -> npt.NDArray[np.datetime64]:
        """When rows were sensed, UTC in microseconds [h]."""
        inside, _ = self._inside(rows, slice(None))
        return self._times[inside]

    def time_stamps(self, rows: slice) -> npt.NDArray[np.datetime64] | None:
        """Time stamps of rows as stored [h], NaT at missing ones; None where a frame has none."""
        found = [part.reader.time_stamps(own) for part, own in self._own(rows)]
        there = [stamps for stamps in found if stamps is not None]
        if len(there) < len(found):
            return None
        return self._spread(np.concatenate(there), rows, np.datetime64("NaT"))

    @property
    def flag_masks(self) -> dict[str, int]:
        """Mask by flag meaning, the same in every frame."""
        masks = [part.reader.flag_masks for part in self._parts]
        if any(one != masks[0] for one in masks[1:]):
            raise ProductError("the flags of its frames have other bits", where=self.name)
        return masks[0]

    def flags(self, rows: slice, cols: slice) -> npt.NDArray[np.uint32]:
        """The quality flag words [h, w] as stored, of missing rows the one of `invalid`."""
        none = sum(mask for name, mask in self.flag_masks.items() if name == "invalid")
        return self._stacked(rows, lambda one, own: one.flags(own, cols), blank=none)

    def detector_index(self, rows: slice, cols: slice) -> npt.NDArray[np.int32]:
        """Detector of each pixel [h, w], -1 where there is none."""
        return self._stacked(rows, lambda one, own: one.detector_index(own, cols), blank=-1)

    def solar_flux(
        self, rows: slice, cols: slice, bands: Sequence[str] = OLCI_BANDS
    ) -> npt.NDArray[np.float32]:
        """In-band solar irradiance [bands, h, w] by each frame's own table."""
        return self._stacked(rows, lambda one, own: one.solar_flux(own, cols, bands), axis=1)

    def sun_zenith(self, rows: slice, cols: slice) -> npt.NDArray[np.float32]:
        """Sun zenith angle [h, w] in degrees, interpolated within each frame."""
        return self._stacked(rows, lambda one, own: one.sun_zenith(own, cols))

    def _window(self, name: str, variable: str, rows: slice, cols: slice) -> npt.NDArray[Any]:
        # What every other reading of pixels goes through: numbers with a fraction.
        return self._stacked(rows, lambda one, own: one._window(name, variable, own, cols))

    def _stacked(
        self,
        rows: slice,
        read: Callable[[S3Reader, slice], npt.NDArray[Any]],
        axis: int = 0,
        blank: Any = np.nan,
    ) -> npt.NDArray[Any]:
        values = np.concatenate([read(part.reader, own) for part, own in self._own(rows)], axis)
        return self._spread(values, rows, blank, axis)

    def _spread(
        self, values: npt.NDArray[Any], rows: slice, blank: Any = np.nan, axis: int = 0
    ) -> npt.NDArray[Any]:
        """What the frames have of some rows, with `blank` in rows that none of them has."""
        missing = self._missing[rows]
        if not missing.any():
            return values
        shape = (*values.shape[:axis], missing.size, *values.shape[axis + 1 :])
        whole = np.full(shape, blank, values.dtype)
        np.moveaxis(whole, axis, 0)[~missing] = np.moveaxis(values, axis, 0)
        return whole

    def _own(self, rows: slice) -> list[tuple[_Rows, slice]]:
        """The frames that some rows of the pass lie in, each with its own of them.

        Of rows that none has it is any one row: it tells what numbers are read.
        """
        inside, _ = self._inside(rows, slice(None))
        found = [(part, part.within(inside)) for part in self._parts]
        there = [(part, own) for part, own in found if own.stop > own.start]
        return there or [(self._parts[0], slice(0, 1))]


def _rows_of(
    frames: Sequence[tuple[S3Product, S3Reader]], known: Sequence[npt.NDArray[np.datetime64]]
) -> list[_Rows]:
    """The rows of each frame, those left out that the frame before it has already.

    Args:
        frames: in the order of time.
        known: when the rows of each were sensed.

    Raises:
        ProductError: time stamps contradict the sensing periods or the positions.
    """
    found: list[_Rows] = []
    start, seen = 0, None
    # Between start and stop rows are known to one row: better one twice than one lost.
    stamped = all(
        (stamps := reader.time_stamps(slice(None))) is not None and np.array_equal(stamps, times)
        for (_, reader), times in zip(frames, known, strict=True)
    )
    for (frame, reader), times in zip(frames, known, strict=True):
        half_a_row = (times[-1] - times[0]) / (2 * (len(times) - 1))
        margin = half_a_row if stamped else -half_a_row
        first = 0 if seen is None else int((times < seen + margin).sum())
        if 2 * first > frame.rows + 2:  # by its sensing period it shares less
            what = f"time stamps say that {first} of its {frame.rows} rows are in the frame before"
            raise ProductError(what, where=frame.files.where(TIME_FILE))
        if seen is not None:
            start += _rows_between(frame, times[first] - seen, 2 * half_a_row)
        found.append(_Rows(frame, reader, first, start))
        if seen is not None:
            _check_positions(*found[-2:])
        start, seen = found[-1].stop, times[-1]
    return found


def _rows_between(frame: S3Product, apart: np.timedelta64, row: np.timedelta64) -> int:
    """How many rows lie between a frame's first one and the last one of the frame before.

    Raises:
        ProductError: time stamps contradict the sensing periods.
    """
    if apart > _MOST_APART:
        what = f"time stamps say that it begins {apart / np.timedelta64(1, 's'):.1f} s too late"
        raise ProductError(f"{what} for a next frame", where=frame.files.where(TIME_FILE))
    return max(round(float(apart / row)) - 1, 0)


def _check_positions(before: _Rows, after: _Rows) -> None:
    """Hold the place that times give a frame against where it lies on the ground.

    Time stamps some tenths of a second early look sound by themselves, and rows that no other frame
    has would be left out as shared ones. Rows that are there twice, or stand as missing beside the
    ground they are of, cost nothing: pixels go by their positions.

    Raises:
        ProductError: more ground lies between them than the row that times may be off.
    """
    (ends, row_step), (begins, own_step) = (_tie_track(part) for part in (before, after))
    own = min(-(-after.first // own_step), len(begins) - 1)
    if len(ends) < 2:
        return
    by_time = after.start - after.first + own * own_step - before.start + before.first
    by_time -= (len(ends) - 1) * row_step
    # Along the track, which is straight over some seconds; the middle one of the tie columns.
    onward = (ends[-1] - ends[-2]) / row_step
    with np.errstate(divide="ignore", invalid="ignore"):  # damaged positions may all be one
        along = ((begins[own] - ends[-1]) * onward).sum(-1) / (onward**2).sum(-1)
    if not np.isfinite(along).any():
        return
    by_position = float(np.nanmedian(along))
    if by_position - by_time > _ROWS_OFF:
        row, last = own * own_step, (len(ends) - 1) * row_step
        raise ProductError(
            f"by its times row {row} is {by_time} after row {last} of {before.frame.name},"
            f" by its positions {by_position:.1f}",
            where=after.frame.name,
            hint="one of them is damaged: get the product again",
        )


def _tie_track(part: _Rows) -> tuple[npt.NDArray[np.float64], int]:
    """Unit vectors [rows, columns, 3] of a frame's tie points, and the rows between two."""
    latitude, longitude, row_step, _ = part.reader.tie_geolocation()
    return unit_vectors(longitude, latitude), row_step
