"""Everything a training run must remember, as flat lists of TensorFlow variables.

``tf.train.Checkpoint`` follows an object's attributes and misses the seed generators of Keras
layers without a word: a resumed run then repeats its dropout. ``keras.Model.variables`` does list
them, so the state is taken from there, and positions are bound to names in ``architecture.json``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from sensor2sensor.config.vocabulary import BASE_LAYER
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.training.contract import GANModel

Architecture = dict[str, list[dict[str, Any]]]
MAX_LISTED = 8
STATISTICS = "inference_statistics"
HOLDERS = (
    tf.Variable, tf.Module, tf.random.Generator, keras.Variable, keras.layers.Layer,
    keras.metrics.Metric, keras.optimizers.Optimizer, keras.random.SeedGenerator,
)  # fmt: skip


class TrainingState:
    """The variables of a model by attribute, and the checkpoint over them.

    Args:
        model: A checked model whose networks are built.
        only: Attributes to hold; all by default.
        statistics: What inference needs beside it and training never reads back.
    """

    def __init__(
        self,
        model: GANModel,
        *,
        only: tuple[str, ...] | None = None,
        statistics: Sequence[tf.Variable] = (),
    ) -> None:
        found = dict(_holders(model))
        self.groups = {
            name: [_raw(variable) for variable in variables]
            for name, variables in _variables(found)
            if only is None or name in only
        }
        self.names = {
            name: [_label(v) for v in variables]
            for name, variables in _variables(found)
            if name in self.groups
        }
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="steps_done")
        self.statistics = list(statistics)
        self.checkpoint = self.reader(self.statistics)

    def reader(self, statistics: list[tf.Variable]) -> tf.train.Checkpoint:
        """The checkpoint over the state with ``statistics`` in the place of its own."""
        further = {STATISTICS: statistics} if statistics else {}
        return tf.train.Checkpoint(steps_done=self.step, **self.groups, **further)

    def architecture(self) -> Architecture:
        """Name, shape and dtype of every variable by attribute; what a checkpoint is bound to."""
        return {
            group: [
                {"name": name, "shape": variable.shape.as_list(), "dtype": variable.dtype.name}
                for name, variable in zip(self.names[group], variables, strict=True)
            ]
            for group, variables in self.groups.items()
        }

    @property
    def nbytes(self) -> int:
        """Bytes of all variables; what a checkpoint takes, but for its index."""
        everything = (v for variables in self.groups.values() for v in variables)
        return sum(v.shape.num_elements() * v.dtype.size for v in everything)

    def unsound(self) -> str | None:
        """The first variable that holds a NaN or an infinity, or None."""
        for group, variables in self.groups.items():
            for name, variable in zip(self.names[group], variables, strict=True):
                if variable.dtype.is_floating and not bool(_all_finite(variable)):
                    return f"{group}/{name}"
        broken = (v.name for v in self.statistics if not bool(_all_finite(v)))
        return next((f"{STATISTICS}/{name}" for name in broken), None)


def _all_finite(variable: tf.Variable) -> tf.Tensor:
    return tf.reduce_all(tf.math.is_finite(variable))


def build_optimizers(model: GANModel) -> None:
    """Create the slots of every unbuilt ``<network>_optimizer`` for its network.

    A slot that appears only at the first step could not be restored before it.

    Raises:
        ModelContractError: An optimizer has no network of its name and is not built by the model.
    """
    for name, value in vars(model).items():
        if not isinstance(value, keras.optimizers.Optimizer) or value.built:
            continue
        network = getattr(model, name.removesuffix("_optimizer"), None)
        if not isinstance(network, keras.Model):
            raise ModelContractError(
                f"optimizer '{name}' belongs to no network",
                where=type(model).__module__,
                hint=f"name it <network>_optimizer or call self.{name}.build(variables)",
            )
        value.build(network.trainable_variables)


def constant_rates(model: GANModel) -> list[tuple[Any, float]]:
    """The learning rates that are variables of an optimizer, with their present values.

    A checkpoint holds them too, so a restored state would bring the old run's with it.
    """
    optimizers = [v for v in vars(model).values() if isinstance(v, keras.optimizers.Optimizer)]
    rates = [v for o in optimizers for v in o.variables if v.name == "learning_rate"]
    return [(variable, float(variable.numpy())) for variable in rates]


def base_image(model: GANModel) -> list[tuple[Any, Any]]:
    """The frozen variables of the generator's base image, with their present values.

    They follow from the value ranges of an experiment's data set and are not learned, so a
    checkpoint of another run brings those of another map.
    """
    frozen = [v for v in model.generator.variables if not v.trainable]
    # The last part of a path is the variable's name, the one before it its layer's.
    found = [v for v in frozen if v.path.split("/")[-2:-1] == [BASE_LAYER]]
    return [(variable, variable.numpy()) for variable in found]


def applied_rate(optimizer: Any) -> float:
    """The learning rate of the update that was made last; of the first before any.

    ``optimizer.learning_rate`` is that of the next one: a schedule is asked at the count of
    updates, which has gone up since.
    """
    # The schedule is private to the optimizer, which asks it at its own count alone.
    done = int(optimizer.iterations.numpy())
    optimizer.iterations.assign(max(done - 1, 0))
    rate = float(tf.convert_to_tensor(optimizer.learning_rate))
    optimizer.iterations.assign(done)
    return rate


def networks(model: GANModel) -> list[str]:
    """Attributes that hold networks, by name, the generator first."""
    return [name for name, held in _holders(model) if isinstance(held, keras.layers.Layer)]


def _holders(model: GANModel) -> Iterator[tuple[str, Any]]:
    """Attributes that hold state, by name; lists and dicts of such are opened.

    The generator comes first: a variable it shares must be found under its name at inference.
    """
    attributes = vars(model)
    first = [name for name in ("generator", "discriminator") if name in attributes]
    # Sorted: which one holds a shared variable must not follow the order in __init__.
    for name in [*first, *sorted(set(attributes) - set(first))]:
        yield from _open(name, attributes[name])


def _open(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _open(f"{name}_{key}", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _open(f"{name}_{index}", item)
    elif _holds_state(value):
        yield name, value


def _holds_state(value: Any) -> bool:
    return isinstance(value, HOLDERS)


def _variables(holders: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Variables by attribute; one that two attributes share is held once."""
    seen: set[int] = set()
    for name, holder in holders.items():
        fresh = []
        for variable in _listed(holder):
            if id(_raw(variable)) not in seen:
                seen.add(id(_raw(variable)))
                fresh.append(variable)
        if fresh:
            yield name, fresh


