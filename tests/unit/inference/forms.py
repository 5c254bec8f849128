"""Forms of models, as the data sets they were trained on would have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor2sensor.dataset.bands import float_band, reflectance_band
from sensor2sensor.dataset.build import dense_input
from sensor2sensor.dataset.contract import Degradation, InputSpec, TargetSpec
from sensor2sensor.dataset.form import Form

RGB = ("B02", "B03", "B04")


def degraded(
    factor: int, *, bands: Sequence[str] = RGB, pixel_m: float = 10.0, method: Any = "mean",
    level: Any = None,
) -> Form:  # fmt: skip
    """As ``alt<factor>_D`` of step 50."""
    how = Degradation(
        method=method,
        factor=factor,
        mtf_nyquist=0.2 if method == "mtf" else None,
        sigma_px=None,
        incomplete_blocks=0,
        tiles_with_incomplete_blocks=0,
    )
    pixels = InputSpec(
        layout="pixels",
        bands=tuple(float_band(band, "reflectance", None) for band in bands),
        dtype="float32",
        index_dtype="uint16",
        max_pixels=256,
        grid=(16, 16),
        pixel_m=factor * pixel_m,
    )
    return Form(
        name=f"alt{factor}_toy",
        kind="degraded",
        tile_px=16 * factor,
        resolution_m=pixel_m,
        factor=float(factor),
        input=pixels,
        target=target(bands),
        degradation=how,
        level=level,
    )


def paired(
    factor: int, bands: Sequence[str], *, input_m: float = 10.0, native_px: Sequence[int] = ()
) -> Form:
    """As steps 53 and 54: an image on the grid of the finest band."""
    inputs = [
        float_band(band, "reflectance", None).model_copy(update={"native_px": px})
        for band, px in zip(bands, native_px or (1,) * len(bands), strict=True)
    ]
    return Form(
        name="pairs",
        kind="paired",
        tile_px=16 * factor,
        resolution_m=input_m / factor,
        factor=float(factor),
        input=dense_input(inputs, "float32", 16, pixel_m=input_m, display=None),
        target=target(bands),
    )


def target(bands: Sequence[str]) -> TargetSpec:
    """Reflectance of these bands."""
    return TargetSpec(bands=tuple(reflectance_band(b, None) for b in bands), dtype="uint16")
