"""Processes that trained together evaluate together: the chief asks, the others score a share each.

They need not share a disk: weights, task and shares travel as the gradients did. Whatever is said,
all say something at once (:meth:`~.strategy.Devices.gathered`): a task is answered by nothing, a
share by nothing but the chief's own, and nothing from the chief is the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sensor2sensor.core.errors import TrainingError
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.predictors.protocol import Predictor
from sensor2sensor.training.applied import applied_predictor
from sensor2sensor.training.state import TrainingState
from sensor2sensor.training.strategy import Devices

# The share of one of several processes: task, the model, the process' number, how many there are.
Score = Callable[[Mapping[str, Any], Predictor, int, int], bytes]
FAILED = b"!"  # begins what is said in the place of a share


@dataclass(frozen=True)
class Team:
    """All processes, as the chief asks them.

    Attributes:
        devices: Of the training.
        experiment: As the model's weights normalise.
        model: With the weights that are scored.
    """

    devices: Devices
    experiment: Any
    model: Any

    @property
    def number(self) -> int:
        """Of this process."""
        return self.devices.worker

    @property
    def count(self) -> int:
        """How many processes there are."""
        return self.devices.workers

    def ask(self, task: Mapping[str, Any]) -> None:
        """Tell the others what to do, and with which weights."""
        told = {"normalisation": self.experiment.normaliser.state(), "task": task}
        with self.devices.unbroken():
            self.devices.gathered(json.dumps(told).encode())
            _share_weights(self.devices, self.model)

    def answers(self, own: bytes) -> list[bytes]:
        """What each has found, in their order.

        Raises:
            TrainingError: One has failed.
        """
        found = self.devices.gathered(own)
        for number, answer in enumerate(found):
            if answer.startswith(FAILED):
                problem = f"worker {number} of {self.count} has not scored its tiles"
                raise TrainingError(problem, where=self.experiment.name, hint=answer[1:].decode())
        return found


def help_out(devices: Devices, experiment: Any, model: Any, score: Score) -> None:
    """Score a share of whatever the chief evaluates, until it parts.

    Args:
        devices: Of the training.
        experiment: The experiment.
        model: The model that was trained; its generator gets the chief's weights.
        score: Makes a share.

    Raises:
        Exception: What kept the share from being scored; the chief has been told.
    """
    failure: Exception | None = None
    while told := devices.gathered(b"")[0]:
        _share_weights(devices, model)
        try:
            asked = json.loads(told)
            there = experiment.normalised_by(Normalisation.from_state(asked["normalisation"]))
            predictor = applied_predictor(there, model.generator, discriminator=model.discriminator)
            share = score(asked["task"], predictor, devices.worker, devices.workers)
        # Whatever it is: the chief waits for an answer.
        except Exception as error:
            failure, share = error, FAILED + f"{type(error).__name__}: {error}".encode()
        if not devices.gathered(share)[0]:
            break
    if failure is not None:
        raise failure


def _share_weights(devices: Devices, model: Any) -> None:
    devices.share(TrainingState(model, only=("generator",)), 0)
