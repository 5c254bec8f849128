"""Pictures: which bands, which stretch, always the same."""

from __future__ import annotations

import numpy as np

from sensor2sensor.dataset.display import colour_bands, view


def test_bands_by_name_then_wavelength_then_order() -> None:
    assert colour_bands(("B02", "B03", "B04"), (None,) * 3) == (2, 1, 0)
    assert colour_bands(("a", "b", "c", "d"), (490.0, 665.0, 560.0, 865.0)) == (1, 2, 0)
    assert colour_bands(("a", "b", "c"), (None,) * 3) == (0, 1, 2)
    assert colour_bands(("grey",), (None,)) == (0, 0, 0)


def test_stretch_is_fixed_and_gamma_lifts_the_dark_half() -> None:
    shown = view(("B02", "B03", "B04"), (None,) * 3, np.array([[0, 1], [0, 2], [0.5, 1]]))
    values = np.array([[[0.25, 0.5, 0.75], [9.0, np.nan, 0.0]]], np.float32)
    expected = [[[0.5**0.5, 0.25**0.5, 0.25**0.5], [0.0, 0.0, 1.0]]]
    np.testing.assert_allclose(shown.picture(values), expected, rtol=1e-6)
    assert shown.label == "B04, B03, B02"
