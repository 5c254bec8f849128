"""Beginning a training with the weights of another run, and nothing else of it.

``pretrained_generator`` takes its generator, ``--fork`` all its networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import CheckpointError, ConfigError
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.ancestry import PRETRAINED
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
    networks,
)

GROUP, OPTIMIZER = "generator", "generator_optimizer"
KEY, FORK = PRETRAINED, "--fork"
Stored = list[dict[str, Any]]


class PretrainedError(CheckpointError, ConfigError):
    """The weights that are asked for cannot be taken over; ``where`` is the key or option."""


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
    step = _newest(folder, KEY) if then is None else _same(folder, then, KEY)
    return _taken(model, source, step, (GROUP,), KEY)


def load_networks(
    model: GANModel, source: Run, at: int | None = None, then: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Give every network of a model the weights that ``source`` has for it, as above.

    A network that is in the model alone begins anew.

    Args:
        model: The model.
        source: The run whose networks are taken over.
        at: The step of its checkpoint; None: the newest.
        then: As of :func:`load_generator`.

    Returns:
        The same, and the networks that took weights over.

    Raises:
        PretrainedError: As of :func:`load_generator`, of any of the networks.
    """
    folder = source.ckpt_dir
    if then is not None:
        step = _same(folder, then, FORK)
    else:
        step = _newest(folder, FORK) if at is None else at
    own = TrainingState(model).groups
    stored = _stored(folder, FORK)
    both = [name for name in networks(model) if name in own and name in stored]
    return {**_taken(model, source, step, both, FORK), "networks": both}


def _taken(
    model: GANModel, source: Run, step: int, names: Sequence[str], key: str
) -> dict[str, Any]:
    folder = source.ckpt_dir
    state, own = TrainingState(model, only=tuple(names)), base_image(model)
    stored = _stored(folder, key)
    _refuse_other(folder, stored, state, key)
    try:
        averages = _load(model, state, stored, folder, step)
    except DAMAGE as error:
        problem = f"{folder}: checkpoint {step} was not read ({reason_of(error)})"
        raise PretrainedError(problem, where=key, hint="name another run") from error
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


def _stored(folder: Path, key: str) -> Architecture:
    path = folder / ARCHITECTURE
    if not path.is_file():
        hint = "name another run, or restore that file from a backup"
        raise PretrainedError(f"{path}: not there, so nothing tells its weights", where=key,
                              hint=hint)  # fmt: skip
    stored: Architecture = files.read_json(path)["variables"]
    return stored


def _newest(folder: Path, key: str) -> int:
    steps = checkpoint_steps(folder)
    if not steps:
        raise PretrainedError(f"{folder}: no checkpoint", where=key, hint=neighbours(folder))
    return steps[-1]


def _same(folder: Path, then: Mapping[str, Any], key: str) -> int:
    """The step of the checkpoint that a run began with, as long as its files are the same."""
    for name, digest in then["sha256"].items():
        path = folder / name
        found = files.sha256(path) if path.is_file() else None
        if found != digest:
            fate = "gone" if found is None else "another file now"
            hint = "restore it from a backup, or start a new run"
            problem = f"{path}, which this run began with, is {fate}"
            raise PretrainedError(problem, where=key, hint=hint)
    return int(then["step"])


def _refuse_other(folder: Path, stored: Architecture, state: TrainingState, key: str) -> None:
    here = {name: _weights(listed) for name, listed in state.architecture().items()}
    there = {name: _weights(listed) for name, listed in stored.items() if name in here}
    found = architecture_differences(there, here, most=None)
    if found:
        way = "give this experiment its model_name, params and bands"
        if key == FORK:
            way += f", or take its generator alone ({KEY})"
        problem = f"{folder} holds another network: {'; '.join(found)}"
        raise PretrainedError(problem, where=key, hint=way)


def _weights(listed: Stored) -> Stored:
    return [variable for variable in listed if not _seed(variable["name"])]


def _seed(name: str) -> bool:
    # Keras' name for what the seed generator of a layer counts by.
    return name.split(":")[0].endswith("seed_generator_state")


def _load(
    model: GANModel, state: TrainingState, stored: Architecture, folder: Path, step: int
) -> bool:
    """Read all values, then assign them; returns whether the generator's are averages."""

    def read(reader: Any, group: str, wanted: Any) -> list[Any]:
        places = [n for n, variable in enumerate(stored.get(group, [])) if wanted(variable["name"])]
        return [reader.get_tensor(f"{group}/{place}/{VALUE}") for place in places]

    variables, values = [], []
    with opened(folder, step) as reader:
        for group, held in state.groups.items():
            named = zip(state.names[group], held, strict=True)
            variables += [variable for name, variable in named if not _seed(name)]
            values += read(reader, group, lambda name: not _seed(name))
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
