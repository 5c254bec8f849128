"""Generated Sentinel-2 and Sentinel-3 products in the real formats, from one ground truth."""

from __future__ import annotations

from tests.fakes.archive import make_archive
from tests.fakes.pair import make_pair
from tests.fakes.s2 import make_s2
from tests.fakes.s3 import make_s3
from tests.fakes.s3frames import make_frames
from tests.fakes.world import World

__all__ = ["World", "make_archive", "make_frames", "make_pair", "make_s2", "make_s3"]
