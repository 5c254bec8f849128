"""What Weights & Biases wrote offline, read back: its own protobuf in the form of LevelDB logs."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, MAGIC = 32768, 7  # the file begins with ":W&B", two bytes and its version
WHOLE, LAST = 1, 4
PATIENCE_S = 120.0  # ends a wait for a process that hangs; says nothing about speed


def chunks(path: Path) -> Iterator[bytes]:
    """Records of a LevelDB log, put together where a block's end has cut them."""
    data, at, part = path.read_bytes(), MAGIC, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        left = BLOCK - at % BLOCK
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        if at + 7 + length > len(data):
            return
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (WHOLE, LAST):
            yield part
            part = b""


def records(logs_dir: Path) -> Iterator[Any]:
    """Records of every part of a run, in the order in which the parts were begun."""
    parts = sorted(logs_dir.glob("wandb/offline-run-*/*.wandb"))
    for path in parts:
        # Those before may be of processes that were killed, and say nothing of an end.
        yield from finished(path) if path == parts[-1] else told(path)


def told(path: Path) -> list[Any]:
    """Records of a part as far as it was written."""
    from wandb.proto import wandb_internal_pb2

    return [wandb_internal_pb2.Record.FromString(chunk) for chunk in chunks(path)]


def finished(path: Path) -> list[Any]:
    """Records of a part that ends, waited for.

    ``Run.finish`` tells W&B's own process to close its file and does not wait until it has: on a
    busy machine the last block, which may be all of it, is written after it returned.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        found = told(path)
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        if time.monotonic() >= until:
            raise TimeoutError(f"{path} was never finished: {len(found)} records")
        time.sleep(0.05)


def identities(logs_dir: Path) -> list[str]:
    """The run that each part belongs to."""
    return [r.run.run_id for r in records(logs_dir) if r.WhichOneof("record_type") == "run"]


def history(logs_dir: Path) -> dict[int, dict[str, Any]]:
    """What is known of each step; a later part knows it better."""
    found: dict[int, dict[str, Any]] = {}
    for record in records(logs_dir):
        if record.WhichOneof("record_type") == "history":
            items = {
                "/".join(i.nested_key) or i.key: json.loads(i.value_json)
                for i in record.history.item
            }
            found.setdefault(record.history.step.num, {}).update(items)
    return found
