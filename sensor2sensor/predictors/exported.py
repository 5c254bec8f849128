"""An exported model as a predictor, ours or another's; needs onnxruntime and no TensorFlow.

Ours is a file with its sidecar (``<stem>.onnx``, ``<stem>.json``): physical values in and out. A
card (``<stem>.yaml``) is that of the public tool ``sentinel2_superresolution``: reflectance x 10000
in and out, bands of 20 m enlarged before the model sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.blame import sentence
from sensor2sensor.core.errors import InputError, ModelContractError
from sensor2sensor.dataset.bands import BandSpec, float_band
from sensor2sensor.dataset.contract import DatasetContract, InputSpec, TargetSpec
from sensor2sensor.dataset.display import sentinel2_colours
from sensor2sensor.dataset.form import Form, Range, form_of
from sensor2sensor.dataset.records import dense_record
from sensor2sensor.dataset.upsampling import OWN_GRID, upsample
from sensor2sensor.geo.grids import up
from sensor2sensor.predictors.card import OURS, Card, mapping, read_card
from sensor2sensor.predictors.intervals import Intervals
from sensor2sensor.predictors.model import ImagePredictor
from sensor2sensor.predictors.onnx_model import OnnxModel
from sensor2sensor.predictors.protocol import Images
from sensor2sensor.predictors.sidecar import Format, read_sidecar
from sensor2sensor.predictors.tiling import Tiling
from sensor2sensor.products.bands import S2_WAVELENGTHS_NM, esa_name
from sensor2sensor.products.theia import BANDS_20M, QUANTIFICATION

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord

Network = Callable[[Images], Images]
DESCRIPTIONS = (".json", ".yaml", ".yml")
_TAPS_PX = 2  # of the bicubic kernel, pixels of 20 m
_WHY = 100  # characters; what follows is where onnxruntime was compiled
_CARD_TILE_PX = 128  # input pixels; a card says none


@dataclass(frozen=True)
class Exported:
    """An opened model with what its files say of it.

    Attributes:
        name: Stem of the file.
        predictor: The model.
        form: What it takes and makes.
        tiling: How it is led over a scene.
        batch_size: Windows per call.
        provenance: Plain JSON.
        from_card: Whether it is a model of the public tool, whose users know its files.
        intervals: The quantiles of its calibrated intervals; None: it has none.
    """

    name: str
    predictor: ExportedPredictor
    form: Form
    tiling: Tiling
    batch_size: int
    provenance: Mapping[str, Any]
    from_card: bool = False
    intervals: Intervals | None = None


class ExportedPredictor(ImagePredictor):
    """Applies an exported model to tiles, as :class:`ModelPredictor` does the generator.

    Args:
        network: ``[B, Ci, h, w] -> [B, Ct, H, W]``, float32.
        form: What it takes and makes.
        input_upsampling: As of :class:`ImagePredictor`, and so what follows it.
        batch_size: The same.
        size_px: The only size it takes, target pixels; None: any.
        crops: As of :class:`ImagePredictor`.
        numbers: What its values are multiplied by: 1 physical values, 10000 digital numbers.
        enlarges: Whether it is to be given bands of 20 m enlarged, which records hold repeated.
        align_px: Target pixels of which its images' sides should be multiples.
        where: The file, for errors.
    """

    def __init__(
        self,
        network: Network,
        form: Form,
        input_upsampling: str,
        batch_size: int,
        size_px: tuple[int, int] | None,
        *,
        crops: bool = False,
        numbers: float = 1.0,
        enlarges: bool = False,
        align_px: int = 1,
        where: Path | str = "",
    ) -> None:
        native_px = tuple(band.native_px for band in form.input.bands)
        # One that resizes what it is given does so within: it takes tiles, and nothing else.
        super().__init__(
            input_upsampling, batch_size, size_px if crops else None, crops=crops,
            native_px=native_px,
        )  # fmt: skip
        self._network, self._form, self._only_px = network, form, size_px
        self._numbers, self._enlarges = np.float32(numbers), enlarges
        self._align_px, self._where = align_px, where

    def describe(self) -> dict[str, Any]:
        """How the file is applied."""
        return {"method": "exported model", "file": Path(self._where).name, **self._applied()}

    def _input(self, tile: TileRecord) -> Images:
        held = super()._input(tile)
        if not self._enlarges or max(self._native_px, default=1) == 1:
            return held
        # As GDAL's cubic (-0.5), by which the tool brings bands of 20 m to 10 m.
        blank = np.empty((*held.shape[:2], 0), np.float32)
        return upsample(dense_record(tile.name, blank, held), "bicubic", self._native_px)

    def _sized(self, physical: Images, out_px: tuple[int, int], names: Sequence[str]) -> Images:
        only = self._only_px
        if only is not None and only != out_px and not self._crops:
            what = f"takes tiles of {only[0]} x {only[1]} pixels alone, not of"
            raise ModelContractError(f"{what} {out_px[0]} x {out_px[1]}", where=self._where)
        return super()._sized(physical, out_px, names)

    def _predict(self, physical: Images, names: Sequence[str]) -> Images:
        given = np.ascontiguousarray(np.moveaxis(physical, -1, 1))
        rows, columns = (self._made_px(side) for side in given.shape[2:])
        only = getattr(self._network, "sides", None)  # of a file that others wrote, alone
        if only is not None and only != given.shape[2:]:
            what = f"takes images of {only[1]} x {only[0]} input pixels alone, not of"
            what = f"{what} {given.shape[3]} x {given.shape[2]}"
            advice = "export it for images of any size"
            raise ModelContractError(what, where=self._where, hint=advice)
        step = self._align_px
        hint = f"its sides are to be multiples of {step}" if rows % step or columns % step else None
        try:
            made = self._network(given * self._numbers if self._numbers != 1 else given)
        # Whatever runs it raises of a shape; strips look behind it for one of memory.
        except Exception as error:
            what = f"cannot be given a tile of {columns} x {rows} pixels ({sentence(error)[:_WHY]})"
            raise ModelContractError(what, where=self._where, hint=hint) from error
        expected = (len(given), len(self._form.target.bands), rows, columns)
        if made.shape != expected:
            what = f"makes {list(made.shape)} of {list(given.shape)}, not {list(expected)}"
            raise ModelContractError(what, where=self._where, hint=hint)
        if not np.isfinite(made).all():
            what = "makes values that are no numbers of input that is whole"
            raise ModelContractError(what, where=self._where)
        made = np.moveaxis(made, 1, -1)
        return made / self._numbers if self._numbers != 1 else made

    def _made_px(self, side: int) -> int:
        return round(side * self._form.factor) if self._input_upsampling == OWN_GRID else side


def open_exported(path: Path, threads: int | None = None, batch: int | None = None) -> Exported:
    """Open an exported model by its file, its sidecar or its card.

    Args:
        path: ``.json``, ``.onnx``, ``.yaml``, or the folder of a SavedModel.
        threads: Of onnxruntime; None: its own choice.
        batch: Images per call; None: as many as its files say.

    Raises:
        InputError: It is none, or its files do not belong together.
        ModelContractError: It does not do what they say.
        MissingExtraError: What runs it is not installed.
    """
    beside = _described_by(Path(path))
    if beside.suffix in (".yaml", ".yml"):
        card = read_card(beside)
        _refuse_another(path, beside, card.model)
        return _of_card(card, threads, batch or 1)
    said, model = read_sidecar(beside)
    _refuse_another(path, beside, model)
    if threads is not None and said.format != "onnx":
        raise InputError("says nothing to a SavedModel", where="--threads", hint="leave it out")
    batch = batch or said.batch_size
    network = network_of(said.format, model, said.form, threads)
    predictor = ExportedPredictor(
        network, said.form, said.input_upsampling, batch, said.size_px,
        crops=said.crops, align_px=said.tiling.align_px, where=model,
    )  # fmt: skip
    provenance = {**said.provenance, "file": said.model, "sha256": said.sha256}
    about = (said.form, said.tiling, batch, provenance)
    return Exported(beside.stem, predictor, *about, intervals=said.intervals)


def _described_by(path: Path) -> Path:
    """The file that says what a model is."""
    if not path.exists():
        raise InputError("no such file", where=path, hint="give an exported .json, .onnx or .yaml")
    if path.is_file() and path.suffix in DESCRIPTIONS:
        return path
    stem = path.name.removesuffix(".onnx")
    for suffix in DESCRIPTIONS:
        if (beside := path.with_name(stem + suffix)).is_file():
            return beside
    what = f"has neither a sidecar {stem}.json nor a card {stem}.yaml beside it"
    raise InputError(what, where=path, hint="copy it, too: it says what the model takes and makes")


def _refuse_another(path: Path, beside: Path, model: Path) -> None:
    """Refuse a file beside which another one is described."""
    if path.suffix not in DESCRIPTIONS and path.resolve() != model.resolve():
        what = f"{beside.name} beside it tells of {model.name}"
        raise InputError(what, where=path, hint=f"name {model.name}, or export it once more")


def experiment_of(path: Path) -> str | None:
    """The experiment that a sidecar or card says it is of; None where none is said."""
    if not path.is_file():
        return None
    try:
        if path.suffix == ".json":
            known = files.read_json(path).get("provenance")
        else:
            known = mapping(path).get(OURS)
        return None if known is None else known.get("experiment")
    except (InputError, AttributeError):  # another's, or damaged: it tells of no experiment
        return None


def network_of(kind: Format, model: Path, form: Form, threads: int | None = None) -> Network:
    """A file as a function of arrays ``[B, C, H, W]``.

    Raises:
        MissingExtraError: What runs it is not installed.
        ModelContractError: It takes other bands than the form.
    """
    return _saved(model) if kind == "savedmodel" else _onnx(model, form, threads)


def _onnx(model: Path, form: Form, threads: int | None) -> OnnxModel:
    network, count = OnnxModel(model, threads), len(form.input.bands)
    if network.channels not in (None, count):
        what = f"takes {network.channels} bands, {count} are named beside it"
        raise ModelContractError(what, where=model)
    return network


def output_of(kind: Format, model: Path) -> str:
    """Name of a file's output, as it says itself: converters give it one of their own."""
    if kind == "onnx":
        return OnnxModel(model).output
    return str(next(iter(_loaded(model).signatures["serve"].structured_outputs)))


