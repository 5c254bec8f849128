"""The contract of a model, checked by using it: built, called, trained, saved and restored.

``models/__main__.py`` is the door; it brings the training's own checks along, which models do not
import.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model_tools.probe import batch
from sensor2sensor.core.blame import line_in, sentence
from sensor2sensor.core.errors import ModelContractError, Sensor2SensorError
from sensor2sensor.pipeline.precision import computing_in

# A last layer of zeros passes no gradient on: the first step moves it, the next ones the rest.
STEPS = 4
NAMED = 4  # variables that a message lists
ONE_TRACE = "pass nothing but tensors, and make no variable or optimizer inside the step"

# Makes a model and the experiment it was constructed with.
Make = Callable[[], tuple[Any, Any]]


@dataclass(frozen=True)
class Training:
    """What the training does with a model, handed in by the door.

    Attributes:
        hold: ``(model, experiment, name)``: raises ModelContractError where something is missing,
            and builds what is not built.
        carry: ``(model, other, folder)``: saves the first and restores it into the second.
    """

    hold: Callable[[Any, Any, str], None]
    carry: Callable[[Any, Any, Path], None]


@dataclass
class Findings:
    """Says every check as a line and counts what is not met.

    Attributes:
        say: Prints a line.
        failed: Number of checks that were not met.
        done: Number of checks.
        prefix: Begins every line's text.
        path: The module's file.
    """

    say: Callable[[str], None]
    failed: int = 0
    done: int = 0
    prefix: str = ""
    path: Path = field(default_factory=Path)

    def met(self, what: str, check: Callable[[], object], *, needed: bool = True) -> bool:
        """Run one check and say how it went.

        Args:
            what: What is there if the check passes.
            check: Raises what is wrong; what it returns is added to the line.
            needed: False for what a model may lack.
        """
        self.done += 1
        try:
            more = check()
        # Whatever a user's code raises is the finding.
        except Exception as error:
            self.failed += needed
            word = "lacks " if needed else "note  "
            self.say(f"  {word} {self.prefix}{what}: {told(error, self.path)}")
            return False
        self.say(f"  ok     {self.prefix}{what}{f': {more}' if more else ''}")
        return True


def told(error: BaseException, path: Path) -> str:
    """What a module raised, with the line of ``path`` that took part last."""
    # Our own errors say by themselves where.
    line = None if isinstance(error, Sensor2SensorError) else line_in(path, error)
    return sentence(error) if line is None else f"{sentence(error)} ({path.name}, line {line})"


def check_built(findings: Findings, make: Make, name: str, training: Training) -> None:
    """Every check of one experiment; ends early where later checks would only repeat it.

    Args:
        findings: Takes what is found.
        make: Constructs the model anew.
        name: The model's.
        training: What the training does with it.
    """
    made: list[tuple[Any, Any]] = []
    if not findings.met("is constructed", lambda: made.append(make())):
        return
    gan, exp = made[0]
    parts = "networks, optimizers and train_step"
    if not findings.met(parts, lambda: training.hold(gan, exp, name)):
        return
    whole = findings.met("generator", lambda: _generator(gan, exp))
    whole &= findings.met("discriminator", lambda: _discriminator(gan, exp))
    if not whole:
        return
    findings.met("inference is repeatable", lambda: _repeatable(gan, exp))
    if findings.met(f"{STEPS} training steps", lambda: _trains(gan, exp)):
        findings.met("train_step is traced once", lambda: _traced_once(gan, exp))
        findings.met("state is saved and restored", lambda: _carried(gan, make, name, training))


def check_mixed(findings: Findings, make: Make, name: str, training: Training) -> None:
    """Whether the model also computes in mixed_bfloat16, which it may lack."""

    def trains() -> str:
        with computing_in("mixed_bfloat16"):
            gan, exp = make()
        training.hold(gan, exp, name)
        return _trains(gan, exp, steps=1)

    findings.met("precision mixed_bfloat16", trains, needed=False)


def _pair(exp: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """A random batch of two in the range that the experiment's normalisation gives."""
    low, high = exp.OUTPUT_RANGE
    image, target = (low + (high - low) * (side + 1.0) / 2.0 for side in batch(exp))
    return tf.constant(image, tf.float32), tf.constant(target, tf.float32)


