"""The bands of a prediction's file, and how their values are stored in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.form import Form

Kind = Literal["prediction", "mean", "std", "lower", "upper", "trust"]
Dtype = Literal["float32", "int16", "uint8"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
REFLECTANCE_STEP = 1e-4
NODATA = -32768
PUBLIC_NODATA = -10000  # of sentinel2_superresolution, whose users' scripts ask for it
_EIGHT_BIT = (0.0, 255.0)
TRUST_SUFFIX = "_trust"  # out_trust.tif lies beside out.tif


@dataclass(frozen=True)
class OutputBand:
    """A band of a prediction's file.

    Attributes:
        name: Of the target band.
        unit: Of its values.
        wavelength_nm: Of its centre; None: it has none.
        kind: ``prediction`` of one predictor; ``mean`` and ``std`` over several; ``lower`` and
            ``upper`` end of an interval; ``trust``: how far a prediction departs from its input.
        value_range: What its source fixes (0 and 255 of photos); None: nothing.
    """

    name: str
    unit: str
    wavelength_nm: float | None = None
    kind: Kind = "prediction"
    value_range: tuple[float, float] | None = None

    @property
    def description(self) -> str:
        """``B02``, ``B02_std``: a mean bears the plain name, for it is what one looks for."""
        plain = ("prediction", "mean", "trust")
        return self.name if self.kind in plain else f"{self.name}_{self.kind}"


def output_bands(form: Form, kinds: Sequence[Kind] = ("prediction",)) -> tuple[OutputBand, ...]:
    """The target bands of a form, all of one kind before those of the next."""
    return tuple(
        OutputBand(band.name, band.unit, band.wavelength_nm, kind, band.value_range)
        for kind in kinds
        for band in form.target.bands
    )


@dataclass(frozen=True)
class Storage:
    """How a physical value becomes a number of a file: ``value = stored * scale``.

    Attributes:
        dtype: Of the numbers.
        scale: Physical value of a step.
        nodata: Where there is none; None: the mask alone says it.
    """

    dtype: Dtype
    scale: float
    nodata: float | None

    def stored(self, values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.generic], int]:
        """The numbers of physical values, and how many the type does not hold.

        Those are written as the type's nearest end: a reflectance is never cut off at 0 or 1.
        """
        if self.dtype == "float32":
            return values, 0
        there = np.isfinite(values)
        # The step's inverse is a whole number: multiplied by it, what was stored so comes back.
        whole = np.rint(np.where(there, values, 0) * np.float32(round(1 / self.scale)))
        low, high = np.iinfo(self.dtype).min, np.iinfo(self.dtype).max
        if self.nodata is not None:
            low = max(low, int(self.nodata) + 1)
        held = np.clip(whole, low, high)
        stored = np.where(there, held, self.nodata or 0).astype(self.dtype)
        return stored, int(np.count_nonzero(held != whole))


def storage(dtype: Dtype, bands: Sequence[OutputBand], nodata: int = NODATA) -> Storage:
    """How these bands are stored as a type.

    Args:
        dtype: ``int16`` counts reflectances in steps of 0.0001; ``uint8`` is for photos.
        bands: All of a file.
        nodata: Of ``int16``.

    Raises:
        InputError: The type does not fit a band's unit.
    """
    if dtype == "float32":
        return Storage(dtype, 1.0, float("nan"))
    for band in bands:
        if dtype == "int16" and band.unit != "reflectance":
            what = f"int16 counts reflectances in steps of 0.0001; {band.name} is in {band.unit}"
            hint = "8-bit pictures are uint8" if band.value_range == _EIGHT_BIT else "write float32"
            raise InputError(what, where="--dtype", hint=hint)
        if dtype == "uint8" and band.value_range != _EIGHT_BIT:
            what = f"uint8 holds 8-bit pictures; {band.name} is in {band.unit}"
            raise InputError(what, where="--dtype", hint="write int16 or float32")
    if dtype == "int16":
        return Storage(dtype, REFLECTANCE_STEP, float(nodata))
    return Storage(dtype, 1.0, None)
