"""``dataset.json``: what a data set holds, band by band; nothing is inferred from its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.dataset.display import sentinel2_colours

CONTRACT_FILE = "dataset.json"
FORMAT_VERSION = 1
SPLITS = ("train", "val", "test")

Floats = npt.NDArray[np.float32]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class BandSpec(_Frozen):
    """One band: its unit, wavelength, and how a stored number becomes a physical value.

    ``value = stored * scale + offset``, computed as ``(stored + shift) / divisor`` in float32: for
    integers both steps are exact or correctly rounded, so a Sentinel-2 reflectance comes back bit
    for bit as step 40 computed it from the digital number.
    """

    name: str
    unit: str
    wavelength_nm: float | None
    scale: float = Field(gt=0)
    offset: float
    nodata: float | None

    @property
    def divisor(self) -> float:
        """``1 / scale``, rounded to the integer it stands for (10000 for a scale of 0.0001)."""
        inverse = 1.0 / self.scale
        return float(round(inverse)) if abs(inverse - round(inverse)) < 1e-6 else inverse

    @property
    def shift(self) -> float:
        """``offset / scale``, rounded to the integer it stands for (-1000 for -0.1 / 0.0001)."""
        shift = self.offset * self.divisor
        return float(round(shift)) if abs(shift - round(shift)) < 1e-6 else shift


class BandStatistics(_Frozen):
    """Statistics of one band over the train split, in physical units.

    ``low`` and ``high`` are the exact 0.1 % and 99.9 % quantiles: the value range of the band that
    normalisation, losses and metrics share. ``output_low`` and ``output_high`` of a target band are
    what a bounded model's output spans (``statistics.output_range``); None for inputs, and in data
    sets from before.
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


class InputSpec(_Frozen):
    """How the input is stored.

    Attributes:
        layout: ``pixels``: on its own pixels (``input_pixels [K, C]``, ``input_xy [K, 2]``,
            ``input_index [H, W]``); ``dense``: on the target's grid (``input [H, W, C]``).
        bands: The input bands in order.
        dtype: Type of the stored values.
        index_dtype: Type of ``input_index``.
        max_pixels: The largest K of any record.
        grid: Rows and columns of a regular low-resolution grid, None for a swath.
        pixel_m: Size of an input pixel in metres.
    """

    layout: Literal["pixels", "dense"]
    bands: tuple[BandSpec, ...]
    dtype: Literal["float32", "uint16", "uint8"]
    index_dtype: Literal["uint8", "uint16", "int32"]
    max_pixels: int = Field(ge=1)
    grid: tuple[int, int] | None
    pixel_m: float = Field(gt=0)


class TargetSpec(_Frozen):
    """The target bands and the type their values are stored in.

    ``display`` names the true-colour red, green and blue bands; None where there are none. Files
    from before it was declared lack it (:func:`load_contract` derives it for Sentinel-2 targets).
    """

    bands: tuple[BandSpec, ...]
    dtype: Literal["float32", "uint16", "uint8"]
    display: tuple[str, str, str] | None = None


class ExtraSpec(_Frozen):
    """One optional array of a record."""

    name: str
    dtype: Literal["float32", "float64", "uint8", "uint16", "int32"]
    shape: tuple[int, ...]
    unit: str


class SplitInfo(_Frozen):
    """Tiles and blocks of ground in one split."""

    count: int = Field(ge=0)
    blocks: int = Field(ge=0)


class SplitPolicy(_Frozen):
    """How tiles came to their splits.

    ``ground_shared`` gives the share of the ground of ``test`` and ``val`` that ``train`` shows
    too: 0 when split by block. ``guard_m`` is the ground around every tile that belongs to its
    split alone; data sets from before it was kept have none. ``dropped_by_guard`` of the
    ``dropped`` tiles touch one split themselves, but another one within the guard.
    """

    by: Literal["block", "acquisition"]
    seed: int
    train_ratio: float
    val_ratio: float
    block_tiles: float
    block_m: float
    dropped: int
    refused: int
    ground_shared: dict[str, float]
    guard_m: float = Field(default=0.0, ge=0)
    dropped_by_guard: int = Field(default=0, ge=0)

    def described(self) -> str:
        """``split by block with a guard of 300 m``."""
        if self.by != "block":
            return f"split by {self.by}"
        guard = f"with a guard of {self.guard_m:g} m" if self.guard_m else "without a guard"
        return f"split by {self.by} {guard}"


