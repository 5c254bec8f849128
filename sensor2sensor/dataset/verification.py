"""Whether the files of a data set are those its contract promises.

Counts and sizes are compared every time. SHA-256 of every file costs minutes where a data set is
large and far away, so a file that had the right one is remembered by its size and modification
time, in the user's cache folder; only a thorough look hashes it again.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Container, Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError, InputError, Sensor2SensorError
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.dataset.contract import (
    CONTRACT_FILE,
    DIGEST_FILE,
    SPLITS,
    DatasetContract,
    load_contract,
)
from sensor2sensor.dataset.ledger import BUILDING_FILE, SPLIT_FILE, SplitRow, read_split
from sensor2sensor.dataset.records import FOOTER_BYTES, HEADER_BYTES

logger = logging.getLogger(__name__)

# Some shares keep times to 2 s only: of a file as young as that, an equal time says nothing.
YOUNG_NS = 2_000_000_000


@dataclass(frozen=True)
class Promise:
    """What ``split.csv`` says of one file: its bytes and their SHA-256."""

    size: int
    sha256: str


def verify_dataset(
    dataset_dir: Path, *, thorough: bool = False, split: str | None = None
) -> dict[str, int]:
    """Compare counts, sizes and SHA-256 of every file with what the data set promises.

    A TFRecord that was cut at the boundary of a record reads without an error, and a gzipped one
    that was cut anywhere reads as empty: only this check sees it.

    Args:
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``.
        thorough: Hash every file, also those that this machine has seen with the same size and
            modification time.
        split: Look at the files of this split alone; of a data set to evaluate on no others need
            be there.

    Returns:
        Tiles in each split, ``files``, and how many of these were ``hashed``.

    Raises:
        DatasetError: A file is missing, changed or surplus to the contract, or two lines claim one
            name or place; it is named, with the command that rebuilds it.
    """
    with closing(faults(dataset_dir, thorough=thorough, split=split)) as looked:
        try:
            raise next(looked)
        except StopIteration as whole:
            counts: dict[str, int] = whole.value
            return counts


def faults(
    dataset_dir: Path, *, thorough: bool = False, split: str | None = None
) -> Generator[Sensor2SensorError, None, dict[str, int]]:
    """Look at every file of a data set, as :func:`verify_dataset` does, and go on behind a fault.

    Args:
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``.
        thorough: Hash every file.
        split: Look at the files of this split alone.

    Yields:
        An error for each file that is missing, changed or cannot be read; it names the file.

    Returns:
        What :func:`verify_dataset` returns.

    Raises:
        DatasetError: ``dataset.json`` was changed, or with ``split.csv`` does not say what the
            files have to be.
    """
    dataset_dir = Path(dataset_dir)
    contract = load_contract(dataset_dir)
    rows, hint = _verified_table(dataset_dir, contract), rebuild_hint(contract, dataset_dir)
    _verify_contract(dataset_dir, hint)
    seen = _Seen(dataset_dir, contract.split_csv_sha256)
    promises, hashed = promised([row for row in rows if split in (None, row.split)]), 0
    try:
        for name, promise in promises.items():
            try:
                stamp = _verified_size(dataset_dir / name, promise, hint)
                if thorough or seen.stamps.get(name) != stamp:
                    _verify_content(dataset_dir / name, promise, hint)
                    seen.remember(name, stamp)
                    hashed += 1
            except (DatasetError, InputError) as fault:
                yield fault
    finally:
        seen.keep()  # an interrupted look goes on where it was
    counts = {name: contract.splits[name].count for name in SPLITS}
    return {**counts, "files": len(promises), "hashed": hashed}


def foreign(dataset_dir: Path, promises: Container[str]) -> list[str]:
    """TFRecord files of a data set's folder that its table does not name: nothing reads them."""
    there = (path.relative_to(dataset_dir).as_posix() for path in dataset_dir.rglob("*.tfrecord"))
    return sorted(name for name in there if name not in promises)


def _verified_table(dataset_dir: Path, contract: DatasetContract) -> list[SplitRow]:
    """The lines of ``split.csv``, which has to be the contract's."""
    table, hint = dataset_dir / SPLIT_FILE, rebuild_hint(contract, dataset_dir)
    if not table.is_file() or files.sha256(table) != contract.split_csv_sha256:
        raise DatasetError(
            "does not belong to dataset.json (an interrupted step?)", where=table, hint=hint
        )
    rows = read_split(dataset_dir)
    for split in SPLITS:
        found = sum(row.split == split for row in rows)
        if found != contract.splits[split].count:
            what = f"lists {found} {split} tiles, dataset.json {contract.splits[split].count}"
            raise DatasetError(what, where=table, hint=hint)
    if wrong := _clash(rows):
        raise DatasetError(wrong, where=table, hint=hint)
    return rows