def _generator(gan: Any, exp: Any) -> str:
    image, target = _pair(exp)
    made = gan.generator(image, training=False)
    if tuple(made.shape) != tuple(target.shape):
        raise ModelContractError(
            f"it makes {_size(made)} of {_size(image)}, not {_size(target)}",
            hint="OUTPUT_CHANNELS bands at IMG_HEIGHT x IMG_WIDTH",
        )
    _expect_finite({"its output": made})
    return f"{_size(image)} to {_size(made)}"


def _size(image: Any) -> str:
    return f"[B, {', '.join(map(str, image.shape[1:]))}]"


def _discriminator(gan: Any, exp: Any) -> str:
    if gan.discriminator is None:
        return "none"
    image, target = _pair(exp)
    try:
        answer = gan.discriminator([image, target], training=False)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        problem = f"it does not take [input, target]: {told(error, Path())}"
        raise ModelContractError(problem, hint="two inputs, input first") from error
    _expect_finite({"its answer": answer})
    return f"[{_size(image)}, {_size(target)}] to {_size(answer)}"


def _repeatable(gan: Any, exp: Any) -> None:
    image, _ = _pair(exp)
    # Two calls: noise that heeds no training flag shows in their difference alone.
    first, second = (np.asarray(gan.generator(image, training=False)) for _ in range(2))
    if not np.array_equal(first, second):
        raise ModelContractError(
            f"two calls on one image differ by up to {np.abs(first - second).max():.2g}",
            hint="draw random numbers where training is True only",
        )


def _trains(gan: Any, exp: Any, steps: int = STEPS) -> str:
    """Some steps: losses and variables finite, and after all of them every variable has moved."""
    image, target = _pair(exp)
    networks = {"generator": gan.generator, "discriminator": gan.discriminator}
    networks = {name: network for name, network in networks.items() if network is not None}
    before = {name: _values(network) for name, network in networks.items()}
    losses: dict[str, Any] = {}
    for number in range(steps):
        losses = gan.train_step(image, target, tf.constant(number, tf.int64)) or {}
        _expect_finite(losses)
    for name, network in networks.items():
        _expect_moved(name, network, before[name], all_of_them=steps == STEPS)
    return f"{len(losses)} losses" if losses else "no losses returned"


def _values(network: Any) -> list[np.ndarray]:
    return [np.asarray(variable, np.float32) for variable in network.trainable_variables]


def _expect_finite(values: Any) -> None:
    if not isinstance(values, dict):
        raise ModelContractError(
            f"train_step returns a {type(values).__name__}", hint="return a dict of losses, or None"
        )
    for name, value in values.items():
        if not np.isfinite(np.asarray(tf.cast(value, tf.float32))).all():
            raise ModelContractError(
                f"{name} is not finite", hint="look for a division by 0, a root or a log of 0"
            )


def _expect_moved(name: str, network: Any, before: list[np.ndarray], *, all_of_them: bool) -> None:
    after = _values(network)
    variables = network.trainable_variables
    changes = list(zip(variables, before, after, strict=True))
    broken = [v.path for v, _, new in changes if not np.isfinite(new).all()]
    if broken:
        raise ModelContractError(f"the {name} has values that are not finite: {_list(broken)}")
    still = [v.path for v, old, new in changes if np.array_equal(old, new)]
    if still and (all_of_them or len(still) == len(changes)):
        raise ModelContractError(
            f"the {name} has variables that never change: {_list(still)}",
            hint="their gradient is 0 or not applied; use them, or trainable=False",
        )


def _list(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _traced_once(gan: Any, exp: Any) -> None:
    """After :func:`_trains`; the first call may trace twice, where optimizers make variables."""
    image, target = _pair(exp)
    # A Python number among the arguments makes a new graph for every value.
    before = gan.train_step.experimental_get_tracing_count()
    for number in range(STEPS, STEPS + 2):
        gan.train_step(image, target, tf.constant(number, tf.int64))
    if gan.train_step.experimental_get_tracing_count() > before:
        raise ModelContractError("it is traced anew for every step, which is slow", hint=ONE_TRACE)


def _carried(gan: Any, make: Make, name: str, training: Training) -> None:
    again, exp = make()
    training.hold(again, exp, name)
    image, _ = _pair(exp)
    expected = np.asarray(gan.generator(image, training=False))
    with tempfile.TemporaryDirectory() as folder:
        training.carry(gan, again, Path(folder))
    if not np.array_equal(np.asarray(again.generator(image, training=False)), expected):
        raise ModelContractError(
            "the restored model answers otherwise",
            hint="keep what is learned in Keras variables of the networks",
        )
