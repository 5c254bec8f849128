"""One Sentinel-3 pass as several products: frames that follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests.fakes.s3 import measured, write_product
from tests.fakes.s3pixels import ROW_US, Cut


def make_frames(
    folder: Path, frames: Sequence[slice], *, zip: bool = False, single_chunk: bool = False,
    **options: Any,
) -> list[Path]:  # fmt: skip
    """Write the pass that `make_s3` writes as one product cut into frames; return their paths.

    Each frame has the very numbers of its rows, and name, times, footprint and manifest of its own.

    Args:
        folder: where the products go.
        frames: rows of each; real frames follow each other, others overlap or leave a gap.
        zip: pack the products.
        single_chunk: one deflated chunk per variable.
        options: of `make_s3`.
    """
    identity, data = measured(**options)
    data.radiance = cache(data.radiance)  # each frame asks for it
    made = []
    for rows in frames:
        start = identity.start + timedelta(microseconds=ROW_US * identity.factor * rows.start)
        own = replace(
            identity,
            start=start,
            rows=rows.stop - rows.start,
            frame=f"{rows.start % 100:02d}{rows.stop % 100:02d}",
        )
        made.append(write_product(folder, own, Cut(data, rows), single_chunk=single_chunk, zip=zip))
    return made
