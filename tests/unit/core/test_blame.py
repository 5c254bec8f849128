"""One line from whatever a module raised."""

from __future__ import annotations

import pytest
import tensorflow as tf

from sensor2sensor.core.blame import sentence


def test_an_error_while_a_graph_runs_keeps_its_own_words():
    @tf.function
    def step(number):
        tf.debugging.assert_less(number, 3, "my own words")
        return number

    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        step(tf.constant(5))
    line = sentence(caught.value)
    assert "my own words" in line and "node" not in line and "\n" not in line


def test_an_error_without_words_is_named():
    assert sentence(KeyError()) == "KeyError"
    assert sentence(ValueError("one\ntwo")) == "ValueError: one"
