"""Pictures: which bands, which stretch, always the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.bands import float_band
from sensor2sensor.dataset.contract import CONTRACT_FILE, load_contract
from sensor2sensor.dataset.display import colour_bands, sentinel2_colours, view
from tests.fakes_dataset import toy_contract

BANDS = toy_contract("toy", "degraded", 6, 64, 0).target.bands


def test_bands_by_name_then_wavelength_then_order() -> None:
    assert colour_bands(("B02", "B03", "B04"), (None,) * 3) == (2, 1, 0)
    assert colour_bands(("a", "b", "c", "d"), (490.0, 665.0, 560.0, 865.0)) == (1, 2, 0)
    assert colour_bands(("a", "b", "c"), (None,) * 3) == (0, 1, 2)
    assert colour_bands(("grey",), (None,)) == (0, 0, 0)
    infrared = ("a", "b", "c", "d"), (865.0, 1610.0, 2200.0, 490.0)
    assert colour_bands(*infrared) == (3, 3, 3)
    assert colour_bands(*infrared, false_colour=True) == (2, 1, 0)


def test_stretch_is_fixed_and_gamma_lifts_the_dark_half() -> None:
    shown = view(BANDS, np.array([[0, 1], [0, 2], [0.5, 1]]))
    values = np.array([[[0.25, 0.5, 0.75], [9.0, np.nan, 0.0]]], np.float32)
    expected = [[[0.5**0.5, 0.25**0.5, 0.25**0.5], [0.0, 0.0, 1.0]]]
    np.testing.assert_allclose(shown.picture(values), expected, rtol=1e-6)
    assert shown.label == "B04, B03, B02"


def test_photos_are_shown_as_their_numbers_are() -> None:
    bands = [float_band(name, "DN", None) for name in "rgb"]
    shown = view(bands, np.array([[0, 255]] * 3), (0, 1, 2), photo=True)
    grey = np.full((1, 1, 3), 51, np.float32)
    np.testing.assert_allclose(shown.picture(grey), 0.2, rtol=1e-6)


@pytest.mark.parametrize(
    ("names", "nm", "shown"),
    [
        (("B02", "B03", "B04"), (492.1, 559.0, 665.0), ("B04", "B03", "B02")),
        (("B08", "B11", "B12"), (832.8, 1613.7, 2202.4), None),
        (("B02", "B03", "B04"), (482.0, 561.0, 865.0), None),  # another sensor's B04
        (("B02", "B03", "B04"), (492.4, 559.8, None), None),
    ],
)
def test_sentinel2_colours_have_the_name_and_the_wavelength(names, nm, shown) -> None:
    assert sentinel2_colours(names, nm) == shown


def test_declared_bands_are_shown_before_any_guess() -> None:
    names = ("blue", "green", "B04")
    bands = [b.model_copy(update={"name": name}) for b, name in zip(BANDS, names, strict=True)]
    assert view(bands, np.tile([0.0, 1.0], (3, 1)), (2, 0, 1)).label == "B04, blue, green"


def _rewritten(folder: Path, **target: Any) -> Path:
    """A contract without ``display``, as step 50 once wrote it, with other facts."""
    content = toy_contract("toy", "degraded", 6, 64, 0).model_dump(mode="json")
    del content["target"]["display"]
    content["target"] |= target.pop("also", {})
    files.write_json(folder / CONTRACT_FILE, content | target)
    return folder


def test_data_sets_from_before_declare_sentinel2s_colours_by_name_and_wavelength(
    tmp_path: Path,
) -> None:
    assert load_contract(_rewritten(tmp_path)).colour() == (2, 1, 0)
    assert load_contract(_rewritten(tmp_path, kind="paired")).colour() is None
    assert load_contract(_rewritten(tmp_path, also={"display": None})).colour() is None
    bands = [{**b.model_dump(), "wavelength_nm": 800.0} for b in BANDS]
    assert load_contract(_rewritten(tmp_path, also={"bands": bands})).colour() is None


def test_any_sensor_may_declare_its_colours(tmp_path: Path) -> None:
    names = ("red", "green", "blue")
    bands = [{**b.model_dump(), "name": n} for b, n in zip(BANDS, names, strict=True)]
    also = {"bands": bands, "display": names}
    assert load_contract(_rewritten(tmp_path, kind="paired", also=also)).colour() == (0, 1, 2)
    with pytest.raises(DatasetError, match="not all target bands"):
        load_contract(_rewritten(tmp_path, also={"display": names}))


def test_the_unit_of_the_target_is_that_of_its_bands() -> None:
    contract = toy_contract("toy", "degraded", 6, 64, 0)
    assert contract.target_unit() == "reflectance"
    bands = (*BANDS[:2], BANDS[2].model_copy(update={"unit": "K"}))
    target = contract.target.model_copy(update={"bands": bands})
    mixed = contract.model_copy(update={"target": target})
    assert mixed.target_unit() == "mixed: reflectance, K"
