"""A product's central wavelengths are its own, its satellite's where it says nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.sentinel2 import open_s2

Maker = Callable[..., Path]
# As real products of the three satellites give them.
RED_NM = {"S2A": 664.6, "S2B": 665.0, "S2C": 666.5}


def edited(source: Path, target: Path, pattern: str, put: str) -> Path:
    """A copy of a product whose metadata had something replaced."""
    shutil.copytree(source, target)
    file = target / "MTD_MSIL1C.xml"
    text, count = re.subn(pattern, put, file.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert count
    file.write_text(text, encoding="utf-8")
    return target


@pytest.mark.parametrize("platform", RED_NM)
def test_a_product_says_its_own(s2_product: Maker, tmp_path: Path, platform: str) -> None:
    source = s2_product(platform=platform, bands=("B02", "B04"), resolutions=(10,))
    assert open_s2(source).wavelengths_nm["B04"] == RED_NM[platform]
    silent = "<Spectral_Information_List>.*</Spectral_Information_List>"
    assert (
        open_s2(edited(source, tmp_path / "a", silent, "")).wavelengths_nm["B04"]
        == (RED_NM[platform])
    )
    other = rf"(CENTRAL[^>]*>){RED_NM[platform]:g}<"
    assert (
        open_s2(edited(source, tmp_path / "b", other, r"\g<1>492.4<")).wavelengths_nm["B04"]
        == 492.4
    )


@pytest.mark.parametrize("value", ["0.6646", "nan", "664,6"])
def test_a_senseless_wavelength_is_named(s2_product: Maker, tmp_path: Path, value: str) -> None:
    source = s2_product(bands=("B02", "B04"), resolutions=(10,))
    copy = edited(source, tmp_path / "a", r"(CENTRAL[^>]*>)664.6<", rf"\g<1>{value}<")
    with pytest.raises(ProductError, match=r"MTD_MSIL1C\.xml: element .*CENTRAL"):
        open_s2(copy)
