"""Bands of a data set: how numbers are stored, and their statistics on the train split."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

# ESA's quantification value 10000 and, since processing baseline 04.00, offset -1000.
REFLECTANCE_SCALE, REFLECTANCE_OFFSET = 0.0001, -0.1


# Marks a key that files from before lack, who mean its default; what its schema says is the same.
LATER = "came later"


class Frozen(BaseModel):
    """A part of ``dataset.json``: strict, closed and unchangeable."""

    # pydantic's defaults would take true and "1" for numbers, and NaN.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def as_before(self) -> dict[str, Any]:
        """The part as plain JSON, without the keys marked ``LATER`` that are at their default."""
        unsaid = {
            name
            for name, field in type(self).model_fields.items()
            if LATER in field.metadata
            and getattr(self, name) == field.get_default(call_default_factory=True)
        }
        return self.model_dump(mode="json", exclude=unsaid)


class BandSpec(Frozen):
    """One band: its unit, wavelength, and how a stored number becomes a physical value.

    ``value = stored * scale + offset``, computed as ``(stored + shift) / divisor`` in float32: for
    integers both steps are exact or correctly rounded, so a Sentinel-2 reflectance comes back bit
    for bit as step 40 computed it from the digital number.

    ``groups`` are the names it can be asked for together with others (``S1``, ``10m``).
    ``value_range`` is fixed by the source (0 and 255 for 8-bit photos); None: measured on train.
    """

    name: str
    unit: str
    wavelength_nm: float | None
    scale: float = Field(gt=0)
    offset: float
    nodata: float | None
    groups: Annotated[tuple[str, ...], LATER] = ()
    value_range: Annotated[tuple[float, float] | None, LATER] = None

    @field_validator("value_range")
    @classmethod
    def _ascending(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and not ends[0] < ends[1]:
            raise ValueError(f"value_range {list(ends)} is not a lower and an upper value")
        return ends

    @property
    def divisor(self) -> float:
        """``1 / scale``, rounded to the integer it stands for (10000 for a scale of 0.0001)."""
        # Decimal fractions have no exact binary form, the integers they stand for do.
        inverse = 1.0 / self.scale
        return float(round(inverse)) if abs(inverse - round(inverse)) < 1e-6 else inverse

    @property
    def shift(self) -> float:
        """``offset / scale``, rounded to the integer it stands for (-1000 for -0.1 / 0.0001)."""
        shift = self.offset * self.divisor
        return float(round(shift)) if abs(shift - round(shift)) < 1e-6 else shift


class BandStatistics(Frozen):
    """Statistics of one band over the train split, in physical units.

    ``low`` and ``high`` are the exact 0.1 % and 99.9 % quantiles, or what ``BandSpec.value_range``
    fixes: the value range of the band that normalisation, losses and metrics share.
    ``output_low`` and ``output_high`` of a target band are what a bounded model's output spans
    (``statistics.output_range``); None for inputs, and in data sets from before.
    """

    low: float
    high: float
    minimum: float
    maximum: float
    mean: float
    std: float
    count: int
    output_low: float | None = None
    output_high: float | None = None


def reflectance_band(name: str, wavelength_nm: float | None) -> BandSpec:
    """A Sentinel-2 band stored as uint16: reflectance = (stored - 1000) / 10000.

    That is the form of products from baseline 04.00 on; older digital numbers are moved up by 1000,
    so both fit without loss and negative reflectance is kept.
    """
    return BandSpec(
        name=name,
        unit="reflectance",
        wavelength_nm=wavelength_nm,
        scale=REFLECTANCE_SCALE,
        offset=REFLECTANCE_OFFSET,
        nodata=65535.0,
    )


def float_band(name: str, unit: str, wavelength_nm: float | None) -> BandSpec:
    """A band stored as float32 as it is."""
    return BandSpec(
        name=name, unit=unit, wavelength_nm=wavelength_nm, scale=1.0, offset=0.0, nodata=None
    )
