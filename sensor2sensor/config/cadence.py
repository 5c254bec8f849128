"""Keys of ``experiment.json`` on how long to train, when to look, and which checkpoints stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sensor2sensor.config.jsonc import JsonDocument
from sensor2sensor.config.validate import at_key, report
from sensor2sensor.config.vocabulary import LOSSES, METRICS, STANDARD, metric_info
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigErrors
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.runs import Run

if TYPE_CHECKING:
    from sensor2sensor.config.experiment_file import ExperimentFile

Count = Annotated[int, Field(ge=1)]
KEPT_BEST = 1
_TWICE = "steps and epochs both say how long to train; leave one out (null drops an inherited one)"


class MonitorSettings(BaseModel):
    """By what the best validation is told."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    metric: str = Field(description="A metric, or a loss of the experiment: lower is better then")
    patience: Count | None = Field(
        default=None,
        description="Validations without a better value that end the training; null: steps alone",
    )


class CadenceKeys(BaseModel):
    """The part of an experiment that says when; ``ExperimentFile`` has all the others."""

    epochs: Count | None = Field(
        default=None,
        description="Training in epochs in place of steps; each ends with a look and a checkpoint",
    )
    save_every_epochs: Count = Field(default=1, description="Epochs between checkpoints")
    val_freq: Count | None = Field(
        default=None,
        description="Steps between validations; null: at every sample sheet, each epoch of epochs",
    )
    monitor: MonitorSettings | None = Field(
        default=None, description="Tells the best validation, whose checkpoint is kept"
    )
    keep_last: Count | None = Field(default=3, description="Newest checkpoints to keep; null: all")
    keep_every: Count | None = Field(
        default=None, description="Also keep a checkpoint every so many steps, epochs with epochs"
    )
    keep_best: Count = Field(
        default=KEPT_BEST, description="Checkpoints of the best validations to keep, with monitor"
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and "steps" in self.model_fields_set:
            raise at_key("epochs", _TWICE, {"steps": _TWICE})
        if self.epochs is None and self.save_every_epochs != 1:
            raise at_key("save_every_epochs", "needs epochs")
        return self

    @model_validator(mode="after")
    def _best_of_something(self) -> Self:
        if self.monitor is None and self.keep_best != KEPT_BEST:
            raise at_key("keep_best", 'needs monitor, as {"metric": "l1"}')
        return self


def keeping_as_begun(config: ExperimentFile, run: Run) -> ExperimentFile:
    """The settings of a run, with the ``keep_last`` it began with where no file states one.

    A run from before there was such a key kept every checkpoint, and goes on to.
    """
    if "keep_last" in config.model_fields_set or not run.resolved.is_file():
        return config
    return config.model_copy(update={"keep_last": files.read_json(run.resolved).get("keep_last")})


def better(name: str) -> Literal["higher", "lower"]:
    """Which way a metric or a loss is better; a loss that is no metric is better lower."""
    return METRICS[name].better if name in METRICS else "lower"


def refuse_unknown_monitor(config: ExperimentFile, document: JsonDocument, *, colour: bool) -> None:
    """Refuse a monitor that no validation of the experiment will have.

    Args:
        config: The settings; whatever modules they name is imported.
        document: What they were read from.
        colour: Whether the target has red, green and blue: ``hpsi`` then, else ``hpsi_bands``.

    Raises:
        ConfigErrors: It is neither a metric nor a loss that the experiment computes.
    """
    if config.monitor is None:
        return
    name, known = config.monitor.metric, [*_metrics(colour), *computed_losses(config)]
    if name in known:
        return
    why = "no metric, and no loss that this experiment computes"
    if name in LOSSES:
        why = "a loss that this experiment does not compute; give it a weight (0 only logs it)"
    other = metric_info(name)
    if other is not None and other.profile != STANDARD:
        why = f"a metric of profile {other.profile}; validation has those of standard"
    text = f"'{name}' is {why}; {suggestion(name, known)}"
    raise ConfigErrors(report(document, {("monitor", "metric"): [text]}))


def _metrics(colour: bool) -> Iterator[str]:
    other = "hpsi_bands" if colour else "hpsi"
    return (name for name in METRICS if name != other)


def computed_losses(config: Any) -> Iterator[str]:
    """Names of the losses that an experiment computes, the generator's first."""
    sides = [config.gen_loss]
    if config.discriminator is not None:
        sides.append(config.disc_loss)
    return (name for side in sides for name, weight in side if weight is not None)
