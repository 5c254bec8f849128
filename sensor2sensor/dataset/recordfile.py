"""Files of records: written whole, read at a byte offset, listed by ``split.csv``.

The frame of a TFRecord is a 64-bit length, its masked CRC, the data and the data's CRC. Reading at
an offset needs no pass over the records before it, so packed files cost random access nothing. The
data's CRC is checked with every reading, hours after a training began and in whatever cache, too;
``dataset.verification.verify_dataset`` compares the SHA-256 of the whole file, which also sees what
a CRC cannot (a file cut between two records).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.contract import SPLITS, DatasetContract
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.records import FOOTER_BYTES, HEADER_BYTES, TileRecord, decode


@dataclass(frozen=True)
class RecordRef:
    """Where one record lies."""

    name: str
    path: Path
    offset: int
    length: int


def write_records(path: Path, records: Sequence[bytes]) -> list[tuple[int, int]]:
    """Write serialised records to one TFRecord file, atomically and uncompressed.

    A truncated GZIP record file reads as empty without an error, so none is ever written.

    Returns:
        Offset and length of each record.
    """
    # Written and closed before atomic_path, which leaves last, renames it.
    with files.atomic_path(path) as part, part.open("wb") as stream:
        for record in records:
            length = struct.pack("<Q", len(record))
            for data in (length, record):
                stream.write(data)
                stream.write(struct.pack("<I", _masked(data)))
    return record_places([len(record) for record in records])


def _masked(data: bytes) -> int:
    """CRC-32C of some bytes as a TFRecord holds it."""
    found: int = google_crc32c.value(data)
    return (((found >> 15) | (found << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def record_places(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Offset and length of records of these lengths in one file."""
    places, offset = [], 0
    for length in lengths:
        places.append((offset, length))
        offset += HEADER_BYTES + length + FOOTER_BYTES
    return places


def read_record(ref: RecordRef) -> bytes:
    """The serialised record at a place in a file.

    Raises:
        DatasetError: The file is missing, too short, compressed or damaged, or another record lies
            there.
    """
    try:
        descriptor = os.open(ref.path, os.O_RDONLY)
    except OSError as error:
        raise DatasetError(
            f"cannot be read ({error.strerror})",
            where=ref.path,
            hint="rebuild the data set with its step (50 to 55)",
        ) from None
    try:
        # pread keeps no position: nothing to seek, and nothing for threads to share.
        head = os.pread(descriptor, HEADER_BYTES, ref.offset)
        data = os.pread(descriptor, ref.length, ref.offset + HEADER_BYTES)
        foot = os.pread(descriptor, FOOTER_BYTES, ref.offset + HEADER_BYTES + ref.length)
    finally:
        os.close(descriptor)
    whole = len(head) == HEADER_BYTES and _length(head) == ref.length and len(data) == ref.length
    if not whole or foot != struct.pack("<I", _masked(data)):
        raise DatasetError(
            f"is damaged at byte {ref.offset}",
            where=ref.path,
            hint="rebuild the data set with its step (50 to 55) and --force",
        )
    return data


def scan_file(path: Path) -> list[tuple[int, bytes]] | None:
    """Offset and data of every record of a file; None if it is missing or not whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    found, offset = [], 0
    # A file cut between two records looks whole here: callers compare the number of records.
    while offset < len(content):
        if offset + HEADER_BYTES > len(content):
            return None
        start = offset + HEADER_BYTES
        end = start + _length(content[offset:start])
        if end + FOOTER_BYTES > len(content):
            return None
        found.append((offset, content[start:end]))
        offset = end + FOOTER_BYTES
    return found


def _length(frame: bytes) -> int:
    # Little-endian on every machine, as TFRecord has it.
    return int(struct.unpack_from("<Q", frame)[0])


def list_records(
    dataset_dir: Path,
    split: str,
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
    exclude_tiles: Collection[str] = (),
) -> list[RecordRef]:
    """The records of a split, ordered by name.

    Args:
        dataset_dir: The data set's folder.
        split: ``train``, ``val`` or ``test``.
        enforce_suffix: Keep only names that end so.
        exclude_suffix: Drop names that end so.
        exclude_tiles: Drop these names.

    Raises:
        InputError: No record is left; the counts and some names are given.
    """
    table = read_split(dataset_dir)
    filters = enforce_suffix, exclude_suffix, exclude_tiles
    return select_records(table, dataset_dir, split, *filters)


def count_records(dataset_dir: Path, split: str, sample: int | None, *filters: Any) -> int:
    """How many records of a split are used: at most ``sample`` of what :func:`list_records` has."""
    known = len(list_records(dataset_dir, split, *filters))
    return min(known, sample or known)


def select_records(
    table: Sequence[SplitRow],
    dataset_dir: Path,
    split: str,
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
    exclude_tiles: Collection[str] = (),
) -> list[RecordRef]:
    """:func:`list_records` of a ``split.csv`` that is read already."""
    if split not in SPLITS:
        raise InputError(f"unknown split '{split}'", hint=suggestion(split, SPLITS))
    rows = [row for row in table if row.split == split]
    left = [row for row in rows if row.name not in exclude_tiles]
    kept = [row for row in left if _wanted(row.name, enforce_suffix, exclude_suffix)]
    if not kept:
        by_name = f", exclude_tiles {len(rows) - len(left)} of them" if exclude_tiles else ""
        what = (
            f"no {split} record is left of {len(rows)}"
            f" (enforce_suffix {enforce_suffix!r}, exclude_suffix {exclude_suffix!r}{by_name})"
        )
        example = f"names look like '{rows[0].name}'" if rows else "the split is empty"
        raise InputError(what, where=dataset_dir, hint=example)
    folder = Path(dataset_dir)
    return [
        RecordRef(r.name, folder / r.file, r.offset, r.length)
        # Sample numbers count in this order, whatever order the table has.
        for r in sorted(kept, key=lambda row: row.name)
    ]


def places_of(refs: Sequence[RecordRef], names: Sequence[str]) -> list[int]:
    """Where the named records stand among ``refs``, in the order of the names; others nowhere."""
    places = {ref.name: place for place, ref in enumerate(refs)}
    return [places[name] for name in dict.fromkeys(names) if name in places]


def _wanted(name: str, enforce: str | None, exclude: str | None) -> bool:
    if enforce and not name.endswith(enforce):
        return False
    return not (exclude and name.endswith(exclude))


def iterate_refs(refs: Sequence[RecordRef], contract: DatasetContract) -> Iterator[TileRecord]:
    """Decode records one after the other, in physical values."""
    for ref in refs:
        yield decode(read_record(ref), contract)
