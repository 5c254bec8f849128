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

    What Slurm says is written into ``TF_CONFIG``, so that the two are one to TensorFlow.

    Raises:
        ConfigError: Neither says so, or it says something else.
    """
    if TF_CONFIG not in os.environ and SLURM in os.environ:
        os.environ[TF_CONFIG] = json.dumps(_of_slurm())
    if TF_CONFIG not in os.environ:
        raise ConfigError(
            f"'multi_worker' finds neither {TF_CONFIG} nor Slurm's variables",
            where="strategy",
            hint="start it with srun, one task a machine, or set it to 'auto' in environment.json",
        )
    _check(os.environ[TF_CONFIG])
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()


def _of_slurm() -> dict[str, Any]:
    """The tasks of this job step, in the order of its nodes."""
    # Two jobs may share a machine, so each has a port of its own.
    port = _FIRST_PORT + int(os.environ.get("SLURM_JOB_ID", "0")) % _PORTS
    # It counts GPUs to give them away, which Slurm has done: as many as tasks, one for each.
    options = {"gpus_per_node": int(os.environ[SLURM]), "gpus_per_task": 1, "auto_set_gpu": False}
    try:
        made = tf.distribute.cluster_resolver.SlurmClusterResolver(port_base=port, **options)
        workers = made.cluster_spec().as_dict()["worker"]
    except (RuntimeError, ValueError, AssertionError) as error:
        problem = f"Slurm's variables make no cluster: {error}"
        raise ConfigError(problem, where="strategy", hint=f"set {TF_CONFIG}") from error
    task = {"type": "worker", "index": made.task_id}
    return {"cluster": {"worker": workers}, "task": task}


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
