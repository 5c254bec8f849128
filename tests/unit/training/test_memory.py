"""What a step is said to take, what is free, and what is said where it was too much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core import memory as machine
from sensor2sensor.core.blame import blaming
from sensor2sensor.core.errors import ModelContractError, TrainingError
from sensor2sensor.training.batches import ahead_on
from sensor2sensor.training.footprint import peak_bytes
from sensor2sensor.training.memory import Need, memory_line, one_line_without_memory, smaller_batch

MIB = 2**20


def graph_of(function, *shapes):
    specs = [tf.TensorSpec(shape) for shape in shapes]
    return tf.function(function).get_concrete_function(*specs).graph


def test_what_waits_for_its_gradient_is_held_and_what_is_read_is_not():
    """A chain holds two of its values at a time; its gradient holds every one."""

    def chain(x):
        for _ in range(8):
            x = tf.tanh(x)
        return tf.reduce_sum(x)

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = chain(x)
        return tape.gradient(total, x)

    one = 1024 * 4
    assert peak_bytes(graph_of(chain, [1024])) == 2 * one
    assert 9 * one <= peak_bytes(graph_of(gradient, [1024])) <= 11 * one


def test_views_take_nothing_and_unknown_shapes_are_left_out():
    assert peak_bytes(graph_of(lambda x: tf.identity(tf.reshape(x, [4, -1])), [2, 8])) == 0
    assert peak_bytes(graph_of(lambda x: tf.tanh(x), [None, 8])) == 0


def test_the_batch_size_that_would_fit_is_named():
    need = Need(held=700 * MIB, step=1100 * MIB, fixed=100 * MIB, free=600 * MIB, batch_size=16)
    assert memory_line(need) == (
        "memory: about 1.8 GiB (1.1 GiB for a step, 600.0 MiB free); THIS IS NOT ENOUGH:"
        " try batch_size 8"
    )
    assert smaller_batch(16, need) == "try batch_size 8"
    few = Need(700 * MIB, 1100 * MIB, 100 * MIB, 350 * MIB, 16)
    assert smaller_batch(16, few) == "try batch_size 4"
    assert smaller_batch(16) == "try batch_size 8"  # nobody knows what is free
    none = Need(700 * MIB, 1100 * MIB, 100 * MIB, 90 * MIB, 16)
    assert "take smaller images" in memory_line(none) and "smaller images" in smaller_batch(1)
    enough = Need(700 * MIB, 1100 * MIB, 100 * MIB, 4096 * MIB, 16)
    assert memory_line(enough) == "memory: about 1.8 GiB (1.1 GiB for a step, 4.0 GiB free)"


def test_the_limits_of_both_kinds_of_control_groups_count(tmp_path):
    two, one, free = tmp_path / "two", tmp_path / "one", tmp_path / "free"
    for folder, names, limit in (
        (two, ("memory.max", "memory.current"), "4000000"),
        (one, ("memory.limit_in_bytes", "memory.usage_in_bytes"), "5000000"),
        (free, ("memory.max", "memory.current"), "max"),
    ):
        folder.mkdir()
        (folder / names[0]).write_text(f"{limit}\n")
        (folder / names[1]).write_text("3000000\n")
    (two / "memory.stat").write_text("anon 7\ninactive_file 500000\n")
    assert list(machine._left_by_groups([two, one, free, tmp_path / "none"])) == [1500000, 2000000]


def test_this_process_and_this_machine_are_measured():
    held, free = machine.resident_bytes(), machine.available_bytes()
    kept = np.ones(64 * MIB, np.uint8)
    assert machine.resident_bytes() - held >= 0.9 * kept.nbytes
    assert 0 < held <= machine.peak_resident_bytes()
    assert free > 0


def test_memory_that_runs_out_before_a_step_or_at_a_look_is_one_line():
    def build():
        # TensorFlow itself refuses; fewer bytes than 2**64 only after a wait of ten seconds.
        tf.zeros([2**62])

    told = one_line_without_memory("a/b", 12, "at a look")
    with pytest.raises(TrainingError) as caught, told, blaming(Path(__file__)):
        build()
    assert not isinstance(caught.value, ModelContractError)
    assert str(caught.value) == (
        "a/b: out of memory at a look with batch_size 12; try batch_size 6"
    )


def test_batches_that_are_copied_ahead_are_the_same_and_texts_stay():
    batches = tf.data.Dataset.range(5).map(lambda n: {"input": tf.fill([2, 3], n), "index": n})
    ahead = ahead_on("/device:CPU:0", batches)
    assert ahead is not batches
    assert ahead.element_spec == batches.element_spec
    assert [int(b["input"][0, 0]) for b in ahead] == [0, 1, 2, 3, 4]
    named = batches.map(lambda batch: {**batch, "name": "a"})
    assert ahead_on("/device:CPU:0", named) is named
