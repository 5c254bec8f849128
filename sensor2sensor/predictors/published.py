"""A published model as the model of an experiment: a file of others, scored like any run.

``"model_name": "onnx", "params": {"card": "their.yaml"}``: the card of the public tool
``sentinel2_superresolution``, or what ``export.py`` wrote elsewhere. Nothing is trained: its bands
are found among the data set's by name, and it is applied to tiles as predict applies it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.evaluations import PUBLISHED
from sensor2sensor.core.errors import CheckpointError, ConfigError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.form import Form, form_of
from sensor2sensor.dataset.upsampling import OWN_GRID
from sensor2sensor.predictors.entries import Baseline, TrainSplit
from sensor2sensor.predictors.exported import Exported, open_exported
from sensor2sensor.predictors.protocol import Images
from sensor2sensor.predictors.tiling import Tiling
from sensor2sensor.products.bands import esa_name

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

CARD, OTHER_SCALE = "card", "other_scale"
_SAME = 1e-6  # of pixel sizes and factors, relative


@dataclass(frozen=True)
class Published:
    """The model on tiles of a data set whose bands stand in another order, or among others.

    Attributes:
        exported: The model.
        path: Its file.
        taken: For each band that it takes, its position among the data set's input bands.
        made: For each target band of the data set, its position among those that it makes.
    """

    exported: Exported
    path: Path
    taken: tuple[int, ...]
    made: tuple[int, ...]
    normalised = False

    @property
    def tiling(self) -> Tiling:
        """How it is led over a scene."""
        return self.exported.tiling

    def __call__(self, tiles: Sequence[TileRecord], /) -> Images:
        """Predict ``[B, H, W, Ct]``."""
        made = self.exported.predictor([self._of(tile) for tile in tiles])
        return some_bands(made, self.made)

    def describe(self) -> dict[str, Any]:
        """Which file it is."""
        known = {key: self.exported.provenance[key] for key in ("file", "sha256")}
        return {"method": "published model", CARD: str(self.path), **known}

    def _of(self, tile: TileRecord) -> TileRecord:
        """The tile with the bands that the model takes, in its order."""
        dense = None if tile.input_dense is None else some_bands(tile.input_dense, self.taken)
        pixels = some_bands(tile.input_pixels, self.taken)
        return replace(tile, input_pixels=pixels, input_dense=dense)


def some_bands(values: Images, places: Sequence[int]) -> Images:
    """Some of the bands, which stand last, in one order."""
    return values[..., list(places)]


def entry(params: Mapping[str, Any]) -> Baseline:
    """The entry of the registry for the ``params`` of an experiment.

    Raises:
        ConfigError: They name no file, or what is no parameter of it.
    """
    for key in params:
        if key not in (CARD, OTHER_SCALE):
            hint = suggestion(key, (CARD, OTHER_SCALE))
            what = f"model '{PUBLISHED}' has no such parameter"
            raise ConfigError(what, where=f"params.{key}", hint=hint)
    path, other = params.get(CARD), params.get(OTHER_SCALE, False)
    if not isinstance(path, str):
        hint = f'"params": {{"{CARD}": "their.yaml"}}'
        raise ConfigError("names no file of a model", where=f"params.{CARD}", hint=hint)
    if not isinstance(other, bool):
        raise ConfigError("is neither true nor false", where=f"params.{OTHER_SCALE}")

    def applies(contract: DatasetContract) -> str | None:
        try:
            _fitted(open_exported(Path(path)), Path(path), contract, other_scale=other)
        except ConfigError as error:
            return f"{error.what}; {error.hint}" if error.hint else error.what
        return None

    def made(contract: DatasetContract, _: TrainSplit) -> Published:
        return _fitted(open_exported(Path(path)), Path(path), contract, other_scale=other)

    return Baseline(PUBLISHED, frozenset(), applies, made, restored)


def restored(contract: DatasetContract, kept: Mapping[str, Any]) -> Published:
    """The model of a run, from what ``run.json`` keeps of it.

    Raises:
        CheckpointError: The file is another one now.
    """
    path = Path(kept[CARD])
    exported = open_exported(path)
    if exported.provenance["sha256"] != kept["sha256"]:
        what = f"{exported.provenance['file']} is not the file of the run (other SHA-256)"
        raise CheckpointError(what, where=path, hint="start a new run")
    return _fitted(exported, path, contract, other_scale=True)  # the run was allowed to


def _fitted(
    exported: Exported, path: Path, contract: DatasetContract, *, other_scale: bool
) -> Published:
    """The model for a data set whose bands and grids are its own.

    Raises:
        ConfigError: They are not; says what differs.
    """
    theirs, ours = exported.form, form_of(contract)
    taken = _places(theirs.input.bands, ours.input.bands, "takes", "the input lacks")
    made = _places(ours.target.bands, theirs.target.bands, "is to make", "the model does not make")
    _refuse_grids(theirs, contract, exported.predictor.describe()["input_upsampling"])
    if not other_scale:
        _refuse_scale(theirs.input_m, ours.input_m)
    for band, place in zip(theirs.input.bands, taken, strict=True):
        held = ours.input.bands[place].native_px
        if band.native_px != held:
            what = f"band {band.name} has pixels of {held} times the grid's, the model's of"
            raise ConfigError(f"{what} {band.native_px}")
    return Published(exported, path, taken, made)


def _places(
    wanted: Sequence[BandSpec], among: Sequence[BandSpec], does: str, lack: str
) -> tuple[int, ...]:
    known = {esa_name(band.name): place for place, band in enumerate(among)}
    missing = [band.name for band in wanted if esa_name(band.name) not in known]
    if missing:
        raise ConfigError(f"{lack} {', '.join(missing)}", hint=f"there are {', '.join(known)}")
    places = tuple(known[esa_name(band.name)] for band in wanted)
    for band, place in zip(wanted, places, strict=True):
        if band.unit != among[place].unit:
            what = f"the model {does} {band.name} in {band.unit}, not in {among[place].unit}"
            raise ConfigError(what)
    return places


def _refuse_grids(theirs: Form, contract: DatasetContract, upsampling: str) -> None:
    if abs(theirs.factor - contract.factor) > _SAME * contract.factor:
        what = f"the model makes pixels {theirs.factor:g} times as fine"
        raise ConfigError(f"{what}, the data set's are {contract.factor:g} times as fine")
    grid = contract.input_px
    if grid is None and upsampling != "nearest":
        raise ConfigError("the model takes an image, the input's pixels are a swath")
    if grid is not None and upsampling == OWN_GRID and contract.tile_px != grid[0] * theirs.factor:
        what = f"a tile of {contract.tile_px} pixels is no whole number of input pixels"
        raise ConfigError(f"{what}, of which the model makes {theirs.factor:g} each")


def _refuse_scale(taken_m: float | None, held_m: float | None) -> None:
    if taken_m is None or held_m is None or abs(taken_m - held_m) <= _SAME * held_m:
        return
    what = f"the model takes pixels of {taken_m:g} m, the data set has {held_m:g} m"
    hint = f'if it is meant to be applied at another scale: "{OTHER_SCALE}": true in params'
    raise ConfigError(what, hint=hint)
