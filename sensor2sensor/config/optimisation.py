"""Keys of ``experiment.json`` on the optimizer, and how a model reads all that concern it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from sensor2sensor.config.network_settings import STRICT

if TYPE_CHECKING:
    from sensor2sensor.config.experiment_file import ExperimentFile


class Schedule(BaseModel):
    """How the learning rate changes over a training."""

    model_config = STRICT

    kind: Literal["constant", "linear", "cosine"] = Field(
        default="constant", description="Shape of the decay"
    )
    start: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Share of the steps before the decay begins (pix2pix: 0.5)"
    )
    final: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="Share of learning_rate that would be left after the last step"
    )

    def falling_after(self, steps: int) -> int | None:
        """Steps of so many before the rate begins to fall, which leave no trace of their number."""
        return None if self.kind == "constant" else min(round(self.start * steps), steps - 1)


class OptimizerKeys(BaseModel):
    """Which optimizer; ``ExperimentFile`` has its rate, schedule, β1, clipping and averaging."""

    optimizer: Literal["adam", "nadam", "nadam_keras2"] = Field(
        default="adam",
        description="Of all networks; nadam_keras2: Nadam with the slow momentum of Keras 2",
    )
    epsilon: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="The optimizer's ε; null: Keras' own, 1e-7"
    )


class OptimizerView:
    """What models read of an experiment to make their optimizers."""

    config: ExperimentFile

    @property
    def OPTIMIZER(self) -> str:  # noqa: N802 - the names models use since ARISGAN
        """``adam``, ``nadam`` or ``nadam_keras2``."""
        return self.config.optimizer

    @property
    def EPSILON(self) -> float | None:  # noqa: N802
        """The optimizer's ε, or None for its own."""
        return self.config.epsilon

    @property
    def LEARNING_RATE(self) -> float:  # noqa: N802
        """Step size of the optimizers."""
        return self.config.learning_rate

    @property
    def LEARNING_RATE_SCHEDULE(self) -> Schedule:  # noqa: N802
        """How the step size changes: ``kind``, ``start``, ``final``."""
        return self.config.learning_rate_schedule

    @property
    def BETA_1(self) -> float | None:  # noqa: N802
        """The optimizers' β1, or None for the model's own."""
        return self.config.beta_1

    @property
    def GRADIENT_CLIP(self) -> float | None:  # noqa: N802
        """Largest global norm of a network's gradient, or None."""
        return self.config.gradient_clip

    @property
    def EMA(self) -> float | None:  # noqa: N802
        """Decay of the generator's averaged weights, or None."""
        return self.config.ema
