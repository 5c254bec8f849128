"""Weights and gradients of a training, taken without touching it.

The gradient of a step is gone once the step is done, and computing it again would need the losses
of the model, which only its ``train_step`` knows. But Adam keeps a mean of the gradients that it
was given, m ← β1·m + (1 - β1)·g (Kingma & Ba 2015, algorithm 1): read before and after one step of
the training, m gives g, by reading alone. It is the gradient that was applied: behind clipping.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.decoration import decoration
from sensor2sensor.dataset.order import Epochs
from sensor2sensor.training.contract import GANModel

logger = logging.getLogger(__name__)

NETWORKS = ("generator", "discriminator")
MOMENT = "_momentum"  # ends Keras' path of Adam's mean of the gradients
Values = dict[str, NDArray[Any]]
Moments = tuple[int, list[NDArray[np.float64]]]


class Histograms:
    """Takes the weights and gradients of every network after the last step of every n-th epoch.

    Args:
        model: A model whose optimizers are built.
        every: n; None takes nothing.
        epochs: How steps make epochs.
        show: Takes the step and the values by name, flat: ``weights/generator/conv/kernel``.
    """

    def __init__(
        self,
        model: GANModel,
        *,
        every: int | None,
        epochs: Epochs,
        show: Callable[[int, Mapping[str, Any]], None],
    ) -> None:
        self._model, self._show = model, show
        self._every, self._epochs = every, epochs

    def due(self, step: int) -> bool:
        """Whether the ``step``-th step, counted from 1, ends an epoch that is looked at."""
        return self._every is not None and self._epochs.ended(step, self._every)

    @contextmanager
    def around(self, step: int) -> Iterator[None]:
        """Look at the step that the block makes, if that is due; a failure costs a line."""
        what, before = f"the histograms of step {step}", {}
        due = self.due(step)
        if due:
            with decoration(what, logger.warning):
                before = {name: _moments(self._model, name) for name in NETWORKS}
        yield
        if due:
            with decoration(what, logger.warning):
                self._show(step, self._found(before))

    def _found(self, before: Mapping[str, Moments]) -> Values:
        found: Values = {}
        for name, then in before.items():
            network = getattr(self._model, name)
            if network is not None:
                found |= _named(name, network, "weights", network.trainable_variables)
                found |= _named(name, network, "gradients", _gradients(self._model, name, then))
        # A value that is not finite is in no histogram, and stops the run elsewhere.
        return {name: value[np.isfinite(value)] for name, value in found.items()}


def _named(name: str, network: Any, kind: str, values: Sequence[Any]) -> Values:
    """Values of the trainable variables of a network, flat; nothing where none are known."""
    if not values:
        return {}
    variables = zip(network.trainable_variables, values, strict=True)
    return {f"{kind}/{name}/{v.path}": np.asarray(found).ravel() for v, found in variables}


def _moments(model: GANModel, name: str) -> Moments:
    """Updates that an optimizer has made, and its means of the gradients; none where not Adam's."""
    optimizer = getattr(model, f"{name}_optimizer", None)
    if optimizer is None or not hasattr(optimizer, "beta_1"):
        return 0, []
    found = [v for v in optimizer.variables if v.path.endswith(MOMENT)]
    return int(optimizer.iterations.numpy()), [np.array(v, np.float64) for v in found]


def _gradients(model: GANModel, name: str, before: Moments) -> list[NDArray[np.float64]]:
    """What the step added to the moments, divided by its weight there.

    Where a step makes several updates (critic steps of WGAN), that is the mean of their gradients
    in the weights of β1, the last counting most.
    """
    (then, old), (now, new) = before, _moments(model, name)
    if now == then:
        return []
    kept = float(getattr(model, f"{name}_optimizer").beta_1) ** (now - then)
    return [(m - kept * m_then) / (1 - kept) for m_then, m in zip(old, new, strict=True)]
