"""Keys of ``experiment.json`` on two sensors that see the same ground: registration, PSF, bands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from sensor2sensor.config.degradation import Degradation
from sensor2sensor.config.registration import Registration
from sensor2sensor.config.validate import at_key, told_as
from sensor2sensor.config.vocabulary import LOSSES, adversarial
from sensor2sensor.core.names import suggestion

BandWeight = Annotated[float, Field(ge=0)]
Bands = Annotated[dict[str, BandWeight], Field(min_length=1)]
Named = Annotated[list[str], Field(min_length=1)]
Mtf = Annotated[float, Field(gt=0, lt=1)]
_MTF = "a number between 0 and 1"
Mtfs = Annotated[Mtf | dict[str, Mtf] | None, told_as(f"{_MTF}, or a table of such by band", _MTF)]
Route = Annotated[
    Bands | Named,
    told_as("a list of bands, or a table of weights by band", "a weight of at least 0"),
]


class CrossSensorKeys(BaseModel):
    """The part of an experiment that says how inputs and targets of two sensors are compared."""

    registration: Registration | None = Field(
        default=None, description="A trained registration that moves the target; null: none"
    )
    degradation: Degradation | None = Field(
        default=None, description="Train on degraded images, too; null: on the data set's inputs"
    )
    loss_bands: dict[str, Route] | None = Field(
        default=None,
        description="Target bands that a loss sees, by name, with their weights; null: all alike",
    )
    fidelity_mtf: Mtfs = Field(
        default=None, description="MTF of gen_lr_fidelity and others; null: Sentinel-2's by band"
    )
    compat: Literal["torchsisr"] | None = Field(
        default=None, description="Reproduce the approximations of a published program; null: none"
    )

    @model_validator(mode="after")
    def _bands_weigh(self) -> Self:
        for loss, bands in (self.loss_bands or {}).items():
            if isinstance(bands, dict) and not any(bands.values()):
                raise at_key(f"loss_bands.{loss}", "every band has the weight 0")
            if isinstance(bands, list) and len(set(bands)) < len(bands):
                raise at_key(f"loss_bands.{loss}", "names a band twice")
        return self

    @model_validator(mode="after")
    def _judge_before_its_pupil(self) -> Self:
        """Of keys that ``ExperimentFile`` has."""
        begun, warmup = self._both_starts()
        if begun > warmup:
            problem = f"{begun} lies behind generator_warmup {warmup}: until then the generator"
            problem += " would follow a discriminator that has learned nothing"
            raise at_key("discriminator.start", problem)
        return self

    def _both_starts(self) -> tuple[int, int]:
        """First steps at which D learns and G follows it; none where nothing follows it."""
        whole: Any = self
        judge = getattr(whole, "discriminator", None)
        if judge is None or not any(w and adversarial(name) for name, w in whole.gen_loss):
            return 0, 0
        return judge.start, whole.generator_warmup

    def displaced(self, extras: Iterable[Any]) -> dict[str, str]:
        """Pictures among a data set's extras that no longer lie on what a training sees.

        What becomes of a class or a flag where the images are moved or degraded nobody can say, so
        such extras are given to no model and no loss.

        Args:
            extras: Of the contract.

        Returns:
            By name of the extra the key that moves images away from it.
        """
        paths, moved = getattr(self.degradation, "paths", None), self.registration
        keys: dict[str, str | None] = {"input": None, "target": None}
        if moved is not None and moved.train:
            keys["target"] = "registration.train"
        if paths is not None and paths.simulated:
            keys["input"] = "degradation.paths.simulated"
        if paths is not None and paths.wald:
            keys = dict.fromkeys(keys, "degradation.paths.wald")
        pictures = [extra for extra in extras if extra.role != "value"]
        return {extra.name: key for extra in pictures if (key := keys[extra.grid]) is not None}

    @property
    def band_weights(self) -> dict[str, dict[str, float]]:
        """``loss_bands`` with a weight for every band."""
        routes = (self.loss_bands or {}).items()
        return {
            loss: bands if isinstance(bands, dict) else dict.fromkeys(bands, 1.0)
            for loss, bands in routes
        }

    def unknown_routes(self, computed: list[str]) -> dict[str, str]:
        """Losses of ``loss_bands`` that the experiment does not compute, and what to say."""
        found = {}
        for loss in self.loss_bands or {}:
            if loss not in LOSSES:
                found[loss] = f"no such loss; {suggestion(loss, computed)}"
            elif loss not in computed:
                found[loss] = "a loss that this experiment does not compute; give it a weight"
        return found
