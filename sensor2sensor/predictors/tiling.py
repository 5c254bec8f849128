"""How a predictor is led over an image larger than it is given at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.geo.grids import up
from sensor2sensor.predictors.export import of_any_size
from sensor2sensor.predictors.given import Given, leaves_sides_open
from sensor2sensor.predictors.model import ModelPredictor, model_predictor

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.form import Form

_ALL = 2**31 - 1  # at once: who leads it says how many windows are given
_OVERLAP = 4  # of a blended window's side, a quarter
_TAPS = 2  # pixels to either side that bicubic interpolation looks at
# Triangles between the pixels of a swath: no corner of one lies farther off, its bends included.
_TRIANGLE_PX = 3


@dataclass(frozen=True)
class Tiling:
    """By windows of any size with a halo, or by windows of one size that are blended.

    A fully convolutional network sees so far and no farther: given that much around a window, it
    makes of the window what it would make of it within the whole. One that sees all it is given (a
    U-Net's bottleneck, an instance norm) has no such window: it is given the size it was trained
    on, and where windows overlap they are blended.

    Attributes:
        halo_px: Target pixels at each side that are context alone; None: windows are blended.
        window_px: Rows and columns of the only windows it takes, target pixels; None with a halo.
        align_px: Windows begin at multiples of so many target pixels: its total stride, and an
            input pixel.
        overlap_px: By how much blended windows overlap at least.
    """

    halo_px: int | None
    window_px: tuple[int, int] | None = None
    align_px: int = 1
    overlap_px: int = 0


def tiling_of(experiment: Any, generator: Any) -> Tiling:
    """How a generator is led over a scene.

    With a halo where it takes images of any size, sees so far and no farther, and was trained on
    pixels as they are; by windows of what it was trained on otherwise.

    Args:
        experiment: ``experiment.Experiment`` of the run.
        generator: The network itself with its weights, not as it is applied.
    """
    return network_for_scenes(experiment, generator)[1]


def scene_predictor(
    experiment: Any, generator: Any, applied: Any = None
) -> tuple[ModelPredictor, Tiling]:
    """A generator as it is led over a scene, and how.

    Args:
        experiment: ``experiment.Experiment`` of the run, as its model normalises.
        generator: The network itself with its weights.
        applied: As its experiment applies it (dropout that stays on); None: itself.
    """
    network, tiling = network_for_scenes(experiment, generator)
    if tiling.halo_px is None:
        size = (experiment.IMG_HEIGHT, experiment.IMG_WIDTH)
        return model_predictor(experiment, applied or generator, Given(size, _ALL)), tiling
    native = [band.native_px for band in experiment.contract.input.bands]
    upsampling = experiment.INPUT_UPSAMPLING
    # No size: windows are as large as the records that it is given.
    made = ModelPredictor(network, experiment.normaliser, upsampling, _ALL, native_px=native)
    return made, tiling


def network_for_scenes(experiment: Any, generator: Any) -> tuple[Any, Tiling]:
    """The network that is led, and how: one made for one size may be a copy for any."""
    if _of_pixels_alone(experiment):
        found = _by_halo(experiment, generator)
        if found is not None:
            return found
    rows, columns = _only_window(experiment)
    unit = _unit(experiment)
    overlap = max(unit, min(rows, columns) // _OVERLAP // unit * unit)
    return generator, Tiling(None, (rows, columns), unit, overlap)


def known_window(experiments: Sequence[Any]) -> tuple[int, int] | None:
    """The only windows that experiments take, as far as their settings tell; None: networks tell.

    Args:
        experiments: ``experiment.Experiment`` of the runs.
    """
    fixed = [one for one in experiments if not _settings_leave_pixels_alone(one)]
    return _only_window(fixed[0]) if fixed else None


def _only_window(experiment: Any) -> tuple[int, int]:
    if not experiment.config.random_crop:  # tiles are resized to that, and so are windows
        return experiment.TILESIZE, experiment.TILESIZE
    return experiment.IMG_HEIGHT, experiment.IMG_WIDTH


def _of_pixels_alone(experiment: Any) -> bool:
    """Whether what is done to a window before and after the network does not depend on its size."""
    return _settings_leave_pixels_alone(experiment) and bool(experiment.normaliser.elementwise)


def _settings_leave_pixels_alone(experiment: Any) -> bool:
    """The same but for the normalisation, which a model may change."""
    config, tile = experiment.config, experiment.TILESIZE
    as_it_is = config.random_crop or (tile, tile) == (experiment.IMG_HEIGHT, experiment.IMG_WIDTH)
    # What is drawn anew for each window would show a seam; so would each window's own statistics.
    drawn = config.inference.dropout or config.applied_statistics != "train"
    return as_it_is and not drawn


def _by_halo(experiment: Any, generator: Any) -> tuple[Any, Tiling] | None:
    from sensor2sensor.networks.context import context_of
    from sensor2sensor.pipeline.own_grid import native_px

    try:
        network = of_any_size(generator)
    except ModelContractError:
        return None
    mode = experiment.INPUT_UPSAMPLING
    context = context_of(network, native_px(experiment.contract, mode))
    if context is None:
        return None
    is_open = leaves_sides_open(generator)
    # A U-Net of one size saw all of it from its bottleneck, and never more: it is given that.
    strided = context.stride_px > native_px(experiment.contract, mode)
    trained_px = min(experiment.INPUT_HEIGHT, experiment.INPUT_WIDTH)
    if not is_open and strided and context.radius_px >= trained_px:
        return None
    factor = experiment.IMG_HEIGHT // experiment.INPUT_HEIGHT
    unit = _unit(experiment)
    align = math.lcm(context.stride_px * factor, unit)
    halo = context.halo_px * factor + (_TAPS * unit if mode == "bicubic" else 0)
    return generator if is_open else network, Tiling(up(halo, align), align_px=align)


def _unit(experiment: Any) -> int:
    """Target pixels of the coarsest band's own pixel; 1 for a swath, which has no grid."""
    return _input_unit(experiment.contract, experiment.INPUT_UPSAMPLING)


def _input_unit(form: Form | DatasetContract, mode: str) -> int:
    if form.kind == "sentinel3":
        return 1
    # Stored as pixels of a grid, the last block of a tile may reach beyond it.
    factor = round(form.factor)
    if form.input.layout == "dense":
        factor = form.tile_px // form.input.grid[0] if form.input.grid else 1
    coarse = 1 if mode == "nearest" else math.lcm(*(band.native_px for band in form.input.bands))
    return factor * coarse


def widest(tilings: Sequence[Tiling]) -> Tiling:
    """What serves several predictors: the widest halo, or windows where one takes no other.

    Raises:
        ConfigError: Two take windows of different sizes.
    """
    blended = [one for one in tilings if one.halo_px is None]
    if len({one.window_px for one in blended}) > 1:
        sizes = " and ".join(str(one.window_px) for one in blended)
        raise ConfigError(f"windows of {sizes} pixels cannot be averaged", where="--exp")
    align = math.lcm(*(one.align_px for one in tilings))
    if blended:
        overlap = up(max(one.overlap_px for one in blended), align)
        return Tiling(None, blended[0].window_px, align, overlap)
    return Tiling(up(max(one.halo_px or 0 for one in tilings), align), align_px=align)


def baseline_tiling(name: str, form: Form) -> Tiling:
    """How a baseline is led over a scene: by windows of any size, with what its kernel needs.

    Args:
        name: As in the registry of baselines.
        form: Of its data set.
    """
    if name == "bilinear_fit":
        return Tiling(_TRIANGLE_PX * math.ceil(form.factor))
    unit = _input_unit(form, name if name == "bicubic" else "nearest")
    return Tiling(_TAPS * unit if name == "bicubic" else 0, align_px=unit)
