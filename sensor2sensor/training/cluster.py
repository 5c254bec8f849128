"""Which machines train together, from ``TF_CONFIG`` or from Slurm."""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow as tf

from sensor2sensor.core.errors import ConfigError

TF_CONFIG, SLURM = "TF_CONFIG", "SLURM_STEP_NUM_TASKS"
_EXAMPLE = (
    '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
# Above those of services, below those that Linux gives away by itself.
_FIRST_PORT, _PORTS = 12_000, 20_000


def cluster_resolver() -> Any:
    """TensorFlow's resolver of the cluster that this process belongs to; its workers are equal.

    Raises:
        ConfigError: Neither says so, or it says something else.
    """
    if TF_CONFIG in os.environ:
        _check(os.environ[TF_CONFIG])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if SLURM in os.environ:
        return _of_slurm()
    raise ConfigError(
        f"'multi_worker' finds neither {TF_CONFIG} nor Slurm's variables",
        where="strategy",
        hint="start it with srun, one task a machine, or set it to 'auto' in environment.json",
    )


def _of_slurm() -> Any:
    """One task a machine with all its GPUs, or a share of them for each of several."""
    gpus = len(tf.config.list_physical_devices("GPU"))
    # Two jobs may share a machine, so each has a port of its own.
    port = _FIRST_PORT + int(os.environ.get("SLURM_JOB_ID", "0")) % _PORTS
    # Slurm itself says which GPUs a task sees (--gpus-per-task).
    options = {"port_base": port, "gpus_per_node": gpus, "auto_set_gpu": False}
    try:
        made = tf.distribute.cluster_resolver.SlurmClusterResolver(**options)
        made.cluster_spec()  # only then does it know the number of this task
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"Slurm's variables make no cluster: {error}", where="strategy"
        ) from error
    return made


def _check(text: str) -> None:
    try:
        content = json.loads(text)
        kinds, task = set(content["cluster"]), content["task"]
        sound = kinds == {"worker"} and task["type"] == "worker"
        sound = sound and 0 <= task["index"] < len(content["cluster"]["worker"])
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        problem = f"{TF_CONFIG} is not of the form that 'multi_worker' takes"
        raise ConfigError(problem, where="strategy", hint=f"for the first of two: {_EXAMPLE}")
