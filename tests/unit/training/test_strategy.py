"""Which devices are chosen, and what is refused before anything is computed on them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.training import cluster, strategy


def choose(asked, *, batch_size=4, jit_compile=False, devices=1, monkeypatch=None):
    if monkeypatch is not None:
        monkeypatch.setattr(strategy, "_devices", lambda: [f"CPU:{n}" for n in range(devices)])
    environment = SimpleNamespace(settings=SimpleNamespace(strategy=asked))
    said = []
    config = SimpleNamespace(batch_size=batch_size, jit_compile=jit_compile)
    return strategy.choose_devices(environment, config, said.append), said


@pytest.mark.parametrize("asked", ["auto", "one"])
def test_where_there_is_one_device_it_is_taken(asked):
    assert choose(asked) == (strategy.ONE, [])


def test_mirrored_needs_several():
    with pytest.raises(ConfigError, match="for several devices, and TensorFlow sees no GPU"):
        choose("mirrored")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"batch_size": 3}, "3 tiles cannot be split evenly over 2 devices"),
        ({"jit_compile": True}, "XLA does not compile a step on several devices"),
    ],
)
def test_auto_says_why_it_takes_one_of_two(monkeypatch, settings, reason):
    found, said = choose("auto", **settings, devices=2, monkeypatch=monkeypatch)
    assert found is strategy.ONE
    assert len(said) == 1 and reason in said[0] and "one of 2 GPUs is used" in said[0]


@pytest.mark.parametrize(
    ("batch_size", "replicas", "key", "hint"),
    [(6, 4, "batch_size", "take a multiple of 4, or set strategy to 'one'")],
)
def test_a_batch_that_cannot_be_split_is_refused(batch_size, replicas, key, hint):
    several = strategy.Devices("mirrored", SimpleNamespace(num_replicas_in_sync=replicas))
    with pytest.raises(ConfigError, match=f"{key}: .*{hint}"):
        strategy._checked(several, SimpleNamespace(batch_size=batch_size, jit_compile=False))


def test_slurm_names_the_workers_in_the_order_of_its_nodes(monkeypatch):
    told = {
        "PROCID": "2", "STEP_NUM_TASKS": "3", "STEP_NODELIST": "gpu[07-08],login",
        "STEP_TASKS_PER_NODE": "1(x3)", "JOB_ID": "40123",
    }  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv(cluster.TF_CONFIG, "")  # so that it is put back
    monkeypatch.delenv(cluster.TF_CONFIG)
    found = cluster.cluster_resolver()
    assert found.cluster_spec().as_dict() == {
        "worker": ["gpu07:12123", "gpu08:12123", "login:12123"]
    }
    assert (found.task_type, found.task_id) == ("worker", 2)


def test_without_a_cluster_one_line_says_how_to_start(monkeypatch):
    monkeypatch.delenv(cluster.TF_CONFIG, raising=False)
    with pytest.raises(ConfigError, match=r"neither TF_CONFIG nor Slurm's variables.*srun"):
        choose("multi_worker")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        json.dumps({"cluster": {"worker": ["a:1"]}}),
        json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}),
        json.dumps({"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}),
    ],
)
def test_a_cluster_of_another_form_is_refused(monkeypatch, content):
    monkeypatch.setenv(cluster.TF_CONFIG, content)
    with pytest.raises(ConfigError, match="not of the form that 'multi_worker' takes"):
        cluster.cluster_resolver()
