"""``dataset.json``: what a data set holds, band by band; nothing is inferred from its name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError, model_validator

from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, DatasetError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.bands import (
    LATER,
    BandSpec,
    BandStatistics,
    Frozen,
    StoredType,
    refuse_misplaced,
)
from sensor2sensor.dataset.display import sentinel2_colours

CONTRACT_FILE = "dataset.json"
DIGEST_FILE = "dataset.sha256"  # of the contract, as sha256sum writes and checks it
SPLITS = ("train", "val", "test")

# Fields that every batch has, and the arguments of train_step and of models.base.standard_step,
# which hands the extras on by name.
RESERVED = ("input", "target", "index", "name", "truth", "input_image", "step", "model", "self")
_WORD = re.compile(r"[A-Za-z0-9_-]+")  # strata stand in names of columns: rmse@cloudy

Floats = npt.NDArray[np.float32]
Side = Literal["input", "target"]


class InputSpec(Frozen):
    """How the input is stored.

    Attributes:
        layout: ``pixels``: on its own pixels (``input_pixels [K, C]``, ``input_xy [K, 2]``,
            ``input_index [H, W]``); ``dense``: as an image (``input [h, w, C]``).
        bands: The input bands in order.
        dtype: Type of the stored values.
        index_dtype: Type of ``input_index``.
        max_pixels: The largest K of any record.
        grid: Rows and columns of a regular low-resolution grid. None: of ``pixels`` a swath, of
            ``dense`` the target's own grid.
        pixel_m: Size of an input pixel in metres, None where nobody knows.
        display: True-colour red, green and blue bands; None where none are declared.
        aligned: Splits whose inputs are aligned with the target: pixels stand where a shift that
            was measured on the target says. Never of what is scored.
    """

    layout: Literal["pixels", "dense"]
    bands: tuple[BandSpec, ...]
    dtype: StoredType
    index_dtype: Literal["uint8", "uint16", "int32"]
    max_pixels: int = Field(ge=1)
    grid: tuple[int, int] | None
    pixel_m: Annotated[float, Field(gt=0)] | None
    display: Annotated[tuple[str, str, str] | None, LATER] = None
    # Not written where it says nothing: the files of other data sets are those from before it.
    aligned: Annotated[
        tuple[Literal["train"], ...], LATER, Field(exclude_if=lambda said: not said)
    ] = ()

    @property
    def alignment(self) -> str:
        """``input aligned with the target (train)``; empty where it is not."""
        return f"input aligned with the target ({', '.join(self.aligned)})" if self.aligned else ""


class TargetSpec(Frozen):
    """The target bands and the type their values are stored in.

    ``display`` names the true-colour red, green and blue bands; None where there are none. Files
    from before it was declared lack it (:func:`load_contract` derives it for Sentinel-2 targets).
    """

    bands: tuple[BandSpec, ...]
    dtype: StoredType
    display: tuple[str, str, str] | None = None


class ExtraSpec(Frozen):
    """One optional array of a record.

    Attributes:
        name: Its name in the batch, and the argument of ``train_step`` that takes it.
        dtype: Type of the stored values; ``string`` for a text, whose shape is ``()``.
        shape: ``(H, W)`` or ``(H, W, C)`` where it is a picture.
        unit: Of its values; ``1`` for classes.
        role: ``value``: as it is; ``image``: turned, cut and resized with the pictures, bilinearly;
            ``mask``: the same by nearest neighbour, since classes have no mean.
        grid: Whose pixels a picture is on.
        strata: Names of parts of the ground that a mask on the target's grid tells apart, each with
            the values that belong to it; metrics are scored within them (``rmse@cloudy``).
        variant: By which of several published rules its values were found (``dsen2cr``); empty
            where there is but one.
    """

    name: str
    dtype: Literal["float32", "float64", "uint8", "uint16", "int32", "string"]
    shape: tuple[int, ...]
    unit: str
    role: Annotated[Literal["value", "image", "mask"], LATER] = "value"
    grid: Annotated[Literal["target", "input"], LATER] = "target"
    strata: Annotated[dict[str, tuple[int, ...]], LATER] = Field(default_factory=dict)
    # Not written where it says nothing: the files of other data sets are those from before it.
    variant: Annotated[str, LATER, Field(exclude_if=lambda said: not said)] = ""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.role != "value" and len(self.shape) not in (2, 3):
            raise ValueError(f"extra '{self.name}' of role {self.role} is no picture")
        if self.strata and (self.role != "mask" or self.grid != "target" or len(self.shape) != 2):
            raise ValueError(f"extra '{self.name}' has strata but is no mask [H, W] of the target")
        if odd := [name for name in self.strata if not _WORD.fullmatch(name)]:
            raise ValueError(f"stratum '{odd[0]}' is no word of letters, digits, _ and -")
        if self.dtype == "string" and (self.role != "value" or self.shape):
            raise ValueError(f"extra '{self.name}' is a text, which has neither shape nor role")
        return self


class SplitInfo(Frozen):
    """Tiles and blocks of ground in one split."""

    count: int = Field(ge=0)
    blocks: int = Field(ge=0)


class SplitPolicy(Frozen):
    """How tiles came to their splits.

    ``ground_shared`` gives the share of the ground of ``test`` and ``val`` that ``train`` shows
    too: 0 when split by block. ``ground`` says how that is known: by coordinates, or (``group``) by
    the city, site or region each sample is from, where there is no projection; then the share is
    that of the groups. Where nobody knows the ground (``unknown``), there is no share. Ratios are
    None where the splits were given, blocks where there are none. ``guard_m`` is the ground around
    every tile that belongs to its split alone; data sets from before it was kept have none.
    ``dropped_by_guard`` of the ``dropped`` tiles touch one split themselves, but another one within
    the guard.
    """

    by: Literal["given", "block", "acquisition", "group"]
    seed: int
    train_ratio: float | None
    val_ratio: float | None
    block_tiles: float | None
    block_m: float | None
    dropped: int
    refused: int
    ground_shared: dict[str, float]
    guard_m: float = Field(default=0.0, ge=0)
    dropped_by_guard: int = Field(default=0, ge=0)
    # What a file from before means: only tiles with coordinates were split then.
    ground: Literal["crs", "group", "unknown"] = "crs"

    def described(self) -> str:
        """``split by block with a guard of 300 m``, ``split by group (ground known by groups)``."""
        if self.by != "block":
            told = {"crs": "", "group": " (ground known by groups)", "unknown": " (ground unknown)"}
            return f"split by {self.by}{told[self.ground]}"
        guard = f"with a guard of {self.guard_m:g} m" if self.guard_m else "without a guard"
        return f"split by {self.by} {guard}"


class Degradation(Frozen):
    """How the low-resolution input was made from the target.

    ``incomplete_blocks`` counts edge blocks that reach beyond the pixels present; there the mean is
    that of the pixels present.
    """

    method: Literal["mean", "mtf"]
    factor: int
    mtf_nyquist: float | None
    sigma_px: float | None
    incomplete_blocks: int
    tiles_with_incomplete_blocks: int


class DatasetContract(Frozen):
    """The whole of ``dataset.json``."""

    format_version: Literal[1]
    name: str
    kind: Literal["sentinel3", "degraded", "paired"]
    tile_px: int = Field(ge=1)
    resolution_m: Annotated[float, Field(gt=0)] | None
    factor: float = Field(gt=0)
    input: InputSpec
    target: TargetSpec
    extras: tuple[ExtraSpec, ...]
    splits: dict[str, SplitInfo]
    statistics: dict[str, tuple[BandStatistics, ...]]
    split_policy: SplitPolicy
    degradation: Degradation | None
    split_csv_sha256: str
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for side, bands in (("input", self.input.bands), ("target", self.target.bands)):
            if len(self.statistics.get(side, ())) != len(bands):
                raise ValueError(f"statistics.{side} does not have one entry for each band")
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"splits must be {', '.join(SPLITS)}")
        for side, spec in (("input", self.input), ("target", self.target)):
            shown = spec.display or ()
            if not set(shown) <= {band.name for band in spec.bands}:
                raise ValueError(f"{side}.display {list(shown)} are not all {side} bands")
        refuse_misplaced(self.input.bands, self.target.bands, self.input_px)
        rows, columns = self.input.grid or (self.tile_px, self.tile_px)
        uneven = rows != columns or rows < 1 or self.tile_px % rows != 0
        # Crops are whole pixels of both sides, so the factor is one whole number for both axes.
        if self.input.layout == "dense" and uneven:
            raise ValueError(
                f"input.grid [{rows}, {columns}] does not divide {self.tile_px} pixels"
            )
        return self

    @model_validator(mode="after")
    def _extras_fit(self) -> Self:
        names = [*RESERVED, *(extra.name for extra in self.extras)]
        for extra in self.extras:
            if names.count(extra.name) > 1:
                raise ValueError(f"the name of extra '{extra.name}' is taken")
            size = (self.tile_px, self.tile_px) if extra.grid == "target" else self.input_px
            if extra.role != "value" and extra.shape[:2] != size:
                has = f"has {list(size)} pixels" if size else "has no grid"
                what = f"extra '{extra.name}' is {list(extra.shape)}"
                raise ValueError(f"{what}, but the {extra.grid} {has}")
        strata = [name for extra in self.extras for name in extra.strata]
        if twice := sorted({name for name in strata if strata.count(name) > 1}):
            raise ValueError(f"strata {', '.join(twice)} are named by more than one extra")
        return self

    def input_ranges(self) -> Floats:
        """Value range of each input band, ``[C, 2]``, as measured on train or fixed."""
        return _ranges(self.statistics["input"])

    def target_ranges(self) -> Floats:
        """Value range of each target band, ``[C, 2]``, as measured on train or fixed."""
        return _ranges(self.statistics["target"])

    @property
    def input_px(self) -> tuple[int, int] | None:
        """Rows and columns of the input on its own grid; None for a swath, which has none."""
        if self.input.grid is not None:
            return self.input.grid
        return (self.tile_px, self.tile_px) if self.input.layout == "dense" else None

    def colour(self, side: Side = "target") -> tuple[int, int, int] | None:
        """Positions of true-colour red, green and blue among a side's bands, where declared."""
        spec = self.target if side == "target" else self.input
        if spec.display is None:
            return None
        names = [band.name for band in spec.bands]
        red, green, blue = (names.index(name) for name in spec.display)
        return red, green, blue

    def group(self, name: str, side: Side = "input") -> tuple[int, ...]:
        """Positions of a group's bands among those of a side, in order.

        Raises:
            ConfigError: No band is of that group; the nearest name is given.
        """
        bands = self.input.bands if side == "input" else self.target.bands
        found = tuple(i for i, band in enumerate(bands) if name in band.groups)
        if not found:
            known = dict.fromkeys(group for band in bands for group in band.groups)
            hint = suggestion(name, known) if known else f"the {side} of '{self.name}' has none"
            raise ConfigError(f"no {side} band is of group '{name}'", where=self.name, hint=hint)
        return found

    def form(self) -> dict[str, Any]:
        """What decides on the bytes of a record, as plain JSON.

        Keys that later versions added are left out at their default, so that the files of a build
        from before count as what they are: current.
        """
        kept = ("kind", "tile_px", "resolution_m", "factor", "input", "target", "extras")
        made = self.model_dump(mode="json", include={*kept, "degradation"})
        for side, spec in (("input", self.input), ("target", self.target)):
            bands = [band.as_before() for band in spec.bands]
            made[side] = {**spec.as_before(), "bands": bands}
        made["extras"] = [extra.as_before() for extra in self.extras]
        return made

    def target_unit(self) -> str:
        """The unit of the target bands; ``mixed: …`` where they have several."""
        units = list(dict.fromkeys(band.unit for band in self.target.bands))
        return units[0] if len(units) == 1 else f"mixed: {', '.join(units)}"


