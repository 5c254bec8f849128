"""What a model takes and makes: bands, units, pixel sizes, in a form that travels with a file.

A data set's contract says it of the models trained on it; the sidecar of an exported file and the
card of a foreign one say it of theirs. What applies a model asks for a :class:`Form` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from sensor2sensor.dataset.bands import Frozen
from sensor2sensor.dataset.contract import DatasetContract, Degradation, InputSpec, TargetSpec

Range = tuple[float, float]
Level = Literal["L1C", "L2A"]
# Of the published data sets, by the step that makes ours of them.
_LEVELS: dict[str, Level] = {"53": "L1C", "54": "L2A", "55": "L2A"}


class Form(Frozen):
    """What a model takes and makes, wherever it comes from.

    Attributes:
        name: Of the data set, or of the foreign model.
        kind: As of the data set: ``sentinel3`` (pixels of a swath), ``degraded`` (its input is its
            target, coarser) or ``paired``.
        tile_px: Side of a tile of the data set, target pixels.
        resolution_m: Target pixel, metres; None where the data have none.
        factor: Target pixels along a side of an input pixel.
        input: Input bands and how they are stored.
        target: Target bands and how they are stored.
        degradation: How the input was made of the target; None where it was measured.
        input_ranges: Value range of each input band, physical; empty: not known.
        target_ranges: Of each target band.
        level: Of the Sentinel-2 products it was trained on; None: others, or not known.
        radar_mean: What radar that is stored coarser than its grid is the mean of.
        unseen: Names of input bands that have no part in the model, whatever they hold.
    """

    name: str
    kind: Literal["sentinel3", "degraded", "paired"]
    tile_px: Annotated[int, Field(ge=1)]
    resolution_m: Annotated[float, Field(gt=0)] | None
    factor: Annotated[float, Field(gt=0)]
    input: InputSpec
    target: TargetSpec
    degradation: Degradation | None = None
    input_ranges: tuple[Range, ...] = ()
    target_ranges: tuple[Range, ...] = ()
    level: Level | None = None
    radar_mean: Annotated[Literal["db", "linear"], Field(exclude_if=lambda of: of == "db")] = "db"
    unseen: Annotated[tuple[str, ...], Field(exclude_if=lambda of: not of)] = ()

    @property
    def input_m(self) -> float | None:
        """Input pixel, metres."""
        if self.input.pixel_m is not None:
            return self.input.pixel_m
        return None if self.resolution_m is None else self.resolution_m * self.factor


def form_of(contract: DatasetContract, left_out: Sequence[str] = ()) -> Form:
    """The form of models that are trained on a data set.

    Args:
        contract: Of the data set.
        left_out: Groups of input bands that have no part in the model.
    """
    unseen = [band.name for band in contract.input.bands if set(left_out) & set(band.groups)]
    return Form(
        name=contract.name,
        kind=contract.kind,
        tile_px=contract.tile_px,
        resolution_m=contract.resolution_m,
        factor=contract.factor,
        input=contract.input,
        target=contract.target,
        degradation=contract.degradation,
        input_ranges=tuple((one.low, one.high) for one in contract.statistics["input"]),
        target_ranges=tuple((one.low, one.high) for one in contract.statistics["target"]),
        level=_level(contract.provenance),
        radar_mean=contract.provenance.get("options", {}).get("s1_domain") or "db",
        unseen=tuple(unseen),
    )


def _level(provenance: Mapping[str, Any]) -> Level | None:
    said = provenance.get("options", {}).get("level")
    return said if said in ("L1C", "L2A") else _LEVELS.get(provenance.get("step", ""))