class Degradation(_Frozen):
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


class DatasetContract(_Frozen):
    """The whole of ``dataset.json``."""

    format_version: Literal[1]
    name: str
    kind: Literal["sentinel3", "degraded", "paired"]
    tile_px: int = Field(ge=1)
    resolution_m: float = Field(gt=0)
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
        shown = self.target.display or ()
        if not set(shown) <= {band.name for band in self.target.bands}:
            raise ValueError(f"target.display {list(shown)} are not all target bands")
        return self

    def input_ranges(self) -> Floats:
        """Value range of each input band, ``[C, 2]``: 0.1 % and 99.9 % quantiles of train."""
        return _ranges(self.statistics["input"])

    def target_ranges(self) -> Floats:
        """Value range of each target band, ``[C, 2]``: 0.1 % and 99.9 % quantiles of train."""
        return _ranges(self.statistics["target"])

    def colour(self) -> tuple[int, int, int] | None:
        """Positions of true-colour red, green and blue in the target, where they are declared."""
        if self.target.display is None:
            return None
        names = [band.name for band in self.target.bands]
        red, green, blue = (names.index(name) for name in self.target.display)
        return red, green, blue

    def target_unit(self) -> str:
        """The unit of the target bands; ``mixed: …`` where they have several."""
        units = list(dict.fromkeys(band.unit for band in self.target.bands))
        return units[0] if len(units) == 1 else f"mixed: {', '.join(units)}"


def _with_display(contract: DatasetContract) -> DatasetContract:
    """Sentinel-2's colours for files from before ``display``; paired targets may be any."""
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
        hint = "run preprocessing/50_create_tfrecords.py (again, if it was interrupted)"
        raise DatasetError(
            f"no finished data set here (no {CONTRACT_FILE})", where=path.parent, hint=hint
        )
    try:
        text = path.read_bytes()
        return _with_display(DatasetContract.model_validate_json(text))
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
        )
        hint = "rebuild the data set with step 50 --force"
        raise DatasetError(f"not a valid contract ({found})", where=path, hint=hint) from None


def write_contract(dataset_dir: Path, contract: DatasetContract) -> None:
    """Write ``dataset.json``: the last file of a data set, which makes it one."""
    files.write_json(Path(dataset_dir) / CONTRACT_FILE, contract.model_dump(mode="json"))


def verify_dataset(dataset_dir: Path) -> None:
    """Compare counts, sizes and SHA-256 of every file with what the data set promises.

    A TFRecord that was cut at the boundary of a record reads without an error, and a gzipped one
    that was cut anywhere reads as empty: only this check sees it.

    Raises:
        DatasetError: A file is missing, changed or surplus to the contract; it is named, with the
            command that rebuilds it.
    """
    from sensor2sensor.dataset.ledger import SPLIT_FILE, read_split

    dataset_dir = Path(dataset_dir)
    contract = load_contract(dataset_dir)
    table = dataset_dir / SPLIT_FILE
    hint = rebuild_hint(contract)
    if not table.is_file() or files.sha256(table) != contract.split_csv_sha256:
        raise DatasetError(
            "does not belong to dataset.json (an interrupted step 50?)", where=table, hint=hint
        )
    rows = read_split(dataset_dir)
    for split in SPLITS:
        found = sum(row.split == split for row in rows)
        if found != contract.splits[split].count:
            what = f"lists {found} {split} tiles, dataset.json {contract.splits[split].count}"
            raise DatasetError(what, where=table, hint=hint)
    expected = {row.file: row.sha256 for row in rows if row.split in SPLITS}
    for name, digest in expected.items():
        _verify_file(dataset_dir / name, digest, hint)


def _verify_file(path: Path, digest: str, hint: str) -> None:
    try:
        found = files.sha256(path)
    except FileNotFoundError:
        raise DatasetError("listed in split.csv but missing", where=path, hint=hint) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from None
    if found != digest:
        raise DatasetError("changed since it was written (SHA-256 differs)", where=path, hint=hint)


def rebuild_hint(contract: DatasetContract) -> str:
    """The commands that rebuild a data set, for messages."""
    made = contract.provenance  # a free-form table: data sets of other origin may lack these keys
    if "command" not in made:
        return "rebuild it with step 50 --force"
    added = [facts["name"] for facts in made.get("inventories", [])[1:]]
    more = "".join(f", then again with --inventory {name} --add" for name in added)
    return f"rebuild it with: {made['command']} --force{more}"
