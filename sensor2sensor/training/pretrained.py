"""Beginning a training with the generator of another run: its weights, and nothing else of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import CheckpointError, ConfigError
from sensor2sensor.core.runs import Run
from sensor2sensor.training.checkpoints import (
    ARCHITECTURE,
    DAMAGE,
    VALUE,
    checkpoint_steps,
    members,
    neighbours,
    opened,
    reason_of,
    stored_statistics,
)
from sensor2sensor.training.contract import GANModel
from sensor2sensor.training.layer_modes import batchnorms
from sensor2sensor.training.layer_statistics import assign
from sensor2sensor.training.state import (
    Architecture,
    TrainingState,
    architecture_differences,
    base_image,
)

GROUP, OPTIMIZER = "generator", "generator_optimizer"
KEY = "pretrained_generator"
Stored = list[dict[str, Any]]


class PretrainedError(CheckpointError, ConfigError):
    """The generator that an experiment asks for cannot be taken over; ``where`` is the key."""


def load_generator(
    model: GANModel, source: Run, then: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Give the generator the weights of the newest checkpoint of ``source``.

    They are the averaged ones where that run keeps averages. Batch normalisation begins with the
    statistics measured there. Optimizers, discriminator, the seeds of dropout and the base image,
    which follows from the value ranges, stay the new run's own.

    Args:
        model: The model.
        source: The run whose generator is taken over.
        then: What a run that is resumed noted when it began: the same checkpoint is taken.

    Returns:
        What ``run.json`` keeps: folder of the experiment, run, checkpoint, step, weights, SHA-256.

    Raises:
        PretrainedError: There is none, it is damaged or not that of then, or its generator is
            another; every difference is listed.
    """
    folder = source.ckpt_dir
    step = _newest(folder) if then is None else _same(folder, then)
    state, own = TrainingState(model, only=(GROUP,)), base_image(model)
    stored: Architecture = files.read_json(folder / ARCHITECTURE)["variables"]
    _refuse_other(folder, stored, state)
    try:
        averages = _load(model, state, stored, folder, step)
    except DAMAGE as error:
        problem = f"{folder}: checkpoint {step} was not read ({reason_of(error)})"
        raise PretrainedError(problem, where=KEY, hint="name another run") from error
    for variable, value in own:
        variable.assign(value)
    return {
        "experiment": str(source.exp_dir),
        "timestamp": source.timestamp,
        "checkpoint": f"ckpt-{step}",
        "step": step,
        "weights": "averaged" if averages else "last",
        "sha256": {path.name: files.sha256(path) for path in members(folder, step)},
    }


def _newest(folder: Path) -> int:
    steps = checkpoint_steps(folder)
    if not steps:
        raise PretrainedError(f"{folder}: no checkpoint", where=KEY, hint=neighbours(folder))
    return steps[-1]


def _same(folder: Path, then: Mapping[str, Any]) -> int:
    """The step of the checkpoint that a run began with, as long as its files are the same."""
    for name, digest in then["sha256"].items():
        path = folder / name
        found = files.sha256(path) if path.is_file() else None
        if found != digest:
            fate = "gone" if found is None else "another file now"
            hint = "restore it from a backup, or start a new run"
            problem = f"{path}, which this run began with, is {fate}"
            raise PretrainedError(problem, where=KEY, hint=hint)
    return int(then["step"])


def _refuse_other(folder: Path, stored: Architecture, state: TrainingState) -> None:
    there, here = (_weights(listed[GROUP]) for listed in (stored, state.architecture()))
    found = architecture_differences({GROUP: there}, {GROUP: here}, most=None)
    if found:
        raise PretrainedError(
            f"{folder} holds another network: {'; '.join(found)}",
            where=KEY,
            hint="give this experiment its model_name, params and bands",
        )


def _weights(listed: Stored) -> Stored:
    return [variable for variable in listed if not _seed(variable["name"])]


def _seed(name: str) -> bool:
    # Keras' name for what the seed generator of a layer counts by.
    return name.split(":")[0].endswith("seed_generator_state")


def _load(
    model: GANModel, state: TrainingState, stored: Architecture, folder: Path, step: int
) -> bool:
    """Read all values, then assign them; returns whether they are averages."""

    def read(reader: Any, group: str, wanted: Any) -> list[Any]:
        places = [n for n, variable in enumerate(stored.get(group, [])) if wanted(variable["name"])]
        return [reader.get_tensor(f"{group}/{place}/{VALUE}") for place in places]

    names = zip(state.names[GROUP], state.groups[GROUP], strict=True)
    variables = [variable for name, variable in names if not _seed(name)]
    with opened(folder, step) as reader:
        values = read(reader, GROUP, lambda name: not _seed(name))
        averages = read(reader, OPTIMIZER, lambda name: name.split(":")[0].endswith("_average"))
    statistics = stored_statistics(folder, step)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    if averages:  # an optimizer keeps them in the order of what it trains
        for variable, value in zip(model.generator.trainable_variables, averages, strict=True):
            variable.assign(value)
    if statistics:
        assign(batchnorms(model.generator), statistics)
    return bool(averages)