def _verify_contract(dataset_dir: Path, hint: str) -> None:
    """Refuse a ``dataset.json`` that was changed: a valid number there may be a wrong one."""
    path, kept = dataset_dir / CONTRACT_FILE, dataset_dir / DIGEST_FILE
    try:
        told = kept.read_text("ascii", "replace").split()
    except FileNotFoundError:
        return  # of before there was one
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=kept) from None
    if told[:1] != [files.sha256(path)]:
        meant = f"if the change is meant, delete {DIGEST_FILE} beside it"
        what = f"changed since it was written ({DIGEST_FILE} has another SHA-256)"
        raise DatasetError(what, where=path, hint=f"{hint}; {meant}")


def _clash(rows: list[SplitRow]) -> str | None:
    """What two lines claim that only one can have: a name, or bytes of a file."""
    names: set[str] = set()
    for row in rows:
        if row.name in names:
            return f"lists {row.name} twice"
        names.add(row.name)
    placed = sorted((r for r in rows if r.split in SPLITS), key=lambda r: (r.file, r.offset))
    for row, following in pairwise(placed):
        if row.file == following.file and following.offset < _end(row):
            return f"lists {row.name} and {following.name} at one place of {row.file}"
    return None


def _end(row: SplitRow) -> int:
    """Where the frame of a record ends in its file, in bytes."""
    return row.offset + HEADER_BYTES + row.length + FOOTER_BYTES


def promised(rows: list[SplitRow]) -> dict[str, Promise]:
    """What each file has to be: it ends with the frame of its last record."""
    found: dict[str, Promise] = {}
    for row in rows:
        if row.split in SPLITS:
            known = found[row.file].size if row.file in found else 0
            found[row.file] = Promise(max(_end(row), known), row.sha256)
    return found


Stamp = tuple[int, int]


def _verified_size(path: Path, promise: Promise, hint: str) -> Stamp:
    """Size and modification time in nanoseconds of a file of the promised size."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise DatasetError("listed in split.csv but missing", where=path, hint=hint) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from None
    if stat.st_size != promise.size:
        what = f"changed since it was written ({stat.st_size} bytes instead of {promise.size})"
        raise DatasetError(what, where=path, hint=hint)
    return stat.st_size, stat.st_mtime_ns


def _verify_content(path: Path, promise: Promise, hint: str) -> None:
    try:
        found = files.sha256(path)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from None
    if found != promise.sha256:
        raise DatasetError("changed since it was written (SHA-256 differs)", where=path, hint=hint)


class _Seen:
    """Files of one data set that were whole on this machine, by name with size and time.

    One small file a data set folder; of another ``split.csv`` nothing is remembered. A cache that
    cannot be read or written costs time and nothing else.

    Args:
        dataset_dir: The data set's folder.
        split_csv_sha256: Of its table, which holds the SHA-256 of every file.
    """

    def __init__(self, dataset_dir: Path, split_csv_sha256: str) -> None:
        self._folder, self._table = str(dataset_dir.resolve()), split_csv_sha256
        cache = cache_folder()
        # Homes are shared among machines, and a folder of one path may be another disk there.
        self._machine = platform.node()
        name = f"{fingerprint([self._machine, self._folder])[7:39]}.json"
        self._path = None if cache is None else cache / "verified" / name
        self.stamps = self._read()
        self._started_ns, self._changed = time.time_ns(), False

    def _read(self) -> dict[str, Stamp]:
        if self._path is None:
            return {}
        try:
            known = files.read_json(self._path)
            if any(known[key] != value for key, value in self._of_what().items()):
                return {}
            return {name: (int(size), int(time)) for name, (size, time) in known["files"].items()}
        except (OSError, Sensor2SensorError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _of_what(self) -> dict[str, str]:
        return {
            "machine": self._machine,
            "folder": self._folder,
            "split_csv_sha256": self._table,
        }

    def remember(self, name: str, stamp: Stamp) -> None:
        """Take in a file whose content was as promised."""
        if stamp[1] < self._started_ns - YOUNG_NS:
            self.stamps[name], self._changed = stamp, True

    def keep(self) -> None:
        """Write what was seen."""
        if not self._changed or self._path is None:
            return
        table = {**self._of_what(), "files": self.stamps}
        try:
            # One line: it is read at every start.
            files.write_text(self._path, json.dumps(table, separators=(",", ":")))
        except OSError as error:
            logger.info("%s cannot be written (%s): files are hashed again", self._path, error)


def cache_folder() -> Path | None:
    """``sensor2sensor`` in the user's cache folder; None for a user without a home."""
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        # The XDG specification says to ignore a relative path.
        base = chosen if chosen.is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # a container run under a number that no user has
        return None
    return base / "sensor2sensor"


def rebuild_hint(contract: DatasetContract, dataset_dir: Path) -> str:
    """The commands that rebuild a data set, for messages."""
    being_built = (dataset_dir / BUILDING_FILE).is_file()
    cut_off = "repeat the command that was cut off, or " if being_built else ""
    made = contract.provenance  # a free-form table: data sets of other origin may lack these keys
    if "command" not in made:
        return f"{cut_off}rebuild it with its step (50 to 55) and --force"
    added = [facts["name"] for facts in made.get("inventories", [])[1:]]
    which = "with --inventory" if made.get("step") == "50" else "for"  # others have other options
    more = "".join(f", then again {which} {name} --add" for name in added)
    return f"{cut_off}rebuild it with: {made['command']} --force{more}"
