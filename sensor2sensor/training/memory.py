"""What a training will take of memory, said before its first step, and what to do without enough.

The estimate of a step is the peak of its graph (:func:`~.footprint.peak_bytes`), times
:data:`KERNELS` and :data:`ONCE` more: what kernels take for themselves and what TensorFlow sets up
at the first call. Measured on processors; docs/engine.md has the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from sensor2sensor.core.errors import TrainingError
from sensor2sensor.core.memory import available_bytes, resident_bytes, size_in_words
from sensor2sensor.training.contract import GANModel
from sensor2sensor.training.footprint import peak_bytes

KERNELS, ONCE = 1.15, 80 * 2**20
SMALLER = "take smaller images (img_height, img_width) or a narrower model"


def smaller_batch(batch_size: int, need: Need | None = None) -> str:
    """What to do where a step of this size did not fit.

    The estimate was too low then: at most half of it is proposed.
    """
    most = batch_size // 2
    return advised(most if need is None else need.fitting(most))


def advised(batch_size: int) -> str:
    """What to do where only this batch size would fit; 0: none."""
    return f"try batch_size {batch_size}" if batch_size else SMALLER


@dataclass(frozen=True)
class Need:
    """Memory of a training in bytes, on the device that computes.

    Attributes:
        held: What is there before the first step: weights and moments, on a CPU the whole process.
        step: What a step takes beside it.
        fixed: Of that, what does not grow with the batch: a gradient for each weight.
        free: What can be taken beside ``held``; None where nobody tells.
        batch_size: Images in a step.
    """

    held: int
    step: int
    fixed: int
    free: int | None
    batch_size: int

    @property
    def fits(self) -> bool:
        """Whether it does, as far as is known."""
        return self.free is None or self.step <= self.free

    def fitting(self, most: int) -> int:
        """The largest batch size up to ``most`` whose step would fit; 0: none."""
        if self.free is None:
            return most
        each = max(self.step - self.fixed, 1) / self.batch_size
        return max(0, min(most, int((self.free - self.fixed) / each)))


def need_of(
    graph: Any, model: GANModel, variables_bytes: int, batch_size: int, devices: int = 1
) -> Need:
    """What a traced step needs.

    Args:
        graph: Of its concrete function.
        model: Its networks have a gradient for each weight that is trained.
        variables_bytes: Weights, moments, averages.
        batch_size: Images in a step.
        devices: Those of this machine that share it.
    """
    gpu = bool(tf.config.list_physical_devices("GPU"))
    # GPUs have a memory each, and the graph holds what all of them do.
    step = int(KERNELS * peak_bytes(graph) / (devices if gpu else 1)) + ONCE
    networks = [net for net in (model.generator, model.discriminator) if net is not None]
    weights = [v for network in networks for v in network.trainable_variables]
    fixed = sum(math.prod(v.shape) * v.value.dtype.size for v in weights) + ONCE
    if gpu:
        most = _gpu_bytes()
        free = None if most is None else max(0, most - variables_bytes)
        return Need(variables_bytes, step, fixed, free, batch_size)
    held = resident_bytes()
    return Need(held or variables_bytes, step, fixed, available_bytes(), batch_size)


def _gpu_bytes() -> int | None:
    """What TensorFlow may take of the first GPU."""
    # The public API names no limit: get_memory_info() tells what is taken alone.
    from tensorflow.python.client import device_lib

    found = [d.memory_limit for d in device_lib.list_local_devices() if d.device_type == "GPU"]
    return int(found[0]) if found else None


def memory_line(need: Need) -> str:
    """One line: what it will take, and what there is."""
    whole = size_in_words(need.held + need.step)
    free = "" if need.free is None else f", {size_in_words(need.free)} free"
    line = f"memory: about {whole} ({size_in_words(need.step)} for a step{free})"
    return (
        line
        if need.fits
        else f"{line}; THIS IS NOT ENOUGH: {advised(need.fitting(need.batch_size - 1))}"
    )


def taken_mib() -> dict[str, float]:
    """Memory of the process now, and the peak on the GPU since the run began, for the log."""
    held = resident_bytes()
    found = {} if held is None else {"memory_mib": round(held / 2**20, 1)}
    if tf.config.list_physical_devices("GPU"):
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
        found["gpu_peak_mib"] = round(peak / 2**20, 1)
    return found


@contextmanager
def one_line_without_memory(where: str, batch_size: int, when: str) -> Iterator[None]:
    """Turn an exhausted memory within the block into one line.

    Args:
        where: The run, for the message.
        batch_size: Images in a step, and at a look.
        when: What was done, for the message.

    Raises:
        TrainingError: In place of what TensorFlow or Python says.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        problem = f"out of memory {when} with batch_size {batch_size}"
        raise TrainingError(problem, where=where, hint=smaller_batch(batch_size)) from error
