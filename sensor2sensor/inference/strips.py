"""A prediction in strips of full width, top to bottom; each is the same whatever came before it.

No more is held than the windows of one call and a strip. Blended windows reach into several strips:
rows of windows are kept as long as a strip needs them, and predicted again where a repeat begins in
the middle. Sums have one order, so a strip has the same bytes each time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from sensor2sensor.core.errors import InputError, ModelContractError
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.geo.grids import PixelWindow, up
from sensor2sensor.inference.cutting import blended_starts, blending, core_side, cut
from sensor2sensor.inference.finishing import bands_of, finished
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.scenes.scene import Image, Mask, Scene
from sensor2sensor.predictors.protocol import Predictor

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
# How TensorFlow, onnxruntime and GPUs say that memory does not bear a batch, by type or words.
_MEMORY_TYPES = ("MemoryError", "ResourceExhaustedError")
_MEMORY_WORDS = ("out of memory", "oom when", "failed to allocate", "bad_alloc")


@dataclass(frozen=True)
class Layout:
    """How windows lie on a frame, or on the part of one that is asked for.

    Attributes:
        part: What is asked for, in the whole frame.
        rows: First row of each row of windows, from the part's; the first may begin above it.
        columns: First column of each column of windows, likewise.
        window: Rows and columns of a window's core, target pixels; the last ones may reach beyond
            the part.
        halo_px: At each side of a core.
        align_px: Windows are read in whole multiples of it.
        overlap_px: Of blended windows, which have no halo; 0: cores that meet.
    """

    part: PixelWindow
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    window: tuple[int, int]
    halo_px: int
    align_px: int
    overlap_px: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of what is asked for."""
        return self.part.height, self.part.width

    @property
    def tops(self) -> tuple[int, ...]:
        """Where each strip begins: as a row of windows does."""
        return (0, *(row for row in self.rows if row > 0))

    @property
    def ends(self) -> tuple[int, ...]:
        """Where each strip ends: as the next one begins."""
        return (*self.tops[1:], self.shape[0])

    def reaching(self, strip: int) -> list[int]:
        """The rows of windows that reach into a strip, in order."""
        top, height = self.tops[strip], self.window[0]
        return [row for row, start in enumerate(self.rows) if start <= top < start + height]


def halo_layout(part: PixelWindow, most_px: int, halo_px: int, align_px: int) -> Layout:
    """Equal cores of at most about ``most_px`` target pixels a side, each with its halo.

    Those of a part begin at whole steps of the frame, too, as strides of a network do.
    """
    before = part.y % align_px, part.x % align_px
    lengths = part.height + before[0], part.width + before[1]
    sides = [core_side(length, most_px, align_px) for length in lengths]
    rows, columns = (
        tuple(start - first for start in range(0, length, side))
        for first, length, side in zip(before, lengths, sides, strict=True)
    )
    return Layout(part, rows, columns, (sides[0], sides[1]), up(halo_px, align_px), align_px)


def blended_layout(
    shape: tuple[int, int], part: PixelWindow, window: tuple[int, int], overlap_px: int,
    align_px: int,
) -> Layout:  # fmt: skip
    """Windows of one size, laid out on a whole frame of ``shape``: those that reach into a part."""
    places = zip(shape, window, (part.y, part.x), (part.height, part.width), strict=True)
    rows, columns = (
        tuple(
            start - first
            for start in blended_starts(length, side, overlap_px, align_px)
            if first - side < start < first + count
        )
        for length, side, first, count in places
    )
    return Layout(part, rows, columns, window, 0, align_px, overlap_px)


@dataclass
class _Row:
    """A row of windows: its sums ``[N, h, W, C]`` and what is real of it ``[h, W]``."""

    values: Image
    valid: Mask


_Window = tuple[int, Mask, TileRecord]  # column, what is real, what is given
_Read = tuple[list[_Window], bool]  # of one call, and whether they are the last of their row