def _with_display(contract: DatasetContract) -> DatasetContract:
    """Sentinel-2's colours for files from before ``display``; paired targets may be any."""
    # A null that was written declares that there are none; a missing key declares nothing.
    if "display" in contract.target.model_fields_set or contract.kind == "paired":
        return contract
    bands = contract.target.bands
    shown = sentinel2_colours([b.name for b in bands], [b.wavelength_nm for b in bands])
    target = contract.target.model_copy(update={"display": shown})
    return contract.model_copy(update={"target": target})


def _ranges(statistics: tuple[BandStatistics, ...]) -> Floats:
    return np.array([(band.low, band.high) for band in statistics], dtype=np.float32)


def load_contract(dataset_dir: Path) -> DatasetContract:
    """Read and validate ``dataset.json``.

    Args:
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``.

    Raises:
        DatasetError: There is no finished data set, or its contract is not valid; every problem
            is named with its path.
    """
    path = Path(dataset_dir) / CONTRACT_FILE
    if not path.is_file():
        what = f"no finished data set here (no {CONTRACT_FILE})"
        hint = "run the step that makes it (one of 50 to 55), again if it was interrupted"
        raise DatasetError(what, where=path.parent, hint=hint)
    try:
        text = path.read_bytes()
        # From JSON text: strict tuples take its arrays, but no lists of Python.
        return _with_display(DatasetContract.model_validate_json(text))
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
        )
        hint = "rebuild the data set with its step (50 to 55) and --force"
        raise DatasetError(f"not a valid contract ({found})", where=path, hint=hint) from None


def write_contract(dataset_dir: Path, contract: DatasetContract) -> None:
    """Write its digest, then ``dataset.json``: the last file, which makes a folder a data set."""
    text = files.json_text(contract.model_dump(mode="json"))
    data = text.encode("utf-8", "backslashreplace")  # as files.write_json does
    digest = hashlib.sha256(data).hexdigest()
    files.write_text(Path(dataset_dir) / DIGEST_FILE, f"{digest}  {CONTRACT_FILE}\n")
    files.write_bytes(Path(dataset_dir) / CONTRACT_FILE, data)
