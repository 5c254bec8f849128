"""The step of a model as the loop calls it: its own ``tf.function``, or one compiled from outside.

A ``train_step`` brings its own ``tf.function``. What shall be compiled in another way (by XLA, or
run on several devices) takes the Python function that this one wraps and makes one of its own
around it: a ``tf.function`` inside another would keep what it says of itself. No model file has a
part in that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from sensor2sensor.core.blame import sentence
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.training.contract import GANModel, accepted_extras

# The number of a step is a tensor: a Python number would be traced anew each time.
STEP = tf.TensorSpec([], tf.int64)
KEY = "jit_compile"


@dataclass(frozen=True)
class Step:
    """What the loop calls: ``(batch, step) -> losses``.

    Attributes:
        function: A ``tf.function`` ``(input_image, target, step, **extras)``.
        extras: Fields of a batch that it takes beside input and target.
        form: ``tf.TensorSpec`` by field, of the batches it is for.
        where: The model's module, for messages.
        jit_compile: Whether XLA compiles it.
    """

    function: Any
    extras: tuple[str, ...]
    form: Mapping[str, Any]
    where: str
    jit_compile: bool = False

    def __call__(self, batch: Mapping[str, Any], step: Any) -> Any:
        """Train on a batch; ``step`` is an int64 tensor that counts from 0."""
        further = {name: batch[name] for name in self.extras}
        return self.function(batch["input"], batch["target"], step, **further)

    def prepare(self) -> Any:
        """Trace it for its batches, computing nothing; a call finds this trace.

        Whatever the step would refuse at its first call is raised here.

        Returns:
            Its concrete function.

        Raises:
            ModelContractError: XLA cannot compile what the step does.
        """
        further = {name: self.form[name] for name in self.extras}
        given = self.form["input"], self.form["target"], STEP
        traced = self.function.get_concrete_function(*given, **further)
        if self.jit_compile:
            self._translate(given, further)
        return traced

    def _translate(self, given: Sequence[Any], further: Mapping[str, Any]) -> None:
        """Have XLA read the graph, which takes a second; to compile it takes many more."""
        try:
            self.function.experimental_get_compiler_ir(*given, **further)(stage="hlo")
        except (ValueError, tf.errors.OpError) as error:
            raise ModelContractError(
                f"XLA cannot compile train_step: {_first_reason(error)}",
                where=self.where,
                hint="set jit_compile to false",
            ) from error

    def agreed(self, wanted: bool) -> bool:
        """Whether to end here; among several workers: whether any of them wants to."""
        return wanted

    def retraced(self, steps: int) -> bool:
        """Whether it was traced anew at nearly every one of ``steps`` calls.

        It is traced once per shape; a Python number among its arguments or a fresh object that it
        captures makes it trace at every call, which is many times slower.
        """
        # Few steps prove nothing: an optimizer that makes its variables traces twice.
        return steps > 3 and int(self.function.experimental_get_tracing_count()) >= steps


def compiled_step(model: GANModel, form: Mapping[str, Any], *, jit_compile: bool = False) -> Step:
    """The step of a model for batches of one form.

    Args:
        model: A model with every variable made.
        form: ``tf.TensorSpec`` by field, the ``element_spec`` of the batches.
        jit_compile: Compile it by XLA.

    Raises:
        ConfigError: Batches are of varying shape, or texts, which XLA does not compile.
    """
    takes = accepted_extras(model)
    extras = tuple(name for name in form if name not in {"input", "target"} and takes(name))
    where = type(model).__module__
    if not jit_compile:
        return Step(model.train_step, extras, form, where)
    for name in ("input", "target", *extras):
        _refuse_for_xla(name, form[name])
    # As the model has it: AutoGraph takes longer to trace, and some modules need it. Nothing but
    # this attribute tells.
    autograph = model.train_step._autograph
    function = tf.function(unwrapped(model), autograph=autograph, jit_compile=True)
    return Step(function, extras, form, where, jit_compile=True)


def unwrapped(model: GANModel) -> Callable[..., Any]:
    """The Python function of a model's ``train_step``: ``(input_image, target, step, **extras)``.

    Raises:
        ModelContractError: It is of a kind that does not say what it wraps.
    """
    found: Callable[..., Any] | None = getattr(model.train_step, "python_function", None)
    if found is None:
        problem = "train_step does not say which function it wraps"
        hint = "decorate it with @tf.function"
        raise ModelContractError(problem, where=type(model).__module__, hint=hint)
    return found


def _refuse_for_xla(name: str, spec: Any) -> None:
    """Refuse a field of varying shape: XLA compiles, and keeps, a program for each shape."""
    if spec.dtype == tf.string:
        what = f"the train_step takes '{name}', a text"
    elif not spec.shape.is_fully_defined():
        what = f"batches vary in shape ('{name}' is {spec.shape}), and each would be compiled anew"
    else:
        return
    raise ConfigError(f"XLA cannot compile this step: {what}", where=KEY, hint="set it to false")


def _first_reason(error: Exception) -> str:
    """The operation that is at fault, out of the many lines of XLA's."""
    text = str(error)
    named = re.search(r"No registered '(\w+)' OpKernel", text)
    return f"it has no {named.group(1)}" if named else sentence(error)