@dataclass
class Strips:
    """The strips of a prediction.

    Attributes:
        method: What predicts.
        scene: What of.
        layout: By which windows.
        batch_size: Windows per call; becomes smaller where memory does not bear it.
    """

    method: Method
    scene: Scene
    layout: Layout
    batch_size: int
    _kept: dict[int, _Row] = field(default_factory=dict)
    _coming: tuple[int, Iterator[_Read]] | None = None  # the row that is read, and its windows

    def close(self) -> None:
        """Let nothing be read any more: files may be closed after it, and not before."""
        if self._coming is not None:
            self._coming[1].close()  # type: ignore[attr-defined]  # a generator
        self._coming = None

    @cached_property
    def _weights(self) -> tuple[list[Image], list[Image]]:
        """Of windows along rows and along columns."""
        at = self.layout
        down = blending(at.rows, at.window[0], at.overlap_px)
        return down, blending(at.columns, at.window[1], at.overlap_px)

    @property
    def channels(self) -> int:
        """Bands of the result."""
        return len(bands_of(self.method))

    def __len__(self) -> int:
        return len(self.layout.tops)

    def __getitem__(self, strip: int) -> Image:
        """``[h, W, C]`` physical, NaN where there is none, in the bands of the file.

        Raises:
            ModelContractError: The model makes another shape, or what is no number of input that
                is whole.
        """
        at = self.layout
        top, end = at.tops[strip], at.ends[strip]
        if not at.overlap_px:
            found, inner = self._row(strip), slice(top - at.rows[strip], end - at.rows[strip])
            return self.finished(found.values[:, inner], found.valid[inner])
        reaching = at.reaching(strip)
        self._kept = {row: one for row, one in self._kept.items() if row in reaching}
        values, valid = None, np.zeros((end - top, at.shape[1]), np.bool_)
        for row in reaching:
            if row not in self._kept:
                self._kept[row] = self._row(row)
            one = self._kept[row]
            first = top - at.rows[row]
            part = slice(first, min(first + end - top, at.window[0]))
            seen = part.stop - part.start
            weight = self._weights[0][row][part, np.newaxis, np.newaxis]
            weighted = one.values[:, part] * weight
            if values is None:
                shape = (len(weighted), end - top, *weighted.shape[2:])
                values = np.zeros(shape, np.float32)
            values[:, :seen] += weighted
            valid[:seen] |= one.valid[part]
        assert values is not None, "a strip begins with a row of windows"
        return self.finished(values, valid)

    def finished(self, values: Image, valid: Mask) -> Image:
        """The bands of the file ``[h, w, B]`` from ``[N, h, w, C]``, NaN where not valid."""
        finite = np.isfinite(values).all(axis=(0, -1))
        if (valid & ~finite).any():
            what = "makes values that are no numbers of input that is whole"
            raise ModelContractError(what, where=self.method.name)
        made = finished(self.method, values)
        made[~valid] = np.nan
        return made

    def _row(self, row: int) -> _Row:
        """A row of windows beside each other, weighted along columns where they are blended."""
        at, width = self.layout, self.layout.shape[1]
        height = min(at.window[0], at.shape[0] - at.rows[row])
        channels = len(self.method.form.target.bands)
        shape = (len(self.method.predictors), height, width, channels)
        values, valid = np.zeros(shape, np.float32), np.zeros((height, width), np.bool_)
        for column, there, made in self._windows(row):
            start = at.columns[column]
            seen = slice(max(start, 0), min(start + at.window[1], width))
            of_window = slice(seen.start - start, seen.stop - start)
            inner = tuple(
                slice(at.halo_px + side.start, at.halo_px + side.stop)
                for side in (slice(0, height), of_window)
            )
            part = made[:, *inner]
            if at.overlap_px:
                part = part * self._weights[1][column][of_window, np.newaxis]
            values[:, :, seen] += part
            valid[:, seen] |= there[inner]
        return _Row(values, valid)

    def _windows(self, row: int) -> Iterator[tuple[int, Mask, Image]]:
        """Column, what is real, and prediction ``[N, h, w, C]`` of each window that has any."""
        if self._coming is None or self._coming[0] != row:
            self.close()
            self._coming = row, ahead(self._rows(row))
        for windows, last in self._coming[1]:
            yield from self._predicted(windows)
            if last:
                self._coming = row + 1, self._coming[1]
                return

    def _rows(self, first: int) -> Iterator[_Read]:
        """The windows of a row and of all below it; one call is told late, so as to know the last.

        So the first windows of a row are read while the last of the one above are predicted.
        """
        for row in range(first, len(self.layout.rows)):
            held: list[_Window] = []
            for windows in self.read(row):
                if held:
                    yield held, False
                held = windows
            yield held, True

    def read(self, row: int) -> Iterator[list[_Window]]:
        """The windows of a row with anything in them, as many at a time as go into one call."""
        at, waiting = self.layout, list[_Window]()
        sides = [side + 2 * at.halo_px for side in at.window]
        for column, x in enumerate(at.columns):
            y = at.rows[row]
            # A window of the trained size may end within an input pixel: read whole, then cut.
            read = PixelWindow(x, y, *(up(side, at.align_px) for side in at.window[::-1]))
            found = self.scene.window(read.expanded(at.halo_px), at.halo_px)
            if found is not None:
                # Draws are by name: of a place in the whole the same whatever is predicted with it.
                name = f"{self.scene.name} {x + at.part.x} {y + at.part.y}"
                record = replace(cut(found.record, sides[0], sides[1]), name=name)
                waiting.append((column, found.valid[: sides[0], : sides[1]], record))
            if len(waiting) >= self.batch_size:
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def _predicted(self, windows: Sequence[_Window]) -> Iterator[tuple[int, Mask, Image]]:
        if not windows:
            return
        records = [record for _, _, record in windows]
        made = np.stack([self.asked(one, records) for one in self.method.predictors], axis=1)
        for (column, valid, _), image in zip(windows, made, strict=True):
            yield column, valid, image

    def asked(self, predictor: Predictor, records: Sequence[TileRecord]) -> Image:
        """``[B, h, w, C]``, in halves where memory does not bear all at once."""
        try:
            made = predictor(records)
        except Exception as error:
            cause = error.__cause__  # of a file's own error
            if not (_is_of_memory(error) or (cause is not None and _is_of_memory(cause))):
                raise
            if len(records) == 1:
                rows, columns = records[0].target.shape[:2]
                what = f"memory does not bear a window of {columns} x {rows} pixels"
                raise InputError(what, where=self.method.name, hint=self._advice()) from error
        else:
            wanted = (
                len(records),
                *records[0].target.shape[:2],
                len(self.method.form.target.bands),
            )
            if made.shape != wanted:
                what = f"makes {list(made.shape)}, where {list(wanted)} was to come"
                raise ModelContractError(what, where=self.method.name)
            return made
        half = (len(records) + 1) // 2
        self.batch_size = min(self.batch_size, half)
        logger.warning("memory does not bear %d windows at once: %d", len(records), half)
        parts = (records[:half], records[half:])
        return np.concatenate([self.asked(predictor, part) for part in parts])

    def _advice(self) -> str:
        return "the model takes no smaller one" if self.layout.overlap_px else "--window-px"


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made in a thread while the one before it is worked on.

    Only one thread makes them, one after the other: GDAL's open files bear no two at once.
    """
    here = copy_context()  # it knows which files are kept open

    def one() -> Item | None:
        return here.run(next, items, None)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(one)
        while (item := coming.result()) is not None:
            coming = pool.submit(one)
            yield item


def _is_of_memory(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & set(_MEMORY_TYPES):
        return True
    return any(word in str(error).lower() for word in _MEMORY_WORDS)
