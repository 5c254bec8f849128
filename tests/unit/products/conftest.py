"""Generated products, made once: each is a few hundred pixels in the real format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes import make_s2

BAND_CHOICE = ("B01", "B02", "B03", "B04", "B05", "B8A")


@pytest.fixture(scope="session")
def s2_product(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make (once for the same options) a Sentinel-2 product; treat it as read-only."""
    made: dict[str, Path] = {}

    def make(**options: object) -> Path:
        key = repr(sorted(options.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("s2")
            made[key] = make_s2(folder, **{"size_px": 192, "bands": BAND_CHOICE, **options})
        return made[key]

    return make
