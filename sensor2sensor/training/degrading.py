"""The stage of a training that ``degradation`` of ``experiment.json`` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.seeds import Purpose, derive

if TYPE_CHECKING:
    from sensor2sensor.config.degradation import Degradation
    from sensor2sensor.pipeline.simulation import Simulation
    from sensor2sensor.training.contract import ExperimentView

KEY = "degradation"


def degradation_stage(experiment: ExperimentView) -> Simulation:
    """The stage that puts each sample of a batch on its path.

    Raises:
        ConfigError: The data set has not the bands or the grid that a path needs.
    """
    from sensor2sensor.pipeline import bicubic, psf
    from sensor2sensor.pipeline.simulation import Simulation, by_pixel

    asked: Degradation = experiment.config.degradation
    contract, compat = experiment.contract, experiment.config.compat
    inputs, targets = contract.input.bands, contract.target.bands
    names = [psf.short(band.name) for band in inputs]
    measured = [psf.short(band.name) for band in targets if band.reference]
    places = {psf.short(band.name): place for place, band in enumerate(targets)}
    native = [band.native_px for band in inputs]
    factor = _factor(experiment, max(native))
    width = asked.half_width
    stage = Simulation(
        shares=asked.paths.model_dump(),
        factor=factor,
        groups=by_pixel(
            native,
            _ranges(asked.mtf, names, "mtf", (0.1, 0.4)),
            _ranges(asked.noise, names, "noise", (0.0, 0.0)),
        ),
        sources=tuple(places[name] if name in measured else None for name in names),
        partners=_partners([psf.short(band.name) for band in targets], names, asked),
        known=tuple(band.reference for band in targets),
        half_width=psf.half_width_of(compat) if width is None else width,
        coefficient=bicubic.coefficient_of(compat),
        seed=derive(experiment.SEED, Purpose.DEGRADATION),
    )
    if asked.paths.simulated and not any(place is not None for place in stage.sources):
        problem = "no input band is a target band with a reference, so nothing can be simulated"
        raise ConfigError(problem, where=f"{KEY}.paths.simulated", hint="set it to 0")
    return stage


def _factor(experiment: ExperimentView, coarsest: int) -> int:
    """Target pixels along a side of an input pixel; refuses grids that a path cannot fill."""
    height, width = experiment.INPUT_HEIGHT, experiment.INPUT_WIDTH
    factor = experiment.IMG_HEIGHT // height
    if factor < 2:
        raise ConfigError(
            "needs the input on its own, coarser grid",
            where=KEY,
            hint="set input_upsampling to 'none'",
        )
    cells = factor * coarsest * coarsest
    paths = experiment.config.degradation.paths
    if paths.wald and (height % cells or width % cells):
        raise ConfigError(
            f"needs inputs of a multiple of {cells} pixels, not {height} x {width}: they are "
            f"degraded by {factor * coarsest} once more",
            where=f"{KEY}.paths.wald",
            hint=f"take img_height and img_width a multiple of {cells * factor}",
        )
    return factor


def _partners(targets: Sequence[str], inputs: Sequence[str], asked: Degradation) -> tuple[int, ...]:
    lacking = [name for name in targets if name not in inputs]
    if lacking and asked.paths.wald:
        raise ConfigError(
            f"target band '{lacking[0]}' is no band of the input, which is the truth there",
            where=f"{KEY}.paths.wald",
            hint="set it to 0, or take a data set of the same bands",
        )
    return tuple(inputs.index(name) for name in targets if name in inputs)


def _ranges(
    given: Any, names: Sequence[str], key: str, default: tuple[float, float]
) -> np.ndarray[Any, Any]:
    """Ends of each band's range, ``[2, C]``: one for all, or by name with a default."""
    from sensor2sensor.pipeline.psf import short

    if not isinstance(given, dict):
        return np.array([given] * len(names), np.float32).T
    stated = {short(name): ends for name, ends in given.items()}
    for name in stated:
        if name not in names:
            where = f"{KEY}.{key}.{name}"
            raise ConfigError("is no input band", where=where, hint=suggestion(name, list(names)))
    return np.array([stated.get(name, default) for name in names], np.float32).T