def _listed(holder: Any) -> list[Any]:
    if isinstance(holder, tf.Variable | keras.Variable):
        return [holder]
    if isinstance(holder, keras.random.SeedGenerator | tf.random.Generator):
        return [holder.state]
    # Of an optimizer: moments, learning rate and count of updates, which corrects Adam's bias.
    return list(holder.variables)


def _raw(variable: Any) -> tf.Variable:
    """The TensorFlow variable inside a Keras one."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def _label(variable: Any) -> str:
    """The name of a variable without the counters Keras adds when a process builds many models."""
    path = variable.path if isinstance(variable, keras.Variable) else variable.name
    return re.sub(r"_\d+(?=/|_|:|$)", "", path)


def architecture_differences(
    stored: Architecture, current: Architecture, most: int | None = MAX_LISTED
) -> list[str]:
    """What a checkpoint holds and the model lacks or has otherwise, a phrase each.

    Returns:
        At most ``most`` phrases, and one that counts the rest; None: all of them.
    """
    found: list[str] = []
    for group in [*stored, *(name for name in current if name not in stored)]:
        if group not in current:
            found.append(f"{group}: only in the checkpoint")
        elif group not in stored:
            found.append(f"{group}: only in the model")
        else:
            found.extend(_group_differences(group, stored[group], current[group]))
    rest = 0 if most is None else len(found) - most
    return found if rest <= 0 else [*found[:most], f"and {rest} more"]


def _group_differences(
    group: str, stored: list[dict[str, Any]], current: list[dict[str, Any]]
) -> list[str]:
    found = []
    if len(stored) != len(current):
        found.append(f"{group}: {len(stored)} variables (there) against {len(current)} (asked)")
    for there, here in zip(stored, current, strict=False):
        if there != here:
            found.append(f"{group}: {_described(there)} (there) against {_described(here)} (asked)")
    return found


def _described(variable: Mapping[str, Any]) -> str:
    shape = "x".join(str(size) for size in variable["shape"]) or "scalar"
    return f"{variable['name']} {shape} {variable['dtype']}"
