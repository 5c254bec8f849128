"""Which bands a loss term is given: those that ``loss_bands`` names, and those that have a truth.

A weight of a band is applied once, to what the term says of it. Bands are looked up by name, so
their order in ``experiment.json`` and in the data set changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from models.objectives.registry import REGISTRY, LossInputs
from sensor2sensor.config.vocabulary import LOSSES, adversarial
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.names import suggestion
from sensor2sensor.networks import replicas
from sensor2sensor.pipeline.psf import short
from sensor2sensor.pipeline.sensor import grouped, picked

Route = Mapping[str, float]
KEY = "loss_bands"
_OF_BANDS = ("target", "output", "base", "low")
# A term that is no mean over values cannot leave some of them out image by image.
_NO_MEAN = ("gen_rmse", "gen_vgg")
# One that decides by all its bands together is given them at once, whatever they weigh.
_TOGETHER = ("gen_shift_l1",)


def positions(name: str, route: Route, bands: Sequence[str]) -> dict[int, float]:
    """Weights of a term by the position of a band.

    Args:
        name: The term, for the message.
        route: Weights by name of a band, as B2 or B02.
        bands: Names of the target's bands.

    Raises:
        ConfigError: A band is none of them.
    """
    places = {short(band): place for place, band in enumerate(bands)}
    for band in route:
        if short(band) not in places:
            problem = f"there is no target band '{band}'"
            raise ConfigError(problem, where=f"{KEY}.{name}", hint=suggestion(band, list(bands)))
    return {places[short(band)]: weight for band, weight in route.items()}


def routable(name: str) -> bool:
    """Whether a term can be given some of the bands: it sees the generated image, and not D."""
    needs = LOSSES[name].needs
    return "output" in needs and LOSSES[name].side == "generator" and not needs & {"vgg", "flow"}


def check_routes(routes: Mapping[str, Route], bands: Sequence[str], known: Any) -> None:
    """Refuse routes that cannot be followed, before anything is built.

    Args:
        routes: ``loss_bands`` as weights, by loss.
        bands: Names of the target's bands.
        known: Which of them ever have a truth, bool ``[C]``.

    Raises:
        ConfigError: A loss sees no bands, or a band does not exist or has no reference.
    """
    for name, route in routes.items():
        if name not in LOSSES or not routable(name):
            hint = f"one of {', '.join(loss for loss in LOSSES if routable(loss))}"
            raise ConfigError(f"'{name}' cannot be given bands", where=f"{KEY}.{name}", hint=hint)
        for place in positions(name, route, bands):
            if "target" in LOSSES[name].needs and not known[place]:
                raise ConfigError(
                    f"target band '{bands[place]}' has no reference",
                    where=f"{KEY}.{name}",
                    hint="leave it to gen_lr_fidelity, or to degradation.paths.wald",
                )


def routed(name: str, inputs: LossInputs, route: Route | None) -> Any:
    """What a term says of the bands it is given.

    With a route it is the sum over its bands of weight times what the term says of them, divided by
    their number: weights of 1 are the term of these bands alone, and 2 counts a band twice. Bands
    of one weight are given to the term together; all of them, with ``weights``, to one that looks
    for a shift, which is the same for all.
    """
    if adversarial(name) or LOSSES[name].side == "discriminator":
        return REGISTRY[name](unknown_as_truth(inputs))
    if "flow" in LOSSES[name].needs:  # the registration looks for its own bands
        return REGISTRY[name](inputs)
    weights = _weights(name, inputs, route)
    if weights is None:
        return _supervised(name, inputs)
    if name in _TOGETHER:
        seen = {place: weight for place, weight in weights.items() if weight}
        chosen = dataclasses.replace(of_bands(inputs, [*seen]), weights=[*seen.values()])
        return _supervised(name, chosen) * len(seen) / len(weights)
    parts = [
        weight * len(places) * _supervised(name, of_bands(inputs, [[*weights][n] for n in places]))
        for weight, places in grouped(list(weights.values()))
        if weight
    ]
    return parts[0] / len(weights) if len(parts) == 1 else tf.add_n(parts) / len(weights)


def _weights(name: str, inputs: LossInputs, route: Route | None) -> dict[int, float] | None:
    """Weights by position, without bands that no image has a truth of; None: all, alike."""
    if route is not None:
        if inputs.target_bands is None:
            problem = "needs the names of the bands, which the model does not give"
            hint = "use base.standard_step, or pass target_bands= to the losses"
            raise ConfigError(problem, where=f"{KEY}.{name}", hint=hint)
        return positions(name, route, inputs.target_bands)
    known = inputs.known
    if known is None or len(known.shape) == 2 or "target" not in LOSSES[name].needs:
        return None
    places = np.flatnonzero(np.asarray(known))
    return None if len(places) == len(known) else dict.fromkeys(map(int, places), 1.0)


def of_bands(inputs: LossInputs, bands: Sequence[int]) -> LossInputs:
    """The inputs with some of the target's bands alone, in this order."""
    # No assignment in a comprehension: AutoGraph, which reads this while tracing, cannot.
    given = {field: getattr(inputs, field) for field in _OF_BANDS}
    fields: dict[str, Any] = {
        field: picked(value, bands) for field, value in given.items() if value is not None
    }
    for field in ("value_range", "value_low"):
        ends = getattr(inputs, field)
        if ends is not None and len(np.shape(ends)):
            fields[field] = [ends[band] for band in bands]
    if inputs.sensor is not None:
        fields["sensor"] = inputs.sensor.of(bands)
    if inputs.known is not None:
        fields["known"] = tf.gather(inputs.known, list(bands), axis=-1)
    if inputs.target_bands is not None:
        fields["target_bands"] = [inputs.target_bands[band] for band in bands]
    return dataclasses.replace(inputs, **fields)


def unknown_as_truth(inputs: LossInputs) -> LossInputs:
    """The inputs with the truth in the place of generated bands that have none to compare with."""
    if inputs.known is None or inputs.output is None or inputs.target is None:
        return inputs
    output = judged(inputs.output, inputs.target, inputs.known)
    return dataclasses.replace(inputs, output=output)


def judged(output: tf.Tensor, target: tf.Tensor, known: Any) -> tf.Tensor:
    """The generated image with the target's own values where no truth is known.

    What is stored there is the input enlarged: a discriminator would tell it from any detail.
    """
    if known is None:
        return output
    known = tf.convert_to_tensor(known)
    known = known[:, tf.newaxis, tf.newaxis] if known.shape.rank == 2 else known
    return tf.where(known, output, tf.cast(target, output.dtype))


def _supervised(name: str, inputs: LossInputs) -> Any:
    """A term over the bands that each image has a truth of.

    Elsewhere the difference is made 0, and the mean is divided by the share that is not.
    """
    known, term = inputs.known, REGISTRY[name]
    if known is None or len(known.shape) != 2 or "target" not in LOSSES[name].needs:
        return term(inputs)
    if name in _NO_MEAN:
        raise ConfigError(
            f"'{name}' is no mean over bands, and bands without a reference are known in some "
            "images alone (degradation.paths.wald)",
            where=f"gen_loss.{name}",
            hint="use gen_l1, gen_l2 or gen_smooth_l1",
        )
    share = replicas.mean_of_all(tf.reduce_mean(tf.cast(known, tf.float32)))
    return tf.math.divide_no_nan(term(unknown_as_truth(inputs)), share)