def _loaded(model: Path) -> Any:
    from sensor2sensor.core.notices import load_tensorflow

    return load_tensorflow().saved_model.load(str(model))


def _saved(model: Path) -> Network:
    loaded = _loaded(model)

    def apply(values: Images) -> Images:
        return np.asarray(loaded.serve(values), np.float32)

    return apply


def _of_card(card: Card, threads: int | None, batch: int) -> Exported:
    form = card_form(card)
    coarse = max(band.native_px for band in form.input.bands)
    # Whole pixels of 20 m, so that every second pixel of a window is one, and what enlarging sees.
    align = coarse * card.factor
    predictor = ExportedPredictor(
        _onnx(card.model, form, threads), form, OWN_GRID, batch, None,
        numbers=QUANTIFICATION, enlarges=True, align_px=align, where=card.model,
    )  # fmt: skip
    halo = card.margin + (_TAPS_PX * align if coarse > 1 else 0)
    tiling = Tiling(up(halo, align), align_px=align)
    known = {**card.provenance, "file": card.model.name, "sha256": files.sha256(card.model)}
    return Exported(card.path.stem, predictor, form, tiling, batch, known, from_card=True)


def card_form(card: Card) -> Form:
    """The form of a card: what the tool asks of every model, by ESA's names of the bands."""
    fine = card.source_m == 10
    taken = [_band(name, 2 if fine and name in BANDS_20M else 1) for name in card.bands]
    made = tuple(_band(name, 1) for name in card.bands)
    side, names = _CARD_TILE_PX, [band.name for band in made]
    shown = sentinel2_colours(names, [band.wavelength_nm for band in made])
    taken_spec = InputSpec(
        layout="dense", bands=tuple(taken), dtype="float32", index_dtype="int32",
        max_pixels=side * side, grid=(side, side), pixel_m=float(card.source_m),
        display=shown,
    )  # fmt: skip
    return Form(
        name=card.path.stem, kind="paired", tile_px=side * card.factor,
        resolution_m=card.source_m / card.factor, factor=float(card.factor), input=taken_spec,
        target=TargetSpec(bands=made, dtype="float32", display=shown), level="L2A",
    )  # fmt: skip


def trained_on(form: Form, contract: DatasetContract) -> Form:
    """A card's form with what its data set says: name, kind, and the ranges of bands, by name."""
    known = form_of(contract)

    def ranges(bands: Sequence[BandSpec], said: Sequence[Range], wanted: Sequence[BandSpec]) -> Any:
        by_name = {esa_name(band.name): one for band, one in zip(bands, said, strict=True)}
        return tuple(by_name[band.name] for band in wanted)

    taken = ranges(known.input.bands, known.input_ranges, form.input.bands)
    made = ranges(known.target.bands, known.target_ranges, form.target.bands)
    update = {"name": known.name, "kind": known.kind}
    return form.model_copy(update={**update, "input_ranges": taken, "target_ranges": made})


def _band(theia: str, native_px: int) -> BandSpec:
    name = esa_name(theia)
    band = float_band(name, "reflectance", S2_WAVELENGTHS_NM[name])
    return band.model_copy(update={"native_px": native_px})
