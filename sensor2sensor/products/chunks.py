"""Windows of large deflated HDF5 chunks.

A product may store each variable as one chunk of 40 to 80 MB. The HDF5 library inflates it with
zlib and then unshuffles every byte of it to hand out a window of a few per cent. Here the same
chunk is inflated by ISA-L (the same deflate format, about half the time) and only the window's
bytes are put in order. Anything but plain deflate, with or without shuffle, is left to the library.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

LARGE_BYTES = 2**20  # below this, the library's own way costs nothing worth saving

T = TypeVar("T")


def unlocked(opening: Callable[..., T]) -> T:
    """Open an HDF5 file without asking for a lock, as keywords of h5py.

    Archives are only read, often from shares that grant no locks; HDF5 asks for one by default.
    """
    try:
        return opening(locking=False)
    except OSError as error:
        # Open already in this process, with a lock: HDF5 wants the same again.
        if "flag values don't match" not in str(error):
            raise
        return opening()


def read_window(path: Path, variable: str, rows: slice, cols: slice) -> npt.NDArray[Any] | None:
    """The stored numbers of a window, or None where the library should read them.

    Args:
        path: an HDF5 file.
        variable: name of a two-dimensional variable in it.
        rows: rows of the window, inside the image.
        cols: columns of the window, inside the image.

    Raises:
        OSError: the file or a chunk is damaged.
    """
    import h5py

    with unlocked(partial(h5py.File, path, "r")) as file:
        dataset = file[variable]
        if not _simple(dataset):
            return None
        found = np.empty((rows.stop - rows.start, cols.stop - cols.start), dataset.dtype)
        height, width = dataset.chunks
        for top in range(rows.start // height * height, rows.stop, height):
            for left in range(cols.start // width * width, cols.stop, width):
                y = slice(max(rows.start, top), min(rows.stop, top + height))
                x = slice(max(cols.start, left), min(cols.stop, left + width))
                part = _part(dataset, (top, left), _less(y, top), _less(x, left))
                if part is None:
                    return None
                found[_less(y, rows.start), _less(x, cols.start)] = part
    return found


def _simple(dataset: Any) -> bool:
    """Whether the chunks are large, two-dimensional and deflated, shuffled at most."""
    if dataset.ndim != 2 or dataset.chunks is None or dataset.compression != "gzip":
        return False
    if dataset.fletcher32 or dataset.scaleoffset is not None:
        return False
    return large(dataset)


def large(variable: Any) -> bool:
    """Whether a variable of h5py's or h5netcdf's is stored in chunks that are."""
    shape = variable.chunks
    return shape is not None and int(np.prod(shape)) * variable.dtype.itemsize >= LARGE_BYTES


def _less(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)


def _part(
    dataset: Any, offset: tuple[int, int], rows: slice, cols: slice
) -> npt.NDArray[Any] | None:
    """A window of one chunk; None for a chunk that was never written or skips a filter."""
    from isal import isal_zlib
    from isal.igzip_lib import IsalError

    information = dataset.id.get_chunk_info_by_coord(offset)
    if information.byte_offset is None or information.filter_mask:
        return None
    _, packed = dataset.id.read_direct_chunk(offset)
    shape, size = dataset.chunks, dataset.dtype.itemsize
    expected = shape[0] * shape[1] * size
    try:
        data = np.frombuffer(isal_zlib.decompress(packed, bufsize=expected), np.uint8)
    except IsalError as error:  # type: ignore[misc]  # its stub leaves the type open
        raise OSError(f"chunk at {offset} cannot be inflated ({error})") from error
    if data.size != expected:
        raise OSError(f"chunk at {offset} inflates to {data.size} bytes, not {expected}")
    if not dataset.shuffle:
        return np.asarray(data.view(dataset.dtype).reshape(shape)[rows, cols])
    # Shuffled: first the lowest byte of every number, then the next of every number, ...
    planes = data.reshape(size, *shape)[:, rows, cols]
    ordered = np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    return np.asarray(ordered.view(dataset.dtype)[..., 0])
