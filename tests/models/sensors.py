"""An experiment of two sensors: an input of half the target's resolution on its own grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_tools import probe

BANDS = {"B02": 492.4, "B04": 664.6, "B08": 832.8, "B11": 1613.7}


def two_sensors(
    *,
    size: int = 16,
    factor: int = 2,
    bands: Mapping[str, float] = BANDS,
    native: Mapping[str, int] | None = None,
    unknown: Sequence[str] = (),
    input_order: Sequence[str] | None = None,
    **settings: Any,
) -> probe.Probe:
    """A probing experiment with ``input_upsampling`` ``none``.

    Args:
        size: Of the target's tiles, pixels.
        factor: Target pixels along a side of an input pixel.
        bands: Of the target, with their wavelengths.
        native: ``native_px`` of input bands.
        unknown: Target bands without a reference.
        input_order: Names of the input's bands in their order; None: the target's.
        settings: Those of ``probe.experiment``.
    """
    plain = {"normalisation": "reflectance", "input_upsampling": "none", "discriminator": None}
    made = probe.experiment(size=size, bands=bands, **{**plain, **settings})
    contract, native = made.contract, native or {}
    by_name = {band.name: band for band in contract.input.bands}
    inputs = [
        by_name[name].model_copy(update={"native_px": native.get(name, 1)})
        for name in input_order or by_name
    ]
    targets = [
        band.model_copy(update={"reference": band.name not in unknown})
        for band in contract.target.bands
    ]
    grid = {"grid": (size // factor, size // factor), "bands": tuple(inputs)}
    side = contract.input.model_copy(update={**grid, "pixel_m": 10.0 * factor})
    update = {
        "factor": float(factor),
        "input": side,
        "target": contract.target.model_copy(update={"bands": tuple(targets)}),
    }
    object.__setattr__(made, "contract", contract.model_copy(update=update))
    return made
