"""What losses must know of the input's sensor and of the bands; read from the data set by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from models.objectives.registry import EXTRA
from models.objectives.routing import check_routes
from models.parts.base_image import base_bands, base_of, refuse_without_map
from sensor2sensor.config.vocabulary import LOSSES
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline import bicubic, psf
from sensor2sensor.pipeline.sensor import Sensor

# Fields of LossInputs that every model of base.assemble gives.
SENSORS = frozenset({"low", "sensor", "known", "target_bands", "input_bands"})
MTF_KEY = "fidelity_mtf"
CROSS_ENTROPY = ("disc_bce", "disc_bce_real", "disc_ragan")


def fields_of_sensors(
    experiment: Any, image: tf.Tensor, extras: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields :data:`SENSORS` and ``label_smoothing``, each where a chosen term asks for it."""
    asked = {need for name in _chosen(experiment) for need in LOSSES[name].needs}
    discriminator = experiment.DISCRIMINATOR
    return {
        "low": base_of(experiment, image) if "low" in asked else None,
        "sensor": sensor_of(experiment) if "sensor" in asked else None,
        "flow": _flow_of(experiment) if "flow" in asked else None,
        # A stage of the training says it image by image; else it is the data set's to say.
        "known": extras.get("known", references(experiment)),
        "target_bands": experiment.OUTPUT_BANDS,
        "input_bands": experiment.INPUT_BANDS,
        "label_smoothing": 0.0 if discriminator is None else discriminator.label_smoothing,
    }


def _flow_of(experiment: Any) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None:
    """R of two images ``[B, h, w, C]`` on the input's grid, by the one band it looks at."""
    registrar = experiment.REGISTRAR
    if registrar is None:
        return None
    band = slice(registrar.bands.high, registrar.bands.high + 1)
    return lambda moving, fixed: registrar.between(moving[..., band], fixed[..., band])


def references(experiment: Any) -> np.ndarray | None:
    """Which target bands have a truth, bool ``[C]``; None where all have."""
    known = np.array([band.reference for band in experiment.contract.target.bands])
    return None if known.all() else known


def sensor_of(experiment: Any) -> Sensor:
    """How the input's sensor sees the target's bands.

    Raises:
        ConfigError: The input is no whole number of times coarser, or a band's MTF is not known.
    """
    contract, compat = experiment.contract, experiment.config.compat
    factor = _factor(experiment)
    native = [1] * len(experiment.OUTPUT_BANDS)
    if _on_own_grid(experiment):
        partners = base_bands(experiment, _asker(experiment, "sensor") or MTF_KEY)
        native = [contract.input.bands[band].native_px for band in partners]
    mtf = psf.mtf_of(experiment.OUTPUT_BANDS, experiment.config.fidelity_mtf, MTF_KEY)
    return Sensor(
        factor,
        tuple(native),
        tuple(map(float, mtf)),
        psf.half_width_of(compat),
        bicubic.coefficient_of(compat),
    )


def _factor(experiment: Any) -> int:
    """Target pixels along a side of an input pixel, a whole number from 2 on."""
    if _on_own_grid(experiment):
        return int(experiment.IMG_HEIGHT // experiment.INPUT_HEIGHT)
    factor = float(experiment.contract.factor)
    if factor < 2 or factor != round(factor):
        raise ConfigError(
            f"needs an input that is 2, 3 or more times coarser, not {factor:g}",
            where=_asker(experiment, "sensor"),
            hint="set it to null",
        )
    return round(factor)


def _on_own_grid(experiment: Any) -> bool:
    return bool(experiment.INPUT_HEIGHT != experiment.IMG_HEIGHT)


def refuse_without_sensors(experiment: Any, judged: bool) -> None:
    """Refuse chosen terms whose fields the data set cannot give, and routes to no band.

    Args:
        experiment: The experiment.
        judged: Whether there is a discriminator.

    Raises:
        ConfigError: As said.
    """
    _refuse_displaced(experiment)
    routes, computed = experiment.config.band_weights, _chosen(experiment)
    for loss, problem in experiment.config.unknown_routes(computed).items():
        raise ConfigError(problem, where=f"loss_bands.{loss}")
    wald = experiment.config.degradation is not None and experiment.config.degradation.paths.wald
    known = references(experiment)
    everywhere = np.ones(len(experiment.OUTPUT_BANDS), bool)
    check_routes(routes, experiment.OUTPUT_BANDS, everywhere if known is None or wald else known)
    if any("sensor" in LOSSES[name].needs for name in computed):
        sensor_of(experiment)
    if (asker := _asker(experiment, "low")) is not None:
        refuse_without_map(experiment)
        if not _on_own_grid(experiment):
            problem = "needs the input on its own, coarser grid"
            raise ConfigError(problem, where=asker, hint="set input_upsampling to 'none'")
    if judged:
        _refuse_idle_smoothing(experiment)


def _refuse_displaced(experiment: Any) -> None:
    displaced = experiment.config.displaced(experiment.contract.extras)
    weights = {**experiment.GEN_LOSS, **experiment.DISC_LOSS}
    for name in (name for name, weight in weights.items() if weight is not None):
        for extra in displaced:
            if EXTRA + extra in LOSSES[name].needs:
                problem = f"moves images away from the extra '{extra}', which '{name}' looks at"
                hint = f"leave it out, or set {name} to null"
                raise ConfigError(problem, where=displaced[extra], hint=hint)


def _refuse_idle_smoothing(experiment: Any) -> None:
    chosen = [name for name in CROSS_ENTROPY if experiment.DISC_LOSS.get(name)]
    if experiment.DISCRIMINATOR.label_smoothing and not chosen:
        raise ConfigError(
            "is of cross-entropy, and no such loss has a weight",
            where="discriminator.label_smoothing",
            hint=f"give one of {', '.join(CROSS_ENTROPY)} a weight, or leave it out",
        )


def _chosen(experiment: Any) -> list[str]:
    """The generator's terms that are computed."""
    return [name for name, weight in experiment.GEN_LOSS.items() if weight is not None]


def _asker(experiment: Any, field: str) -> str | None:
    """The key of the first chosen term that looks at a field."""
    asking = (name for name in _chosen(experiment) if field in LOSSES[name].needs)
    return next((f"gen_loss.{name}" for name in asking), None)
