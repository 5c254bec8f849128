"""Inputs as scaled integers: half the bytes, with an error that is stated and held.

Never by compression: a gzipped TFRecord that was cut anywhere reads as empty, without an error.
Steps follow the measurement and not the data at hand, so that a later inventory fits them too: a
digital number of Sentinel-2, the step of the product for OLCI's radiances (which come back to the
last bits), a hundredth of a decibel for radar.
"""

from __future__ import annotations

from dataclasses import dataclass

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import REFLECTANCE_OFFSET, REFLECTANCE_SCALE, BandSpec
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.products.bands import OLCI_SCALES


@dataclass(frozen=True)
class Step:
    """How values become whole numbers: ``value = number * scale + offset``."""

    scale: float
    offset: float = 0.0


REFLECTANCE = Step(REFLECTANCE_SCALE, REFLECTANCE_OFFSET)
DECIBEL = Step(0.01, -300.0)  # -300 to 355 dB: below the noise and above any echo


def compacted(draft: DatasetContract) -> DatasetContract:
    """The draft with its input as ``uint16``; as it is where that is stored in integers already.

    Raises:
        InputError: Nobody knows a step for the unit of a band.
    """
    if draft.input.dtype != "float32":
        return draft
    bands = tuple(map(_compact, draft.input.bands))
    spec = draft.input.model_copy(update={"bands": bands, "dtype": "uint16"})
    # model_copy takes whatever it is given: only this validates the update.
    return DatasetContract.model_validate(draft.model_copy(update={"input": spec}).model_dump())


def _compact(band: BandSpec) -> BandSpec:
    step = _step(band)
    if step is None:
        what = f"--compact: no step is known for band {band.name} of unit '{band.unit}'"
        raise InputError(what, hint="leave out --compact: this data set is stored as float32")
    update = {"scale": step.scale, "offset": step.offset, "nodata": None, "error": step.scale / 2}
    return BandSpec.model_validate(band.model_copy(update=update).model_dump())


def _step(band: BandSpec) -> Step | None:
    if band.name in OLCI_SCALES and band.unit.startswith("mW"):
        return Step(OLCI_SCALES[band.name])
    return {"reflectance": REFLECTANCE, "dB": DECIBEL}.get(band.unit)
