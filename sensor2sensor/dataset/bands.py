"""Bands of a data set: how numbers are stored, and their statistics on the train split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

# ESA's quantification value 10000 and, since processing baseline 04.00, offset -1000.
REFLECTANCE_SCALE, REFLECTANCE_OFFSET = 0.0001, -0.1


StoredType = Literal["float32", "uint16", "int16", "uint8"]

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

    ``native_px`` is the edge of the band's own pixel, in pixels of the grid it is stored on: a 20 m
    band stored on a 10 m grid, each value 2 x 2 times, has 2, and every second pixel is the band as
    it was measured. ``reference`` is False of a target band that nobody measured at the target's
    resolution (B11 and B12 of SEN2VENuS): what is stored is its input, each value repeated, so no
    loss and no metric may hold a prediction against it.

    ``error`` is the most by which a stored value may differ from the one that was given, in the
    band's unit: half a step of values kept as scaled integers, 0 of what is stored as it is.
    """

    name: str
    unit: str
    wavelength_nm: float | None
    scale: float = Field(gt=0)
    offset: float
    nodata: float | None
    groups: Annotated[tuple[str, ...], LATER] = ()
    value_range: Annotated[tuple[float, float] | None, LATER] = None
    # Not written at their defaults: data sets without them keep their bytes.
    native_px: Annotated[int, LATER, Field(ge=1, exclude_if=lambda px: px == 1)] = 1
    reference: Annotated[bool, LATER, Field(exclude_if=lambda known: known)] = True
    error: Annotated[float, LATER, Field(ge=0, exclude_if=lambda most: most == 0)] = 0.0

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


def among(colour: tuple[int, int, int] | None, bands: Sequence[int]) -> tuple[int, int, int] | None:
    """Positions of red, green and blue among some of the bands; None where they are not all."""
    if colour is None or not set(colour) <= set(bands):
        return None
    red, green, blue = (bands.index(band) for band in colour)
    return red, green, blue


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


def refuse_misplaced(
    inputs: Sequence[BandSpec], targets: Sequence[BandSpec], input_px: tuple[int, int] | None
) -> None:
    """Refuse bands whose ``native_px`` or ``reference`` cannot be meant.

    Raises:
        ValueError: A band's own pixels do not fill the input's grid, a target band is coarser than
            its grid, an input band lacks a reference, or no target band has one.
    """
    for band in inputs:
        if band.native_px > 1 and (not input_px or any(px % band.native_px for px in input_px)):
            raise ValueError(f"native_px {band.native_px} of {band.name} does not divide the grid")
        if not band.reference:
            raise ValueError(f"input band {band.name} has reference false, which is of targets")
    if coarse := [band.name for band in targets if band.native_px > 1]:
        raise ValueError(f"target band {coarse[0]} has native_px, which is of inputs")
    if targets and not any(band.reference for band in targets):
        raise ValueError("no target band has a reference")
