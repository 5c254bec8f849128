"""Looks at the validation tiles that cost little, for tests whose subject is not what they show.

A real look of a run takes longer than its steps: eight metrics are traced anew, and a sheet and the
pictures of two networks are drawn.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from PIL import Image

from sensor2sensor.training import session, validation
from sensor2sensor.training.samples import SampleRow


@contextmanager
def plain_looks() -> Iterator[None]:
    """Two metrics in place of eight, sheets that are a digest of their rows, no pictures."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(validation, "MONITORED", ("psnr", "l1"))
        patched.setattr(validation, "sheet", _digest)
        patched.setattr(session, "write_pictures", lambda *_: [])
        yield


def _digest(rows: Sequence[SampleRow], *_: object, title: str, unit: str) -> bytes:
    """A PNG that is another one wherever a bit of what is to be shown is."""
    told = hashlib.sha256(f"{title} {unit}".encode())
    for row in rows:
        told.update(row.name.encode())
        for image in (row.input, row.prediction, row.truth):
            told.update(image.tobytes())
    png = io.BytesIO()
    Image.frombytes("L", (8, 4), told.digest()).save(png, "png")
    return png.getvalue()
