"""Generated products, made once: each is a few hundred pixels in the real format."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes import make_s2, make_s3
from tests.unit.products.packed import NAME

BAND_CHOICE = ("B01", "B02", "B03", "B04", "B05", "B8A")


@pytest.fixture(scope="session")
def s2_product(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make (once for the same options) a Sentinel-2 product; treat it as read-only."""
    return _maker(tmp_path_factory, make_s2, {"size_px": 192, "bands": BAND_CHOICE})


@pytest.fixture(scope="session")
def s3_product(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make (once for the same options) an OLCI product; treat it as read-only."""
    return _maker(
        tmp_path_factory,
        make_s3,
        {"rows": 60, "columns": 257, "product_type": "OL_1_EFR", "collection": "003"},
    )


@pytest.fixture(scope="session")
def l2a(s2_product: Callable[..., Path]) -> Path:
    """Level-2A of a baseline with offsets, to make forms of open buckets of; read-only."""
    return s2_product(
        level="L2A", baseline="05.09", bands=("B02", "B04"), cloud=0.3, quality_masks=False
    )


@pytest.fixture
def safe(s2_product: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy of a product that may be changed."""
    source = s2_product(bands=("B02", "B03"), resolutions=(10,), baseline="04.00")
    (tmp_path / "s2").mkdir()
    return Path(shutil.copytree(source, tmp_path / "s2" / f"{NAME}.SAFE"))


def _maker(
    factory: pytest.TempPathFactory, make: Callable[..., Path], standard: dict[str, object]
) -> Callable[..., Path]:
    made: dict[str, Path] = {}

    def once(**options: object) -> Path:
        full = {**standard, **options}
        key = repr(sorted(full.items()))
        if key not in made:
            made[key] = make(factory.mktemp("product"), **full)
        return made[key]

    return once
