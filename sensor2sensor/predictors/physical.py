"""A trained generator as a file of its own: physical values in and out, seen to do the same.

The file takes a tile's input as the generator is given it (``input_upsampling`` says on which grid)
in physical values ``[B, C, h, w]``; normalisation, its inverse and resizing lie within. One that
does not make what the generator makes, on odd sizes too, is not left behind.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.upsampling import by_native_px, regular_index
from sensor2sensor.geo.grids import up
from sensor2sensor.predictors import export, onnx_file
from sensor2sensor.predictors.exported import ExportedPredictor, network_of
from sensor2sensor.predictors.given import given_at_once
from sensor2sensor.predictors.intervals import Intervals
from sensor2sensor.predictors.model import ModelPredictor
from sensor2sensor.predictors.protocol import Images, Predictor
from sensor2sensor.predictors.sidecar import Format, Sidecar, Upsampling, digest, write_sidecar
from sensor2sensor.predictors.tiling import Tiling, tiling_of

Sides = tuple[int, int]
PARITY = 1e-4  # of a target band's range; a deep network's float32 sums differ by a tenth of that
_ROUNDING = 1e-5  # of values far beyond the range, of which float32 has seven digits
_SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "savedmodel": ""}


@dataclass(frozen=True)
class Plan:
    """What goes into a file, and how it is applied.

    Attributes:
        network: The generator in float32, of any size where the file is.
        form: What it takes and makes.
        tiling: How it is led over a scene.
        upsampling: ``input_upsampling`` of the experiment.
        factor: Target pixels along a side of a pixel it is given.
        size_px: The only size of images, target pixels; None: any.
        own_px: Rows and columns that the generator makes, where that is not ``size_px``.
        crops: Whether it was trained on crops.
        batch_size: Images per call.
    """

    network: Any
    form: Form
    tiling: Tiling
    upsampling: Upsampling
    factor: int
    size_px: Sides | None
    own_px: Sides | None
    crops: bool
    batch_size: int

    def given_px(self, size: Sides) -> Sides:
        """Rows and columns of what is given of an image of so many target pixels."""
        return size[0] // self.factor, size[1] // self.factor

    @property
    def _how(self) -> tuple[str, int, Sides | None]:
        return self.upsampling, self.batch_size, self.size_px

    def exported(self, part: Path, kind: Format, model: Path) -> ExportedPredictor:
        """The file as it will be applied, once it is called ``model``."""
        network = network_of(kind, part, self.form)
        return ExportedPredictor(network, self.form, *self._how, crops=self.crops, where=model)

    def trained(self, generator: Any, normaliser: Any) -> ModelPredictor:
        """A generator as it is applied to the same tiles, by nothing of what is exported."""
        size = self.own_px if self.own_px is not None else self.size_px
        native_px = [band.native_px for band in self.form.input.bands]
        return ModelPredictor(
            generator, normaliser, self.upsampling, self.batch_size, size,
            crops=self.crops, native_px=native_px,
        )  # fmt: skip


def plan_of(experiment: Any, generator: Any) -> Plan:
    """What is exported of a generator with its weights.

    Of any size where it sees so far and no farther, or where evaluation gives it whole tiles though
    it was trained on crops; else of the size that it was trained on.

    Raises:
        ModelContractError: It takes other than one image, or cannot be had in float32.
    """
    tiling, crops = tiling_of(experiment, generator), experiment.config.random_crop
    trained: Sides = (experiment.IMG_HEIGHT, experiment.IMG_WIDTH)
    whole = crops and given_at_once(experiment, generator).size_px != trained
    any_size = tiling.halo_px is not None or whole
    size_px = None if any_size else tiling.window_px
    return Plan(
        network=(export.of_any_size if any_size else export.in_float32)(generator),
        form=experiment.form,
        tiling=tiling,
        upsampling=experiment.INPUT_UPSAMPLING,
        factor=experiment.IMG_HEIGHT // experiment.INPUT_HEIGHT,
        size_px=size_px,
        own_px=None if size_px in (None, trained) else trained,
        crops=crops and not any_size,
        batch_size=1 if any_size else experiment.BATCH_SIZE,
    )


def write(
    plan: Plan, normaliser: Any, folder: Path, stem: str, kind: Format, provenance: dict[str, Any],
    *, generator: Any = None, intervals: Intervals | None = None,
) -> tuple[Path, Sidecar]:  # fmt: skip
    """Write a file that was seen to do what it should, and its sidecar; or neither.

    Args:
        plan: What is written.
        normaliser: The one it was trained with.
        folder: Where to.
        stem: Of both files.
        kind: ``onnx`` or ``savedmodel`` (a folder).
        provenance: Where the weights come from.
        generator: The generator itself, which the file has to equal, too, on the size it was made
            for; None: it computes in other than float32.
        intervals: Its quantiles, where it was calibrated.

    Returns:
        The sidecar's path and the sidecar.

    Raises:
        MissingExtraError: What exports is not installed.
        ModelContractError: The file differs, or the network cannot be exported.
    """
    model = folder / f"{stem}{_SUFFIXES[kind]}"
    sides = None
    if plan.size_px is not None and plan.own_px is not None:
        given, own = plan.given_px(plan.size_px), plan.given_px(plan.own_px)
        sides = given, own, plan.size_px
    network = export.as_exported(plan.network, normaliser, sides=sides)
    whole = files.atomic_path if kind == "onnx" else _whole_folder
    with whole(model) as part:
        _export(network, part, plan, kind)
        measured = _parity(plan, plan.exported(part, kind, model), normaliser, generator, model)
    said = Sidecar(
        format=kind, model=model.name, sha256=digest(model), form=plan.form, tiling=plan.tiling,
        input_upsampling=plan.upsampling, size_px=plan.size_px, crops=plan.crops,
        batch_size=plan.batch_size, measured=measured, provenance=provenance,
        intervals=intervals,
    )  # fmt: skip
    path = folder / f"{stem}.json"
    write_sidecar(path, said)
    return path, said


def _export(network: Any, part: Path, plan: Plan, kind: Format) -> None:
    sides: Sequence[int | None] = (None, None)
    if plan.size_px is not None:
        sides = plan.given_px(plan.size_px)
    channels = len(plan.form.input.bands)
    if kind == "onnx":
        onnx_file.export_onnx(network, part, channels, sides)
        return
    import keras

    form = keras.InputSpec(shape=(None, channels, *sides), dtype="float32", name=onnx_file.INPUT)
    onnx_file.exported_as("tf_saved_model", network, part, form)


@contextmanager
def _whole_folder(model: Path) -> Iterator[Path]:
    """A temporary path for a folder, which takes its place once the block is through."""
    # A folder cannot be replaced in one step. Its sidecar is written last and holds its digest.
    part = model.with_name(f".{model.name}{files.PART_SUFFIX}")
    model.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(part, ignore_errors=True)
    try:
        yield part
        shutil.rmtree(model, ignore_errors=True)
        part.rename(model)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _parity(
    plan: Plan, made_by: Predictor, normaliser: Any, generator: Any, model: Path
) -> dict[str, Any]:
    """The largest differences from the generator, per band in its unit and in shares of its range.

    Raises:
        ModelContractError: One is too large.
    """
    low, high = np.array(plan.form.target_ranges, np.float64).T
    spans = np.where(high > low, high - low, 1.0)
    largest = np.zeros(len(spans))
    for number, (truth, size) in enumerate(_truths(plan, normaliser, generator)):
        tiles = [noise_tile(plan.form, plan.factor, size, 2 * number + k) for k in range(2)]
        wanted, made = truth(tiles), made_by(tiles)
        worst = np.abs(made.astype(np.float64) - wanted).max(axis=(0, 1, 2))
        limit = np.maximum(PARITY * spans, _ROUNDING * np.abs(wanted).max(axis=(0, 1, 2)))
        # Not 'worst > limit', which NaN passes.
        if not (worst <= limit).all():
            band = int(np.argmax(np.nan_to_num(worst / limit, nan=np.inf)))
            what = f"the file differs from the generator by {worst[band]:.3g} in"
            name, most = plan.form.target.bands[band].name, limit[band]
            what = f"{what} {name} (at most {most:.3g}); it was not left"
            raise ModelContractError(what, where=model)
        largest = np.maximum(largest, worst)
    names = [band.name for band in plan.form.target.bands]
    units = {band.name: band.unit for band in plan.form.target.bands}
    share = float((largest / spans).max())
    parity = dict(zip(names, largest.tolist(), strict=True))
    return {"parity": parity, "parity_unit": units, "parity_share": share}


def _truths(plan: Plan, normaliser: Any, generator: Any) -> Iterator[tuple[Predictor, Sides]]:
    """What the file has to equal, each with the rows and columns of a tile."""
    truth, step = plan.trained(plan.network, normaliser), plan.tiling.align_px
    if plan.size_px is None:
        for rows, columns in onnx_file.ODD_PX:
            yield truth, (up(rows * plan.factor, step), up(columns * plan.factor, step))
        own = None if generator is None else generator.inputs[0].shape[1:3]
        if own is not None and None not in own:  # not only to its copy for any size
            size = own[0] * plan.factor, own[1] * plan.factor
            yield plan.trained(generator, normaliser), size
        return
    yield truth, plan.size_px
    if plan.crops:  # and where it is led over a tile by windows
        yield truth, (plan.size_px[0] + step, plan.size_px[1] + 3 * step)


def noise_tile(form: Form, factor: int, size: Sides, number: int) -> TileRecord:
    """A tile of white noise over the bands' ranges and somewhat beyond, as records hold it.

    Args:
        form: Of the data set.
        factor: Target pixels along a side of a pixel that the generator is given.
        size: Rows and columns of the target.
        number: Of the noise.
    """
    blank = np.zeros((*size, len(form.target.bands)), np.float32)
    if form.input.layout == "dense":
        held = form.tile_px // form.input.grid[0] if form.input.grid else 1
        image = _noise(form, (size[0] // held, size[1] // held), number)
        for px, bands in by_native_px([band.native_px for band in form.input.bands]).items():
            own = image[::px, ::px, bands].repeat(px, 0).repeat(px, 1)
            image[..., bands] = own[: image.shape[0], : image.shape[1]]
        return dense_record(f"noise {number}", blank, image)
    # A swath's pixels, too, may lie in any order: what is nearest is looked up.
    step = max(factor, round(form.factor))
    sides = -(-size[0] // step), -(-size[1] // step)
    pixels = _noise(form, sides, number).reshape(sides[0] * sides[1], -1)
    index = regular_index(*size, step)
    return TileRecord(f"noise {number}", blank, pixels, np.zeros((len(pixels), 2)), index)


def _noise(form: Form, sides: Sides, number: int) -> Images:
    low, high = np.array(form.input_ranges, np.float64).T
    share = rng(0, Purpose.EXPORT, number).uniform(-0.1, 1.1, (*sides, len(low)))
    return np.asarray(low + share * (high - low), np.float32)
